//! MOVE.
use super::Imap;
use crate::harness::Server;

#[test]
fn tells_uids_and_then_expunges() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 4);
    imap.ok("SELECT INBOX");
    let mut other = Imap::inbox(&server);
    let reply = imap.ok("MOVE 2:3 Trash");
    assert!(
        reply.untagged[0].starts_with("OK [COPYUID ") && reply.untagged[0].contains(" 2:3 1:2]")
    );
    assert_eq!(&reply.untagged[1..], ["2 EXPUNGE", "2 EXPUNGE"]);
    assert_eq!(other.ok("NOOP").with("EXPUNGE"), ["2 EXPUNGE", "2 EXPUNGE"]);
    assert!(imap.no("MOVE 1 nowhere").tagged.contains("[TRYCREATE]"));
    let reply = imap.ok("UID MOVE 4 Trash");
    assert_eq!(reply.with("EXPUNGE"), ["2 EXPUNGE"]);
    imap.ok("SELECT Trash").one("3 EXISTS");
}
