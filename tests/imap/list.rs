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

/// RFC 9051 §6.3.9.8, examples 2, 7, 8, 9.
#[test]
fn recursive_match() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    for name in ["INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"] {
        imap.ok(&format!("UNSUBSCRIBE {name}"));
    }
    let tree = [
        "foo2",
        "foo2/bar1",
        "foo2/bar2",
        "baz2",
        "baz2/bar2",
        "baz2/bar22",
        "baz2/bar222",
        "eps2",
        "eps2/mamba",
        "qux2/bar2",
    ];
    for name in tree {
        imap.run(&format!("CREATE {name}"));
    }
    for name in ["foo2", "baz2", "qux2"] {
        imap.ok(&format!("UNSUBSCRIBE {name}"));
    }
    let found = |reply: super::Reply| {
        let mut lines: Vec<String> = reply
            .untagged
            .iter()
            .map(|l| {
                l.replace("\\HasNoChildren ", "")
                    .replace("\\HasChildren ", "")
                    .replace("\\HasNoChildren", "")
                    .replace("\\HasChildren", "")
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(
        found(imap.ok("LIST (RECURSIVEMATCH SUBSCRIBED) \"\" \"*2\"")),
        [
            "LIST () \"/\" foo2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "LIST (\\Subscribed) \"/\" baz2/bar2",
            "LIST (\\Subscribed) \"/\" baz2/bar22",
            "LIST (\\Subscribed) \"/\" baz2/bar222",
            "LIST (\\Subscribed) \"/\" eps2 (\"CHILDINFO\" (\"SUBSCRIBED\"))",
            "LIST (\\Subscribed) \"/\" foo2/bar2",
            "LIST (\\Subscribed) \"/\" qux2/bar2",
        ]
    );
    // Example 9: a child that is subscribed and does not exist.
    imap.ok("CREATE foo/bar");
    imap.ok("UNSUBSCRIBE foo");
    imap.ok("DELETE foo/bar");
    assert_eq!(
        imap.ok("LIST (SUBSCRIBED) \"\" \"foo/*\"").untagged,
        ["LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" foo/bar"]
    );
    assert_eq!(
        imap.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" foo RETURN (CHILDREN)")
            .untagged,
        ["LIST (\\HasNoChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"]
    );
    // Example 7, A2: the parent does not exist either.
    imap.ok("DELETE foo");
    assert_eq!(
        imap.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" f%").untagged[1..],
        ["LIST (\\NonExistent \\HasNoChildren) \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"]
    );
    // Example 7, C: children, none of them subscribed.
    imap.ok("CREATE Foo/Bar");
    imap.ok("UNSUBSCRIBE Foo/Bar");
    assert_eq!(
        imap.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Foo% RETURN (CHILDREN)")
            .untagged,
        ["LIST (\\HasChildren \\Subscribed) \"/\" Foo"]
    );
    // REMOTE changes nothing where nothing is remote, and each name comes once.
    let reply = imap.ok("LIST (REMOTE SUBSCRIBED) \"\" (Foo F% *oo)");
    assert_eq!(reply.with(" Foo").len(), 1);
    imap.bad("LIST (REMOTE RECURSIVEMATCH) \"\" *");
    imap.ok("LIST () \"\" \"\"");
}
