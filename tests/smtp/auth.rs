//! AUTH (RFC 4954).
use super::{base64, hello, talk};
use crate::harness::{PASSWORD, Server, USER};
use pillarbox::config::Role;
use pillarbox::smtp::login::{Login, Mechanism};

#[test]
fn plain_in_both_forms() {
    let server = Server::start();
    let plain = base64(&format!("\0{USER}\0{PASSWORD}"));
    let mut client = hello(&server, Role::Submission);
    talk(
        &mut client,
        &[
            (&format!("AUTH PLAIN {plain}"), "235 2.7.0"),
            ("AUTH PLAIN", "503 5.5.1"),
        ],
    );
    let mut client = hello(&server, Role::Submissions);
    talk(
        &mut client,
        &[("auth plain", "334 "), (&plain, "235 2.7.0")],
    );
    assert!(
        !client
            .ask("EHLO x", "250 ")
            .iter()
            .any(|line| line.contains("AUTH"))
    );
}

#[test]
fn login_in_both_forms() {
    let server = Server::start();
    let (user, password) = (base64("anna@example.org"), base64(PASSWORD));
    let mut client = hello(&server, Role::Submissions);
    talk(
        &mut client,
        &[
            ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
            (&user, "334 UGFzc3dvcmQ6"),
            (&password, "235 2.7.0"),
        ],
    );
    let mut client = hello(&server, Role::Submissions);
    talk(
        &mut client,
        &[
            (&format!("AUTH LOGIN {user}"), "334 UGFzc3dvcmQ6"),
            (&password, "235 2.7.0"),
        ],
    );
}

#[test]
fn scram_by_our_own_client() {
    let server = Server::start();
    let mut client = hello(&server, Role::Submissions);
    let mut login = Login::new(
        Mechanism::ScramSha256,
        USER,
        PASSWORD,
        "fyko+d2lbbFgONRv9qkxdawL".into(),
    );
    let mut line = format!("AUTH SCRAM-SHA-256 {}", login.initial().unwrap());
    for _ in 0..2 {
        client.send(&line);
        let challenge = client.expect("334 ");
        line = login.answer(&challenge[4..]).unwrap();
    }
    assert!(login.is_complete());
    talk(&mut client, &[(&line, "235 2.7.0")]);
}

#[test]
fn refusals() {
    let server = Server::start();
    let mut client = hello(&server, Role::Submissions);
    talk(
        &mut client,
        &[
            ("AUTH CRAM-MD5", "504 5.5.4"),
            ("AUTH", "501 5.5.4"),
            ("AUTH PLAIN", "334 "),
            ("*", "501 5.7.0"),
            ("AUTH PLAIN !!!", "501 5.5.2"),
            ("AUTH PLAIN =", "501 5.5.2"),
            (
                &format!("AUTH PLAIN {}", base64("\0anna\0wrong")),
                "535 5.7.8",
            ),
            ("MAIL FROM:<anna@example.org>", "530 5.7.0"),
        ],
    );
    let mut client = server.client(Role::Submissions);
    client.expect("220 ");
    talk(&mut client, &[("AUTH PLAIN", "503 5.5.1")]);
}

#[test]
fn guessing_ends_the_connection() {
    let server = Server::start();
    let mut client = hello(&server, Role::Submissions);
    let wrong = format!("AUTH PLAIN {}", base64("\0anna\0wrong"));
    for _ in 0..3 {
        talk(&mut client, &[(&wrong, "535 5.7.8")]);
    }
    client.expect("421 ");
    client.expect_closed();
}
