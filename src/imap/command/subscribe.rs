//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::mail::MailboxUpdate;

/// SUBSCRIBE, or UNSUBSCRIBE if not `on`.
pub async fn run(session: &mut Session, name: &str, on: bool) -> Run {
    let mail = session.mail();
    let found = mail
        .meta()
        .by_path(name)
        .map(|mailbox| (mailbox.id, mailbox.subscribed));
    match found {
        Some((id, subscribed)) => {
            if subscribed != on {
                let update = MailboxUpdate {
                    subscribed: Some(on),
                    ..MailboxUpdate::default()
                };
                mail.update_mailbox(id, update).await?;
            }
        }
        // Nothing is subscribed that does not exist.
        None if !on => {}
        None => return Answer::no("[NONEXISTENT] no such mailbox").stop(),
    }
    Ok(Answer::ok(if on {
        "SUBSCRIBE completed"
    } else {
        "UNSUBSCRIBE completed"
    }))
}
