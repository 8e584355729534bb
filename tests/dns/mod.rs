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
