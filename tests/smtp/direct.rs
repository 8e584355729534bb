//! Mail that goes straight to the servers of its recipients, with DNS and servers of the test's own.
use super::fake::{Fake, USUAL};
use super::*;
use crate::harness::dns::Dns;
use pillarbox::mail::outbound::{self, Order};
use pillarbox::queue::order;

/// A server that sends by MX to this port.
fn server(dns: &Dns, port: u16, sign: bool) -> Server {
    let address = dns.address();
    Server::with(move |config| {
        config.dns = vec![address];
        config.direct = true;
        config.mx_port = port;
        config.sign = sign;
    })
}

fn submit(server: &Server, to: &[&str]) {
    let mut client = logged_in(server);
    client.ask("MAIL FROM:<anna@example.org>", "250");
    for to in to {
        client.ask(&format!("RCPT TO:<{to}>"), "250");
    }
    client.ask("DATA", "354");
    client.ask(
        "From: anna@example.org\r\nSubject: s\r\n\r\nHello \r\n\r\n.",
        "250",
    );
}

/// A port that nobody listens on.
fn dead_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[test]
fn by_mx_in_order_over_tls() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    // The best one does not answer (another loopback address, nobody there), the second does.
    dns.add("b.test", "MX", "20 mx2.b.test")
        .add("b.test", "MX", "10 mx1.b.test")
        .add("mx1.b.test", "A", "127.0.0.9")
        .add("mx2.b.test", "A", "127.0.0.1");
    let server = server(&dns, fake.address().port(), false);
    submit(&server, &["x@b.test", "y@B.test"]);
    let message = fake.wait(1).remove(0);
    assert_eq!(message.envelope.len(), 3, "{:?}", message.envelope);
    wait_for_empty_queue(&server);
    let lines = fake.lines();
    assert!(lines.iter().any(|line| line == "STARTTLS"), "{lines:?}");
    // What was said before TLS is said again behind it.
    assert_eq!(
        lines.iter().filter(|line| line.starts_with("EHLO")).count(),
        2
    );
}

#[test]
fn implicit_mx_and_aliases() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.add("implicit.test", "A", "127.0.0.1");
    dns.add("alias.test", "CNAME", "implicit.test");
    let server = server(&dns, fake.address().port(), false);
    submit(&server, &["x@implicit.test", "x@alias.test"]);
    fake.wait(2);
    wait_for_empty_queue(&server);
    assert!(texts(&server).is_empty());
}

#[test]
fn what_can_never_be_sent_comes_back_at_once() {
    let dns = Dns::start();
    dns.add("null.test", "MX", "0 .")
        .add("loop.test", "MX", "5 mail.example.org");
    dns.add("lost.test", "MX", "5 nowhere.test");
    let server = server(&dns, dead_port(), false);
    for (to, status) in [
        ("x@null.test", "5.1.10"),
        ("x@loop.test", "5.4.6"),
        ("x@nothing.test", "5.1.2"),
        ("x@lost.test", "5.4.4"),
    ] {
        let before = texts(&server).len();
        submit(&server, &[to]);
        let bounce = wait_for_inbox(&server, before + 1).pop().unwrap();
        assert!(
            bounce.contains(&format!("Action: failed\r\nStatus: {status}\r\n")),
            "{bounce}"
        );
        assert!(
            bounce.contains(&format!("Final-Recipient: rfc822;{to}")) || bounce.contains(to),
            "{bounce}"
        );
    }
    wait_for_empty_queue(&server);
}

#[test]
fn a_server_with_broken_tls_gets_it_in_the_clear() {
    let dns = Dns::start();
    let fake = Fake::start(USUAL, |_, line| {
        (line == "STARTTLS").then(|| "454 4.7.0 no TLS today".into())
    });
    dns.add("b.test", "A", "127.0.0.1");
    let server = server(&dns, fake.address().port(), false);
    submit(&server, &["x@b.test"]);
    fake.wait(1);
    wait_for_empty_queue(&server);
}

#[test]
fn the_signatures_verify_where_it_arrives() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.add("b.test", "A", "127.0.0.1");
    let sender = server(&dns, fake.address().port(), true);
    submit(&sender, &["x@b.test"]);
    let message = fake.wait(1).remove(0);
    let text = String::from_utf8(message.raw).unwrap();
    assert_eq!(text.matches("DKIM-Signature: v=1; a=").count(), 2, "{text}");
    // Another of us checks them, with the keys that the sender says to publish.
    let zone = pillarbox::queue::keys::signers(sender.mail()).unwrap();
    for signer in &zone {
        let name = format!("{}._domainkey.example.org", signer.selector());
        dns.add(&name, "TXT", &signer.record());
    }
    dns.add("_dmarc.example.org", "TXT", "v=DMARC1; p=reject");
    let address = dns.address();
    let receiver = Server::with(move |config| {
        config.dns = vec![address];
        config.verify = pillarbox::config::Verify::All;
        config.dmarc = pillarbox::config::Dmarc::Reject;
        config.domains = vec!["b.test".into()];
    });
    let mut client = hello(&receiver, Role::Smtp);
    talk(
        &mut client,
        &[
            ("MAIL FROM:<>", "250"),
            ("RCPT TO:<anna@b.test>", "250"),
            ("DATA", "354"),
        ],
    );
    client.send_raw(text.as_bytes());
    client.expect("250");
    let got = &texts(&receiver)[0];
    assert!(
        got.contains("dkim=pass header.d=example.org header.s=pillarbox-r1 header.a=rsa-sha256"),
        "{got}"
    );
    assert!(
        got.contains(
            "dkim=pass header.d=example.org header.s=pillarbox-e1 header.a=ed25519-sha256"
        ),
        "{got}"
    );
    assert!(got.contains("dmarc=pass header.from=example.org"), "{got}");
}

#[test]
fn new_keys_sign_from_the_switch_on() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.add("b.test", "A", "127.0.0.1");
    let sender = server(&dns, fake.address().port(), true);
    let keys = |step| pillarbox::queue::keys::step(sender.mail(), step).unwrap();
    let selectors = |count: usize| {
        let text = String::from_utf8(fake.wait(count).pop().unwrap().raw).unwrap();
        let found = |selector: &&str| text.contains(&format!(" s={selector};"));
        let all = [
            "pillarbox-r1",
            "pillarbox-e1",
            "pillarbox-r2",
            "pillarbox-e2",
        ];
        all.into_iter().filter(found).collect::<Vec<_>>()
    };
    submit(&sender, &["x@b.test"]);
    assert_eq!(selectors(1), ["pillarbox-r1", "pillarbox-e1"]);
    keys("rotate");
    submit(&sender, &["x@b.test"]);
    assert_eq!(selectors(2), ["pillarbox-r1", "pillarbox-e1"]);
    keys("switch");
    submit(&sender, &["x@b.test"]);
    assert_eq!(selectors(3), ["pillarbox-r2", "pillarbox-e2"]);
}

#[test]
fn one_dead_host_costs_one_connection_and_keeps_nobody_waiting() {
    let dns = Dns::start();
    let fake = Fake::start(USUAL, |_, line| {
        (line == "CONNECT").then(|| "421 4.3.2 not now".into())
    });
    let well = Fake::start(USUAL, |_, _| None);
    dns.add("dead.test", "A", "127.0.0.1");
    let (address, port) = (dns.address(), fake.address().port());
    let way = well.smarthost();
    let server = Server::with(move |config| {
        config.dns = vec![address];
        config.direct = true;
        config.mx_port = port;
        config.routes = vec![pillarbox::config::DomainRoute {
            domain: "well.test".into(),
            host: Some(way),
        }];
    });
    let (retries, begun) = (outbound::retries(), Instant::now());
    let mut client = logged_in(&server);
    for number in 0..1000 {
        client.send_raw(
            format!("MAIL FROM:<anna@example.org>\r\nRCPT TO:<n{number}@dead.test>\r\nDATA\r\n")
                .as_bytes(),
        );
        for code in ["250", "250", "354"] {
            client.expect(code);
        }
        client.ask("Subject: s\r\n\r\nx\r\n.", "250");
    }
    submit(&server, &["x@well.test"]);
    well.wait(1);
    let dead = order::list(server.mail()).unwrap();
    assert_eq!(
        dead.iter()
            .filter(|line| line.contains("/dead.test"))
            .count(),
        1000
    );
    // Other tests of this process may have asked for everything to be tried, too.
    // And new mail gives it another chance after a minute.
    let bound = || {
        let rests = begun.elapsed().as_secs() / u64::from(pillarbox::limits::LANE_REST);
        1 + (outbound::retries() - retries) as usize + rests as usize
    };
    assert!(fake.connections() <= bound());
    for tries in 2..4 {
        outbound::retry_all();
        fake.wait_for_connections(tries);
        submit(&server, &["x@well.test"]);
        well.wait(tries);
        assert!(fake.connections() <= bound());
    }
}

#[test]
fn orders_are_obeyed() {
    let dns = Dns::start();
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("MAIL").then(|| "451 4.3.0 later".into())
    });
    dns.add("a.test", "A", "127.0.0.1")
        .add("b.test", "A", "127.0.0.1");
    let server = server(&dns, fake.address().port(), false);
    submit(&server, &["x@a.test", "x@b.test"]);
    let mails = |domain: &str| {
        fake.lines()
            .iter()
            .filter(|line| line.contains(&format!("@{domain}>")))
            .count()
    };
    let wait = |what: &str, done: &dyn Fn(&[String]) -> bool| {
        let until = Instant::now() + crate::harness::PATIENCE;
        loop {
            let lines = order::list(server.mail()).unwrap();
            if done(&lines) {
                return lines;
            }
            assert!(Instant::now() < until, "{what}: {lines:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let lines = wait("tried", &|lines| {
        lines.iter().all(|line| line.contains("451 4.3.0 later"))
    });
    let id = lines[0].split('/').next().unwrap().to_owned();
    let give = |order: Order, which: &str| {
        smol::block_on(order::give(server.mail(), order, which)).unwrap()
    };
    assert_eq!(give(Order::Hold, &id), 2);
    wait("held", &|lines| {
        lines.iter().all(|line| line.contains("held"))
    });
    // Held mail stays, also when everything is tried again.
    let before = mails("a.test");
    outbound::retry_all();
    assert_eq!(give(Order::Retry, &format!("{id}/b.test")), 1);
    wait("tried again", &|lines| {
        lines.iter().any(|line| line.contains("2 attempts"))
    });
    assert_eq!(mails("a.test"), before);
    assert_eq!(give(Order::Retry, "0000"), 0);
    let shown = order::show(server.mail(), &id).unwrap();
    assert!(
        shown[0].contains("anna@example.org") && shown.len() == 5,
        "{shown:?}"
    );
    assert_eq!(give(Order::Drop, "all"), 2);
    wait("dropped", &|lines| lines.is_empty());
    wait_for_empty_queue(&server);
    let told = wait_for_inbox(&server, 2);
    assert!(
        told.iter()
            .all(|text| text.contains("taken out of the queue by hand")),
        "{told:?}"
    );
}

#[test]
fn without_answers_from_the_dns_it_waits() {
    let dns = Dns::start();
    dns.fail("b.test");
    let server = server(&dns, dead_port(), false);
    submit(&server, &["x@b.test"]);
    let until = Instant::now() + crate::harness::PATIENCE;
    while dns.asked().is_empty() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(order::list(server.mail()).unwrap().len(), 1);
    assert!(texts(&server).is_empty());
}

#[test]
fn who_greets_with_5yz_is_not_asked_again() {
    for code in ["554 5.3.2 no mail here", "521 no mail here"] {
        let dns = Dns::start();
        let fake = Fake::start(USUAL, move |_, line| {
            (line == "CONNECT").then(|| code.to_owned())
        });
        dns.add("b.test", "A", "127.0.0.1");
        let server = server(&dns, fake.address().port(), false);
        submit(&server, &["x@b.test"]);
        let report = wait_for_inbox(&server, 1).remove(0);
        assert!(report.contains("Status: 5.3.2\r\n") && report.contains("no mail here"));
        wait_for_empty_queue(&server);
        assert_eq!(fake.connections(), 1);
    }
}

#[test]
fn the_next_host_is_asked_after_a_5yz_greeting() {
    let dns = Dns::start();
    let fake = Fake::start(USUAL, |number, line| {
        (line == "CONNECT" && number == 0).then(|| "554 5.3.2 not me".into())
    });
    dns.add("b.test", "MX", "1 mx1.b.test")
        .add("b.test", "MX", "2 mx2.b.test");
    dns.add("mx1.b.test", "A", "127.0.0.1")
        .add("mx2.b.test", "A", "127.0.0.1");
    let server = server(&dns, fake.address().port(), false);
    submit(&server, &["x@b.test"]);
    fake.wait(1);
    wait_for_empty_queue(&server);
    // One that says never, one that does not answer: it may yet come.
    let dns = Dns::start();
    let fake = Fake::start(USUAL, |_, line| {
        (line == "CONNECT").then(|| "554 5.3.2 not me".into())
    });
    dns.add("b.test", "MX", "1 mx1.b.test")
        .add("b.test", "MX", "2 mx2.b.test");
    dns.add("mx1.b.test", "A", "127.0.0.1")
        .add("mx2.b.test", "A", "127.0.0.9");
    let server = self::server(&dns, fake.address().port(), false);
    submit(&server, &["x@b.test"]);
    fake.wait_for_connections(1);
    assert_eq!(order::list(server.mail()).unwrap().len(), 1);
    assert!(texts(&server).is_empty());
}
