//! IMAP: a whole session against a real server on a store of its own. Whatever the octets, nothing
//! panics, memory stays bounded, every command is answered by a tagged response or BYE, and the
//! connection ends when the client has ended.
//!
//! The first octet says how: bits 0-1 the state to begin in (before log-in, logged in, INBOX selected,
//! INBOX selected and compressed), bit 2 octets as they are or commands. Commands are separated by 0xff;
//! in one of them 0xfe and a length make a literal of that many of the octets that follow, 0xfd one
//! that waits for nobody.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::auth::Auth;
use pillarbox::config::{Config, Listen, Role};
use pillarbox::mail::{Mail, Options};
use pillarbox::server::{self, Server};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Sessions on one store; then it is thrown away, with all that they have put into it.
const SESSIONS: u32 = 300;
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    server: Option<Server>,
    address: SocketAddr,
    folder: PathBuf,
    sessions: u32,
}

thread_local! {
    // Not dropped at the end of the process, when there is nothing left to stop a server with.
    static WORLD: RefCell<Option<ManuallyDrop<World>>> = const { RefCell::new(None) };
}

impl World {
    fn new() -> World {
        let folder = std::env::temp_dir().join(format!("pillarbox-fuzz-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::new("anna", "example.org");
        config.db = folder.join("mail.redb");
        config.quota = Some(64 << 20);
        config.listen = vec![Listen {
            role: Role::Imap,
            address: ([127, 0, 0, 1], 0).into(),
        }];
        let config = Arc::new(config);
        let options = Options {
            message_size: 1 << 20,
            quota: 64 << 20,
            ..Options::default()
        };
        let mail = Mail::open(&config.db, options).unwrap();
        let auth = Arc::new(Auth::open(config.clone(), mail.clone()).unwrap());
        smol::block_on(auth.set_password("secret", true)).unwrap();
        let bound = server::bind(&config.listen).unwrap();
        let server = Server::start(bound, config, mail, auth, None).unwrap();
        let address = server.addresses()[0].1;
        let world = World {
            server: Some(server),
            address,
            folder,
            sessions: 0,
        };
        world.fill();
        world
    }

    fn fill(&self) {
        let mut c = Client::connect(self.address);
        c.ask("a LOGIN anna secret");
        for text in [
            "Subject: one\r\nFrom: a@b\r\n\r\nHello\r\n",
            "Subject: =?utf-8?q?zw=C3=B6lf?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n\
             --b\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/png\r\n\r\nAAECAw==\r\n--b\r\n\
             Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nx\r\n--b--\r\n",
            "Subject: Re: one\r\nReferences: <a@b>\r\n\r\n\u{e4}\r\n",
        ] {
            c.ask(&format!(
                "a APPEND INBOX (\\Flagged k) {{{}+}}\r\n{text}",
                text.len()
            ));
        }
        c.ask("a CREATE box/below");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            smol::block_on(server.stop(Duration::from_secs(5), std::future::pending()));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

struct Client {
    socket: TcpStream,
    buffer: Vec<u8>,
    packed: Option<Box<(flate2::Compress, flate2::Decompress)>>,
    /// The server has said BYE: it owes nothing more.
    bye: bool,
}

impl Client {
    fn connect(address: SocketAddr) -> Client {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut client = Client {
            socket,
            buffer: Vec::new(),
            packed: None,
            bye: false,
        };
        client.response();
        client
    }

    fn compress(&mut self) {
        self.ask("a COMPRESS DEFLATE");
        let out = flate2::Compress::new(flate2::Compression::fast(), false);
        self.packed = Some(Box::new((out, flate2::Decompress::new(false))));
    }

    fn pack(&mut self, octets: &[u8]) -> Vec<u8> {
        let Some(packed) = &mut self.packed else {
            return octets.to_vec();
        };
        let mut out = Vec::with_capacity(octets.len() + 1000);
        let sync = flate2::FlushCompress::Sync;
        packed.0.compress_vec(octets, &mut out, sync).unwrap();
        out
    }

    /// The server may have gone already: that is seen when reading.
    fn send(&mut self, octets: &[u8]) {
        let out = self.pack(octets);
        let _ = self.socket.write_all(&out);
    }

    /// Reads more; false at the end.
    fn more(&mut self) -> bool {
        let mut chunk = [0; 16384];
        let n = match self.socket.read(&mut chunk) {
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => 0,
            // The fuzzer's own alarm.
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => return true,
            Err(e) => panic!(
                "no answer: {e}; unread {:?}",
                String::from_utf8_lossy(&self.buffer)
            ),
        };
        let mut octets = &chunk[..n];
        match &mut self.packed {
            None => self.buffer.extend_from_slice(octets),
            Some(packed) => loop {
                let before = packed.1.total_in();
                let mut out = Vec::with_capacity(65536);
                let sync = flate2::FlushDecompress::Sync;
                packed.1.decompress_vec(octets, &mut out, sync).unwrap();
                octets = &octets[(packed.1.total_in() - before) as usize..];
                self.buffer.extend_from_slice(&out);
                if octets.is_empty() && out.len() < out.capacity() {
                    break;
                }
            },
        }
        n > 0
    }

    /// A response with its literals; `None` at the end.
    fn response(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        loop {
            let end = loop {
                match self.buffer.iter().position(|b| *b == b'\n') {
                    Some(at) => break at + 1,
                    None if self.more() => {}
                    None => return None,
                }
            };
            text.extend(self.buffer.drain(..end));
            let Some(size) = literal(&text) else {
                self.bye |= text.starts_with(b"* BYE");
                return Some(text);
            };
            while self.buffer.len() < size {
                if !self.more() {
                    return None;
                }
            }
            text.extend(self.buffer.drain(..size));
        }
    }

    fn ask(&mut self, command: &str) {
        self.send(format!("{command}\r\n").as_bytes());
        while let Some(response) = self.response() {
            if response.starts_with(b"a ") {
                let text = String::from_utf8_lossy(&response);
                assert!(response.starts_with(b"a OK"), "{command}: {text}");
                return;
            }
        }
        panic!("no answer to {command}");
    }
}

fn literal(line: &[u8]) -> Option<usize> {
    let line = line.strip_suffix(b"}\r\n")?;
    let open = line.iter().rposition(|b| *b == b'{')?;
    std::str::from_utf8(&line[open + 1..]).ok()?.parse().ok()
}

/// Octets as they are, and whatever comes back up to the end.
fn raw(mut c: Client, octets: &[u8]) {
    let out = c.pack(octets);
    let mut socket = c.socket.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        let _ = socket.write_all(&out);
        let _ = socket.shutdown(std::net::Shutdown::Write);
    });
    while c.response().is_some() {}
    sender.join().unwrap();
}

/// Commands one by one, each with its answer.
fn commands(mut c: Client, octets: &[u8]) {
    for (n, text) in octets.split(|b| *b == 0xff).take(20).enumerate() {
        let tag = format!("t{n}");
        let mut line = format!("{tag} ").into_bytes();
        let mut rest = text;
        let mut refused = false;
        loop {
            let at = rest.iter().position(|b| *b >= 0xfd).unwrap_or(rest.len());
            // A line end would be another command.
            let plain = rest[..at].iter().filter(|b| !b"\r\n".contains(b));
            line.extend(plain);
            // What looks like a literal is the harness's to write.
            if line.ends_with(b"}") {
                line.push(b' ');
            }
            let Some((mark, [len, tail @ ..])) = rest[at..].split_first() else {
                break;
            };
            let (value, tail) = tail.split_at((*len as usize).min(tail.len()));
            rest = tail;
            let plus = if *mark == 0xfd { "+" } else { "" };
            line.extend(format!("{{{}{plus}}}\r\n", value.len()).bytes());
            if *mark != 0xfd {
                c.send(&std::mem::take(&mut line));
                refused = !invited(&mut c, &tag);
                if refused {
                    break;
                }
            }
            line.extend(value);
        }
        if refused {
            continue;
        }
        line.extend(b"\r\n");
        c.send(&line);
        loop {
            match answered(&mut c, &tag) {
                Answer::Tagged => break,
                Answer::Ended => return,
                // IDLE, AUTHENTICATE.
                Answer::Invited => c.send(b"DONE\r\n"),
            }
        }
    }
    c.send(b"z LOGOUT\r\n");
    while c.response().is_some() {}
}

enum Answer {
    Tagged,
    Invited,
    Ended,
}

fn answered(c: &mut Client, tag: &str) -> Answer {
    while let Some(response) = c.response() {
        if response.starts_with(b"+") {
            return Answer::Invited;
        }
        let rest = response.strip_prefix(tag.as_bytes());
        if rest.is_some_and(|rest| {
            [&b" OK "[..], b" NO ", b" BAD "]
                .iter()
                .any(|s| rest.starts_with(s))
        }) {
            return Answer::Tagged;
        }
        // A tag that is none: `* BAD`.
        assert!(
            response.starts_with(b"* "),
            "{}",
            String::from_utf8_lossy(&response)
        );
    }
    assert!(c.bye, "{tag} was not answered, and no BYE said why");
    Answer::Ended
}

/// Was the literal asked for?
fn invited(c: &mut Client, tag: &str) -> bool {
    matches!(answered(c, tag), Answer::Invited)
}

fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else {
        return;
    };
    let lower = rest.to_ascii_lowercase();
    let has = |word: &[u8]| lower.windows(word.len()).any(|w| w == word);
    // Failed log-ins are slowed down; a second compression would have to be followed.
    if (how & 3 == 0 && (has(b"login") || has(b"authenticate")))
        || has(b"compress")
        || has(b"unauth")
    {
        return;
    }
    WORLD.with_borrow_mut(|world| {
        if world.as_ref().is_none_or(|w| w.sessions >= SESSIONS) {
            world.take().map(ManuallyDrop::into_inner);
        }
        let world = world.get_or_insert_with(|| ManuallyDrop::new(World::new()));
        world.sessions += 1;
        let mut c = Client::connect(world.address);
        if how & 3 > 0 {
            c.ask("a LOGIN anna secret");
        }
        if how & 3 > 1 {
            c.ask("a SELECT INBOX");
        }
        if how & 3 == 3 {
            c.compress();
        }
        match how & 4 {
            0 => raw(c, rest),
            _ => commands(c, rest),
        }
    });
});
