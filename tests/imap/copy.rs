//! COPY.
use super::Imap;
use crate::harness::Server;

#[test]
fn keeps_flags_and_tells_uids() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 2 +FLAGS (\\Seen k)");
    let reply = imap.ok("COPY 2:3 Archive");
    assert!(
        reply.tagged.starts_with("OK [COPYUID ") && reply.tagged.contains(" 2:3 1:2]"),
        "{reply:?}"
    );
    assert!(imap.no("COPY 1 nowhere").tagged.contains("[TRYCREATE]"));
    imap.ok("UID COPY 99 Archive");
    imap.ok("SELECT Archive");
    let flags = imap.flags();
    assert!(
        flags[0].contains("\\Seen") && flags[0].contains(" k") && !flags[1].contains("Seen"),
        "{flags:?}"
    );
}

/// What every client without MOVE does must never touch the copy.
#[test]
fn copy_store_deleted_expunge_leaves_the_copy() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    imap.ok("SELECT INBOX");
    imap.ok("UID COPY 1 Archive");
    imap.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted \\Seen)");
    assert_eq!(imap.ok("UID EXPUNGE 1").untagged, ["1 EXPUNGE"]);
    imap.ok("SELECT Archive").one("1 EXISTS");
    let flags = imap.flags();
    assert!(!flags[0].contains("Deleted"), "{flags:?}");
    assert!(
        imap.ok("FETCH 1 BODY.PEEK[TEXT]")
            .one("FETCH")
            .contains("Hello 1!")
    );
}

#[test]
fn into_the_same_mailbox() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 1);
    imap.ok("SELECT INBOX");
    let reply = imap.ok("COPY 1 INBOX");
    assert!(reply.one("EXISTS").starts_with('2'), "{reply:?}");
    // A keyword belongs to the email, so the twin changes too.
    let reply = imap.ok("STORE 1 +FLAGS (word)");
    assert_eq!(
        reply
            .with("word")
            .iter()
            .filter(|l| l.contains("FETCH"))
            .count(),
        2,
        "{reply:#?}"
    );
}
