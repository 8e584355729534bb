//! CAPABILITY, and what `--imap-without` takes away.
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

/// Every capability that can be switched off, and commands that are BAD without it.
#[rustfmt::skip]
const WITHOUT: &[(&str, &[&str])] = &[
    ("IMAP4rev1", &[]),
    ("IMAP4rev2", &[]),
    ("STARTTLS", &["STARTTLS"]),
    ("SASL-IR", &["AUTHENTICATE PLAIN AGFubmEAY29ycmVjdA=="]),
    ("AUTH=SCRAM-SHA-256-PLUS", &[]),
    ("AUTH=SCRAM-SHA-256", &[]),
    ("AUTH=PLAIN", &[]),
    ("ACL", &["SETACL INBOX anyone l", "DELETEACL INBOX anyone", "GETACL INBOX", "LISTRIGHTS INBOX anna", "MYRIGHTS INBOX"]),
    ("APPENDLIMIT", &["STATUS INBOX (APPENDLIMIT)", "LIST \"\" * RETURN (STATUS (APPENDLIMIT))"]),
    ("BINARY", &["FETCH 1 BINARY[1]", "FETCH 1 (BINARY.PEEK[1])", "UID FETCH 1 BINARY.SIZE[1]"]),
    ("CATENATE", &["APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\")"]),
    ("CHILDREN", &[]),
    ("COMPRESS=DEFLATE", &["COMPRESS DEFLATE"]),
    ("CONDSTORE", &["SELECT INBOX (CONDSTORE)", "EXAMINE INBOX (CONDSTORE)", "FETCH 1 MODSEQ", "FETCH 1 FLAGS (CHANGEDSINCE 1)", "STORE 1 (UNCHANGEDSINCE 1) FLAGS ()", "STATUS INBOX (HIGHESTMODSEQ)", "SEARCH MODSEQ 1", "UID SORT (DATE) UTF-8 MODSEQ 1"]),
    ("CONTEXT=SEARCH", &["SEARCH RETURN (UPDATE) ALL", "UID SEARCH RETURN (CONTEXT) ALL"]),
    ("CONTEXT=SORT", &["SORT RETURN (UPDATE) (DATE) UTF-8 ALL"]),
    ("CREATE-SPECIAL-USE", &["CREATE x (USE (\\Sent))"]),
    ("ENABLE", &["ENABLE CONDSTORE"]),
    ("ESEARCH", &["SEARCH RETURN (COUNT) ALL"]),
    ("ESORT", &["SORT RETURN (COUNT) (DATE) UTF-8 ALL"]),
    ("FILTERS", &["SEARCH FILTER x", "THREAD REFS UTF-8 FILTER x"]),
    ("I18NLEVEL=2", &["COMPARATOR"]),
    ("ID", &["ID NIL"]),
    ("IDLE", &["IDLE"]),
    ("INPROGRESS", &[]),
    ("JMAPACCESS", &["GETJMAPACCESS"]),
    ("LANGUAGE", &["LANGUAGE"]),
    ("LIST-EXTENDED", &["LIST (SUBSCRIBED) \"\" *", "LIST \"\" * RETURN (CHILDREN)"]),
    ("LIST-MYRIGHTS", &["LIST \"\" * RETURN (MYRIGHTS)"]),
    ("LIST-STATUS", &["LIST \"\" * RETURN (STATUS (UIDNEXT))"]),
    ("LIST-METADATA", &["LIST \"\" * RETURN (METADATA (/shared/x))"]),
    ("LITERAL+", &[]),
    ("LITERAL-", &[]),
    ("METADATA", &["GETMETADATA INBOX /shared/x", "SETMETADATA INBOX (/shared/x NIL)"]),
    ("MOVE", &["MOVE 1 Trash", "UID MOVE 1 Trash", "move 1 Trash"]),
    ("MULTIAPPEND", &[]),
    ("MULTISEARCH", &["ESEARCH ALL"]),
    ("NAMESPACE", &["NAMESPACE"]),
    ("NOTIFY", &["NOTIFY NONE"]),
    ("OBJECTID", &["FETCH 1 EMAILID", "FETCH 1 (UID THREADID)", "STATUS INBOX (MAILBOXID)", "SEARCH EMAILID e1", "SEARCH NOT THREADID t1"]),
    ("PARTIAL", &["UID FETCH 1 FLAGS (PARTIAL 1:2)", "ESEARCH RETURN (PARTIAL 1:2) ALL"]),
    ("PREVIEW", &["FETCH 1 PREVIEW", "FETCH 1 (PREVIEW (LAZY))"]),
    ("QRESYNC", &["SELECT INBOX (QRESYNC (1 1))", "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)"]),
    ("QUOTA", &["GETQUOTA \"\"", "GETQUOTAROOT INBOX", "SETQUOTA \"\" (STORAGE 1)"]),
    ("QUOTA=RES-MESSAGE", &[]),
    ("QUOTA=RES-STORAGE", &["STATUS INBOX (DELETED-STORAGE)"]),
    ("REPLACE", &["REPLACE 1 INBOX {0}", "UID REPLACE 1 INBOX {0}"]),
    ("RIGHTS=kxte", &[]),
    ("SAVEDATE", &["FETCH 1 SAVEDATE", "SEARCH SAVEDON 1-Jan-2026", "SEARCH SAVEDATESUPPORTED"]),
    ("SEARCH=FUZZY", &["SEARCH FUZZY TEXT x", "UID SEARCH RETURN (RELEVANCY) FUZZY TEXT x"]),
    ("SEARCHRES", &["SEARCH RETURN (SAVE) ALL"]),
    ("SORT", &["SORT (DATE) UTF-8 ALL", "UID SORT (DATE) UTF-8 ALL"]),
    ("SORT=DISPLAY", &["SORT (DISPLAYFROM) UTF-8 ALL", "SORT (REVERSE DISPLAYTO) UTF-8 ALL"]),
    ("SPECIAL-USE", &["LIST (SPECIAL-USE) \"\" *", "LIST \"\" * RETURN (SPECIAL-USE)"]),
    ("STATUS=SIZE", &["STATUS INBOX (SIZE)", "LIST \"\" * RETURN (STATUS (SIZE))"]),
    ("THREAD=ORDEREDSUBJECT", &["THREAD ORDEREDSUBJECT UTF-8 ALL"]),
    ("THREAD=REFERENCES", &["UID THREAD REFERENCES UTF-8 ALL"]),
    ("THREAD=REFS", &["THREAD REFS UTF-8 ALL"]),
    ("UIDONLY", &[]),
    ("UIDPLUS", &["UID EXPUNGE 1"]),
    ("UNAUTHENTICATE", &["UNAUTHENTICATE"]),
    ("UNSELECT", &["UNSELECT"]),
    ("URL-PARTIAL", &[]),
    ("URLAUTH", &["RESETKEY", "GENURLAUTH \"imap://x/INBOX/;UID=1;URLAUTH=anonymous\" INTERNAL", "URLFETCH \"imap://x/INBOX/;UID=1\""]),
    ("URLAUTH=BINARY", &["URLFETCH (\"imap://x/INBOX/;UID=1\" BINARY)"]),
    ("UTF8=ACCEPT", &[]),
    ("WITHIN", &["SEARCH OLDER 5", "SEARCH OR SEEN YOUNGER 5"]),
];

/// Switched off, it is not announced, ENABLE passes it over, and what it defines is no command.
#[test]
fn switched_off() {
    let names = WITHOUT.iter().map(|(name, _)| *name);
    let table = TABLE.iter().map(|row| row.name);
    assert!(names.eq(table.filter(|name| *name != "LOGINDISABLED")));
    let all: Vec<_> = WITHOUT.chunks(WITHOUT.len().div_ceil(8)).collect();
    std::thread::scope(|scope| {
        for some in all {
            scope.spawn(move || some.iter().for_each(|(name, bad)| without(name, bad)));
        }
    });
}

fn without(name: &'static str, bad: &[&str]) {
    let server = Server::with(|config| {
        config.imap_without = vec![name];
        config.http.url = Some("https://mail.example.org".into());
    });
    let mut before = Imap::connect(&server);
    let mut inside = Imap::inbox(&server);
    for imap in [&mut before, &mut inside] {
        let list = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
        let mut words = list.split(' ').skip(1);
        assert!(words.all(|word| table_name(word) != name), "{name}: {list}");
    }
    if name != "ENABLE" {
        let reply = inside.ok(&format!("ENABLE {name}"));
        assert_eq!(reply.untagged, ["ENABLED"], "{name}");
    }
    for command in bad {
        let early = ["STARTTLS", "SASL-IR"].contains(&name);
        let imap = if early { &mut before } else { &mut inside };
        imap.bad(command);
    }
}

/// What belongs to nothing that is switched off is there as ever.
#[test]
fn nothing_else_is_switched_off() {
    let server =
        Server::with(|config| config.imap_without = vec!["MOVE", "STATUS=SIZE", "PREVIEW"]);
    let mut imap = Imap::inbox(&server);
    imap.ok("COPY 1:* Trash");
    imap.ok("SORT (SIZE) UTF-8 SUBJECT PREVIEW");
    imap.ok("FETCH 1:* (FLAGS RFC822.SIZE)");
    imap.ok("STATUS Trash (MESSAGES)");
    imap.ok("CREATE PREVIEW");
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
