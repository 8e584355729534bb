//! SPF, DKIM, DMARC and ARC of mail that comes in, with a DNS server of the test's own.
use super::*;
use crate::harness::dns::Dns;
use pillarbox::config::{Dmarc, Verify};

/// RFC 8463 appendix A.3, with what our own server would never say in front.
const SIGNED: &str = include_str!("../data/rfc8463.eml");

const ED: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn server(dns: &Dns, dmarc: Dmarc) -> Server {
    let address = dns.address();
    Server::with(move |config| {
        config.dns = vec![address];
        config.verify = Verify::All;
        config.dmarc = dmarc;
    })
}

fn zone() -> Dns {
    let dns = Dns::start();
    dns.add("brisbane._domainkey.football.example.com", "TXT", ED);
    dns.add("_dmarc.football.example.com", "TXT", "v=DMARC1; p=reject");
    dns.add("football.example.com", "TXT", "v=spf1 ip4:127.0.0.1 -all");
    dns.add("1.0.0.127.in-addr.arpa", "PTR", "mx.football.example.com");
    dns.add("mx.football.example.com", "A", "127.0.0.1");
    dns
}

/// Sends a message from this address; gives the last answer.
fn send(server: &Server, from: &str, text: &str) -> String {
    let mut client = hello(server, Role::Smtp);
    client.patience(Duration::from_secs(60));
    talk(
        &mut client,
        &[
            (&format!("MAIL FROM:<{from}>"), "250 2.1.0"),
            ("RCPT TO:<anna@example.org>", "250 2.1.5"),
            ("DATA", "354 "),
        ],
    );
    client.send_raw(text.as_bytes());
    client.send(".");
    client.line()
}

/// Where the one message is, and its text.
fn filed(server: &Server, role: pillarbox::mail::Role) -> Vec<String> {
    let meta = server.mail().meta();
    let mailbox = meta.by_role(role).unwrap().id;
    let reader = server.mail().reader().unwrap();
    let mut texts = Vec::new();
    reader
        .rows(mailbox, 1, u32::MAX, |row| {
            let message = reader.message(row.email).unwrap().unwrap();
            let mut out = Vec::new();
            while reader
                .read(&message, out.len() as u32, 65_536, &mut out)
                .unwrap()
                > 0
            {}
            texts.push(String::from_utf8_lossy(&out).into_owned());
            true
        })
        .unwrap();
    texts
}

use pillarbox::mail::Role as Mailbox;

#[test]
fn results_are_told() {
    let dns = zone();
    let server = server(&dns, Dmarc::Reject);
    let forged = "Authentication-Results: mail.example.org; dmarc=pass header.from=bank.test\r\n\
                  Authentication-Results: other.test; spf=pass\r\n";
    let answer = send(
        &server,
        "joe@football.example.com",
        &format!("{forged}{SIGNED}"),
    );
    assert!(answer.starts_with("250 2.0.0"), "{answer}");
    let text = &filed(&server, Mailbox::Inbox)[0];
    let head = text
        .strip_prefix("Return-Path: <joe@football.example.com>\r\n")
        .unwrap();
    assert!(
        head.starts_with(
            "Authentication-Results: mail.example.org;\r\n\
             \tiprev=pass (mx.football.example.com) policy.iprev=127.0.0.1;\r\n\
             \tspf=pass smtp.mailfrom=joe@football.example.com;\r\n\
             \tdkim=pass header.d=football.example.com header.s=brisbane header.a=ed25519-sha256\
             \x20header.b=/gCrinpc;\r\n\
             \tdkim=permerror (no key) header.d=football.example.com header.s=test\
             \x20header.a=rsa-sha256 header.b=F45dVWDf;\r\n\
             \tdmarc=pass header.from=football.example.com\r\nReceived: from "
        ),
        "{head}"
    );
    // What was said in our name is gone, the rest is as it came.
    assert!(!text.contains("bank.test"));
    assert!(text.ends_with(&format!(
        "Authentication-Results: other.test; spf=pass\r\n{SIGNED}"
    )));
}

#[test]
fn what_the_domain_refuses_is_refused_or_put_aside() {
    let mangled = SIGNED.replace("lost", "won");
    let dns = zone();
    let strict = server(&dns, Dmarc::Reject);
    let answer = send(&strict, "a@else.where", &mangled);
    assert!(answer.starts_with("550 5.7.1"), "{answer}");
    assert!(answer.contains("football.example.com"), "{answer}");
    // RFC 7208 §6.2: the words of the sender's domain, as its words.
    dns.add("other.where", "TXT", "v=spf1 exp=why.%{d} -all");
    dns.add("why.other.where", "TXT", "%{i} is not ours (%{r})");
    let answer = send(&strict, "a@other.where", &mangled);
    let words = "; other.where explains: 127.0.0.1 is not ours (mail.example.org)";
    assert!(answer.ends_with(words), "{answer}");
    assert!(filed(&strict, Mailbox::Inbox).is_empty());
    // SPF of the author's own domain is enough.
    assert!(send(&strict, "joe@football.example.com", &mangled).starts_with("250"));
    let mild = server(&dns, Dmarc::Junk);
    assert!(send(&mild, "a@else.where", &mangled).starts_with("250"));
    let text = &filed(&mild, Mailbox::Junk)[0];
    assert!(
        text.contains("dkim=fail (body hash did not verify)"),
        "{text}"
    );
    assert!(
        text.contains("dmarc=fail (p=reject) header.from=football.example.com"),
        "{text}"
    );
    let deaf = server(&dns, Dmarc::Ignore);
    assert!(send(&deaf, "a@else.where", &mangled).starts_with("250"));
    assert_eq!(filed(&deaf, Mailbox::Inbox).len(), 1);
}

/// RFC 7489 §6.3, §6.6.3: whose record holds, and which of its words.
#[test]
fn policies_of_subdomains_and_samples() {
    let dns = Dns::start();
    for (name, text) in [
        (
            "_dmarc.strict.test",
            "v=DMARC1; p=reject; sp=quarantine; np=reject",
        ),
        ("_dmarc.own.strict.test", "v=DMARC1; p=none"),
        ("_dmarc.sampled.test", "v=DMARC1; p=reject; pct=0"),
        ("_dmarc.trial.test", "v=DMARC1; p=reject; t=y"),
        ("_dmarc.twice.test", "v=DMARC1; p=reject"),
        ("_dmarc.twice.test", "v=DMARC1; p=none"),
    ] {
        dns.add(name, "TXT", text);
    }
    dns.add("here.strict.test", "A", "192.0.2.1");
    let server = server(&dns, Dmarc::Reject);
    for (from, code, words) in [
        ("strict.test", "550 5.7.1", ""),
        ("here.strict.test", "250 ", "dmarc=fail (p=quarantine)"),
        ("nowhere.strict.test", "550 5.7.1", ""),
        ("own.strict.test", "250 ", "dmarc=fail (p=none)"),
        ("sampled.test", "250 ", "dmarc=fail (p=quarantine)"),
        ("trial.test", "250 ", "dmarc=fail (p=quarantine)"),
        ("twice.test", "250 ", "dmarc=none"),
        ("silent.test", "250 ", "dmarc=none"),
    ] {
        let answer = send(&server, "", &format!("From: a@{from}\r\n\r\nx\r\n"));
        assert!(answer.starts_with(code), "{from}: {answer}");
        let role = match words {
            "" => continue,
            _ if words.contains("quarantine") => Mailbox::Junk,
            _ => Mailbox::Inbox,
        };
        let text = filed(&server, role).pop().unwrap();
        let words = format!("{words} header.from={from}");
        assert!(text.contains(&words), "{words}: {text}");
    }
}

#[test]
fn a_dns_that_fails_loses_no_mail() {
    let dns = Dns::start();
    for name in [
        "brisbane._domainkey.football.example.com",
        "test._domainkey.football.example.com",
        "football.example.com",
        "_dmarc.football.example.com",
        "1.0.0.127.in-addr.arpa",
    ] {
        dns.fail(name);
    }
    let server = server(&dns, Dmarc::Reject);
    assert!(send(&server, "joe@football.example.com", SIGNED).starts_with("250"));
    let text = &filed(&server, Mailbox::Inbox)[0];
    for part in [
        "iprev=temperror",
        "spf=temperror",
        "dkim=temperror",
        "dmarc=temperror",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// RFC 7208 §4.6.4, RFC 6376 §3.9: nobody waits for ever; what is not known in time is a temperror.
#[test]
fn a_dns_that_says_nothing_is_not_waited_for() {
    let dns = Dns::start();
    for name in [
        "brisbane._domainkey.football.example.com",
        "test._domainkey.football.example.com",
        "football.example.com",
        "_dmarc.football.example.com",
        "1.0.0.127.in-addr.arpa",
    ] {
        dns.mute(name);
    }
    let server = server(&dns, Dmarc::Reject);
    let start = Instant::now();
    assert!(send(&server, "joe@football.example.com", SIGNED).starts_with("250"));
    let bound = pillarbox::limits::VERIFY_TIME + pillarbox::limits::DNS_TIME;
    assert!(start.elapsed() < bound, "{:?}", start.elapsed());
    let text = &filed(&server, Mailbox::Inbox)[0];
    for part in [
        "iprev=temperror",
        "spf=temperror",
        "dkim=temperror",
        "dmarc=temperror",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn without_an_author_it_is_junk() {
    let dns = Dns::start();
    let server = server(&dns, Dmarc::Junk);
    assert!(send(&server, "", "Subject: x\r\n\r\nbody\r\n").starts_with("250"));
    let text = &filed(&server, Mailbox::Junk)[0];
    assert!(text.contains("spf=none smtp.helo=client.example"), "{text}");
    assert!(
        text.contains("dkim=none;\r\n\tdmarc=permerror\r\n"),
        "{text}"
    );
}

#[test]
fn the_local_network_and_submissions_are_not_checked() {
    let server = Server::start();
    assert!(send(&server, "a@b.test", "From: a@b.test\r\n\r\nx\r\n").starts_with("250"));
    let mut client = logged_in(&server);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<anna@example.org>", "250"),
            ("RCPT TO:<anna@example.org>", "250"),
            ("DATA", "354"),
            (
                "Authentication-Results: mail.example.org; dmarc=pass\r\nFrom: anna@example.org\r\n\r\nx\r\n.",
                "250",
            ),
        ],
    );
    let texts = filed(&server, Mailbox::Inbox);
    assert_eq!(texts.len(), 2);
    assert!(
        texts
            .iter()
            .all(|text| !text.contains("Authentication-Results"))
    );
}

/// RFC 3461 §4.1: success is reported to a stranger who asks for it, but only to an address that SPF
/// proves: nobody is written to in another's name.
#[test]
fn success_is_reported_to_whose_address_is_proved() {
    let dns = zone();
    let fake = super::fake::Fake::taking_all();
    let (address, smarthost) = (dns.address(), fake.smarthost());
    let server = Server::with(move |config| {
        config.dns = vec![address];
        config.verify = Verify::All;
        config.dmarc = Dmarc::Ignore;
        config.smarthost = Some(smarthost);
    });
    let mut client = hello(&server, Role::Smtp);
    let mut send = |from: &str| {
        talk(
            &mut client,
            &[
                (&format!("MAIL FROM:<{from}> ENVID=QQ314159"), "250 2.1.0"),
                ("RCPT TO:<anna@example.org> NOTIFY=SUCCESS", "250 2.1.5"),
                ("DATA", "354 "),
                ("Subject: hello\r\n\r\nx\r\n.", "250 2.0.0"),
            ],
        );
    };
    send("eve@no-such-domain.test");
    send("joe@football.example.com");
    let reports = fake.wait(1);
    super::wait_for_empty_queue(&server);
    assert_eq!(reports.len(), 1);
    let report = &reports[0];
    assert!(
        report.envelope[0].starts_with("MAIL FROM:<>"),
        "{:?}",
        report.envelope
    );
    assert!(report.envelope[1].starts_with("RCPT TO:<joe@football.example.com>"));
    let text = String::from_utf8_lossy(&report.raw).into_owned();
    for part in [
        "To: <joe@football.example.com>\r\n",
        "Original-Envelope-Id: QQ314159\r\n",
        "Final-Recipient: rfc822; anna@example.org\r\n",
        "Action: delivered\r\n",
        "Status: 2.1.5\r\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.starts_with("Return-Path"));
    // Both have arrived, and no report stays here.
    assert_eq!(filed(&server, Mailbox::Inbox).len(), 2);
}
