use super::*;
use crate::dns::{Answer, Data, Found, Kind, Question};
use crate::verify::{Scan, Verdict, arc, dmarc, spf};
use proptest::prelude::*;

/// RFC 8463 appendix A.3.
const MESSAGE: &str = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r
 subject : date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r
 d=football.example.com; i=@football.example.com;\r
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r
 date : message-id : from : subject : date;\r
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r
From: Joe SixPack <joe@football.example.com>\r
To: Suzie Q <suzie@shopping.example.net>\r
Subject: Is dinner ready?\r
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r
Message-ID: <20030712040037.46341.5F8J@football.example.com>\r
\r
Hi.\r
\r
We lost the game.  Are you hungry yet?\r
\r
Joe.\r
";

const ED: &str = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const RSA: &str = "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWR\
iGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6l\
HvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB";

fn scan(text: &str, chunk: usize) -> Scanned {
    let mut scan = Scan::default();
    for piece in text.as_bytes().chunks(chunk) {
        scan.push(piece);
    }
    scan.finish()
}

/// Runs a check over a zone of TXT records; what is not in it is not there.
fn over<T>(zone: &[(&str, &str)], check: impl Fn(&Answers) -> Result<T, Need>) -> T {
    let mut answers = Answers::default();
    loop {
        let question = match check(&answers) {
            Ok(done) => return done,
            Err(Need(question)) => question,
        };
        let texts: Vec<Data> = zone
            .iter()
            .filter(|(name, _)| Question::new(name, Kind::Txt) == question)
            .map(|(_, text)| Data::Txt(text.as_bytes().to_vec()))
            .collect();
        let found = match texts.is_empty() {
            true if question.name.contains("dead") => Found::Failed,
            true => Found::NoName,
            false => Found::Records(texts),
        };
        answers.put(
            question,
            Answer {
                found,
                secure: false,
            },
        );
    }
}

const ZONE: &[(&str, &str)] = &[
    ("brisbane._domainkey.football.example.com", ED),
    ("test._domainkey.football.example.com", RSA),
];

fn outcomes(text: &str, now: u64, zone: &[(&str, &str)]) -> Vec<(Outcome, Option<&'static str>)> {
    let message = scan(text, usize::MAX);
    let checked = over(zone, |answers| check(&message, now, answers));
    checked.into_iter().map(|it| (it.outcome, it.why)).collect()
}

#[test]
fn the_example_of_the_rfc() {
    for chunk in [1, 7, 1000, usize::MAX] {
        let message = scan(MESSAGE, chunk);
        let checked = over(ZONE, |answers| check(&message, 0, answers));
        assert_eq!(checked.len(), 2);
        for one in checked {
            assert_eq!((one.outcome, one.why), (Outcome::Pass, None));
            assert_eq!(one.domain.as_deref(), Some("football.example.com"));
            assert!(one.whole);
        }
    }
    // White space at line ends and more empty lines are nothing to relaxed.
    let relaxed = MESSAGE
        .replace("game.  Are", "game. \t Are")
        .replace("Joe.\r\n", "Joe. \r\n\r\n\r\n");
    let relaxed = relaxed.replace(
        "Subject: Is dinner ready?",
        "SUBJECT :  Is  dinner\r\n\tready? ",
    );
    assert!(
        outcomes(&relaxed, 0, ZONE)
            .iter()
            .all(|it| it.0 == Outcome::Pass)
    );
}

#[test]
fn changes_are_seen() {
    let body = MESSAGE.replace("lost", "won");
    assert_eq!(
        outcomes(&body, 0, ZONE)[0],
        (Outcome::Fail, Some("body hash did not verify"))
    );
    let subject = MESSAGE.replace("dinner", "supper");
    assert_eq!(
        outcomes(&subject, 0, ZONE)[1],
        (Outcome::Fail, Some("signature did not verify"))
    );
    // From is signed twice, so that none can be added.
    let added = MESSAGE.replace("To: Suzie", "From: x@y\r\nTo: Suzie");
    assert!(
        outcomes(&added, 0, ZONE)
            .iter()
            .all(|it| it.0 == Outcome::Fail)
    );
    let stray = MESSAGE.replace("To: Suzie", "To: a\nFrom: x@y\r\n Suzie");
    assert!(
        outcomes(&stray, 0, ZONE)
            .iter()
            .all(|it| it.0 == Outcome::Neutral)
    );
}

#[test]
fn keys() {
    let with = |ed: &str| {
        outcomes(
            MESSAGE,
            0,
            &[("brisbane._domainkey.football.example.com", ed)],
        )
    };
    assert_eq!(
        with("k=ed25519; p=")[0],
        (Outcome::PermError, Some("key revoked"))
    );
    assert_eq!(
        with(RSA)[0],
        (Outcome::PermError, Some("key for another algorithm"))
    );
    assert_eq!(with(ED)[1], (Outcome::PermError, Some("no key")));
    assert_eq!(with(&ED.replace("; p", "; t=y; p"))[0].0, Outcome::Pass);
    assert_eq!(with(&ED.replace("; p", "; t=s; p"))[0].0, Outcome::Pass);
    let dead = MESSAGE.replace("s=brisbane", "s=dead");
    assert_eq!(outcomes(&dead, 0, ZONE)[0].0, Outcome::TempError);
}

#[test]
fn syntax() {
    let good = "v=1; a=rsa-sha256; d=x.test; s=s; h=from; b=AA==; bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";
    let read = |from: &str, to: &str| Signature::parse(&good.replace(from, to));
    let signature = read("", "").unwrap();
    assert_eq!(signature.identity, "@x.test");
    assert_eq!(
        (signature.header, signature.body),
        (Canon::Simple, Canon::Simple)
    );
    assert!(read("v=1", "v=1; i=a@b.x.test; c=relaxed; l=5; t=1; x=2").is_ok());
    assert_eq!(
        read("rsa-sha256", "rsa-sha1").unwrap_err().outcome,
        Outcome::Neutral
    );
    for (from, to) in [
        ("v=1", "v=2"),
        ("v=1; ", ""),
        ("h=from", "h=to"),
        ("d=x.test", "d=x..test"),
        ("v=1", "v=1; i=a@y.test"),
        ("v=1", "v=1; i=a@xx.test"),
        ("v=1", "v=1; l=-1"),
        ("v=1", "v=1; t=5; x=4"),
        ("v=1", "v=1; c=odd"),
        ("v=1", "v=1; q=http"),
        ("bh=2j", "bh=2"),
        ("b=AA==", "b=A"),
        ("s=s;", ""),
    ] {
        assert!(read(from, to).is_err(), "{from} {to}");
    }
    assert_eq!(
        without_signature(b"X: a=1;\r\n b = x\r\n y; bh=z"),
        b"X: a=1;\r\n b =; bh=z"
    );
    assert!(is_below("a.x.test", "x.test") && !is_below("ax.test", "x.test"));
}

#[test]
fn expiry() {
    let text = MESSAGE.replace("t=1528637909;", "t=1528637909; x=1528637910;");
    assert_eq!(
        outcomes(&text, 1_600_000_000, ZONE)[0],
        (Outcome::Fail, Some("signature expired"))
    );
    // The clock is not set: nothing expires, and the added tag breaks the signature.
    assert_eq!(
        outcomes(&text, 0, ZONE)[0].1,
        Some("signature did not verify")
    );
}

fn spf_of(outcome: spf::Outcome, domain: &str) -> spf::Checked {
    spf::Checked {
        outcome,
        domain: domain.into(),
        by_helo: false,
        explanation: None,
    }
}

fn dmarc_of(text: &str, spf: &spf::Checked, dice: u8, zone: &[(&str, &str)]) -> dmarc::Checked {
    let zone = [ZONE, zone].concat();
    let message = scan(text, 100);
    let dkim = over(&zone, |answers| check(&message, 0, answers));
    over(&zone, |answers| {
        dmarc::check(&message, &dkim, spf, dice, answers)
    })
}

#[test]
fn dmarc_alignment_and_policy() {
    use dmarc::{Outcome as D, Policy};
    let none = spf_of(spf::Outcome::None, "else.test");
    let own = &[("_dmarc.football.example.com", "v=DMARC1; p=reject")][..];
    assert_eq!(dmarc_of(MESSAGE, &none, 0, own).outcome, D::Pass);
    assert_eq!(dmarc_of(MESSAGE, &none, 0, &[]).outcome, D::None);
    let broken = MESSAGE.replace("lost", "won");
    let failed = dmarc_of(&broken, &none, 0, own);
    assert_eq!((failed.outcome, failed.policy), (D::Fail, Policy::Reject));
    // SPF of a sister passes below the same organization, unless strict.
    let sister = spf_of(spf::Outcome::Pass, "bounce.example.com");
    let above = &[(
        "_dmarc.example.com",
        "v=DMARC1; p=reject; sp=quarantine; np=none",
    )][..];
    assert_eq!(dmarc_of(&broken, &sister, 0, above).outcome, D::Pass);
    let strict = &[(
        "_dmarc.example.com",
        "v=DMARC1; p=none; aspf=s; sp=reject; np=reject",
    )][..];
    assert_eq!(dmarc_of(&broken, &sister, 0, strict).policy, Policy::Reject);
    assert_eq!(dmarc_of(&broken, &none, 0, above).policy, Policy::None);
    // A border between: the sister is another organization's.
    let border = &[("_dmarc.football.example.com", "v=DMARC1; p=reject; psd=n")][..];
    assert_eq!(dmarc_of(&broken, &sister, 0, border).outcome, D::Fail);
    let suffix = &[("_dmarc.example.com", "v=DMARC1; p=reject; psd=y")][..];
    assert_eq!(dmarc_of(&broken, &sister, 0, suffix).outcome, D::Fail);
    assert_eq!(dmarc_of(MESSAGE, &none, 0, suffix).outcome, D::Pass);
    // The organization's own record goes before that of the suffix above it.
    let both = &[
        (
            "_dmarc.example.com",
            "v=DMARC1; p=none; sp=reject; np=reject",
        ),
        ("_dmarc.com", "v=DMARC1; p=none; psd=y"),
    ][..];
    assert_eq!(dmarc_of(&broken, &none, 0, both).policy, Policy::Reject);
    assert_eq!(dmarc_of(&broken, &sister, 0, both).outcome, D::Pass);
    let spaced = &[("_dmarc.football.example.com", "v = DMARC1 ; p=reject")][..];
    assert_eq!(dmarc_of(&broken, &none, 0, spaced).policy, Policy::Reject);
    let other = &[("_dmarc.football.example.com", "v=DMARC10; p=reject")][..];
    assert_eq!(dmarc_of(&broken, &none, 0, other).outcome, D::None);
    // A sample, a test, an answer that does not come, two records, no policy at all.
    let half = &[("_dmarc.football.example.com", "v=DMARC1; p=reject; pct=50")][..];
    assert_eq!(dmarc_of(&broken, &none, 10, half).policy, Policy::Reject);
    assert_eq!(
        dmarc_of(&broken, &none, 200, half).policy,
        Policy::Quarantine
    );
    let test = &[("_dmarc.football.example.com", "v=DMARC1; p=quarantine; t=y")][..];
    assert_eq!(dmarc_of(&broken, &none, 0, test).policy, Policy::None);
    let unknown = spf_of(spf::Outcome::TempError, "x.test");
    assert_eq!(dmarc_of(&broken, &unknown, 0, own).outcome, D::TempError);
    let twice = &[own[0], ("_dmarc.football.example.com", "v=DMARC1; p=none")];
    assert_eq!(dmarc_of(&broken, &none, 0, twice).outcome, D::None);
    let odd = &[(
        "_dmarc.football.example.com",
        "v=DMARC1; p=odd; rua=mailto:a@b",
    )][..];
    assert_eq!(dmarc_of(&broken, &none, 0, odd).policy, Policy::None);
}

#[test]
fn one_author() {
    let from = |text: &str| {
        let message = scan(&format!("{text}\r\n\r\n"), 5);
        dmarc::author(&message)
    };
    assert_eq!(from("From: \"a, b\" <x@Y.Test>").as_deref(), Some("y.test"));
    assert_eq!(from("from: x@y.test, z@y.test").as_deref(), Some("y.test"));
    for bad in [
        "To: a@b.c",
        "From: a@b.c\r\nFrom: a@b.c",
        "From: a@b.c, d@e.f",
        "From: a",
        "From: a@b.c\nX:",
    ] {
        assert_eq!(from(bad), None, "{bad}");
    }
}

/// A chain sealed by the keys of RFC 8463: broken chains are known without a key.
#[test]
fn broken_chains() {
    let seal = |i: u8, cv: &str| {
        format!(
            "ARC-Seal: i={i}; a=rsa-sha256; cv={cv}; d=x.test; s=s; b=AA==\r\n\
             ARC-Message-Signature: i={i}; a=rsa-sha256; d=x.test; s=s; h=from; b=AA==; bh=AA==\r\n\
             ARC-Authentication-Results: i={i}; x.test; none\r\n"
        )
    };
    let status = |text: String| {
        let message = scan(&format!("{text}From: a@b.c\r\n\r\n"), 50);
        let checked = over(ZONE, |answers| arc::check(&message, answers));
        (checked.status, checked.why)
    };
    assert_eq!(status(String::new()).0, arc::Status::None);
    for (text, why) in [
        (seal(2, "pass"), "a set is not complete"),
        (seal(1, "pass"), "the chain was broken before"),
        (
            seal(2, "none") + &seal(1, "none"),
            "the chain was broken before",
        ),
        (seal(1, "none") + &seal(1, "none"), "a field twice"),
        (seal(51, "pass"), "bad instance"),
        (
            seal(1, "none").replace("cv=none;", "cv=none; h=from;"),
            "bad seal",
        ),
        (seal(1, "none"), "bad message signature"),
    ] {
        assert_eq!(status(text), (arc::Status::Fail, Some(why)));
    }
}

proptest! {
    #[test]
    fn headers_do_not_panic(text in "((DKIM-Signature|ARC-Seal|From|[A-Z]):? ?([a-z]{1,2}=[a-z0-9;= ]{0,9}|[\"<>@a. ]{0,9})?(\r\n|\n))+", chunk in 1usize..20) {
        let message = scan(&text, chunk);
        let dkim = over(&[], |answers| check(&message, 1, answers));
        let arc = over(&[], |answers| arc::check(&message, answers));
        let spf = spf_of(spf::Outcome::None, "x.test");
        let dmarc = over(&[], |answers| dmarc::check(&message, &dkim, &spf, 0, answers));
        let sender = spf::Sender { ip: [192, 0, 2, 1].into(), helo: "h", from: None, receiver: "r", now: 0 };
        let verdict = Verdict { iprev: crate::verify::iprev::Outcome::Fail, spf, dkim, arc, dmarc };
        let field = crate::verify::results::field("x", &sender, &verdict);
        prop_assert!(!crate::verify::header::has_stray_line_end(field.as_bytes()));
    }
}
