//! CREATE (RFC 9051 §6.3.4, RFC 8474 §4.1).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::mailbox::Create;

/// CREATE, with parents that are missing. The answer carries the new mailbox's id.
pub async fn run(session: &mut Session, args: Create) -> Run {
    let mailbox = session.mail().create(&args.name, None).await?;
    Ok(Answer::ok(format!(
        "[MAILBOXID (m{})] CREATE completed",
        mailbox.id
    )))
}
