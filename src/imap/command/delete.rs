//! DELETE (RFC 9051 §6.3.5).

use super::subscribe;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::mailbox::canonical;
use crate::mail::Expect;

/// DELETE: the mailbox and its messages. One with children stays (`NO [HASCHILDREN]`).
pub async fn run(session: &mut Session, given: &str) -> Run {
    let mail = session.mail();
    let meta = mail.meta();
    let Some(found) = meta.by_path(&canonical(given.to_owned())).cloned() else {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    };
    let id = found.id;
    mail.delete(id, true, Expect::default()).await?;
    session.named(&found.path, None);
    // RFC 9051 §6.3.5, §6.3.9.7: the name is not quite what the client has written.
    if session.enabled.rev2 && found.path != given {
        session.list_news(&meta, &found, Some("\\NonExistent"), Some(given));
    }
    if found.subscribed {
        subscribe::keep(&mail, &found.path).await?;
    }
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
