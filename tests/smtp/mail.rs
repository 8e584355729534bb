//! MAIL (RFC 5321 §4.1.1.2) and its parameters.
use super::{hello, talk};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn senders_and_parameters() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    for (line, answer) in [
        ("MAIL FROM:<>", "250 2.1.0"),
        ("MAIL FROM: <bob@else.where>", "250 2.1.0"),
        ("MAIL FROM:bob@else.where", "250 2.1.0"),
        ("MAIL FROM:<\"bob b\"@else.where>", "250 2.1.0"),
        ("MAIL FROM:<@a,@b:bob@else.where>", "250 2.1.0"),
        (
            "MAIL FROM:<bob@[192.0.2.1]> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x",
            "250 2.1.0",
        ),
        ("MAIL FROM:<b\u{f8}b@else.where> SMTPUTF8", "250 2.1.0"),
        ("MAIL FROM:<b\u{f8}b@else.where>", "550 5.6.7"),
        ("MAIL FROM:<bob@else.where> SIZE=52428800", "250 2.1.0"),
        ("MAIL FROM:<bob@else.where> SIZE=52428801", "552 5.3.4"),
        (
            "MAIL FROM:<bob@else.where> SIZE=99999999999999999999",
            "552 5.3.4",
        ),
        ("MAIL FROM:<bob@else.where> SIZE=x", "501 5.5.4"),
        ("MAIL FROM:<bob@else.where> XVERP", "555 5.5.4"),
        ("MAIL FROM:<bob@else..where>", "501 5.1.7"),
        ("MAIL FROM:<bob>", "501 5.1.7"),
        ("MAIL TO:<bob@else.where>", "501 5.5.4"),
    ] {
        client.send(line);
        let got = client.line();
        assert!(
            got.starts_with(answer),
            "{line:?}: expected {answer:?}, got {got:?}"
        );
        client.ask("RSET", "250 ");
    }
}

#[test]
fn one_at_a_time() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("RCPT TO:<anna@example.org>", "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            ("MAIL FROM:<a@b>", "250 "),
            ("MAIL FROM:<a@b>", "503 5.5.1"),
            ("DATA", "554 5.5.1"),
            ("RSET", "250 "),
            ("RCPT TO:<anna@example.org>", "503 5.5.1"),
        ],
    );
}
