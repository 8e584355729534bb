//! ID.
use super::Imap;
use crate::harness::Server;

#[test]
fn says_who_we_are() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    let reply = imap.ok("ID (\"name\" \"test\")");
    assert!(reply.one("ID (").contains("Pillarbox"), "{reply:?}");
    imap.ok("ID NIL");
    imap.bad("ID");
}
