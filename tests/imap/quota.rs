//! GETQUOTA, GETQUOTAROOT, SETQUOTA, and what happens at the limits (RFC 9208).
use super::{Imap, message};
use crate::harness::Server;

#[test]
fn usage_and_limits() {
    let server = Server::with(|config| {
        config.quota = Some(1 << 20);
        config.quota_messages = 3;
    });
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    let reply = imap.ok("GETQUOTAROOT inbox");
    assert_eq!(
        reply.untagged,
        [
            "QUOTAROOT INBOX \"\"",
            "QUOTA \"\" (STORAGE 1 1024 MESSAGE 2 3)"
        ]
    );
    // A mailbox that is yet to be made has its root too.
    imap.ok("GETQUOTAROOT nowhere")
        .one("QUOTAROOT nowhere \"\"");
    imap.ok("GETQUOTA \"\"").one("QUOTA \"\" (STORAGE 1 1024");
    assert!(imap.no("GETQUOTA other").tagged.contains("[NONEXISTENT]"));
    assert!(
        imap.no("SETQUOTA \"\" (STORAGE 510)")
            .tagged
            .contains("[NOPERM]")
    );
    imap.bad("SETQUOTA \"\" STORAGE");
    let list = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
    assert!(list.contains("QUOTA=RES-STORAGE") && list.contains("QUOTA=RES-MESSAGE"));
    assert!(!list.contains("QUOTASET"));
    // The third fits, the fourth does not, and a copy takes no room.
    imap.fill("INBOX", 1);
    let over = imap.no(&format!(
        "APPEND INBOX {{{}+}}\r\n{}",
        message(9).len(),
        message(9)
    ));
    assert!(over.tagged.contains("[OVERQUOTA]"), "{over:?}");
    imap.ok("SELECT INBOX");
    imap.ok("COPY 1 Trash");
    imap.ok("GETQUOTA \"\"").one("MESSAGE 3 3");
    imap.ok("STORE 2 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    imap.fill("INBOX", 1);
}

#[test]
fn without_limits_there_is_no_root() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert_eq!(imap.ok("GETQUOTAROOT INBOX").untagged, ["QUOTAROOT INBOX"]);
    imap.no("GETQUOTA \"\"");
}

#[test]
fn what_expunge_would_free() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.fill("INBOX", 3);
    let sizes = message(1).len();
    imap.ok("STATUS INBOX (DELETED DELETED-STORAGE)")
        .one("(DELETED 0 DELETED-STORAGE 0)");
    imap.ok("STORE 1:2 +FLAGS (\\Deleted)");
    let both = format!("(DELETED 2 DELETED-STORAGE {})", 2 * sizes);
    imap.ok("STATUS INBOX (DELETED DELETED-STORAGE)").one(&both);
    // Shown elsewhere as well, the first one frees nothing.
    imap.ok("COPY 1 Trash");
    let one = format!("(DELETED 2 DELETED-STORAGE {sizes})");
    imap.ok("STATUS INBOX (DELETED DELETED-STORAGE)").one(&one);
}
