//! Blob/upload (RFC 9404 §4.1): blobs made of text, base64 and ranges of other blobs. What comes from
//! blobs streams from the store into the new one.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::Answer;
use crate::jmap::blob::{keep, open};
use crate::jmap::context::{Context, account};
use crate::jmap::method::set::check_new;
use crate::jmap::wire::args::{Args, MAX_INT};
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::id::{ACCOUNT, BlobId};
use crate::jmap::wire::json::{self, or_null, put};
use crate::limits;
use crate::mail::BodyWriter;

/// Blob/upload.
pub async fn upload(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let create = args.required_object("create")?;
    args.finish()?;
    check_new(&create, "more than maxObjectsInSet")?;
    let (mut made, mut refused) = (Map::new(), Map::new());
    let mut room = limits::UPLOAD_OCTETS.max(context.mail.message_size());
    for (name, object) in in_order(create) {
        match one(context, object, &mut room).await {
            Ok(blob) => {
                if let Some(id) = blob.get("id") {
                    context.created.insert(name.clone(), id.clone());
                }
                made.insert(name, Value::Object(blob));
            }
            Err(error) => {
                refused.insert(name, error.into());
            }
        }
    }
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "created", or_null(made));
    put(&mut map, "notCreated", or_null(refused));
    Ok(map)
}

/// Those that refer to others behind these, in whatever order they were sent.
fn in_order(create: Map<String, Value>) -> Vec<(String, Value)> {
    let mut waiting: Vec<(String, Value)> = create.into_iter().collect();
    let mut out = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|(name, _)| name.clone()).collect();
        let (later, now): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(_, object)| {
            references(object).any(|name| names.iter().any(|n| n == name))
        });
        // Nothing but circles: they fail for want of each other.
        let stuck = now.is_empty();
        out.extend(now);
        waiting = later;
        if stuck {
            out.append(&mut waiting);
        }
    }
    out
}

fn references(object: &Value) -> impl Iterator<Item = &str> {
    let sources = object.get("data").and_then(Value::as_array);
    let sources = sources.map(Vec::as_slice).unwrap_or_default();
    sources
        .iter()
        .filter_map(|source| source.get("blobId")?.as_str()?.strip_prefix('#'))
}

async fn one(
    context: &Context,
    object: Value,
    room: &mut u64,
) -> Result<Map<String, Value>, SetError> {
    let mut object = json::object(object, "an UploadObject is an object")?;
    let media = match object.remove("type") {
        None | Some(Value::Null) => Value::Null,
        Some(Value::String(media)) => media.into(),
        Some(_) => return Err(SetError::property("type", "type must be a string or null")),
    };
    let Some(Value::Array(sources)) = object.remove("data") else {
        return Err(wrong("data must be an array of sources"));
    };
    if let Some(name) = object.keys().next() {
        return Err(SetError::property(name, "unknown"));
    }
    if sources.len() > limits::JMAP_SOURCES {
        return Err(wrong("more sources than maxDataSources"));
    }
    let mut writer = context.mail.body(None)?;
    for source in sources {
        add(context, &mut writer, source, *room).await?;
    }
    *room = room.saturating_sub(writer.len());
    let staged = writer.finish(&[]).await?;
    let size = staged.size();
    let id = keep(&context.mail, staged).await?;
    let id = BlobId::whole(id).to_string();
    let mut blob = Map::new();
    put(&mut blob, "id", id.as_str());
    put(&mut blob, "blobId", id);
    put(&mut blob, "type", media);
    put(&mut blob, "size", size);
    Ok(blob)
}

fn wrong(why: &str) -> SetError {
    SetError::property("data", why)
}

/// Adds the octets of one source.
async fn add(
    context: &Context,
    writer: &mut BodyWriter,
    source: Value,
    room: u64,
) -> Result<(), SetError> {
    let Value::Object(source) = source else {
        return Err(wrong("a source is an object"));
    };
    let given: Vec<&str> = source
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, _)| name.as_str())
        .collect();
    let text = |name: &str| source.get(name).and_then(Value::as_str);
    match given.as_slice() {
        ["data:asText"] => {
            let text = text("data:asText").ok_or_else(|| wrong("data:asText is a string"))?;
            Ok(writer.push(text.as_bytes()).await?)
        }
        ["data:asBase64"] => {
            let octets = text("data:asBase64").and_then(|text| STANDARD.decode(text).ok());
            let octets = octets.ok_or_else(|| wrong("data:asBase64 is no base64"))?;
            Ok(writer.push(&octets).await?)
        }
        names
            if names.contains(&"blobId")
                && names
                    .iter()
                    .all(|name| matches!(*name, "blobId" | "offset" | "length")) =>
        {
            add_blob(context, writer, &source, room).await
        }
        _ => Err(wrong(
            "a source is one of data:asText, data:asBase64, and blobId with offset and length",
        )),
    }
}

async fn add_blob(
    context: &Context,
    writer: &mut BodyWriter,
    source: &Map<String, Value>,
    room: u64,
) -> Result<(), SetError> {
    let number = |name: &str| match source.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().filter(|n| *n <= MAX_INT as u64);
            number
                .map(Some)
                .ok_or_else(|| wrong("offset and length are numbers that are not negative"))
        }
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    let id = source.get("blobId").and_then(Value::as_str);
    let blob = open(&context.mail, context.resolve(id.unwrap_or_default())).await?;
    let missing = || SetError::new("blobNotFound").because("there is no blob with this id");
    let blob = blob.ok_or_else(missing)?;
    // RFC 9404 §4.1: a range that is not all there is invalid.
    let left = blob.size.checked_sub(offset);
    let left = left.ok_or_else(|| wrong("the range begins behind the end of the blob"))?;
    let length = length.unwrap_or(left);
    if length > left {
        return Err(wrong("the range extends past the end of the blob"));
    }
    if writer.len().saturating_add(length) > room {
        return Err(SetError::new("overQuota").because("too much in one call"));
    }
    let bytes = blob.bytes.slice(offset, length);
    Ok(bytes.pour(&context.mail, writer).await?)
}
