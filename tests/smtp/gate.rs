//! What strangers have to pass, devices of the local network, and peers behind a proxy.
use super::*;
use crate::crash::disk::Medium;
use crate::harness::dns::Dns;
use pillarbox::config::{Config, Verify};
use pillarbox::mail::Mail;
use pillarbox::smtp::gate::Gate;
use pillarbox::sys::network::Network;

fn loopback() -> Vec<Network> {
    vec![Network::parse("127.0.0.0/8").unwrap()]
}

fn rcpt(server: &Server, from: &str) -> String {
    let mut client = hello(server, Role::Smtp);
    client.ask(&format!("MAIL FROM:<{from}>"), "250");
    client.send("RCPT TO:<anna@example.org>");
    client.line()
}

#[test]
fn block_lists() {
    let dns = Dns::start();
    dns.add("1.0.0.127.bad.test", "A", "127.0.0.2");
    dns.add("1.0.0.127.mute.test", "A", "127.255.255.254");
    let with = |zone: &'static str| {
        let address = dns.address();
        Server::with(move |config| {
            config.dns = vec![address];
            config.verify = Verify::All;
            config.dnsbl = vec!["none.test".into(), zone.into()];
        })
    };
    let answer = rcpt(&with("bad.test"), "a@b.test");
    assert!(
        answer.starts_with("550 5.7.1") && answer.contains("bad.test"),
        "{answer}"
    );
    // A list that refuses to answer blocks nobody.
    assert!(rcpt(&with("mute.test"), "a@b.test").starts_with("250"));
}

#[test]
fn greylisting() {
    let change = |delay| {
        move |config: &mut Config| {
            config.greylist = Some(delay);
            config.verify = Verify::All;
        }
    };
    let server = Server::with(change(300));
    assert!(rcpt(&server, "a@b.test").starts_with("451 4.7.1"));
    assert!(rcpt(&server, "a@b.test").starts_with("451 4.7.1"));
    // Unknown recipients are told at once.
    let mut client = hello(&server, Role::Smtp);
    client.ask("MAIL FROM:<a@b.test>", "250");
    client.ask("RCPT TO:<x@example.org>", "550 5.1.1");
    let server = Server::with(change(0));
    assert!(rcpt(&server, "a@b.test").starts_with("250"));
}

#[test]
fn who_speaks_first_is_sent_away() {
    let server = Server::with(|config| config.greet_delay = Duration::from_millis(500));
    let mut hasty = server.client(Role::Smtp);
    hasty.send("EHLO x");
    hasty.expect("554 ");
    hasty.expect_closed();
    let mut patient = server.client(Role::Smtp);
    patient.expect("220 ");
}

#[test]
fn a_device_needs_nothing() {
    let server = Server::start();
    let mut client = server.client(Role::LanSmtp);
    client.expect("220 ");
    client.ask("HELO printer", "250");
    talk(
        &mut client,
        &[
            ("MAIL FROM:<scan@printer.local>", "250"),
            ("RCPT TO:<x@else.where>", "550 5.7.1"),
            ("RCPT TO:<anna@example.org>", "250"),
            ("DATA", "354"),
            ("Subject: scan\r\n\r\nbody\r\n.", "250"),
        ],
    );
    let text = &texts(&server)[0];
    for field in ["From: scan@printer.local\r\n", "Date: ", "Message-ID: <"] {
        assert!(text.contains(field), "{field}: {text}");
    }
    // To others only where that is wanted.
    let relaying = Server::with(|config| {
        config.lan_relay = true;
        config.direct = true;
    });
    for (sender, answer) in [
        ("scan@printer.local", "550 5.7.1"),
        ("scanner@example.org", "250"),
        ("anna+scan@example.org", "250"),
        ("", "250"),
    ] {
        let mut client = relaying.client(Role::LanSmtp);
        client.expect("220 ");
        client.ask("HELO printer", "250");
        client.ask(&format!("MAIL FROM:<{sender}>"), "250");
        client.ask("RCPT TO:<anna@example.org>", "250");
        client.ask("RCPT TO:<x@else.where>", answer);
    }
    let any = Server::with(|config| {
        config.lan_relay = true;
        config.lan_any_sender = true;
        config.direct = true;
    });
    let mut client = any.client(Role::LanSmtp);
    client.expect("220 ");
    client.ask("HELO printer", "250");
    client.ask("MAIL FROM:<scan@printer.local>", "250");
    client.ask("RCPT TO:<x@else.where>", "250");
    let mut client = hello(&relaying, Role::Smtp);
    client.ask("MAIL FROM:<scan@printer.local>", "250");
    client.ask("RCPT TO:<x@else.where>", "550 5.7.1");
    let closed = Server::with(|config| config.lan = vec![Network::parse("192.0.2.0/24").unwrap()]);
    let mut client = closed.client(Role::LanSmtp);
    client.expect("554 ");
    client.expect_closed();
}

#[test]
fn behind_a_proxy() {
    let dns = Dns::start();
    dns.add("b.test", "TXT", "v=spf1 ip4:198.51.100.7 -all");
    let address = dns.address();
    let server = Server::with(move |config| {
        config.dns = vec![address];
        config.proxies = loopback();
    });
    let mut client = server.client(Role::Smtp);
    client.send("PROXY TCP4 198.51.100.7 192.0.2.1 5000 25");
    client.expect("220 ");
    client.ask("EHLO x", "250 ");
    to_data_from(&mut client, "a@b.test");
    client.send("From: a@b.test\r\n\r\nx\r\n.");
    client.expect("250");
    let text = &texts(&server)[0];
    assert!(
        text.contains("([198.51.100.7])") && text.contains("spf=pass smtp.mailfrom=a@b.test"),
        "{text}"
    );
    // Whatever the proxy says, nobody is of the local network, nor this machine.
    for role in [Role::LanSmtp, Role::Submission] {
        let mut client = server.client(role);
        client.send("PROXY TCP4 127.0.0.1 127.0.0.1 5000 25");
        if role == Role::LanSmtp {
            client.expect("554 ");
            continue;
        }
        client.expect("220 ");
        let lines = client.ask("EHLO x", "250 ");
        assert!(!lines.iter().any(|line| line.contains("AUTH")), "{lines:?}");
    }
    // The header comes before TLS, and has to come.
    let mut client = crate::harness::Client::connect(server.addr(Role::Submissions));
    client.send("PROXY TCP6 2001:db8::1 ::1 5000 465");
    client.start_tls();
    client.expect("220 ");
    let mut client = server.client(Role::Smtp);
    client.send("EHLO somebody.example");
    client.expect_closed();
}

fn to_data_from(client: &mut Client, from: &str) {
    client.ask(&format!("MAIL FROM:<{from}>"), "250");
    client.ask("RCPT TO:<anna@example.org>", "250");
    client.ask("DATA", "354");
}

#[test]
fn guessing_becomes_slow() {
    let server = Server::with(|config| config.tarpit = Duration::from_millis(100));
    let mut client = hello(&server, Role::Smtp);
    client.ask("MAIL FROM:<a@b.test>", "250");
    let start = Instant::now();
    for n in 0..5 {
        client.ask(&format!("RCPT TO:<guess{n}@example.org>"), "550 5.1.1");
    }
    // Two are free; then 100, 200 and 300 ms.
    assert!(start.elapsed() >= Duration::from_millis(600));
    client.ask("RCPT TO:<anna@example.org>", "250");
}

/// A client whom a proxy announces.
fn announced(server: &Server, ip: &str) -> Client {
    let mut client = server.client(Role::Smtp);
    client.send(&format!("PROXY TCP4 {ip} 192.0.2.1 5000 25"));
    client.expect("220 ");
    client.ask("EHLO x", "250 ");
    client
}

#[test]
fn who_came_back_is_remembered_over_a_restart() {
    let mut server = Server::with(|config| {
        config.greylist = Some(0);
        config.verify = Verify::All;
    });
    assert!(rcpt(&server, "a@b.test").starts_with("250"));
    server.restart();
    let row = server.mail().get(b"smtp.greylist").unwrap().unwrap();
    // One sender, who has passed.
    assert!(row.len() == 17 && row[16] == 1, "{row:?}");
}

#[test]
fn a_list_that_vouches_goes_before_the_others() {
    let dns = Dns::start();
    dns.add("1.0.0.127.bad.test", "A", "127.0.0.2");
    dns.add("1.0.0.127.good.test", "A", "127.0.5.1");
    dns.add("1.0.0.127.full.test", "A", "127.0.0.255");
    let with = |good: &'static str| {
        let address = dns.address();
        Server::with(move |config| {
            config.dns = vec![address];
            config.verify = Verify::All;
            config.dnsbl = vec!["bad.test".into()];
            config.dnswl = vec![good.into()];
            config.greylist = Some(300);
        })
    };
    assert!(rcpt(&with("good.test"), "a@b.test").starts_with("250"));
    // 127.0.0.255: asked too often, which vouches for nobody.
    assert!(rcpt(&with("full.test"), "a@b.test").starts_with("550"));
}

#[test]
fn messages_are_counted_by_the_announced_address() {
    let server = Server::with(|config| {
        config.proxies = loopback();
        config.rate_address = 2;
        config.rate_network = 3;
    });
    let mail = |ip: &str, answer: &str| {
        let mut client = announced(&server, ip);
        client.ask("MAIL FROM:<a@b.test>", answer);
    };
    mail("198.51.100.7", "250");
    mail("198.51.100.7", "250");
    mail("198.51.100.7", "451 4.7.1");
    mail("198.51.100.8", "250");
    mail("198.51.100.9", "451 4.7.1");
    mail("192.0.2.9", "250");
    // Without a proxy, this machine may send what it likes.
    let server = Server::with(|config| config.rate_address = 1);
    for _ in 0..3 {
        let mut client = hello(&server, Role::Smtp);
        client.ask("MAIL FROM:<a@b.test>", "250");
    }
}

#[test]
fn connections_are_counted_by_the_announced_address() {
    let server = Server::with(|config| {
        config.proxies = loopback();
        config.max_connections_per_address = 2;
    });
    let one = announced(&server, "198.51.100.7");
    let _two = announced(&server, "198.51.100.7");
    let mut three = server.client(Role::Smtp);
    three.send("PROXY TCP4 198.51.100.7 192.0.2.1 5000 25");
    three.expect("421 4.7.0");
    three.expect_closed();
    // The others behind the same proxy have places of their own, and a place comes back.
    let _other = announced(&server, "198.51.100.8");
    drop(one);
    for tries in 0.. {
        let mut three = server.client(Role::Smtp);
        three.send("PROXY TCP4 198.51.100.7 192.0.2.1 5000 25");
        if three.line().starts_with("220") {
            break;
        }
        assert!(tries < 500);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn guessing_in_many_sessions_becomes_slow_too() {
    let server = Server::with(|config| {
        config.proxies = loopback();
        config.tarpit = Duration::from_millis(100);
    });
    let start = Instant::now();
    for n in 0..4 {
        let mut client = announced(&server, "198.51.100.7");
        client.ask("MAIL FROM:<a@b.test>", "250");
        client.ask(&format!("RCPT TO:<guess{n}@example.org>"), "550 5.1.1");
    }
    // Two are free; then 100 and 200 ms.
    assert!(start.elapsed() >= Duration::from_millis(300));
}

/// Flash wears out by the commit: who passes costs none, and all that is known of them one when the server
/// stops.
#[test]
fn who_passed_is_written_down_together() {
    let medium = Medium::formatted();
    let mail = Mail::open_source(medium.source(), Default::default()).unwrap();
    let passes = |gate: &Gate, delay, n: u32| {
        let sender = format!("{n}@b.test");
        let ip = "192.0.2.1".parse().unwrap();
        gate.greylist(delay, ip, &sender, "anna@example.org")
            .is_ok()
    };
    let gate = Gate::open(&mail);
    smol::block_on(async {
        let before = medium.counts().syncs;
        for n in 0..500 {
            assert!(passes(&gate, 0, n));
            gate.remember(&mail, false).await;
        }
        assert_eq!(medium.counts().syncs, before, "each has its commit");
        gate.remember(&mail, true).await;
        assert_eq!(medium.counts().syncs, before + 1);
        gate.remember(&mail, true).await;
        assert_eq!(medium.counts().syncs, before + 1, "nothing is new");
    });
    let gate = Gate::open(&mail);
    assert!((0..500).all(|n| passes(&gate, 300, n)), "all are known");
    assert!(!passes(&gate, 300, 500));
}
