//! Email/get (RFC 8621 §4.2).
use serde_json::{Map, Value};

use super::property::{Property, Wanted};
use super::view::View;
use super::{Answer, keyword, visible};
use crate::jmap::blob::Bytes;
use crate::jmap::context::{Context, method_error};
use crate::jmap::method::get::{Found, Get};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::{self, BlobId};
use crate::mail::{DataType, EmailId, Flags, Keywords, Row};
use crate::mime::date;

/// The properties of an Email when none are named (RFC 8621 §4.2).
pub(super) const DEFAULT: [&str; 24] = [
    "id",
    "blobId",
    "threadId",
    "mailboxIds",
    "keywords",
    "size",
    "receivedAt",
    "messageId",
    "inReplyTo",
    "references",
    "sender",
    "from",
    "to",
    "cc",
    "bcc",
    "replyTo",
    "subject",
    "sentAt",
    "hasAttachment",
    "preview",
    "bodyValues",
    "textBody",
    "htmlBody",
    "attachments",
];

/// How many of these, at the front, are of the stored email rather than of the message itself: what
/// Email/parse leaves out (RFC 8621 §4.9).
pub(super) const STORED: usize = 7;

/// Emails between two turns of the other sessions.
const TURN: usize = 16;

/// Email/get.
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    let get = Get::parse(context, &mut args)?;
    let wanted = Wanted::parse(get.properties, &DEFAULT, &mut args)?;
    args.finish()?;
    // RFC 8620 §5.1: all of them only where the type supports it.
    let Some(ids) = get.ids else {
        return Err(MethodError::new("requestTooLarge").because("name the ids of the emails"));
    };
    let meta = context.mail.meta();
    let mut found = Found::default();
    for (index, text) in ids.into_iter().enumerate() {
        if index % TURN == TURN - 1 {
            smol::future::yield_now().await;
        }
        let object = match id::to_email(&text) {
            Some(email) => object(context, email, &wanted, &meta.keywords)?,
            None => None,
        };
        match object {
            Some(object) => found.push(context, object)?,
            None => found.missing(text),
        }
    }
    found.answer(meta.states.of(DataType::Email))
}

/// An email that JMAP shows.
fn object(
    context: &Context,
    email: EmailId,
    wanted: &Wanted,
    keywords: &Keywords,
) -> Result<Option<Map<String, Value>>, MethodError> {
    let reader = context.mail.reader().map_err(method_error)?;
    let rows = visible(&reader, email)?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut map = Map::new();
    map.insert("id".into(), id::email(email).into());
    for (name, property) in &wanted.properties {
        if let Some(value) = stored(property, first, &rows, keywords) {
            map.insert(name.clone(), value);
        }
    }
    if wanted.rows_only() {
        return Ok(Some(map));
    }
    let Some(message) = reader.message(email).map_err(method_error)? else {
        return Ok(None);
    };
    drop(reader);
    let structure = message.structure();
    let bytes = Bytes::whole(&message);
    let mut view = View::new(&context.mail, BlobId::whole(email), bytes, structure);
    for (name, property) in &wanted.properties {
        if let Some(value) = view.value(property, wanted).map_err(method_error)? {
            map.insert(name.clone(), value);
        }
    }
    Ok(Some(map))
}

/// The properties that the rows answer (RFC 8621 §4.1.1).
fn stored(property: &Property, first: &Row, rows: &[Row], keywords: &Keywords) -> Option<Value> {
    Some(match property {
        Property::Id => id::email(first.email).into(),
        Property::BlobId => BlobId::whole(first.email).to_string().into(),
        Property::ThreadId => id::thread(first.thread).into(),
        Property::MailboxIds => {
            let ids = rows
                .iter()
                .map(|row| (id::mailbox(row.mailbox), Value::Bool(true)));
            Value::Object(ids.collect())
        }
        Property::Keywords => {
            let flags = rows
                .iter()
                .fold(Flags::default(), |all, row| all.with(row.flags));
            Value::Object(keyword::show(flags.visible(), keywords))
        }
        Property::Size => first.size.into(),
        Property::ReceivedAt => date::utc_date(first.internaldate.into()).into(),
        _ => return None,
    })
}
