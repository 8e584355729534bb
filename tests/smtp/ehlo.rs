//! EHLO, HELO and the commands without a file of their own (RFC 5321 §4.1).
use super::{hello, talk};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn announces_what_holds_here_and_now() {
    let server = Server::start();
    let mut mx = server.client(Role::Smtp);
    mx.expect("220 mail.example.org ESMTP");
    let lines = mx.ask("EHLO client.example", "250 ");
    assert_eq!(lines[0], "250-mail.example.org greets you");
    let names: Vec<_> = lines.iter().skip(1).map(|line| &line[4..]).collect();
    assert_eq!(
        names,
        [
            "PIPELINING",
            "SIZE 52428800",
            "8BITMIME",
            "SMTPUTF8",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            "BINARYMIME",
            "DSN",
            "LIMITS RCPTMAX=200",
            "STARTTLS"
        ]
    );
    let mut submission = server.client(Role::Submission);
    submission.expect("220 ");
    let lines = submission.ask("EHLO x", "250 ");
    // Loopback is private: a password may cross it.
    assert!(
        lines.contains(&"250 AUTH SCRAM-SHA-256 PLAIN LOGIN".to_owned()),
        "{lines:?}"
    );
    assert!(lines.contains(&"250-STARTTLS".to_owned()));
    let mut submissions = server.client(Role::Submissions);
    submissions.expect("220 ");
    assert!(
        !submissions
            .ask("EHLO x", "250 ")
            .iter()
            .any(|line| line.contains("STARTTLS"))
    );
}

#[test]
fn helo_has_no_extensions_and_resets() {
    let server = Server::start();
    let mut client = server.client(Role::Smtp);
    client.expect("220 ");
    talk(
        &mut client,
        &[
            ("MAIL FROM:<>", "503 5.5.1"),
            ("HELO My_Printer", "250 mail.example.org"),
            ("MAIL FROM:<>", "250 2.1.0"),
            ("HELO again", "250 "),
            ("RCPT TO:<anna@example.org>", "503 5.5.1"),
        ],
    );
}

#[test]
fn small_commands() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("NOOP", "250 2.0.0"),
            ("noop with words", "250 2.0.0"),
            ("RSET", "250 2.0.0"),
            ("RSET now", "501 5.5.4"),
            ("VRFY anna", "252 2.5.0"),
            ("EXPN list", "502 5.5.1"),
            ("HELP", "214 2.0.0"),
            ("EHLO", "501 5.5.4"),
            ("XYZZY", "500 5.5.1"),
            ("", "500 5.5.1"),
            ("AUTH PLAIN AGEAYg==", "502 5.5.1"),
            ("QUIT", "221 2.0.0"),
        ],
    );
    client.expect_closed();
}

#[test]
fn replies_to_a_pipeline_come_in_order() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    client.send_raw(
        b"RSET\r\nMAIL FROM:<bob@else.where>\r\nRCPT TO:<anna@example.org>\r\nRCPT TO:<x@example.org>\r\n\
          RCPT TO:<x@y>\r\nDATA\r\n",
    );
    for answer in [
        "250 2.0.0",
        "250 2.1.0",
        "250 2.1.5",
        "550 5.1.1",
        "550 5.7.1",
        "354 ",
    ] {
        client.expect(answer);
    }
    client.send_raw(b"Subject: x\r\n\r\n.\r\nQUIT\r\n");
    client.expect("250 2.0.0");
    client.expect("221 ");
}
