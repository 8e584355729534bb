//! RENAME.
use super::Imap;
use super::create::names;
use crate::harness::Server;

#[test]
fn what_is_below_follows_and_inbox_stays() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE a/b");
    imap.ok("RENAME a x/y");
    assert_eq!(names(&mut imap, "x*"), ["x", "x/y", "x/y/b"]);
    assert!(imap.no("RENAME nowhere z").tagged.contains("[NONEXISTENT]"));
    assert!(
        imap.no("RENAME x/y Trash")
            .tagged
            .contains("[ALREADYEXISTS]")
    );
    imap.fill("INBOX", 2);
    imap.ok("RENAME INBOX old-mail");
    imap.ok("SELECT INBOX").one("0 EXISTS");
    imap.ok("SELECT old-mail").one("2 EXISTS");
}

/// RFC 9051 §6.3.6, §6.3.9.7.
#[test]
fn another_spelling_is_told() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE a");
    assert!(imap.ok("RENAME a inbox/a").with("LIST").is_empty());
    imap.ok("ENABLE IMAP4rev2");
    assert!(imap.ok("RENAME INBOX/a b").with("LIST").is_empty());
    assert_eq!(
        imap.ok("RENAME b inbox/b").one("LIST"),
        "LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX/b (\"OLDNAME\" (b))"
    );
    assert_eq!(
        imap.ok("RENAME inbox/b c").one("LIST"),
        "LIST (\\HasNoChildren \\Subscribed) \"/\" c (\"OLDNAME\" (inbox/b))"
    );
}
