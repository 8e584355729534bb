//! Making a message from an Email object (RFC 8621 §4.6). Contents in blobs stream from the store
//! into the new message: memory does not grow with them.
mod part;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::import::Place;
use crate::jmap::blob;
use crate::jmap::context::Context;
use crate::jmap::wire::date;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::header::{Form, HeaderProperty};
use crate::jmap::wire::json;
use crate::mail::{Added, Expect, Source, Staged};
use crate::mime::address::{Group, Mailbox};
use crate::mime::build::{self, Header};
use crate::mime::{DateTime, msgid};
use crate::sys::clock;
use crate::sys::random;

/// Makes the email that `object` describes.
pub async fn create(context: &Context, object: Value, expect: Expect) -> Result<Added, SetError> {
    let mut object = json::object(object, "an Email is an object")?;
    let place = Place::take(context, &mut object)?;
    let staged = stage(context, object).await?;
    let email = place.email(Source::Staged(staged), None);
    Ok(context.mail.add_if(expect, email).await?)
}

/// Writes the message.
async fn stage(context: &Context, mut object: Map<String, Value>) -> Result<Staged, SetError> {
    let mut body = Map::new();
    for name in [
        "bodyStructure",
        "textBody",
        "htmlBody",
        "attachments",
        "bodyValues",
    ] {
        if let Some(value) = object.remove(name).filter(|value| !value.is_null()) {
            body.insert(name.to_owned(), value);
        }
    }
    let fields = fields(object, "", false)?;
    let root = part::root(context, body, &fields).await?;
    let random = random::octets::<16>().map(u128::from_ne_bytes);
    let random = random.map_err(|_| SetError::new("serverUnavailable").because("no randomness"))?;
    let header = header(context, &fields, random)?;
    let pieces = build::message(&header, root, random.rotate_left(64));
    Ok(blob::write(&context.mail, pieces).await?)
}

/// A header field that a client set: the property's name, the field, its values.
pub struct Field {
    property: String,
    /// The field and its form.
    pub of: HeaderProperty,
    values: Vec<Value>,
}

/// The header fields among the properties of an Email or, with `in_part`, of an EmailBodyPart;
/// anything else is wrong. `path` names where in the object, for errors.
pub fn fields(
    object: Map<String, Value>,
    path: &str,
    in_part: bool,
) -> Result<Vec<Field>, SetError> {
    let mut fields = Vec::new();
    let mut seen = BTreeSet::new();
    for (name, value) in object {
        let of = HeaderProperty::parse(&name)
            .or_else(|| HeaderProperty::convenience(&name).filter(|_| !in_part));
        let wrong = |why: &str| SetError::property(&format!("{path}{name}"), why);
        let of = of.ok_or_else(|| wrong("unknown, set by the server, or a forbidden form"))?;
        if value.is_null() {
            continue;
        }
        let lower = of.name.to_ascii_lowercase();
        let content = lower.starts_with("content-");
        if content && !in_part {
            return Err(wrong("a Content- field belongs to a body part"));
        }
        if matches!(lower.as_str(), "content-type" | "content-transfer-encoding") {
            return Err(wrong("the server writes this field: set type"));
        }
        if !seen.insert(lower) {
            return Err(wrong("the same header field is set twice"));
        }
        let values = match (of.all, value) {
            (true, Value::Array(values)) => values,
            (true, _) => return Err(wrong("an :all property is an array")),
            (false, value) => vec![value],
        };
        fields.push(Field {
            property: format!("{path}{name}"),
            of,
            values,
        });
    }
    fields.sort_by_key(|field| rank(&field.of.name));
    Ok(fields)
}

/// The order in which people expect the fields.
fn rank(name: &str) -> usize {
    const ORDER: [&str; 11] = [
        "Date",
        "From",
        "Sender",
        "Reply-To",
        "To",
        "Cc",
        "Bcc",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Subject",
    ];
    ORDER
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))
        .unwrap_or(ORDER.len())
}

/// The header section, with Date and Message-ID where the client left them out.
fn header(context: &Context, fields: &[Field], random: u128) -> Result<Header, SetError> {
    let mut header = Header::new();
    let has = |name: &str| {
        fields
            .iter()
            .any(|field| field.of.name.eq_ignore_ascii_case(name))
    };
    if !has("Date") {
        header.date("Date", DateTime::utc(i64::from(clock::now())));
    }
    write(&mut header, fields)?;
    if !has("Message-ID") {
        let id = msgid::generate(random, &context.site.ctx.config.hostname);
        header.raw("Message-ID", format!(" {id}").as_bytes());
    }
    Ok(header)
}

/// Writes fields into a header block.
pub fn write(header: &mut Header, fields: &[Field]) -> Result<(), SetError> {
    for field in fields {
        for value in &field.values {
            put(header, &field.of, value).ok_or_else(|| {
                SetError::property(&field.property, "the value does not fit the form")
            })?;
        }
    }
    Ok(())
}

fn put(header: &mut Header, of: &HeaderProperty, value: &Value) -> Option<()> {
    let name = of.name.as_str();
    match of.form {
        Form::Raw => header.raw(name, value.as_str()?.as_bytes()),
        Form::Text => header.text(name, value.as_str()?),
        Form::Addresses => header.addresses(name, &mailboxes(value)?),
        Form::GroupedAddresses => {
            let groups = value
                .as_array()?
                .iter()
                .map(group)
                .collect::<Option<Vec<_>>>()?;
            header.groups(name, &groups);
        }
        Form::MessageIds => header.message_ids(name, &texts(value)?),
        Form::Date => header.date(name, date::parse(value.as_str()?)?),
        Form::Urls => header.urls(name, &texts(value)?),
    }
    Some(())
}

fn texts(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(Value::as_str).collect()
}

fn mailboxes(value: &Value) -> Option<Vec<Mailbox>> {
    value.as_array()?.iter().map(mailbox).collect()
}

fn mailbox(value: &Value) -> Option<Mailbox> {
    let map = value.as_object()?;
    let known = map.keys().all(|key| key == "name" || key == "email");
    let email = map.get("email")?.as_str().filter(|_| known)?.to_owned();
    Some(Mailbox {
        name: optional(map.get("name"))?,
        email,
    })
}

fn group(value: &Value) -> Option<Group> {
    let name = optional(value.get("name"))?;
    Some(Group {
        name,
        addresses: mailboxes(value.get("addresses")?)?,
    })
}

/// A string or null; `None` for anything else.
fn optional(value: Option<&Value>) -> Option<Option<String>> {
    match value {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}
