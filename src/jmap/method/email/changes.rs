//! Email/changes (RFC 8621 §4.3).
use super::visible;
use crate::jmap::context::Context;
use crate::jmap::wire::error::MethodError;
use crate::mail::{EmailId, Modseq, ObjectChanges, Reader};

/// What happened to the emails that JMAP shows.
pub async fn changes(
    context: &Context,
    since: Modseq,
    max: usize,
) -> Result<ObjectChanges<EmailId>, MethodError> {
    let changes = context.mail.email_changes(since, max).await;
    let mut changes = changes?;
    hide(&context.mail.reader()?, &mut changes)?;
    Ok(changes)
}

/// What an IMAP client marked `\Deleted` is gone for JMAP (RFC 8621 §4.1.1).
fn hide(reader: &Reader, changes: &mut ObjectChanges<EmailId>) -> Result<(), MethodError> {
    for email in std::mem::take(&mut changes.updated) {
        match visible(reader, email)?.is_empty() {
            true => changes.destroyed.push(email),
            false => changes.updated.push(email),
        }
    }
    // Nobody has seen these.
    for email in std::mem::take(&mut changes.created) {
        if !visible(reader, email)?.is_empty() {
            changes.created.push(email);
        }
    }
    Ok(())
}
