//! Connections and listeners, without a protocol above them.
use crate::harness::{Client, Server, TempDir};
use pillarbox::config::Role;
use pillarbox::net::census::Census;
use pillarbox::net::client;
use pillarbox::net::listener::{self, Shared};
use pillarbox::net::tls::{Tls, connector, self_signed};
use pillarbox::net::{Conn, Error, Line, Shutdown};
use std::cell::Cell;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

type Said = Arc<Mutex<Vec<String>>>;

/// A listener whose connections are served by `serve`; it keeps what they say about themselves.
struct Rig {
    addr: SocketAddr,
    shared: Shared,
    said: Said,
    thread: Option<JoinHandle<()>>,
}

impl Rig {
    fn new<F>(serve: impl Fn(Conn, Said) -> F + Send + 'static) -> Rig
    where
        F: Future<Output = ()> + 'static,
    {
        Rig::limited(100, 100, serve)
    }

    fn limited<F>(
        all: usize,
        per_address: usize,
        serve: impl Fn(Conn, Said) -> F + Send + 'static,
    ) -> Rig
    where
        F: Future<Output = ()> + 'static,
    {
        let socket = listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), false).unwrap();
        let addr = socket.local_addr().unwrap();
        let shared = Shared {
            census: Census::new(all, per_address),
            shutdown: Shutdown::new(),
            halt: Shutdown::new(),
        };
        let said = Said::default();
        let keep = said.clone();
        let thread = listener::spawn("test", socket, shared.clone(), "full\r\n", move || {
            Box::new(move |conn| {
                let session = serve(conn, keep.clone());
                let boxed: Pin<Box<dyn Future<Output = ()>>> = Box::pin(session);
                boxed
            })
        })
        .unwrap();
        Rig {
            addr,
            shared,
            said,
            thread: Some(thread),
        }
    }

    fn connect(&self) -> Client {
        Client::connect(self.addr)
    }

    /// Waits until `n` things were said, and returns them.
    fn said(&self, n: usize) -> Vec<String> {
        let since = Instant::now();
        loop {
            let said = self.said.lock().unwrap().clone();
            if said.len() >= n {
                return said;
            }
            assert!(
                since.elapsed() < crate::harness::PATIENCE,
                "said only {said:?}"
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shared.shutdown.throw();
        self.shared.halt.throw();
        let _ = self.thread.take().unwrap().join();
    }
}

fn say(said: &Said, what: impl std::fmt::Debug) {
    said.lock().unwrap().push(format!("{what:?}"));
}

/// Answers every line with what it was.
async fn echo(mut conn: Conn, said: Said) {
    let mut line = Vec::new();
    loop {
        match conn.read_line(&mut line, 20).await {
            Ok(kind) => {
                let text = String::from_utf8_lossy(&line).into_owned();
                conn.write(format!("{kind:?} {text}\r\n").as_bytes())
                    .await
                    .unwrap();
                if kind == Line::TooLong {
                    let found = conn.drain_line(100).await.unwrap();
                    conn.write(format!("drained {found}\r\n").as_bytes())
                        .await
                        .unwrap();
                    if !found {
                        return conn.close().await;
                    }
                }
            }
            Err(e) => {
                if e.can_say_goodbye() {
                    conn.write(format!("BYE {e}\r\n").as_bytes()).await.unwrap();
                }
                say(&said, e);
                return conn.close().await;
            }
        }
        conn.flush().await.unwrap();
    }
}

#[test]
fn lines_and_their_ends() {
    let rig = Rig::new(echo);
    let mut c = rig.connect();
    c.send_raw(b"one\r\ntwo\nth\rree\r\n\r\n");
    for answer in ["Crlf one", "Lf two", "Crlf th\rree", "Crlf "] {
        assert_eq!(c.line(), answer);
    }
    // Eighteen octets and CRLF are the bound.
    c.send("123456789012345678");
    assert_eq!(c.line(), "Crlf 123456789012345678");
    c.send("1234567890123456789");
    assert_eq!(c.line(), "TooLong ");
    assert_eq!(c.line(), "drained true");
    for byte in b"slow\r\n" {
        c.send_raw(&[*byte]);
    }
    assert_eq!(c.line(), "Crlf slow");
    c.send_raw(&[b'x'; 200]);
    c.expect("TooLong");
    assert_eq!(c.line(), "drained false");
    c.expect_closed();
}

#[test]
fn half_a_line_at_the_end_is_no_line() {
    let rig = Rig::new(echo);
    let mut c = rig.connect();
    c.send_raw(b"all\r\nhalf");
    c.expect("Crlf all");
    c.shutdown_write();
    c.expect_closed();
    assert_eq!(rig.said(1), ["Closed"]);
}

#[test]
fn idle_and_deadline_end_a_wait() {
    let rig = Rig::new(|conn, said| {
        conn.set_idle(Some(Duration::from_millis(30)));
        echo(conn, said)
    });
    assert_eq!(rig.connect().line(), "BYE idle for too long");
    let rig = Rig::new(|conn, said| {
        conn.set_deadline(Some(Instant::now() + Duration::from_millis(30)));
        echo(conn, said)
    });
    let mut c = rig.connect();
    // Octets that trickle in do not move a deadline.
    c.send_raw(b"x");
    assert_eq!(c.line(), "BYE out of time");
    assert_eq!(rig.said(1), ["Deadline"]);
}

#[test]
fn a_peer_that_does_not_read_is_dropped() {
    let rig = Rig::new(|mut conn, said| async move {
        conn.timeouts().write.set(Duration::from_millis(50));
        let page = vec![b'x'; 1 << 20];
        let e = loop {
            if let Err(e) = conn.write(&page).await {
                break e;
            }
        };
        say(&said, e);
    });
    let c = rig.connect();
    assert_eq!(rig.said(1), ["WriteStalled"]);
    drop(c);
}

#[test]
fn large_output_arrives_whole_and_in_order() {
    let rig = Rig::new(|mut conn, _| async move {
        for n in 0..50_000u32 {
            conn.write(format!("{n}\r\n").as_bytes()).await.unwrap();
        }
        conn.out().extend_from_slice(b"between\r\n");
        conn.spill().await.unwrap();
        conn.write(&vec![b'y'; 3 << 20]).await.unwrap();
        conn.close().await;
    });
    let mut c = rig.connect();
    for n in 0..50_000u32 {
        assert_eq!(c.line(), n.to_string());
    }
    assert_eq!(c.line(), "between");
    assert_eq!(c.rest(), vec![b'y'; 3 << 20]);
}

#[test]
fn counted_octets() {
    let rig = Rig::new(|mut conn, said| async move {
        let mut line = Vec::new();
        conn.read_line(&mut line, 100).await.unwrap();
        let mut left: usize = String::from_utf8_lossy(&line).parse().unwrap();
        let mut sum = 0u64;
        while left > 0 {
            let chunk = conn.chunk(left).await.unwrap();
            let n = chunk.len();
            sum += chunk.iter().map(|b| u64::from(*b)).sum::<u64>();
            conn.consume(n);
            left -= n;
        }
        conn.discard(1000).await.unwrap();
        conn.read_line(&mut line, 100).await.unwrap();
        say(&said, (sum, String::from_utf8_lossy(&line)));
    });
    let mut c = rig.connect();
    c.send("300000");
    c.send_raw(&vec![1; 300_000]);
    c.send_raw(&[9; 1000]);
    c.send("end");
    assert_eq!(rig.said(1), ["(300000, \"end\")"]);
}

fn tls() -> Tls {
    let made = self_signed(&["localhost".into()]).unwrap();
    Tls::new(made.certified().unwrap()).unwrap()
}

#[test]
fn plaintext_behind_starttls_is_dropped_and_told() {
    let tls = tls();
    let rig = Rig::new(move |mut conn, said| {
        let tls = tls.clone();
        async move {
            let mut line = Vec::new();
            conn.read_line(&mut line, 100).await.unwrap();
            conn.write(b"go\r\n").await.unwrap();
            let switched = conn.start_tls(tls.mail()).await.unwrap();
            say(&said, switched.dropped);
            say(&said, (conn.is_tls(), conn.tls_exporter().is_some()));
            echo(conn, said).await;
        }
    });
    let mut c = rig.connect();
    c.send_raw(b"STARTTLS\r\nINJECTED\r\n");
    c.expect("go");
    c.start_tls();
    c.send("clean");
    assert_eq!(c.line(), "Crlf clean");
    drop(c);
    assert_eq!(rig.said(3), ["10", "(true, true)", "Closed"]);
}

#[test]
fn a_handshake_that_is_none_ends() {
    let tls = tls();
    let rig = Rig::new(move |mut conn, said| {
        let tls = tls.clone();
        async move {
            let e = conn.start_tls(tls.mail()).await.unwrap_err();
            say(&said, matches!(e, Error::Tls(_)));
            assert!(conn.write(&[0; 1 << 20]).await.is_err());
            conn.close().await;
        }
    });
    let mut c = rig.connect();
    c.send("a001 LOGIN anna secret");
    c.rest();
    assert_eq!(rig.said(1), ["true"]);
}

#[test]
fn a_panic_ends_one_connection_only() {
    let rig = Rig::new(|mut conn, said| async move {
        let mut line = Vec::new();
        conn.read_line(&mut line, 100).await.unwrap();
        assert_ne!(line, b"die", "asked to");
        conn.write(b"alive\r\n").await.unwrap();
        conn.flush().await.unwrap();
        echo(conn, said).await;
    });
    let mut other = rig.connect();
    let mut c = rig.connect();
    c.send("die");
    c.expect_closed();
    other.send("hello");
    other.expect("alive");
    let mut new = rig.connect();
    new.send("hello");
    new.expect("alive");
}

#[test]
fn connections_in_all_are_limited() {
    let rig = Rig::limited(2, 100, echo);
    let (mut a, mut b) = (rig.connect(), rig.connect());
    a.send("x");
    a.expect("Crlf");
    b.send("x");
    b.expect("Crlf");
    let mut third = rig.connect();
    third.expect("full");
    third.expect_closed();
    drop(b);
    rig.said(1);
    let since = Instant::now();
    loop {
        let mut again = rig.connect();
        if again.try_send_raw(b"x\r\n").is_ok()
            && again
                .try_line()
                .is_some_and(|line| line.starts_with(b"Crlf"))
        {
            break;
        }
        assert!(since.elapsed() < crate::harness::PATIENCE);
    }
}

#[test]
fn shutdown_is_told_between_lines_only() {
    let rig = Rig::new(echo);
    let mut waiting = rig.connect();
    waiting.send("x");
    waiting.expect("Crlf");
    let mut busy = rig.connect();
    busy.send("x");
    busy.expect("Crlf");
    busy.send_raw(b"half a ");
    // The half line is there for certain once a later connection has been answered.
    let mut probe = rig.connect();
    probe.send("x");
    probe.expect("Crlf");
    rig.shared.shutdown.throw();
    assert_eq!(waiting.line(), "BYE the server is stopping");
    waiting.expect_closed();
    busy.send("line");
    assert_eq!(busy.line(), "Crlf half a line");
    assert_eq!(busy.line(), "BYE the server is stopping");
    drop((waiting, busy, probe));
    let thread_ended = Cell::new(false);
    smol::block_on(async {
        rig.shared.census.empty().await;
        thread_ended.set(true);
    });
    assert!(thread_ended.get());
}

#[test]
fn wildcard_sockets_say_what_they_take() {
    let v6 = SocketAddr::from(([0u16; 8], 0));
    let Ok(dual) = listener::bind(v6, false) else {
        return;
    };
    let port = dual.local_addr().unwrap().port();
    if dual.local_addr().unwrap().is_ipv6() {
        // Dual: IPv4 is taken too, whatever the system's default is.
        let v4 = SocketAddr::from(([0, 0, 0, 0], port));
        assert!(listener::bind(v4, false).is_err());
        drop(dual);
        let only6 = listener::bind(SocketAddr::from(([0u16; 8], port)), true).unwrap();
        assert!(listener::bind(v4, false).is_ok());
        drop(only6);
    }
}

#[test]
fn as_a_client_we_trust_what_we_are_told_to_and_the_right_name_only() {
    let made = self_signed(&["mail.example.org".into()]).unwrap();
    let dir = TempDir::new();
    let (good, other) = (dir.join("good.pem"), dir.join("other.pem"));
    std::fs::write(&good, pem(&made.cert)).unwrap();
    std::fs::write(
        &other,
        pem(&self_signed(&["mail.example.org".into()]).unwrap().cert),
    )
    .unwrap();
    let tls = Tls::new(made.certified().unwrap()).unwrap();
    let rig = Rig::new(move |mut conn, said| {
        let tls = tls.clone();
        async move {
            if conn.start_tls(tls.mail()).await.is_ok() {
                echo(conn, said).await;
            }
        }
    });
    let shake = async |ca: &Path, name: &str| {
        let mut conn = client::connect(&Default::default(), "127.0.0.1", rig.addr.port())
            .await
            .unwrap();
        let trust = connector(Some(ca)).unwrap();
        conn.start_tls_client(&trust, name).await.map(|_| conn)
    };
    smol::block_on(async {
        let mut conn = shake(&good, "mail.example.org").await.unwrap();
        conn.write(b"hello\r\n").await.unwrap();
        conn.flush().await.unwrap();
        let mut line = Vec::new();
        conn.read_line(&mut line, 100).await.unwrap();
        assert_eq!(line, b"Crlf hello");
        conn.close().await;
        for (ca, name) in [(&good, "mail.example.net"), (&other, "mail.example.org")] {
            assert!(
                matches!(shake(ca, name).await, Err(Error::Tls(_))),
                "{name}"
            );
        }
    });
    assert!(connector(Some(&dir.join("none.pem"))).is_err_and(|e| e.contains("none.pem")));
}

fn pem(der: &[u8]) -> String {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    /// However the octets are cut into packets, the lines are the same.
    #[test]
    fn lines_do_not_depend_on_packets(
        text in proptest::collection::vec(proptest::sample::select(&b"ab\r\n"[..]), 0..60),
        cuts in proptest::collection::vec(1usize..9, 1..20),
    ) {
        let rig = Rig::new(|mut conn, said| async move {
            let mut line = Vec::new();
            let mut all = Vec::new();
            while let Ok(kind) = conn.read_line(&mut line, 100).await {
                all.push((kind, line.clone()));
            }
            say(&said, all);
        });
        let mut c = rig.connect();
        let mut rest = &text[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            c.send_raw(now);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        c.shutdown_write();
        let mut whole: Vec<(Line, Vec<u8>)> = Vec::new();
        for line in text.split_inclusive(|b| *b == b'\n') {
            if let Some(line) = line.strip_suffix(b"\n") {
                let crlf = line.strip_suffix(b"\r");
                let kind = if crlf.is_some() { Line::Crlf } else { Line::Lf };
                whole.push((kind, crlf.unwrap_or(line).to_vec()));
            }
        }
        proptest::prop_assert_eq!(&rig.said(1)[0], &format!("{whole:?}"));
    }
}

/// One peer that sends without a pause, before any log-in, must not keep the others of the listener waiting.
#[test]
fn a_flood_leaves_others_their_turn() {
    use std::io::{Read, Write};
    use std::sync::atomic::{AtomicBool, Ordering};
    let server = Server::start();
    let address = server.addr(Role::Imap);
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..2)
        .map(|_| {
            let mut socket = std::net::TcpStream::connect(address).unwrap();
            let mut reader = socket.try_clone().unwrap();
            let stop = stop.clone();
            std::thread::spawn(move || {
                let drain = std::thread::spawn(move || {
                    let mut sink = vec![0; 1 << 20];
                    while reader.read(&mut sink).is_ok_and(|n| n > 0) {}
                });
                let noops = b"a NOOP\r\n".repeat(1 << 14);
                while !stop.load(Ordering::Relaxed) && socket.write_all(&noops).is_ok() {}
                let _ = socket.shutdown(std::net::Shutdown::Both);
                let _ = drain.join();
            })
        })
        .collect();
    let mut slowest = std::time::Duration::ZERO;
    for _ in 0..5 {
        let since = std::time::Instant::now();
        let mut client = server.client(Role::Imap);
        client.expect("* OK");
        client.send("b NOOP");
        client.expect("b OK");
        slowest = slowest.max(since.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    floods.into_iter().for_each(|flood| flood.join().unwrap());
    assert!(slowest < crate::harness::PATIENCE, "{slowest:?}");
}
