//! CAPABILITY, ID, NAMESPACE, NOOP, LOGOUT.
use super::Imap;
use crate::harness::Server;
use pillarbox::imap::capability::TABLE;
use std::collections::BTreeSet;
use std::path::Path;

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
    assert!(after.contains("LITERAL+") && after.contains("CONDSTORE") && !after.contains(" AUTH="));
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

/// What the table has is what connections are told, and what README.md lists.
#[test]
fn the_table_is_what_is_announced_and_listed() {
    let server = Server::with(|config| config.http.url = Some("https://mail.example.org".into()));
    let mut told = BTreeSet::from(["LOGINDISABLED".to_owned()]);
    let mut plain = Imap::connect(&server);
    let mut inside = Imap::login(&server);
    for imap in [&mut plain, &mut inside] {
        let list = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
        let words = list.split(' ').skip(1).map(str::to_owned);
        told.extend(words.map(|word| table_name(&word).to_owned()));
    }
    let table: BTreeSet<String> = TABLE.iter().map(|row| row.name.to_owned()).collect();
    // On TLS more may be said; nothing that is not in the table may.
    let unknown: Vec<_> = told.difference(&table).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let meant: Vec<String> = TABLE
        .iter()
        .map(|row| format!("`{}` (RFC {})", row.name, row.rfc))
        .collect();
    let meant = format!("\n{}\n", meant.join(",\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = readme.split_once("<!-- capabilities -->\n").unwrap();
    let (shown, tail) = rest.split_once("<!-- end -->").unwrap();
    if shown != meant && std::env::var_os("TIDY_WRITE").is_some() {
        let whole = format!("{head}<!-- capabilities -->\n{meant}<!-- end -->{tail}");
        return std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(shown, meant, "run with TIDY_WRITE=1 to write README.md");
}

/// The row of a word: all of it, or what is before a value.
fn table_name(word: &str) -> &str {
    match TABLE.iter().any(|row| row.name == word) {
        true => word,
        false => word.split('=').next().unwrap_or(word),
    }
}
