//! What grows with the mailbox: the same commands over 2,000 and over 100,000 messages, through the
//! wire, with the time, the server's processor time and its peak memory of each.
//!
//!     cargo bench --bench scale                     # a server of the bench profile
//!     PILLARBOX=/path/to/pillarbox cargo bench --bench scale -- [messages ...]
//!
//! While the long commands run, another connection asks for NOOP: its longest wait is the last
//! column. Linux only; the store lives in `PILLARBOX_BENCH_DIR`, else in the build folder.

use pillarbox::mail::{Commit, Flags, Mail, NewEmail, Options, Role, Source};
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Try<T> = Result<T, Box<dyn Error>>;

const PORT: u16 = 27_943;
const PASSWORD: &str = "bench-password";

/// In this order: what one leaves is what the next finds. The mark stands for the number of messages.
const COMMANDS: [&str; 21] = [
    "SELECT INBOX",
    "SELECT INBOX",
    "STATUS INBOX (MESSAGES UNSEEN SIZE)",
    "FETCH 1:* (UID FLAGS)",
    "FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE BODYSTRUCTURE)",
    "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])",
    "FETCH # (UID FLAGS ENVELOPE)",
    "UID SEARCH ALL",
    "UID SEARCH UNSEEN",
    "UID SEARCH RETURN (COUNT) SUBJECT 777",
    "STORE 1:* +FLAGS (\\Flagged)",
    "STORE 1:* -FLAGS.SILENT (\\Flagged)",
    "STORE # +FLAGS (\\Seen)",
    "COPY 1:* Archive",
    "COPY # Archive",
    "STORE 1:* +FLAGS.SILENT (\\Answered)",
    "STORE 1:* +FLAGS.SILENT (\\Deleted)",
    "EXPUNGE",
    "NOOP",
    "DELETE Archive",
    "CREATE Archive",
];

/// Pages of a list, query and get in one request, and what else the query is given.
const PAGES: [(&str, &str); 6] = [
    ("the inbox", r#""filter":{"inMailbox":"m1"}"#),
    (
        "its middle, total",
        r#""filter":{"inMailbox":"m1"},"position":#,"calculateTotal":true"#,
    ),
    (
        "its threads",
        r#""filter":{"inMailbox":"m1"},"collapseThreads":true"#,
    ),
    (
        "its unread",
        r#""filter":{"inMailbox":"m1","notKeyword":"$seen"}"#,
    ),
    (
        "all mailboxes, total",
        r#""filter":null,"calculateTotal":true"#,
    ),
    ("all threads", r#""filter":null,"collapseThreads":true"#),
];

/// Asks for a page over a connection that stays; the octets of the answer.
fn page(http: &mut TcpStream, args: &str) -> Try<u64> {
    let body = format!(
        r##"{{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail"],"methodCalls":[["Email/query",{{"accountId":"a1","sort":[{{"property":"receivedAt","isAscending":false}}],"limit":50,{args}}},"0"],["Email/get",{{"accountId":"a1","#ids":{{"resultOf":"0","name":"Email/query","path":"/ids"}},"properties":["id","threadId","mailboxIds","keywords","from","subject","receivedAt","size","preview","hasAttachment"]}},"1"]]}}"##
    );
    let head = format!(
        "POST /jmap/api HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6YmVuY2gtcGFzc3dvcmQ=\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    http.write_all((head + &body).as_bytes())?;
    let (mut got, mut piece) = (Vec::new(), vec![0; 1 << 16]);
    loop {
        let read = http.read(&mut piece)?;
        got.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&got);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase();
            let length = length.split("content-length: ").nth(1).ok_or("no length")?;
            let length: usize = length.split("\r\n").next().ok_or("no length")?.parse()?;
            if body.len() >= length {
                return match head.contains(" 200") && body.matches("\"preview\"").count() == 50 {
                    true => Ok(length as u64),
                    false => Err(text.into_owned().into()),
                };
            }
        }
        if read == 0 {
            return Err("the server hung up".into());
        }
    }
}

fn main() -> Try<()> {
    let sizes: Vec<u32> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let sizes = if sizes.is_empty() {
        vec![2_000, 100_000]
    } else {
        sizes
    };
    let base = std::env::var("PILLARBOX_BENCH_DIR").unwrap_or(env!("CARGO_TARGET_TMPDIR").into());
    for size in sizes {
        let folder = Path::new(&base).join(format!("scale-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let done = measure(&folder, size);
        std::fs::remove_dir_all(&folder)?;
        done?;
    }
    Ok(())
}

fn measure(folder: &Path, size: u32) -> Try<()> {
    let started = Instant::now();
    fill(&folder.join("mail.redb"), size)?;
    let filled = started.elapsed().as_secs_f64();
    println!("\n{size} messages in one mailbox, delivered in {filled:.1} s");
    println!(
        "{:<64}{:>9}{:>9}{:>9}{:>9}{:>10}",
        "", "ms", "cpu ms", "MB", "peak KiB", "NOOP ms"
    );
    // Twice: the first start makes the account.
    Server::start(folder)?.stop()?;
    let server = Server::start(folder)?;
    println!(
        "{:<64}{:>9.1}",
        "exec to greeting",
        server.greeting.as_secs_f64() * 1e3
    );
    let mut http = TcpStream::connect(("127.0.0.1", PORT + 2))?;
    http.set_nodelay(true)?;
    for (what, args) in PAGES {
        let args = args.replace('#', &(size / 2).to_string());
        for time in ["", ", again"] {
            let what = format!("JMAP, a page of 50, {what}{time}");
            server.measure(&what, &mut || page(&mut http, &args))?;
        }
    }
    let mut client = Client::login()?;
    for command in COMMANDS {
        let command = command.replace('#', &(size / 2).to_string());
        server.measure(&command, &mut || client.drain(&command))?;
    }
    server.delivery("delivery, first of a thread", 0)?;
    server.stop()
}

/// `count` small messages in INBOX, by the engine itself.
fn fill(path: &Path, count: u32) -> Try<()> {
    let mail = Mail::open(path, Options::default()).map_err(|e| e.to_string())?;
    let inbox = mail.meta().by_role(Role::Inbox).ok_or("no INBOX")?.id;
    smol::block_on(async {
        let mut number = 0;
        while number < count {
            let mut add = Vec::new();
            while add.len() < 64 && number < count {
                number += 1;
                let mut body = mail.body(None).map_err(|e| e.to_string())?;
                body.push(&message(number))
                    .await
                    .map_err(|e| e.to_string())?;
                let staged = body.finish(&[]).await.map_err(|e| e.to_string())?;
                add.push(NewEmail {
                    source: Source::Staged(staged),
                    mailboxes: vec![inbox],
                    flags: Flags::default(),
                    keywords: Vec::new(),
                    internaldate: Some(1_700_000_000 + number),
                    hold: false,
                });
            }
            let commit = Commit {
                add,
                ..Commit::default()
            };
            mail.commit(commit).await.map_err(|e| e.to_string())?;
        }
        mail.close().await;
        Ok(())
    })
}

fn message(number: u32) -> Vec<u8> {
    let from = number % 97;
    format!(
        "Received: from a.example.org by b.example.org; Sat, 21 Nov 2026 10:00:00 +0000\r\n\
         From: Person {from} <person{from}@example.org>\r\nTo: Alice <alice@example.test>\r\n\
         Subject: Number {number}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\n\
         Message-ID: <{number}@example.org>\r\n\r\nA few words, number {number}.\r\n"
    )
    .into_bytes()
}

struct Server {
    child: Child,
    greeting: Duration,
}

impl Server {
    fn start(folder: &Path) -> Try<Server> {
        let built = env!("CARGO_BIN_EXE_pillarbox").to_owned();
        let secret: PathBuf = folder.join("password");
        std::fs::write(&secret, PASSWORD)?;
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let mut command = Command::new(std::env::var("PILLARBOX").unwrap_or(built));
        command.args(["serve", "-q", "--domain", "example.test", "--user", "alice"]);
        command.arg("--db").arg(folder.join("mail.redb"));
        command.arg("--password-file").arg(&secret);
        command.args(["--imap", &format!("127.0.0.1:{PORT}")]);
        command.args(["--smtp", &format!("127.0.0.1:{}", PORT + 1)]);
        command.args(["--http", &format!("127.0.0.1:{}", PORT + 2)]);
        for flag in [
            "--submission",
            "--submissions",
            "--imaps",
            "--pop3",
            "--pop3s",
            "--https",
        ] {
            command.args([flag, "off"]);
        }
        let started = Instant::now();
        let child = command.stdout(Stdio::null()).spawn()?;
        let mut server = Server {
            child,
            greeting: Duration::ZERO,
        };
        loop {
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", PORT)) {
                stream.read_exact(&mut [0])?;
                break;
            }
            if started.elapsed() > Duration::from_secs(60) {
                return Err("the server did not start".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.greeting = started.elapsed();
        Ok(server)
    }

    fn stop(mut self) -> Try<()> {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        self.child.wait()?;
        Ok(())
    }

    fn status(&self, field: &str) -> Try<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text
            .lines()
            .find(|l| l.starts_with(field))
            .ok_or("no such field")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
    }

    /// Processor time of all its threads.
    fn cpu(&self) -> Try<Duration> {
        let mut sum = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split(' ').next().ok_or("schedstat")?.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(sum))
    }

    fn measure(&self, command: &str, run: &mut dyn FnMut() -> Try<u64>) -> Try<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?;
        let (memory, cpu) = (self.status("VmRSS:")?, self.cpu()?);
        let done = AtomicBool::new(false);
        let (mut took, mut octets, mut longest) = (Duration::ZERO, 0, Duration::ZERO);
        std::thread::scope(|scope| -> Try<()> {
            let other = scope.spawn(|| waits(&done).map_err(|e| e.to_string()));
            // The other one is at work by now.
            std::thread::sleep(Duration::from_millis(50));
            let started = Instant::now();
            let answer = run();
            took = started.elapsed();
            done.store(true, Ordering::Relaxed);
            longest = other.join().map_err(|_| "panicked")??;
            octets = answer?;
            Ok(())
        })?;
        let cpu = self.cpu()?.saturating_sub(cpu);
        println!(
            "{command:<64}{:>9.1}{:>9.1}{:>9.2}{:>9}{:>10.1}",
            took.as_secs_f64() * 1e3,
            cpu.as_secs_f64() * 1e3,
            octets as f64 / 1e6,
            self.status("VmHWM:")?.saturating_sub(memory),
            longest.as_secs_f64() * 1e3
        );
        Ok(())
    }

    /// From MAIL to the acknowledgement.
    fn delivery(&self, what: &str, number: u32) -> Try<()> {
        let mut smtp = Client(TcpStream::connect(("127.0.0.1", PORT + 1))?);
        smtp.until(b"220 ")?;
        smtp.0.write_all(b"EHLO bench\r\n")?;
        smtp.until(b"250 ")?;
        let started = Instant::now();
        smtp.0
            .write_all(b"MAIL FROM:<b@example.org>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n")?;
        smtp.until(b"354 ")?;
        smtp.0.write_all(&message(number))?;
        smtp.0.write_all(b".\r\n")?;
        smtp.until(b"250 ")?;
        println!("{what:<64}{:>9.1}", started.elapsed().as_secs_f64() * 1e3);
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long a connection beside waits at most for an answer.
fn waits(done: &AtomicBool) -> Try<Duration> {
    let mut client = Client::login()?;
    client.drain("SELECT Drafts")?;
    let mut longest = Duration::ZERO;
    while !done.load(Ordering::Relaxed) {
        let started = Instant::now();
        client.drain("NOOP")?;
        longest = longest.max(started.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(longest)
}

struct Client(TcpStream);

impl Client {
    fn login() -> Try<Client> {
        let stream = TcpStream::connect(("127.0.0.1", PORT))?;
        stream.set_nodelay(true)?;
        let mut client = Client(stream);
        client.until(b"* OK")?;
        client.drain(&format!("LOGIN alice {PASSWORD}"))?;
        Ok(client)
    }

    /// Sends a command and counts the octets of its answer.
    fn drain(&mut self, command: &str) -> Try<u64> {
        self.0.write_all(format!("t1 {command}\r\n").as_bytes())?;
        let (octets, line) = self.until(b"t1 ")?;
        match line.starts_with("t1 OK") {
            true => Ok(octets),
            false => Err(format!("{command}: {line}").into()),
        }
    }

    /// Reads until what came last is a line that begins so. Returns how much came, and that line.
    fn until(&mut self, begin: &[u8]) -> Try<(u64, String)> {
        let (mut octets, mut tail) = (0, Vec::new());
        let mut piece = vec![0; 1 << 18];
        loop {
            let got = self.0.read(&mut piece)?;
            if got == 0 {
                return Err("the server hung up".into());
            }
            octets += got as u64;
            tail.extend_from_slice(piece.get(..got).ok_or("too much")?);
            if tail.ends_with(b"\r\n") {
                let body = tail.get(..tail.len() - 2).unwrap_or_default();
                let at = body
                    .iter()
                    .rposition(|&b| b == b'\n')
                    .map_or(0, |at| at + 1);
                let line = body.get(at..).unwrap_or_default();
                if line.starts_with(begin) {
                    return Ok((octets, String::from_utf8_lossy(line).into_owned()));
                }
            }
            // Only the last line matters.
            if tail.len() > 1 << 20 {
                tail.drain(..tail.len() - (1 << 16));
            }
        }
    }
}
