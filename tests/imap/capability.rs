//! CAPABILITY, ID, NAMESPACE, NOOP, LOGOUT.
use super::Imap;
use crate::harness::Server;

#[test]
fn says_what_is_true_now() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    let before = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
    for word in [
        "IMAP4rev1",
        "IMAP4rev2",
        "STARTTLS",
        "LITERAL-",
        "SASL-IR",
        "AUTH=PLAIN",
    ] {
        assert!(before.split(' ').any(|w| w == word), "{word}: {before}");
    }
    assert!(
        !before.contains("LITERAL+") && !before.contains("LOGINDISABLED"),
        "{before}"
    );
    let mut imap = Imap::login(&server);
    let after = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
    assert!(after.contains("LITERAL+") && after.contains("CONDSTORE") && !after.contains("AUTH="));
}

#[test]
fn small_commands() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    assert!(
        imap.ok("ID (\"name\" \"test\")")
            .one("ID (")
            .contains("Pillarbox")
    );
    imap.ok("ID NIL");
    imap.ok("NOOP");
    imap.bad("NAMESPACE");
    imap.bad("SELECT INBOX");
    let mut imap = Imap::login(&server);
    assert_eq!(
        imap.ok("NAMESPACE").untagged,
        ["NAMESPACE ((\"\" \"/\")) NIL NIL"]
    );
    imap.bad("FETCH 1 FLAGS");
    imap.bad("LOGIN a b");
    assert!(imap.ok("LOGOUT").untagged[0].starts_with("BYE"));
    imap.client.expect_closed();
}

#[test]
fn switched_off() {
    let server = Server::with(|config| config.imap_without = vec!["MOVE", "UTF8=ACCEPT"]);
    let mut imap = Imap::inbox(&server);
    let list = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
    assert!(list.contains("UIDPLUS") && !list.contains("MOVE") && !list.contains("UTF8"));
    for command in ["MOVE 1 Trash", "UID MOVE 1 Trash", "move 1 Trash"] {
        assert!(imap.bad(command).tagged.contains("a command that exists"));
    }
    assert_eq!(
        imap.ok("ENABLE UTF8=ACCEPT CONDSTORE").one("ENABLED"),
        "ENABLED CONDSTORE"
    );
    imap.ok("COPY 1:* Trash");
}

#[test]
fn a_mechanism_is_switched_off() {
    let server = Server::with(|config| config.imap_without = vec!["AUTH=PLAIN"]);
    let mut imap = Imap::connect(&server);
    assert!(!imap.ok("CAPABILITY").one("CAPABILITY").contains("PLAIN"));
    imap.no("AUTHENTICATE PLAIN AGFubmEAY29ycmVjdCBob3JzZQ==");
}
