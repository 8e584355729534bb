//! ENABLE.
use super::Imap;
use crate::harness::Server;

#[test]
fn names_what_it_knows() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert_eq!(imap.ok("ENABLE X-FOO").untagged, ["ENABLED"]);
    assert_eq!(
        imap.ok("ENABLE CONDSTORE x imap4rev2").untagged,
        ["ENABLED CONDSTORE IMAP4rev2"]
    );
    imap.bad("ENABLE");
}

#[test]
fn names_are_utf8_after_it() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE Entw&APw-rfe");
    assert!(imap.ok("LIST \"\" Entw*").untagged[0].ends_with(" Entw&APw-rfe"));
    imap.ok("ENABLE UTF8=ACCEPT");
    assert!(imap.ok("LIST \"\" Entw*").untagged[0].ends_with(" \"Entw\u{fc}rfe\""));
    imap.ok("SELECT \"Entw\u{fc}rfe\"");
}

#[test]
fn rev2_has_no_recent_and_answers_with_esearch() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    imap.ok("ENABLE IMAP4rev2");
    let reply = imap.ok("SELECT INBOX");
    assert!(
        reply.with("RECENT").is_empty() && reply.with("LIST (").len() == 1,
        "{reply:#?}"
    );
    assert_eq!(
        imap.ok("SEARCH ALL").untagged,
        ["ESEARCH (TAG \"t6\") ALL 1:2"]
    );
    assert!(!imap.ok("FETCH 1 FLAGS").untagged[0].contains("Recent"));
}
