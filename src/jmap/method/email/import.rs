//! Email/import (RFC 8621 §4.8). Duplicates are allowed: a message to oneself has the Message-ID
//! of its draft, and must not be dropped for it.
use serde_json::Value;

use super::{Answer, keyword, made};
use crate::jmap::blob::open;
use crate::jmap::context::{Context, account, set_error};
use crate::jmap::method::set::Done;
use crate::jmap::wire::args::{Args, is_id};
use crate::jmap::wire::date;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id::BlobId;
use crate::limits;
use crate::mail::{DataType, NewEmail, Source};
use crate::mime::header;

/// Email/import.
pub async fn import(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let mut done = Done::begin(context, &mut args, DataType::Email)?;
    let emails = args.object("emails")?;
    let emails = emails.ok_or_else(|| MethodError::invalid("emails must be an object"))?;
    args.finish()?;
    if emails.len() > limits::JMAP_SET {
        return Err(MethodError::new("requestTooLarge").because("more emails than maxObjectsInSet"));
    }
    if let Some(bad) = emails.keys().find(|id| !is_id(id)) {
        return Err(MethodError::invalid(format!("{bad:?} is no creation id")));
    }
    let (mut names, mut ready) = (Vec::new(), Vec::new());
    for (name, value) in emails {
        match prepare(context, value).await {
            Ok(email) => {
                names.push(name);
                // A part of another message is copied and may wait in memory: not many of them.
                let copied = matches!(email.source, Source::Staged(_));
                ready.push(email);
                if copied {
                    add(context, &mut done, &mut names, &mut ready).await;
                }
            }
            Err(error) => done.not_created(&name, error),
        }
    }
    add(context, &mut done, &mut names, &mut ready).await;
    done.answer_created()
}

/// Makes what is ready, in one commit where that can be.
async fn add(
    context: &mut Context,
    done: &mut Done,
    names: &mut Vec<String>,
    ready: &mut Vec<NewEmail>,
) {
    let added = context.mail.add_each(done.next(), std::mem::take(ready));
    for (name, added) in std::mem::take(names).into_iter().zip(added.await) {
        match added {
            Ok(added) => {
                done.own(&added.own);
                done.created(context, &name, made(&added));
            }
            Err(error) => done.not_created(&name, set_error(error)),
        }
    }
}

async fn prepare(context: &Context, value: Value) -> Result<NewEmail, SetError> {
    let Value::Object(mut map) = value else {
        return Err(SetError::new("invalidProperties").because("an EmailImport is an object"));
    };
    let blob = map.remove("blobId");
    let blob = blob
        .as_ref()
        .and_then(Value::as_str)
        .map(|text| context.resolve(text));
    let blob = blob.and_then(BlobId::parse);
    let mailboxes = map.remove("mailboxIds").unwrap_or(Value::Null);
    let mailboxes = keyword::mailboxes(context, &mailboxes)?;
    let (flags, keywords) = keyword::parse(&map.remove("keywords").unwrap_or(Value::Null))?;
    let received = match map.remove("receivedAt") {
        None | Some(Value::Null) => None,
        Some(value) => Some(received_at(&value)?),
    };
    if let Some(name) = map.keys().next() {
        return Err(SetError::property(
            name.clone(),
            "an EmailImport has no such property",
        ));
    }
    let missing = || SetError::property("blobId", "there is no blob with this id");
    let blob = blob.ok_or_else(missing)?;
    let (source, head) = source(context, &blob).await?.ok_or_else(missing)?;
    if header::fields(&head).next().is_none() {
        return Err(SetError::new("invalidEmail").because("the blob has no header field"));
    }
    let internaldate = received.or_else(|| last_received(&head));
    Ok(NewEmail {
        source,
        mailboxes,
        flags,
        keywords,
        internaldate,
        hold: false,
    })
}

/// Reads a `receivedAt`.
pub fn received_at(value: &Value) -> Result<u32, SetError> {
    let seconds = value.as_str().and_then(date::parse_utc);
    seconds
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| SetError::property("receivedAt", "receivedAt is a UTCDate since 1970"))
}

/// RFC 8621 §4.8: the default is the time of the most recent Received field, the topmost one.
fn last_received(head: &[u8]) -> Option<u32> {
    let field = header::fields(head).find(|field| field.is("Received"))?;
    let at = field.value.iter().rposition(|b| *b == b';')?;
    let date = crate::mime::date::parse(field.value.get(at + 1..)?)?;
    u32::try_from(date.secs).ok()
}

/// The message behind a blob, and the beginning of it. A part of another message is copied first.
async fn source(context: &Context, id: &BlobId) -> Result<Option<(Source, Vec<u8>)>, SetError> {
    let mail = &context.mail;
    let failed = |error| set_error(error);
    let Some(blob) = open(mail, id).await.map_err(failed)? else {
        return Ok(None);
    };
    let head = blob.bytes.run(0, limits::JMAP_HEADER as u32);
    let head = head.all(mail, limits::JMAP_HEADER).map_err(failed)?;
    if id.parts.is_empty() {
        return Ok(Some((Source::Blob(id.root), head)));
    }
    let mut writer = mail.body(Some(blob.size)).map_err(failed)?;
    let (mut bytes, mut piece) = (blob.bytes, Vec::new());
    while bytes.next(mail, &mut piece).map_err(failed)? {
        writer.push(&piece).await.map_err(failed)?;
        piece.clear();
    }
    let staged = writer.finish(&[]).await.map_err(failed)?;
    Ok(Some((Source::Staged(staged), head)))
}
