//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8).
//!
//! A subscription outlives its mailbox: the server must not take a name off the list by itself
//! (ibid.). While the mailbox exists the engine keeps it; a name without a mailbox is kept beside.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::limits;
use crate::mail::{Mail, MailboxUpdate, Result};

/// Before the names of subscribed mailboxes that are no more.
const PREFIX: &str = "imap.subscribed/";

/// SUBSCRIBE, or UNSUBSCRIBE if not `on`.
pub async fn run(session: &mut Session, name: &str, on: bool) -> Run {
    let mail = session.mail();
    let found = mail
        .meta()
        .by_path(name)
        .map(|mailbox| (mailbox.id, mailbox.subscribed));
    if let Some((id, subscribed)) = found {
        if subscribed != on {
            let update = MailboxUpdate {
                subscribed: Some(on),
                ..MailboxUpdate::default()
            };
            mail.update_mailbox(id, update).await?;
            session.named(name, None);
        }
    } else if on {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    }
    if !on && orphans(&mail)?.iter().any(|orphan| orphan == name) {
        mail.put(vec![(key(name), None)]).await?;
    }
    Ok(Answer::ok(if on {
        "SUBSCRIBE completed"
    } else {
        "UNSUBSCRIBE completed"
    }))
}

fn key(name: &str) -> Vec<u8> {
    format!("{PREFIX}{name}").into_bytes()
}

/// Keeps the subscription of a mailbox that was deleted.
pub async fn keep(mail: &Mail, name: &str) -> Result<()> {
    if orphans(mail)?.len() < limits::IMAP_ORPHANS {
        mail.put(vec![(key(name), Some(Vec::new()))]).await?;
    }
    Ok(())
}

/// Subscribed names without a mailbox, in order.
pub fn orphans(mail: &Mail) -> Result<Vec<String>> {
    let mut names = Vec::new();
    mail.reader()?.scan(PREFIX.as_bytes(), |key, _| {
        let name = key.get(PREFIX.len()..).unwrap_or_default();
        names.push(String::from_utf8_lossy(name).into_owned());
        names.len() < limits::IMAP_ORPHANS
    })?;
    let meta = mail.meta();
    names.retain(|name| meta.by_path(name).is_none());
    Ok(names)
}
