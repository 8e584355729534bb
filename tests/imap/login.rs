//! LOGIN.
use super::Imap;
use crate::harness::{PASSWORD, Server, USER};
use pillarbox::config::Role;

#[test]
fn the_answer_carries_the_capabilities() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    assert!(
        imap.no(&format!("LOGIN {USER} wrong"))
            .tagged
            .contains("[AUTHENTICATIONFAILED]")
    );
    let reply = imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
    assert!(
        reply.tagged.starts_with("OK [CAPABILITY IMAP4rev1"),
        "{reply:?}"
    );
}

#[test]
fn with_literals() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    let tag = imap.send(&format!("LOGIN {{{}}}", USER.len()));
    assert!(imap.response().starts_with('+'));
    imap.client
        .send(&format!("{USER} {{{}+}}\r\n{PASSWORD}", PASSWORD.len()));
    assert!(imap.until(&tag).tagged.starts_with("OK"));
}

#[test]
fn over_tls() {
    let server = Server::start();
    let mut imap = Imap {
        client: server.client(Role::Imaps),
        tag: 0,
    };
    let greeting = imap.response();
    assert!(
        !greeting.contains("STARTTLS") && greeting.contains("AUTH=PLAIN"),
        "{greeting}"
    );
    imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
    imap.bad("STARTTLS");
}

#[test]
fn many_mistakes_before_it_end_the_connection() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    for _ in 0..19 {
        imap.bad("GET / HTTP/1.1");
    }
    imap.send("GET / HTTP/1.1");
    imap.response();
    assert!(imap.response().starts_with("* BYE"));
    imap.client.expect_closed();
}

#[test]
fn a_guesser_is_sent_away() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    imap.no("LOGIN anna wrong");
    imap.no("LOGIN anna wrong");
    assert_eq!(imap.no("LOGIN anna wrong").untagged.len(), 1);
    imap.client.expect_closed();
}
