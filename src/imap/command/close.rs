//! CLOSE (RFC 9051 §6.4.1).

use super::select;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// CLOSE: leaves the mailbox; messages with \Deleted go, without a word, unless it was EXAMINEd.
pub async fn run(session: &mut Session) -> Run {
    let selected = select::leave(session)?;
    if !selected.read_only {
        session.mail().expunge(selected.mailbox, None).await?;
    }
    Ok(Answer::ok("CLOSE completed"))
}
