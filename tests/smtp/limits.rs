//! Bounds: lines, recipients, errors, time.
use super::{hello, talk, texts};
use crate::harness::Server;
use pillarbox::config::Role;
use std::time::Duration;

#[test]
fn long_lines() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    client.send(&format!("NOOP {}", "x".repeat(12_000)));
    client.expect("250 ");
    client.send(&format!("NOOP {}", "x".repeat(20_000)));
    client.expect("500 5.5.6");
    talk(&mut client, &[("NOOP", "250 ")]);
    client.send(&format!("MAIL FROM:<{}@x>", "x".repeat(300)));
    client.expect("501 5.1.7");
    // A line without an end is no line.
    let _ = client.try_send_raw(&vec![b'x'; 300_000]);
    client.expect("421 4.7.0");
}

#[test]
fn long_lines_in_the_message_are_kept() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    super::to_data(&mut client);
    let long = "y".repeat(100_000);
    client.send(&format!("Subject: x\r\n\r\n{long}\r\n."));
    client.expect("250 ");
    assert!(texts(&server)[0].ends_with(&format!("{long}\r\n")));
}

#[test]
fn recipients() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    talk(&mut client, &[("MAIL FROM:<a@b>", "250 ")]);
    for n in 0..200 {
        talk(
            &mut client,
            &[(&format!("RCPT TO:<anna+{n}@example.org>"), "250 2.1.5")],
        );
    }
    talk(
        &mut client,
        &[
            ("RCPT TO:<anna@example.org>", "452 4.5.3"),
            ("DATA", "354 "),
        ],
    );
    client.send("x\r\n.");
    client.expect("250 ");
    let text = texts(&server).remove(0);
    assert!(
        !text.contains("\tfor <"),
        "many recipients are not told of each other"
    );
}

#[test]
fn errors() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    for _ in 0..20 {
        talk(&mut client, &[("GET / HTTP/1.1", "500 5.5.1")]);
    }
    client.expect("421 4.7.0");
    client.expect_closed();
}

#[test]
fn idle_clients_are_told() {
    let server = Server::with(|config| config.idle = Some(Duration::from_millis(50)));
    let mut client = hello(&server, Role::Smtp);
    client.expect("421 4.4.2");
    client.expect_closed();
}

#[test]
fn quota() {
    let server = Server::with(|config| config.quota = Some(2000));
    let mut client = hello(&server, Role::Smtp);
    super::to_data(&mut client);
    client.send(&format!("{}\r\n.", "x".repeat(3000)));
    client.expect("452 4.2.2");
    talk(&mut client, &[("NOOP", "250 ")]);
}

#[test]
fn dawdling() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    for _ in 0..299 {
        talk(&mut client, &[("NOOP", "250 ")]);
    }
    talk(&mut client, &[("NOOP", "421 4.7.0")]);
    client.expect_closed();
}

#[test]
fn a_full_mailbox_is_told_before_the_message_comes() {
    let server = Server::with(|config| config.quota = Some(2000));
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<a@b> SIZE=3000", "452 4.2.2"),
            ("MAIL FROM:<a@b> SIZE=100", "250 "),
        ],
    );
}

#[test]
fn a_session_ends_however_busy_it_is() {
    let server = Server::with(|config| config.smtp_session = Duration::from_millis(500));
    let mut c = server.client(Role::Smtp);
    c.expect("220");
    let last = loop {
        c.send("NOOP");
        let line = c.line();
        if !line.starts_with("250") {
            break line;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(last.starts_with("421 4.4.2 "), "{last}");
}

#[test]
fn recipients_as_flagged_and_announced() {
    let server = Server::with(|config| config.max_recipients = 3);
    let mut client = server.client(Role::Smtp);
    client.expect("220 ");
    let lines = client.ask("EHLO x", "250 ");
    // RFC 9422 §4
    assert!(
        lines.iter().any(|line| line.ends_with("LIMITS RCPTMAX=3")),
        "{lines:?}"
    );
    talk(&mut client, &[("MAIL FROM:<a@b>", "250 ")]);
    for n in 0..3 {
        client.ask(&format!("RCPT TO:<anna+{n}@example.org>"), "250");
    }
    client.ask("RCPT TO:<anna@example.org>", "452 4.5.3");
}

#[test]
fn a_client_that_never_pauses_ends_with_its_time() {
    let server = Server::with(|config| {
        config.smtp_session = Duration::from_secs(1);
        config.max_message_size = 1 << 30;
    });
    let mut client = hello(&server, Role::Smtp);
    super::to_data(&mut client);
    let piece = [&[b'x'; 998][..], b"\r\n"].concat().repeat(64);
    // Bounded by what the server takes in its time, and a gigabyte.
    for _ in 0..16_384 {
        if client.try_send_raw(&piece).is_err() {
            break;
        }
    }
    assert!(client.try_send_raw(&piece).is_err(), "it goes on for ever");
    assert!(texts(&server).is_empty());
}
