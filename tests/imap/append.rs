//! APPEND.
use super::{Imap, message};
use crate::harness::Server;

#[test]
fn flags_date_and_uid() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let date = "\"17-Jul-1996 02:44:25 -0700\"";
    let reply = imap.append(&format!("Drafts (\\Seen \\Draft $x) {date}"), &message(1));
    assert!(reply.tagged.contains(" 1] "), "{reply:?}");
    imap.ok("SELECT Drafts");
    let reply = imap.ok("FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE)");
    let line = reply.one("FETCH");
    assert!(
        line.contains("\\Seen \\Draft") && line.contains("$x"),
        "{line}"
    );
    assert!(
        line.contains("INTERNALDATE \"17-Jul-1996 09:44:25 +0000\""),
        "{line}"
    );
    assert!(
        line.contains(&format!("RFC822.SIZE {}", message(1).len())),
        "{line}"
    );
}

#[test]
fn refusals_come_before_the_message() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert!(imap.no("APPEND nowhere {5}").tagged.contains("[TRYCREATE]"));
    assert!(
        imap.no("APPEND INBOX {99999999999}")
            .tagged
            .contains("[TOOBIG]")
    );
    imap.bad("APPEND INBOX (\\Foo) {5}");
    imap.bad("APPEND INBOX");
    imap.no("APPEND INBOX {0}");
    // Nobody waits for us behind {n+}: the message is read past.
    let tag = imap.send("APPEND nowhere {5+}\r\nhello");
    assert!(imap.until(&tag).tagged.contains("[TRYCREATE]"));
    let tag = imap.send("APPEND INBOX (\\Foo) {5+}\r\nhello");
    assert!(imap.until(&tag).tagged.starts_with("BAD"));
    imap.ok("NOOP");
}

#[test]
fn pipelined() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    let one = message(1);
    let n = one.len();
    imap.client.send(&format!(
        "a APPEND INBOX {{{n}+}}\r\n{one}\r\nb APPEND INBOX (\\Seen) {{{n}+}}\r\n{one}\r\nc FETCH 1:2 UID"
    ));
    assert_eq!(imap.until("a").one("EXISTS"), "1 EXISTS");
    assert_eq!(imap.until("b").one("EXISTS"), "2 EXISTS");
    assert_eq!(imap.until("c").with("FETCH").len(), 2);
}

#[test]
fn utf8_and_binary() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let text = "Subject: \u{fc}\r\n\r\nx\r\n";
    let tag = imap.send(&format!("APPEND INBOX UTF8 (~{{{}}}", text.len()));
    assert!(imap.response().starts_with('+'));
    imap.client.send(&format!("{text})"));
    assert!(imap.until(&tag).tagged.starts_with("OK [APPENDUID"));
    let tag = imap.send("APPEND INBOX ~{10+}");
    imap.client.send_raw(b"A: b\r\n\r\n\0c\r\n");
    assert!(imap.until(&tag).tagged.starts_with("OK"));
    imap.ok("SELECT INBOX").one("2 EXISTS");
}

/// Old mail has octets above 127 in header fields: whoever moves it here has not enabled UTF8=ACCEPT
/// (RFC 6855 §4 would refuse it), gets it back as it was, and never sees such octets in quotes (§3).
#[test]
fn header_fields_of_old_mail() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let text =
        "Subject: gr\u{fc}n\r\nContent-Disposition: inline; filename=\"\u{fc}\"\r\n\r\nx\r\n";
    imap.append("INBOX", text);
    imap.ok("SELECT INBOX");
    let fetch = "FETCH 1 (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Subject)])";
    let reply = imap.ok(fetch);
    let line = reply.one("FETCH");
    for part in [
        "{5}\r\ngr\u{fc}n",
        "{2}\r\n\u{fc}",
        "Subject: gr\u{fc}n\r\n\r\n",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(
        !line.contains("\"gr") && !line.contains("\"\u{fc}"),
        "{line}"
    );
    let reply = imap.ok("FETCH 1 BODY.PEEK[]");
    assert!(
        reply.one("FETCH").ends_with(&format!("{text})")),
        "{reply:?}"
    );
    imap.ok("ENABLE UTF8=ACCEPT");
    let reply = imap.ok(fetch);
    let line = reply.one("FETCH");
    assert!(
        line.contains("\"gr\u{fc}n\"") && line.contains("\"\u{fc}\""),
        "{line}"
    );
}

#[test]
fn a_large_message_comes_back_to_the_octet() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let body: String = (0..60_000)
        .map(|n| format!("line {n} of many lines\r\n"))
        .collect();
    let text = format!("Subject: large\r\n\r\n{body}");
    imap.append("INBOX", &text);
    imap.ok("SELECT INBOX");
    let reply = imap.ok("FETCH 1 BODY.PEEK[]");
    let (_, got) = reply.one("FETCH").split_once("}\r\n").unwrap();
    assert!(got.strip_suffix(')') == Some(&text), "not the same");
    let reply = imap.ok("FETCH 1 BODY.PEEK[]<100000.70000>");
    let (head, got) = reply.one("FETCH").split_once("}\r\n").unwrap();
    assert!(head.ends_with("BODY[]<100000> {70000"), "{head}");
    assert!(got.strip_suffix(')') == Some(&text[100_000..170_000]));
}

/// So many that they cannot all be held in memory, and one more that spoils them all.
#[test]
fn all_or_nothing() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    let body = "0123456789abcdef".repeat(4096);
    let command = |count: usize, end: &str| {
        let mut text = String::from("a APPEND INBOX");
        for n in 0..count {
            let message = format!("Subject: {n}\r\n\r\n{n}{body}{n}\r\n");
            text += &format!(" (\\Seen k{}) {{{}+}}\r\n{message}", n % 7, message.len());
        }
        text + end
    };
    for end in [
        " {0+}\r\n",
        " (\\Foo) {3+}\r\nabc",
        "x",
        " CATENATE (URL \"/x/;UID=1\")",
    ] {
        imap.client.send(&command(30, end));
        let reply = imap.until("a");
        assert!(!reply.tagged.starts_with("OK"), "{end}: {reply:?}");
        assert!(reply.untagged.is_empty(), "{end}: {reply:?}");
        imap.ok("NOOP");
    }
    assert_eq!(server.mail().meta().bytes, 0, "nothing is left of them");
    imap.client.send(&command(40, ""));
    let reply = imap.until("a");
    assert!(reply.tagged.contains(" 1:40] "), "{reply:?}");
    reply.one("40 EXISTS");
    let flags = imap.ok("FETCH 1:40 (FLAGS BODY.PEEK[HEADER])");
    for n in 0..40 {
        let line = flags.one(&format!("Subject: {n}\r\n"));
        assert!(
            line.contains(&format!(" k{}", n % 7)) && line.contains("\\Seen"),
            "{line}"
        );
    }
    let reply = imap.ok("FETCH 40 BODY.PEEK[TEXT]");
    assert!(reply.one("FETCH").contains(&format!("39{body}39\r\n)")));
    assert!(server.mail().meta().bytes > 0);
}

#[test]
fn catenate() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.append("INBOX", &message(1));
    let cat = |imap: &mut Imap, parts: &str| {
        imap.client
            .send(&format!("a APPEND INBOX CATENATE ({parts})"));
        imap.until("a")
    };
    let last = |imap: &mut Imap| {
        let reply = imap.ok("FETCH * BODY.PEEK[]");
        let (_, text) = reply.one("FETCH").split_once("}\r\n").unwrap();
        text.strip_suffix(')').unwrap().to_owned()
    };
    let one = message(1);
    // All of it in URLs, one of them a literal; and in bare words.
    assert!(
        cat(&mut imap, "URL {13+}\r\n/INBOX/;UID=1")
            .tagged
            .starts_with("OK [APPENDUID")
    );
    assert_eq!(last(&mut imap), one);
    cat(
        &mut imap,
        "URL \"/inbox/;uid=1/;section=HEADER.FIELDS%20(Subject)\" TEXT {3+}\r\nx\r\n URL \"/INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=1.4\"",
    );
    assert_eq!(last(&mut imap), "Subject: 1\r\n\r\nx\r\nello");
    cat(
        &mut imap,
        "URL /INBOX/;UID=1/;SECTION=HEADER/;PARTIAL=0.5 UTF8 (~{2+}\r\n\u{fc})",
    );
    assert_eq!(last(&mut imap), format!("{}\u{fc}", &one[..5]));
    // Nothing of the source was read by this.
    assert!(!imap.ok("FETCH 1 FLAGS").one("FETCH").contains("Seen"));
    for bad in [
        "/INBOX/;UID=99",
        "/nowhere/;UID=1",
        "/INBOX;UIDVALIDITY=1/;UID=1",
        "/INBOX/;UID=1/;SECTION=7",
        "/INBOX",
        "http://x/",
        "imap://anna@example.org/INBOX/;UID=1",
        ";UID=1",
    ] {
        let reply = cat(
            &mut imap,
            &format!("TEXT {{1+}}\r\nx URL \"{bad}\" TEXT {{1+}}\r\nx"),
        );
        assert!(
            reply.tagged.starts_with(&format!("NO [BADURL {bad}]")),
            "{reply:?}"
        );
    }
    assert!(cat(&mut imap, "TEXT {0+}\r\n").tagged.starts_with("NO"));
    // A URL that is wrong is said before the literal behind it is sent.
    let reply = imap.run("APPEND INBOX CATENATE (URL /nowhere/;UID=1 TEXT {100}");
    assert!(reply.tagged.starts_with("NO [BADURL"), "{reply:?}");
    imap.ok("NOOP");
}

#[test]
fn too_big_in_parts() {
    let server = Server::with(|config| config.max_message_size = 1000);
    let mut imap = Imap::inbox(&server);
    let half = "x".repeat(600);
    imap.append("INBOX", &half);
    let parts = [
        format!("TEXT {{600+}}\r\n{half} TEXT {{600+}}\r\n{half}"),
        format!("TEXT {{600+}}\r\n{half} URL /INBOX/;UID=1"),
        "URL /INBOX/;UID=1 URL /INBOX/;UID=1".to_owned(),
    ];
    for parts in parts {
        imap.client
            .send(&format!("a APPEND INBOX CATENATE ({parts})"));
        assert!(imap.until("a").tagged.starts_with("NO [TOOBIG]"));
    }
    let reply = imap.run("APPEND INBOX {1001}");
    assert!(reply.tagged.starts_with("NO [TOOBIG]"));
    imap.ok("STATUS INBOX (APPENDLIMIT)")
        .one("(APPENDLIMIT 1000)");
    imap.ok("CAPABILITY").one(" APPENDLIMIT=1000 ");
}

#[test]
fn replace() {
    let server = Server::with(|config| config.quota = Some(1500));
    let mut imap = Imap::inbox(&server);
    let text = |c: char| format!("Subject: {c}\r\n\r\n{}\r\n", String::from(c).repeat(960));
    imap.append("INBOX", &text('a'));
    let replace = |imap: &mut Imap, head: &str, text: &str| {
        imap.client
            .send(&format!("a {head} {{{}+}}\r\n{text}", text.len()));
        imap.until("a")
    };
    // Another one does not fit, one in its place does.
    assert!(
        replace(&mut imap, "APPEND INBOX", &text('b'))
            .tagged
            .contains("[OVERQUOTA]")
    );
    let mut other = Imap::inbox(&server);
    let reply = replace(&mut imap, "REPLACE 1 INBOX (\\Draft)", &text('b'));
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    assert!(reply.untagged[0].starts_with("OK [APPENDUID "), "{reply:?}");
    reply.one("1 EXPUNGE");
    reply.one("1 EXISTS");
    assert!(
        !reply.untagged.iter().any(|line| line.contains("FETCH")),
        "{reply:?}"
    );
    let reply = other.ok("NOOP");
    reply.one("1 EXPUNGE");
    reply.one("1 EXISTS");
    let reply = replace(&mut imap, "UID REPLACE 2 Archive", &text('c'));
    assert!(reply.tagged.starts_with("OK"), "{reply:?}");
    assert_eq!(reply.one("EXPUNGE"), "1 EXPUNGE");
    imap.ok("STATUS Archive (MESSAGES)").one("MESSAGES 1)");
    imap.ok("STATUS INBOX (MESSAGES)").one("MESSAGES 0)");
    // What cannot be, and leaves everything as it was.
    for (head, status) in [
        ("REPLACE 1 INBOX", "BAD"),
        ("UID REPLACE 2 INBOX", "NO [NONEXISTENT]"),
        ("UID REPLACE 1:2 INBOX", "BAD"),
        ("REPLACE * INBOX", "NO"),
    ] {
        let reply = replace(&mut imap, head, &text('d'));
        assert!(reply.tagged.starts_with(status), "{head}: {reply:?}");
    }
    imap.ok("SELECT Archive");
    let reply = replace(&mut imap, "REPLACE 1 nowhere", &text('d'));
    assert!(reply.tagged.starts_with("NO [TRYCREATE]"));
    let two = format!("{} {{3+}}\r\nabc", text('d'));
    let head = format!("a REPLACE 1 Archive {{{}+}}\r\n{two}", text('d').len());
    imap.client.send(&head);
    assert!(
        imap.until("a").tagged.starts_with("BAD"),
        "one message only"
    );
    imap.ok("FETCH 1 BODY.PEEK[HEADER]").one("Subject: c");
    imap.ok("EXAMINE Archive");
    let reply = replace(&mut imap, "REPLACE 1 Archive", &text('d'));
    assert!(reply.tagged.starts_with("NO"), "{reply:?}");
    imap.ok("CLOSE");
    let reply = replace(&mut imap, "REPLACE 1 Archive", &text('d'));
    assert!(reply.tagged.starts_with("BAD"), "{reply:?}");
    // The message was expunged by somebody else meanwhile.
    imap.ok("SELECT Archive");
    other.ok("SELECT Archive");
    let uid = imap.ok("FETCH 1 UID");
    assert!(uid.one("FETCH").contains("UID 1)"));
    other.ok("STORE 1 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    let reply = replace(&mut imap, "REPLACE 1 Archive", "A: b\r\n\r\nc\r\n");
    assert!(reply.tagged.starts_with("NO [EXPUNGEISSUED]"), "{reply:?}");
    imap.ok("STATUS Archive (MESSAGES)").one("MESSAGES 0)");
}

#[test]
fn switched_off() {
    let server = Server::with(|config| config.imap_without = vec!["REPLACE"]);
    let mut imap = Imap::inbox(&server);
    imap.append("INBOX", &message(1));
    imap.client.send("a REPLACE 1 INBOX {3+}\r\nabc");
    assert!(imap.until("a").tagged.starts_with("BAD"));
    imap.bad("UID REPLACE 1 INBOX {3}");
}
