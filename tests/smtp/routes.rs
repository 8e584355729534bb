//! Which way mail goes: by its sender or its recipient, from which address, through a proxy.
use super::fake::{Fake, USUAL};
use super::*;
use crate::harness::dns::Dns;
use pillarbox::config::{Config, DomainRoute, Proxy};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

fn submit(server: &Server, from: &str, to: &str) {
    let mut client = logged_in(server);
    let utf8 = if to.is_ascii() { "" } else { " SMTPUTF8" };
    client.ask(&format!("MAIL FROM:<{from}>{utf8}"), "250");
    client.ask(&format!("RCPT TO:<{to}>"), "250");
    client.ask("DATA", "354");
    client.ask("Subject: s\r\n\r\nHello\r\n.", "250");
}

fn route(domain: &str, fake: &Fake, user: &str) -> DomainRoute {
    let mut host = fake.smarthost();
    host.login = Some((user.into(), "secret".into()));
    DomainRoute {
        domain: domain.into(),
        host: Some(host),
    }
}

#[test]
fn the_recipient_decides_then_the_sender() {
    let fakes: Vec<Fake> = (0..3).map(|_| Fake::taking_all()).collect();
    let routes = vec![route("b.test", &fakes[0], "by-recipient")];
    let sender_routes = vec![route(".net.test", &fakes[1], "by-sender")];
    let rest = fakes[2].smarthost();
    let server = Server::with(|config| {
        config.aliases.add("anna@work.net.test");
        config.routes = routes;
        config.sender_routes = sender_routes;
        config.smarthost = Some(rest);
    });
    submit(&server, "anna@work.net.test", "x@b.test");
    submit(&server, "anna@work.net.test", "x@c.test");
    submit(&server, "anna@example.org", "x@c.test");
    for (fake, user, message) in [
        (&fakes[0], "by-recipient", "x@b.test"),
        (&fakes[1], "by-sender", "x@c.test"),
        (&fakes[2], "", "x@c.test"),
    ] {
        let came = fake.wait(1);
        assert!(came[0].envelope[1].contains(message));
        let login = format!("AUTH PLAIN {}", base64(&format!("\0{user}\0secret")));
        assert_eq!(fake.lines().contains(&login), !user.is_empty());
    }
    wait_for_empty_queue(&server);
    assert!(fakes.iter().all(|fake| fake.count() == 1));
}

#[test]
fn a_token_instead_of_a_password() {
    let fake = Fake::start(&["AUTH PLAIN XOAUTH2"], |connection, line| {
        match line.starts_with("AUTH XOAUTH2 ") && connection == 0 {
            true => Some("334 eyJzdGF0dXMiOiI0MDAifQ==".into()),
            false => (line.is_empty()).then(|| "535 5.7.8 the token is old".into()),
        }
    });
    let dir = crate::harness::TempDir::new();
    let file = dir.join("token");
    std::fs::write(&file, "old\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let mut way = fake.smarthost();
    way.login = Some(("u".into(), String::new()));
    way.token = Some(file.clone());
    let server = Server::with(|config| config.smarthost = Some(way));
    submit(&server, "anna@example.org", "x@b.test");
    fake.wait_for_connections(1);
    // Renewed while the server runs.
    std::fs::write(&file, "new\n").unwrap();
    let end = Instant::now() + crate::harness::PATIENCE;
    while fake.count() == 0 {
        assert!(Instant::now() < end);
        pillarbox::mail::outbound::retry_all();
        std::thread::sleep(Duration::from_millis(5));
    }
    let shown = base64("user=u\x01auth=Bearer new\x01\x01");
    assert!(fake.lines().contains(&format!("AUTH XOAUTH2 {shown}")));
    assert!(
        fake.lines().contains(&String::new()),
        "the challenge is answered"
    );
}

fn direct(dns: &Dns, port: u16, set: impl FnOnce(&mut Config)) -> Server {
    let address = dns.address();
    Server::with(move |config| {
        config.dns = vec![address];
        config.direct = true;
        config.mx_port = port;
        set(config);
    })
}

#[test]
fn from_an_address_of_choice() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.add("b.test", "A", "127.0.0.1");
    let server = direct(&dns, fake.address().port(), |config| {
        config.out.source = vec!["::1".parse().unwrap(), "127.0.0.77".parse().unwrap()];
    });
    submit(&server, "anna@example.org", "x@b.test");
    fake.wait(1);
    assert_eq!(fake.peers()[0].to_string(), "127.0.0.77");
}

/// A SOCKS5 proxy; what it was asked for, in octets.
fn proxy(login: Option<&'static str>, to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let log = asked.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let mut hello = [0; 3];
            client.read_exact(&mut hello).unwrap();
            let method = if login.is_some() { 2 } else { 0 };
            assert_eq!(hello, [5, 1, method]);
            client.write_all(&[5, method]).unwrap();
            if let Some(login) = login {
                let mut got = vec![0; login.len()];
                client.read_exact(&mut got).unwrap();
                let right = got == login.as_bytes();
                client.write_all(&[1, u8::from(!right)]).unwrap();
                if !right {
                    continue;
                }
            }
            let mut head = [0; 5];
            client.read_exact(&mut head).unwrap();
            let rest = match head[3] {
                1 => 5,
                4 => 17,
                _ => usize::from(head[4]) + 2,
            };
            let mut name = vec![0; rest];
            client.read_exact(&mut name).unwrap();
            log.lock().unwrap().push([&head[..], &name].concat());
            let server = TcpStream::connect(to).unwrap();
            // The answer and the server's greeting may come in one piece.
            client.write_all(&[5, 0, 0, 3, 1, b'x', 0, 1]).unwrap();
            for (mut a, mut b) in [
                (client.try_clone().unwrap(), server.try_clone().unwrap()),
                (server, client),
            ] {
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut a, &mut b);
                    let _ = b.shutdown(std::net::Shutdown::Both);
                });
            }
        }
    });
    (address, asked)
}

#[test]
fn through_a_proxy() {
    // An exchanger goes by its address, with a log-in.
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.add("b.test", "A", "192.0.2.7");
    let (address, asked) = proxy(Some("\x01\x01u\x06secret"), fake.address());
    let through = Proxy {
        host: "127.0.0.1".into(),
        port: address.port(),
        login: Some(("u".into(), "secret".into())),
    };
    let server = direct(&dns, 2525, |config| config.out.proxy = Some(through));
    submit(&server, "anna@example.org", "x@b.test");
    fake.wait(1);
    wait_for_empty_queue(&server);
    assert_eq!(asked.lock().unwrap()[0], [5, 1, 0, 1, 192, 0, 2, 7, 9, 221]);
    // A smarthost by its name.
    let fake = Fake::taking_all();
    let (address, asked) = proxy(None, fake.address());
    let mut way = fake.smarthost();
    way.host = "far.test".into();
    let server = Server::with(|config| {
        config.smarthost = Some(way);
        config.out.proxy = Some(Proxy {
            host: "127.0.0.1".into(),
            port: address.port(),
            login: None,
        });
    });
    submit(&server, "anna@example.org", "x@b.test");
    fake.wait(1);
    assert!(asked.lock().unwrap()[0].starts_with(b"\x05\x01\0\x03\x08far.test"));
}

#[test]
fn a_proxy_that_refuses_is_no_way() {
    let (dns, fake) = (Dns::start(), Fake::taking_all());
    dns.add("b.test", "A", "127.0.0.1");
    let (address, _) = proxy(Some("\x01\x01u\x06other!"), fake.address());
    let through = Proxy {
        host: "127.0.0.1".into(),
        port: address.port(),
        login: Some(("u".into(), "secret".into())),
    };
    let server = direct(&dns, fake.address().port(), |config| {
        config.out.proxy = Some(through);
    });
    submit(&server, "anna@example.org", "x@b.test");
    let end = Instant::now() + Duration::from_secs(5);
    while dns.asked().len() < 3 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(fake.connections(), 0);
    assert_eq!(
        pillarbox::queue::order::list(server.mail()).unwrap().len(),
        1
    );
}

#[test]
fn names_beyond_ascii_are_asked_for_as_the_dns_knows_them() {
    let dns = Dns::start();
    let fake = Fake::start(&["PIPELINING"], |_, _| None);
    dns.add("xn--bcher-kva.test", "MX", "1 mx.xn--bcher-kva.test")
        .add("mx.xn--bcher-kva.test", "A", "127.0.0.1");
    let server = direct(&dns, fake.address().port(), |_| {});
    submit(&server, "anna@example.org", "x@B\u{fc}cher.test");
    // Without SMTPUTF8 the domain at least can be said.
    let message = fake.wait(1).remove(0);
    assert_eq!(message.envelope[1], "RCPT TO:<x@xn--bcher-kva.test>");
    wait_for_empty_queue(&server);
    let fake = Fake::start(USUAL, |_, _| None);
    let server = direct(&dns, fake.address().port(), |_| {});
    submit(&server, "anna@example.org", "x@B\u{fc}cher.test");
    let message = fake.wait(1).remove(0);
    assert_eq!(message.envelope[1], "RCPT TO:<x@B\u{fc}cher.test>");
}
