//! UNSELECT.
use super::Imap;
use crate::harness::Server;

#[test]
fn removes_nothing() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 2 +FLAGS.SILENT (\\Deleted)");
    imap.ok("UNSELECT");
    imap.bad("UNSELECT");
    imap.bad("FETCH 1 FLAGS");
    imap.ok("SELECT INBOX").one("3 EXISTS");
}
