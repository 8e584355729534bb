//! MDN/parse (RFC 9007 §2.2): what a notification says.
use serde_json::{Map, Value, json};

use super::{ACTIONS, Answer, SENDINGS, TYPES};
use crate::jmap::blob::{Bytes, open, scan};
use crate::jmap::context::{Context, account, method_error};
use crate::jmap::method::email::visible;
use crate::jmap::method::get::unique;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::{self, ACCOUNT, BlobId};
use crate::limits;
use crate::mime::{Structure, header, text};

/// MDN/parse.
pub async fn parse(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "invalidArguments")?;
    let ids = args.texts("blobIds")?;
    let ids = ids.ok_or_else(|| MethodError::invalid("blobIds must be an array of ids"))?;
    args.finish()?;
    let ids = unique(context, ids);
    if ids.len() > limits::JMAP_GET {
        return Err(MethodError::new("requestTooLarge").because("more ids than maxObjectsInGet"));
    }
    let (mut parsed, mut not_parsable, mut not_found) = (Map::new(), Vec::new(), Vec::new());
    for text in ids {
        let Some(blob) = blob(context, &text).await? else {
            not_found.push(Value::from(text));
            continue;
        };
        match object(context, blob).await? {
            Some(object) => {
                let object = Value::Object(object);
                context.spend_on(&object)?;
                parsed.insert(text, object);
            }
            None => not_parsable.push(Value::from(text)),
        }
    }
    let list = |list: Vec<Value>| match list.is_empty() {
        true => Value::Null,
        false => list.into(),
    };
    let parsed = match parsed.is_empty() {
        true => Value::Null,
        false => Value::Object(parsed),
    };
    let mut map = Map::new();
    map.insert("accountId".into(), ACCOUNT.into());
    map.insert("parsed".into(), parsed);
    map.insert("notParsable".into(), list(not_parsable));
    map.insert("notFound".into(), list(not_found));
    Ok(map)
}

async fn blob(context: &Context, text: &str) -> Result<Option<Bytes>, MethodError> {
    let Some(id) = BlobId::parse(text) else {
        return Ok(None);
    };
    let blob = open(&context.mail, &id).await.map_err(method_error)?;
    Ok(blob.map(|blob| blob.bytes))
}

/// The MDN in a message; None: there is none.
async fn object(
    context: &Context,
    bytes: Bytes,
) -> Result<Option<Map<String, Value>>, MethodError> {
    let structure = scan(&context.mail, bytes.run(0, u32::MAX)).await;
    let structure = structure.map_err(method_error)?;
    let part = structure.parts.iter().find(|part| {
        part.is("message", "disposition-notification")
            || part.is("message", "global-disposition-notification")
    });
    let Some(part) = part else { return Ok(None) };
    let block = bytes.part(part).all(&context.mail, limits::JMAP_HEADER);
    let block = block.map_err(method_error)?;
    let field = |name: &str| header::last(&block, name).map(|field| header::text(field.value));
    let disposition = field("Disposition").and_then(|text| disposition(&text));
    let (Some(disposition), Some(_)) = (disposition, field("Final-Recipient")) else {
        return Ok(None);
    };
    let mut map = Map::new();
    let original = field("Original-Message-ID");
    let email = original
        .as_deref()
        .map(|id| find(context, id))
        .transpose()?;
    map.insert("forEmailId".into(), email.flatten().into());
    let subject = structure.envelope.subject.as_deref().map(header::text);
    map.insert("subject".into(), subject.into());
    map.insert(
        "textBody".into(),
        words(context, &structure, &bytes)?.into(),
    );
    let returned =
        |part: &crate::mime::Part| part.is("message", "rfc822") || part.is("message", "global");
    map.insert(
        "includeOriginalMessage".into(),
        structure.parts.iter().any(returned).into(),
    );
    for (property, name) in [
        ("reportingUA", "Reporting-UA"),
        ("mdnGateway", "MDN-Gateway"),
        ("originalRecipient", "Original-Recipient"),
        ("finalRecipient", "Final-Recipient"),
    ] {
        map.insert(property.into(), field(name).into());
    }
    map.insert("originalMessageId".into(), original.into());
    map.insert("disposition".into(), disposition);
    let errors = header::fields(&block).filter(|field| field.is("Error"));
    let errors: Vec<String> = errors.map(|field| header::text(field.value)).collect();
    let errors = match errors.is_empty() {
        true => Value::Null,
        false => errors.into(),
    };
    map.insert("error".into(), errors);
    let others = header::fields(&block).filter(|field| !KNOWN.iter().any(|name| field.is(name)));
    let others: Map<String, Value> = others
        .map(|field| {
            let name = String::from_utf8_lossy(field.name).into_owned();
            (name, header::text(field.value).into())
        })
        .collect();
    let others = match others.is_empty() {
        true => Value::Null,
        false => Value::Object(others),
    };
    map.insert("extensionFields".into(), others);
    Ok(Some(map))
}

/// The fields of RFC 8098 §3.1 that have properties of their own.
const KNOWN: [&str; 7] = [
    "Reporting-UA",
    "MDN-Gateway",
    "Original-Recipient",
    "Final-Recipient",
    "Original-Message-ID",
    "Disposition",
    "Error",
];

/// `action/sending; type/modifiers` (RFC 8098 §3.2.6), in lower case (RFC 9007 §2).
fn disposition(text: &str) -> Option<Value> {
    let text = text.to_ascii_lowercase();
    let (modes, kind) = text.split_once(';')?;
    let (action, sending) = modes.split_once('/')?;
    let kind = kind.split('/').next()?;
    let known = |text: &str, list: &[&'static str]| {
        let text = text.trim();
        list.iter().find(|it| **it == text).copied()
    };
    Some(json!({
        "actionMode": known(action, &ACTIONS)?,
        "sendingMode": known(sending, &SENDINGS)?,
        "type": known(kind, &TYPES)?,
    }))
}

/// The part for people: the first text.
fn words(
    context: &Context,
    structure: &Structure,
    bytes: &Bytes,
) -> Result<Option<String>, MethodError> {
    let part = structure.parts.iter().find(|part| part.is("text", "plain"));
    let Some(part) = part else { return Ok(None) };
    let raw = bytes.run(part.body.offset, part.body.len);
    let raw = raw.all(&context.mail, limits::JMAP_SNIPPET);
    let raw = raw.map_err(method_error)?;
    Ok(Some(text::readable(part, &raw).replace("\r\n", "\n")))
}

/// The one email with this Message-ID.
fn find(context: &Context, id: &str) -> Result<Option<String>, MethodError> {
    let reader = context.mail.reader().map_err(method_error)?;
    let found = reader.by_message_id(id).map_err(method_error)?;
    let mut seen = Vec::new();
    for email in found {
        if !visible(&reader, email)?.is_empty() {
            seen.push(id::email(email));
        }
    }
    Ok(match seen.len() {
        1 => seen.pop(),
        _ => None,
    })
}
