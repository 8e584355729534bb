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
            .contains("[LIMIT]")
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
