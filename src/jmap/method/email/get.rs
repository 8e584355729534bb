//! Email/get (RFC 8621 §4.2).
use std::sync::Arc;

use serde_json::{Map, Value};

use super::property::{Property, Wanted};
use super::view::View;
use super::{keyword, visible};
use crate::jmap::blob::Bytes;
use crate::jmap::context::Context;
use crate::jmap::method::get::Get;
use crate::jmap::method::kind::Objects;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::{self, BlobId};
use crate::jmap::wire::json::put;
use crate::mail::{EmailId, Flags, Keywords, Row};
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

/// What Email/get shows of emails.
struct Shown {
    wanted: Wanted,
    keywords: Arc<Keywords>,
}

/// Takes the arguments of Email/get.
pub fn objects(
    context: &Context,
    get: &mut Get,
    args: &mut Args,
) -> Result<Box<dyn Objects>, MethodError> {
    Ok(Box::new(Shown {
        wanted: Wanted::parse(get.properties.take(), &DEFAULT, args)?,
        keywords: Arc::clone(&context.mail.meta().keywords),
    }))
}

impl Objects for Shown {
    fn all(&self, _: &Context) -> Option<Vec<u64>> {
        None
    }

    fn object(
        &self,
        context: &Context,
        id: u64,
        _: &[&'static str],
    ) -> Result<Option<Map<String, Value>>, MethodError> {
        object(context, EmailId(id), &self.wanted, &self.keywords)
    }
}

/// An email that JMAP shows.
fn object(
    context: &Context,
    email: EmailId,
    wanted: &Wanted,
    keywords: &Keywords,
) -> Result<Option<Map<String, Value>>, MethodError> {
    let reader = context.mail.reader()?;
    let rows = visible(&reader, email)?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let mut map = Map::new();
    put(&mut map, "id", id::email(email));
    for (name, property) in &wanted.properties {
        if let Some(value) = stored(property, first, &rows, keywords) {
            map.insert(name.clone(), value);
        }
    }
    if wanted.rows_only() {
        return Ok(Some(map));
    }
    let Some(message) = reader.message(email)? else {
        return Ok(None);
    };
    drop(reader);
    let structure = message.structure();
    let bytes = Bytes::whole(&message);
    let mut view = View::new(&context.mail, BlobId::whole(email), bytes, structure);
    for (name, property) in &wanted.properties {
        if let Some(value) = view.value(property, wanted)? {
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
