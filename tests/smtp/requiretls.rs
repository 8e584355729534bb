//! REQUIRETLS (RFC 8689): what the sender wants of every hop.
use super::fake::{Fake, USUAL};
use super::secure::{publish, server, sha256};
use super::*;
use crate::harness::dns::Dns;
use pillarbox::queue::order;

const PROMISING: &[&str] = &["PIPELINING", "STARTTLS", "REQUIRETLS", "DSN"];

fn submit(server: &Server, mail: &str, header: &str) {
    let mut client = logged_in(server);
    client.ask(mail, "250");
    client.ask("RCPT TO:<x@b.test>", "250");
    client.ask("DATA", "354");
    client.ask(
        &format!("From: anna@example.org\r\n{header}\r\nHello\r\n."),
        "250",
    );
}

const REQUIRED: &str = "MAIL FROM:<anna@example.org> RET=FULL REQUIRETLS";

#[test]
fn only_under_tls() {
    let server = Server::start();
    let mut client = server.client(Role::Smtp);
    client.expect("220");
    let lines = client.ask("EHLO x", "250 ");
    assert!(!lines.iter().any(|line| line.contains("REQUIRETLS")));
    talk(
        &mut client,
        &[
            ("MAIL FROM:<a@b.test> REQUIRETLS", "530 5.7.10"),
            ("MAIL FROM:<a@b.test> REQUIRETLS=x", "501"),
            ("STARTTLS", "220"),
        ],
    );
    client.start_tls();
    let lines = client.ask("EHLO x", "250 ");
    assert!(lines.iter().any(|line| line.ends_with("REQUIRETLS")));
    talk(&mut client, &[("MAIL FROM:<a@b.test> REQUIRETLS", "250")]);
}

#[test]
fn goes_to_who_is_proved_and_promises() {
    let (dns, fake) = (Dns::start(), Fake::start(PROMISING, |_, _| None));
    dns.secure();
    let tlsa = format!("3 0 1 {}", sha256(fake.certificate()));
    publish(&dns, &fake, Some(&tlsa));
    let server = server(&dns, &fake, |_| {});
    submit(&server, REQUIRED, "");
    submit(&server, "MAIL FROM:<anna@example.org>", "");
    let mut messages = fake.wait(2);
    messages.sort_by_key(|message| message.envelope[0].len());
    assert!(!messages[0].envelope[0].contains("REQUIRETLS"));
    assert!(messages[1].envelope[0].contains(" REQUIRETLS"));
    wait_for_empty_queue(&server);
}

/// What the report says; it has no body of the message.
fn refused(server: &Server, status: &str) {
    let report = wait_for_inbox(server, 1).remove(0);
    assert!(
        report.contains(&format!("Status: {status}\r\n")),
        "{report}"
    );
    assert!(report.contains("text/rfc822-headers") && !report.contains("Hello"));
    wait_for_empty_queue(server);
}

#[test]
fn comes_back_where_nobody_promises() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.secure();
    let tlsa = format!("3 0 1 {}", sha256(fake.certificate()));
    publish(&dns, &fake, Some(&tlsa));
    let server = server(&dns, &fake, |_| {});
    submit(&server, REQUIRED, "");
    refused(&server, "5.7.30");
    assert_eq!(fake.count(), 0);
}

#[test]
fn comes_back_where_nothing_is_proved() {
    // The host; the certificate; TLS.
    let plain: &[&str] = &["REQUIRETLS"];
    for (secure, data, offers) in [
        (false, true, PROMISING),
        (true, false, PROMISING),
        (true, true, plain),
    ] {
        let (dns, fake) = (Dns::start(), Fake::start(offers, |_, _| None));
        if secure {
            dns.secure();
        }
        let right = match data {
            true => sha256(fake.certificate()),
            false => sha256(b"another"),
        };
        publish(&dns, &fake, Some(&format!("3 0 1 {right}")));
        let server = server(&dns, &fake, |_| {});
        submit(&server, REQUIRED, "");
        refused(&server, "5.7.10");
        assert_eq!(fake.count(), 0);
    }
}

#[test]
fn a_host_that_is_away_is_waited_for() {
    let dns = Dns::start();
    let fake = Fake::start(PROMISING, |_, line| {
        (line == "CONNECT").then(|| "421 4.3.2 later".into())
    });
    dns.secure();
    let tlsa = format!("3 0 1 {}", sha256(fake.certificate()));
    publish(&dns, &fake, Some(&tlsa));
    let server = server(&dns, &fake, |_| {});
    submit(&server, REQUIRED, "");
    fake.wait_for_connections(1);
    assert_eq!(order::list(server.mail()).unwrap().len(), 1);
    assert!(texts(&server).is_empty());
}

#[test]
fn who_does_not_need_it_gets_through() {
    // DANE would keep it here.
    let refusing = |_: usize, line: &str| (line == "STARTTLS").then(|| "454 4.7.0 no".into());
    let (dns, fake) = (Dns::start(), Fake::start(USUAL, refusing));
    dns.secure();
    publish(&dns, &fake, Some(&format!("3 0 1 {}", sha256(b"another"))));
    let server = server(&dns, &fake, |_| {});
    submit(
        &server,
        "MAIL FROM:<anna@example.org>",
        "tls-required:\r\n no\r\n",
    );
    fake.wait(1);
    wait_for_empty_queue(&server);
    // The parameter goes before the field; what is no "No" is nothing.
    submit(&server, REQUIRED, "TLS-Required: No\r\n");
    refused(&server, "5.7.10");
    submit(
        &server,
        "MAIL FROM:<anna@example.org>",
        "TLS-Required: No\r\nTLS-Required: No\r\n",
    );
    fake.wait_for_connections(4);
    assert_eq!(fake.count(), 1);
}

/// RFC 8689 §6: what answers by itself wants what was wanted.
#[test]
fn an_automatic_answer_wants_it_too() {
    let (dns, fake) = (Dns::start(), Fake::start(PROMISING, |_, _| None));
    dns.secure();
    let tlsa = format!("3 0 1 {}", sha256(fake.certificate()));
    publish(&dns, &fake, Some(&tlsa));
    let server = server(&dns, &fake, |_| {});
    let away = serde_json::json!({ "isEnabled": true, "textBody": "I am away." });
    crate::jmap::Jmap::new(&server).call(
        "VacationResponse/set",
        serde_json::json!({ "update": { "singleton": away } }),
    );
    let mut client = hello(&server, Role::Smtp);
    talk(&mut client, &[("STARTTLS", "220")]);
    client.start_tls();
    client.ask("EHLO mx.b.test", "250 ");
    for line in [
        "MAIL FROM:<x@b.test> REQUIRETLS",
        "RCPT TO:<anna@example.org>",
    ] {
        client.ask(line, "250");
    }
    client.ask("DATA", "354");
    client.ask(
        "From: x@b.test\r\nTo: anna@example.org\r\nSubject: s\r\n\r\nHello\r\n.",
        "250",
    );
    let answer = fake.wait(1).remove(0);
    assert!(answer.envelope[0].starts_with("MAIL FROM:<>"));
    assert!(answer.envelope[0].contains(" REQUIRETLS"));
}
