//! DELETE.
use super::Imap;
use crate::harness::Server;

#[test]
fn what_is_below_stays() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE a/b/c");
    assert!(imap.no("DELETE a/b").tagged.contains("[HASCHILDREN]"));
    imap.ok("DELETE a/b/c");
    imap.ok("DELETE a/b");
    assert!(imap.no("DELETE a/b").tagged.contains("[NONEXISTENT]"));
    imap.no("DELETE INBOX");
}

#[test]
fn a_name_that_comes_back_has_another_uidvalidity() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let validity = |imap: &mut Imap| {
        imap.ok("CREATE again");
        imap.append("again", "A: b\r\n\r\n");
        let line = imap.ok("STATUS again (UIDVALIDITY)").untagged[0].clone();
        imap.ok("DELETE again");
        line
    };
    assert_ne!(validity(&mut imap), validity(&mut imap));
}

/// RFC 9051 §6.3.5, §6.3.9.7.
#[test]
fn another_spelling_is_told() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE INBOX/a");
    imap.ok("CREATE INBOX/b");
    assert!(imap.ok("DELETE inbox/a").with("LIST").is_empty());
    imap.ok("ENABLE IMAP4rev2");
    assert_eq!(
        imap.ok("DELETE inbox/b").one("LIST"),
        "LIST (\\NonExistent \\Subscribed) \"/\" INBOX/b (\"OLDNAME\" (inbox/b))"
    );
    imap.ok("CREATE c");
    assert!(imap.ok("DELETE c").with("LIST").is_empty());
}
