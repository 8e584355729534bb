//! Email/parse (RFC 8621 §4.9).
use serde_json::{Map, Value};

use super::Answer;
use super::get::{DEFAULT, STORED};
use super::property::{Property, Wanted};
use super::view::View;
use crate::jmap::blob::{Blob, open, scan};
use crate::jmap::context::{Context, account};
use crate::jmap::method::get::{Found, unique};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::json::put;
use crate::mime::header;

/// Email/parse.
pub async fn parse(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let ids = args.ids("blobIds")?;
    let names = args.texts("properties")?;
    let (_, default) = DEFAULT.split_at(STORED);
    let wanted = Wanted::parse(names, default, &mut args)?;
    args.finish()?;
    let ids = unique(context, ids)?;
    let mut found = Found::default();
    for text in ids {
        let blob = open(&context.mail, &text).await?;
        let object = match blob {
            Some(blob) => Some(object(context, blob, &wanted).await?),
            None => None,
        };
        found.add(context, text, object)?;
    }
    Ok(found.answer())
}

/// An Email; None where there is no message.
async fn object(
    context: &Context,
    blob: Blob,
    wanted: &Wanted,
) -> Result<Option<Map<String, Value>>, MethodError> {
    let mail = &context.mail;
    let structure = scan(mail, blob.bytes.run(0, u32::MAX)).await?;
    let span = structure.parts.first().map(|part| part.header);
    let span = span.unwrap_or_default();
    let head = blob.bytes.run(span.offset, span.len).all(mail, 4096)?;
    // Anything with a header field is a message (RFC 5322 §2.1); an image is none.
    if header::fields(&head).next().is_none() {
        return Ok(None);
    }
    let (text, size) = (blob.id.to_string(), blob.size);
    let mut view = View::new(mail, blob.id, blob.bytes, structure);
    let mut map = Map::new();
    for (name, property) in &wanted.properties {
        let value = match property {
            Property::BlobId => text.as_str().into(),
            Property::Size => size.into(),
            _ => view.value(property, wanted)?.unwrap_or(Value::Null),
        };
        put(&mut map, name, value);
    }
    Ok(Some(map))
}
