//! Email/parse (RFC 8621 §4.9).
use serde_json::{Map, Value};

use super::Answer;
use super::get::{DEFAULT, STORED};
use super::property::{Property, Wanted};
use super::view::View;
use crate::jmap::blob::{open, scan};
use crate::jmap::context::{Context, account, method_error};
use crate::jmap::method::get::unique;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::{ACCOUNT, BlobId};
use crate::limits;
use crate::mime::header;

/// Email/parse.
pub async fn parse(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let ids = args.texts("blobIds")?;
    let ids = ids.ok_or_else(|| MethodError::invalid("blobIds must be an array of ids"))?;
    let names = args.texts("properties")?;
    let (_, default) = DEFAULT.split_at(STORED);
    let wanted = Wanted::parse(names, default, &mut args)?;
    args.finish()?;
    let ids = unique(context, ids);
    if ids.len() > limits::JMAP_GET {
        return Err(MethodError::new("requestTooLarge").because("more ids than maxObjectsInGet"));
    }
    let (mut parsed, mut not_parsable, mut not_found) = (Map::new(), Vec::new(), Vec::new());
    for text in ids {
        match object(context, &text, &wanted).await? {
            Parsed::Email(object) => {
                let object = Value::Object(object);
                context.spend_on(&object)?;
                parsed.insert(text, object);
            }
            Parsed::NoMessage => not_parsable.push(Value::from(text)),
            Parsed::Missing => not_found.push(Value::from(text)),
        }
    }
    let list = |list: Vec<Value>| {
        if list.is_empty() {
            Value::Null
        } else {
            list.into()
        }
    };
    let mut map = Map::new();
    map.insert("accountId".into(), ACCOUNT.into());
    let parsed = if parsed.is_empty() {
        Value::Null
    } else {
        Value::Object(parsed)
    };
    map.insert("parsed".into(), parsed);
    map.insert("notParsable".into(), list(not_parsable));
    map.insert("notFound".into(), list(not_found));
    Ok(map)
}

enum Parsed {
    Email(Map<String, Value>),
    NoMessage,
    Missing,
}

async fn object(context: &Context, text: &str, wanted: &Wanted) -> Result<Parsed, MethodError> {
    let Some(id) = BlobId::parse(text) else {
        return Ok(Parsed::Missing);
    };
    let mail = &context.mail;
    let Some(blob) = open(mail, &id).await.map_err(method_error)? else {
        return Ok(Parsed::Missing);
    };
    let structure = scan(mail, blob.bytes.run(0, u32::MAX))
        .await
        .map_err(method_error)?;
    let span = structure
        .parts
        .first()
        .map(|part| part.header)
        .unwrap_or_default();
    let head = blob
        .bytes
        .run(span.offset, span.len)
        .all(mail, 4096)
        .map_err(method_error)?;
    // Anything with a header field is a message (RFC 5322 §2.1); an image is none.
    if header::fields(&head).next().is_none() {
        return Ok(Parsed::NoMessage);
    }
    let size = blob.size;
    let mut view = View::new(mail, id, blob.bytes, structure);
    let mut map = Map::new();
    for (name, property) in &wanted.properties {
        let value = match property {
            Property::BlobId => text.into(),
            Property::Size => size.into(),
            _ => view
                .value(property, wanted)
                .map_err(method_error)?
                .unwrap_or(Value::Null),
        };
        map.insert(name.clone(), value);
    }
    Ok(Parsed::Email(map))
}
