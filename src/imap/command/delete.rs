//! DELETE (RFC 9051 §6.3.5).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// DELETE: the mailbox and its messages. One with children stays (`NO [HASCHILDREN]`).
pub async fn run(session: &mut Session, name: &str) -> Run {
    let mail = session.mail();
    let Some(id) = mail.meta().by_path(name).map(|mailbox| mailbox.id) else {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    };
    mail.delete(id, true).await?;
    // RFC 9051 §6.3.5 leaves open what becomes of a session in it: it is simply out.
    if session
        .selected
        .as_ref()
        .is_some_and(|selected| selected.mailbox == id)
    {
        session.selected = None;
        session.line("* OK [CLOSED] the mailbox is gone");
    }
    Ok(Answer::ok("DELETE completed"))
}
