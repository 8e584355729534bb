//! SMTP smuggling: no spelling but CRLF.CRLF ends a message, in either direction.
use super::fake::Fake;
use super::{hello, inbox, logged_in, talk, texts, to_data, wait_for_empty_queue};
use crate::harness::Server;
use pillarbox::config::Role;

/// What other servers have taken for an end.
const ENDS: &[&str] = &[
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\n.\r",
    "\r.\n",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\n\n.\r\r\n",
    "\r\r\n.\n",
];

const SECOND: &str =
    "MAIL FROM:<evil@else.where>\r\nRCPT TO:<anna@example.org>\r\nDATA\r\nsmuggled\r\n";

#[test]
fn no_other_spelling_ends_a_message() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    for (n, end) in ENDS.iter().enumerate() {
        to_data(&mut client);
        client.send_raw(format!("Subject: {n}\r\n\r\nfirst{end}{SECOND}\r\n.\r\n").as_bytes());
        client.expect("250 2.0.0");
        talk(&mut client, &[("NOOP", "250 2.0.0")]);
        assert_eq!(texts(&server).len(), n + 1, "{end:?}");
        let last = inbox(&server).pop().unwrap();
        assert!(last.windows(8).any(|it| it == b"smuggled"), "{end:?}");
    }
}

#[test]
fn commands_end_with_crlf() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    client.send_raw(b"NOOP\n");
    client.expect("500 5.5.2");
    client.send_raw(b"MAIL FROM:<a@b>\nRCPT TO:<anna@example.org>\r\n");
    client.expect("500 5.5.2");
    client.expect("503 5.5.1");
    client.send_raw(b"NOOP\rNOOP\r\n");
    client.expect("500 5.5.2");
    client.send_raw(b"NOOP\0\r\n");
    client.expect("500 5.5.2");
}

#[test]
fn what_we_send_holds_no_end() {
    let fake = Fake::taking_all();
    let server = Server::with(|config| config.smarthost = Some(fake.smarthost()));
    let mut client = logged_in(&server);
    for end in ENDS {
        talk(
            &mut client,
            &[
                ("MAIL FROM:<anna@example.org>", "250 "),
                ("RCPT TO:<bob@else.where>", "250 "),
                ("DATA", "354 "),
            ],
        );
        client.send_raw(format!("Subject: x\r\n\r\nfirst{end}{SECOND}\r\n.\r\n").as_bytes());
        client.expect("250 2.0.0");
    }
    let messages = fake.wait(ENDS.len());
    wait_for_empty_queue(&server);
    for message in &messages {
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
        assert_eq!(
            text.split("\r\n").filter(|line| *line == ".").count(),
            1,
            "{text:?}"
        );
    }
    assert_eq!(messages.len(), ENDS.len());
}
