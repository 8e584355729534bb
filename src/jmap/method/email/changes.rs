//! Email/changes (RFC 8621 §4.3).
use super::{Answer, visible};
use crate::jmap::context::{Context, method_error};
use crate::jmap::method::changes::Since;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::mail::{EmailId, ObjectChanges, Reader};

/// Email/changes.
pub async fn changes(context: &mut Context, args: Args) -> Answer {
    let since = Since::parse(context, args)?;
    let mut changes = context
        .mail
        .email_changes(since.modseq, since.max)
        .await
        .map_err(method_error)?;
    let reader = context.mail.reader().map_err(method_error)?;
    hide(&reader, &mut changes)?;
    Ok(since.answer(&changes, id::email))
}

/// What an IMAP client marked `\Deleted` is gone for JMAP (RFC 8621 §4.1.1).
pub fn hide(reader: &Reader, changes: &mut ObjectChanges<EmailId>) -> Result<(), MethodError> {
    let mut hidden = Vec::new();
    for list in [&mut changes.created, &mut changes.updated] {
        for email in std::mem::take(list) {
            let shown = !visible(reader, email)?.is_empty();
            if shown {
                list.push(email)
            } else {
                hidden.push(email)
            }
        }
    }
    changes.destroyed.extend(hidden);
    Ok(())
}
