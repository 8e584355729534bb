//! Never an open relay.
use super::fake::Fake;
use super::{hello, queued, talk};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn strangers_cannot_reach_others() {
    let fake = Fake::taking_all();
    let server = Server::with(|config| config.smarthost = Some(fake.smarthost()));
    for sender in [
        "bob@else.where",
        "anna@example.org",
        "",
        "postmaster@example.org",
    ] {
        let mut client = hello(&server, Role::Smtp);
        client.send(&format!("MAIL FROM:<{sender}>"));
        client.expect("250 ");
        for to in [
            "bob@else.where",
            "bob%else.where@example.org",
            "bob%else.where@[127.0.0.1]",
            "\"bob@else.where\"@example.org",
            "\"bob@else.where\"",
            "else.where!bob@example.org",
            "@example.org:bob@else.where",
            "@example.org,@mail.example.org:bob@else.where",
            "anna@example.org@else.where",
            "\"anna@example.org\"@else.where",
            "anna@example.org.else.where",
            "anna@[192.0.2.1]",
            "anna@[IPv6:::1]",
            "bob@localhost",
            "bob@[127.0.0.1]",
            "anna@2130706433",
        ] {
            client.send(&format!("RCPT TO:<{to}>"));
            let got = client.line();
            assert!(got.starts_with('5'), "{to}: {got}");
        }
    }
    assert_eq!(queued(&server), 0);
}

#[test]
fn submission_wants_a_login() {
    let server = Server::start();
    for role in [Role::Submission, Role::Submissions] {
        let mut client = hello(&server, role);
        talk(
            &mut client,
            &[
                ("MAIL FROM:<anna@example.org>", "530 5.7.0"),
                ("RCPT TO:<anna@example.org>", "503 5.5.1"),
                ("DATA", "503 5.5.1"),
                ("BDAT 0 LAST", "503 5.5.1"),
            ],
        );
    }
}
