//! Email/set (RFC 8621 §4.6).
use serde_json::Value;

use super::{Answer, build, keyword, made, visible};
use crate::jmap::context::Context;
use crate::jmap::method::set::Set;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id;
use crate::jmap::wire::patch::{self, Change};
use crate::mail::{DataType, EmailId, EmailUpdate};

/// Email/set.
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    let mut set = Set::parse(context, &mut args, DataType::Email)?;
    args.finish()?;
    for (name, object) in std::mem::take(&mut set.create) {
        match build::create(context, object, set.done.next()).await {
            Ok(added) => {
                set.done.own(&added.own);
                set.done.created(context, &name, made(&added));
            }
            Err(error) => set.done.not_created(&name, error),
        }
    }
    set.settle(context);
    update_all(context, &mut set).await?;
    destroy_all(context, &mut set).await?;
    set.done.answer()
}

/// All updates go to the engine at once: one durable commit, each email whole or not at all.
async fn update_all(context: &mut Context, set: &mut Set) -> Result<(), MethodError> {
    let (mut ids, mut updates) = (Vec::new(), Vec::new());
    for (text, patch) in std::mem::take(&mut set.update) {
        match prepare(context, &text, patch)? {
            Ok(update) => {
                ids.push(text);
                updates.push(update);
            }
            Err(error) => set.done.not_updated(&text, error),
        }
    }
    if updates.is_empty() {
        return Ok(());
    }
    let expect = set.done.next();
    let done = context.mail.update_emails(updates, expect).await;
    set.done.all(&ids, false, done)
}

/// An update of the engine's, from a patch.
fn prepare(
    context: &Context,
    text: &str,
    patch: Value,
) -> Result<Result<(EmailId, EmailUpdate), SetError>, MethodError> {
    let reader = context.mail.reader()?;
    let Some(email) = id::to_email(text) else {
        return Ok(Err(SetError::new("notFound")));
    };
    let rows = visible(&reader, email)?;
    let Some(row) = rows.first() else {
        return Ok(Err(SetError::new("notFound")));
    };
    let changes = match patch::parse(patch) {
        Ok(changes) => changes,
        Err(error) => return Ok(Err(error)),
    };
    let mut update = EmailUpdate::default();
    for (name, change) in changes {
        let applied = match name.as_str() {
            "keywords" => keyword::change(change, &mut update),
            "mailboxIds" => keyword::change_mailboxes(context, change, &mut update),
            _ => immutable(&name, &change, row),
        };
        if let Err(error) = applied {
            return Ok(Err(error));
        }
    }
    Ok(Ok((email, update)))
}

/// RFC 8620 §5.3: what cannot change may be sent as it is. We know the cheap ones.
fn immutable(name: &str, change: &Change, row: &crate::mail::Row) -> Result<(), SetError> {
    let now: Value = match name {
        "id" => id::email(row.email).into(),
        "threadId" => id::thread(row.thread).into(),
        "blobId" => id::BlobId::whole(row.email).to_string().into(),
        "size" => row.size.into(),
        "receivedAt" => crate::mime::date::utc_date(row.internaldate.into()).into(),
        _ => return Err(SetError::property(name, "cannot be changed")),
    };
    match change {
        Change::Whole(value) if *value == now => Ok(()),
        _ => Err(SetError::property(name, "cannot be changed")),
    }
}

async fn destroy_all(context: &mut Context, set: &mut Set) -> Result<(), MethodError> {
    let (mut ids, mut emails) = (Vec::new(), Vec::new());
    let reader = context.mail.reader()?;
    for text in std::mem::take(&mut set.destroy) {
        match id::to_email(&text) {
            Some(email) if !visible(&reader, email)?.is_empty() => {
                ids.push(text);
                emails.push(email);
            }
            _ => set.done.not_destroyed(&text, SetError::new("notFound")),
        }
    }
    drop(reader);
    if emails.is_empty() {
        return Ok(());
    }
    let expect = set.done.next();
    let done = context.mail.destroy_emails(emails, expect).await;
    set.done.all(&ids, true, done)
}
