//! Mailbox/set (RFC 8621 §2.5).
use serde_json::{Map, Value};

use super::{PROPERTIES, count};
use crate::jmap::context::Context;
use crate::jmap::method::Answer;
use crate::jmap::method::kind::object;
use crate::jmap::method::set::Set;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id;
use crate::jmap::wire::{json, patch};
use crate::mail::counts::Counts;
use crate::mail::{DataType, Error, Expect, Mailbox, MailboxUpdate, Own, Role};

/// Mailbox/set.
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    let mut set = Set::parse(context, &mut args, DataType::Mailbox)?;
    let with_emails = args.flag("onDestroyRemoveEmails")?;
    args.finish()?;
    create_all(context, &mut set).await?;
    set.settle(context);
    update_all(context, &mut set).await?;
    destroy_all(context, &mut set, with_emails).await;
    set.done.answer()
}

/// Makes the new ones, parents before children, in whatever order they were sent.
async fn create_all(context: &mut Context, set: &mut Set) -> Result<(), MethodError> {
    let mut waiting: Vec<(String, Value)> = std::mem::take(&mut set.create).into_iter().collect();
    while !waiting.is_empty() {
        let names: Vec<String> = waiting.iter().map(|(name, _)| name.clone()).collect();
        let (later, now): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(name, object)| {
            parent_reference(object)
                .is_some_and(|parent| parent != name && names.iter().any(|n| n == parent))
        });
        // Nothing but parents that wait for each other: they fail for want of a parent.
        let (now, later) = if now.is_empty() {
            (later, now)
        } else {
            (now, later)
        };
        for (name, value) in now {
            let made = create_one(context, value, set.done.next()).await;
            set.done.made(context, &name, made);
        }
        waiting = later;
    }
    Ok(())
}

fn parent_reference(object: &Value) -> Option<&str> {
    object.get("parentId")?.as_str()?.strip_prefix('#')
}

async fn create_one(
    context: &mut Context,
    value: Value,
    expect: Expect,
) -> Result<(Map<String, Value>, Own), SetError> {
    let given = json::object(value, "a Mailbox is an object")?;
    let mut update = MailboxUpdate {
        subscribed: Some(true),
        ..MailboxUpdate::default()
    };
    for (name, value) in &given {
        apply(context, &mut update, name, value.clone())?;
    }
    let Some(name) = update.name.take() else {
        return Err(SetError::property("name", "a mailbox needs a name"));
    };
    let parent = update.parent.take().flatten();
    let (made, own) = context
        .mail
        .create_below(parent, &name, update, expect)
        .await
        .map_err(in_parent)?;
    let meta = context.mail.meta();
    let mailbox = meta.mailbox(made.id).unwrap_or(&made);
    // RFC 8620 §5.3: what the client did not send.
    let missing: Vec<&str> = PROPERTIES
        .into_iter()
        .filter(|p| !given.contains_key(*p))
        .collect();
    let counts = count(context, mailbox).await?;
    let object = object(&missing, &mut |name| super::value(mailbox, &counts, name));
    Ok((object, own))
}

/// Where the engine says that there is no such mailbox, it means the parent.
fn in_parent(error: Error) -> SetError {
    match error {
        Error::NoSuchMailbox => SetError::property("parentId", &error.to_string()),
        error => error.into(),
    }
}

/// Puts one property into an update of the engine's.
fn apply(
    context: &Context,
    update: &mut MailboxUpdate,
    name: &str,
    value: Value,
) -> Result<(), SetError> {
    let wrong = |want: &str| Err(SetError::property(name, &format!("{name} must be {want}")));
    match (name, value) {
        ("name", Value::String(text)) => update.name = Some(text),
        ("parentId", Value::Null) => update.parent = Some(None),
        ("parentId", Value::String(text)) => {
            let parent = id::to_mailbox(context.resolve(&text));
            let known = parent.filter(|id| context.mail.meta().mailbox(*id).is_some());
            if known.is_none() {
                return wrong("the id of a mailbox");
            }
            update.parent = Some(known);
        }
        ("role", Value::Null) => update.role = Some(None),
        ("role", Value::String(text)) => {
            // RFC 8621 §2: lower case.
            let role = Role::from_name(&text).filter(|role| role.name() == text);
            if role.is_none() {
                return wrong("a registered role in lower case");
            }
            update.role = Some(role);
        }
        ("sortOrder", Value::Null) => update.sort_order = Some(0),
        ("sortOrder", value) => match value.as_u64().filter(|n| *n < 1 << 31) {
            Some(order) => update.sort_order = u32::try_from(order).ok(),
            None => return wrong("a number from 0 to 2147483647"),
        },
        ("isSubscribed", Value::Null) => update.subscribed = Some(true),
        ("isSubscribed", Value::Bool(subscribed)) => update.subscribed = Some(subscribed),
        ("name" | "parentId" | "role" | "isSubscribed", _) => return wrong("of its type"),
        _ => return Err(SetError::property(name, "set by the server, or unknown")),
    }
    Ok(())
}

/// All updates go to the engine at once, which looks at them together.
async fn update_all(context: &mut Context, set: &mut Set) -> Result<(), MethodError> {
    let (mut ids, mut updates) = (Vec::new(), Vec::new());
    for (text, patch) in std::mem::take(&mut set.update) {
        let meta = context.mail.meta();
        let update = match id::to_mailbox(&text).and_then(|id| meta.mailbox(id)) {
            Some(mailbox) => {
                let counts = count(context, mailbox).await?;
                let update = prepare(context, mailbox, &counts, patch);
                update.map(|update| (mailbox.id, update))
            }
            None => Err(SetError::new("notFound")),
        };
        match update {
            Ok(update) => {
                ids.push(text);
                updates.push(update);
            }
            Err(error) => set.done.not_updated(&text, error),
        }
    }
    if updates.is_empty() {
        return Ok(());
    }
    let expect = set.done.next();
    let mut done = context.mail.update_mailboxes(updates, expect).await;
    for result in done.iter_mut().flat_map(|(results, _)| results) {
        // Gone meanwhile: it is the one that was to be changed, not one that its properties name.
        if matches!(result, Err(Error::NoSuchMailbox)) {
            *result = Err(Error::NoSuchEmail);
        }
    }
    set.done.all(&ids, false, done)
}

/// An update of the engine's, from a patch.
fn prepare(
    context: &Context,
    mailbox: &Mailbox,
    counts: &Counts,
    patch: Value,
) -> Result<MailboxUpdate, SetError> {
    let now = object(&PROPERTIES, &mut |name| super::value(mailbox, counts, name));
    let mut update = MailboxUpdate::default();
    for (name, change) in patch::parse(patch)? {
        let value = change.whole(&name)?;
        // RFC 8620 §5.3: a property of the server's may be sent as it is.
        if now.get(&name) != Some(&value) {
            apply(context, &mut update, &name, value)?;
        }
    }
    Ok(update)
}

/// Children go before their parents, in whatever order they were sent.
async fn destroy_all(context: &mut Context, set: &mut Set, with_emails: bool) {
    let meta = context.mail.meta();
    let mut ids: Vec<(usize, String)> = std::mem::take(&mut set.destroy)
        .into_iter()
        .map(|text| {
            let mailbox = id::to_mailbox(&text).and_then(|id| meta.mailbox(id));
            (mailbox.map_or(0, |m| m.path.matches('/').count()), text)
        })
        .collect();
    ids.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
    for (_, text) in ids {
        let result = match id::to_mailbox(&text) {
            Some(id) => context.mail.delete(id, with_emails, set.done.next()).await,
            None => Err(Error::NoSuchEmail),
        };
        if let Ok(own) = &result {
            set.done.own(own);
        }
        let gone = result.map(|_| ()).map_err(|error| match error {
            Error::NoSuchMailbox => SetError::new("notFound"),
            error => error.into(),
        });
        set.done.gone(&text, gone);
    }
}
