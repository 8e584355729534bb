//! Submission (RFC 6409).
use super::{hello, inbox, logged_in, queued, talk, texts, without_trace};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn senders_are_the_users_own() {
    let server = Server::with(|config| config.aliases.add("shop@else.where"));
    let mut client = logged_in(&server);
    for (sender, answer) in [
        ("anna@example.org", "250 "),
        ("anna+x@example.org", "250 "),
        ("shop@else.where", "250 "),
        ("", "250 "),
        ("bob@example.org", "550 5.7.1"),
        ("anna@else.where", "550 5.7.1"),
    ] {
        talk(
            &mut client,
            &[(&format!("MAIL FROM:<{sender}>"), answer), ("RSET", "250 ")],
        );
    }
}

#[test]
fn without_a_smarthost_others_are_refused_in_words() {
    let server = Server::start();
    let mut client = logged_in(&server);
    talk(&mut client, &[("MAIL FROM:<anna@example.org>", "250 ")]);
    client.send("RCPT TO:<bob@else.where>");
    assert!(client.expect("550 5.7.1").contains("--smarthost"));
    talk(&mut client, &[("RCPT TO:<bob@example.org>", "550 5.1.1")]);
    assert_eq!(queued(&server), 0);
}

#[test]
fn a_header_is_mended() {
    let server = Server::start();
    let mut client = logged_in(&server);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<anna@example.org>", "250 "),
            ("RCPT TO:<anna@example.org>", "250 "),
            ("DATA", "354 "),
        ],
    );
    client.send_raw(
        b"Subject: hi\r\nbcc: secret@else.where,\r\n more@else.where\r\nReturn-Path: <x>\r\nResent-Bcc: z\r\n\r\n\
          Bcc: body\nbare\rcr\r\n.\r\n",
    );
    client.expect("250 2.0.0");
    let text = texts(&server).remove(0);
    assert!(text.starts_with(
        "Return-Path: <anna@example.org>\r\nReceived: from client.example ([127.0.0.1])\r\n"
    ));
    assert!(text.contains(" with ESMTPSA id "), "{text}");
    let text = without_trace(&text);
    assert!(text.starts_with("Subject: hi\r\nDate: "), "{text}");
    assert!(
        text.contains("\r\nMessage-ID: <") && text.contains("@mail.example.org>\r\n"),
        "{text}"
    );
    assert!(text.contains("\r\nFrom: anna@example.org\r\n"), "{text}");
    assert!(
        !text.contains("secret") && !text.contains("more@") && !text.contains("Resent-Bcc"),
        "{text}"
    );
    assert!(text.ends_with("\r\n\r\nBcc: body\r\nbare cr\r\n"), "{text}");
}

#[test]
fn a_whole_header_is_left_alone() {
    let server = Server::start();
    let mut client = logged_in(&server);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<anna@example.org>", "250 "),
            ("RCPT TO:<anna@example.org>", "250 "),
            ("DATA", "354 "),
        ],
    );
    let message = "From: Anna <anna@example.org>\r\nDATE: Sat, 21 Nov 2026 11:05:29 +0000\r\nMessage-Id: <a@b>\r\n\r\nx\r\n";
    client.send_raw(format!("{message}.\r\n").as_bytes());
    client.expect("250 ");
    assert_eq!(without_trace(&texts(&server)[0]), message);
}

#[test]
fn binary_is_not_mended_line_by_line() {
    let server = Server::start();
    let mut client = logged_in(&server);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<anna@example.org> BODY=BINARYMIME", "250 "),
            ("RCPT TO:<anna@example.org>", "250 "),
        ],
    );
    client.send_raw(b"BDAT 15 LAST\r\nS: x\r\n\r\n\0\r\xff\n.\r\n");
    client.expect("250 ");
    assert!(inbox(&server)[0].ends_with(b"\r\n\r\n\0\r\xff\n.\r\n"));
}

#[test]
fn starttls_then_login() {
    let server = Server::start();
    let mut client = hello(&server, Role::Submission);
    talk(&mut client, &[("STARTTLS", "220 ")]);
    client.start_tls();
    client.ask("EHLO x", "250 ");
    talk(
        &mut client,
        &[
            (
                &format!("AUTH PLAIN {}", super::base64("\0anna\0correct horse")),
                "235 ",
            ),
            ("MAIL FROM:<anna@example.org>", "250 "),
        ],
    );
}

#[test]
fn a_copy_in_sent_by_flag() {
    let fake = super::fake::Fake::taking_all();
    let way = fake.smarthost();
    let server = Server::with(|config| {
        config.sent_copy = true;
        config.smarthost = Some(way);
    });
    let mut client = logged_in(&server);
    let rows = || {
        let meta = server.mail().meta();
        let sent = meta.by_role(pillarbox::mail::Role::Sent).unwrap().id;
        let mut seen = Vec::new();
        let reader = server.mail().reader().unwrap();
        reader
            .rows(sent, 1, u32::MAX, |row| {
                seen.push(row.flags.has(pillarbox::mail::Flags::SEEN));
                true
            })
            .unwrap();
        seen
    };
    for (to, want) in [
        ("bob@else.where", vec![true]),
        ("anna@example.org", vec![true, false]),
    ] {
        client.ask("MAIL FROM:<anna@example.org>", "250");
        client.ask(&format!("RCPT TO:<{to}>"), "250");
        client.ask("DATA", "354");
        client.ask("Subject: s\r\n\r\nHello\r\n.", "250");
        assert_eq!(rows(), want);
    }
    // The queue lets it go, and the copy stays.
    fake.wait(1);
    super::wait_for_empty_queue(&server);
    assert_eq!((rows().len(), inbox(&server).len()), (2, 1));
}
