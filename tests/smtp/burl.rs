//! BURL (RFC 4468): a message that lies in the mailbox is sent without being carried there and back.
use super::{hello, logged_in, talk, texts, without_trace};
use crate::harness::{Client, Server};
use crate::imap::Imap;
use crate::imap::genurlauth::{WHOLE, sign};
use pillarbox::config::Role;

const DRAFT: &str = "From: anna@example.org\r\nTo: anna@example.org\r\nDate: Sat, 21 Nov 2026 11:05:29 +0000\r\n\
    Message-ID: <a@b>\r\nSubject: draft\r\n\r\n.Hello\r\nfrom afar\r\n";

/// A URL of the draft, signed.
fn url(server: &Server, part: &str, access: &str) -> String {
    let mut imap = Imap::login(server);
    if imap
        .ok("STATUS INBOX (MESSAGES)")
        .one("STATUS")
        .contains("MESSAGES 0")
    {
        imap.append("INBOX", DRAFT);
    }
    let end = format!("UID=1{part};URLAUTH={access}");
    let whole = WHOLE.replace("UID=1;URLAUTH=authuser", &end);
    sign(&mut imap, &whole)
}

fn open(client: &mut Client) {
    talk(
        client,
        &[
            ("MAIL FROM:<anna@example.org>", "250 "),
            ("RCPT TO:<anna@example.org>", "250 "),
        ],
    );
}

#[test]
fn announced_to_whom_it_is_for() {
    let server = Server::start();
    let mut mx = hello(&server, Role::Smtp);
    assert!(!mx.ask("EHLO x", "250 ").iter().any(|l| l.contains("BURL")));
    talk(&mut mx, &[("BURL imap://a@b/c/;UID=1 LAST", "502 5.5.1")]);
    let mut client = hello(&server, Role::Submissions);
    assert!(
        client
            .ask("EHLO x", "250 ")
            .contains(&"250-BURL".to_owned())
    );
    let mut client = logged_in(&server);
    let lines = client.ask("EHLO x", "250 ");
    assert!(lines.iter().any(|l| &l[4..] == "BURL imap"), "{lines:?}");
}

#[test]
fn a_whole_message_in_one_round_trip() {
    let server = Server::start();
    let url = url(&server, "", "submit+anna");
    let mut client = logged_in(&server);
    client.send_raw(
        format!(
            "MAIL FROM:<anna@example.org>\r\nRCPT TO:<anna@example.org>\r\nburl {url} last\r\nNOOP\r\n"
        )
        .as_bytes(),
    );
    for answer in ["250 2.1.0", "250 2.1.5", "250 2.0.0 Ok", "250 "] {
        client.expect(answer);
    }
    assert_eq!(without_trace(&texts(&server)[1]), DRAFT);
}

#[test]
fn beside_bdat() {
    let server = Server::start();
    let header = url(
        &server,
        "/;SECTION=HEADER.FIELDS%20(From%20To%20Date%20Message-ID)",
        "submit+anna%40example.org",
    );
    let text = url(&server, "/;SECTION=TEXT/;PARTIAL=1.6", "authuser");
    let mut client = logged_in(&server);
    open(&mut client);
    talk(&mut client, &[(&format!("BURL {header}"), "250 2.5.0")]);
    client.send_raw(b"BDAT 4\r\nOh: ");
    client.expect("250 2.0.0");
    talk(
        &mut client,
        &[
            ("RCPT TO:<anna@example.org>", "503 "),
            (&format!("BURL {text}"), "250 2.5.0"),
        ],
    );
    client.send_raw(b"BDAT 1 LAST\r\n\n");
    client.expect("250 2.0.0 Ok");
    let (header, _) = DRAFT.split_once("Subject").unwrap();
    let got = texts(&server).remove(1);
    // The empty line behind the fields comes with them. "Hello" has five letters and CR, which the
    // client's own line makes whole.
    assert_eq!(without_trace(&got), format!("{header}\r\nOh: Hello\r\n"));
}

#[test]
fn what_cannot_be_had_ends_the_transaction() {
    let server = Server::start();
    let good = url(&server, "", "submit+anna");
    let user = url(&server, "", "user+anna");
    let part = url(&server, "/;SECTION=9", "submit+anna");
    let (_, token) = good.rsplit_once(':').unwrap();
    let mut client = logged_in(&server);
    talk(&mut client, &[(&format!("BURL {good} LAST"), "503 5.5.1")]);
    for (url, answer) in [
        (good.replace(token, &"0".repeat(token.len())), "554 5.7.0"),
        (good.replace("UID=1", "UID=2"), "554 5.7.0"),
        (WHOLE.to_owned(), "554 5.7.0"),
        // For her own IMAP sessions.
        (user, "554 5.7.0"),
        (part, "554 5.6.6"),
        ("http://mail.example.org/x".to_owned(), "554 5.6.6"),
    ] {
        open(&mut client);
        talk(
            &mut client,
            &[
                (&format!("BURL {url}"), answer),
                (&format!("BURL {good} LAST"), "503 5.5.1"),
            ],
        );
    }
    talk(
        &mut client,
        &[
            ("BURL", "501 5.5.4"),
            ("BURL x y", "501 5.5.4"),
            ("MAIL FROM:<anna@example.org>", "250 "),
            ("RCPT TO:<x@else.where>", "550 "),
            (&format!("BURL {good} LAST"), "554 5.5.1"),
        ],
    );
    // A key that was taken away takes its URLs along.
    Imap::login(&server).ok("RESETKEY INBOX");
    open(&mut client);
    talk(&mut client, &[(&format!("BURL {good} LAST"), "554 5.7.0")]);
    assert_eq!(texts(&server).len(), 1);
}

#[test]
fn too_large_together() {
    let server = Server::with(|config| config.max_message_size = 250);
    let url = url(&server, "", "submit+anna");
    let mut client = logged_in(&server);
    open(&mut client);
    talk(
        &mut client,
        &[
            (&format!("BURL {url}"), "250 "),
            (&format!("BURL {url}"), "552 5.3.4"),
            (&format!("BURL {url} LAST"), "503 "),
        ],
    );
    assert_eq!(texts(&server).len(), 1);
}
