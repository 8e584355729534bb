//! A server that takes mail from us, and does what a test tells it to.
use crate::harness::TempDir;
use pillarbox::config::{Smarthost, SmarthostTls};
use pillarbox::net::tls;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// A message that was taken.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// MAIL and RCPT lines.
    pub envelope: Vec<String>,
    /// What came behind DATA, the last dot included, or by BDAT.
    pub raw: Vec<u8>,
}

/// Answers a line of a connection (from 0): None for the usual answer, "" to hang up at once. The
/// greeting is asked for as "CONNECT", the end of the data as ".".
pub type Script = dyn Fn(usize, &str) -> Option<String> + Send + Sync;

#[derive(Default)]
struct Seen {
    connections: usize,
    lines: Vec<(usize, String)>,
    peers: Vec<std::net::IpAddr>,
    messages: Vec<Message>,
}

pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
    dir: TempDir,
    implicit: bool,
    certificate: Vec<u8>,
}

struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    stop: AtomicBool,
    script: Box<Script>,
    extensions: &'static [&'static str],
    tls: Arc<ServerConfig>,
    implicit: bool,
}

/// What most servers offer.
pub const USUAL: &[&str] = &[
    "PIPELINING",
    "SIZE 10000000",
    "8BITMIME",
    "SMTPUTF8",
    "STARTTLS",
    "AUTH PLAIN LOGIN",
];

const LOCAL: &[&str] = &["localhost", "127.0.0.1"];

impl Fake {
    pub fn taking_all() -> Fake {
        Fake::start(USUAL, |_, _| None)
    }

    pub fn start(
        extensions: &'static [&'static str],
        script: impl Fn(usize, &str) -> Option<String> + Send + Sync + 'static,
    ) -> Fake {
        Fake::listen(LOCAL, extensions, false, Box::new(script))
    }

    /// With a certificate for this name.
    pub fn named(name: &str) -> Fake {
        Fake::listen(&[name], USUAL, false, Box::new(|_, _| None))
    }

    /// TLS from the start.
    pub fn with_tls() -> Fake {
        Fake::listen(LOCAL, USUAL, true, Box::new(|_, _| None))
    }

    fn listen(
        names: &[&str],
        extensions: &'static [&'static str],
        implicit: bool,
        script: Box<Script>,
    ) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let dir = TempDir::new();
        let own = names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>();
        let own = tls::self_signed(&own).unwrap();
        let pem = super::base64_octets(&own.cert);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n");
        std::fs::write(dir.join("ca.pem"), pem).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(own.cert.clone())],
                PrivatePkcs8KeyDer::from(own.key.clone()).into(),
            )
            .unwrap();
        let shared = Arc::new(Shared {
            seen: Mutex::default(),
            changed: Condvar::new(),
            stop: AtomicBool::new(false),
            script,
            extensions,
            tls: Arc::new(config),
            implicit,
        });
        let fake = Fake {
            address: listener.local_addr().unwrap(),
            shared: shared.clone(),
            dir,
            implicit,
            certificate: own.cert,
        };
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if shared.stop.load(Ordering::SeqCst) {
                    return;
                }
                let (socket, shared) = (socket.unwrap(), shared.clone());
                std::thread::spawn(move || Connection::serve(socket, &shared));
            }
        });
        fake
    }

    /// How to reach it: without TLS, or with TLS from the start if that is what it speaks.
    pub fn smarthost(&self) -> Smarthost {
        Smarthost {
            host: "localhost".into(),
            port: self.address.port(),
            tls: if self.implicit {
                SmarthostTls::Tls
            } else {
                SmarthostTls::None
            },
            login: None,
            token: None,
            ca: Some(self.dir.join("ca.pem")),
        }
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where they came from.
    pub fn peers(&self) -> Vec<std::net::IpAddr> {
        self.shared.seen.lock().unwrap().peers.clone()
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.seen.lock().unwrap().connections
    }

    /// Waits for this many messages.
    #[track_caller]
    pub fn wait(&self, count: usize) -> Vec<Message> {
        let seen = self.wait_until(|seen| seen.messages.len() >= count);
        assert!(
            seen.messages.len() >= count,
            "only {} messages came: {:?}",
            seen.messages.len(),
            seen.lines
        );
        seen.messages.clone()
    }

    /// Waits for this many connections.
    #[track_caller]
    pub fn wait_for_connections(&self, count: usize) {
        let seen = self.wait_until(|seen| seen.connections >= count);
        assert!(
            seen.connections >= count,
            "only {} connections came",
            seen.connections
        );
    }

    fn wait_until(&self, done: impl Fn(&Seen) -> bool) -> std::sync::MutexGuard<'_, Seen> {
        let seen = self.shared.seen.lock().unwrap();
        let limit = crate::harness::PATIENCE;
        self.shared
            .changed
            .wait_timeout_while(seen, limit, |seen| !done(seen))
            .unwrap()
            .0
    }

    /// Messages so far.
    pub fn count(&self) -> usize {
        self.shared.seen.lock().unwrap().messages.len()
    }

    /// Every line so far.
    pub fn lines(&self) -> Vec<String> {
        self.shared
            .seen
            .lock()
            .unwrap()
            .lines
            .iter()
            .map(|(_, line)| line.clone())
            .collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
    Gone,
}

struct Connection<'a> {
    wire: Wire,
    input: Vec<u8>,
    number: usize,
    shared: &'a Shared,
}

impl Connection<'_> {
    fn serve(socket: TcpStream, shared: &Shared) {
        let number = {
            let mut seen = shared.seen.lock().unwrap();
            seen.connections += 1;
            seen.peers.extend(socket.peer_addr().map(|peer| peer.ip()));
            seen.connections - 1
        };
        shared.changed.notify_all();
        let mut connection = Connection {
            wire: Wire::Plain(socket),
            input: Vec::new(),
            number,
            shared,
        };
        if shared.implicit {
            connection.start_tls();
        }
        let _ = connection.talk();
    }

    fn talk(&mut self) -> Option<()> {
        let mut message = Message::default();
        self.answer("CONNECT", "220 fake ESMTP")?;
        loop {
            let line = self.line()?;
            let verb = line
                .split([' ', ':'])
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let mut text = String::from("250-fake\r\n");
                    for extension in self.shared.extensions {
                        if *extension != "STARTTLS" || matches!(self.wire, Wire::Plain(_)) {
                            text += &format!("250-{extension}\r\n");
                        }
                    }
                    self.answer(&line, &(text + "250 HELP"))?;
                }
                "STARTTLS" => {
                    if self.answer(&line, "220 go ahead")?.starts_with("220") {
                        self.start_tls();
                    }
                }
                "AUTH" => drop(self.answer(&line, "235 welcome")?),
                "MAIL" => {
                    message = Message::default();
                    message.envelope.push(line.clone());
                    self.answer(&line, "250 2.1.0 ok")?;
                }
                "RCPT" => {
                    if self.answer(&line, "250 2.1.5 ok")?.starts_with('2') {
                        message.envelope.push(line);
                    }
                }
                "DATA" => {
                    if self.answer(&line, "354 go ahead")?.starts_with("354") {
                        self.data(&mut message)?;
                        let text = self.says(".", "250 2.0.0 taken");
                        self.take(&mut message, &text);
                        self.tell(text)?;
                    }
                }
                "BDAT" => {
                    let mut words = line.split(' ').skip(1);
                    let size: usize = words.next()?.parse().ok()?;
                    while self.input.len() < size {
                        self.fill()?;
                    }
                    message.raw.extend(self.input.drain(..size));
                    let last = words.next().is_some();
                    let usual = match (message.envelope.len() > 1, last) {
                        (false, _) => "554 5.5.1 no valid recipients",
                        (true, true) => "250 2.0.0 taken",
                        (true, false) => "250 2.0.0 ok",
                    };
                    let text = self.says(&line, usual);
                    if last {
                        self.take(&mut message, &text);
                    }
                    self.tell(text)?;
                }
                "QUIT" => {
                    self.answer(&line, "221 bye")?;
                    return None;
                }
                _ => drop(self.answer(&line, "250 2.0.0 ok")?),
            }
        }
    }

    /// Keeps a message before it is acknowledged: whoever hears that it was taken finds it here.
    fn take(&mut self, message: &mut Message, text: &str) {
        if text.starts_with('2') {
            let message = std::mem::take(message);
            self.shared.seen.lock().unwrap().messages.push(message);
            self.shared.changed.notify_all();
        }
    }

    /// What the script says, or `usual`.
    fn says(&self, line: &str, usual: &str) -> String {
        (self.shared.script)(self.number, line).unwrap_or_else(|| usual.to_owned())
    }

    /// Says it; gives what was said.
    fn answer(&mut self, line: &str, usual: &str) -> Option<String> {
        self.tell(self.says(line, usual))
    }

    fn tell(&mut self, text: String) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        let octets = format!("{text}\r\n");
        match &mut self.wire {
            Wire::Plain(s) => s.write_all(octets.as_bytes()).ok()?,
            Wire::Tls(s) => {
                s.write_all(octets.as_bytes()).ok()?;
                s.flush().ok()?;
            }
            Wire::Gone => return None,
        }
        Some(text)
    }

    fn start_tls(&mut self) {
        let Wire::Plain(mut socket) = std::mem::replace(&mut self.wire, Wire::Gone) else {
            return;
        };
        let mut session = ServerConnection::new(self.shared.tls.clone()).unwrap();
        while session.is_handshaking() {
            if session.complete_io(&mut socket).is_err() {
                return;
            }
        }
        self.wire = Wire::Tls(Box::new(StreamOwned::new(session, socket)));
    }

    fn fill(&mut self) -> Option<()> {
        let mut chunk = [0; 4096];
        let got = match &mut self.wire {
            Wire::Plain(s) => s.read(&mut chunk).ok()?,
            Wire::Tls(s) => s.read(&mut chunk).ok()?,
            Wire::Gone => 0,
        };
        if got == 0 {
            return None;
        }
        self.input.extend_from_slice(&chunk[..got]);
        Some(())
    }

    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                let line = String::from_utf8_lossy(&line[..end]).into_owned();
                self.shared
                    .seen
                    .lock()
                    .unwrap()
                    .lines
                    .push((self.number, line.clone()));
                return Some(line);
            }
            self.fill()?;
        }
    }

    /// Everything to the last dot.
    fn data(&mut self, message: &mut Message) -> Option<()> {
        loop {
            let end = if self.input.starts_with(b".\r\n") {
                Some(3)
            } else {
                self.input
                    .windows(5)
                    .position(|five| five == b"\r\n.\r\n")
                    .map(|at| at + 5)
            };
            if let Some(end) = end {
                message.raw = self.input.drain(..end).collect();
                return Some(());
            }
            self.fill()?;
        }
    }
}
