use super::macros::{Given, Spec};
use super::*;
use crate::dns::Question;
use proptest::prelude::*;

/// RFC 7208 §7.4.
#[test]
fn the_expansions_of_the_rfc() {
    let given = |ip: &str| Given {
        ip: ip.parse().unwrap(),
        helo: "mx.example.org",
        local: "strong-bad",
        domain: "email.example.com",
        receiver: "r.example",
        now: 7,
    };
    let names = ["mx.example.org".to_owned()];
    for (text, want) in [
        ("%{s}", "strong-bad@email.example.com"),
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "strong-bad"),
        ("%{l-}", "strong.bad"),
        ("%{lr}", "strong-bad"),
        ("%{lr-}", "bad.strong"),
        ("%{l1r-}", "strong"),
        ("%{p}", "mx.example.org"),
        ("%{S}", "strong-bad%40email.example.com"),
        (
            "%{ir}.%{v}._spf.%{d2}",
            "3.2.0.192.in-addr._spf.example.com",
        ),
        ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
        (
            "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
            "3.2.0.192.in-addr.strong.lp._spf.example.com",
        ),
        (
            "%{d2}.trusted-domains.example.net",
            "example.com.trusted-domains.example.net",
        ),
        ("a%%b%_c%-d.com.", "a%b c%20d.com"),
    ] {
        let spec = Spec::domain(text).unwrap();
        let got = spec.expand(&given("192.0.2.3"), "email.example.com", &names);
        assert_eq!(got, want, "{text}");
    }
    let spec = Spec::domain("%{ir}.%{v}._spf.%{d2}").unwrap();
    assert_eq!(
        spec.expand(&given("2001:db8::cb01"), "email.example.com", &[]),
        "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com"
    );
}

#[test]
fn syntax() {
    for good in [
        "v=spf1",
        "v=spf1  mx a:x.org/24//64 A//0 -ALL ",
        "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ?include:%{d} redirect=a.b",
        "v=spf1 exists:%{ir}.sbl.example.org exp=e.x foo=%{s} foo=bar",
        "v=spf1 a:foo/bar.com/8 ptr ptr:x.y",
        "v=spf1 a:x%%",
    ] {
        assert!(Record::parse(good).is_some(), "{good}");
    }
    for bad in [
        "v=spf1 alle",
        "v=spf1 all:x.y",
        "v=spf1 include",
        "v=spf1 include:",
        "v=spf1 include:com",
        "v=spf1 a:x.123",
        "v=spf1 a:x.org/33",
        "v=spf1 a:x.org/024",
        "v=spf1 a/",
        "v=spf1 ip4:192.0.2",
        "v=spf1 ip4:192.0.2.1/",
        "v=spf1 ip4:1.2.3.4/+8",
        "v=spf1 ip6:::/129",
        "v=spf1 exists:%(ir).org",
        "v=spf1 exists:%{d0}.org",
        "v=spf1 exists:%{c}.org",
        "v=spf1 redirect=a.b redirect=c.d",
        "v=spf1 exp=a.b exp=c.d",
        "v=spf1 foo=%",
        "v=spf1 ==x",
        "v=spf1 a:x%%%",
    ] {
        assert!(Record::parse(bad).is_none(), "{bad}");
    }
    assert!(!record::is_spf(b"v=spf10") && record::is_spf(b"V=SPF1 x"));
}

/// Checks over a small zone; what is not in it is not there.
fn ask(zone: &[(&str, Kind, Data)], ip: &str, from: &str) -> Outcome {
    let mut answers = Answers::default();
    let sender = Sender {
        ip: ip.parse().unwrap(),
        helo: "helo.test",
        from: from.split_once('@'),
        receiver: "r.example",
        now: 7,
    };
    loop {
        let need = match check(&sender, &answers) {
            Ok(checked) => return checked.outcome,
            Err(Need(question)) => question,
        };
        let records: Vec<Data> = zone
            .iter()
            .filter(|(name, kind, _)| Question::new(name, *kind) == need)
            .map(|(.., data)| data.clone())
            .collect();
        let found = match records.is_empty() {
            true if need.name.starts_with("dead") => Found::Failed,
            true => Found::NoName,
            false => Found::Records(records),
        };
        answers.put(
            need,
            Answer {
                found,
                secure: false,
            },
        );
    }
}

fn txt(text: &str) -> Data {
    Data::Txt(text.as_bytes().to_vec())
}

#[test]
fn mechanisms() {
    let zone = [
        (
            "x.test",
            Kind::Txt,
            txt("v=spf1 a mx:m.test/24 include:i.test ptr -all"),
        ),
        ("x.test", Kind::A, Data::A([192, 0, 2, 1].into())),
        ("m.test", Kind::Mx, Data::Mx(5, "mx.m.test".into())),
        ("mx.m.test", Kind::A, Data::A([198, 51, 100, 9].into())),
        ("i.test", Kind::Txt, txt("v=spf1 ip6:2001:db8::/32 ?all")),
        (
            "7.113.0.203.in-addr.arpa",
            Kind::Ptr,
            Data::Ptr("h.x.test".into()),
        ),
        ("h.x.test", Kind::A, Data::A([203, 0, 113, 7].into())),
        ("soft.test", Kind::Txt, txt("v=spf1 ~all")),
        ("r.test", Kind::Txt, txt("v=spf1 redirect=soft.test")),
        ("r2.test", Kind::Txt, txt("v=spf1 redirect=none.test")),
        ("two.test", Kind::Txt, txt("v=spf1 -all")),
        ("two.test", Kind::Txt, txt("v=spf1 +all")),
        ("t.test", Kind::Txt, txt("v=spf1 a:dead.test +all")),
        ("loop.test", Kind::Txt, txt("v=spf1 include:loop.test")),
        (
            "void.test",
            Kind::Txt,
            txt("v=spf1 a:a.void.test a:b.void.test a:c.void.test +all"),
        ),
        (
            "void2.test",
            Kind::Txt,
            txt("v=spf1 a:a.void.test a:b.void.test +all"),
        ),
        ("bad.test", Kind::Txt, txt("v=spf1 +all foo")),
        ("inc.test", Kind::Txt, txt("v=spf1 include:none.test +all")),
        ("helo.test", Kind::Txt, txt("v=spf1 exists:%{l}.%{h} -all")),
        (
            "postmaster.helo.test",
            Kind::A,
            Data::A([127, 0, 0, 2].into()),
        ),
    ];
    use Outcome as O;
    for (ip, from, want) in [
        ("192.0.2.1", "a@x.test", O::Pass),
        ("::ffff:192.0.2.1", "a@X.test.", O::Pass),
        ("198.51.100.77", "a@x.test", O::Pass),
        ("2001:db8::1", "a@x.test", O::Pass),
        ("203.0.113.7", "a@x.test", O::Pass),
        ("203.0.113.8", "a@x.test", O::Fail),
        ("192.0.2.1", "a@soft.test", O::SoftFail),
        ("192.0.2.1", "a@r.test", O::SoftFail),
        ("192.0.2.1", "a@r2.test", O::PermError),
        ("192.0.2.1", "a@two.test", O::PermError),
        ("192.0.2.1", "a@t.test", O::TempError),
        ("192.0.2.1", "a@dead2.test", O::TempError),
        ("192.0.2.1", "a@loop.test", O::PermError),
        ("192.0.2.1", "a@void.test", O::PermError),
        ("192.0.2.1", "a@void2.test", O::Pass),
        ("192.0.2.1", "a@bad.test", O::PermError),
        ("192.0.2.1", "a@inc.test", O::PermError),
        ("192.0.2.1", "a@none.test", O::None),
        ("192.0.2.1", "a@localhost", O::None),
        ("192.0.2.1", "", O::Pass),
    ] {
        assert_eq!(ask(&zone, ip, from), want, "{ip} {from}");
    }
}

proptest! {
    #[test]
    fn texts_do_not_panic(text in "v=spf1( [-~]?(a|mx|ip4|ip6|exists|ptr|redirect=)[:/%{}a-z0-9.-]{0,12}){0,4}") {
        let _ = Record::parse(&text);
    }
}
