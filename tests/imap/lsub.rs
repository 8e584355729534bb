//! LSUB.
use super::Imap;
use crate::harness::Server;

#[test]
fn a_level_above_a_subscribed_name_is_noselect() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE foo/bar");
    imap.ok("UNSUBSCRIBE foo");
    imap.ok("SUBSCRIBE foo/bar");
    assert_eq!(
        imap.ok("LSUB \"\" foo*").untagged,
        ["LSUB () \"/\" foo/bar"]
    );
    assert_eq!(
        imap.ok("LSUB \"\" f%").untagged,
        ["LSUB (\\Noselect) \"/\" foo"]
    );
}
