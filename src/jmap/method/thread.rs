//! Threads (RFC 8621 §3).
use serde_json::{Map, Value};

use super::Answer;
use super::changes::Since;
use super::email::visible;
use super::get::{Found, Get};
use crate::jmap::context::{Context, method_error};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::mail::{DataType, EmailId, Reader, ThreadId};

const PROPERTIES: [&str; 2] = ["id", "emailIds"];

/// Thread/get (RFC 8621 §3.1).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    let get = Get::parse(context, &mut args)?;
    args.finish()?;
    let properties = get.among(&PROPERTIES)?;
    let Some(ids) = get.ids.clone() else {
        // RFC 8620 §5.1: all of them only where the type supports it.
        return Err(MethodError::new("requestTooLarge").because("name the ids of the threads"));
    };
    let (meta, reader) = context.look()?;
    let mut found = Found::default();
    for text in ids {
        let emails = match id::to_thread(&text) {
            Some(thread) => emails(&reader, thread)?,
            None => Vec::new(),
        };
        if emails.is_empty() {
            found.missing(text);
            continue;
        }
        let mut object = Map::new();
        if properties.contains(&"emailIds") {
            let ids: Vec<Value> = emails.into_iter().map(|e| id::email(e).into()).collect();
            object.insert("emailIds".into(), ids.into());
        }
        object.insert("id".into(), text.into());
        found.push(context, object)?;
    }
    found.answer(meta.states.of(DataType::Thread))
}

/// The emails of a thread that JMAP shows, oldest first.
fn emails(reader: &Reader, thread: ThreadId) -> Result<Vec<EmailId>, MethodError> {
    let mut out = Vec::new();
    for email in reader.thread(thread).map_err(method_error)? {
        if let Some(row) = visible(reader, email)?.first() {
            out.push((row.internaldate, email));
        }
    }
    out.sort_unstable();
    Ok(out.into_iter().map(|(_, email)| email).collect())
}

/// Thread/changes (RFC 8621 §3.2).
pub async fn changes(context: &mut Context, args: Args) -> Answer {
    let since = Since::parse(context, args)?;
    let changes = context
        .mail
        .thread_changes(since.modseq, since.max)
        .await
        .map_err(method_error)?;
    Ok(since.answer(&changes, id::thread))
}
