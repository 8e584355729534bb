//! LOGOUT, and what is no command in a state.
use super::Imap;
use crate::harness::Server;

#[test]
fn says_bye_and_closes() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    imap.ok("NOOP");
    imap.bad("SELECT INBOX");
    let mut imap = Imap::login(&server);
    imap.bad("FETCH 1 FLAGS");
    imap.bad("LOGIN a b");
    assert!(imap.ok("LOGOUT").untagged[0].starts_with("BYE"));
    imap.client.expect_closed();
}
