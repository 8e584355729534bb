//! NAMESPACE.
use super::Imap;
use crate::harness::Server;

#[test]
fn there_is_one() {
    let server = Server::start();
    Imap::connect(&server).bad("NAMESPACE");
    assert_eq!(
        Imap::login(&server).ok("NAMESPACE").untagged,
        ["NAMESPACE ((\"\" \"/\")) NIL NIL"]
    );
}
