//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314), and LIST-MYRIGHTS (RFC 8440).
use super::Imap;
use crate::access::app;
use crate::harness::{Server, USER};

const ALL: &str = "lrswipkxteacd";

fn scene() -> (Server, Imap) {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("CREATE Drafts/x");
    app(&server, "Chris", "imap", Some("INBOX:lr"));
    app(&server, "my phone", "imap", None);
    (server, imap)
}

#[test]
fn the_owner_sees_and_sets_lists() {
    let (_server, mut imap) = scene();
    let capabilities = imap.ok("CAPABILITY");
    for name in [" ACL ", " RIGHTS=kxte ", " LIST-MYRIGHTS "] {
        assert!(format!("{} ", capabilities.untagged[0]).contains(name));
    }
    let reply = imap.ok("MYRIGHTS INBOX");
    assert_eq!(reply.untagged, [format!("MYRIGHTS INBOX {ALL}")]);
    // RFC 4314 §3.1's example, with rights as they are written here.
    imap.ok("SETACL Drafts/x Chris lrswi");
    imap.ok("SETACL Drafts/x Chris +cda");
    let reply = imap.ok("GETACL Drafts/x");
    assert_eq!(
        reply.untagged,
        [format!(
            "ACL Drafts/x {USER} {ALL} Chris lrswikxteacd \"my phone\" {ALL}"
        )]
    );
    assert!(
        imap.bad("SETACL Drafts/x Chris lrQswicda")
            .tagged
            .contains("position")
    );
    imap.bad("SETACL Drafts/x Chris lrqswicda");
    // RFC 4314 §2.1.1: `d` is `t` and `e`, and either shows `d`.
    imap.ok("SETACL Drafts/x Chris lrd");
    imap.ok("SETACL Drafts/x Chris -e");
    imap.ok("GETACL Drafts/x").one(" Chris lrtd ");
    imap.ok("DELETEACL Drafts/x Chris");
    assert!(imap.ok("GETACL Drafts/x").with("Chris").is_empty());
    imap.ok("DELETEACL Drafts/x Chris");
    // An app password for everything has every right until something else is set.
    imap.ok("SETACL Drafts/x \"my phone\" -a");
    imap.ok("GETACL Drafts/x").one("\"my phone\" lrswipkxtecd");
    imap.ok("DELETEACL Drafts/x \"my phone\"");
    assert!(imap.ok("GETACL Drafts/x").with("phone").is_empty());
    // The list goes with the mailbox, and is another one when the name comes back.
    imap.ok("SETACL Drafts/x Chris l");
    imap.ok("RENAME Drafts/x y");
    imap.ok("GETACL y").one(" Chris l");
    imap.ok("DELETE y");
    imap.ok("CREATE y");
    assert!(imap.ok("GETACL y").with("Chris").is_empty());
}

#[test]
fn who_is_who() {
    let (_server, mut imap) = scene();
    for owner in [USER, "ANNA", "anna@example.org"] {
        imap.ok(&format!("SETACL INBOX {owner} {ALL}"));
        imap.ok(&format!("SETACL INBOX {owner} +r"));
        for change in ["-r", "lr", "\"\""] {
            imap.no(&format!("SETACL INBOX {owner} {change}"));
        }
        imap.no(&format!("DELETEACL INBOX {owner}"));
        // RFC 4314 §3.4: the identifier as it was written.
        let reply = imap.ok(&format!("LISTRIGHTS INBOX {owner}"));
        assert_eq!(reply.untagged, [format!("LISTRIGHTS INBOX {owner} {ALL}")]);
    }
    let reply = imap.ok("LISTRIGHTS INBOX \"my phone\"");
    assert_eq!(
        reply.untagged,
        ["LISTRIGHTS INBOX \"my phone\" \"\" l r s w i p k x t e a c d"]
    );
    for nobody in ["fred", "anyone", "-Chris", "chris"] {
        for command in [
            format!("SETACL INBOX {nobody} lr"),
            format!("DELETEACL INBOX {nobody}"),
            format!("LISTRIGHTS INBOX {nobody}"),
        ] {
            assert!(
                imap.no(&command).tagged.starts_with("NO [CANNOT]"),
                "{command}"
            );
        }
    }
    imap.bad("SETACL INBOX \"\" lr");
    for command in [
        "GETACL nix",
        "MYRIGHTS nix",
        "SETACL nix Chris lr",
        "LISTRIGHTS nix Chris",
    ] {
        assert!(
            imap.no(command).tagged.starts_with("NO [NONEXISTENT]"),
            "{command}"
        );
    }
}

#[test]
fn rights_in_lists() {
    let (_server, mut imap) = scene();
    let reply = imap.ok("LIST \"\" (INBOX Drafts nix) RETURN (MYRIGHTS)");
    assert_eq!(reply.with("MYRIGHTS").len(), 2);
    let at = |text: &str| {
        reply
            .untagged
            .iter()
            .position(|l| l.starts_with(text))
            .unwrap()
    };
    assert!(at("LIST (\\HasNoChildren) \"/\" INBOX") < at("MYRIGHTS INBOX"));
    imap.ok("UNSUBSCRIBE Drafts");
    // RFC 8440 §4: listed for what is below it, it has no MYRIGHTS.
    let reply = imap.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" Drafts RETURN (MYRIGHTS)");
    assert_eq!(
        (reply.with("LIST").len(), reply.with("MYRIGHTS").len()),
        (1, 0)
    );
}

/// RFC 4314 §5.1.1, §5.2: what the answers to SELECT say follows the rights, also when they change.
#[test]
fn select_says_what_may_be_done() {
    let (server, mut imap) = scene();
    let secret = app(&server, "guest", "imap", Some("INBOX:lr"));
    imap.append("INBOX", "Subject: x\r\n\r\nx");
    for (rights, kept, mode) in [
        ("lr", "", "READ-ONLY"),
        ("lrs", "\\Seen", "READ-WRITE"),
        ("lrt", "\\Deleted", "READ-WRITE"),
        ("lri", "", "READ-WRITE"),
        ("lre", "", "READ-WRITE"),
        ("lrpkx", "", "READ-ONLY"),
    ] {
        imap.ok(&format!("SETACL INBOX guest {rights}"));
        let mut guest = Imap::connect(&server);
        guest.ok(&format!("LOGIN {USER} {secret}"));
        let reply = guest.ok("SELECT INBOX");
        assert!(reply.tagged.contains(mode), "{rights}: {reply:?}");
        reply.one(&format!("[PERMANENTFLAGS ({kept})]"));
        assert!(guest.ok("EXAMINE INBOX").tagged.contains("READ-ONLY"));
    }
    let mut guest = Imap::connect(&server);
    guest.ok(&format!("LOGIN {USER} {secret}"));
    guest.ok("SELECT INBOX");
    imap.ok("SETACL INBOX guest lrsw");
    guest.ok("NOOP").one("[PERMANENTFLAGS (\\Seen \\Answered");
    // No longer readable: there is no other way to say it.
    imap.ok("SETACL INBOX guest l");
    guest.send("NOOP");
    assert!(guest.response().starts_with("* BYE "));
    guest.client.expect_closed();
}

/// RFC 4314 §4, the example of COPY: flags are stored as far as the rights go, and it is the same email
/// (RFC 8474 §5.1); the originals keep theirs.
#[test]
fn copies_have_the_flags_that_may_be_set() {
    for (rights, copies) in [
        ("rwis", ["\\Draft", "\\Answered", "$Forwarded \\Seen"]),
        ("rsti", ["\\Deleted", "", "\\Seen"]),
        ("i", ["", "", ""]),
    ] {
        let (server, mut imap) = scene();
        let secret = app(&server, "guest", "imap", Some("INBOX:lr"));
        let originals = ["\\Draft \\Deleted", "\\Answered", "$Forwarded \\Seen"];
        imap.ok("CREATE TargetMailbox");
        imap.ok(&format!("SETACL TargetMailbox guest {rights}"));
        imap.ok("SELECT INBOX");
        for (at, flags) in originals.iter().enumerate() {
            imap.append("INBOX", "Subject: x\r\n\r\nx");
            imap.ok(&format!("STORE {} FLAGS ({flags})", at + 1));
        }
        let before = imap.ok("FETCH 1:3 (UID EMAILID)").untagged;
        let mut guest = Imap::connect(&server);
        guest.ok(&format!("LOGIN {USER} {secret}"));
        guest.ok("SELECT INBOX");
        guest.ok("COPY 1:3 TargetMailbox");
        let sorted = |imap: &mut Imap| {
            let lines = imap.ok("FETCH 1:3 FLAGS").untagged;
            let flags = |line: &String| {
                let inner = line
                    .split_once("FLAGS (")?
                    .1
                    .trim_end_matches(')')
                    .to_owned();
                let mut words: Vec<_> = inner.split_whitespace().collect();
                words.retain(|word| *word != "\\Recent");
                words.sort_by_key(|word| word.to_ascii_lowercase());
                Some(words.join(" "))
            };
            lines.iter().filter_map(flags).collect::<Vec<_>>()
        };
        let sort = |list: [&str; 3]| {
            list.map(|flags| {
                let mut words: Vec<_> = flags.split_whitespace().collect();
                words.sort_by_key(|word| word.to_ascii_lowercase());
                words.join(" ")
            })
        };
        assert_eq!(sorted(&mut imap), sort(originals), "{rights}");
        imap.ok("SELECT TargetMailbox");
        assert_eq!(sorted(&mut imap), sort(copies), "{rights}");
        assert_eq!(imap.ok("FETCH 1:3 (UID EMAILID)").untagged, before);
    }
}
