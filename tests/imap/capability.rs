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
