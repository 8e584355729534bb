//! AUTHENTICATE.
use super::Imap;
use crate::harness::{PASSWORD, Server, USER};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

fn plain(password: &str) -> String {
    STANDARD.encode(format!("\0{USER}\0{password}"))
}

#[test]
fn plain_with_and_without_an_initial_response() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    assert!(
        imap.no(&format!("AUTHENTICATE PLAIN {}", plain("no")))
            .tagged
            .contains("AUTHENTICATIONFAILED")
    );
    let tag = imap.send("AUTHENTICATE PLAIN");
    assert_eq!(imap.response(), "+ ");
    imap.client.send(&plain(PASSWORD));
    assert!(imap.until(&tag).tagged.starts_with("OK [CAPABILITY "));
    let mut imap = Imap::connect(&server);
    imap.ok(&format!("AUTHENTICATE PLAIN {}", plain(PASSWORD)));
}

#[test]
fn cancelled_and_unknown() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    let tag = imap.send("AUTHENTICATE SCRAM-SHA-256");
    imap.response();
    imap.client.send("*");
    assert!(imap.until(&tag).tagged.starts_with("BAD"));
    imap.no("AUTHENTICATE GSSAPI");
    imap.bad("AUTHENTICATE PLAIN !!!");
    imap.ok("NOOP");
}
