//! One connection to the server: port 25, 587 or 465.
//!
//! Replies gather in the connection's buffer and go out when nothing more has come to answer
//! (RFC 2920 §3.2). Memory: the transaction's addresses (bounded by [`limits::RECIPIENTS`]) and, while
//! a message comes in, some chunks of it; never the message.
use std::rc::Rc;

use super::command;
use super::incoming::Incoming;
use super::policy::{Rights, Route};
use super::wire::command::{Command, Syntax, parse};
use super::wire::params::{MailParams, RcptParams};
use super::wire::reply::{Enhanced, Reply};
use crate::config::Role;
use crate::limits;
use crate::mail::address::{Address, AddressError};
use crate::net::{self, Conn, Line};
use crate::server::Ctx;
use crate::sys::count;
use async_io::Timer;
use smol::future::FutureExt;

/// What a client called itself.
#[derive(Debug)]
pub(super) struct Hello {
    /// The name, as it came.
    pub name: String,
    /// EHLO, not HELO.
    pub esmtp: bool,
}

/// A recipient that was accepted.
#[derive(Debug)]
pub(super) struct Rcpt {
    pub address: Address,
    pub params: RcptParams,
    pub route: Route,
}

/// What lists say of a peer.
pub(super) enum Listed {
    /// None names it.
    Nowhere,
    /// One vouches for it.
    Good,
    /// This one warns of it.
    Bad(String),
}

/// A mail transaction (RFC 5321 §3.3), from MAIL to the end of its data.
#[derive(Debug)]
pub(super) struct Transaction {
    pub sender: Option<Address>,
    pub params: MailParams,
    pub recipients: Vec<Rcpt>,
}

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next command.
    Go,
    /// The end; the last reply is written.
    Close,
}

/// What a command gives back; an error is the connection's.
pub(super) type Done = Result<Next, net::Error>;

/// The state of a connection.
pub(super) struct Session {
    pub conn: Conn,
    pub ctx: Rc<Ctx>,
    pub role: Role,
    pub hello: Option<Hello>,
    /// The login name, once AUTH succeeded.
    pub user: Option<String>,
    pub transaction: Option<Transaction>,
    /// The message that BDAT and BURL are bringing.
    pub chunks: Option<Incoming>,
    errors: u32,
    /// The command at hand is about mail: a refusal of it counts as one.
    about_mail: bool,
    /// Commands since the last message.
    idle_commands: u32,
    /// Recipients that nobody here is.
    pub strangers: u32,
    /// What lists say of the peer, once they were asked.
    pub listed: Option<Listed>,
    pub login_failures: u32,
}

/// Serves one connection until it ends.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>, role: Role) {
    let number = conn.number();
    log::info!("[{number}] {} from {}", role.name(), conn.peer());
    let mut session = Session {
        conn,
        ctx,
        role,
        hello: None,
        user: None,
        transaction: None,
        chunks: None,
        errors: 0,
        about_mail: false,
        idle_commands: 0,
        strangers: 0,
        listed: None,
        login_failures: 0,
    };
    if let Err(error) = session.run().await {
        log::info!("[{number}] {error}");
        if !error.can_say_goodbye() {
            return;
        }
        session.reply(&goodbye(&error));
    }
    session.conn.close().await;
}

/// RFC 5321 §3.8: 421 before the server closes on its own.
fn goodbye(error: &net::Error) -> Reply {
    match error {
        net::Error::Shutdown => Reply::new(421, Enhanced(4, 3, 2), "The server is stopping"),
        net::Error::Revoked => Reply::new(421, Enhanced(4, 7, 0), "This app password was revoked"),
        net::Error::Deadline => Reply::new(421, Enhanced(4, 4, 2), "The session took too long"),
        _ => Reply::new(421, Enhanced(4, 4, 2), "Nothing came for too long"),
    }
}

impl Session {
    async fn run(&mut self) -> Result<(), net::Error> {
        if !self.may_speak().await? {
            return Ok(());
        }
        let greeting = format!("{} ESMTP Pillarbox", self.ctx.config.hostname);
        self.reply(&Reply::plain(220, greeting));
        let mut line = Vec::new();
        loop {
            self.flush_if_waiting().await?;
            self.about_mail = false;
            let next = match self.conn.read_line(&mut line, limits::COMMAND_LINE).await? {
                Line::Crlf => self.command(&line).await?,
                // A bare LF ends no command: one server's line must be every server's line.
                Line::Lf => self.fail(BARE_LF),
                Line::TooLong => self.too_long().await?,
            };
            if next == Next::Close {
                return Ok(());
            }
        }
    }

    /// Who may not speak here, and who speaks before it is greeted, is sent away.
    async fn may_speak(&mut self) -> Result<bool, net::Error> {
        let config = self.ctx.config.clone();
        let lan = config.is_lan(self.conn.peer_ip()) && !self.conn.is_proxied();
        if self.role == Role::LanSmtp && !lan {
            self.reply(&Reply::plain(
                554,
                "This listener is for devices of the local network",
            ));
            return Ok(false);
        }
        if self.role != Role::Smtp || config.greet_delay.is_zero() {
            return Ok(true);
        }
        let hasty = async { self.conn.fill().await.map(|_| true) };
        let silent = async {
            Timer::after(config.greet_delay).await;
            Ok(false)
        };
        if hasty.or(silent).await? {
            // RFC 5321 §3.1: the client waits for the greeting.
            self.reply(&Reply::plain(554, "You spoke before you were greeted"));
            return Ok(false);
        }
        Ok(true)
    }

    async fn command(&mut self, line: &[u8]) -> Done {
        match parse(line) {
            Ok(command) => {
                if self.is_dawdling(&command) {
                    return Ok(self.bye("Too many commands without a message, closing"));
                }
                log::debug!("[{}] {}", self.conn.number(), command::name(&command));
                use Command::{Bdat, Burl, Data, Mail, Rcpt};
                let chunk = matches!(command, Bdat { .. } | Burl { .. });
                self.about_mail = chunk || matches!(command, Mail(..) | Rcpt(..) | Data);
                command::run(self, command).await
            }
            Err(syntax) => {
                self.about_mail = matches!(syntax, Syntax::Sender(_) | Syntax::Recipient(_));
                Ok(self.fail(refusal(syntax)))
            }
        }
    }

    /// Whether the client has only kept the connection busy for too long.
    fn is_dawdling(&mut self, command: &Command) -> bool {
        match command {
            Command::Rcpt(..) | Command::Bdat { .. } | Command::Burl { .. } => {}
            Command::Data => self.idle_commands = 0,
            _ => self.idle_commands += 1,
        }
        self.idle_commands > limits::SMTP_IDLE_COMMANDS
    }

    /// Ends the session, for a reason that lies with the client.
    pub fn bye(&mut self, why: &'static str) -> Next {
        self.reply(&Reply::new(421, Enhanced(4, 7, 0), why));
        Next::Close
    }

    /// Sends what is written unless a whole command is waiting already.
    pub async fn flush_if_waiting(&mut self) -> Result<(), net::Error> {
        if self.conn.buffer().contains(&b'\n') {
            return self.conn.spill().await;
        }
        self.conn.flush().await
    }

    async fn too_long(&mut self) -> Done {
        if self.conn.drain_line(limits::COMMAND_LINE_DRAIN).await? {
            return Ok(self.fail(LONG_LINE));
        }
        Ok(self.bye("Line too long, closing"))
    }

    /// Writes a reply.
    pub fn reply(&mut self, reply: &Reply) {
        reply.write_to(self.conn.out());
    }

    /// Writes a reply and goes on; errors are counted, and the one too many ends the session.
    pub fn answer(&mut self, reply: Reply) -> Next {
        if !reply.is_error() {
            self.reply(&reply);
            return Next::Go;
        }
        self.fail(reply)
    }

    /// Writes an error.
    pub fn fail(&mut self, reply: Reply) -> Next {
        self.errors += 1;
        if self.about_mail {
            count::refused(reply.enhanced.map_or(0, |status| status.1));
        }
        self.reply(&reply);
        if self.errors < limits::SMTP_ERRORS {
            return Next::Go;
        }
        log::warn!(
            "[{}] closed after {} errors, the last: {}",
            self.conn.number(),
            self.errors,
            reply.text
        );
        self.bye("Too many errors, closing")
    }

    /// Ends the transaction, whatever it was (RFC 5321 §4.1.1.5).
    pub fn reset(&mut self) {
        self.transaction = None;
        self.chunks = None;
    }

    /// Whether this listener takes submissions.
    pub fn is_submission(&self) -> bool {
        matches!(self.role, Role::Submission | Role::Submissions)
    }

    /// Whether what comes is mended as from a program that cannot do better.
    pub fn mends(&self) -> bool {
        self.role != Role::Smtp
    }

    /// Whether a password may cross this connection.
    pub fn may_login(&self) -> bool {
        self.is_submission() && (self.conn.is_private() || self.ctx.config.allow_plain_auth)
    }

    /// Whether STARTTLS is to be had here and now.
    pub fn may_start_tls(&self) -> bool {
        !self.conn.is_tls() && self.ctx.tls.is_some()
    }

    /// What the session may ask of [`super::policy`].
    pub fn rights(&self) -> Rights {
        Rights {
            user: self.is_submission() && self.user.is_some()
                || self.role == Role::LanSmtp && self.ctx.config.lan_relay,
            local: self.conn.local().ip(),
        }
    }
}

/// What a syntax error is answered with.
fn refusal(syntax: Syntax) -> Reply {
    match syntax {
        Syntax::Unknown => Reply::new(500, Enhanced(5, 5, 1), "Command unrecognized"),
        Syntax::Octets => Reply::new(
            500,
            Enhanced(5, 5, 2),
            "Control characters or no UTF-8 in the command",
        ),
        Syntax::Argument => Reply::new(501, Enhanced(5, 5, 4), "Syntax error in the arguments"),
        Syntax::Sender(error) => address_refusal(Enhanced(5, 1, 7), error),
        Syntax::Recipient(error) => address_refusal(Enhanced(5, 1, 3), error),
        Syntax::Parameter => Reply::new(501, Enhanced(5, 5, 4), "Syntax error in the parameters"),
        // RFC 5321 §4.1.1.11
        Syntax::UnknownParameter => Reply::new(555, Enhanced(5, 5, 4), "Parameter not recognized"),
    }
}

fn address_refusal(code: Enhanced, error: AddressError) -> Reply {
    match error {
        AddressError::Local => {
            Reply::new(501, code, "Syntax error in the local part of the address")
        }
        AddressError::Domain => Reply::new(501, code, "Syntax error in the domain of the address"),
        AddressError::TooLong => Reply::new(501, code, "Address too long"),
    }
}

const BARE_LF: Reply = Reply::new(
    500,
    Enhanced(5, 5, 2),
    "Lines end with CRLF, not with LF alone",
);
const LONG_LINE: Reply = Reply::new(500, Enhanced(5, 5, 6), "Line too long");
