//! Blob/lookup (RFC 9404 §4.3): which emails, threads and mailboxes a blob is found through. A blob's
//! id names the email that it is in, so this costs a look at that email.
use serde_json::{Map, Value};

use super::{Answer, TYPES};
use crate::jmap::blob::open;
use crate::jmap::capability::Capability;
use crate::jmap::context::{Context, account};
use crate::jmap::method::email::visible;
use crate::jmap::method::get::unique;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::{self, ACCOUNT};
use crate::jmap::wire::json::put;
use crate::mail::Row;

/// Blob/lookup.
pub async fn lookup(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let types = args.texts("typeNames")?;
    let types = types.ok_or_else(|| MethodError::invalid("typeNames must be an array"))?;
    let ids = args.ids("ids")?;
    args.finish()?;
    // All of these types are of the mail capability.
    let known = |name: &String| TYPES.contains(&name.as_str()) && context.uses(Capability::Mail);
    if let Some(name) = types.iter().find(|name| !known(name)) {
        return Err(MethodError::new("unknownDataType").because(&format!("{name:?}")));
    }
    let ids = unique(context, ids)?;
    let mut list = Vec::new();
    for text in ids {
        let rows = rows(context, &text).await?;
        let matched = types.iter().map(|name| (name.clone(), found(name, &rows)));
        let mut info = Map::new();
        put(&mut info, "matchedIds", Value::Object(matched.collect()));
        put(&mut info, "id", text);
        let info = Value::Object(info);
        context.spend_on(&info)?;
        list.push(info);
    }
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "list", list);
    // RFC 9404 §4.3: what does not exist has empty arrays, as what nobody may see has.
    put(&mut map, "notFound", Vec::<Value>::new());
    Ok(map)
}

/// Where the email of a blob shows; nowhere, if there is no such blob.
async fn rows(context: &Context, text: &str) -> Result<Vec<Row>, MethodError> {
    match open(&context.mail, text).await? {
        Some(blob) => visible(&context.mail.reader()?, blob.id.root),
        None => Ok(Vec::new()),
    }
}

fn found(name: &str, rows: &[Row]) -> Value {
    let first = rows.first().into_iter();
    match name {
        "Mailbox" => rows.iter().map(|row| id::mailbox(row.mailbox)).collect(),
        "Thread" => first.map(|row| id::thread(row.thread)).collect(),
        _ => first.map(|row| id::email(row.email)).collect(),
    }
}
