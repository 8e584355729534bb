//! Email/set (RFC 8621 §4.6).
use serde_json::{Map, Value};

use super::{Answer, build, keyword, made, visible};
use crate::jmap::context::Context;
use crate::jmap::method::set::Set;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id::{self, ACCOUNT};
use crate::jmap::wire::json::put;
use crate::jmap::wire::patch::{self, Change};
use crate::mail::{DataType, EmailUpdate, Row};

/// Email/set.
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    let mut set = Set::parse(context, &mut args, DataType::Email)?;
    args.finish()?;
    for (name, object) in std::mem::take(&mut set.create) {
        let added = build::create(context, object, set.done.next()).await;
        set.done.made(context, &name, added.map(made));
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
        let update = match id::to_email(&text) {
            Some(email) => visible(&context.mail.reader()?, email)?.into_iter().next(),
            None => None,
        };
        let update = update.ok_or_else(|| SetError::new("notFound"));
        match update.and_then(|row| Ok((row.email, prepare(context, &row, patch)?))) {
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
fn prepare(context: &Context, row: &Row, patch: Value) -> Result<EmailUpdate, SetError> {
    let mut update = EmailUpdate::default();
    for (name, change) in patch::parse(patch)? {
        match name.as_str() {
            "keywords" => keyword::change(change, &mut update)?,
            "mailboxIds" => keyword::change_mailboxes(context, change, &mut update)?,
            _ => immutable(&name, &change, row)?,
        }
    }
    Ok(update)
}

/// RFC 8620 §5.3: what cannot change may be sent as it is. We know the cheap ones.
fn immutable(name: &str, change: &Change, row: &Row) -> Result<(), SetError> {
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

/// The Email/set that follows what another method did (RFC 8621 §7.5, RFC 9007 §2.1), if there is
/// anything for it to do.
pub async fn implicit(context: &mut Context, update: Map<String, Value>, destroy: Vec<String>) {
    if update.is_empty() && destroy.is_empty() {
        return;
    }
    let mut args = Map::new();
    put(&mut args, "accountId", ACCOUNT);
    put(&mut args, "update", update);
    put(&mut args, "destroy", destroy);
    let answer = Box::pin(set(context, Args::new(args))).await;
    context.implicit.push(match answer {
        Ok(answer) => ("Email/set", answer),
        Err(error) => ("error", error.into_map()),
    });
}
