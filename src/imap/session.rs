//! One connection: reads commands, runs them in order, tells what changed, answers.
//!
//! Replies are gathered and sent when the client's input is used up, so that pipelined commands
//! share a packet. A session is `!Send` and lives on its listener's thread; what a command needs for
//! its own time is in a boxed future, so that an idle session is small.

use super::answer::{Answer, Run, Status, Stop};
use super::command;
use super::notify::Watch;
use super::view::Selected;
use super::wire::frame::{Event, Framer, Limits, Refusal};
use super::wire::{self, Command, Numbers};
use crate::limits;
use crate::mail::{Mail, MailboxId};
use crate::net::{self, Conn};
use crate::server::Ctx;
use log::{debug, info};
use smol::future::yield_now;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What the client has switched on (RFC 9051 §6.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enabled {
    /// Names and quoted strings are UTF-8: IMAP4rev2 or UTF8=ACCEPT.
    pub utf8: bool,
    /// IMAP4rev2: ESEARCH instead of SEARCH, no \Recent.
    pub rev2: bool,
    /// CONDSTORE (RFC 7162 §3.1): FETCH responses carry MODSEQ.
    pub condstore: bool,
    /// QRESYNC (RFC 7162 §3.2.3): VANISHED instead of EXPUNGE.
    pub qresync: bool,
    /// UIDONLY (RFC 9586): no sequence numbers in either direction.
    pub uid_only: bool,
}

impl Enabled {
    /// VANISHED is said instead of EXPUNGE.
    pub fn vanished(self) -> bool {
        self.qresync || self.uid_only
    }
}

/// One connection.
pub struct Session {
    pub(super) conn: Conn,
    pub(super) ctx: Rc<Ctx>,
    /// The same as nobody has it: before log-in.
    nobody: Rc<Ctx>,
    pub(super) framer: Framer,
    pub(super) enabled: Enabled,
    pub(super) selected: Option<Selected>,
    /// What the client wants to hear of, once it said NOTIFY.
    pub(super) notify: Option<Box<Watch>>,
    pub(super) logged_in: bool,
    /// Annotations that the client was told of.
    pub(super) told: command::metadata::Told,
    /// The client has said LOGOUT, or has to go.
    pub(super) over: bool,
    mistakes: u32,
    failures: u32,
    unknown_cte: bool,
    /// The selected mailbox, and how often its URL key had been reset when that was told last.
    pub(super) url_resets: Option<(MailboxId, u32)>,
}

/// RFC 9586 §3.
pub const UID_REQUIRED: &str =
    "[UIDREQUIRED] message numbers are not allowed once UIDONLY is enabled";

/// Where the numbers of messages may change (RFC 9051 §7.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expunges {
    /// EXPUNGE responses may be sent.
    Tell,
    /// Not now: the command was FETCH, STORE or SEARCH.
    Hold,
    /// No command is in progress: only if the client said that it bears them (RFC 5465 §6.1).
    Later,
}

impl Session {
    /// A session at its start.
    pub fn new(conn: Conn, ctx: Rc<Ctx>) -> Session {
        Session {
            conn,
            nobody: ctx.clone(),
            ctx,
            framer: Framer::default(),
            enabled: Enabled::default(),
            selected: None,
            notify: None,
            logged_in: false,
            told: command::metadata::Told::default(),
            over: false,
            mistakes: 0,
            failures: 0,
            unknown_cte: false,
            url_resets: None,
        }
    }

    /// Nobody is logged in any more, and nothing that came of the log-in is left (RFC 8437 §4.1). Every
    /// field is named, so that a new one has to be thought of here.
    pub(super) fn forget(&mut self) {
        let Session {
            conn,
            ctx,
            nobody,
            framer,
            enabled,
            selected,
            logged_in,
            told,
            // How often this peer was wrong is the connection's, not the user's.
            over: _,
            mistakes: _,
            failures: _,
            unknown_cte,
            notify,
            url_resets,
        } = self;
        *ctx = nobody.clone();
        conn.unwatch_end();
        conn.set_deadline(Some(Instant::now() + ctx.config.login_time));
        framer.reset();
        *enabled = Enabled::default();
        *selected = None;
        *logged_in = false;
        *told = command::metadata::Told::default();
        *unknown_cte = false;
        *notify = None;
        *url_resets = None;
    }

    /// Serves until the client leaves or has to.
    pub async fn serve(mut self) {
        let number = self.conn.number();
        match self.run().await {
            Ok(()) | Err(Stop::Done) => debug!("[{number}] imap: logged out"),
            Err(Stop::Net(error)) => {
                debug!("[{number}] imap: {error}");
                if error.can_say_goodbye() {
                    self.bye(&error).await;
                }
            }
            Err(Stop::Bye(why)) => {
                info!("[{number}] imap: {why}");
                self.line(&format!("* BYE {why}"));
            }
            Err(Stop::Refused(answer)) => {
                info!("[{number}] imap: {}", answer.text);
                self.line(&format!("* BYE {}", answer.text));
            }
        }
        self.conn.close().await;
    }

    async fn bye(&mut self, error: &net::Error) {
        let why = match error {
            net::Error::Shutdown => "[UNAVAILABLE] the server is stopping, come back soon",
            net::Error::Revoked => "[UNAVAILABLE] this app password was revoked",
            net::Error::Deadline if self.logged_in => "this app password has expired",
            net::Error::Deadline => "too slow to log in",
            net::Error::Garbled => "the compressed octets make no sense",
            _ => "idle for too long",
        };
        self.line(&format!("* BYE {why}"));
    }

    async fn run(&mut self) -> Result<(), Stop> {
        let capabilities = self.capabilities();
        let host = self.ctx.config.hostname.clone();
        self.line(&format!(
            "* OK [CAPABILITY {capabilities}] {host} Pillarbox ready"
        ));
        while !self.over {
            let event = match self.notify {
                Some(_) => Box::pin(self.next_event_or_news()).await?,
                None => self.next_event().await?,
            };
            match event {
                Event::Command => self.command().await?,
                Event::Message(literal) => command::append::run(self, literal).await?,
                Event::Continue => self.line("+ OK"),
                Event::Refused(why) => self.refused(why)?,
                Event::Fatal => return Err(Stop::Bye(&"[LIMIT] the literal is too large")),
                Event::More => {}
            }
        }
        Ok(())
    }

    /// The next thing that the input amounts to; sends the output whenever the input runs dry.
    pub(super) async fn next_event(&mut self) -> Result<Event, Stop> {
        loop {
            let limits = self.limits();
            let (used, event) = self.framer.push(self.conn.buffer(), limits);
            self.conn.consume(used);
            if event != Event::More {
                return Ok(event);
            }
            self.conn.flush().await?;
            if self.framer.is_idle() {
                self.framer.reset();
                self.conn.fill_between().await?;
            } else {
                self.conn.fill().await?;
            }
        }
    }

    /// Literals and lines are small until we know who speaks (RFC 7888 §6).
    fn limits(&self) -> Limits {
        if self.logged_in {
            Limits {
                command: limits::IMAP_COMMAND,
                drain: limits::IMAP_DRAIN,
            }
        } else {
            Limits {
                command: limits::IMAP_COMMAND_BEFORE_LOGIN,
                drain: limits::IMAP_DRAIN_BEFORE_LOGIN,
            }
        }
    }

    fn refused(&mut self, why: Refusal) -> Result<(), Stop> {
        let text = match why {
            Refusal::Line => "[LIMIT] the command is too long",
            Refusal::Literal => "[LIMIT] the literal is too large",
        };
        let command = self.framer.command();
        let tag = wire::tag_of(command);
        let setting = wire::name_of(command).is_some_and(|name| name == "SETMETADATA");
        if why == Refusal::Literal && setting && self.logged_in {
            let most = limits::ANNOTATION_VALUE;
            let refused = Answer::no(format!("[METADATA MAXSIZE {most}] the value is too large"));
            self.tagged(tag.as_deref(), &refused);
            return Ok(());
        }
        self.tagged(tag.as_deref(), &Answer::bad(text));
        self.mistake()
    }

    /// Before log-in a bounded number of commands may make no sense.
    pub(super) fn mistake(&mut self) -> Result<(), Stop> {
        self.mistakes += 1;
        if !self.logged_in && self.mistakes >= limits::IMAP_MISTAKES {
            return Err(Stop::Bye(&"too many bad commands"));
        }
        Ok(())
    }

    /// A log-in failed: after some of them the connection ends, behind the answer.
    pub(super) fn login_failed(&mut self) {
        self.failures += 1;
        if self.failures >= limits::LOGIN_FAILURES_PER_CONNECTION {
            self.line("* BYE too many failed log-ins");
            self.over = true;
        }
    }

    /// Parses and runs the command in the framer.
    async fn command(&mut self) -> Result<(), Stop> {
        let (text, utf8) = (self.framer.command(), self.enabled.utf8);
        let (tag, mut parsed) = wire::command_without(text, utf8, &self.words_off());
        if let Some(off) = self.switched_off() {
            parsed = Err(off);
        }
        self.log_command(parsed.as_ref().err());
        match (tag, parsed) {
            (None, _) => {
                self.line("* BAD expected a tag at position 0");
                self.mistake()
            }
            (tag, Err(error)) => {
                self.tagged(tag.as_deref(), &Answer::bad(error.to_string()));
                self.mistake()
            }
            (Some(tag), Ok(command)) => {
                if let Some(why) = self.forbidden(&command).or_else(|| self.numbers(&command)) {
                    self.tagged(Some(&tag), &Answer::bad(why));
                    return self.mistake();
                }
                let expunges = expunges(&command);
                let ran = Box::pin(self.execute(&tag, command)).await;
                self.finish(Some(&tag), ran, expunges).await
            }
        }
    }

    /// A command that `--imap-without` has switched off is one that does not exist.
    pub(super) fn switched_off(&self) -> Option<wire::cursor::Error> {
        if self.ctx.config.imap_without.is_empty() {
            return None;
        }
        let text = self.framer.command();
        let name = wire::name_of(text)?;
        self.is_command_off(&name).then(|| wire::cursor::Error {
            at: wire::tag_of(text).map_or(0, |tag| tag.len() + 1),
            wanted: &"a command that exists",
        })
    }

    /// What the client asks for, by name, or why it was not understood.
    pub(super) fn log_command(&self, error: Option<&wire::cursor::Error>) {
        if !log::log_enabled!(log::Level::Debug) {
            return;
        }
        let number = self.conn.number();
        match (error, wire::name_of(self.framer.command())) {
            (Some(error), _) => debug!("[{number}] imap: BAD {error}"),
            (None, Some(name)) => debug!("[{number}] imap: {name}"),
            (None, None) => {}
        }
    }

    /// Tells what changed, then answers.
    pub(super) async fn finish(
        &mut self,
        tag: Option<&str>,
        ran: Run,
        expunges: Expunges,
    ) -> Result<(), Stop> {
        let answer = match ran {
            Ok(answer) => answer,
            Err(Stop::Refused(answer)) => *answer,
            Err(Stop::Done) => return Ok(()),
            Err(stop) => return Err(stop),
        };
        self.tell_news(expunges).await?;
        self.tagged(tag, &answer);
        self.conn.spill().await?;
        // However many commands a client has sent ahead, the others have their turn.
        yield_now().await;
        Ok(())
    }

    /// Writes a tagged answer.
    pub(super) fn tagged(&mut self, tag: Option<&str>, answer: &Answer) {
        let tag = tag.unwrap_or("*");
        let status = match answer.status {
            Status::Ok => " OK ",
            Status::No => " NO ",
            Status::Bad => " BAD ",
        };
        self.line(&[tag, status, &answer.text].concat());
    }

    /// Writes a line.
    pub(super) fn line(&mut self, text: &str) {
        let out = self.conn.out();
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The engine.
    pub(super) fn mail(&self) -> Arc<Mail> {
        self.ctx.mail.clone()
    }

    /// The selected mailbox; there is one wherever [`Session::forbidden`] has let a command pass.
    pub(super) fn selected(&self) -> Result<&Selected, Stop> {
        self.selected
            .as_ref()
            .map_or_else(|| Answer::bad("no mailbox is selected").stop(), Ok)
    }

    /// The same, to change it.
    pub(super) fn selected_mut(&mut self) -> Result<&mut Selected, Stop> {
        self.selected
            .as_mut()
            .map_or_else(|| Answer::bad("no mailbox is selected").stop(), Ok)
    }

    /// The selected mailbox, and where to write what is said of it.
    pub(super) fn writing(&mut self) -> Result<(&Selected, &mut Vec<u8>), Stop> {
        match &self.selected {
            Some(selected) => Ok((selected, self.conn.out())),
            None => Answer::bad("no mailbox is selected").stop(),
        }
    }

    /// The selected mailbox, if it may be changed.
    pub(super) fn writable(&self) -> Result<&Selected, Stop> {
        match self.selected()? {
            selected if selected.read_only => {
                Answer::no("[NOPERM] the mailbox is open read-only: SELECT it to change it").stop()
            }
            selected => Ok(selected),
        }
    }

    /// A part could not be decoded: FETCH ends with UNKNOWN-CTE.
    pub(super) fn unknown_cte(&mut self) {
        self.unknown_cte = true;
    }

    /// Was there one since the last time?
    pub(super) fn take_unknown_cte(&mut self) -> bool {
        std::mem::take(&mut self.unknown_cte)
    }

    /// Why a command is not allowed in this state (RFC 9051 §3).
    pub(super) fn forbidden(&self, command: &Command) -> Option<&'static str> {
        let wants = match command {
            Command::Capability
            | Command::Language(_)
            | Command::Noop
            | Command::Logout
            | Command::Id(_) => State::Any,
            Command::StartTls | Command::Authenticate(_) | Command::Login(_) => State::Before,
            Command::Check
            | Command::Close
            | Command::Unselect
            | Command::Expunge(_)
            | Command::Search(..)
            | Command::CancelUpdate(_)
            | Command::Sort(..)
            | Command::Thread(..)
            | Command::Fetch(..)
            | Command::Store(..)
            | Command::Copy(..)
            | Command::Move(..) => State::Selected,
            Command::Append(args) if args.replaces.is_some() => State::Selected,
            _ => State::LoggedIn,
        };
        match wants {
            State::Before if self.logged_in => Some("you are logged in already"),
            State::LoggedIn | State::Selected if !self.logged_in => Some("log in first"),
            State::Selected if self.selected.is_none() => Some("no mailbox is selected"),
            _ => None,
        }
    }

    /// UIDONLY: no message numbers in commands (RFC 9586 §3.2, §3.5).
    fn numbers(&self, command: &Command) -> Option<&'static str> {
        let used = match command {
            Command::Search(args, numbers) => {
                *numbers == Numbers::Sequence || args.key.uses_numbers()
            }
            Command::Sort(args, numbers) => {
                *numbers == Numbers::Sequence || args.search.key.uses_numbers()
            }
            Command::Thread(args, numbers) => {
                *numbers == Numbers::Sequence || args.search.key.uses_numbers()
            }
            Command::Fetch(_, numbers)
            | Command::Store(_, numbers)
            | Command::Copy(_, numbers)
            | Command::Move(_, numbers) => *numbers == Numbers::Sequence,
            Command::Select(args) | Command::Examine(args) => {
                args.qresync.as_ref().is_some_and(|q| !q.matches.is_empty())
            }
            _ => false,
        };
        (used && self.enabled.uid_only).then_some(UID_REQUIRED)
    }

    async fn execute(&mut self, tag: &str, mut command: Command) -> Run {
        match &mut command {
            Command::Capability => command::capability::run(self),
            Command::Noop => Ok(Answer::ok("NOOP completed")),
            Command::Check => Ok(Answer::ok("CHECK completed")),
            Command::Logout => command::logout::run(self),
            Command::Id(fields) => command::id::run(self, fields),
            Command::StartTls => command::starttls::run(self, tag).await,
            Command::Authenticate(args) => command::authenticate::run(self, args).await,
            Command::Login(args) => command::login::run(self, args).await,
            Command::Enable(words) => command::enable::run(self, words),
            Command::Select(args) => command::select::run(self, args, false).await,
            Command::Examine(args) => command::select::run(self, args, true).await,
            Command::Create(args) => command::create::run(self, args).await,
            Command::Delete(name) => command::delete::run(self, name).await,
            Command::Rename(from, to) => command::rename::run(self, from, to).await,
            Command::Subscribe(name) => command::subscribe::run(self, name, true).await,
            Command::Unsubscribe(name) => command::subscribe::run(self, name, false).await,
            Command::List(args) => command::list::run(self, args).await,
            Command::Lsub(args) => command::lsub::run(self, args).await,
            Command::Namespace => command::namespace::run(self),
            Command::Acl(args) => command::acl::run(self, args).await,
            Command::Status(name, items) => command::status::run(self, name, items),
            Command::Append(args) => command::append::whole(self, args).await,
            Command::ResetKey(args) => command::resetkey::run(self, args.as_ref()).await,
            Command::GenUrlAuth(pairs) => command::genurlauth::run(self, pairs).await,
            Command::UrlFetch(all) => command::urlfetch::run(self, all).await,
            Command::Compress => command::compress::run(self, tag).await,
            Command::GetJmapAccess => command::jmapaccess::run(self),
            Command::Language(ranges) => command::language::run(self, ranges),
            Command::GetQuota(root) => command::quota::get(self, root),
            Command::GetQuotaRoot(name) => command::quota::root(self, name),
            Command::SetQuota => command::quota::set(),
            Command::GetMetadata(args) => command::metadata::get(self, args).await,
            Command::SetMetadata(args) => command::metadata::set(self, args).await,
            Command::Notify(args) => command::notify::run(self, args).await,
            Command::Idle => command::idle::run(self).await,
            Command::Close => command::close::run(self).await,
            Command::Unselect => command::unselect::run(self),
            Command::Unauthenticate => command::unauthenticate::run(self, tag).await,
            Command::Expunge(set) => command::expunge::run(self, set.as_ref()).await,
            Command::Search(args, numbers) => command::search::run(self, tag, args, *numbers).await,
            Command::Esearch(args) => command::esearch::run(self, tag, args).await,
            Command::Comparator(wanted) => command::comparator::run(self, wanted),
            Command::CancelUpdate(tags) => command::cancelupdate::run(self, tags),
            Command::Sort(args, numbers) => command::sort::run(self, tag, args, *numbers).await,
            Command::Thread(args, numbers) => command::thread::run(self, args, *numbers).await,
            Command::Fetch(args, numbers) => command::fetch::run(self, args, *numbers).await,
            Command::Store(args, numbers) => command::store::run(self, args, *numbers).await,
            Command::Copy(args, numbers) => command::copy::run(self, args, *numbers).await,
            Command::Move(args, numbers) => command::r#move::run(self, args, *numbers).await,
        }
    }
}

enum State {
    Any,
    Before,
    LoggedIn,
    Selected,
}

/// RFC 9051 §7.5.1, RFC 5256 §3: no EXPUNGE while FETCH, STORE, SEARCH, SORT or THREAD are answered;
/// their UID forms are other commands, but for one that names numbers (RFC 7162 §3.2.10.2).
fn expunges(command: &Command) -> Expunges {
    match command {
        Command::Search(args, Numbers::Uid) if args.key.uses_numbers() => Expunges::Hold,
        Command::Esearch(args) if args.search.key.uses_numbers() => Expunges::Hold,
        Command::Sort(args, Numbers::Uid) if args.search.key.uses_numbers() => Expunges::Hold,
        Command::Thread(args, Numbers::Uid) if args.search.key.uses_numbers() => Expunges::Hold,
        Command::Fetch(_, Numbers::Sequence)
        | Command::Store(_, Numbers::Sequence)
        | Command::Search(_, Numbers::Sequence)
        | Command::Sort(_, Numbers::Sequence)
        | Command::Thread(_, Numbers::Sequence) => Expunges::Hold,
        _ => Expunges::Tell,
    }
}
