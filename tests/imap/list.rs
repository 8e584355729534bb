//! LIST.
use super::Imap;
use crate::harness::Server;

#[test]
fn patterns_and_attributes() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert_eq!(
        imap.ok("LIST \"\" \"\"").untagged,
        ["LIST (\\Noselect) \"/\" \"\""]
    );
    imap.ok("CREATE a/b");
    imap.ok("CREATE \"with space\"");
    assert_eq!(
        imap.ok("LIST \"\" a").untagged,
        ["LIST (\\HasChildren) \"/\" a"]
    );
    assert_eq!(
        imap.ok("LIST a/ %").untagged,
        ["LIST (\\HasNoChildren) \"/\" a/b"]
    );
    assert_eq!(
        imap.ok("LIST \"\" w%").untagged,
        ["LIST (\\HasNoChildren) \"/\" \"with space\""]
    );
    assert_eq!(imap.ok("LIST \"\" iNbOx").with("INBOX").len(), 1);
    assert!(imap.ok("LIST \"\" *").one("Sent").contains("\\Sent"));
    assert!(imap.ok("LIST \"\" %").with("a/b").is_empty());
    assert!(imap.ok("LIST \"\" nothing").untagged.is_empty());
}

#[test]
fn extended() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE a/b");
    for name in ["a", "a/b", "INBOX"] {
        imap.ok(&format!("UNSUBSCRIBE {name}"));
    }
    imap.ok("SUBSCRIBE a/b");
    let reply = imap.ok("LIST (SUBSCRIBED) \"\" a*");
    assert_eq!(
        reply.untagged,
        ["LIST (\\HasNoChildren \\Subscribed) \"/\" a/b"]
    );
    let reply = imap.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" a");
    assert_eq!(
        reply.untagged,
        ["LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))"]
    );
    let reply = imap.ok("list (subscribed) \"\" \"*\" return (special-use)");
    assert!(reply.with("a/b").len() == 1);
    let reply = imap.ok("LIST (SPECIAL-USE) \"\" *");
    assert!(
        reply.untagged.iter().all(|l| l.contains("\\Drafts")
            || l.contains("\\Sent")
            || l.contains("\\Junk")
            || l.contains("\\Trash")
            || l.contains("\\Archive")),
        "{reply:#?}"
    );
    assert_eq!(reply.untagged.len(), 5);
    let reply =
        imap.ok("LIST \"\" (a INBOX) RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES UIDNEXT))");
    assert_eq!(reply.with("LIST").len(), 2);
    assert_eq!(
        reply.with("STATUS a (MESSAGES 0 UIDNEXT 1)").len(),
        1,
        "{reply:#?}"
    );
    imap.bad("LIST (RECURSIVEMATCH) \"\" *");
}
