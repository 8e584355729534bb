//! STARTTLS.
use super::Imap;
use crate::harness::{PASSWORD, Server, USER};

#[test]
fn what_came_in_the_clear_is_forgotten() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    // A command smuggled behind STARTTLS is never run.
    imap.client.send_raw(b"a STARTTLS\r\nb NOOP\r\n");
    assert!(imap.response().starts_with("a OK"));
    imap.client.start_tls();
    imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
    imap.bad("STARTTLS");
}

#[test]
fn bad_after_log_in() {
    let server = Server::start();
    Imap::login(&server).bad("STARTTLS");
}
