//! The resolver against a real server.
use crate::harness::dns::Dns;
use pillarbox::dns::{Answer, Data, Found, Kind, Question, Resolver};

fn ask(resolver: &Resolver, name: &str, kind: Kind) -> Answer {
    smol::block_on(resolver.ask(&Question::new(name, kind)))
}

fn resolver(dns: &Dns) -> Resolver {
    Resolver::new(vec![dns.address()]).trusting(true)
}

#[test]
fn records_and_the_lack_of_them_are_remembered() {
    let dns = Dns::start();
    dns.add("a.test", "A", "192.0.2.1")
        .add("b.test", "CNAME", "a.test");
    let resolver = resolver(&dns);
    for _ in 0..3 {
        let found = ask(&resolver, "B.Test.", Kind::A);
        assert_eq!(found.records(), [Data::A([192, 0, 2, 1].into())]);
        assert!(!found.secure);
        assert_eq!(ask(&resolver, "a.test", Kind::Mx).found, Found::NoData);
        assert_eq!(ask(&resolver, "c.test", Kind::A).found, Found::NoName);
    }
    assert_eq!(dns.asked().len(), 3);
    // No name at all: nobody is asked.
    assert_eq!(ask(&resolver, "a..b", Kind::A).found, Found::Failed);
    assert_eq!(dns.asked().len(), 3);
}

#[test]
fn long_answers_come_over_tcp() {
    let dns = Dns::start();
    dns.secure();
    let text = "x".repeat(3000);
    dns.add("long.test", "TXT", &text);
    let found = ask(&resolver(&dns), "long.test", Kind::Txt);
    assert_eq!(found.records(), [Data::Txt(text.into_bytes())]);
    assert!(found.secure);
    let ways: Vec<bool> = dns.asked().iter().map(|(.., tcp)| *tcp).collect();
    assert_eq!(ways, [false, true]);
}

#[test]
fn forgeries_are_passed_over() {
    let dns = Dns::start();
    dns.forge();
    dns.add("a.test", "AAAA", "2001:db8::1");
    let found = ask(&resolver(&dns), "a.test", Kind::Aaaa);
    assert_eq!(
        found.records(),
        [Data::Aaaa("2001:db8::1".parse().unwrap())]
    );
}

#[test]
fn a_server_that_loses_the_letter_case_is_asked_over_tcp() {
    let dns = Dns::start();
    dns.lose_case();
    dns.add("some.longer.name.test", "A", "192.0.2.7");
    let found = ask(&resolver(&dns), "some.longer.name.test", Kind::A);
    assert_eq!(found.records(), [Data::A([192, 0, 2, 7].into())]);
    assert!(dns.asked().iter().any(|(.., tcp)| *tcp));
}

#[test]
fn the_second_server_answers_for_the_first() {
    let (dead, dns) = (Dns::start(), Dns::start());
    dead.fail("a.test");
    dns.add("a.test", "MX", "10 mx.a.test");
    let gone = std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let resolver = Resolver::new(vec![gone, dead.address(), dns.address()]);
    let found = ask(&resolver, "a.test", Kind::Mx);
    assert_eq!(found.records(), [Data::Mx(10, "mx.a.test".into())]);
}

#[test]
fn failures_are_remembered_shortly() {
    let dns = Dns::start();
    dns.fail("a.test");
    let resolver = resolver(&dns);
    assert_eq!(ask(&resolver, "a.test", Kind::A), Answer::FAILED);
    let asked = dns.asked().len();
    assert_eq!(ask(&resolver, "a.test", Kind::A), Answer::FAILED);
    assert_eq!(dns.asked().len(), asked);
}

/// A resolver that says "no such name" to all once this many questions have come, and nothing before.
fn patient(count: usize) -> std::net::SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut waiting = std::collections::HashMap::new();
        let mut octets = [0; 1500];
        while let Ok((got, from)) = socket.recv_from(&mut octets) {
            let mut answer = octets[..got].to_vec();
            (answer[2], answer[3]) = (0x81, 0x83);
            let name = answer[12..got].to_ascii_lowercase();
            waiting.insert(name, (answer, from));
            if waiting.len() >= count {
                for (answer, from) in waiting.values() {
                    let _ = socket.send_to(answer, from);
                }
            }
        }
    });
    address
}

#[test]
fn questions_that_do_not_hang_on_each_other_are_asked_at_once() {
    let resolver = Resolver::new(vec![patient(6)]);
    let hosts = ["a.test", "b.test", "c.test"].map(str::to_owned);
    let found = smol::block_on(resolver.all_addresses(&hosts));
    assert!(found.len() == 3 && found.iter().all(|it| it.known && it.found.is_empty()));
    // More than go side by side: in turns, in their order.
    let dns = Dns::start();
    let names: Vec<String> = (0..40).map(|n| format!("n{n}.test")).collect();
    for name in names.iter().step_by(2) {
        dns.add(name, "TXT", name);
    }
    let questions: Vec<Question> = names
        .iter()
        .map(|name| Question::new(name, Kind::Txt))
        .collect();
    let found = smol::block_on(self::resolver(&dns).ask_all(&questions));
    for (at, (name, answer)) in names.iter().zip(found).enumerate() {
        match at % 2 {
            0 => assert_eq!(answer.records(), [Data::Txt(name.clone().into_bytes())]),
            _ => assert_eq!(answer.found, Found::NoName),
        }
    }
}

/// The peer's name, its domain's SPF record, and the keys of three signatures.
#[test]
fn a_message_is_checked_in_every_way_at_once() {
    use pillarbox::verify::{Scan, dkim, judge, spf::Sender};
    let mut scan = Scan::default();
    for n in 0..3 {
        let field = format!(
            "DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.test; s=s; h=From;\r\n\tbh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA\r\n"
        );
        scan.push(field.as_bytes());
    }
    scan.push(b"From: a@d0.test\r\n\r\n");
    let sender = Sender {
        ip: "192.0.2.1".parse().unwrap(),
        helo: "x.test",
        from: Some(("a", "d0.test")),
        receiver: "me.test",
        now: 0,
    };
    let resolver = Resolver::new(vec![patient(5)]);
    let verdict = smol::block_on(judge(&resolver, &sender, &scan.finish(), 0)).unwrap();
    assert_eq!(verdict.dkim.len(), 3);
    assert!(
        verdict
            .dkim
            .iter()
            .all(|it| it.outcome == dkim::Outcome::PermError)
    );
}
