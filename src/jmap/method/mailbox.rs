//! Mailboxes (RFC 8621 §2).
mod query;
mod set;

use std::sync::Arc;

use serde_json::{Value, json};

pub use set::set;

use super::Running;
use super::get::Get;
use super::kind::{Changed, Few, Objects, Question, Type, done};
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::mail::counts::{self, Counts};
use crate::mail::{DataType, Mailbox, MailboxId, Modseq, Rights, Role};

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

/// The type.
pub struct Mailboxes;

impl Type for Mailboxes {
    fn data(&self) -> DataType {
        DataType::Mailbox
    }

    fn letter(&self) -> char {
        'm'
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn objects<'a>(
        &'a self,
        context: &'a Context,
        get: &'a mut Get,
        _: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>> {
        Box::pin(async move {
            let meta = context.mail.meta();
            let of: Vec<u64> = match &get.ids {
                Some(ids) => ids.iter().filter_map(|id| self.read(id)).collect(),
                None => meta.mailboxes.iter().map(|m| m.id.0.into()).collect(),
            };
            let names = get.properties.as_ref();
            let counts = |name: &String| COUNTS.contains(&name.as_str());
            let counted = names.is_none_or(|names| names.iter().any(counts));
            let mut all = Vec::new();
            for id in of {
                let mailbox = u32::try_from(id)
                    .ok()
                    .and_then(|id| meta.mailbox(MailboxId(id)));
                let Some(mailbox) = mailbox.filter(|it| it.rights.has(Rights::LOOKUP)) else {
                    continue;
                };
                let counts = match counted {
                    true => count(context, mailbox).await?,
                    false => Counts::default(),
                };
                all.push((id, (Arc::clone(mailbox), counts)));
            }
            Few::at_hand(all, |_, (mailbox, counts), name| {
                value(mailbox, counts, name)
            })
            .await
        })
    }

    fn changes<'a>(
        &'a self,
        context: &'a Context,
        since: Modseq,
        max: usize,
    ) -> Running<'a, Changed> {
        let changes = context.mail.mailbox_changes(since, max);
        done(
            changes
                .map_err(MethodError::from)
                .map(|(changes, only_counts)| {
                    let counts = only_counts && !changes.updated.is_empty();
                    Changed {
                        changes: changes.map(|mailbox| mailbox.0.into()),
                        properties: Some(if counts { json!(COUNTS) } else { Value::Null }),
                    }
                }),
        )
    }

    fn question(
        &self,
        context: &Context,
        args: &mut Args,
    ) -> Result<Box<dyn Question>, MethodError> {
        query::question(context, args)
    }
}

/// A property of a mailbox.
fn value(mailbox: &Mailbox, counts: &Counts, name: &str) -> Value {
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
    let counts = counts.await?;
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
