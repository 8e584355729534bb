//! STATUS.
use super::{Imap, message};
use crate::harness::Server;

#[test]
fn figures() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("Archive", 3);
    imap.ok("SELECT Archive");
    imap.ok("STORE 1 +FLAGS (\\Seen \\Deleted)");
    imap.ok("UNSELECT");
    let size: usize = (1..=3).map(|n| message(n).len()).sum();
    let reply = imap.ok("STATUS Archive (MESSAGES RECENT UIDNEXT UNSEEN DELETED SIZE)");
    assert_eq!(
        reply.untagged,
        [format!(
            "STATUS Archive (MESSAGES 3 RECENT 0 UIDNEXT 4 UNSEEN 2 DELETED 1 SIZE {size})"
        )]
    );
    let reply = imap.ok("STATUS INBOX (HIGHESTMODSEQ MAILBOXID UIDVALIDITY)");
    assert!(
        reply.untagged[0].contains("MAILBOXID (m") && reply.untagged[0].contains("HIGHESTMODSEQ")
    );
    assert!(
        imap.no("STATUS nowhere (MESSAGES)")
            .tagged
            .contains("[NONEXISTENT]")
    );
    imap.fill("INBOX", 2);
    assert_eq!(
        imap.ok("STATUS INBOX (RECENT)").untagged,
        ["STATUS INBOX (RECENT 2)"]
    );
}
