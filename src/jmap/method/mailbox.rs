//! Mailboxes (RFC 8621 §2).
mod query;
mod set;

use serde_json::{Map, Value, json};

pub use query::{query, query_changes};
pub use set::set;

use super::Answer;
use super::changes::Since;
use super::get::{Found, Get};
use crate::jmap::context::{Context, method_error};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::mail::counts::{self, Counts};
use crate::mail::{DataType, Mailbox, Rights, Role};

const PROPERTIES: [&str; 11] = [
    "id",
    "name",
    "parentId",
    "role",
    "sortOrder",
    "totalEmails",
    "unreadEmails",
    "totalThreads",
    "unreadThreads",
    "myRights",
    "isSubscribed",
];

/// The properties that change with the messages in it.
const COUNTS: [&str; 4] = [
    "totalEmails",
    "unreadEmails",
    "totalThreads",
    "unreadThreads",
];

/// Mailbox/get (RFC 8621 §2.1).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    let get = Get::parse(context, &mut args)?;
    args.finish()?;
    let properties = get.among(&PROPERTIES)?;
    let meta = context.mail.meta();
    let mut found = Found::default();
    let ids = match get.ids {
        Some(ids) => ids,
        None => meta.mailboxes.iter().map(|m| id::mailbox(m.id)).collect(),
    };
    for text in ids {
        let found_mailbox = id::to_mailbox(&text).and_then(|id| meta.mailbox(id));
        match found_mailbox.filter(|mailbox| mailbox.rights.has(Rights::LOOKUP)) {
            Some(mailbox) => {
                let object = object(context, mailbox, &properties).await?;
                found.push(context, object)?;
            }
            None => found.missing(text),
        }
    }
    found.answer(meta.states.of(DataType::Mailbox))
}

/// The properties of a mailbox.
pub async fn object(
    context: &Context,
    mailbox: &Mailbox,
    properties: &[&str],
) -> Result<Map<String, Value>, MethodError> {
    let counts = match properties.iter().any(|p| COUNTS.contains(p)) {
        true => count(context, mailbox).await?,
        false => Counts::default(),
    };
    let value = |name: &str| -> Value {
        match name {
            "id" => id::mailbox(mailbox.id).into(),
            "name" => mailbox.name.as_str().into(),
            "parentId" => mailbox.parent.map(id::mailbox).into(),
            "role" => mailbox.role.map(|role| role.name()).into(),
            "sortOrder" => mailbox.sort_order.into(),
            "totalEmails" => counts.emails.into(),
            "unreadEmails" => counts.unread.into(),
            "totalThreads" => counts.threads.into(),
            "unreadThreads" => counts.unread_threads.into(),
            "myRights" => rights(mailbox),
            "isSubscribed" => mailbox.subscribed.into(),
            _ => Value::Null,
        }
    };
    Ok(properties
        .iter()
        .map(|name| ((*name).to_owned(), value(name)))
        .collect())
}

/// Counts a mailbox, unless nothing in it changed since the last time.
pub async fn count(context: &Context, mailbox: &Mailbox) -> Result<Counts, MethodError> {
    let modseq = mailbox.counters.counts_modseq;
    if let Some((of, counts)) = context.site.counts.borrow().get(&mailbox.id)
        && *of == modseq
    {
        return Ok(*counts);
    }
    let counts = counts::count(&context.mail, mailbox.id);
    let counts = counts.await.map_err(method_error)?;
    context
        .site
        .counts
        .borrow_mut()
        .insert(mailbox.id, (modseq, counts));
    Ok(counts)
}

/// What the one who logged in may do (RFC 8621 §2, from the rights of RFC 4314); the inbox stays, whoever
/// it is.
fn rights(mailbox: &Mailbox) -> Value {
    let has = |letters: Rights| mailbox.rights.has(letters);
    let movable = mailbox.role != Some(Role::Inbox) && has(Rights::DELETE);
    json!({
        "mayReadItems": has(Rights::LOOKUP.with(Rights::READ)),
        "mayAddItems": has(Rights::INSERT),
        "mayRemoveItems": has(Rights::REMOVE),
        "maySetSeen": has(Rights::SEEN),
        "maySetKeywords": has(Rights::WRITE),
        "mayCreateChild": has(Rights::CREATE),
        "mayRename": movable,
        "mayDelete": movable,
        "maySubmit": has(Rights::POST),
    })
}

/// Mailbox/changes (RFC 8621 §2.2).
pub async fn changes(context: &mut Context, args: Args) -> Answer {
    let since = Since::parse(context, args)?;
    let (changes, only_counts) = context
        .mail
        .mailbox_changes(since.modseq, since.max)
        .map_err(method_error)?;
    let mut map = since.answer(&changes, id::mailbox);
    let counts = if only_counts && !changes.updated.is_empty() {
        json!(COUNTS)
    } else {
        Value::Null
    };
    map.insert("updatedProperties".into(), counts);
    Ok(map)
}
