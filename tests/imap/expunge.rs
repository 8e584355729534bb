//! EXPUNGE.
use super::Imap;
use crate::harness::Server;

#[test]
fn numbers_move_down() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 7);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 2,3,5,7 +FLAGS.SILENT (\\Deleted)");
    assert_eq!(
        imap.ok("UID EXPUNGE 1:4").untagged,
        ["2 EXPUNGE", "2 EXPUNGE"]
    );
    assert_eq!(imap.ok("EXPUNGE").untagged, ["3 EXPUNGE", "4 EXPUNGE"]);
    assert!(imap.ok("EXPUNGE").untagged.is_empty());
    let uids = imap.ok("FETCH 1:* UID").untagged;
    assert_eq!(
        uids,
        ["1 FETCH (UID 1)", "2 FETCH (UID 4)", "3 FETCH (UID 6)"]
    );
}
