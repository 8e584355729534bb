//! BDAT (RFC 3030).
use super::{hello, inbox, talk, texts, without_trace};
use crate::harness::{Client, Server};
use pillarbox::config::Role;

fn open(client: &mut Client) {
    talk(
        client,
        &[
            ("MAIL FROM:<bob@else.where> BODY=BINARYMIME", "250 "),
            ("RCPT TO:<anna@example.org>", "250 "),
        ],
    );
}

#[test]
fn chunks_are_kept_to_the_octet() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    open(&mut client);
    client.send_raw(b"BDAT 10\r\nS: x\r\n\r\n\0\r");
    client.expect("250 2.0.0 10 octets");
    client.send_raw(b"BDAT 5 LAST\r\n\n.\r\n\xff");
    client.expect("250 2.0.0 Ok");
    assert!(inbox(&server)[0].ends_with(b"S: x\r\n\r\n\0\r\n.\r\n\xff"));
}

#[test]
fn pipelined_and_empty_chunks() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    client.send_raw(
        b"MAIL FROM:<a@b>\r\nRCPT TO:<anna@example.org>\r\nBDAT 3\r\na\r\nBDAT 0\r\nBDAT 3\r\nb\r\nBDAT 0 LAST\r\nQUIT\r\n",
    );
    for answer in [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.0.0",
        "250 2.0.0",
        "250 2.0.0",
        "250 2.0.0 Ok",
        "221 ",
    ] {
        client.expect(answer);
    }
    assert_eq!(without_trace(&texts(&server)[0]), "a\r\nb\r\n");
}

#[test]
fn refused_chunks_are_read_away() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    client.send_raw(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    client.expect("503 5.5.1");
    client.expect("250 2.0.0");
    client.send_raw(b"MAIL FROM:<a@b>\r\nRCPT TO:<x@y>\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\n");
    for answer in ["250 ", "550 5.7.1", "554 5.5.1", "250 2.0.0"] {
        client.expect(answer);
    }
    talk(
        &mut client,
        &[("BDAT x", "501 5.5.4"), ("BDAT 99999999999", "503 5.5.1")],
    );
    client.expect_closed();
}

#[test]
fn nothing_between_the_chunks_but_rset() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    open(&mut client);
    client.send_raw(b"BDAT 1\r\na");
    client.expect("250 ");
    talk(
        &mut client,
        &[
            ("MAIL FROM:<a@b>", "503 5.5.1"),
            ("RCPT TO:<anna@example.org>", "503 5.5.1"),
            ("DATA", "503 5.5.1"),
            ("NOOP", "250 "),
            ("RSET", "250 "),
        ],
    );
    open(&mut client);
    client.send_raw(b"BDAT 1 LAST\r\nb");
    client.expect("250 ");
    assert_eq!(without_trace(&texts(&server)[0]), "b");
}

#[test]
fn too_large() {
    let server = Server::with(|config| config.max_message_size = 10);
    let mut client = hello(&server, Role::Smtp);
    open(&mut client);
    client.send_raw(b"BDAT 28\r\nS: x\r\n\r\n01234567890123456789BDAT 2 LAST\r\nxx");
    // RFC 3030 §2: with the chunk that was too much; then there is nothing to go on with.
    client.expect("552 5.3.4");
    client.expect("503 5.5.1");
    assert!(texts(&server).is_empty());
}
