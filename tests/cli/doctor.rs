//! `pillarbox doctor`: a sound server is found sound, and of many planted mistakes each is found and named.
use super::{TempDir, once, serve};
use crate::harness::Server;
use crate::harness::dns::Dns;
use pillarbox::config::Role;
use pillarbox::dns::Resolver;
use pillarbox::server::account::Account;
use pillarbox::server::control::{Request, Verb};
use pillarbox::server::doctor::{Facts, Finding, Grade, examine};

const IP: &str = "203.0.113.5";
const HOST: &str = "mail.example.org";

type Zone = Vec<(String, String, String)>;

/// A server, what it knows, and the zone that it wants.
fn sound() -> (Server, Facts, Zone) {
    let server = Server::with(|config| config.direct = true);
    // The harness' server has no account for others to know of.
    let account = Account {
        user: "anna".into(),
        domains: vec!["example.org".into()],
        hostname: HOST.into(),
        aliases: Vec::new(),
    };
    smol::block_on(account.remember(&**server.mail())).unwrap();
    let lines = smol::block_on(Request::new(Verb::Facts, "").run(server.auth(), server.mail()));
    let mut facts = Facts::read(&lines.unwrap());
    facts.running = true;
    facts.now = 1_800_000_000;
    facts.free = Some(1 << 40);
    let mut zone: Zone = Vec::new();
    let mut put = |owner: &str, kind: &str, value: &str| {
        zone.push((
            owner.into(),
            kind.into(),
            value.trim_end_matches('.').into(),
        ));
    };
    put(HOST, "A", IP);
    put("5.113.0.203.in-addr.arpa", "PTR", HOST);
    for [owner, kind, value, _] in &facts.wanted {
        if kind != "CNAME" {
            put(owner, kind, value);
        }
    }
    zone.retain(|(owner, ..)| !owner.starts_with("_mta-sts."));
    (server, facts, zone)
}

fn ask(facts: &Facts, zone: &Zone, far: Option<&str>) -> Vec<Finding> {
    let dns = Dns::start();
    for (owner, kind, value) in zone {
        dns.add(owner, kind, value);
    }
    let resolver = Resolver::new(vec![dns.address()]);
    smol::block_on(examine(facts, &resolver, far)).0
}

fn wrong(findings: &[Finding]) -> Vec<String> {
    let wrong = findings.iter().filter(|it| it.grade == Grade::Wrong);
    wrong
        .map(|it| format!("{}: {} -> {}", it.what, it.found, it.advice))
        .collect()
}

/// Changes the value of a record, or takes it away.
fn set(zone: &mut Zone, owner: &str, kind: &str, value: &str) {
    zone.retain(|(o, k, _)| (o.as_str(), k.as_str()) != (owner, kind));
    if !value.is_empty() {
        zone.push((owner.into(), kind.into(), value.into()));
    }
}

#[test]
fn each_planted_mistake_is_found_and_named() {
    let (_server, mut facts, zone) = sound();
    let found = ask(&facts, &zone, None);
    assert_eq!(wrong(&found), [""; 0]);
    for what in [
        "MX example.org",
        "SPF example.org",
        "DMARC example.org",
        "PTR",
        "disk",
        "clock",
    ] {
        let is_fine = |it: &Finding| it.what.starts_with(what) && it.grade == Grade::Ok;
        assert!(found.iter().any(is_fine), "{what}");
    }
    let dkim = "pillarbox-r1._domainkey.example.org";
    let dkim = zone
        .iter()
        .find(|it| it.0.contains("_domainkey"))
        .map_or(dkim, |it| &it.0);
    let srv = "_imaps._tcp.example.org";
    let mistakes: [(&str, &str, &str, &str, &str); 22] = [
        (HOST, "A", "", "address", "there is none"),
        (
            HOST,
            "A",
            "192.168.1.2",
            "address",
            "192.168.1.2 is private",
        ),
        (
            HOST,
            "CNAME",
            "home.example.net",
            "address",
            "alias (CNAME)",
        ),
        ("5.113.0.203.in-addr.arpa", "PTR", "", "PTR", "has no name"),
        (
            "5.113.0.203.in-addr.arpa",
            "PTR",
            "dsl5.example.net",
            "PTR",
            "does not lead back",
        ),
        ("example.org", "MX", "", "MX example.org", "there is none"),
        (
            "example.org",
            "MX",
            "0 .",
            "MX example.org",
            "takes no mail",
        ),
        (
            "example.org",
            "MX",
            "10 old.example.net",
            "MX example.org",
            "none of them is mail.example.org",
        ),
        ("example.org", "TXT", "", "SPF example.org", "no record"),
        (
            "example.org",
            "TXT",
            "v=spf1 mx -al",
            "SPF example.org",
            "cannot be read",
        ),
        (
            "example.org",
            "TXT",
            "v=spf1 mx +all",
            "SPF example.org",
            "lets everybody pass",
        ),
        (
            "example.org",
            "TXT",
            "v=spf1 ip4:192.0.2.1 -all",
            "SPF example.org",
            "203.0.113.5, gets fail",
        ),
        (dkim, "TXT", "", "DKIM", "not published"),
        (dkim, "TXT", "v=DKIM1; k=rsa; p=AAAA", "DKIM", "another key"),
        (dkim, "TXT", "v=DKIM1; p=", "DKIM", "revoked"),
        (
            "_dmarc.example.org",
            "TXT",
            "",
            "DMARC example.org",
            "no record",
        ),
        (
            "_dmarc.example.org",
            "TXT",
            "v=DMARC1; p=all",
            "DMARC example.org",
            "cannot be read",
        ),
        (
            "_smtp._tls.example.org",
            "TXT",
            "v=TLSRPTv1; rua=nobody",
            "TLS reports",
            "cannot be read",
        ),
        (
            "_mta-sts.example.org",
            "TXT",
            "v=STSv1",
            "MTA-STS",
            "cannot be read",
        ),
        (
            "_mta-sts.example.org",
            "TXT",
            "v=STSv1; id=7",
            "MTA-STS",
            "has no address",
        ),
        (
            srv,
            "SRV",
            "0 1 143 mail.example.org",
            "SRV",
            "leads to mail.example.org:143",
        ),
        (
            "_25._tcp.mail.example.org",
            "TLSA",
            "3 1 1 0000000000000000000000000000000000000000000000000000000000000000",
            "TLSA",
            "none fits",
        ),
    ];
    let named = |facts: &Facts, zone: &Zone, what: &str, words: &str| {
        let found = wrong(&ask(facts, zone, None));
        let hit = |it: &String| it.starts_with(what) && it.contains(words) && !it.ends_with("-> ");
        assert!(found.iter().any(hit), "{what}, {words}: {found:#?}");
    };
    for (owner, kind, value, what, words) in mistakes {
        let mut zone = zone.clone();
        set(&mut zone, owner, kind, value);
        named(&facts, &zone, what, words);
    }
    for (owner, value, what) in [
        ("example.org", "v=spf1 -all", "SPF example.org"),
        (
            "_dmarc.example.org",
            "v=DMARC1; p=none",
            "DMARC example.org",
        ),
    ] {
        let mut zone = zone.clone();
        zone.push((owner.into(), "TXT".into(), value.into()));
        named(&facts, &zone, what, "several records");
    }
    // The machine, and the certificate.
    facts.free = Some(5 << 20);
    named(&facts, &zone, "disk", "5 MiB free");
    facts.now = 77;
    named(&facts, &zone, "clock", "not set");
    facts.now = 1 << 37;
    named(&facts, &zone, "certificate", "expired");
    facts.host = "other.example.org".into();
    named(
        &facts,
        &zone,
        "certificate name",
        "not for other.example.org",
    );
    facts.certificate.truncate(50);
    named(&facts, &zone, "certificate", "cannot be read");
}

#[test]
fn ports_and_block_lists() {
    let (server, mut facts, mut zone) = sound();
    set(&mut zone, HOST, "A", "127.0.0.1");
    for (owner, kind, value) in [
        ("far.test", "MX", "10 mx.far.test"),
        ("mx.far.test", "A", "127.0.0.1"),
        ("1.0.0.127.list.test", "A", "127.0.0.2"),
    ] {
        zone.push((owner.into(), kind.into(), value.into()));
    }
    facts.port = server.addr(Role::Smtp).port();
    let what = |found: &[Finding], what: &str| {
        let found = found.iter().find(|it| it.what.starts_with(what));
        found.map(|it| (it.grade, it.found.clone()))
    };
    zone.push(("mta-sts.far.test".into(), "A".into(), "127.0.0.1".into()));
    facts.https = server.addr(Role::Https).port();
    let found = ask(&facts, &zone, Some("far.test"));
    let (grade, words) = what(&found, "clock").unwrap();
    let wrong = [" s ahead of ", " s behind "]
        .iter()
        .any(|it| words.contains(it));
    assert!(grade == Grade::Wrong && wrong, "{words}");
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    let found = loop {
        facts.now = u64::from(pillarbox::sys::clock::now());
        let found = ask(&facts, &zone, Some("far.test"));
        let (_, words) = what(&found, "clock").unwrap();
        if words.contains("agrees") {
            break found;
        }
        assert!(std::time::Instant::now() < until, "{words}");
    };
    assert_eq!(what(&found, "port 25 in").unwrap().0, Grade::Ok);
    assert_eq!(what(&found, "port 25 out").unwrap().0, Grade::Ok);
    assert!(what(&found, "block list").is_none());
    facts.dnsbl = vec!["list.test".into()];
    // Nobody there; and somebody else there.
    facts.port = 1;
    let found = ask(&facts, &zone, Some("far.test"));
    let (grade, words) = what(&found, "port 25 in").unwrap();
    assert!(
        grade == Grade::Wrong && words.contains("nobody answers"),
        "{words}"
    );
    assert_eq!(what(&found, "port 25 out").unwrap().0, Grade::Wrong);
    assert!(what(&found, "block list").unwrap().1.contains("list.test"));
    facts.port = server.addr(Role::Pop3).port();
    let found = ask(&facts, &zone, Some("far.test"));
    assert!(
        what(&found, "port 25 in")
            .unwrap()
            .1
            .contains("another server answers")
    );
}

#[test]
fn with_the_server_down_and_up() {
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let dns = Dns::start();
    dns.add("example.org", "A", IP);
    let address = dns.address().to_string();
    let doctor = || once(&dir, &["doctor", "--far", "off", "--dns", &address]);
    let (code, down, err) = doctor();
    assert!(
        code == 11 && err.contains("things are wrong"),
        "{code} {err}"
    );
    for line in [
        "note  server: it does not run",
        "ok    address example.org: 203.0.113.5",
        "WRONG MX example.org: there is none\n      -> Publish: example.org. 3600 IN MX 10 example.org.\n",
        "WRONG SPF example.org: there is no record\n",
    ] {
        assert!(down.contains(line), "{line}: {down}");
    }
    let run = serve(&dir, &["--dns", &address]);
    run.ready();
    // The resolver that the server was told of is asked.
    let (code, up, _) = once(&dir, &["doctor", "--far", "off"]);
    assert!(code == 11 && up.contains("ok    server: it runs"), "{up}");
    assert!(up.contains("WRONG MX example.org"), "{up}");
}

/// What the server goes out by is what doctor tries.
#[test]
fn by_the_way_that_mail_goes() {
    let server = Server::with(|config| {
        config.out.source = vec!["127.0.0.7".parse().unwrap()];
        config.out.proxy = Some(pillarbox::config::Proxy {
            host: "proxy.test".into(),
            port: 1080,
            login: Some(("an na".into(), "x:y z".into())),
        });
    });
    let account = Account {
        user: "anna".into(),
        domains: vec!["example.org".into()],
        hostname: HOST.into(),
        aliases: Vec::new(),
    };
    smol::block_on(account.remember(&**server.mail())).unwrap();
    let lines =
        smol::block_on(Request::new(Verb::Facts, "").run(server.auth(), server.mail())).unwrap();
    let out = Facts::read(&lines).out;
    assert_eq!(out.source, server.config().out.source);
    let proxy = out.proxy.unwrap();
    assert_eq!((&*proxy.host, proxy.port), ("proxy.test", 1080));
    assert_eq!(proxy.login.unwrap(), ("an na".into(), "x:y z".into()));
}
