//! The queue and the SMTP client, against a smarthost that does what it is told.
use super::fake::{Fake, USUAL};
use super::{ANNA, logged_in, queued, talk, texts, wait_for_empty_queue, wait_for_inbox};
use crate::harness::{Client, Server};
use pillarbox::config::{Smarthost, SmarthostTls};
use pillarbox::mail::address::Address;
use pillarbox::mail::outbound::{self, Envelope, Notify, Recipient};
use pillarbox::mail::{EmailId, NewEmail, Source};

fn server(smarthost: Smarthost) -> Server {
    Server::with(|config| config.smarthost = Some(smarthost))
}

/// Submits a message to these recipients (with parameters).
#[track_caller]
fn submit(client: &mut Client, sender: &str, recipients: &[&str], body: &str) {
    client.send(&format!("MAIL FROM:{sender}"));
    client.expect("250 ");
    for to in recipients {
        client.send(&format!("RCPT TO:{to}"));
        client.expect("250 ");
    }
    talk(client, &[("DATA", "354 ")]);
    client.send_raw(format!("Subject: out\r\nBcc: secret@x\r\n\r\n{body}\r\n.\r\n").as_bytes());
    client.expect("250 2.0.0");
}

const FROM: &str = "<anna@example.org>";

/// A number that scripts raise once.
fn counter() -> std::sync::atomic::AtomicUsize {
    std::sync::atomic::AtomicUsize::new(0)
}

#[test]
fn goes_to_the_smarthost() {
    let fake = Fake::taking_all();
    let server = server(fake.smarthost());
    let mut client = logged_in(&server);
    submit(
        &mut client,
        FROM,
        &[
            "<bob@else.where>",
            "<eve@else.where>",
            "<carol@third.place>",
        ],
        "hi",
    );
    let messages = fake.wait(2);
    wait_for_empty_queue(&server);
    assert_eq!(messages.len(), 2, "one per domain");
    assert!(messages[0].envelope[0].starts_with("MAIL FROM:<anna@example.org> SIZE="));
    assert_eq!(
        messages[0].envelope[1..],
        ["RCPT TO:<bob@else.where>", "RCPT TO:<eve@else.where>"]
    );
    assert_eq!(messages[1].envelope[1..], ["RCPT TO:<carol@third.place>"]);
    let text = String::from_utf8_lossy(&messages[0].raw).into_owned();
    assert!(text.starts_with("Received: from client.example "), "{text}");
    assert!(
        !text.contains("Return-Path") && !text.contains("secret"),
        "{text}"
    );
    assert!(text.ends_with("\r\n\r\nhi\r\n.\r\n"), "{text}");
    assert_eq!(
        fake.lines()
            .iter()
            .filter(|line| line.starts_with("EHLO"))
            .count(),
        1,
        "one session"
    );
    assert!(texts(&server).is_empty());
}

#[test]
fn local_and_remote_in_one_commit() {
    let fake = Fake::taking_all();
    let server = server(fake.smarthost());
    let mut client = logged_in(&server);
    submit(
        &mut client,
        FROM,
        &["<anna@example.org>", "<bob@else.where>"],
        "both",
    );
    assert_eq!(texts(&server).len(), 1);
    fake.wait(1);
    wait_for_empty_queue(&server);
    assert_eq!(
        texts(&server).len(),
        1,
        "the local copy stays when the queue lets go"
    );
}

#[test]
fn over_tls_and_starttls_with_a_login() {
    for implicit in [true, false] {
        let fake = if implicit {
            Fake::with_tls()
        } else {
            Fake::taking_all()
        };
        let mut smarthost = fake.smarthost();
        smarthost.tls = if implicit {
            SmarthostTls::Tls
        } else {
            SmarthostTls::StartTls
        };
        smarthost.login = Some(("relay-user".into(), "relay-pass".into()));
        let server = server(smarthost);
        submit(
            &mut logged_in(&server),
            FROM,
            &["<bob@else.where>"],
            "secure",
        );
        fake.wait(1);
        let auth = super::base64("\0relay-user\0relay-pass");
        let lines = fake.lines();
        assert!(lines.contains(&format!("AUTH PLAIN {auth}")), "{lines:?}");
        assert_eq!(lines.contains(&"STARTTLS".to_owned()), !implicit);
        wait_for_empty_queue(&server);
    }
}

#[test]
fn no_password_and_no_mail_without_the_tls_that_was_asked_for() {
    // It does not offer STARTTLS: a stripper in the middle looks the same.
    let fake = Fake::start(&["PIPELINING", "AUTH PLAIN"], |_, _| None);
    let mut smarthost = fake.smarthost();
    smarthost.tls = SmarthostTls::StartTls;
    smarthost.login = Some(("u".into(), "p".into()));
    let server = server(smarthost.clone());
    submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
    fake.wait_for_connections(1);
    assert!(
        !fake
            .lines()
            .iter()
            .any(|line| line.starts_with("AUTH") || line.starts_with("MAIL"))
    );
    assert_eq!(queued(&server), 2);
    // A certificate that nobody vouches for.
    let fake = Fake::with_tls();
    let other = Fake::taking_all();
    smarthost = fake.smarthost();
    smarthost.ca = other.smarthost().ca;
    let server = self::server(smarthost);
    submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
    fake.wait_for_connections(1);
    assert!(fake.lines().is_empty());
    assert_eq!(queued(&server), 2);
}

#[test]
fn tried_again_after_4xx() {
    let tries = counter();
    let fake = Fake::start(USUAL, move |_, line| {
        let first = line.starts_with("RCPT")
            && tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        first.then(|| "450 4.2.1 greylisted".into())
    });
    let server = server(fake.smarthost());
    submit(
        &mut logged_in(&server),
        FROM,
        &["<bob@else.where>"],
        "again",
    );
    fake.wait_for_connections(1);
    retry_until(|| fake.count() == 1);
    wait_for_empty_queue(&server);
    assert!(texts(&server).is_empty(), "no bounce");
}

/// Lets the queue try again until something holds.
#[track_caller]
fn retry_until(done: impl Fn() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        outbound::retry_all();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("it never came to that");
}

#[test]
fn a_refusal_is_bounced() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("RCPT TO:<bob")
            .then(|| "550-5.1.1 no such\r\n550 5.1.1 user".into())
    });
    let server = server(fake.smarthost());
    let mut client = logged_in(&server);
    submit(
        &mut client,
        "<anna@example.org> ENVID=QQ7 RET=FULL",
        &[
            "<bob@else.where> ORCPT=rfc822;Bob@else.where",
            "<eve@else.where>",
        ],
        "the body",
    );
    let bounce = wait_for_inbox(&server, 1).remove(0);
    wait_for_empty_queue(&server);
    assert_eq!(fake.wait(1)[0].envelope[1..], ["RCPT TO:<eve@else.where>"]);
    for want in [
        "Return-Path: <>\r\n",
        "To: <anna@example.org>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Content-Type: multipart/report; report-type=delivery-status;",
        "Original-Envelope-Id: QQ7\r\n",
        "Original-Recipient: rfc822;Bob@else.where\r\nFinal-Recipient: rfc822; bob@else.where\r\n\
         Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; localhost\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 no such 5.1.1 user\r\n",
        "Content-Type: message/rfc822\r\n",
        "\r\nSubject: out\r\n",
        "\r\nthe body\r\n",
    ] {
        assert!(bounce.contains(want), "{want}\n{bounce}");
    }
    assert!(!bounce.contains("eve@") && !bounce.contains("secret"));
}

#[test]
fn a_bounce_returns_the_header_unless_asked_for_more() {
    let fake = Fake::start(USUAL, |_, line| {
        (line == ".").then(|| "554 5.7.1 spam".into())
    });
    let server = server(fake.smarthost());
    submit(
        &mut logged_in(&server),
        FROM,
        &["<bob@else.where>"],
        "the body",
    );
    let bounce = wait_for_inbox(&server, 1).remove(0);
    assert!(
        bounce.contains("Content-Type: text/rfc822-headers\r\n"),
        "{bounce}"
    );
    assert!(bounce.contains("Status: 5.7.1\r\n") && bounce.contains("\r\nSubject: out\r\n"));
    assert!(!bounce.contains("the body"));
}

#[test]
fn notify_never_and_the_null_sender_are_not_told() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("RCPT").then(|| "550 5.1.1 no".into())
    });
    let server = server(fake.smarthost());
    let mut client = logged_in(&server);
    submit(&mut client, FROM, &["<bob@else.where> NOTIFY=NEVER"], "x");
    submit(&mut client, "<>", &["<bob@else.where>"], "x");
    fake.wait_for_connections(1);
    wait_for_empty_queue(&server);
    assert!(texts(&server).is_empty());
}

#[test]
fn success_is_reported_where_the_next_host_does_not() {
    let fake = Fake::taking_all();
    let server = server(fake.smarthost());
    let to = ["<bob@else.where> NOTIFY=SUCCESS", "<anna@example.org>"];
    submit(&mut logged_in(&server), FROM, &to, "x");
    let texts = wait_for_inbox(&server, 2);
    assert!(
        texts[1].contains("Action: relayed\r\nStatus: 2.0.0\r\n"),
        "{}",
        texts[1]
    );
    // A host with DSN is told what was asked, and reports itself.
    let fake = Fake::start(&["PIPELINING", "DSN", "SIZE"], |_, _| None);
    let server = self::server(fake.smarthost());
    let to = ["<bob@else.where> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c"];
    submit(
        &mut logged_in(&server),
        "<anna@example.org> RET=HDRS ENVID=a+2Bb",
        &to,
        "x",
    );
    let message = fake.wait(1).remove(0);
    assert_eq!(
        message.envelope,
        [
            "MAIL FROM:<anna@example.org> RET=HDRS ENVID=a+2Bb",
            "RCPT TO:<bob@else.where> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c"
        ]
    );
    wait_for_empty_queue(&server);
    assert!(self::texts(&server).is_empty());
}

#[test]
fn success_is_reported_for_local_recipients() {
    let server = Server::start();
    let to = ["<anna@example.org> NOTIFY=SUCCESS"];
    submit(&mut logged_in(&server), FROM, &to, "x");
    let texts = wait_for_inbox(&server, 2);
    assert!(texts[0].starts_with("Return-Path: <anna@example.org>\r\nReceived: "));
    assert!(texts[1].contains("Action: delivered\r\n"));
    wait_for_empty_queue(&server);
}

#[test]
fn mail_to_an_alias_elsewhere_stays_here() {
    let fake = Fake::taking_all();
    let smarthost = fake.smarthost();
    let server = Server::with(|config| {
        config.smarthost = Some(smarthost);
        config.aliases.add("shop@else.where");
    });
    let to = ["<shop@else.where> NOTIFY=SUCCESS"];
    submit(&mut logged_in(&server), FROM, &to, "x");
    assert!(wait_for_inbox(&server, 2)[1].contains("Action: delivered\r\n"));
    wait_for_empty_queue(&server);
    assert_eq!(fake.connections(), 0);
}

#[test]
fn whoever_wrote_as_an_alias_that_is_off_by_now_hears_of_failures() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("RCPT").then(|| "550 5.1.1 no".into())
    });
    let smarthost = fake.smarthost();
    let server = Server::with(|config| {
        config.smarthost = Some(smarthost);
        config.aliases.set(vec![pillarbox::config::Alias {
            address: "anna@example.org".into(),
            on: false,
        }]);
    });
    let now = pillarbox::sys::clock::now();
    enqueue(&server, now, "bob@else.where", None);
    assert!(wait_for_inbox(&server, 1)[0].contains("Action: failed\r\n"));
    wait_for_empty_queue(&server);
}

#[test]
fn a_recipient_given_twice_is_sent_once() {
    let fake = Fake::taking_all();
    let server = server(fake.smarthost());
    let to = ["<bob@else.where>", "<bob@else.where>"];
    submit(&mut logged_in(&server), FROM, &to, "x");
    assert_eq!(fake.wait(1)[0].envelope.len(), 2);
}

#[test]
fn a_connection_lost_at_any_step_loses_and_doubles_nothing() {
    for step in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let fake = Fake::start(USUAL, move |connection, line| {
            (connection == 0 && line.starts_with(step)).then(String::new)
        });
        let server = server(fake.smarthost());
        submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
        fake.wait_for_connections(1);
        retry_until(|| fake.count() == 1);
        wait_for_empty_queue(&server);
        assert_eq!(fake.count(), 1, "{step}");
        assert!(texts(&server).is_empty(), "{step}");
    }
}

#[test]
fn a_server_that_talks_nonsense_is_left() {
    for nonsense in [
        "HTTP/1.1 200 OK",
        "250-a\r\n550 b",
        "999 x",
        "421 4.3.2 closing",
    ] {
        let fake = Fake::start(USUAL, move |connection, line| {
            (connection == 0 && line.starts_with("MAIL")).then(|| nonsense.into())
        });
        let server = server(fake.smarthost());
        submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
        fake.wait_for_connections(1);
        retry_until(|| fake.count() == 1);
        wait_for_empty_queue(&server);
    }
}

#[test]
fn an_endless_reply_is_not_read() {
    let fake = Fake::start(USUAL, |connection, line| {
        (connection == 0 && line == "CONNECT").then(|| "220-x\r\n".repeat(100_000))
    });
    let server = server(fake.smarthost());
    submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
    retry_until(|| fake.count() == 1);
}

#[test]
fn the_queue_survives_a_restart() {
    let fake = Fake::start(USUAL, |connection, line| {
        (connection == 0 && line == "CONNECT").then(|| "421 4.3.2 not now".into())
    });
    let mut server = server(fake.smarthost());
    submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "kept");
    fake.wait_for_connections(1);
    server.restart();
    let message = fake.wait(1).remove(0);
    assert!(message.raw.ends_with(b"kept\r\n.\r\n"));
    wait_for_empty_queue(&server);
}

#[test]
fn what_the_next_host_cannot_take_is_bounced_and_not_changed() {
    const PLAIN: &[&str] = &["PIPELINING", "SIZE 1000"];
    for (from, to, body, status) in [
        (
            "<anna@example.org>",
            "<bob@else.where>",
            "caf\u{e9}".to_owned(),
            "5.6.3",
        ),
        (
            "<anna@example.org> SMTPUTF8",
            "<b\u{f8}b@else.where>",
            "x".into(),
            "5.6.7",
        ),
        (
            "<anna@example.org>",
            "<bob@else.where>",
            "x".repeat(2000),
            "5.3.4",
        ),
    ] {
        let fake = Fake::start(PLAIN, |_, _| None);
        let server = server(fake.smarthost());
        submit(&mut logged_in(&server), from, &[to], &body);
        let bounce = wait_for_inbox(&server, 1).remove(0);
        assert!(
            bounce.contains(&format!("Status: {status}\r\n")),
            "{bounce}"
        );
        wait_for_empty_queue(&server);
        assert!(!fake.lines().iter().any(|line| line.starts_with("MAIL")));
    }
}

#[test]
fn eight_bits_and_utf8_are_announced() {
    let fake = Fake::taking_all();
    let server = server(fake.smarthost());
    let mut client = logged_in(&server);
    submit(&mut client, FROM, &["<bob@else.where>"], "caf\u{e9}");
    submit(
        &mut client,
        "<anna@example.org> SMTPUTF8",
        &["<b\u{f8}b@else.where>"],
        "x",
    );
    let messages = fake.wait(2);
    assert!(
        messages[0].envelope[0].ends_with(" BODY=8BITMIME"),
        "{:?}",
        messages[0].envelope
    );
    assert!(
        messages[1].envelope[0].ends_with(" SMTPUTF8"),
        "{:?}",
        messages[1].envelope
    );
}

#[test]
fn binary_goes_by_bdat_or_not_at_all() {
    for offered in [true, false] {
        let extensions: &[&str] = if offered {
            &["CHUNKING", "BINARYMIME", "8BITMIME"]
        } else {
            USUAL
        };
        let fake = Fake::start(extensions, |_, _| None);
        let server = server(fake.smarthost());
        let mut client = logged_in(&server);
        talk(
            &mut client,
            &[
                ("MAIL FROM:<anna@example.org> BODY=BINARYMIME", "250 "),
                ("RCPT TO:<bob@else.where>", "250 "),
            ],
        );
        client.send_raw(b"BDAT 12 LAST\r\nS: x\r\n\r\n\0\r\n.");
        client.expect("250 ");
        if offered {
            let message = fake.wait(1).remove(0);
            assert!(message.envelope[0].contains(" BODY=BINARYMIME"));
            assert!(
                message.raw.ends_with(b"\r\n\r\n\0\r\n."),
                "{:?}",
                message.raw
            );
        } else {
            assert!(wait_for_inbox(&server, 1)[0].contains("Status: 5.6.3\r\n"));
        }
        wait_for_empty_queue(&server);
    }
}

/// RFC 3030: the octets as they are, their number before them; what is small beside the envelope.
#[test]
fn chunking_is_used() {
    let fake = Fake::start(
        &["PIPELINING", "CHUNKING", "SIZE 10000000", "8BITMIME"],
        |_, line| {
            line.starts_with("RCPT TO:<no@")
                .then(|| "550 5.1.1 no".into())
        },
    );
    let server = server(fake.smarthost());
    let mut client = logged_in(&server);
    let long = "..dots\r\n".repeat(4000);
    for (at, body) in ["..one dot", &long, "..last"].into_iter().enumerate() {
        submit(&mut client, FROM, &["<no@else.where>"], body);
        submit(&mut client, FROM, &["<bob@else.where>"], body);
        let message = fake.wait(at + 1).remove(at);
        let text = String::from_utf8(message.raw).unwrap();
        let body = body.replace("\r\n.", "\r\n");
        let (_, got) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            got.trim_end() == body[1..].trim_end(),
            "{at}: not what was sent"
        );
        let size = format!("SIZE={}", text.len());
        assert!(
            message.envelope[0].contains(&size),
            "{:?}",
            message.envelope
        );
        let bounces = wait_for_inbox(&server, at + 1);
        assert!(bounces[at].contains("Status: 5.1.1\r\n"));
    }
    wait_for_empty_queue(&server);
    let lines = fake.lines();
    assert!(!lines.iter().any(|line| line == "DATA"));
    // The long one was not sent to nobody.
    let chunks = lines.iter().filter(|line| line.starts_with("BDAT"));
    assert_eq!(chunks.count(), 5);
}

#[test]
fn chunking_that_does_not_work_is_not_tried_twice() {
    let fake = Fake::start(&["PIPELINING", "CHUNKING"], |_, line| {
        line.starts_with("BDAT").then(|| "502 5.5.1 what".into())
    });
    let server = server(fake.smarthost());
    submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    while fake.count() == 0 {
        assert!(std::time::Instant::now() < until, "{:?}", fake.lines());
        let _ = smol::block_on(pillarbox::queue::order::give(
            server.mail(),
            outbound::Order::Retry,
            "all",
        ));
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    wait_for_empty_queue(&server);
    assert!(texts(&server).is_empty());
}

#[test]
fn a_host_without_ehlo_and_pipelining() {
    let fake = Fake::start(&[], |_, line| {
        line.starts_with("EHLO").then(|| "502 5.5.1 what".into())
    });
    let server = server(fake.smarthost());
    submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
    assert_eq!(
        fake.wait(1)[0].envelope,
        ["MAIL FROM:<anna@example.org>", "RCPT TO:<bob@else.where>"]
    );
    assert!(fake.lines().contains(&"HELO mail.example.org".to_owned()));
}

/// Queues a message of another time, as JMAP would.
fn enqueue(server: &Server, created: u32, to: &str, notify: Option<Notify>) -> EmailId {
    smol::block_on(async {
        let mail = server.mail();
        let mut body = mail.body(None).unwrap();
        body.push(b"Subject: old\r\nBcc: x@y\r\n\r\nbody\r\n")
            .await
            .unwrap();
        let staged = body.finish(b"").await.unwrap();
        let inbox = mail.meta().by_role(pillarbox::mail::Role::Sent).unwrap().id;
        let email = NewEmail {
            source: Source::Staged(staged),
            mailboxes: vec![inbox],
            flags: Default::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        };
        let email = mail.add(email).await.unwrap().email;
        let envelope = Envelope {
            sender: Address::parse(ANNA).ok(),
            envid: None,
            full: None,
            binary: false,
            created,
            ..Default::default()
        };
        let to = Recipient {
            address: Address::parse(to).unwrap(),
            notify,
            orcpt: None,
        };
        let item = outbound::Item::new(created).unwrap();
        let rows = outbound::rows(item, email, &envelope, vec![to]);
        let commit = pillarbox::mail::Commit {
            hold: vec![email],
            put: Some(Box::new(move |_| rows)),
            ..Default::default()
        };
        mail.commit(commit).await.unwrap();
        outbound::ring();
        email
    })
}

#[test]
fn given_up_after_five_days() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("MAIL").then(|| "451 4.3.0 later".into())
    });
    let server = server(fake.smarthost());
    enqueue(
        &server,
        pillarbox::sys::clock::now() - 6 * 86_400,
        "bob@else.where",
        None,
    );
    let bounce = wait_for_inbox(&server, 1).remove(0);
    assert!(
        bounce.contains("Action: failed\r\nStatus: 4.4.7\r\n"),
        "{bounce}"
    );
    assert!(bounce.contains("451 4.3.0 later"), "{bounce}");
    wait_for_empty_queue(&server);
}

/// Handed in on a board without a battery, before the clock was set.
#[test]
fn mail_from_1970_has_all_its_time() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("MAIL").then(|| "451 4.3.0 later".into())
    });
    let server = server(fake.smarthost());
    let notify = Notify {
        success: false,
        failure: true,
        delay: true,
    };
    enqueue(&server, 1000, "bob@else.where", Some(notify));
    let began = pillarbox::sys::clock::now() - 60;
    let tries = || {
        fake.lines()
            .iter()
            .filter(|line| line.starts_with("MAIL"))
            .count()
    };
    retry_until(|| tries() > 2);
    assert!(texts(&server).is_empty());
    let mut created = Vec::new();
    let reader = server.mail().reader().unwrap();
    reader
        .scan(b"queue/m/", |_, row| {
            created.push(Envelope::decode(row).unwrap().1.created);
            true
        })
        .unwrap();
    assert!(created[0] >= began, "{created:?}");
}

#[test]
fn given_up_when_nobody_answers() {
    let smarthost = Fake::taking_all().smarthost();
    let server = server(smarthost);
    enqueue(
        &server,
        pillarbox::sys::clock::now() - 6 * 86_400,
        "bob@else.where",
        None,
    );
    let bounce = wait_for_inbox(&server, 1).remove(0);
    assert!(bounce.contains("Status: 4.4.7\r\n"), "{bounce}");
    wait_for_empty_queue(&server);
}

#[test]
fn lateness_is_told_once_to_who_asked() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("MAIL").then(|| "451 4.3.0 later".into())
    });
    let server = server(fake.smarthost());
    let notify = Notify {
        success: false,
        failure: true,
        delay: true,
    };
    enqueue(
        &server,
        pillarbox::sys::clock::now() - 5 * 3600,
        "bob@else.where",
        Some(notify),
    );
    let told = wait_for_inbox(&server, 1).remove(0);
    assert!(
        told.contains("Action: delayed\r\nStatus: 4.3.0\r\n"),
        "{told}"
    );
    for tries in 2..4 {
        retry_until(|| {
            fake.lines()
                .iter()
                .filter(|line| line.starts_with("MAIL"))
                .count()
                >= tries
        });
    }
    assert_eq!(texts(&server).len(), 1);
    assert_eq!(queued(&server), 2);
}

#[test]
fn local_recipients_of_jmap_are_delivered() {
    let server = Server::start();
    let notify = Notify {
        success: true,
        failure: true,
        delay: false,
    };
    enqueue(&server, pillarbox::sys::clock::now(), ANNA, Some(notify));
    let texts = wait_for_inbox(&server, 2);
    assert_eq!(
        texts[0],
        "Return-Path: <anna@example.org>\r\nSubject: old\r\n\r\nbody\r\n"
    );
    assert!(texts[1].contains("Action: delivered\r\n"));
    wait_for_empty_queue(&server);
    // An address that is not there (any more).
    enqueue(
        &server,
        pillarbox::sys::clock::now(),
        "bob@example.org",
        None,
    );
    assert!(wait_for_inbox(&server, 3)[2].contains("Status: 5.1.1\r\n"));
    wait_for_empty_queue(&server);
}

/// Who is still to be tried, with every batch of the queue.
fn waiting(server: &Server) -> Vec<String> {
    let mut all = Vec::new();
    let reader = server.mail().reader().unwrap();
    let scan = reader.scan(outbound::BATCHES, |_, row| {
        let batch = outbound::Batch::decode(row).unwrap();
        all.extend(batch.recipients.iter().map(|to| to.address.to_string()));
        true
    });
    scan.unwrap();
    all
}

#[test]
fn no_room_for_a_bounce_sends_nothing_twice() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("RCPT TO:<eve")
            .then(|| "550 5.1.1 no such user".into())
    });
    let smarthost = fake.smarthost();
    let mut server = Server::with(|config| {
        config.smarthost = Some(smarthost);
        // The message fits, a report about it does not.
        config.quota = Some(900);
    });
    let both = ["<bob@else.where>", "<eve@else.where>"];
    submit(&mut logged_in(&server), FROM, &both, "x");
    fake.wait(1);
    let asked = || {
        let lines = fake.lines();
        let rcpt = lines.iter().filter(|line| line.starts_with("RCPT TO:<eve"));
        rcpt.count()
    };
    retry_until(|| asked() > 2);
    assert_eq!(fake.count(), 1, "bob has it");
    assert_eq!(waiting(&server), ["eve@else.where"]);
    // Once there is room, its sender hears of it.
    server.restart_with(|config| config.quota = None);
    retry_until(|| !texts(&server).is_empty());
    wait_for_empty_queue(&server);
    assert!(texts(&server)[0].contains("eve@else.where"));
    assert_eq!(fake.count(), 1);
}

#[test]
fn no_room_for_a_report_keeps_nobody_from_dropping() {
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("RCPT TO:<eve")
            .then(|| "450 4.2.1 not now".into())
    });
    let smarthost = fake.smarthost();
    let server = Server::with(|config| {
        config.smarthost = Some(smarthost);
        config.quota = Some(900);
    });
    let mut client = logged_in(&server);
    submit(&mut client, FROM, &["<eve@else.where>"], "x");
    fake.wait_for_connections(1);
    // The queue is busy with it at first, and does what it was told when it is not.
    let drop = pillarbox::queue::order::give(server.mail(), outbound::Order::Drop, "all");
    assert_eq!(smol::block_on(drop).unwrap(), 1);
    wait_for_empty_queue(&server);
    submit(
        &mut client,
        FROM,
        &["<bob@else.where>"],
        "the queue goes on",
    );
    fake.wait(1);
}

#[test]
fn a_server_that_refuses_and_hangs_up_has_refused() {
    for step in ["MAIL", "RCPT", "."] {
        let gone = std::sync::atomic::AtomicBool::new(false);
        let fake = Fake::start(USUAL, move |_, line| {
            if line.starts_with(step) {
                gone.store(true, std::sync::atomic::Ordering::SeqCst);
                return Some("554 5.7.1 we do not want that".into());
            }
            gone.load(std::sync::atomic::Ordering::SeqCst)
                .then(String::new)
        });
        let server = server(fake.smarthost());
        submit(&mut logged_in(&server), FROM, &["<bob@else.where>"], "x");
        assert!(wait_for_inbox(&server, 1)[0].contains("we do not want that"));
        wait_for_empty_queue(&server);
    }
}
