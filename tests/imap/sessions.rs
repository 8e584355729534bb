//! Several sessions in one mailbox.
use super::Imap;
use crate::harness::Server;

/// RFC 9051 §7.5.1: numbers do not move under FETCH, STORE and SEARCH.
#[test]
fn expunges_wait_for_a_command_that_may_tell_them() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 4);
    a.ok("SELECT INBOX");
    let mut b = Imap::inbox(&server);
    b.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    a.ok("NOOP");
    b.ok("EXPUNGE");
    let reply = a.ok("FETCH 1:4 UID");
    assert_eq!(
        reply.with("UID"),
        ["1 FETCH (UID 1)", "3 FETCH (UID 3)", "4 FETCH (UID 4)"]
    );
    assert!(
        reply.with("EXPUNGE").is_empty() && reply.tagged.contains("[EXPUNGEISSUED]"),
        "{reply:#?}"
    );
    assert_eq!(a.ok("SEARCH ALL").untagged, ["SEARCH 1 3 4"]);
    let reply = a.ok("STORE 3 +FLAGS (\\Seen)");
    assert_eq!(reply.untagged, ["3 FETCH (UID 3 FLAGS (\\Seen \\Recent))"]);
    // New messages may be told meanwhile; they come after all the others.
    b.fill("INBOX", 1);
    let reply = a.ok("FETCH 1 FLAGS");
    assert!(
        reply.with("EXISTS") == ["5 EXISTS"] && reply.with("EXPUNGE").is_empty(),
        "{reply:#?}"
    );
    assert_eq!(a.ok("FETCH 5 UID").untagged, ["5 FETCH (UID 5)"]);
    assert_eq!(a.ok("UID FETCH 3 UID").with("EXPUNGE"), ["2 EXPUNGE"]);
    let uids = a.ok("FETCH 1:* UID").untagged;
    assert_eq!(
        uids,
        [
            "1 FETCH (UID 1)",
            "2 FETCH (UID 3)",
            "3 FETCH (UID 4)",
            "4 FETCH (UID 5)"
        ]
    );
}

#[test]
fn what_another_protocol_does_is_seen() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    let mut pop3 = server.client(pillarbox::config::Role::Pop3);
    pop3.expect("+OK");
    for line in ["USER anna", "PASS correct horse", "DELE 2", "QUIT"] {
        pop3.send(line);
        pop3.expect("+OK");
    }
    assert_eq!(imap.ok("NOOP").with("EXPUNGE"), ["2 EXPUNGE"]);
}

#[test]
fn a_message_that_is_gone_is_left_out() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 2);
    a.ok("SELECT INBOX");
    let mut b = Imap::inbox(&server);
    b.ok("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
    b.ok("EXPUNGE");
    assert!(a.no("COPY 1 Archive").tagged.contains("[EXPUNGEISSUED]"));
}
