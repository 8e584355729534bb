//! MDN/parse (RFC 9007 §2.2): what a notification says.
use serde_json::{Map, Value, json};

use super::{ACTIONS, Answer, SENDINGS, TYPES};
use crate::jmap::blob::{Blob, Bytes, open, scan};
use crate::jmap::context::{Context, account};
use crate::jmap::method::email::visible;
use crate::jmap::method::get::{Found, unique};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::jmap::wire::json::{list_or_null, or_null, put};
use crate::limits;
use crate::mime::{Structure, header, text};

/// MDN/parse.
pub async fn parse(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "invalidArguments")?;
    let ids = args.ids("blobIds")?;
    args.finish()?;
    let ids = unique(context, ids)?;
    let mut found = Found::default();
    for text in ids {
        let blob = open(&context.mail, &text).await?;
        let object = match blob {
            Some(blob) => Some(object(context, blob).await?),
            None => None,
        };
        found.add(context, text, object)?;
    }
    Ok(found.answer())
}

/// The MDN in a message; None: there is none.
async fn object(context: &Context, blob: Blob) -> Result<Option<Map<String, Value>>, MethodError> {
    let bytes = blob.bytes;
    let structure = scan(&context.mail, bytes.run(0, u32::MAX)).await;
    let structure = structure?;
    let part = structure.parts.iter().find(|part| {
        part.is("message", "disposition-notification")
            || part.is("message", "global-disposition-notification")
    });
    let Some(part) = part else { return Ok(None) };
    let block = bytes.part(part).all(&context.mail, limits::JMAP_HEADER);
    let block = block?;
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
    put(&mut map, "forEmailId", email.flatten());
    let subject = structure.envelope.subject.as_deref().map(header::text);
    put(&mut map, "subject", subject);
    put(&mut map, "textBody", words(context, &structure, &bytes)?);
    let returned =
        |part: &crate::mime::Part| part.is("message", "rfc822") || part.is("message", "global");
    put(
        &mut map,
        "includeOriginalMessage",
        structure.parts.iter().any(returned),
    );
    for (property, name) in [
        ("reportingUA", "Reporting-UA"),
        ("mdnGateway", "MDN-Gateway"),
        ("originalRecipient", "Original-Recipient"),
        ("finalRecipient", "Final-Recipient"),
    ] {
        put(&mut map, property, field(name));
    }
    put(&mut map, "originalMessageId", original);
    put(&mut map, "disposition", disposition);
    let errors = header::fields(&block).filter(|field| field.is("Error"));
    let errors = errors
        .map(|field| header::text(field.value).into())
        .collect();
    put(&mut map, "error", list_or_null(errors));
    let others = header::fields(&block).filter(|field| !KNOWN.iter().any(|name| field.is(name)));
    let others: Map<String, Value> = others
        .map(|field| {
            let name = String::from_utf8_lossy(field.name).into_owned();
            (name, header::text(field.value).into())
        })
        .collect();
    put(&mut map, "extensionFields", or_null(others));
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
    let raw = raw?;
    Ok(Some(text::readable(part, &raw).replace("\r\n", "\n")))
}

/// The one email with this Message-ID.
fn find(context: &Context, id: &str) -> Result<Option<String>, MethodError> {
    let reader = context.mail.reader()?;
    let found = reader.by_message_id(id)?;
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
