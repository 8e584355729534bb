//! What the running server costs: memory at rest, per connection and for a large message in and out
//! of each protocol; deliveries and fetches per second through the wire; from an acknowledgement to the
//! push of an event source and of a WebSocket.
//!
//!     cargo bench --bench wire                      # a server of the bench profile
//!     PILLARBOX=/path/to/pillarbox cargo bench --bench wire -- [messages]
//!
//! Memory is what the kernel says of the server's process (Linux): proportional set size at rest,
//! high-water mark of the resident set for peaks. Rates depend on the machine and its disk: compare
//! only runs made side by side. The store lives in `PILLARBOX_BENCH_DIR`, else in the build folder.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

type Try<T> = Result<T, Box<dyn Error>>;

const LARGE: usize = 50 * 1024 * 1024 - 64 * 1024;
const PORTS: u16 = 27_000;
const PASSWORD: &str = "bench-password";

fn main() -> Try<()> {
    let count = std::env::args()
        .filter_map(|a| a.parse().ok())
        .next()
        .unwrap_or(2_000);
    let server = Server::start()?;
    println!(
        "{:<52}{:>10.1} ms",
        "exec to IMAP greeting, existing store",
        ms(server.greeting)
    );
    server.memory("memory at rest (PSS)")?;
    deliveries(&server, count)?;
    fetches(count)?;
    idle_connections(&server)?;
    pushes()?;
    large_message(&server)?;
    std::thread::sleep(Duration::from_secs(3));
    server.memory("memory at rest afterwards (PSS)")?;
    Ok(())
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The real binary on loopback.
struct Server {
    child: Child,
    folder: PathBuf,
    greeting: Duration,
}

impl Server {
    fn start() -> Try<Server> {
        let built = env!("CARGO_BIN_EXE_pillarbox").to_owned();
        let binary = std::env::var("PILLARBOX").unwrap_or(built);
        let base =
            std::env::var("PILLARBOX_BENCH_DIR").unwrap_or(env!("CARGO_TARGET_TMPDIR").into());
        let folder = Path::new(&base).join(format!("wire-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let secret = folder.join("password");
        std::fs::write(&secret, PASSWORD)?;
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let made = Server::run(&binary, &folder, &secret)?;
        println!(
            "{:<52}{:>10.1} ms",
            "exec to IMAP greeting, new store",
            ms(made.greeting)
        );
        made.stop()?;
        Server::run(&binary, &folder, &secret)
    }

    /// Ends it as a service manager does, and keeps the store.
    fn stop(mut self) -> Try<()> {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        self.child.wait()?;
        self.folder.clear();
        Ok(())
    }

    fn run(binary: &str, folder: &Path, secret: &Path) -> Try<Server> {
        let mut command = Command::new(binary);
        command.args(["serve", "-q", "--domain", "example.test", "--user", "alice"]);
        command.arg("--db").arg(folder.join("mail.redb"));
        command.arg("--password-file").arg(secret);
        command.args([
            "--max-connections",
            "1000",
            "--max-connections-per-address",
            "1000",
        ]);
        for (flag, offset) in [
            ("--smtp", 25),
            ("--submission", 587),
            ("--submissions", 465),
        ] {
            command.args([flag, &format!("127.0.0.1:{}", PORTS + offset)]);
        }
        for (flag, offset) in [
            ("--imap", 143),
            ("--imaps", 993),
            ("--pop3", 110),
            ("--pop3s", 995),
        ] {
            command.args([flag, &format!("127.0.0.1:{}", PORTS + offset)]);
        }
        command.args(["--http", &format!("127.0.0.1:{}", PORTS + 80)]);
        command.args(["--https", &format!("127.0.0.1:{}", PORTS + 443)]);
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).spawn()?;
        let mut server = Server {
            child,
            folder: folder.to_owned(),
            greeting: Duration::ZERO,
        };
        while TcpStream::connect(("127.0.0.1", PORTS + 143)).is_err() {
            if started.elapsed() > Duration::from_secs(20) {
                return Err("the server did not start".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(Line::connect(143)?);
        server.greeting = started.elapsed();
        Ok(server)
    }

    fn kib(&self, file: &str, field: &str) -> Try<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))?;
        let line = text
            .lines()
            .find(|l| l.starts_with(field))
            .ok_or("no such field")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
    }

    fn pss(&self) -> Try<u64> {
        self.kib("smaps_rollup", "Pss:")
    }

    fn memory(&self, what: &str) -> Try<()> {
        println!("{what:<52}{:>10} KiB", self.pss()?);
        Ok(())
    }

    /// By how much the resident set grows at most while `run` works.
    fn peak(&self, what: &str, run: impl FnOnce() -> Try<()>) -> Try<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?;
        let before = self.kib("status", "VmRSS:")?;
        let started = Instant::now();
        run()?;
        let peak = self.kib("status", "VmHWM:")?.saturating_sub(before);
        let rate = LARGE as f64 / 1e6 / started.elapsed().as_secs_f64();
        println!("{what:<52}{peak:>10} KiB  {rate:>6.0} MB/s");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.folder.as_os_str().is_empty() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A dialogue in lines.
struct Line {
    read: BufReader<TcpStream>,
}

impl Line {
    /// Connects and reads the greeting.
    fn connect(offset: u16) -> Try<Line> {
        let stream = TcpStream::connect(("127.0.0.1", PORTS + offset))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let mut line = Line {
            read: BufReader::with_capacity(1 << 16, stream),
        };
        line.next()?;
        Ok(line)
    }
    fn next(&mut self) -> Try<String> {
        let mut line = String::new();
        if self.read.read_line(&mut line)? == 0 {
            return Err("the server hung up".into());
        }
        Ok(line)
    }
    fn send(&mut self, bytes: &[u8]) -> Try<()> {
        Ok(self.read.get_mut().write_all(bytes)?)
    }
    /// Sends a command and reads until a line begins with `end`; returns that line.
    fn ask(&mut self, command: &str, end: &str) -> Try<String> {
        self.send(format!("{command}\r\n").as_bytes())?;
        loop {
            let line = self.next()?;
            if line.starts_with(end) {
                return Ok(line);
            }
            if line.starts_with(['4', '5']) || line.contains(" NO ") || line.contains(" BAD ") {
                return Err(format!("{command}: {line}").into());
            }
        }
    }
    /// The same, but what comes before is counted in octets, not kept.
    fn drain(&mut self, command: &str, end: &[u8]) -> Try<usize> {
        self.send(format!("{command}\r\n").as_bytes())?;
        let (mut octets, mut line) = (0, Vec::new());
        loop {
            line.clear();
            octets += self.read.read_until(b'\n', &mut line)?;
            if line.starts_with(end) {
                return Ok(octets);
            }
        }
    }
    fn imap() -> Try<Line> {
        let mut line = Line::connect(143)?;
        line.ask(&format!("a LOGIN alice {PASSWORD}"), "a OK")?;
        Ok(line)
    }
    fn smtp() -> Try<Line> {
        let mut line = Line::connect(25)?;
        line.ask("EHLO bench", "250 ")?;
        Ok(line)
    }
    fn mail(&mut self, message: &[u8]) -> Try<()> {
        self.send(b"MAIL FROM:<bob@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")?;
        while !self.next()?.starts_with("354") {}
        self.send(message)?;
        self.ask("\r\n.", "250 ").map(drop)
    }
}

fn message(number: usize, octets: usize) -> Vec<u8> {
    let mut text = format!(
        "Received: from a.example.org by b.example.org; Sat, 21 Nov 2026 10:00:00 +0000\r\n\
         From: Bob <bob@example.org>\r\nTo: Alice <alice@example.test>\r\nSubject: Number {number}\r\n\
         Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@example.org>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    )
    .into_bytes();
    let mut word = number as u32;
    while text.len() < octets {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let line = format!(
            "{word} words that say little, as in most letters {}\r\n",
            word >> 7
        );
        text.extend_from_slice(line.as_bytes());
    }
    text
}

fn deliveries(server: &Server, count: usize) -> Try<()> {
    for connections in [1, 8] {
        let each = count / 2 / connections;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let work: Vec<_> = (0..connections)
                .map(|c| {
                    scope.spawn(move || -> Result<(), String> {
                        let mut smtp = Line::smtp().map_err(|e| e.to_string())?;
                        for i in 0..each {
                            smtp.mail(&message(c * each + i, 4096))
                                .map_err(|e| e.to_string())?;
                        }
                        Ok(())
                    })
                })
                .collect();
            work.into_iter()
                .try_for_each(|w| w.join().unwrap_or(Err("panicked".into())))
        })?;
        let rate = (each * connections) as f64 / started.elapsed().as_secs_f64();
        println!(
            "{:<52}{rate:>10.0} /s",
            format!("deliveries of 4 KiB, {connections} connection(s)")
        );
    }
    server.memory("memory after them (PSS)")
}

fn fetches(count: usize) -> Try<()> {
    let mut imap = Line::imap()?;
    imap.ask("b SELECT INBOX", "b OK")?;
    for items in [
        "FLAGS",
        "(ENVELOPE BODYSTRUCTURE RFC822.SIZE)",
        "BODY.PEEK[]",
    ] {
        let started = Instant::now();
        let octets = imap.drain(&format!("c FETCH 1:* {items}"), b"c OK")?;
        let secs = started.elapsed().as_secs_f64();
        let what = format!("FETCH 1:* {items}");
        println!(
            "{what:<52}{:>10.0} /s  {:>6.0} MB/s",
            count as f64 / secs,
            octets as f64 / 1e6 / secs
        );
    }
    Ok(())
}

fn idle_connections(server: &Server) -> Try<()> {
    let mut kept = Vec::new();
    for batch in ["first", "later"] {
        let before = server.pss()?;
        for _ in 0..25 {
            let mut imap = Line::imap()?;
            imap.ask("b SELECT INBOX", "b OK")?;
            imap.ask("c IDLE", "+")?;
            kept.push(imap);
        }
        std::thread::sleep(Duration::from_millis(500));
        let each = server.pss()?.saturating_sub(before) as f64 / 25.0;
        println!(
            "{:<52}{each:>10.1} KiB",
            format!("one more idle IMAP connection, {batch} 25")
        );
    }
    let started = Instant::now();
    Line::smtp()?.mail(&message(0, 4096))?;
    let acked = started.elapsed();
    for imap in &mut kept {
        while !imap.next()?.contains("EXISTS") {}
    }
    let told = started.elapsed().saturating_sub(acked).as_secs_f64() * 1e3;
    println!(
        "{:<52}{told:>10.1} ms",
        "acknowledgement to EXISTS on all 50"
    );
    Ok(())
}

const AUTH: &str = "Authorization: Basic YWxpY2U6YmVuY2gtcGFzc3dvcmQ=";

/// From the acknowledgement of a delivery, which follows its commit, to the push on a connection that
/// waits for it: with the machine at rest, and with more busy threads than it has cores.
fn pushes() -> Try<()> {
    let events = format!(
        "GET /jmap/events?types=*&closeafter=no&ping=0 HTTP/1.1\r\nHost: x\r\n{AUTH}\r\n\r\n"
    );
    let mut socket = format!(
        "GET /jmap/ws HTTP/1.1\r\nHost: x\r\n{AUTH}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: jmap\r\n\r\n"
    )
    .into_bytes();
    let enable = br#"{"@type":"WebSocketPushEnable","dataTypes":null}"#;
    socket.extend([0x81, 0x80 | enable.len() as u8, 0, 0, 0, 0]);
    socket.extend(enable);
    for (what, open) in [("event source", events.as_bytes()), ("WebSocket", &socket)] {
        let mut stream = TcpStream::connect(("127.0.0.1", PORTS + 80))?;
        stream.write_all(open)?;
        let (heard, pushed) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 1 << 16];
            while let Ok(got) = stream.read(&mut piece)
                && got > 0
                && heard.send(Instant::now()).is_ok()
            {}
        });
        for busy in [false, true] {
            let stop = AtomicBool::new(false);
            let cores = std::thread::available_parallelism()?.get();
            let mut waits = std::thread::scope(|scope| {
                for _ in 0..if busy { 2 * cores } else { 0 } {
                    scope.spawn(|| {
                        while !stop.load(Ordering::Relaxed) {
                            std::hint::spin_loop();
                        }
                    });
                }
                let waits = push_waits(&pushed).map_err(|e| e.to_string());
                stop.store(true, Ordering::Relaxed);
                waits
            })?;
            waits.sort_unstable();
            let at = |share: usize| {
                ms(waits
                    .get(waits.len() * share / 100)
                    .copied()
                    .unwrap_or_default())
            };
            println!(
                "{:<52}{:>10.2} ms  99 of 100 {:.2} ms  worst {:.2} ms",
                format!(
                    "to the push, {what}{}",
                    if busy { ", busy machine" } else { "" }
                ),
                at(50),
                at(99),
                ms(waits.last().copied().unwrap_or_default()),
            );
        }
    }
    Ok(())
}

fn push_waits(pushed: &mpsc::Receiver<Instant>) -> Try<Vec<Duration>> {
    let mut smtp = Line::smtp()?;
    let mut waits = Vec::new();
    for number in 0..200 {
        // What came late of the one before.
        std::thread::sleep(Duration::from_millis(30));
        while pushed.try_recv().is_ok() {}
        smtp.mail(&message(number, 1024))?;
        let acked = Instant::now();
        let at = pushed.recv_timeout(Duration::from_secs(10))?;
        waits.push(at.saturating_duration_since(acked));
    }
    Ok(waits)
}

fn large_message(server: &Server) -> Try<()> {
    let large = message(0, LARGE);
    server.peak("50 MB in by SMTP, peak", || Line::smtp()?.mail(&large))?;
    server.peak("50 MB in by IMAP APPEND, peak", || {
        let mut imap = Line::imap()?;
        imap.ask(&format!("b APPEND Archive {{{}}}", large.len()), "+")?;
        imap.send(&large)?;
        imap.ask("", "b OK").map(drop)
    })?;
    server.peak("50 MB in by JMAP upload, peak", || {
        let (status, _) = http("POST", "/jmap/upload/a1", Some(&large))?;
        if status.contains(" 201") {
            Ok(())
        } else {
            Err(format!("upload: {status}").into())
        }
    })?;
    server.peak("50 MB out by IMAP FETCH BODY[], peak", || {
        let mut imap = Line::imap()?;
        imap.ask("b SELECT Archive", "b OK")?;
        imap.drain("c FETCH * BODY.PEEK[]", b"c OK").map(drop)
    })?;
    server.peak("50 MB out by POP3 RETR, peak", || {
        let mut pop = Line::connect(110)?;
        pop.ask("USER alice", "+OK")?;
        pop.ask(&format!("PASS {PASSWORD}"), "+OK")?;
        let stat = pop.ask("STAT", "+OK")?;
        let last = stat.split(' ').nth(1).ok_or("STAT")?.to_owned();
        pop.drain(&format!("RETR {last}"), b".\r\n").map(drop)
    })
}

/// One request with Basic authentication; the status line and the length of the body.
fn http(method: &str, path: &str, body: Option<&[u8]>) -> Try<(String, usize)> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORTS + 80))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic YWxpY2U6YmVuY2gtcGFzc3dvcmQ=\r\n\
         Content-Type: message/rfc822\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.map_or(0, <[u8]>::len)
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.unwrap_or_default())?;
    let mut reader = BufReader::new(stream);
    let mut status = String::new();
    reader.read_line(&mut status)?;
    let octets = std::io::copy(&mut reader.take(u64::MAX), &mut std::io::sink())?;
    Ok((status, octets as usize))
}
