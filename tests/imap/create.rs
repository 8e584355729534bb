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
        ["LIST (\\Subscribed \\NonExistent) \"/\" a"]
    );
    imap.ok("UNSUBSCRIBE a");
    assert!(imap.ok("LSUB \"\" a").untagged.is_empty());
}
