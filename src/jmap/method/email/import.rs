//! Email/import (RFC 8621 §4.8). Duplicates are allowed: a message to oneself has the Message-ID
//! of its draft, and must not be dropped for it.
use serde_json::{Map, Value};

use super::{Answer, keyword, made};
use crate::jmap::blob::open;
use crate::jmap::context::{Context, account};
use crate::jmap::method::set::{Done, check_new};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::date;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::json::object;
use crate::limits;
use crate::mail::{DataType, Flags, MailboxId, NewEmail, Source};
use crate::mime::header;

/// Email/import.
pub async fn import(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let mut done = Done::begin(context, &mut args, DataType::Email)?;
    let emails = args.required_object("emails")?;
    args.finish()?;
    check_new(&emails, "more emails than maxObjectsInSet")?;
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
        done.made(context, &name, added.map(made).map_err(SetError::from));
    }
}

async fn prepare(context: &Context, value: Value) -> Result<NewEmail, SetError> {
    let mut map = object(value, "an EmailImport is an object")?;
    let blob = map.remove("blobId");
    let place = Place::take(context, &mut map)?;
    if let Some(name) = map.keys().next() {
        return Err(SetError::property(
            name,
            "an EmailImport has no such property",
        ));
    }
    let blob = blob.as_ref().and_then(Value::as_str).unwrap_or_default();
    let found = source(context, context.resolve(blob)).await?;
    let (source, head) =
        found.ok_or_else(|| SetError::property("blobId", "there is no blob with this id"))?;
    if header::fields(&head).next().is_none() {
        return Err(SetError::new("invalidEmail").because("the blob has no header field"));
    }
    Ok(place.email(source, last_received(&head)))
}

/// Where an email is to be, and what is said of it there.
pub struct Place {
    mailboxes: Vec<MailboxId>,
    marks: (Flags, Vec<String>),
    received: Option<u32>,
}

impl Place {
    /// Takes `mailboxIds`, `keywords` and `receivedAt`.
    pub fn take(context: &Context, map: &mut Map<String, Value>) -> Result<Place, SetError> {
        let mut take = |name: &str| map.remove(name).unwrap_or(Value::Null);
        Ok(Place {
            mailboxes: keyword::mailboxes(context, &take("mailboxIds"))?,
            marks: keyword::parse(&take("keywords"))?,
            received: received_at(&take("receivedAt"))?,
        })
    }

    /// An email there; `received` unless the client said when.
    pub fn email(self, source: Source, received: Option<u32>) -> NewEmail {
        let (flags, keywords) = self.marks;
        NewEmail {
            source,
            mailboxes: self.mailboxes,
            flags,
            keywords,
            internaldate: self.received.or(received),
            hold: false,
        }
    }
}

/// Reads a `receivedAt`, which may be null.
fn received_at(value: &Value) -> Result<Option<u32>, SetError> {
    if value.is_null() {
        return Ok(None);
    }
    let seconds = value.as_str().and_then(date::parse_utc);
    let seconds = seconds.and_then(|seconds| u32::try_from(seconds).ok());
    match seconds {
        None => Err(SetError::property(
            "receivedAt",
            "receivedAt is a UTCDate since 1970",
        )),
        seconds => Ok(seconds),
    }
}

/// RFC 8621 §4.8: the default is the time of the most recent Received field, the topmost one.
fn last_received(head: &[u8]) -> Option<u32> {
    let field = header::fields(head).find(|field| field.is("Received"))?;
    let at = field.value.iter().rposition(|b| *b == b';')?;
    let date = crate::mime::date::parse(field.value.get(at + 1..)?)?;
    u32::try_from(date.secs).ok()
}

/// The message behind a blob, and the beginning of it. A part of another message is copied first.
async fn source(context: &Context, id: &str) -> Result<Option<(Source, Vec<u8>)>, SetError> {
    let mail = &context.mail;
    let Some(blob) = open(mail, id).await? else {
        return Ok(None);
    };
    let head = blob.bytes.run(0, limits::JMAP_HEADER as u32);
    let head = head.all(mail, limits::JMAP_HEADER)?;
    if blob.id.parts.is_empty() {
        return Ok(Some((Source::Blob(blob.id.root), head)));
    }
    let mut writer = mail.body(Some(blob.size))?;
    blob.bytes.pour(mail, &mut writer).await?;
    let staged = writer.finish(&[]).await?;
    Ok(Some((Source::Staged(staged), head)))
}
