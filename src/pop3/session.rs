//! The loop around one connection: read a line, obey it, answer.
//!
//! Answers are coalesced: they go out when no further command is waiting in the buffer, so that a
//! pipelining client (RFC 2449 §6.6) gets many answers in one packet.
use super::command;
use super::maildrop::Maildrop;
use super::wire::{Code, Command, Trouble, When, response};
use crate::limits;
use crate::net::{Conn, Error, Line};
use crate::server::Ctx;
use crate::sys::random;
use log::{debug, info};
use std::rc::Rc;

/// One connection and what is known about its client.
pub(super) struct Session {
    pub(super) conn: Conn,
    pub(super) ctx: Rc<Ctx>,
    pub(super) state: State,
    /// The greeting's time stamp, if APOP is on.
    pub(super) stamp: Option<String>,
    /// The client has said UTF8.
    pub(super) utf8: bool,
    /// Log-ins that failed on this connection.
    pub(super) failures: u32,
    /// Bad commands in a row.
    errors: u32,
}

/// RFC 1939 §3. UPDATE is not a state to wait in: QUIT passes through it.
pub(super) enum State {
    /// Not logged in; the name that USER gave.
    Authorization(Option<String>),
    /// Logged in, with the maildrop.
    Transaction(Box<Maildrop>),
}

/// What becomes of the connection after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// It waits for the next one.
    Go,
    /// It is closed.
    Close,
}

/// Serves one POP3 connection to its end.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>) {
    let (number, peer) = (conn.number(), conn.peer());
    debug!("[{number}] pop3 from {peer}");
    let mut session = Session {
        conn,
        stamp: None,
        ctx,
        state: State::Authorization(None),
        utf8: false,
        failures: 0,
        errors: 0,
    };
    // A connection that ends in any way but QUIT removes nothing, and after the idle time it is
    // closed without a word (RFC 1939 §3): dropping the session is all there is to do.
    match session.run().await {
        Ok(()) => session.conn.close().await,
        Err(error) => info!("[{number}] pop3: {error}"),
    }
}

impl Session {
    async fn run(&mut self) -> Result<(), Error> {
        self.greet();
        let mut line = Vec::new();
        loop {
            if !self.conn.buffer().contains(&b'\n') {
                self.conn.flush().await?;
            }
            // RFC 1939 §3 wants CRLF; whoever types by hand sends LF, and no harm comes of it.
            if self.conn.read_line(&mut line, limits::POP3_LINE).await? == Line::TooLong {
                self.err(Code::None, "that line is too long for a command");
                return Ok(());
            }
            if self.obey(&line).await? == Flow::Close {
                return Ok(());
            }
            self.conn.spill().await?;
        }
    }

    /// RFC 1939 §4; with APOP, §7's time stamp. Clients try APOP as soon as they see one.
    fn greet(&mut self) {
        if self.ctx.auth.has_apop()
            && let Ok(octets) = random::octets::<16>()
        {
            let host = &self.ctx.config.hostname;
            self.stamp = Some(response::time_stamp(u128::from_le_bytes(octets), host));
        }
        let stamp = self.stamp.as_ref();
        let stamp = stamp.map_or(String::new(), |stamp| format!(" {stamp}"));
        self.ok(&format!("Pillarbox ready{stamp}"));
    }

    async fn obey(&mut self, line: &[u8]) -> Result<Flow, Error> {
        let command = match Command::parse(line) {
            Ok(command) => command,
            Err(trouble) => return Ok(self.bad(&trouble_text(trouble))),
        };
        let before = matches!(self.state, State::Authorization(_));
        match command.when() {
            When::Before if !before => return Ok(self.bad("you are logged in already")),
            When::After if before => return Ok(self.bad("log in first")),
            _ => self.errors = 0,
        }
        self.execute(command).await
    }

    async fn execute(&mut self, command: Command<'_>) -> Result<Flow, Error> {
        Ok(match command {
            // Boxed: a log-in's state is large, and gone when the session sits idle.
            Command::Apop { name, digest } => Box::pin(command::apop(self, name, digest)).await,
            Command::Auth { mechanism, initial } => {
                Box::pin(command::auth(self, mechanism, initial)).await?
            }
            Command::Pass(password) => Box::pin(command::pass(self, password)).await,
            Command::Stls => Box::pin(command::stls(self)).await?,
            Command::User(name) => command::user(self, name),
            Command::Utf8 => command::utf8(self),
            Command::Capa => command::capa(self),
            Command::Lang(range) => command::lang(self, range),
            Command::Quit => {
                // What was asked for before is on its way before anything goes for it.
                self.conn.flush().await?;
                Box::pin(command::quit(self)).await
            }
            Command::Dele(number) => command::dele(self, number),
            Command::List(number) => Box::pin(command::list(self, number)).await?,
            Command::Noop => self.go(""),
            Command::Retr(number) => Box::pin(command::retr(self, number)).await?,
            Command::Rset => command::rset(self),
            Command::Stat => Box::pin(command::stat(self)).await,
            Command::Top { message, lines } => Box::pin(command::top(self, message, lines)).await?,
            Command::Uidl(number) => Box::pin(command::uidl(self, number)).await?,
        })
    }

    /// A command that is none, or none now. After too many in a row the connection is closed.
    fn bad(&mut self, text: &str) -> Flow {
        self.errors += 1;
        self.err(Code::None, text);
        Flow::close_if(self.errors >= limits::POP3_ERRORS)
    }

    /// Writes a positive status line.
    pub(super) fn ok(&mut self, text: &str) {
        self.write(response::ok(text));
    }

    /// Writes a negative status line.
    pub(super) fn err(&mut self, code: Code, text: &str) {
        self.write(response::err(code, text));
    }

    /// Writes what is short: whoever writes more spills it.
    pub(super) fn write(&mut self, text: String) {
        self.conn.out().extend_from_slice(text.as_bytes());
    }

    /// A positive answer of one line.
    pub(super) fn go(&mut self, text: &str) -> Flow {
        self.ok(text);
        Flow::Go
    }

    /// A negative answer; the session goes on.
    pub(super) fn refuse(&mut self, code: Code, text: &str) -> Flow {
        self.err(code, text);
        Flow::Go
    }
}

impl Flow {
    /// The connection is closed if that is so.
    pub(super) fn close_if(over: bool) -> Flow {
        if over { Flow::Close } else { Flow::Go }
    }
}

fn trouble_text(trouble: Trouble) -> String {
    match trouble {
        Trouble::Unknown => "unknown command".to_owned(),
        Trouble::Usage(usage) => format!("write it as: {usage}"),
        Trouble::NotUtf8 => "names and passwords are UTF-8".to_owned(),
    }
}
