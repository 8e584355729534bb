//! What DANE and MTA-STS demand of the servers that mail goes to.
use super::fake::{Fake, USUAL};
use super::*;
use crate::harness::TempDir;
use crate::harness::dns::Dns;
use pillarbox::config::Config;
use pillarbox::mail::outbound;
use pillarbox::net::tls;
use pillarbox::queue::order;
use ring::digest;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub fn server(dns: &Dns, fake: &Fake, set: impl FnOnce(&mut Config)) -> Server {
    let (address, port) = (dns.address(), fake.address().port());
    Server::with(move |config| {
        config.dns = vec![address];
        config.dns_trusted = true;
        config.direct = true;
        config.mx_port = port;
        set(config);
    })
}

fn submit(server: &Server) {
    let mut client = logged_in(server);
    client.ask("MAIL FROM:<anna@example.org>", "250");
    client.ask("RCPT TO:<x@b.test>", "250");
    client.ask("DATA", "354");
    client.ask("From: anna@example.org\r\n\r\nHello\r\n.", "250");
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub fn sha256(octets: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, octets).as_ref())
}

/// Publishes mx.b.test, with a TLSA record, or none.
pub fn publish(dns: &Dns, fake: &Fake, tlsa: Option<&str>) {
    dns.add("b.test", "MX", "10 mx.b.test")
        .add("mx.b.test", "A", "127.0.0.1");
    if let Some(tlsa) = tlsa {
        let name = format!("_{}._tcp.mx.b.test", fake.address().port());
        dns.add(&name, "TLSA", tlsa);
    }
}

/// Mail was tried, and did not go.
fn stays(server: &Server, fake: &Fake) {
    for _ in 0..3 {
        fake.wait_for_connections(1);
        outbound::retry_all();
    }
    assert_eq!(order::list(server.mail()).unwrap().len(), 1);
    let lines = fake.lines();
    assert!(
        !lines.iter().any(|line| line.starts_with("MAIL")),
        "{lines:?}"
    );
    assert!(texts(server).is_empty());
}

#[test]
fn dane_names_the_certificate() {
    for kind in ["3 0 1", "3 0 0"] {
        let (dns, fake) = (Dns::start(), Fake::taking_all());
        dns.secure();
        let data = match kind {
            "3 0 0" => hex(fake.certificate()),
            _ => sha256(fake.certificate()),
        };
        publish(&dns, &fake, Some(&format!("{kind} {data}")));
        let server = server(&dns, &fake, |_| {});
        submit(&server);
        fake.wait(1);
        wait_for_empty_queue(&server);
        assert!(fake.lines().iter().any(|line| line == "STARTTLS"));
    }
}

#[test]
fn dane_refuses_another_certificate() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.secure();
    publish(&dns, &fake, Some(&format!("3 0 1 {}", sha256(b"another"))));
    let server = server(&dns, &fake, |_| {});
    submit(&server);
    stays(&server, &fake);
}

#[test]
fn dane_refuses_to_go_without_tls() {
    // Stripped from the answer, or refused.
    let plain = Fake::start(&["PIPELINING"], |_, _| None);
    let refusing = Fake::start(USUAL, |_, line| {
        (line == "STARTTLS").then(|| "454 4.7.0 no".into())
    });
    for fake in [plain, refusing] {
        let dns = Dns::start();
        dns.secure();
        publish(
            &dns,
            &fake,
            Some(&format!("3 0 1 {}", sha256(fake.certificate()))),
        );
        let server = server(&dns, &fake, |_| {});
        submit(&server);
        stays(&server, &fake);
    }
}

#[test]
fn unusable_records_want_tls_with_anyone() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.secure();
    publish(&dns, &fake, Some(&format!("1 0 1 {}", sha256(b"another"))));
    let server = server(&dns, &fake, |_| {});
    submit(&server);
    fake.wait(1);
    let (dns, fake) = (Dns::start(), Fake::start(&["PIPELINING"], |_, _| None));
    dns.secure();
    publish(&dns, &fake, Some(&format!("1 0 1 {}", sha256(b"another"))));
    let server = self::server(&dns, &fake, |_| {});
    submit(&server);
    stays(&server, &fake);
}

#[test]
fn records_that_cannot_be_learnt_keep_mail_here() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.secure();
    publish(&dns, &fake, None);
    let name = format!("_{}._tcp.mx.b.test", fake.address().port());
    dns.fail(&name);
    let server = server(&dns, &fake, |_| {});
    submit(&server);
    let until = Instant::now() + crate::harness::PATIENCE;
    while !dns.asked().iter().any(|(asked, ..)| *asked == name) {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(order::list(server.mail()).unwrap().len(), 1);
    assert_eq!(fake.connections(), 0);
}

#[test]
fn dane_stands_where_proved_aliases_lead() {
    for (data, fails, goes) in [
        ("mine", "", true),
        ("other", "", false),
        ("other", "mid.b.test", false),
    ] {
        let (dns, fake) = (Dns::start(), Fake::taking_all());
        dns.secure();
        let port = fake.address().port();
        let data = match data {
            "mine" => sha256(fake.certificate()),
            other => sha256(other.as_bytes()),
        };
        dns.add("b.test", "MX", "10 mx.b.test")
            .add("mx.b.test", "CNAME", "mid.b.test")
            .add("mx.b.test", "A", "127.0.0.1")
            .add("mid.b.test", "CNAME", "end.b.test")
            .add("mid.b.test", "A", "127.0.0.1")
            .add(
                &format!("_{port}._tcp.end.b.test"),
                "TLSA",
                &format!("3 0 1 {data}"),
            );
        if !fails.is_empty() {
            dns.fail(fails);
        }
        let server = server(&dns, &fake, |_| {});
        submit(&server);
        if goes {
            fake.wait(1);
            wait_for_empty_queue(&server);
            assert!(fake.lines().iter().any(|line| line == "STARTTLS"));
        } else if fails.is_empty() {
            stays(&server, &fake);
        } else {
            let until = Instant::now() + crate::harness::PATIENCE;
            while !dns.asked().iter().any(|(asked, ..)| asked == fails) {
                assert!(Instant::now() < until);
                std::thread::sleep(Duration::from_millis(5));
            }
            assert_eq!(order::list(server.mail()).unwrap().len(), 1);
            assert_eq!(fake.count(), 0);
        }
    }
}

#[test]
fn records_that_mean_nothing_weaken_no_policy() {
    let (dns, fake, dir) = (Dns::start(), Fake::named("other.test"), TempDir::new());
    dns.secure();
    publish(&dns, &fake, Some(&format!("1 0 1 {}", sha256(b"x"))));
    let host = PolicyHost::start(|_| policy("enforce", "mx.b.test"));
    let server = sts(&dns, &fake, &host, &dir.join(""));
    submit(&server);
    stays(&server, &fake);
}

#[test]
fn without_proof_there_is_no_dane() {
    // Nothing says it is secure; or it does, and is not to be believed.
    for (secure, trusted) in [(false, true), (true, false)] {
        let (dns, fake) = (Dns::start(), Fake::taking_all());
        if secure {
            dns.secure();
        }
        publish(&dns, &fake, Some(&format!("3 0 1 {}", sha256(b"another"))));
        let server = server(&dns, &fake, |config| config.dns_trusted = trusted);
        submit(&server);
        fake.wait(1);
        assert!(!dns.asked().iter().any(|(_, kind, _)| *kind == 52));
    }
}

/// What serves policies: answers by number, and how often it was asked.
struct PolicyHost {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    posts: Arc<Mutex<Vec<Vec<u8>>>>,
    pem: String,
}

fn pem(certificate: &[u8]) -> String {
    let text = base64_octets(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

impl PolicyHost {
    fn start(answer: impl Fn(usize) -> String + Send + 'static) -> PolicyHost {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = tls::self_signed(&["mta-sts.b.test".into()]).unwrap();
        let host = PolicyHost {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            posts: Arc::default(),
            pem: pem(&own.cert),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(own.cert)],
                PrivatePkcs8KeyDer::from(own.key).into(),
            )
            .unwrap();
        let (config, asked) = (Arc::new(config), host.asked.clone());
        let posts = host.posts.clone();
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                let session = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(session, socket.unwrap());
                let Some((head, body)) = request(&mut stream) else {
                    continue;
                };
                if head.starts_with("POST /in?x ") {
                    assert!(
                        head.contains("Content-Type: application/tlsrpt+gzip\r\n"),
                        "{head}"
                    );
                    posts.lock().unwrap().push(body);
                } else {
                    assert!(head.starts_with("GET /.well-known/mta-sts.txt HTTP/1.0\r\n"));
                    assert!(head.contains("Host: mta-sts.b.test\r\n"));
                }
                let number = asked.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer(number).as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        host
    }
}

/// A request's head, and its body.
fn request(stream: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let (mut octets, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let got = stream.read(&mut piece).ok().filter(|got| *got > 0)?;
        octets.extend(&piece[..got]);
        let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(octets[..end + 2].to_vec()).unwrap();
        let length = head.split("Content-Length: ").nth(1);
        let length = length.map_or(0, |it| it.split("\r\n").next().unwrap().parse().unwrap());
        let body = octets[end + 4..].to_vec();
        if body.len() >= length {
            return Some((head, body));
        }
    }
}

fn unzip(octets: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(octets)
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn policy(mode: &str, mx: &str) -> String {
    ok(&format!(
        "version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 86400\r\n"
    ))
}

/// A server that believes the policy host and `fake`.
fn sts(dns: &Dns, fake: &Fake, host: &PolicyHost, dir: &Path) -> Server {
    dns.add("_mta-sts.b.test", "TXT", "v=STSv1; id=1")
        .add("mta-sts.b.test", "A", "127.0.0.1");
    let file = dir.join("trusted.pem");
    std::fs::write(&file, host.pem.clone() + &pem(fake.certificate())).unwrap();
    let port = host.address.port();
    server(dns, fake, |config| {
        config.sts_port = port;
        config.tls_ca = Some(file);
    })
}

#[test]
fn a_policy_is_fetched_once_and_obeyed() {
    let (dns, fake, dir) = (Dns::start(), Fake::named("mx.b.test"), TempDir::new());
    publish(&dns, &fake, None);
    let host = PolicyHost::start(|_| policy("enforce", "*.b.test"));
    let server = sts(&dns, &fake, &host, &dir.join(""));
    for count in 1..4 {
        submit(&server);
        fake.wait(count);
    }
    wait_for_empty_queue(&server);
    assert_eq!(host.asked.load(Ordering::SeqCst), 1);
    assert!(fake.lines().iter().any(|line| line == "STARTTLS"));
}

#[test]
fn a_wrong_certificate_or_host_is_refused_if_the_policy_says_so() {
    for (name, mx, mode, goes) in [
        ("other.test", "*.b.test", "enforce", false),
        ("mx.b.test", "mail.b.test", "enforce", false),
        ("other.test", "*.b.test", "testing", true),
        ("mx.b.test", "mail.b.test", "testing", true),
        ("other.test", "mail.b.test", "none", true),
    ] {
        let (dns, fake, dir) = (Dns::start(), Fake::named(name), TempDir::new());
        publish(&dns, &fake, None);
        let (mode, mx) = (mode.to_owned(), mx.to_owned());
        let host = PolicyHost::start(move |_| policy(&mode, &mx));
        let server = sts(&dns, &fake, &host, &dir.join(""));
        submit(&server);
        if goes {
            fake.wait(1);
            wait_for_empty_queue(&server);
            continue;
        }
        let until = Instant::now() + crate::harness::PATIENCE;
        while host.asked.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < until);
            std::thread::sleep(Duration::from_millis(5));
        }
        if name == "other.test" {
            stays(&server, &fake);
        }
        assert_eq!(order::list(server.mail()).unwrap().len(), 1);
        assert_eq!(fake.count(), 0);
    }
}

#[test]
fn a_policy_that_is_none_changes_nothing() {
    let answers: &[fn() -> String] = &[
        || "HTTP/1.1 302 Found\r\nLocation: https://x/\r\n\r\n".into(),
        || policy("enforce", "mail.b.test").replace("text/plain", "text/html"),
        || ok("version: STSv2"),
        || ok(&"x".repeat(100_000)),
        String::new,
    ];
    for answer in answers {
        let (dns, fake, dir) = (Dns::start(), Fake::named("other.test"), TempDir::new());
        publish(&dns, &fake, None);
        let host = PolicyHost::start(|_| answer());
        let server = sts(&dns, &fake, &host, &dir.join(""));
        submit(&server);
        fake.wait(1);
        submit(&server);
        fake.wait(2);
        // Not asked again at once.
        assert_eq!(host.asked.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_kept_policy_outlives_its_host() {
    let (dns, dir) = (Arc::new(Dns::start()), TempDir::new());
    let fake = Fake::named("other.test");
    publish(&dns, &fake, None);
    let mode = Arc::new(Mutex::new(policy("enforce", "mail.b.test")));
    let says = mode.clone();
    let host = PolicyHost::start(move |_| says.lock().unwrap().clone());
    let server = sts(&dns, &fake, &host, &dir.join(""));
    submit(&server);
    let until = Instant::now() + crate::harness::PATIENCE;
    while server.mail().get(b"sts/b.test").unwrap().is_none() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    // Somebody takes the record away, and the host fails: the policy holds.
    *mode.lock().unwrap() = "HTTP/1.1 500 x\r\n\r\n".into();
    dns.clear("_mta-sts.b.test");
    outbound::retry_all();
    submit(&server);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(fake.count(), 0);
}

#[test]
fn dane_goes_before_a_policy() {
    // The policy would refuse; DANE knows the certificate.
    let (dns, fake, dir) = (Dns::start(), Fake::named("other.test"), TempDir::new());
    dns.secure();
    publish(
        &dns,
        &fake,
        Some(&format!("3 0 1 {}", sha256(fake.certificate()))),
    );
    let host = PolicyHost::start(|_| policy("enforce", "mail.b.test"));
    let server = sts(&dns, &fake, &host, &dir.join(""));
    submit(&server);
    fake.wait(1);
    // The policy would let it pass; DANE does not.
    let (dns, fake, dir) = (Dns::start(), Fake::named("mx.b.test"), TempDir::new());
    dns.secure();
    publish(&dns, &fake, Some(&format!("3 0 1 {}", sha256(b"another"))));
    let host = PolicyHost::start(|_| policy("enforce", "*.b.test"));
    let server = sts(&dns, &fake, &host, &dir.join(""));
    submit(&server);
    stays(&server, &fake);
}

/// RFC 7672 §2.2.2.
#[test]
fn dane_vouches_for_a_smarthost() {
    for right in [true, false] {
        let (dns, fake) = (Dns::start(), Fake::taking_all());
        dns.secure();
        let mut way = fake.smarthost();
        way.tls = pillarbox::config::SmarthostTls::StartTls;
        let data = match right {
            // Nobody else would vouch for it.
            true => {
                way.ca = None;
                sha256(fake.certificate())
            }
            false => sha256(b"another"),
        };
        let name = format!("_{}._tcp.localhost", fake.address().port());
        dns.add("localhost", "A", "127.0.0.1")
            .add(&name, "TLSA", &format!("3 0 1 {data}"));
        let server = server(&dns, &fake, |config| {
            config.direct = false;
            config.smarthost = Some(way);
        });
        submit(&server);
        if right {
            fake.wait(1);
            assert!(fake.lines().iter().any(|line| line == "STARTTLS"));
        } else {
            stays(&server, &fake);
        }
    }
}

#[test]
fn domains_that_ask_hear_of_the_day_before() {
    // Yesterday: one session went well, one did not.
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.secure();
    publish(
        &dns,
        &fake,
        Some(&format!("3 0 1 {}", sha256(fake.certificate()))),
    );
    dns.add("c.test", "MX", "1 mx.c.test")
        .add("mx.c.test", "A", "127.0.0.1");
    let name = format!("_{}._tcp.mx.c.test", fake.address().port());
    dns.add(&name, "TLSA", &format!("3 0 1 {}", sha256(b"another")));
    dns.add("d.test", "A", "127.0.0.1");
    // The first time the collector does not want it; the mail is enough.
    let collector = PolicyHost::start(|_| "HTTP/1.1 503 x\r\n\r\n".into());
    dns.add("x.test", "A", "127.0.0.1");
    let rua = format!("https://x.test:{}/in?x", collector.address.port());
    dns.add(
        "_smtp._tls.b.test",
        "TXT",
        &format!("v=TLSRPTv1; rua={rua} , mailto:tls@d.test?x=y"),
    );
    dns.add(
        "_smtp._tls.c.test",
        "TXT",
        "v=TLSRPTv1;rua=mailto:tls@d.test;x=y",
    );
    let mut server = server(&dns, &fake, |config| {
        config.tls_reports = true;
        config.tls_reports_private = true;
    });
    submit(&server);
    fake.wait(1);
    let mut client = logged_in(&server);
    client.ask("MAIL FROM:<anna@example.org>", "250");
    client.ask("RCPT TO:<x@c.test>", "250");
    client.ask("DATA", "354");
    client.ask("From: anna@example.org\r\n\r\nHello\r\n.", "250");
    fake.wait_for_connections(2);
    drop(client);
    // The counts are kept over the end, and a message that waits is tried at each start.
    let mut rows = Vec::new();
    let until = Instant::now() + crate::harness::PATIENCE;
    while Instant::now() < until {
        server.restart();
        rows.clear();
        let reader = server.mail().reader().unwrap();
        reader
            .scan(b"tlsrpt/", |key, row| {
                rows.push((key.to_vec(), row.to_vec()));
                true
            })
            .unwrap();
        if rows.len() == 2 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(rows.len(), 2);
    // Let them be yesterday's.
    let mut puts = Vec::new();
    for (key, row) in rows {
        let mut older = key.clone();
        let day = u32::from_be_bytes(key[7..11].try_into().unwrap()) - 1;
        older[7..11].copy_from_slice(&day.to_be_bytes());
        puts.extend([(key, None), (older, Some(row))]);
    }
    smol::block_on(server.mail().put(puts)).unwrap();
    server.restart();
    let mut reports: Vec<String> = Vec::new();
    for message in fake.wait(3).into_iter().skip(1) {
        assert_eq!(message.envelope[0].split(' ').next(), Some("MAIL"));
        assert!(message.envelope[0].starts_with("MAIL FROM:<>"));
        assert_eq!(message.envelope[1], "RCPT TO:<tls@d.test>");
        let text = String::from_utf8(message.raw).unwrap();
        assert!(
            text.contains("TLS-Report-Submitter: example.org\r\n"),
            "{text}"
        );
        assert!(text.contains("report-type=\"tlsrpt\""));
        let coded = text
            .split("json.gz\"\r\n\r\n")
            .nth(1)
            .unwrap()
            .split("--")
            .next()
            .unwrap();
        let coded: String = coded.split("\r\n").collect();
        use base64::Engine;
        let json = base64::engine::general_purpose::STANDARD
            .decode(coded)
            .unwrap();
        reports.push(unzip(&json));
    }
    let posted = collector.posts.lock().unwrap().clone();
    reports.sort_by_key(|report| report.contains("\"c.test\""));
    let well: serde_json::Value = serde_json::from_str(&reports[0]).unwrap();
    let policy = &well["policies"][0];
    assert_eq!(policy["policy"]["policy-type"], "tlsa");
    assert_eq!(policy["policy"]["policy-domain"], "b.test");
    assert_eq!(policy["summary"]["total-successful-session-count"], 1);
    assert_eq!(policy["summary"]["total-failure-session-count"], 0);
    let ill: serde_json::Value = serde_json::from_str(&reports[1]).unwrap();
    let detail = &ill["policies"][0]["failure-details"][0];
    assert_eq!(detail["result-type"], "certificate-not-trusted");
    assert_eq!(detail["receiving-mx-hostname"], "mx.c.test");
    assert_eq!(detail["receiving-ip"], "127.0.0.1");
    assert!(detail["failed-session-count"].as_u64().unwrap() > 0);
    assert!(
        well["date-range"]["end-datetime"]
            .as_str()
            .unwrap()
            .ends_with("T23:59:59Z")
    );
    assert_eq!(posted.len(), 1);
    assert_eq!(unzip(&posted[0]), reports[0]);
}

/// A collector of reports alone, which is asked again as long as it does not take them.
#[test]
fn reports_go_to_a_url() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    let collector = PolicyHost::start(|number| match number {
        0 => "HTTP/1.1 500 x\r\n\r\n".into(),
        _ => "HTTP/1.1 201 Created\r\n\r\n".into(),
    });
    dns.add("x.test", "A", "127.0.0.1");
    let rua = format!("https://x.test:{}/in?x", collector.address.port());
    dns.add("_smtp._tls.b.test", "TXT", &format!("v=TLSRPTv1;rua={rua}"));
    let row = serde_json::json!({ "policy": { "policy-domain": "b.test" } });
    let yesterday = pillarbox::sys::clock::now() / 86_400 - 1;
    let key = [b"tlsrpt/", &yesterday.to_be_bytes()[..], b"nb.test"].concat();
    let mut server = server(&dns, &fake, |config| config.tls_reports_private = true);
    let put = vec![(key.clone(), Some(row.to_string().into_bytes()))];
    smol::block_on(server.mail().put(put)).unwrap();
    let posted = |server: &mut Server, count: usize| {
        server.restart_with(|config| config.tls_reports = true);
        let until = Instant::now() + crate::harness::PATIENCE;
        while collector.posts.lock().unwrap().len() < count {
            assert!(Instant::now() < until);
            std::thread::sleep(Duration::from_millis(5));
        }
        collector.posts.lock().unwrap().pop().unwrap()
    };
    let first = posted(&mut server, 1);
    assert!(server.mail().get(&key).unwrap().is_some());
    assert_eq!(unzip(&posted(&mut server, 1)), unzip(&first));
    let until = Instant::now() + crate::harness::PATIENCE;
    while server.mail().get(&key).unwrap().is_some() {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(fake.connections(), 0);
}

/// A stranger's record must not have us ask what only we can reach, though the owner's push services may
/// be at home.
#[test]
fn reports_go_to_no_private_address() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    let collector = PolicyHost::start(|_| "HTTP/1.1 201 Created\r\n\r\n".into());
    let port = collector.address.port();
    let rua = format!("https://127.0.0.1:{port}/in,https://x.test:{port}/in,mailto:tls@d.test");
    dns.add("x.test", "A", "127.0.0.1")
        .add("d.test", "A", "127.0.0.1");
    dns.add("_smtp._tls.b.test", "TXT", &format!("v=TLSRPTv1;rua={rua}"));
    let row = serde_json::json!({ "policy": { "policy-domain": "b.test" } });
    let yesterday = pillarbox::sys::clock::now() / 86_400 - 1;
    let key = [b"tlsrpt/", &yesterday.to_be_bytes()[..], b"nb.test"].concat();
    let mut server = server(&dns, &fake, |config| config.http.push_private = true);
    let put = vec![(key, Some(row.to_string().into_bytes()))];
    smol::block_on(server.mail().put(put)).unwrap();
    server.restart_with(|config| config.tls_reports = true);
    // By mail it goes behind the others.
    fake.wait(1);
    assert!(collector.posts.lock().unwrap().is_empty());
}
