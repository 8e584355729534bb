//! Clients that are none.
use super::*;

#[test]
fn endless_line() {
    let server = Server::start();
    let mut client = connect(&server);
    client.send_raw(&[b'x'; 4096]);
    client.expect("-ERR");
    client.expect_closed();
}

#[test]
fn not_pop3() {
    let server = Server::start();
    let mut client = connect(&server);
    let _ = client.try_send_raw("GET / HTTP/1.1\r\nHost: x\r\n".repeat(20).as_bytes());
    let answers = String::from_utf8(client.rest()).unwrap();
    assert!(
        answers.lines().all(|line| line.starts_with("-ERR")),
        "{answers}"
    );
    assert!(answers.lines().count() <= 20);
}

#[test]
fn octets_of_all_kinds() {
    let server = Server::start();
    let mut client = connect(&server);
    let all: Vec<u8> = (0..=255).filter(|octet| *octet != b'\n').collect();
    client.send_raw(&all);
    client.send_raw(b"\r\n");
    client.expect("-ERR");
    client.send_raw(b"USER \xff\r\nPASS \xff\r\n");
    client.expect("-ERR");
    client.expect("-ERR");
    client.send_raw(b"NOOP\n");
    client.expect("-ERR");
    quit(client);
}
