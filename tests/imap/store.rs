//! STORE.
use super::Imap;
use crate::harness::Server;

fn three() -> (Server, Imap) {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    // Nobody is \Recent any more.
    imap.ok("SELECT INBOX");
    (server, imap)
}

#[test]
fn forms() {
    let (_server, mut imap) = three();
    let reply = imap.ok("STORE 1:2 FLAGS (\\Seen $Label1)");
    assert_eq!(
        reply.with("FETCH (UID 1 FLAGS (\\Seen $Label1))").len(),
        1,
        "{reply:#?}"
    );
    assert_eq!(reply.with("FETCH").len(), 2);
    let reply = imap.ok("STORE 1 -FLAGS \\Seen");
    assert_eq!(reply.untagged, ["1 FETCH (UID 1 FLAGS ($Label1))"]);
    let reply = imap.ok("UID STORE 2 +FLAGS (\\Flagged)");
    assert_eq!(
        reply.untagged,
        ["2 FETCH (UID 2 FLAGS (\\Flagged \\Seen $Label1))"]
    );
    assert!(
        imap.ok("STORE 3 +FLAGS.SILENT (\\Answered)")
            .untagged
            .is_empty()
    );
    assert!(imap.ok("UID STORE 77 +FLAGS (\\Seen)").untagged.is_empty());
    imap.bad("STORE 9 +FLAGS (\\Seen)");
    assert_eq!(
        imap.ok("STORE 1 FLAGS ()").untagged,
        ["1 FETCH (UID 1 FLAGS ())"]
    );
}

#[test]
fn a_new_keyword_is_announced_before_it_turns_up() {
    let (server, mut imap) = three();
    let mut other = Imap::inbox(&server);
    imap.ok("STORE 1 +FLAGS (NewWord)");
    let reply = other.ok("NOOP");
    assert!(reply.untagged[0].starts_with("FLAGS (") && reply.untagged[0].contains("NewWord"));
    assert!(
        reply.untagged[2].contains("FETCH (FLAGS (NewWord))"),
        "{reply:#?}"
    );
}

#[test]
fn others_see_it_and_silence_is_for_the_one_who_asked() {
    let (server, mut imap) = three();
    let mut other = Imap::inbox(&server);
    assert!(
        imap.ok("STORE 2 +FLAGS.SILENT (\\Seen)")
            .untagged
            .is_empty()
    );
    assert_eq!(other.ok("NOOP").untagged, ["2 FETCH (FLAGS (\\Seen))"]);
    assert!(imap.ok("NOOP").untagged.is_empty());
}

#[test]
fn unchanged_since() {
    let (server, mut imap) = three();
    let reply = imap.ok("SELECT INBOX (CONDSTORE)");
    let modseq = reply
        .one("HIGHESTMODSEQ")
        .split(&[' ', ']'][..])
        .nth(2)
        .unwrap()
        .to_owned();
    Imap::inbox(&server).ok("STORE 2 +FLAGS (\\Flagged)");
    let reply = imap.ok(&format!(
        "STORE 1:3 (UNCHANGEDSINCE {modseq}) +FLAGS.SILENT (\\Seen)"
    ));
    assert!(reply.tagged.starts_with("OK [MODIFIED 2]"), "{reply:#?}");
    assert_eq!(reply.with("MODSEQ").len(), 3, "{reply:#?}");
    let reply = imap.ok(&format!("UID STORE 1 (UNCHANGEDSINCE {modseq}) FLAGS ()"));
    assert!(reply.tagged.starts_with("OK [MODIFIED 1]"), "{reply:#?}");
}
