//! UNAUTHENTICATE (RFC 8437).
use super::Imap;
use crate::harness::{PASSWORD, Server, USER};
use pillarbox::config::Role;

#[test]
fn nothing_of_the_log_in_is_left() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    assert!(imap.bad("UNAUTHENTICATE").tagged.contains("log in"));
    for _ in 0..3 {
        imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
        imap.ok("CAPABILITY").one(" UNAUTHENTICATE");
        imap.append("INBOX", "Subject: x\r\n\r\nx");
        imap.ok("ENABLE QRESYNC UTF8=ACCEPT IMAP4rev2");
        imap.ok("SELECT INBOX");
        imap.ok("STORE 1 +FLAGS (\\Deleted)");
        imap.ok("UID SEARCH RETURN (SAVE) ALL");
        // The mailbox is left, and nothing is expunged (RFC 8437 §3).
        assert!(imap.ok("UNAUTHENTICATE").untagged.is_empty());
        imap.bad("SELECT INBOX");
        imap.bad("FETCH 1 FLAGS");
        let before = imap.ok("CAPABILITY");
        before.one(" AUTH=PLAIN");
        assert!(before.with("UNAUTHENTICATE").is_empty());
    }
    imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
    // Neither IMAP4rev2 nor QRESYNC: \Recent and EXISTS as at first, no MODSEQ.
    let selected = imap.ok("SELECT INBOX");
    selected.one("3 EXISTS");
    selected.one("RECENT");
    let reply = imap.ok("STORE 1 +FLAGS (\\Flagged)");
    assert!(reply.with("MODSEQ").is_empty(), "{reply:?}");
    imap.bad("UNAUTHENTICATE now");
}

#[test]
fn the_next_log_in_may_follow_at_once() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    // RFC 8437 §3: pipelined with AUTHENTICATE.
    let first = imap.send("UNAUTHENTICATE");
    let second = imap.send(&format!("LOGIN {USER} \"{PASSWORD}\""));
    let third = imap.send("SELECT INBOX");
    for tag in [first, second, third] {
        assert!(imap.until(&tag).tagged.starts_with("OK "));
    }
}

#[test]
fn compression_ends_behind_the_answer() {
    let server = Server::start();
    for role in [Role::Imap, Role::Imaps] {
        let mut imap = Imap::connect_to(&server, role);
        for _ in 0..2 {
            imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
            imap.ok("COMPRESS DEFLATE");
            imap.client.compress();
            imap.ok("SELECT INBOX");
            imap.ok("UNAUTHENTICATE");
            imap.client.decompress();
            imap.ok("NOOP");
        }
        imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
        imap.ok("CAPABILITY").one(" COMPRESS=DEFLATE");
    }
}
