//! CANCELUPDATE.
use super::Imap;
use crate::harness::Server;

/// RFC 5267 §4.3.5.
#[test]
fn ends_what_was_begun() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    imap.ok("SELECT INBOX");
    let one = imap.send("UID SEARCH RETURN (UPDATE COUNT) FLAGGED");
    imap.until(&one);
    let two = imap.send("UID SORT RETURN (UPDATE COUNT) (DATE) UTF-8 FLAGGED");
    imap.until(&two);
    imap.bad("CANCELUPDATE \"nonsense\"");
    imap.ok(&format!("CANCELUPDATE \"{one}\""));
    let reply = imap.ok("STORE 1 +FLAGS (\\Flagged)");
    assert_eq!(reply.with("ESEARCH").len(), 1, "{reply:?}");
    reply.one(&format!("(TAG \"{two}\")"));
    imap.bad(&format!("CANCELUPDATE \"{one}\""));
    imap.ok(&format!("CANCELUPDATE {two}"));
    let reply = imap.ok("STORE 2 +FLAGS (\\Flagged)");
    assert!(reply.with("ESEARCH").is_empty(), "{reply:?}");
}
