//! One connection to the other server: commands out, responses in. Bodies of messages pass through;
//! everything else has a bound.
use super::wire;
use crate::limits;
use crate::net::{Conn, Error, Line, client, tls};
use crate::server::{Failure, Kind};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;
use std::time::Instant;

/// Where the other server is, and who we are there.
pub struct Origin {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// TLS comes first; else by STARTTLS.
    pub tls: bool,
    /// The password may cross the net in the clear.
    pub insecure: bool,
    /// Further trusted certificates.
    pub ca: Option<PathBuf>,
    /// The log-in name.
    pub user: String,
    /// The password.
    pub password: String,
    /// It is an access token of OAuth 2 instead.
    pub token: bool,
}

/// Why a command did not come to its end.
pub enum Stop {
    /// The connection broke: another one may do.
    Broken(String),
    /// The server says no.
    Refused(String),
    /// Nothing helps.
    Ended(Failure),
}

impl From<Error> for Stop {
    fn from(e: Error) -> Stop {
        Stop::Broken(e.to_string())
    }
}

impl From<Failure> for Stop {
    fn from(e: Failure) -> Stop {
        Stop::Ended(e)
    }
}

/// What comes while a command runs.
pub enum Event<'a> {
    /// Octets of a body; the response that they stand in follows.
    Octets(&'a [u8]),
    /// A response, without its `* `, literals as quoted strings.
    Line(&'a [u8]),
}

/// Takes what comes.
pub type Sink<'s> = dyn FnMut(Event<'_>) -> Result<(), Stop> + 's;

/// The connection, logged in.
pub struct Link {
    conn: Conn,
    tag: u32,
    line: Vec<u8>,
    /// What the server can, in upper case, between spaces.
    pub can: String,
}

fn strange(why: &str) -> Stop {
    Stop::Ended(Failure::new(
        Kind::Other,
        ["the other server does not speak IMAP as it should: ", why].concat(),
    ))
}

/// What a server said, for people.
pub fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).replace(char::is_control, "?");
    text.chars().take(200).collect()
}

impl Link {
    /// Connects and logs in.
    pub fn open(origin: &Origin) -> Result<Link, Stop> {
        let straight = Default::default();
        let connect = client::connect(&straight, &origin.host, origin.port);
        let conn = smol::block_on(connect)?;
        conn.set_idle(Some(limits::FETCH_IDLE));
        conn.set_deadline(Some(Instant::now() + limits::FETCH_LOGIN));
        let mut link = Link {
            conn,
            tag: 0,
            line: Vec::new(),
            can: String::new(),
        };
        if origin.tls {
            link.secure(origin)?;
        }
        link.response(&mut |_| Ok(()))?;
        let greeting = std::mem::take(&mut link.line);
        let known = greeting.to_ascii_uppercase();
        if !known.starts_with(b"* OK") && !known.starts_with(b"* PREAUTH") {
            return Err(Stop::Broken(shown(&greeting)));
        }
        // Nothing that somebody in between could hear.
        if !origin.tls && !link.conn.is_loopback() && !origin.insecure {
            link.ask("STARTTLS", &mut |_| Ok(())).map_err(|stop| match stop {
                Stop::Refused(_) => Stop::Ended(Failure::usage(
                    "the other server has no TLS at this port: try imaps://, or --insecure if nobody \
                     can listen",
                )),
                stop => stop,
            })?;
            link.secure(origin)?;
        }
        if !known.starts_with(b"* PREAUTH") {
            link.log_in(origin)?;
        }
        link.capability()?;
        Ok(link)
    }

    fn secure(&mut self, origin: &Origin) -> Result<(), Stop> {
        let connector = tls::connector(origin.ca.as_deref());
        let connector = connector.map_err(|why| Failure::new(Kind::Certificate, why))?;
        let started = smol::block_on(self.conn.start_tls_client(&connector, &origin.host));
        match started {
            // RFC 9051 §6.2.1: what came before TLS is of whoever put it there.
            Ok(started) if started.dropped > 0 => Err(strange("it speaks before TLS")),
            Ok(_) => Ok(()),
            Err(Error::Tls(why)) => Err(Failure::new(
                Kind::Certificate,
                [
                    &origin.host,
                    ": TLS: ",
                    &why,
                    " (--ca trusts further certificates)",
                ]
                .concat(),
            )
            .into()),
            Err(e) => Err(e.into()),
        }
    }

    fn log_in(&mut self, origin: &Origin) -> Result<(), Stop> {
        self.capability()?;
        let mut command = Vec::new();
        let mut more = None;
        if origin.token || self.has("AUTH=PLAIN") {
            let Origin { user, password, .. } = origin;
            let (mechanism, said) = match origin.token {
                true => (
                    "XOAUTH2",
                    ["user=", user, "\x01auth=Bearer ", password, "\x01\x01"].concat(),
                ),
                false => ("PLAIN", ["\0", user, "\0", password].concat()),
            };
            let said = STANDARD.encode(said);
            command.extend_from_slice(b"AUTHENTICATE ");
            command.extend_from_slice(mechanism.as_bytes());
            match self.has("SASL-IR") {
                true => command.extend_from_slice([" ", &said].concat().as_bytes()),
                false => more = Some(said),
            }
        } else {
            command.extend_from_slice(b"LOGIN ");
            wire::quoted(origin.user.as_bytes(), &mut command);
            command.push(b' ');
            wire::quoted(origin.password.as_bytes(), &mut command);
        }
        let done = self.send(&command, more, &mut |_| Ok(()));
        done.map_err(|stop| match stop {
            Stop::Refused(why) => Stop::Ended(Failure::new(
                Kind::Other,
                ["the other server refuses the log-in: ", &why].concat(),
            )),
            stop => stop,
        })
    }

    fn capability(&mut self) -> Result<(), Stop> {
        let mut can = String::new();
        self.ask("CAPABILITY", &mut |event| {
            if let Event::Line(line) = event
                && let Some(rest) = line.to_ascii_uppercase().strip_prefix(b"CAPABILITY")
            {
                can = String::from_utf8_lossy(rest).into_owned() + " ";
            }
            Ok(())
        })?;
        self.can = can;
        Ok(())
    }

    /// Whether the server can this.
    pub fn has(&self, capability: &str) -> bool {
        self.can.contains(&[" ", capability, " "].concat())
    }

    /// Runs a command; the sink gets what comes.
    pub fn ask(&mut self, command: &str, sink: &mut Sink<'_>) -> Result<(), Stop> {
        self.send(command.as_bytes(), None, sink)
    }

    /// The same with octets; `more` is sent when the server asks for it.
    pub fn send(
        &mut self,
        command: &[u8],
        mut more: Option<String>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Stop> {
        self.tag += 1;
        let tag = ["P", &self.tag.to_string(), " "].concat();
        let out = self.conn.out();
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(command);
        out.extend_from_slice(b"\r\n");
        smol::block_on(self.conn.flush())?;
        loop {
            self.response(sink)?;
            let line = std::mem::take(&mut self.line);
            if let Some(rest) = line.strip_prefix(b"* ") {
                if rest.to_ascii_uppercase().starts_with(b"BYE") {
                    return Err(Stop::Broken(shown(rest)));
                }
                sink(Event::Line(rest))?;
            } else if let Some(rest) = line.strip_prefix(tag.as_bytes()) {
                return match rest.to_ascii_uppercase().starts_with(b"OK") {
                    true => Ok(()),
                    false => Err(Stop::Refused(shown(rest))),
                };
            } else if line.starts_with(b"+") {
                let said = more.take().unwrap_or_else(|| "*".to_owned()) + "\r\n";
                self.conn.out().extend_from_slice(said.as_bytes());
                smol::block_on(self.conn.flush())?;
            } else {
                return Err(strange(&shown(&line)));
            }
        }
    }

    /// Reads a whole response into `line`.
    fn response(&mut self, sink: &mut Sink<'_>) -> Result<(), Stop> {
        let mut whole = Vec::new();
        loop {
            let read = self.conn.read_line(&mut self.line, limits::FETCH_LINE);
            if smol::block_on(read)? == Line::TooLong || whole.len() > limits::FETCH_LINE {
                return Err(strange("a line is too long"));
            }
            whole.extend_from_slice(&self.line);
            let literal = wire::literal(&self.line);
            let Some((at, size)) = literal.map_err(|_| strange("a literal is too large"))? else {
                self.line = whole;
                return Ok(());
            };
            whole.truncate(whole.len() - (self.line.len() - at));
            let end = whole.last_chunk::<7>();
            if end.is_some_and(|end| end.eq_ignore_ascii_case(b"BODY[] ")) {
                self.stream(size, sink)?;
                whole.extend_from_slice(b"NIL");
                continue;
            }
            if size as usize > limits::FETCH_LINE {
                return Err(strange("a literal is too large"));
            }
            let mut text = Vec::new();
            self.stream(size, &mut |event| {
                if let Event::Octets(octets) = event {
                    text.extend_from_slice(octets);
                }
                Ok(())
            })?;
            wire::quoted(&text, &mut whole);
        }
    }

    fn stream(&mut self, mut left: u32, sink: &mut Sink<'_>) -> Result<(), Stop> {
        while left > 0 {
            let chunk = smol::block_on(self.conn.chunk(left as usize))?;
            let count = chunk.len();
            sink(Event::Octets(chunk))?;
            self.conn.consume(count);
            left -= count as u32;
        }
        Ok(())
    }

    /// From here on it may take as long as it takes.
    pub fn take_time(&self) {
        self.conn.set_deadline(None);
    }
}
