//! CLOSE (RFC 9051 §6.4.1).

use super::select;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::mail::Rights;

/// CLOSE: leaves the mailbox; messages with \Deleted go, without a word, unless it was EXAMINEd.
pub async fn run(session: &mut Session) -> Run {
    let selected = select::leave(session)?;
    // RFC 4314 §4: without the right it is no error either.
    let may = session.mail().rights(selected.mailbox).has(Rights::EXPUNGE);
    if !selected.read_only && may {
        session.mail().expunge(selected.mailbox, None).await?;
    }
    Ok(Answer::ok("CLOSE completed"))
}
