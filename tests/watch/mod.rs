//! The box looks after itself: what it warns of, how often, and what a full disk still lets one do.
mod low;
mod notify;

use crate::harness::{Client, PATIENCE, Server};
use crate::smtp::wait_for_inbox;
use pillarbox::config::{Config, Role, Smarthost, SmarthostTls};
use std::fs;
use std::time::{Duration, Instant};

/// The row that says what was told; its first octet has a bit for each trouble that lasts.
const KEY: &[u8] = b"server.warned";

/// Warnings without the waiting.
pub fn soon(config: &mut Config) {
    config.warn.on = true;
    config.warn.disk = Some(0);
    config.warn.pause = Duration::from_millis(10);
    config.warn.certificate = Duration::ZERO;
}

/// Something is written, which makes it look.
fn poke(server: &Server) {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("box {n}");
    let mut c = Client::connect(server.addr(Role::Imap));
    c.expect("* OK");
    c.ask("a LOGIN anna \"correct horse\"", "a OK");
    c.ask(&format!("b CREATE \"{name}\""), "b OK");
}

/// Waits until nothing but this is told of.
#[track_caller]
fn wait_for_told(server: &Server, bits: u8) {
    let until = Instant::now() + PATIENCE;
    loop {
        let row = server.mail().get(KEY).unwrap().unwrap_or_default();
        let told = row.first().copied().unwrap_or(0);
        if told == bits {
            return;
        }
        assert!(Instant::now() < until, "told is {told}, not {bits}");
        poke(server);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_warning_comes_once_until_it_is_over() {
    let full = |config: &mut Config| config.warn.disk = Some(u64::MAX / 2);
    let mut server = Server::with(|config| {
        soon(config);
        full(config);
    });
    let told = wait_for_inbox(&server, 1);
    for words in [
        "Return-Path: <>\r\nFrom: Pillarbox <postmaster@example.org>\r\nTo: <anna@example.org>\r\n",
        "\r\nSubject: mail.example.org: the disk is nearly full: ",
        "\r\nAuto-Submitted: auto-generated\r\n",
        "What to do: delete what is not needed",
    ] {
        assert!(told[0].contains(words), "{words} in {}", told[0]);
    }
    // After a restart another trouble is told of, and this one is not.
    let (cert, key) = (server.dir().join("a.crt"), server.dir().join("a.key"));
    certificate(&server, 5);
    server.restart_with(|config| config.cert = Some((cert, key)));
    let told = wait_for_inbox(&server, 2);
    assert!(
        told[1].contains(": the certificate ends in "),
        "{}",
        told[1]
    );
    assert!(!told[1].contains("the disk"), "{}", told[1]);
    wait_for_told(&server, 1 | 2);
    // Over; and it comes back.
    server.restart_with(|config| config.warn.disk = Some(0));
    wait_for_told(&server, 2);
    server.restart_with(full);
    let told = wait_for_inbox(&server, 3);
    assert!(
        told[2].contains("Subject: mail.example.org: the disk is nearly full"),
        "{}",
        told[2]
    );
    assert_eq!(told.len(), 3);
}

/// Writes a.crt and a.key that hold for so many days.
fn certificate(server: &Server, days: i64) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["mail.example.org".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(days);
    let cert = params.self_signed(&key).unwrap();
    let dir = server.dir();
    fs::write(dir.join("a.key"), key.serialize_pem()).unwrap();
    fs::write(dir.join("a.crt"), cert.pem()).unwrap();
}

#[test]
fn certificates() {
    let mut server = Server::with(soon);
    let (cert, key) = (server.dir().join("a.crt"), server.dir().join("a.key"));
    certificate(&server, -1);
    let files = (cert.clone(), key);
    server.restart_with(|config| config.cert = Some(files));
    let told = wait_for_inbox(&server, 1);
    assert!(
        told[0].contains("Subject: mail.example.org: the certificate has expired\r\n"),
        "{}",
        told[0]
    );
    let shown = |server: &Server| server.client(Role::Imaps).fingerprint();
    let old = shown(&server);
    fs::write(&cert, "not a certificate").unwrap();
    poke(&server);
    let told = wait_for_inbox(&server, 2);
    assert!(
        told[1].contains(": the certificate's files cannot be read\r\n"),
        "{}",
        told[1]
    );
    assert!(told[1].contains("a.crt"), "{}", told[1]);
    assert_eq!(shown(&server), old);
    // A renewed one is taken up without anybody's doing.
    certificate(&server, 90);
    wait_for_told(&server, 0);
    assert_ne!(shown(&server), old);
}

#[test]
fn mail_that_cannot_be_sent() {
    let server = Server::with(|config| {
        soon(config);
        config.warn.queue = 0;
        config.smarthost = Some(Smarthost {
            host: "127.0.0.1".into(),
            port: 1,
            tls: SmarthostTls::None,
            login: None,
            token: None,
            ca: None,
        });
    });
    let mut c = Client::connect(server.addr(Role::Submission));
    c.expect("220");
    c.ask("EHLO x", "250 ");
    c.ask("AUTH PLAIN AGFubmEAY29ycmVjdCBob3JzZQ==", "235");
    c.ask("MAIL FROM:<anna@example.org>", "250");
    c.ask("RCPT TO:<bob@else.where>", "250");
    c.ask("DATA", "354");
    c.send_raw(b"Subject: out\r\n\r\nHello.\r\n.\r\n");
    c.expect("250");
    let until = Instant::now() + PATIENCE;
    while crate::smtp::texts(&server).is_empty() {
        assert!(Instant::now() < until, "no warning");
        poke(&server);
        std::thread::sleep(Duration::from_millis(100));
    }
    let told = wait_for_inbox(&server, 1);
    assert!(
        told[0].contains("Subject: mail.example.org: mail waits in the queue\r\n"),
        "{}",
        told[0]
    );
    assert!(
        told[0].contains("bob@else.where") && told[0].contains("pillarbox queue"),
        "{}",
        told[0]
    );
}

#[test]
fn log_ins_that_failed() {
    let server = Server::with(|config| {
        soon(config);
        config.warn.logins = 2;
    });
    for word in ["one", "two"] {
        let mut c = Client::connect(server.addr(Role::Imap));
        c.expect("* OK");
        c.ask(&format!("a LOGIN anna {word}"), "a NO");
    }
    poke(&server);
    let told = wait_for_inbox(&server, 1);
    assert!(
        told[0].contains("Subject: mail.example.org: 2 log-ins failed\r\n"),
        "{}",
        told[0]
    );
    assert!(told[0].contains("         2  127.0.0.1\r\n"), "{}", told[0]);
    // Once a day at most. That it has looked again is seen by another trouble.
    for word in ["three", "four"] {
        let mut c = Client::connect(server.addr(Role::Imap));
        c.expect("* OK");
        c.ask(&format!("a LOGIN anna {word}"), "a NO");
    }
    let mut server = server;
    server.restart_with(|config| config.warn.disk = Some(u64::MAX / 2));
    let told = wait_for_inbox(&server, 2);
    assert!(
        told[1].contains("the disk is nearly full") && !told[1].contains("log-ins"),
        "{}",
        told[1]
    );
}
