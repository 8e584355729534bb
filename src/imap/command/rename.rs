//! RENAME (RFC 9051 §6.3.6).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// RENAME: children follow; INBOX gives its messages to the new mailbox and stays.
pub async fn run(session: &mut Session, from: &str, to: &str) -> Run {
    session.mail().rename(from, to).await?;
    session.named(to, Some(from));
    Ok(Answer::ok("RENAME completed"))
}
