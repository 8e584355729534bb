//! IDLE.
use super::Imap;
use crate::harness::Server;

#[test]
fn everything_is_told_at_once() {
    let server = Server::start();
    let mut idle = Imap::login(&server);
    idle.fill("INBOX", 2);
    idle.ok("SELECT INBOX");
    let tag = idle.send("IDLE");
    assert!(idle.response().starts_with("+ "));
    let mut other = Imap::inbox(&server);
    other.fill("INBOX", 1);
    assert_eq!(idle.response(), "* 3 EXISTS");
    assert!(idle.response().ends_with("RECENT"));
    other.ok("STORE 1 +FLAGS (\\Flagged)");
    assert!(idle.response().starts_with("* 1 FETCH (FLAGS (\\Flagged"));
    other.ok("STORE 2 +FLAGS (\\Deleted)");
    assert!(idle.response().contains("\\Deleted"));
    other.ok("EXPUNGE");
    assert_eq!(idle.response(), "* 2 EXPUNGE");
    idle.client.send("DONE");
    assert!(idle.until(&tag).tagged.starts_with("OK"));
    let tag = idle.send("IDLE");
    idle.response();
    idle.client.send("nonsense");
    assert!(idle.until(&tag).tagged.starts_with("BAD"));
    idle.ok("NOOP");
}

#[test]
fn without_a_mailbox_and_at_the_end_of_the_server() {
    let mut server = Server::start();
    let mut idle = Imap::login(&server);
    idle.send("IDLE");
    assert!(idle.response().starts_with("+ "));
    let stopping = std::thread::spawn(move || server.restart());
    assert!(idle.response().starts_with("* BYE"));
    idle.client.expect_closed();
    stopping.join().unwrap();
}
