//! APPEND (RFC 9051 §6.3.12, RFC 4315 §3, RFC 6855 §4): the message goes from the connection into
//! the store as it arrives, whatever its size.

use super::copy::try_create;
use super::store::split;
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::{Expunges, Session};
use crate::imap::wire::append::{self, Append};
use crate::imap::wire::frame::{Event, Literal};
use crate::imap::wire::{self, Command};
use crate::limits;
use crate::mail::{Error, MailboxId, NewEmail, Source, Staged};

/// APPEND, from the place where its message starts. Answers by itself.
pub async fn run(session: &mut Session, literal: Literal) -> Result<(), Stop> {
    let (tag, parsed) = wire::command(session.framer.command(), session.enabled.utf8);
    let head = match parsed {
        Ok(Command::Append(head)) if session.logged_in => check(session, head, literal),
        Ok(_) => Err(Answer::bad("log in first")),
        Err(error) => Err(Answer::bad(error.to_string())),
    };
    let ran = match head {
        Ok((head, mailbox)) => Box::pin(take(session, head, mailbox, literal)).await,
        Err(answer) => refuse(session, answer, literal).await,
    };
    session.finish(tag.as_deref(), ran, Expunges::Tell).await
}

/// What can be said before the message is sent.
fn check(session: &Session, head: Append, literal: Literal) -> Result<(Append, MailboxId), Answer> {
    let mail = session.mail();
    let Some(mailbox) = mail.meta().by_path(&head.name).map(|found| found.id) else {
        return Err(match try_create() {
            Err(Stop::Refused(answer)) => answer,
            _ => Answer::no("[TRYCREATE] no such mailbox"),
        });
    };
    if literal.size > mail.message_size() {
        return Err(Error::TooLarge(mail.message_size()).into());
    }
    // RFC 9051 §9: a literal of no octets is no message.
    if literal.size == 0 {
        return Err(Answer::no("[CANNOT] an empty message"));
    }
    Ok((head, mailbox))
}

async fn take(session: &mut Session, head: Append, mailbox: MailboxId, literal: Literal) -> Run {
    let mut body = match session.mail().body(Some(literal.size)) {
        Ok(body) => body,
        Err(error) => return refuse(session, error.into(), literal).await,
    };
    go_ahead(session, literal).await?;
    let mut left = literal.size;
    let mut failed = None;
    while left > 0 {
        let max = usize::try_from(left).unwrap_or(usize::MAX);
        let octets = session.conn.chunk(max).await?;
        let n = octets.len();
        if failed.is_none() {
            failed = body.push(octets).await.err();
        }
        session.conn.consume(n);
        left -= n as u64;
    }
    rest(session, head.utf8).await?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let staged = body.finish(&[]).await?;
    add(session, head, mailbox, staged).await
}

async fn add(session: &mut Session, head: Append, mailbox: MailboxId, staged: Staged) -> Run {
    let (flags, keywords) = split(head.flags);
    // Dates before 1970 and after 2106 do not fit; the nearest that does is kept.
    let internaldate = head
        .date
        .map(|date| u32::try_from(date.max(0)).unwrap_or(u32::MAX));
    let email = NewEmail {
        source: Source::Staged(staged),
        mailboxes: vec![mailbox],
        flags,
        keywords,
        internaldate,
        hold: false,
    };
    let added = match session.mail().add(email).await {
        Ok(added) => added,
        Err(Error::NoSuchMailbox) => return try_create(),
        Err(error) => return Err(error.into()),
    };
    Ok(match added.places.first() {
        Some((_, uidvalidity, uid)) => {
            Answer::ok(format!("[APPENDUID {uidvalidity} {uid}] APPEND completed"))
        }
        None => Answer::ok("APPEND completed"),
    })
}

async fn go_ahead(session: &mut Session, literal: Literal) -> Result<(), Stop> {
    if literal.sync {
        session.line("+ OK");
        session.conn.flush().await?;
    }
    Ok(())
}

/// Refuses a message: one that waits for our word is never sent, any other is read past, up to a
/// bound (RFC 7888 §4).
async fn refuse(session: &mut Session, answer: Answer, literal: Literal) -> Run {
    if literal.sync {
        session.framer.reset();
        return answer.stop();
    }
    let drain = if session.logged_in {
        limits::IMAP_DRAIN
    } else {
        limits::IMAP_DRAIN_BEFORE_LOGIN
    };
    if literal.size > drain {
        return Err(Stop::Bye("[LIMIT] the message is too large"));
    }
    session.conn.discard(literal.size).await?;
    // Whatever stands behind it, the first reason is the answer.
    match rest(session, false).await {
        Ok(()) | Err(Stop::Refused(_)) => answer.stop(),
        Err(stop) => Err(stop),
    }
}

/// The end of the command, behind the message.
async fn rest(session: &mut Session, utf8: bool) -> Result<(), Stop> {
    session.framer.after_message();
    loop {
        match session.next_event().await? {
            Event::Command => break,
            Event::Continue => session.line("+ OK"),
            Event::Fatal => return Err(Stop::Bye("[LIMIT] the literal is too large")),
            // One message only, and what the next one holds must not pass for commands.
            Event::Message(_) => return Err(Stop::Bye("expected the end of the command")),
            Event::Refused(_) => {
                return Answer::bad("expected the end of the command behind the message").stop();
            }
            Event::More => {}
        }
    }
    match append::tail(session.framer.command(), utf8) {
        Ok(()) => Ok(()),
        Err(_) => Answer::bad("expected the end of the command behind the message").stop(),
    }
}
