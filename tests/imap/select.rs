//! SELECT, EXAMINE, UNSELECT, CLOSE.
use super::Imap;
use crate::harness::Server;

#[test]
fn tells_what_a_client_needs() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    let reply = imap.ok("SELECT inbox");
    assert!(reply.tagged.starts_with("OK [READ-WRITE]"));
    for text in [
        "3 EXISTS",
        "3 RECENT",
        "FLAGS (",
        "[UIDVALIDITY ",
        "[UIDNEXT 4]",
        "[HIGHESTMODSEQ ",
        "\\*",
    ] {
        assert!(!reply.with(text).is_empty(), "{text}: {reply:#?}");
    }
    assert!(imap.no("SELECT nowhere").tagged.contains("NONEXISTENT"));
    // RFC 9051 §6.3.2: the old one is closed all the same.
    imap.bad("FETCH 1 FLAGS");
}

#[test]
fn recent_belongs_to_one_session() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    imap.ok("EXAMINE INBOX").one("2 RECENT");
    imap.ok("SELECT INBOX").one("2 RECENT");
    assert!(imap.ok("FETCH 1 FLAGS").untagged[0].contains("\\Recent"));
    assert_eq!(imap.ok("SEARCH NEW").untagged, ["SEARCH 1 2"]);
    Imap::login(&server).ok("SELECT INBOX").one("0 RECENT");
}

#[test]
fn examine_changes_nothing() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 1);
    let reply = imap.ok("EXAMINE INBOX");
    assert!(
        reply.tagged.starts_with("OK [READ-ONLY]") && reply.with("PERMANENTFLAGS ()").len() == 1
    );
    imap.no("STORE 1 +FLAGS (\\Deleted)");
    imap.no("EXPUNGE");
    imap.no("MOVE 1 Trash");
    imap.ok("FETCH 1 BODY[]");
    assert!(!imap.ok("FETCH 1 FLAGS").untagged[0].contains("Seen"));
    imap.ok("CLOSE");
    imap.ok("SELECT INBOX").one("1 EXISTS");
}

#[test]
fn a_deleted_mailbox_ends_the_session_in_it() {
    let server = Server::start();
    let (mut a, mut b) = (Imap::login(&server), Imap::login(&server));
    a.ok("CREATE x");
    b.ok("SELECT x");
    a.ok("DELETE x");
    b.send("NOOP");
    assert!(b.response().starts_with("* BYE"));
}
