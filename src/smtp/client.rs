//! A session with a server that takes mail from us (RFC 5321 §3, client side).
//!
//! The server is not trusted: a reply has bounded lines (`limits`) and a deadline of its own
//! (RFC 5321 §4.5.3.2), what it says in the clear before TLS is forgotten (RFC 3207 §4.2), and TLS
//! that was asked for is never done without. A message counts as taken only by the 2yz behind its
//! last dot or chunk (RFC 3030); whatever breaks before that leaves it in the queue.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::login::{Login, Mechanism};
use super::wire::data::Encoder;
use super::wire::reply::{BadReply, Class, Enhanced, Parser, ServerReply};
use super::wire::xtext;
use crate::config::{Out, Smarthost, SmarthostTls};
use crate::dns;
use crate::limits;
use crate::mail;
use crate::mail::address::Address;
use crate::mail::outbound::{Notify, Recipient};
use crate::net::{self, Conn, Line, TlsConnector};
use crate::sys::{aside, random, secret};

/// Why a session is of no more use. Whatever was not answered stays in the queue.
#[derive(Debug)]
pub enum Failure {
    /// The network, TLS or a deadline.
    Net(net::Error),
    /// What came was no SMTP.
    NotSmtp(BadReply),
    /// The server refused the session at this step.
    Refused(&'static str, ServerReply),
    /// The server has no STARTTLS, and we do not go on without.
    NoStartTls,
    /// The server offers no mechanism that we speak.
    NoMechanism,
    /// The server does not know the password, or no randomness here.
    Login,
    /// The access token cannot be read.
    Secret(String),
    /// The message could not be read from the store.
    Store(mail::Error),
}

impl Failure {
    /// Whether TLS was the trouble.
    pub fn is_tls(&self) -> bool {
        matches!(
            self,
            Failure::Net(net::Error::Tls(_))
                | Failure::Refused("STARTTLS", _)
                | Failure::NoStartTls
        )
    }
}

impl Failure {
    /// Whether the host wants no mail at all: 5yz where it should have greeted (RFC 5321 §3.1,
    /// RFC 7504 §3) is not to be asked again (RFC 5321 §4.2.1).
    pub fn status(&self) -> Option<Enhanced> {
        match self {
            Failure::Refused("the connection" | "EHLO" | "HELO", reply)
                if reply.class() == Class::Permanent =>
            {
                Some(reply.enhanced().unwrap_or(Enhanced(5, 3, 2)))
            }
            _ => None,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Net(error) => error.fmt(f),
            Failure::NotSmtp(BadReply::TooLong) => f.write_str("the server's reply has no end"),
            Failure::NotSmtp(_) => f.write_str("the server does not speak SMTP"),
            Failure::Refused(step, reply) => write!(f, "{step} refused: {reply}"),
            Failure::NoStartTls => f.write_str("the server does not offer STARTTLS"),
            Failure::NoMechanism => {
                f.write_str("the server offers no AUTH mechanism that we speak")
            }
            Failure::Login => f.write_str("the server failed to prove that it knows the password"),
            Failure::Secret(why) => f.write_str(why),
            Failure::Store(error) => error.fmt(f),
        }
    }
}

impl From<net::Error> for Failure {
    fn from(error: net::Error) -> Failure {
        Failure::Net(error)
    }
}

/// What became of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it. `reports`: it was asked for DSNs and will send them itself.
    Taken {
        /// Whether the server takes DSN parameters.
        reports: bool,
        /// What it said.
        reply: String,
    },
    /// Not now.
    Later {
        /// RFC 3463 status.
        status: Enhanced,
        /// What it said.
        reply: String,
    },
    /// Never.
    Failed {
        /// RFC 3463 status.
        status: Enhanced,
        /// What it said, or why we did not ask.
        reply: String,
    },
}

/// A message and what it asks of the server.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// The reverse-path.
    pub sender: Option<&'a Address>,
    /// The forward-paths.
    pub recipients: &'a [Recipient],
    /// ENVID, decoded.
    pub envid: Option<&'a str>,
    /// RET=FULL or RET=HDRS.
    pub full: Option<bool>,
    /// Octets, exactly: as lines, unless it is binary.
    pub size: u64,
    /// Octets above 127 in the body.
    pub eight_bit: bool,
    /// Octets above 127 in the header (RFC 6532).
    pub utf8: bool,
    /// No lines: BINARYMIME.
    pub binary: bool,
    /// Under TLS from here on (RFC 8689).
    pub requiretls: bool,
    /// MT-PRIORITY (RFC 6710); 0 is not told of.
    pub priority: i8,
    /// By BDAT, where the server has it. Not again for a message that did not get through that way: not
    /// every box between here and there can do what it announces.
    pub chunk: bool,
}

/// Appends the next octets of the message; false when there are no more. Called between network
/// waits, so it may look into the store but not wait.
pub type Source<'a> = dyn FnMut(&mut Vec<u8>) -> mail::Result<bool> + 'a;

/// One way to open a session with a mail exchanger.
pub struct Try {
    /// `None`: in the clear.
    pub tls: Option<TlsConnector>,
    /// For SNI, and for the certificate where names count.
    pub name: String,
    /// Without TLS there is no session. Otherwise TLS if it is offered (RFC 7435).
    pub must: bool,
    /// What passes says who the host is.
    pub verified: bool,
}

/// What EHLO told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extensions {
    starttls: bool,
    pipelining: bool,
    eight_bit: bool,
    utf8: bool,
    dsn: bool,
    chunking: bool,
    binary: bool,
    requiretls: bool,
    priority: bool,
    size: Option<u64>,
    auth: Vec<String>,
}

impl Extensions {
    fn of(reply: &ServerReply) -> Extensions {
        let mut all = Extensions::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "STARTTLS" => all.starttls = true,
                "PIPELINING" => all.pipelining = true,
                "8BITMIME" => all.eight_bit = true,
                "SMTPUTF8" => all.utf8 = true,
                "DSN" => all.dsn = true,
                "CHUNKING" => all.chunking = true,
                "BINARYMIME" => all.binary = true,
                "REQUIRETLS" => all.requiretls = true,
                "MT-PRIORITY" => all.priority = true,
                // RFC 1870 §4: 0 or nothing means no fixed limit.
                "SIZE" => all.size = words.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0),
                "AUTH" => all.auth.extend(words.map(str::to_owned)),
                // `AUTH=LOGIN`, as old servers say it beside the real one.
                _ => all
                    .auth
                    .extend(keyword.strip_prefix("AUTH=").map(str::to_owned)),
            }
        }
        all
    }
}

/// An open session.
pub struct Client {
    conn: Conn,
    parser: Parser,
    extensions: Extensions,
    line: Vec<u8>,
    /// The certificate said who it is.
    verified: bool,
    /// It hung up.
    over: bool,
}

impl Client {
    /// Connects to the smarthost, secures the connection as told and logs in. `tls` says who it is, if
    /// something else than the usual trust does.
    pub async fn open(
        out: &Out,
        host: &Smarthost,
        hostname: &str,
        tls: Option<TlsConnector>,
    ) -> Result<Box<Client>, Failure> {
        let mut conn = net::client::connect(out, &host.host, host.port).await?;
        limit(&conn);
        let trust = || match &tls {
            Some(tls) => Ok(tls.clone()),
            None => net::tls::connector(host.ca.as_deref())
                .map_err(|why| Failure::Net(net::Error::Tls(why))),
        };
        if host.tls == SmarthostTls::Tls {
            conn.start_tls_client(&trust()?, &host.host).await?;
        }
        let verified = host.tls != SmarthostTls::None;
        let mut client = Client::greet(conn, hostname, verified).await?;
        if host.tls == SmarthostTls::StartTls {
            client.start_tls(&trust()?, &host.host, hostname).await?;
        }
        if let Some((user, password)) = &host.login {
            match &host.token {
                Some(file) => {
                    let file = file.clone();
                    let token = aside(move || secret::read(&file)).await;
                    let token = token.map_err(Failure::Secret)?;
                    client.login(user, &token, Some(Mechanism::Xoauth2)).await?;
                }
                None => client.login(user, password, None).await?,
            }
        }
        Ok(client)
    }

    /// Connects to a mail exchanger at `address`, in the way that `how` says.
    pub async fn open_mx(
        out: &Out,
        address: SocketAddr,
        hostname: &str,
        how: &Try,
    ) -> Result<Box<Client>, Failure> {
        let conn = net::client::connect_to(out, address).await?;
        limit(&conn);
        let mut client = Client::greet(conn, hostname, how.verified).await?;
        if let Some(tls) = &how.tls
            && (how.must || client.extensions.starttls)
        {
            let started = client.start_tls(tls, &how.name, hostname).await;
            // Whatever broke there, it was TLS: the caller may do without.
            started.map_err(|e| match e {
                Failure::NoStartTls | Failure::Net(net::Error::Tls(_)) => e,
                e => Failure::Net(net::Error::Tls(e.to_string())),
            })?;
        }
        Ok(client)
    }

    /// The server's greeting and ours.
    async fn greet(conn: Conn, hostname: &str, verified: bool) -> Result<Box<Client>, Failure> {
        let mut client = Box::new(Client {
            conn,
            parser: Parser::default(),
            extensions: Extensions::default(),
            line: Vec::new(),
            verified,
            over: false,
        });
        let greeting = client.reply(limits::CLIENT_GREETING).await?;
        expect("the connection", greeting)?;
        client.hello(hostname).await?;
        Ok(client)
    }

    /// Whether it is who it should be, and promises what REQUIRETLS asks for (RFC 8689 §4.2.1).
    pub fn keeps_tls(&self) -> bool {
        self.verified && self.conn.is_tls() && self.extensions.requiretls
    }

    /// Whether the session is under TLS.
    pub fn is_tls(&self) -> bool {
        self.conn.is_tls()
    }

    /// EHLO, or HELO for a server that does not know it (RFC 5321 §3.2).
    async fn hello(&mut self, hostname: &str) -> Result<(), Failure> {
        let reply = self
            .ask(&format!("EHLO {hostname}"), limits::CLIENT_COMMAND)
            .await?;
        if reply.class() == Class::Done {
            self.extensions = Extensions::of(&reply);
            return Ok(());
        }
        self.extensions = Extensions::default();
        if reply.class() != Class::Permanent {
            return Err(Failure::Refused("EHLO", reply));
        }
        let reply = self
            .ask(&format!("HELO {hostname}"), limits::CLIENT_COMMAND)
            .await?;
        expect("HELO", reply).map(drop)
    }

    async fn start_tls(
        &mut self,
        tls: &TlsConnector,
        host: &str,
        hostname: &str,
    ) -> Result<(), Failure> {
        if !self.extensions.starttls {
            return Err(Failure::NoStartTls);
        }
        let reply = self.ask("STARTTLS", limits::CLIENT_COMMAND).await?;
        expect("STARTTLS", reply)?;
        let start = self.conn.start_tls_client(tls, host).await?;
        if start.dropped > 0 {
            // RFC 3207 §4.2: replies in the clear behind STARTTLS are somebody else's.
            return Err(Failure::Net(net::Error::Tls(
                "plain text behind STARTTLS".into(),
            )));
        }
        self.parser = Parser::default();
        self.hello(hostname).await
    }

    /// By `only` this mechanism, or the best that is offered.
    async fn login(
        &mut self,
        user: &str,
        password: &str,
        only: Option<Mechanism>,
    ) -> Result<(), Failure> {
        let offered = self.extensions.auth.iter().map(String::as_str);
        let mechanism = match only {
            Some(only) => only.among(offered),
            None => Mechanism::choose(offered),
        };
        let mechanism = mechanism.ok_or(Failure::NoMechanism)?;
        let nonce: [u8; 18] = random::octets().map_err(|_| Failure::Login)?;
        let nonce = nonce.iter().map(|octet| format!("{octet:02x}")).collect();
        let mut login = Login::new(mechanism, user, password, nonce);
        let command = match login.initial() {
            Some(initial) => format!("AUTH {} {initial}", mechanism.name()),
            None => format!("AUTH {}", mechanism.name()),
        };
        let mut reply = self.ask(&command, limits::CLIENT_COMMAND).await?;
        while reply.class() == Class::Continue {
            let challenge = reply.lines.first().cloned().unwrap_or_default();
            let (back, answer) = aside(move || {
                let answer = login.answer(challenge.trim());
                (login, answer)
            })
            .await;
            login = back;
            let answer = answer.map_err(|_| Failure::Login)?;
            reply = self.ask(&answer, limits::CLIENT_COMMAND).await?;
        }
        expect("AUTH", reply)?;
        if login.is_complete() {
            Ok(())
        } else {
            Err(Failure::Login)
        }
    }

    /// Sends one message; one outcome per recipient, in order. `source` is asked only when the
    /// server wants the data. After an error the session is over and nothing is known to be taken.
    pub async fn send(
        &mut self,
        message: &Outgoing<'_>,
        source: &mut Source<'_>,
    ) -> Result<Vec<Outcome>, Failure> {
        if let Some(refusal) = self.unfit(message) {
            return Ok(vec![refusal; message.recipients.len()]);
        }
        let chunk = message.binary || message.chunk && self.extensions.chunking;
        // RFC 3030 §4.2: what is small goes with the envelope, and costs no round trip of its own.
        let at_once = chunk && self.extensions.pipelining && message.size <= limits::BDAT_AT_ONCE;
        let mut early = at_once.then_some(&mut *source);
        let mut outcomes = self.envelope(message, &mut early).await?;
        let accepted = outcomes
            .iter()
            .any(|it| matches!(it, Outcome::Taken { .. }));
        if !accepted {
            // Nobody takes it: the answer to its octets changes nothing.
            self.over = self.over || at_once && self.chunk_reply().await.is_err();
            if !self.over {
                self.reset().await;
            }
            return Ok(outcomes);
        }
        if chunk && !at_once {
            self.chunk(message, source).await?;
            self.conn.flush().await?;
        }
        let reply = match chunk {
            true => self.chunk_reply().await?,
            false => self.data(source).await?,
        };
        let refused = reply.class() != Class::Done;
        for outcome in &mut outcomes {
            if matches!(outcome, Outcome::Taken { .. }) {
                *outcome = self.outcome(&reply);
            }
        }
        if refused {
            self.reset().await;
        }
        Ok(outcomes)
    }

    /// The next message needs a clean start: MAIL may have been accepted. Some refuse and hang up, and have
    /// refused all the same.
    async fn reset(&mut self) {
        self.over = self.ask("RSET", limits::CLIENT_COMMAND).await.is_err();
    }

    /// Whether the server hung up behind the last message.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Why this server can never take this message as it is. A message is not rewritten on the way
    /// (no conversion to 7 bit): it is bounced, with the reason.
    fn unfit(&self, message: &Outgoing<'_>) -> Option<Outcome> {
        let has = &self.extensions;
        let mut addresses = message
            .sender
            .into_iter()
            .chain(message.recipients.iter().map(|to| &to.address));
        let failed = |status, text: &str| {
            Some(Outcome::Failed {
                status,
                reply: text.to_owned(),
            })
        };
        // RFC 1870 §6.1
        if has.size.is_some_and(|limit| message.size > limit) {
            return failed(
                Enhanced(5, 3, 4),
                "the message is larger than the next server takes",
            );
        }
        // RFC 6531 §3.2, §3.5
        if !has.utf8 && addresses.any(|address| !address.local().is_ascii()) {
            return failed(
                Enhanced(5, 6, 7),
                "the next server takes no non-ASCII addresses (SMTPUTF8)",
            );
        }
        if !has.utf8 && message.utf8 {
            return failed(
                Enhanced(5, 6, 9),
                "the next server takes no non-ASCII header fields (SMTPUTF8)",
            );
        }
        // RFC 6152 §3
        if !has.eight_bit && message.eight_bit && !message.binary {
            return failed(
                Enhanced(5, 6, 3),
                "the next server takes no 8-bit text (8BITMIME)",
            );
        }
        // RFC 3030 §3
        if message.binary && !(has.binary && has.chunking) {
            return failed(
                Enhanced(5, 6, 3),
                "the next server takes no binary text (BINARYMIME)",
            );
        }
        None
    }

    /// MAIL and every RCPT, in one go where the server pipelines (RFC 2920). `Taken` stands for
    /// "accepted so far". With `early` the message goes along.
    async fn envelope(
        &mut self,
        message: &Outgoing<'_>,
        early: &mut Option<&mut Source<'_>>,
    ) -> Result<Vec<Outcome>, Failure> {
        let mail = self.mail_line(message);
        if !self.extensions.pipelining {
            let reply = self.ask(&mail, limits::CLIENT_COMMAND).await?;
            if reply.class() != Class::Done {
                return Ok(vec![self.outcome(&reply); message.recipients.len()]);
            }
            let mut outcomes = Vec::with_capacity(message.recipients.len());
            for to in message.recipients {
                let line = self.rcpt_line(to);
                let reply = self.ask(&line, limits::CLIENT_COMMAND).await?;
                outcomes.push(self.rcpt_outcome(&reply));
            }
            return Ok(outcomes);
        }
        self.write_line(&mail).await?;
        for to in message.recipients {
            let line = self.rcpt_line(to);
            self.write_line(&line).await?;
        }
        if let Some(source) = early {
            self.chunk(message, source).await?;
        }
        self.conn.flush().await?;
        let sender = self.reply(limits::CLIENT_COMMAND).await?;
        let mut outcomes = Vec::with_capacity(message.recipients.len());
        for _ in message.recipients {
            if sender.class() == Class::Done {
                let reply = self.reply(limits::CLIENT_COMMAND).await?;
                outcomes.push(self.rcpt_outcome(&reply));
                continue;
            }
            // Behind a refused MAIL, the answers to RCPT say nothing, if they come at all.
            self.over = self.over || self.reply(limits::CLIENT_COMMAND).await.is_err();
            outcomes.push(self.outcome(&sender));
        }
        Ok(outcomes)
    }

    /// An address as this server takes it: its domain in A-labels where it knows no others.
    fn shown(&self, address: &Address) -> String {
        let text = address.to_string();
        match text.rsplit_once('@') {
            Some((local, domain)) if !self.extensions.utf8 => {
                format!("{local}@{}", dns::ascii(domain))
            }
            _ => text,
        }
    }

    fn mail_line(&self, message: &Outgoing<'_>) -> String {
        let mut line = match message.sender {
            Some(sender) => format!("MAIL FROM:<{}>", self.shown(sender)),
            None => "MAIL FROM:<>".to_owned(),
        };
        if self.extensions.size.is_some() {
            line.push_str(&format!(" SIZE={}", message.size));
        }
        if message.binary {
            line.push_str(" BODY=BINARYMIME");
        } else if message.eight_bit || (message.utf8 && self.extensions.eight_bit) {
            line.push_str(" BODY=8BITMIME");
        }
        let international = message.utf8
            || message.sender.is_some_and(|a| !a.is_ascii())
            || message.recipients.iter().any(|to| !to.address.is_ascii());
        if international && self.extensions.utf8 {
            line.push_str(" SMTPUTF8");
        }
        // RFC 8689 §4.2.1; §5: a report that cannot have it goes without.
        if message.requiretls && self.keeps_tls() {
            line.push_str(" REQUIRETLS");
        }
        if self.extensions.priority && message.priority != 0 {
            line.push_str(&format!(" MT-PRIORITY={}", message.priority));
        }
        if self.extensions.dsn {
            if let Some(full) = message.full {
                line.push_str(if full { " RET=FULL" } else { " RET=HDRS" });
            }
            if let Some(envid) = message.envid {
                line.push_str(&format!(" ENVID={}", xtext::encode(envid)));
            }
        }
        line
    }

    fn rcpt_line(&self, to: &Recipient) -> String {
        let mut line = format!("RCPT TO:<{}>", self.shown(&to.address));
        if !self.extensions.dsn {
            return line;
        }
        if let Some(notify) = to.notify {
            line.push_str(" NOTIFY=");
            line.push_str(&notify_words(notify));
        }
        if let Some((kind, address)) = to.orcpt.as_deref().and_then(|orcpt| orcpt.split_once(';')) {
            line.push_str(&format!(" ORCPT={kind};{}", xtext::encode(address)));
        }
        line
    }

    /// DATA, to the reply behind the dot.
    async fn data(&mut self, source: &mut Source<'_>) -> Result<ServerReply, Failure> {
        let reply = self.ask("DATA", limits::CLIENT_DATA).await?;
        if reply.class() != Class::Continue {
            return Ok(reply);
        }
        let mut encoder = Encoder::dots();
        let (mut piece, mut coded) = (Vec::new(), Vec::new());
        loop {
            piece.clear();
            coded.clear();
            // An error here drops the connection without the dot: the server has no message then.
            let more = source(&mut piece).map_err(Failure::Store)?;
            encoder.encode(&piece, &mut coded);
            if !more {
                encoder.finish(&mut coded);
            }
            self.conn.write(&coded).await?;
            if !more {
                break;
            }
        }
        self.conn.flush().await?;
        self.reply(limits::CLIENT_DOT).await
    }

    /// BDAT (RFC 3030 §2): the message as one chunk.
    async fn chunk(
        &mut self,
        message: &Outgoing<'_>,
        source: &mut Source<'_>,
    ) -> Result<(), Failure> {
        self.write_line(&format!("BDAT {} LAST", message.size))
            .await?;
        let mut encoder = Encoder::lines();
        let (mut piece, mut clean) = (Vec::new(), Vec::new());
        let (mut left, mut more) = (message.size, true);
        while more {
            piece.clear();
            clean.clear();
            // An error here drops the connection inside the chunk: the server has no message then.
            more = source(&mut piece).map_err(Failure::Store)?;
            if message.binary {
                std::mem::swap(&mut piece, &mut clean);
            } else {
                encoder.encode(&piece, &mut clean);
                if !more {
                    encoder.finish(&mut clean);
                }
            }
            // What is not as long as it was said to be must not become commands.
            left = left
                .checked_sub(clean.len() as u64)
                .filter(|left| more || *left == 0)
                .ok_or(Failure::Store(mail::Error::Unavailable))?;
            self.conn.write(&clean).await?;
        }
        Ok(())
    }

    /// The reply to the chunk. A server that knows no BDAT has taken the message for commands: the session
    /// is over.
    async fn chunk_reply(&mut self) -> Result<ServerReply, Failure> {
        let reply = self.reply(limits::CLIENT_DOT).await?;
        match reply.code {
            500..=502 | 504 => Err(Failure::Refused("BDAT", reply)),
            _ => Ok(reply),
        }
    }

    /// QUIT; whatever the server makes of it.
    pub async fn quit(mut self: Box<Self>) {
        let _ = self.ask("QUIT", limits::CLIENT_QUIT).await;
        self.conn.close().await;
    }

    async fn write_line(&mut self, line: &str) -> Result<(), Failure> {
        self.conn.write(line.as_bytes()).await?;
        self.conn.write(b"\r\n").await?;
        Ok(())
    }

    async fn ask(&mut self, line: &str, within: Duration) -> Result<ServerReply, Failure> {
        self.write_line(line).await?;
        self.conn.flush().await?;
        self.reply(within).await
    }

    /// The next reply. Its deadline holds for the whole of it, not for each octet.
    async fn reply(&mut self, within: Duration) -> Result<ServerReply, Failure> {
        self.conn.set_deadline(Some(Instant::now() + within));
        loop {
            match self
                .conn
                .read_line(&mut self.line, limits::REPLY_LINE)
                .await?
            {
                Line::Crlf | Line::Lf => {}
                Line::TooLong => return Err(Failure::NotSmtp(BadReply::TooLong)),
            }
            if let Some(reply) = self.parser.line(&self.line).map_err(Failure::NotSmtp)? {
                // RFC 5321 §3.8: 421 may be the answer to anything, and ends the session.
                if reply.code == 421 {
                    return Err(Failure::Refused("the session", reply));
                }
                return Ok(reply);
            }
        }
    }

    /// RFC 5321 §4.5.3.1.10: 552 to RCPT is how old servers say "too many recipients".
    fn rcpt_outcome(&self, reply: &ServerReply) -> Outcome {
        if reply.code == 552 && reply.enhanced().is_none() {
            return Outcome::Later {
                status: Enhanced(4, 5, 3),
                reply: reply.to_string(),
            };
        }
        self.outcome(reply)
    }

    fn outcome(&self, reply: &ServerReply) -> Outcome {
        let text = reply.to_string();
        match reply.class() {
            Class::Done => Outcome::Taken {
                reports: self.extensions.dsn,
                reply: text,
            },
            Class::Continue | Class::Transient => Outcome::Later {
                status: reply.enhanced().unwrap_or(Enhanced(4, 0, 0)),
                reply: text,
            },
            Class::Permanent => Outcome::Failed {
                status: reply.enhanced().unwrap_or(Enhanced(5, 0, 0)),
                reply: text,
            },
        }
    }
}

/// Every reply has its deadline ([`Client::reply`]).
fn limit(conn: &Conn) {
    conn.set_idle(None);
    conn.timeouts().write.set(limits::CLIENT_BLOCK);
}

fn expect(step: &'static str, reply: ServerReply) -> Result<ServerReply, Failure> {
    if reply.class() == Class::Done {
        Ok(reply)
    } else {
        Err(Failure::Refused(step, reply))
    }
}

fn notify_words(notify: Notify) -> String {
    let words = [
        (notify.success, "SUCCESS"),
        (notify.failure, "FAILURE"),
        (notify.delay, "DELAY"),
    ];
    let words: Vec<_> = words
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, word)| word)
        .collect();
    if words.is_empty() {
        "NEVER".to_owned()
    } else {
        words.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        let lines = [
            "mx greets",
            "size 1000",
            "AUTH PLAIN LOGIN",
            "AUTH=LOGIN",
            "STARTTLS",
            "8bitmime",
            "X",
        ];
        let reply = ServerReply {
            code: 250,
            lines: lines.map(str::to_owned).to_vec(),
        };
        let all = Extensions::of(&reply);
        assert_eq!(all.size, Some(1000));
        assert_eq!(all.auth, ["PLAIN", "LOGIN", "LOGIN"]);
        assert!(all.starttls && all.eight_bit && !all.dsn);
        // The first line is a greeting, whatever it says.
        let reply = ServerReply {
            code: 250,
            lines: vec!["STARTTLS".into()],
        };
        assert_eq!(Extensions::of(&reply), Extensions::default());
    }

    #[test]
    fn notify_is_written() {
        assert_eq!(notify_words(Notify::default()), "NEVER");
        assert_eq!(
            notify_words(Notify {
                success: true,
                failure: false,
                delay: true
            }),
            "SUCCESS,DELAY"
        );
    }
}
