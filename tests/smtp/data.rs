//! DATA (RFC 5321 §4.1.1.4, §4.5.2).
use super::{hello, inbox, talk, texts, to_data, without_trace};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn dots_are_transparent() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send_raw(b"Subject: dots\r\n\r\n..\r\n...x\r\n.y\r\n. \r\n\r\n.\r\n");
    client.expect("250 2.0.0");
    assert_eq!(
        without_trace(&texts(&server)[0]),
        "Subject: dots\r\n\r\n.\r\n..x\r\ny\r\n \r\n\r\n"
    );
}

#[test]
fn any_cut_gives_the_same_message() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    let wire = b"S: x\r\n\r\na\r\n..b\r\n.\r\n";
    for cut in 1..wire.len() {
        to_data(&mut client);
        client.send_raw(&wire[..cut]);
        client.send_raw(&wire[cut..]);
        client.expect("250 2.0.0");
    }
    for text in texts(&server) {
        assert_eq!(without_trace(&text), "S: x\r\n\r\na\r\n.b\r\n");
    }
}

#[test]
fn a_large_message_comes_through_whole() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    let line = "0123456789abcdef".repeat(4) + "\r\n";
    let body = line.repeat(40_000);
    client.send_raw(format!("Subject: big\r\n\r\n{body}.\r\n").as_bytes());
    client.expect("250 2.0.0");
    let octets = inbox(&server).remove(0);
    assert!(octets.ends_with(body.as_bytes()));
}

#[test]
fn too_large_is_refused_at_the_end_and_the_session_goes_on() {
    let server = Server::with(|config| config.max_message_size = 1000);
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send_raw(&b"0123456789012345678901234567890123456789\r\n".repeat(100_000 / 42));
    client.send(".");
    client.expect("552 5.3.4");
    assert!(texts(&server).is_empty());
    to_data(&mut client);
    client.send("small\r\n.");
    client.expect("250 2.0.0");
    assert_eq!(texts(&server).len(), 1);
}

#[test]
fn a_lost_connection_leaves_nothing() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send_raw(b"Subject: half\r\n\r\nbody\r\n.");
    drop(client);
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send("Subject: whole\r\n\r\nbody\r\n.");
    client.expect("250 2.0.0");
    let texts = texts(&server);
    assert_eq!(texts.len(), 1);
    assert!(texts[0].contains("whole"));
}

#[test]
fn a_loop_is_broken() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send_raw("Received: x\r\n y\r\n".repeat(100).as_bytes());
    client.send("\r\nbody\r\n.");
    client.expect("554 5.4.6");
    to_data(&mut client);
    client.send_raw("Received: x\r\n y\r\n".repeat(99).as_bytes());
    client.send("\r\nReceived: body\r\n.");
    client.expect("250 2.0.0");
}

#[test]
fn binary_goes_by_bdat() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<> BODY=BINARYMIME", "250 "),
            ("RCPT TO:<anna@example.org>", "250 "),
            ("DATA", "503 5.5.1"),
        ],
    );
}

#[test]
fn what_was_acknowledged_survives_a_restart() {
    let mut server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send("Subject: keep\r\n\r\nbody\r\n.");
    client.expect("250 2.0.0");
    let before = inbox(&server);
    server.restart();
    assert_eq!(inbox(&server), before);
}

#[test]
fn who_leaves_before_the_answer_has_delivered() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    to_data(&mut client);
    client.send("Subject: gone\r\n\r\nbody\r\n.");
    drop(client);
    assert!(super::wait_for_inbox(&server, 1)[0].contains("gone"));
}
