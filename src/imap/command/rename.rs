//! RENAME (RFC 9051 §6.3.6).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::mailbox::canonical;

/// RENAME: children follow; INBOX gives its messages to the new mailbox and stays.
pub async fn run(session: &mut Session, from: &str, given: &str) -> Run {
    let (old, new) = (canonical(from.to_owned()), canonical(given.to_owned()));
    let mail = session.mail();
    mail.rename(&old, &new).await?;
    session.named(&new, Some(&old));
    // RFC 9051 §6.3.6, §6.3.9.7: the name is not quite what the client has written.
    let meta = mail.meta();
    if session.enabled.rev2
        && (old != from || new != given)
        && let Some(found) = meta.by_path(&new)
    {
        session.list_one(&meta, found, from);
    }
    Ok(Answer::ok("RENAME completed"))
}
