//! SUBSCRIBE, UNSUBSCRIBE.
use super::Imap;
use crate::harness::Server;

#[test]
fn a_name_stays_when_its_mailbox_goes() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE a");
    imap.ok("UNSUBSCRIBE a");
    assert!(imap.ok("LSUB \"\" a").untagged.is_empty());
    imap.ok("SUBSCRIBE a");
    assert_eq!(imap.ok("LSUB \"\" a").untagged, ["LSUB () \"/\" a"]);
    imap.ok("UNSUBSCRIBE nowhere");
    imap.no("SUBSCRIBE nowhere");
    // RFC 9051 §6.3.7: the name stays on the list when the mailbox goes.
    imap.ok("DELETE a");
    assert_eq!(imap.ok("LSUB \"\" a").untagged, ["LSUB () \"/\" a"]);
    let reply = imap.ok("LIST (SUBSCRIBED) \"\" a");
    assert_eq!(
        reply.untagged,
        ["LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" a"]
    );
    imap.ok("UNSUBSCRIBE a");
    assert!(imap.ok("LSUB \"\" a").untagged.is_empty());
}
