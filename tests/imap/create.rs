//! CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE.
use super::Imap;
use crate::harness::Server;

fn names(imap: &mut Imap, pattern: &str) -> Vec<String> {
    let reply = imap.ok(&format!("LIST \"\" {pattern}"));
    reply
        .untagged
        .iter()
        .map(|l| l.rsplit_once("\"/\" ").unwrap().1.to_owned())
        .collect()
}

#[test]
fn create_and_delete() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert!(imap.ok("CREATE a/b/c/").tagged.contains("[MAILBOXID (m"));
    assert_eq!(names(&mut imap, "a*"), ["a", "a/b", "a/b/c"]);
    assert!(imap.no("CREATE a/b").tagged.contains("[ALREADYEXISTS]"));
    imap.no("CREATE INBOX");
    assert!(imap.no("DELETE a/b").tagged.contains("[HASCHILDREN]"));
    imap.ok("DELETE a/b/c");
    imap.ok("DELETE a/b");
    assert!(imap.no("DELETE a/b").tagged.contains("[NONEXISTENT]"));
    imap.no("DELETE INBOX");
    imap.no("CREATE \"\"");
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

#[test]
fn rename() {
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

#[test]
fn subscriptions() {
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

#[test]
fn for_a_special_use() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    // RFC 6154 §5.3, §5.4.
    for refused in ["(\\All)", "(\\Drafts)", "(\\Sent \\Drafts)", "(\\What)"] {
        let reply = imap.no(&format!("CREATE MySpecial (USE {refused})"));
        assert!(reply.tagged.contains("[USEATTR]"), "{reply:?}");
    }
    imap.no("SELECT MySpecial");
    imap.ok("CREATE Notes (USE ())");
    imap.ok("DELETE Drafts");
    imap.ok("CREATE MyDrafts (USE (\\Drafts))");
    imap.ok("LIST \"\" MyDrafts").one("\\Drafts");
    imap.ok("CREATE Weighty (USE (\\Important))");
    imap.ok("LIST (SPECIAL-USE) \"\" W*").one("\\Important");
    // RFC 6154 §4, §5.5.
    imap.ok("GETMETADATA MyDrafts /private/specialuse")
        .one("(/private/specialuse \"\\\\Drafts\")");
    let reply = imap.no("SETMETADATA MyDrafts (/private/specialuse \"\\\\All\")");
    assert!(reply.tagged.contains("[USEATTR]"));
    imap.ok("SETMETADATA MyDrafts (/private/specialuse NIL)");
    imap.ok("SETMETADATA Notes (/private/specialuse \"\\\\Drafts\")");
    imap.ok("LIST (SPECIAL-USE) \"\" N*").one("\\Drafts");
    imap.ok("GETMETADATA MyDrafts /private/specialuse")
        .one("NIL");
}

#[test]
fn another_spelling_is_told() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("ENABLE IMAP4rev2");
    let reply = imap.ok("SELECT inbox");
    assert_eq!(
        reply.one("LIST"),
        "LIST (\\HasNoChildren \\Subscribed) \"/\" INBOX (\"OLDNAME\" (inbox))"
    );
    let reply = imap.ok("CREATE \"inbox/\u{fc}b\"");
    assert!(
        reply
            .one("LIST")
            .contains("\"INBOX/\u{fc}b\" (\"OLDNAME\" (\"inbox/\u{fc}b\"))")
    );
    assert_eq!(
        imap.ok("SELECT Trash").one("LIST"),
        "LIST (\\HasNoChildren \\Subscribed \\Trash) \"/\" Trash"
    );
    assert!(imap.ok("CREATE plain").with("LIST").is_empty());
}
