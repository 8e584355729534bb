//! CLOSE.
use super::Imap;
use crate::harness::Server;

#[test]
fn removes_in_silence() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    let reply = imap.ok("CLOSE");
    assert!(reply.with("EXPUNGE").is_empty(), "{reply:?}");
    imap.bad("CLOSE");
    imap.ok("SELECT INBOX").one("2 EXISTS");
    // RFC 9051 §6.4.1: nothing goes from a mailbox that is open for reading.
    imap.ok("STORE 1 +FLAGS.SILENT (\\Deleted)");
    imap.ok("EXAMINE INBOX");
    imap.ok("CLOSE");
    imap.ok("SELECT INBOX").one("2 EXISTS");
}
