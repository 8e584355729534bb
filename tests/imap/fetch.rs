//! FETCH.
use super::Imap;
use crate::harness::Server;

const NESTED: &str = "From: \"A, B\" <a@example.com>, list:x@example.com;\r\nTo: anna@example.org\r\n\
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <n@x>\r\n\
MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
preamble\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
Gr=C3=BC=C3=9Fe\r\n--b\r\nContent-Type: application/octet-stream; name=x.bin\r\n\
Content-Disposition: attachment; filename=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n\
AAECAwQFBgcICQ==\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
Subject: inner\r\nX-Y: z\r\n\r\ninner text\r\n--b--\r\nepilogue\r\n";

fn nested() -> (Server, Imap) {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX", NESTED);
    imap.ok("SELECT INBOX");
    (server, imap)
}

/// The value of a section, if it was a literal.
#[track_caller]
fn section(imap: &mut Imap, name: &str) -> String {
    let reply = imap.ok(&format!("FETCH 1 {name}"));
    let line = reply.one("FETCH (");
    let (_, value) = line
        .split_once("}\r\n")
        .unwrap_or_else(|| panic!("{name}: {line}"));
    value.strip_suffix(')').unwrap().to_owned()
}

#[test]
fn envelope_and_structure() {
    let (_server, mut imap) = nested();
    let reply = imap.ok("FETCH 1 (ENVELOPE BODYSTRUCTURE)");
    let line = reply.one("FETCH");
    assert!(
        line.contains("(\"Mon, 7 Feb 1994 21:52:25 -0800\" \"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\""),
        "{line}"
    );
    assert!(
        line.contains("((\"A, B\" NIL \"a\" \"example.com\")(NIL NIL \"list\" NIL)"),
        "{line}"
    );
    assert!(line.contains("(NIL NIL NIL NIL))"), "{line}");
    assert!(line.contains("BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"QUOTED-PRINTABLE\""), "{line}");
    assert!(
        line.contains("(\"ATTACHMENT\" (\"FILENAME\" \"x.bin\"))"),
        "{line}"
    );
    assert!(
        line.contains("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\""),
        "{line}"
    );
    assert!(
        line.contains("\"MIXED\" (\"BOUNDARY\" \"b\") NIL NIL NIL)"),
        "{line}"
    );
    let reply = imap.ok("FETCH 1 BODY");
    assert!(!reply.one("FETCH").contains("BOUNDARY"));
}

#[test]
fn sections() {
    let (_server, mut imap) = nested();
    assert_eq!(section(&mut imap, "BODY.PEEK[]"), NESTED);
    let (header, text) = NESTED.split_once("\r\n\r\n").unwrap();
    assert_eq!(
        section(&mut imap, "BODY.PEEK[HEADER]"),
        format!("{header}\r\n\r\n")
    );
    assert_eq!(section(&mut imap, "BODY.PEEK[TEXT]"), text);
    assert_eq!(section(&mut imap, "BODY.PEEK[1]"), "Gr=C3=BC=C3=9Fe");
    assert_eq!(section(&mut imap, "BODY.PEEK[2]"), "AAECAwQFBgcICQ==");
    assert!(section(&mut imap, "BODY.PEEK[2.MIME]").starts_with("Content-Type: application"));
    assert_eq!(
        section(&mut imap, "BODY.PEEK[3.HEADER]"),
        "Subject: inner\r\nX-Y: z\r\n\r\n"
    );
    assert_eq!(section(&mut imap, "BODY.PEEK[3.TEXT]"), "inner text");
    assert_eq!(section(&mut imap, "BODY.PEEK[3.1]"), "inner text");
    assert_eq!(
        section(&mut imap, "BODY.PEEK[3.HEADER.FIELDS (x-y)]"),
        "X-Y: z\r\n\r\n"
    );
    assert_eq!(
        section(&mut imap, "BODY.PEEK[HEADER.FIELDS (Message-ID subject)]"),
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <n@x>\r\n\r\n"
    );
    assert_eq!(
        section(&mut imap, "BODY.PEEK[HEADER.FIELDS (subject)]<9.5>"),
        "=?utf"
    );
    assert!(!section(&mut imap, "BODY.PEEK[HEADER.FIELDS.NOT (Subject)]").contains("Subject"));
    assert!(
        imap.ok("FETCH 1 BODY.PEEK[7]")
            .one("FETCH")
            .ends_with("BODY[7] NIL)")
    );
    assert!(
        imap.ok("FETCH 1 BODY.PEEK[1.HEADER]")
            .one("FETCH")
            .ends_with("NIL)")
    );
    assert!(
        imap.ok("FETCH 1 BODY.PEEK[]<100000.5>")
            .one("FETCH")
            .contains("BODY[]<100000> {0}")
    );
    assert_eq!(
        section(&mut imap, "RFC822.HEADER"),
        format!("{header}\r\n\r\n")
    );
    assert!(!imap.ok("FETCH 1 FLAGS").one("FETCH").contains("Seen"));
}

#[test]
fn binary() {
    let (_server, mut imap) = nested();
    assert_eq!(section(&mut imap, "BINARY.PEEK[1]"), "Gr\u{fc}\u{df}e");
    assert_eq!(
        section(&mut imap, "BINARY.PEEK[2]"),
        "\0\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\t"
    );
    assert_eq!(section(&mut imap, "BINARY.PEEK[2]<4.3>"), "\u{4}\u{5}\u{6}");
    assert!(
        imap.ok("FETCH 1 BINARY.SIZE[2]")
            .one("FETCH")
            .ends_with("BINARY.SIZE[2] 10)")
    );
    assert!(
        imap.ok("FETCH 1 BINARY.PEEK[2]")
            .one("FETCH")
            .contains("BINARY[2] ~{10}")
    );
}

#[test]
fn reading_sets_seen_once_for_all() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    imap.ok("FETCH 1 BODY.PEEK[TEXT]");
    let reply = imap.ok("FETCH 1:2 BODY[TEXT]");
    assert_eq!(reply.with("BODY[TEXT]").len(), 2);
    assert_eq!(reply.with("FLAGS (\\Seen").len(), 2, "{reply:#?}");
    assert!(imap.ok("FETCH 1 RFC822").with("FLAGS").is_empty());
    assert_eq!(imap.ok("SEARCH UNSEEN").untagged, ["SEARCH 3"]);
}

#[test]
fn sets() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.ok("FETCH 1:* FLAGS");
    imap.ok("UID FETCH 1:* FLAGS");
    imap.fill("INBOX", 4);
    imap.bad("FETCH 5 FLAGS");
    imap.bad("FETCH 1:9 FLAGS");
    assert_eq!(imap.ok("FETCH 4,1:2 UID").with("FETCH").len(), 3);
    assert_eq!(imap.ok("FETCH * UID").untagged, ["4 FETCH (UID 4)"]);
    assert_eq!(imap.ok("UID FETCH 99:* FLAGS").untagged.len(), 1);
    assert!(imap.ok("UID FETCH 98,99 FLAGS").untagged.is_empty());
    assert_eq!(
        imap.ok("UID FETCH 2 (FLAGS UID)").untagged,
        ["2 FETCH (FLAGS (\\Recent) UID 2)"]
    );
    assert!(imap.ok("FETCH 1 ALL").untagged[0].contains("ENVELOPE"));
    assert!(imap.ok("FETCH 1 (EMAILID THREADID)").untagged[0].contains("EMAILID (e"));
}

#[test]
fn changed_since() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX (CONDSTORE)");
    let reply = imap.ok("FETCH 3 MODSEQ");
    let modseq = reply
        .one("MODSEQ")
        .split(&['(', ')'][..])
        .nth(2)
        .unwrap()
        .to_owned();
    imap.ok("STORE 2 +FLAGS (\\Flagged)");
    let reply = imap.ok(&format!("UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq})"));
    assert_eq!(reply.untagged.len(), 1, "{reply:#?}");
    assert!(
        reply.untagged[0].contains("UID 2 FLAGS (\\Flagged")
            && reply.untagged[0].contains("MODSEQ (")
    );
}

/// A header may be as long as a message: its fields pass in pieces, whatever they hold.
#[test]
fn fields_of_a_long_header() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    let long = format!("X-Long: {}\r\n", "x".repeat(900)).repeat(600);
    imap.append(
        "INBOX",
        &format!("Subject: a\r\n{long}To: b\r\n\r\nbody\r\n"),
    );
    let wanted = "BODY.PEEK[HEADER.FIELDS (SUBJECT TO)]";
    let text = imap
        .ok(&format!("FETCH 1 {wanted}"))
        .one("FETCH")
        .to_owned();
    assert!(
        text.contains("{21}\r\nSubject: a\r\nTo: b\r\n\r\n)"),
        "{text}"
    );
    let text = imap.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LONG)]");
    let text = text.one("FETCH");
    assert!(text.contains(&format!("{{{}}}\r\n{long}\r\n)", long.len() + 2)));
    let text = imap.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (X-LONG)]<545990.10>");
    assert!(text.one("FETCH").contains("{10}\r\n"), "{text:?}");
    let text = imap.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (NONE)]");
    assert!(text.one("FETCH").contains("{2}\r\n\r\n)"), "{text:?}");
}

/// A message that is expunged while it is sent: its literal is announced, so nothing but its octets may follow, and
/// a client must not take an answer of ours for the rest of the message.
#[test]
fn expunged_while_it_is_sent() {
    let server = Server::start();
    let mut reader = Imap::inbox(&server);
    let mut other = Imap::inbox(&server);
    // More than the sockets between us take.
    let line = "0123456789abcdef".repeat(60) + "\r\n";
    other.append(
        "INBOX",
        &format!("Subject: x\r\n\r\n{}", line.repeat(24_000)),
    );
    reader.ok("NOOP");
    reader.send("FETCH 1 BODY.PEEK[]");
    assert!(reader.client.line().starts_with("* 1 FETCH"));
    other.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    other.ok("EXPUNGE");
    let rest = reader.client.rest();
    let text = String::from_utf8_lossy(&rest);
    assert!(rest.len() < 962 * 24_000);
    for ours in ["EXPUNGE", "BYE", " NO "] {
        assert!(!text.contains(ours), "{ours}");
    }
}

#[test]
fn preview() {
    let (_server, mut imap) = nested();
    for item in ["PREVIEW", "(PREVIEW)", "PREVIEW (LAZY)", "(PREVIEW (LAZY))"] {
        assert_eq!(section(&mut imap, item), "Gr\u{fc}\u{df}e", "{item}");
    }
    imap.append(
        "INBOX",
        "Subject: none\r\nContent-Type: image/png\r\n\r\nx\r\n",
    );
    let reply = imap.ok("FETCH 2 (PREVIEW (LAZY) FLAGS)");
    assert!(
        reply
            .one("FETCH")
            .starts_with("2 FETCH (PREVIEW \"\" FLAGS ("),
        "{reply:?}"
    );
    imap.ok("ENABLE UTF8=ACCEPT");
    let reply = imap.ok("FETCH 1 (PREVIEW)");
    assert_eq!(reply.one("FETCH"), "1 FETCH (PREVIEW \"Gr\u{fc}\u{df}e\")");
}

#[test]
fn save_date() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX \"17-Jul-1996 02:44:25 -0700\"", &super::message(1));
    imap.ok("SELECT INBOX");
    imap.ok("COPY 1 Archive");
    imap.ok("SELECT Archive");
    let reply = imap.ok("FETCH 1 (INTERNALDATE SAVEDATE)");
    let line = reply.one("FETCH");
    assert!(line.contains("INTERNALDATE \"17-Jul-1996"), "{line}");
    let (_, saved) = line.split_once("SAVEDATE \"").unwrap();
    assert!(
        !saved.contains("1996") && saved.ends_with(" +0000\")"),
        "{line}"
    );
}

/// RFC 9051 §4.3.1: no NUL outside of a literal8. BINARY has it.
#[test]
fn nul_is_for_binary() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let text = "X: a\0b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\0y\0";
    let line = format!("a APPEND INBOX ~{{{}+}}\r\n{text}\r\n", text.len());
    imap.client.send_raw(line.as_bytes());
    assert!(imap.until("a").tagged.starts_with("OK"));
    imap.ok("SELECT INBOX");
    for (item, size) in [
        ("BODY[]", text.len()),
        ("BODY[TEXT]", 4),
        ("BODY[TEXT]<1.2>", 2),
        ("BODY[HEADER.FIELDS (X)]", 10),
        ("RFC822", text.len()),
    ] {
        let reply = imap.ok(&format!("FETCH 1 {item}"));
        let line = reply.one("FETCH");
        assert!(
            !line.contains('\0') && line.contains(&format!("{{{size}}}")),
            "{line:?}"
        );
    }
    let reply = imap.ok("FETCH 1 BINARY[1]");
    assert!(reply.one("FETCH").contains("~{4}\r\nx\0y\0"), "{reply:?}");
    imap.ok("FETCH 1 RFC822.SIZE")
        .one(&format!("RFC822.SIZE {}", text.len()));
}
