//! APPEND and REPLACE (RFC 9051 §6.3.12, RFC 4315 §3, RFC 3502, RFC 4469, RFC 6855 §4, RFC 8508).
//!
//! Messages go from the connection into the store as they arrive, whatever their size and number,
//! and show in one commit at the command's end: all of them or none. What a URL names is copied
//! inside the store. A command that cannot succeed is refused at its next literal, before that is
//! sent; what comes without waiting for us is read past, up to a bound (RFC 7888 §4).
//!
//! Header fields with octets above 127 are taken, and given, as they are, with UTF8=ACCEPT enabled or
//! not. RFC 6855 §4 has them refused ("MUST reject"), but no client in use asks for UTF8=ACCEPT before
//! it moves a mailbox here, old mail is full of them, and a message that cannot be moved is a message
//! lost. What such a client is given is the message itself and no surrogate (§7 leaves the choice): it
//! may be moved away again. Quoted strings have no such octets for it (§3).

use super::copy::try_create;
use super::expunge::expunged;
use super::fetch::Look;
use super::store::split;
use super::{body, url};
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::{Expunges, Session, UID_REQUIRED};
use crate::imap::wire::append::{Append, Head, Reader, Step};
use crate::imap::wire::frame::{Event, Literal};
use crate::imap::wire::set;
use crate::imap::wire::url::Url;
use crate::imap::wire::{self, Command, Numbers};
use crate::limits;
use crate::mail::{Batch, BodyWriter, Error, MailboxId, NewEmail, Rights, Source, Uid, UidSet};

/// APPEND or REPLACE, from the place where its first message starts. Answers by itself.
pub async fn run(session: &mut Session, literal: Literal) -> Result<(), Stop> {
    let (tag, mut parsed) = wire::command(session.framer.command(), session.enabled.utf8);
    if let Some(off) = session.switched_off() {
        parsed = Err(off);
    }
    session.log_command(parsed.as_ref().err());
    let head = match &parsed {
        Ok(command) => match (session.forbidden(command), command) {
            (Some(why), _) => Err(Answer::bad(why)),
            (None, Command::Append(head)) => Ok(head),
            (None, _) => Err(Answer::bad("expected the end of the command")),
        },
        Err(error) => Err(Answer::bad(error.to_string())),
    };
    let ran = Box::pin(take(session, head, Some(literal))).await;
    session.finish(tag.as_deref(), ran, Expunges::Tell).await?;
    match session.logged_in {
        true => Ok(()),
        false => session.mistake(),
    }
}

/// The same where no message comes by itself: all of it is in URLs.
pub async fn whole(session: &mut Session, head: &Append) -> Run {
    take(session, Ok(head), None).await
}

/// What goes where.
struct Target {
    mailbox: MailboxId,
    /// REPLACE: the membership that ends, in the selected mailbox.
    replaces: Option<(MailboxId, Uid)>,
}

/// A message in the making.
#[derive(Default)]
struct Message {
    head: Head,
    body: Option<BodyWriter>,
}

/// The command as far as it has come.
struct Work {
    reader: Reader,
    batch: Batch,
    message: Message,
    target: Option<Target>,
    /// Why nothing will come of it.
    failed: Option<Answer>,
    /// Octets read past since then.
    drained: u64,
}

async fn take(
    session: &mut Session,
    head: Result<&Append, Answer>,
    mut literal: Option<Literal>,
) -> Run {
    let mut work = Work {
        reader: Reader::new(
            head.as_ref().is_ok_and(|head| head.replaces.is_none())
                && session.offers("MULTIAPPEND"),
        ),
        batch: Batch::new(session.mail()),
        message: Message::default(),
        target: None,
        failed: None,
        drained: 0,
    };
    let (mut text, mut at) = (Vec::new(), 0);
    match head {
        Ok(head) => {
            (text, at) = (head.rest.clone(), head.at);
            work.target = work.keep(target(session, head));
        }
        Err(answer) => work.failed = Some(answer),
    }
    loop {
        let done = work.text(session, &text, at, literal).await;
        work.keep(done);
        let Some(here) = literal else { break };
        if let Err(stop) = work.literal(session, here).await {
            work.batch.cancel().await;
            return Err(stop);
        }
        session.framer.after_message();
        literal = match next(session).await {
            Ok(literal) => literal,
            // What it says has been read past: this is the command's end.
            Err(Stop::Refused(answer)) => {
                work.failed.get_or_insert(*answer);
                break;
            }
            Err(stop) => {
                work.batch.cancel().await;
                return Err(stop);
            }
        };
        text.clear();
        text.extend_from_slice(session.framer.command());
        at = 0;
    }
    work.finish(session).await
}

/// What can be said before any message is sent.
fn target(session: &Session, head: &Append) -> Result<Target, Stop> {
    let replaces = match &head.replaces {
        Some((_, Numbers::Sequence)) if session.enabled.uid_only => {
            return Answer::bad(UID_REQUIRED).stop();
        }
        Some((set, numbers)) => {
            let selected = session.writable()?;
            let uids = selected.resolve(set, *numbers).or_else(Answer::stop)?;
            let uid = uids.first().map_or_else(|| gone(*numbers).stop(), Ok)?;
            Some((selected.mailbox, uid))
        }
        None => None,
    };
    let meta = session.mail().meta();
    let Some(mailbox) = meta.by_path(&head.name).map(|found| found.id) else {
        return Err(match try_create() {
            Err(stop) => stop,
            Ok(answer) => Stop::Refused(Box::new(answer)),
        });
    };
    Ok(Target { mailbox, replaces })
}

fn gone(numbers: Numbers) -> Answer {
    Answer::no(match numbers {
        Numbers::Uid => "[NONEXISTENT] there is no message with this UID",
        Numbers::Sequence => "[NONEXISTENT] there is no such message",
    })
}

/// The literal that comes next, or `None` at the command's end; the text before it is in the framer.
async fn next(session: &mut Session) -> Result<Option<Literal>, Stop> {
    loop {
        match session.next_event().await? {
            Event::Command => return Ok(None),
            Event::Message(literal) => return Ok(Some(literal)),
            Event::Continue => session.line("+ OK"),
            Event::Fatal => return Err(Stop::Bye(&"[LIMIT] the literal is too large")),
            Event::Refused(_) => {
                return Answer::bad("[LIMIT] the command is too long").stop();
            }
            Event::More => {}
        }
    }
}

impl Work {
    /// Remembers the first refusal.
    fn keep<T>(&mut self, done: Result<T, Stop>) -> Option<T> {
        match done {
            Ok(value) => Some(value),
            Err(Stop::Refused(answer)) => {
                self.failed.get_or_insert(*answer);
                None
            }
            // Nothing here waits for the peer.
            Err(_) => {
                let answer = Answer::no("[UNAVAILABLE] try again");
                self.failed.get_or_insert(answer);
                None
            }
        }
    }

    /// What stands before a literal, or before the command's end.
    async fn text(
        &mut self,
        session: &mut Session,
        text: &[u8],
        at: usize,
        literal: Option<Literal>,
    ) -> Result<(), Stop> {
        if self.failed.is_some() {
            return Ok(());
        }
        let utf8 = session.enabled.utf8;
        let steps = match self.reader.read(text, literal.is_some(), utf8) {
            Ok(steps) => steps,
            Err(mut error) => {
                error.at += at;
                return Answer::bad(error.to_string()).stop();
            }
        };
        for step in steps {
            match step {
                Step::Begin(head) if head.catenate && !session.offers("CATENATE") => {
                    return Answer::bad("expected the message as a literal").stop();
                }
                Step::Begin(head) => self.message = Message { head, body: None },
                Step::Url(url) => self.url(session, &url).await?,
                Step::Literal => {}
                Step::End => self.end().await?,
            }
        }
        Ok(())
    }

    /// The body, begun if it is not; `more` octets come next.
    fn body(&mut self, session: &Session, more: u64) -> Result<&mut BodyWriter, Stop> {
        let most = session.mail().message_size();
        let so_far = self.message.body.as_ref().map_or(0, BodyWriter::len);
        if so_far.saturating_add(more) > most {
            return too_big(Error::TooLarge(most)).stop();
        }
        let body = match self.message.body.take() {
            Some(body) => body,
            // What goes makes room for it: only the commit can tell (RFC 8508 §3.4).
            None if self.target.as_ref().is_some_and(|t| t.replaces.is_some()) => {
                session.mail().body(None)?
            }
            None => session.mail().body(Some(more))?,
        };
        Ok(self.message.body.insert(body))
    }

    /// Copies what a URL names (RFC 4469 §3).
    async fn url(&mut self, session: &Session, text: &str) -> Result<(), Stop> {
        let bad = || Answer::no(format!("[BADURL {}] no such message or part", shown(text)));
        let Some(url) = Url::parse(text).filter(|u| u.server.is_none() && u.auth.is_none()) else {
            return bad().stop();
        };
        let mut look = Look::new(session.mail());
        let Some(row) = url::find(&mut look, &url)? else {
            return bad().stop();
        };
        let most = session.mail().message_size();
        let body = self.body(session, 0)?;
        match body::append_to(body, &mut look, &row, &url.section, url.partial).await {
            Ok(true) => Ok(()),
            Ok(false) => bad().stop(),
            Err(Stop::Refused(_)) if body.len() > most => too_big(Error::TooLarge(most)).stop(),
            Err(stop) => Err(stop),
        }
    }

    /// The octets of a literal: into the message, or past it.
    async fn literal(&mut self, session: &mut Session, literal: Literal) -> Result<(), Stop> {
        if self.failed.is_none() {
            let begun = match literal.size {
                // RFC 3502 §6.3.11: a message of no octets is a way to cancel.
                0 if !self.message.head.catenate => Answer::no("[CANNOT] an empty message").stop(),
                size => self.body(session, size).map(|_| ()),
            };
            self.keep(begun);
        }
        match &self.failed {
            Some(answer) if literal.sync => {
                session.framer.reset();
                return answer.clone().stop();
            }
            Some(_) => return self.drain(session, literal.size).await,
            None => {}
        }
        if literal.sync {
            session.line("+ OK");
            session.conn.flush().await?;
        }
        let mut left = literal.size;
        let mut failed = None;
        while left > 0 {
            let max = usize::try_from(left).unwrap_or(usize::MAX);
            let octets = session.conn.chunk(max).await?;
            let n = octets.len();
            if let (None, Some(body)) = (&failed, &mut self.message.body) {
                failed = body.push(octets).await.err();
            }
            session.conn.consume(n);
            left -= n as u64;
        }
        if let Some(error) = failed {
            self.failed = Some(too_big(error));
        }
        Ok(())
    }

    async fn drain(&mut self, session: &mut Session, size: u64) -> Result<(), Stop> {
        let most = if session.logged_in {
            limits::IMAP_DRAIN
        } else {
            limits::IMAP_DRAIN_BEFORE_LOGIN
        };
        self.drained = self.drained.saturating_add(size);
        if self.drained > most {
            return Err(Stop::Bye(&"[LIMIT] the message is too large"));
        }
        Ok(session.conn.discard(size).await?)
    }

    /// A message is whole.
    async fn end(&mut self) -> Result<(), Stop> {
        let Message { head, body } = std::mem::take(&mut self.message);
        let (Some(body), Some(target)) = (body, &self.target) else {
            return Answer::no("[CANNOT] an empty message").stop();
        };
        if body.is_empty() {
            return Answer::no("[CANNOT] an empty message").stop();
        }
        let (flags, keywords) = split(head.flags);
        // Dates before 1970 and after 2106 do not fit; the nearest that does is kept.
        let internaldate = head
            .date
            .map(|date| u32::try_from(date.max(0)).unwrap_or(u32::MAX));
        let email = NewEmail {
            source: Source::Staged(body.finish(&[]).await?),
            mailboxes: vec![target.mailbox],
            flags,
            keywords,
            internaldate,
            hold: false,
        };
        Ok(self.batch.push(email).await?)
    }

    /// Makes all messages show, or none.
    async fn finish(self, session: &mut Session) -> Run {
        let (None, Some(target)) = (self.failed.as_ref(), self.target) else {
            self.batch.cancel().await;
            let answer = self.failed;
            return answer
                .unwrap_or_else(|| Answer::bad("expected a message"))
                .stop();
        };
        let added = match self.batch.commit(target.replaces).await {
            Ok(added) => added,
            Err(Error::NoSuchMailbox) => return try_create(),
            Err(error) => return Err(error.into()),
        };
        let mut uids = UidSet::new();
        let mut validity = 0;
        for (_, uidvalidity, uid) in added.iter().flat_map(|a| &a.places) {
            validity = *uidvalidity;
            uids.insert(*uid);
        }
        session.brought(target.mailbox, &uids);
        let mut code = format!("[APPENDUID {validity} ").into_bytes();
        set::write(&mut code, uids.runs());
        let mut code = String::from_utf8_lossy(&code).into_owned() + "] ";
        // RFC 4315 §3: nothing is told of a mailbox that may not be opened.
        if !session.mail().rights(target.mailbox).has(Rights::READ) {
            code.clear();
        }
        if target.replaces.is_none() {
            return Ok(Answer::ok(format!("{code}APPEND completed")));
        }
        // RFC 8508 §4.3: the new UID is told before the old message goes.
        session.line(&format!("* OK {code}the message that replaces the old one"));
        expunged(session, "REPLACE completed").await
    }
}

/// RFC 4469 §4.2, RFC 7889 §4.
fn too_big(error: Error) -> Answer {
    match error {
        Error::TooLarge(_) => Answer::no(format!("[TOOBIG] {error}")),
        error => error.into(),
    }
}

/// A URL inside a response code (RFC 4469 §5 `url-resp-text`).
fn shown(url: &str) -> String {
    let fits = |c: &char| (' '..='~').contains(c) && *c != ']';
    url.chars()
        .filter(fits)
        .take(limits::IMAP_BAD_URL)
        .collect()
}
