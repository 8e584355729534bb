//! CREATE.
use super::Imap;
use crate::harness::Server;

pub fn names(imap: &mut Imap, pattern: &str) -> Vec<String> {
    let reply = imap.ok(&format!("LIST \"\" {pattern}"));
    reply
        .untagged
        .iter()
        .map(|l| l.rsplit_once("\"/\" ").unwrap().1.to_owned())
        .collect()
}

#[test]
fn with_levels_above() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert!(imap.ok("CREATE a/b/c/").tagged.contains("[MAILBOXID (m"));
    assert_eq!(names(&mut imap, "a*"), ["a", "a/b", "a/b/c"]);
    assert!(imap.no("CREATE a/b").tagged.contains("[ALREADYEXISTS]"));
    imap.no("CREATE INBOX");
    imap.no("CREATE \"\"");
    // RFC 5198 §2: no control characters, no line separators, no byte order mark.
    imap.ok("ENABLE UTF8=ACCEPT");
    for bad in ["a\u{85}", "a\u{2028}b", "\u{feff}a", "a\u{7f}"] {
        assert!(
            imap.no(&format!("CREATE \"{bad}\""))
                .tagged
                .contains("[CANNOT]")
        );
    }
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
    // RFC 9051 §5.1, §6.3.4, §6.3.6: letters and their marks become one, whatever the command.
    let reply = imap.ok("CREATE \"Entwu\u{308}rfe\"");
    assert!(
        reply
            .one("LIST")
            .ends_with("\"Entw\u{fc}rfe\" (\"OLDNAME\" (\"Entwu\u{308}rfe\"))")
    );
    imap.no("CREATE \"Entw\u{fc}rfe\"");
    let reply = imap.ok("SELECT \"Entwu\u{308}rfe\"");
    assert!(
        reply
            .one("LIST")
            .contains("(\"OLDNAME\" (\"Entwu\u{308}rfe\"))")
    );
    assert_eq!(imap.ok("LIST \"\" \"Entwu\u{308}*\"").with("LIST").len(), 1);
    let reply = imap.ok("RENAME \"Entwu\u{308}rfe\" \"e\u{323}\u{302}\"");
    assert!(reply.one("LIST").contains("\"\u{1ec7}\" (\"OLDNAME\""));
    imap.ok("DELETE \"e\u{302}\u{323}\"");
    assert_eq!(
        imap.ok("SELECT Trash").one("LIST"),
        "LIST (\\HasNoChildren \\Subscribed \\Trash) \"/\" Trash"
    );
    assert!(imap.ok("CREATE plain").with("LIST").is_empty());
}
