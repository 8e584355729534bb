//! RCPT (RFC 5321 §4.1.1.3): who is the user.
use super::{hello, logged_in, talk, texts, to_data};
use crate::harness::{Client, Server};
use pillarbox::config::Role;
use pillarbox::server::control::{Request, Verb};

#[test]
fn the_users_addresses() {
    let server = Server::with(|config| config.aliases.add("shop@example.org"));
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<bob@else.where>", "250 "),
            ("RCPT TO:<anna@example.org>", "250 2.1.5"),
            ("RCPT TO:<ANNA@EXAMPLE.ORG>", "250 2.1.5"),
            ("RCPT TO:<\"anna\"@example.org>", "250 2.1.5"),
            ("RCPT TO:<anna+lists@example.org>", "250 2.1.5"),
            ("RCPT TO:<shop@example.org>", "250 2.1.5"),
            ("RCPT TO:<Postmaster>", "250 2.1.5"),
            ("RCPT TO:<postmaster@example.org>", "250 2.1.5"),
            ("RCPT TO:<anna@[127.0.0.1]>", "250 2.1.5"),
            ("RCPT TO:<@else.where:anna@example.org>", "250 2.1.5"),
            (
                "RCPT TO:<anna@example.org> NOTIFY=NEVER ORCPT=rfc822;a+2Bb@c",
                "250 2.1.5",
            ),
            ("RCPT TO:<bob@example.org>", "550 5.1.1"),
            ("RCPT TO:<anna@else.where>", "550 5.7.1"),
            ("RCPT TO:<\u{f8}@example.org>", "553 5.6.7"),
            ("RCPT TO:<>", "501 5.1.3"),
            ("RCPT TO:<anna@example.org> NOTIFY=NEVER,DELAY", "501 5.5.4"),
            ("RCPT TO:<anna@example.org> SIZE=1", "555 5.5.4"),
            ("DATA", "354 "),
        ],
    );
    client.send("x\r\n.");
    client.expect("250 2.0.0");
    // Many addresses of one user are one message.
    assert_eq!(texts(&server).len(), 1);
}

#[test]
fn catch_all_on_request() {
    let server = Server::with(|config| config.catch_all = true);
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<bob@else.where>", "250 "),
            ("RCPT TO:<anybody@example.org>", "250 2.1.5"),
            ("RCPT TO:<anybody@else.where>", "550 5.7.1"),
        ],
    );
}

#[test]
fn trace_fields_are_as_the_rfc_wants_them() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send_raw(b"Return-Path: <old@x>\r\nSubject: hi\r\n\r\n\xff body\r\n.\r\n");
    client.expect("250 2.0.0");
    let text = String::from_utf8_lossy(&super::inbox(&server)[0]).into_owned();
    let lines: Vec<_> = text.split("\r\n").collect();
    assert_eq!(lines[0], "Return-Path: <bob@else.where>");
    assert_eq!(lines[1], "Received: from client.example ([127.0.0.1])");
    assert!(
        lines[2].starts_with("\tby mail.example.org with ESMTP id "),
        "{}",
        lines[2]
    );
    assert_eq!(lines[3], "\tfor <anna@example.org>;");
    assert!(lines[4].ends_with(" +0000"));
    // What came is kept to the octet.
    assert_eq!(
        lines[5..],
        [
            "Return-Path: <old@x>",
            "Subject: hi",
            "",
            "\u{fffd} body",
            ""
        ]
    );
}

#[test]
fn an_alias_is_made_and_switched_off_while_sessions_go_on() {
    let server = Server::with(|config| {
        config.catch_all = true;
        config.detail_separators = "+-".into();
        config.domains.push("example.net".into());
    });
    let order = |text: &str| {
        let request = Request::new(Verb::Alias, text);
        smol::block_on(request.run(server.auth(), server.mail())).unwrap();
    };
    let mut client = hello(&server, Role::Smtp);
    let mut user = logged_in(&server);
    let ask = |client: &mut Client, address: &str, answer: &str| {
        talk(
            client,
            &[
                ("MAIL FROM:<bob@else.where>", "250 "),
                (&format!("RCPT TO:<{address}>"), answer),
                ("RSET", "250 "),
            ],
        );
    };
    order("add shop@else.where");
    order("add big-shop");
    for own in [
        "shop@else.where",
        "Big-Shop-1@example.org",
        "anna-x@example.net",
    ] {
        ask(&mut client, own, "250 2.1.5");
    }
    order("off shop@else.where");
    order("off big-shop");
    order("off anna+leaked@example.net");
    ask(&mut client, "shop@else.where", "550 5.7.1");
    for off in [
        "big-shop@example.org",
        "big-shop-1@example.org",
        "anna+leaked@example.net",
    ] {
        ask(&mut client, off, "550 5.1.1");
        talk(&mut user, &[(&format!("MAIL FROM:<{off}>"), "550 5.7.1")]);
    }
    for own in [
        "anna+leaked@example.org",
        "anna+other@example.net",
        "big@example.org",
    ] {
        ask(&mut client, own, "250 2.1.5");
        talk(
            &mut user,
            &[(&format!("MAIL FROM:<{own}>"), "250 "), ("RSET", "250 ")],
        );
    }
    order("on big-shop");
    ask(&mut client, "big-shop@example.org", "250 2.1.5");
    order("remove shop@else.where");
    ask(&mut client, "shop@else.where", "550 5.7.1");
}
