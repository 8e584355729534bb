//! QUIT (RFC 1939 §6): what was marked goes, in one durable commit, before the answer.
use super::answer;
use crate::config::Pop3Delete;
use crate::mail::{Mail, Result, Rights, UidSet};
use crate::pop3::maildrop::Maildrop;
use crate::pop3::retention::{self, Fetched};
use crate::pop3::session::{Flow, Session, State};
use crate::sys::clock;
use log::{info, warn};

/// Says good-bye, after the UPDATE state if there was a log-in.
pub(in crate::pop3) async fn quit(session: &mut Session) -> Flow {
    let number = session.conn.number();
    let state = std::mem::replace(&mut session.state, State::Authorization(None));
    if let State::Transaction(maildrop) = state {
        let delete = session.ctx.config.pop3.delete;
        let removed = update(&session.ctx.mail, &maildrop, delete).await;
        let left = match &removed {
            Err(_) => Some(left(&session.ctx.mail, &maildrop)),
            Ok(_) => None,
        };
        // Free before the answer: who has it may log in again at once.
        drop(maildrop);
        match removed {
            Ok(removed) => info!("[{number}] pop3: quit, {removed} removed"),
            Err(error) => {
                warn!("[{number}] pop3: quit: {error}");
                let (code, text) = answer(&error);
                let text = format!("{}: {text}", what_remains(left.flatten()));
                session.err(code, &text);
                return Flow::Close;
            }
        }
    }
    session.ok("good-bye");
    Flow::Close
}

/// How many of the marked messages are still there, and how many were marked, where that can be read.
fn left(mail: &Mail, maildrop: &Maildrop) -> Option<(u32, u32)> {
    let present = maildrop.present(mail).ok()?;
    let marked = maildrop.marked();
    Some((marked.and(&present.uids).len(), marked.len()))
}

/// A large number of messages is removed in steps, each whole: the ones before the one that failed
/// stand (RFC 1939 §6: "-ERR some deleted messages not removed").
fn what_remains(left: Option<(u32, u32)>) -> String {
    match left {
        Some((left, marked)) if left < marked => {
            format!("{left} of {marked} deleted messages were not removed")
        }
        Some(_) => "no message was removed".to_owned(),
        None => "some deleted messages may not be removed".to_owned(),
    }
}

/// The UPDATE state. Returns how many messages were removed.
async fn update(mail: &Mail, maildrop: &Maildrop, delete: Pop3Delete) -> Result<u32> {
    let mut going = maildrop.marked().clone();
    // Nothing goes on its own for an app password that may not delete, and none but one for everything
    // keeps account of what was fetched.
    let delete = match mail.principal() {
        Some(_) if !mail.rights(maildrop.mailbox()).has(Rights::REMOVE) => Pop3Delete::Never,
        Some(who) if !who.everywhere && matches!(delete, Pop3Delete::Days(1..)) => {
            Pop3Delete::Never
        }
        _ => delete,
    };
    match delete {
        Pop3Delete::Never => {}
        // RFC 2449 §6.7, EXPIRE 0: an implicit DELE for each message that RETR sent.
        Pop3Delete::AtOnce | Pop3Delete::Days(0) => going = going.or(maildrop.fetched()),
        Pop3Delete::Days(days) => going = going.or(&expired(mail, maildrop, days).await?),
    }
    if going.is_empty() {
        return Ok(0);
    }
    Ok(mail.remove(maildrop.mailbox(), &going).await?.len())
}

/// Remembers what was downloaded for the first time, and finds what has been long enough.
async fn expired(mail: &Mail, maildrop: &Maildrop, days: u16) -> Result<UidSet> {
    let Some(today) = retention::day(u64::from(clock::now())) else {
        return Ok(UidSet::new());
    };
    let present = maildrop.present(mail)?;
    let stored = mail.reader()?.get(retention::KEY)?.unwrap_or_default();
    let mut fetched = Fetched::decode(&stored);
    fetched.add(today, maildrop.fetched(), &present.uids);
    let value = fetched.encode();
    if value != stored {
        mail.put(vec![(retention::KEY.to_vec(), Some(value))])
            .await?;
    }
    Ok(fetched.expired(today, days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_happened() {
        assert_eq!(what_remains(Some((3, 3))), "no message was removed");
        assert!(what_remains(Some((1, 3))).starts_with("1 of 3 "));
        assert!(what_remains(None).contains("may"));
    }
}
