//! Clients that mean no good: each is answered or shown the door, and the next command, or the next
//! client, is served.
use super::{Imap, message};
use crate::harness::Server;

/// Far over the limit, waiting for nobody: one BAD, then the connection is in step again.
#[test]
fn endless_lists() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    let million = "FLAGS ".repeat(1_000_000);
    let sets: String = (1..300_000).map(|n| format!("{n},")).collect();
    for command in [
        format!("FETCH 1 ({million}UID)"),
        format!("FETCH {sets}1 FLAGS"),
        format!("STORE 1 +FLAGS ({}x)", "k ".repeat(500_000)),
        format!("LIST \"\" ({}x)", "* ".repeat(500_000)),
        format!("SEARCH {}ALL", "(".repeat(1_000_000)),
        format!("APPEND INBOX ({}x) {{3+}}\r\nabc", "k ".repeat(500_000)),
    ] {
        let reply = imap.bad(&command);
        assert!(reply.tagged.contains("[LIMIT]"), "{}", reply.tagged);
        imap.ok("NOOP");
    }
}

/// As much as fits into a command.
#[test]
fn deep_and_wide() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.append("INBOX", &message(1));
    for command in [
        format!("SEARCH {}ALL{}", "(".repeat(30_000), ")".repeat(30_000)),
        format!("SEARCH {}ALL", "NOT ".repeat(15_000)),
        format!("SEARCH {}ALL ALL", "OR ".repeat(15_000)),
        format!("FETCH 1 BODY[{}1]", "1.".repeat(30_000)),
        format!("LIST {} \"\"", "(".repeat(30_000)),
        format!("FETCH 1 BODY[HEADER.FIELDS ({}", "a ".repeat(30_000)),
    ] {
        imap.bad(&command);
        imap.ok("NOOP");
    }
    imap.ok(&format!("LIST \"\" {}", "*%".repeat(20_000)));
    imap.ok(&format!("LIST \"\" \"{}\"", "*a".repeat(20_000)));
    let sets: String = (1..9_000).rev().map(|n| format!("{n}:*,")).collect();
    imap.ok(&format!("UID FETCH {sets}1 UID")).one("FETCH");
    imap.ok("UID FETCH 1:4294967295 UID").one("FETCH");
    imap.ok(&format!("FETCH 1 ({}UID)", "FLAGS ".repeat(10_000)));
    imap.ok(&format!("SEARCH {}ALL", "ALL ".repeat(900)));
    imap.bad(&format!("SEARCH {}ALL", "ALL ".repeat(15_000)));
}

/// Literals by the thousand, in places for them and in others.
#[test]
fn floods_of_literals() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.client.send(&format!(
        "a SEARCH SUBJECT {}x",
        "{0+}\r\n SUBJECT ".repeat(3_000)
    ));
    imap.until("a");
    imap.client
        .send(&format!("b NOOP {}", "{5+}\r\nhello".repeat(20_000)));
    assert!(imap.until("b").tagged.starts_with("BAD"));
    imap.client.send(&format!(
        "c APPEND nowhere{}",
        " {5+}\r\nhello".repeat(20_000)
    ));
    assert!(imap.until("c").tagged.starts_with("NO [TRYCREATE]"));
    imap.client.send(&format!(
        "d APPEND INBOX CATENATE ({}TEXT {{1+}}\r\nx",
        "TEXT {1+}\r\nx ".repeat(20_000)
    ));
    assert!(
        imap.until("d").tagged.starts_with("BAD"),
        "the list is not closed"
    );
    let url = "URL /INBOX/;UID=1 ".repeat(3_000);
    imap.client
        .send(&format!("e APPEND INBOX CATENATE ({url}TEXT {{1+}}\r\nx)"));
    assert!(imap.until("e").tagged.starts_with("NO [BADURL"));
    imap.ok("STATUS INBOX (MESSAGES)").one("MESSAGES 0)");
    assert_eq!(server.mail().meta().bytes, 0);
}

/// One that sends an octet at a time, and ones that read nothing, compressed or not.
#[test]
fn slow_ones() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.append(
        "INBOX",
        &format!(
            "Subject: x\r\n\r\n{}\r\n",
            "0123456789abcdef".repeat(20_000)
        ),
    );
    let mut deaf: Vec<Imap> = (0..4).map(|_| Imap::inbox(&server)).collect();
    for (n, other) in deaf.iter_mut().enumerate() {
        if n % 2 == 0 {
            other.ok("COMPRESS DEFLATE");
            other.client.compress();
        }
        other.client.send(&"a FETCH 1 BODY.PEEK[]\r\n".repeat(200));
    }
    let mut slow = Imap::inbox(&server);
    for b in b"a UID FETCH 1 (UID)\r\n" {
        slow.client.send_raw(&[*b]);
        imap.ok("NOOP");
    }
    slow.until("a").one("FETCH");
    imap.ok("FETCH 1 RFC822.SIZE").one("FETCH");
}
