//! Servers and wires that do the worst: cut at every octet, banners without end, plain text behind
//! STARTTLS.
use super::fake::{Fake, USUAL};
use super::*;
use pillarbox::config::{Smarthost, SmarthostTls};
use pillarbox::mail::outbound::Order;
use pillarbox::queue::order;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn smarthost(address: SocketAddr) -> Smarthost {
    Smarthost {
        host: "127.0.0.1".into(),
        port: address.port(),
        tls: SmarthostTls::None,
        login: None,
        token: None,
        ca: None,
    }
}

fn submit(client: &mut Client) {
    client.ask("MAIL FROM:<anna@example.org>", "250");
    client.ask("RCPT TO:<b@b.test>", "250");
    client.ask("DATA", "354");
    client.ask("S: x\r\n\r\nhi\r\n.", "250");
}

/// Lets this server alone try again, until something holds.
#[track_caller]
fn until(server: &Server, what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + crate::harness::PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "{what}");
        let _ = smol::block_on(order::give(server.mail(), Order::Retry, "all"));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A wire between us and a server that breaks once, behind so many octets in one direction.
struct Wire {
    address: SocketAddr,
    /// Octets left to the client's side and to the server's.
    left: Arc<[AtomicUsize; 2]>,
    /// What went through before it broke, each way.
    seen: Arc<[Mutex<Vec<u8>>; 2]>,
}

const NEVER: usize = usize::MAX / 2;

impl Wire {
    fn to(server: SocketAddr) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Wire {
            address: listener.local_addr().unwrap(),
            left: Arc::new([NEVER.into(), NEVER.into()]),
            seen: Arc::default(),
        };
        let (left, seen) = (wire.left.clone(), wire.seen.clone());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = TcpStream::connect(server).unwrap();
                for direction in [0, 1] {
                    let (a, b) = match direction {
                        0 => (server.try_clone().unwrap(), client.try_clone().unwrap()),
                        _ => (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    };
                    let (left, seen) = (left.clone(), seen.clone());
                    std::thread::spawn(move || carry(a, b, &left[direction], &seen[direction]));
                }
            }
        });
        wire
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize, seen: &Mutex<Vec<u8>>) {
    let mut octets = [0; 4096];
    while let Ok(got @ 1..) = from.read(&mut octets) {
        let may = left.load(Ordering::SeqCst);
        let pass = got.min(may);
        // What the other direction's end has cut off does not arrive.
        if to.write_all(&octets[..pass]).is_ok() {
            seen.lock().unwrap().extend(&octets[..pass]);
        }
        if pass < got || may == pass {
            // Broken once; whole again for the next connection.
            left.store(NEVER, Ordering::SeqCst);
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
        left.store(
            if may == NEVER { NEVER } else { may - pass },
            Ordering::SeqCst,
        );
    }
    let _ = to.shutdown(Shutdown::Both);
}

const DATA: &[&str] = &["PIPELINING", "SIZE"];
const BDAT: &[&str] = &["PIPELINING", "SIZE", "CHUNKING"];
const ALONE: &[&str] = &["SIZE", "CHUNKING"];

/// RFC 5321 §4.1.1.4: behind the dot, or the last octet of the chunk (RFC 3030), before the answer, nobody
/// knows: then it comes twice, and never not at all. Everywhere else it comes once.
fn cut_at_every_octet(extensions: &'static [&'static str], direction: usize) {
    let fake = Fake::start(extensions, |_, _| None);
    let wire = Wire::to(fake.address());
    let way = smarthost(wire.address);
    let server = Server::with(|config| config.smarthost = Some(way));
    let mut client = logged_in(&server);
    let mut whole = 0;
    for cut in 0.. {
        wire.seen
            .iter()
            .for_each(|seen| seen.lock().unwrap().clear());
        wire.left[direction].store(cut, Ordering::SeqCst);
        let before = fake.count();
        submit(&mut client);
        until(&server, "sent", || queued(&server) == 0);
        let broke = wire.left[direction].load(Ordering::SeqCst) == NEVER;
        wire.left[direction].store(NEVER, Ordering::SeqCst);
        let came = fake.count() - before;
        assert!(came == 1 || came == 2, "{cut}: {came}");
        if came == 2 {
            let seen = wire
                .seen
                .each_ref()
                .map(|seen| seen.lock().unwrap().clone());
            let [answers, said] = seen.map(|seen| String::from_utf8(seen).unwrap());
            // All of the first one went over; of its answer not all came back.
            let ends = said.matches("\r\nhi\r\n").count();
            assert_eq!(ends, 2, "{cut}: {said}");
            assert!(answers.matches("taken\r\n").count() < 2, "{cut}: {answers}");
        }
        assert!(texts(&server).is_empty(), "{cut}: it came back");
        if !broke {
            whole = cut;
            break;
        }
    }
    assert!(whole > 60, "{whole} octets are no dialogue");
}

#[test]
fn cut_at_every_octet_that_comes() {
    cut_at_every_octet(DATA, 0);
}

#[test]
fn cut_at_every_octet_that_goes() {
    cut_at_every_octet(DATA, 1);
}

#[test]
fn cut_at_every_octet_around_a_chunk() {
    for (direction, pipelining) in [(0, true), (1, true), (1, false)] {
        cut_at_every_octet(if pipelining { BDAT } else { ALONE }, direction);
    }
}

/// A server that says something for ever, and how much of it was taken in one session at most.
fn flood(line: &'static [u8]) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let chunk = line.repeat(65_536 / line.len());
            let mut own = 0;
            while own < 1 << 30 && socket.write_all(&chunk).is_ok() {
                own += chunk.len();
                count.fetch_max(own, Ordering::SeqCst);
            }
        }
    });
    (address, taken)
}

#[test]
fn a_banner_of_a_gigabyte_is_not_taken() {
    let octets: [&'static [u8]; 4] = [b"x", b"220-hello\r\n", b"\r\n", b"2"];
    for line in octets {
        let (address, taken) = flood(line);
        let way = smarthost(address);
        let server = Server::with(|config| config.smarthost = Some(way));
        submit(&mut logged_in(&server));
        let end = Instant::now() + crate::harness::PATIENCE;
        while taken.load(Ordering::SeqCst) == 0 {
            assert!(Instant::now() < end);
        }
        // Given up: nothing more is taken, but what the kernel holds.
        let mut last = 0;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let now = taken.load(Ordering::SeqCst);
            if now == last {
                break;
            }
            last = now;
        }
        assert!(last < 64 << 20, "{last}");
        assert_eq!(order::list(server.mail()).unwrap().len(), 1);
    }
}

#[test]
fn what_comes_in_the_clear_behind_starttls_is_not_believed() {
    let fake = Fake::start(USUAL, |connection, line| {
        (connection == 0 && line == "STARTTLS")
            .then(|| "220 go ahead\r\n250-fake\r\n250 AUTH PLAIN".into())
    });
    let mut way = fake.smarthost();
    way.tls = SmarthostTls::StartTls;
    way.login = Some(("u".into(), "p".into()));
    let server = Server::with(|config| config.smarthost = Some(way));
    submit(&mut logged_in(&server));
    fake.wait_for_connections(1);
    until(&server, "sent", || fake.count() == 1);
    let lines = fake.lines();
    // Nothing was said in the first session behind STARTTLS; the second is whole.
    let starts: Vec<_> = lines
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        starts[..5],
        ["EHLO", "STARTTLS", "EHLO", "STARTTLS", "EHLO"],
        "{starts:?}"
    );
}
