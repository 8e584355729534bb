//! RESETKEY, and how long a URL is good for.
use super::genurlauth::{WHOLE, fetch, sign};
use super::{Imap, message};
use crate::harness::Server;

#[test]
fn how_long() {
    let mut server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX", &message(1));
    let until = |year: u32| {
        format!("imap://anna@x/INBOX/;UID=1;EXPIRE={year}-05-05T11:12:13+01:00;URLAUTH=authuser")
    };
    let past = sign(&mut imap, &until(2002));
    let future = sign(&mut imap, &until(2100));
    assert_eq!(fetch(&mut imap, &past), None);
    assert!(fetch(&mut imap, &future).is_some());
    assert_eq!(fetch(&mut imap, &past.replace("2002", "2100")), None);
    // Keys outlive the server.
    drop(imap);
    server.restart();
    let mut imap = Imap::login(&server);
    assert!(fetch(&mut imap, &future).is_some());
    assert_eq!(
        sign(&mut imap, &until(2100)),
        future,
        "the token is always the same"
    );
    imap.ok("RESETKEY Archive");
    assert!(fetch(&mut imap, &future).is_some());
    imap.ok("RESETKEY INBOX INTERNAL");
    assert_eq!(fetch(&mut imap, &future), None);
    let again = sign(&mut imap, &until(2100));
    assert!(again != future && fetch(&mut imap, &again).is_some());
    imap.ok("RESETKEY");
    assert_eq!(fetch(&mut imap, &again), None);
    // A mailbox of the same name is another one.
    imap.ok("CREATE box");
    imap.append("box", &message(2));
    let url = WHOLE.replace("INBOX", "box");
    let signed = sign(&mut imap, &url);
    assert!(fetch(&mut imap, &signed).is_some());
    imap.ok("DELETE box");
    imap.ok("CREATE box");
    imap.append("box", &message(2));
    assert_eq!(fetch(&mut imap, &signed), None);
}

/// RFC 4467 §7: whoever has the mailbox selected hears of it, idle or not.
#[test]
fn others_are_told() {
    let server = Server::start();
    let (mut idle, mut busy) = (Imap::inbox(&server), Imap::inbox(&server));
    let tag = idle.send("IDLE");
    assert!(idle.response().starts_with("+ "));
    let mut imap = Imap::login(&server);
    imap.ok("RESETKEY INBOX INTERNAL");
    assert!(idle.response().starts_with("* OK [URLMECH INTERNAL]"));
    busy.ok("NOOP").one("[URLMECH INTERNAL]");
    assert!(busy.ok("NOOP").untagged.is_empty());
    idle.client.send("DONE");
    idle.until(&tag);
}
