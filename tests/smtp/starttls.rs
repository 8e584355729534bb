//! STARTTLS (RFC 3207).
use super::{hello, talk, texts, to_data};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn encrypts_and_forgets() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<a@b>", "250 "),
            ("STARTTLS now", "501 5.5.4"),
            ("STARTTLS", "220 2.0.0"),
        ],
    );
    client.start_tls();
    talk(
        &mut client,
        &[
            ("RCPT TO:<anna@example.org>", "503 "),
            ("MAIL FROM:<a@b>", "503 5.5.1"),
        ],
    );
    let lines = client.ask("EHLO client.example", "250 ");
    assert!(!lines.iter().any(|line| line.contains("STARTTLS")));
    talk(&mut client, &[("STARTTLS", "503 5.5.1")]);
    to_data(&mut client);
    client.send("x\r\n.");
    client.expect("250 ");
    let text = texts(&server).remove(0);
    assert!(text.contains(" with ESMTPS id "), "{text}");
    assert!(text.contains("\r\n\t(using TLSv1.3 "), "{text}");
}

#[test]
fn plaintext_behind_it_is_dropped() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    client.send_raw(b"STARTTLS\r\nMAIL FROM:<evil@else.where>\r\nRCPT TO:<anna@example.org>\r\n");
    client.expect("220 2.0.0");
    client.start_tls();
    client.send("NOOP");
    // The first answer under TLS is NOOP's: nothing from before is answered.
    client.expect("250 2.0.0");
    client.ask("EHLO x", "250 ");
    talk(&mut client, &[("RCPT TO:<anna@example.org>", "503 ")]);
}
