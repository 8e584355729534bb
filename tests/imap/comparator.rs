//! COMPARATOR.
use super::Imap;
use crate::harness::Server;

/// RFC 5255 §4.7 to §4.9.
#[test]
fn there_is_one() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let active = ["COMPARATOR i;unicode-casemap"];
    assert_eq!(imap.ok("COMPARATOR").untagged, active);
    assert_eq!(imap.ok("COMPARATOR \"cz;*\" \"i;*\"").untagged, active);
    assert_eq!(imap.ok("COMPARATOR default").untagged, active);
    let reply = imap.no("COMPARATOR \"cz;*\" i;basic");
    assert!(reply.tagged.contains("[BADCOMPARATOR]"), "{reply:?}");
}
