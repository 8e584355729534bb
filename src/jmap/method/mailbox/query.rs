//! Mailbox/query and Mailbox/queryChanges (RFC 8621 §2.3, §2.4).
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

use super::Running;
use crate::jmap::context::Context;
use crate::jmap::method::kind::{Need, Question as Query, done};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{self, Comparator, Filter};
use crate::jmap::wire::id;
use crate::mail::{Mailbox, MailboxId, Meta, Modseq};
use crate::mime::casemap;

/// Filter and sort.
pub fn question(context: &Context, args: &mut Args) -> Result<Box<dyn Query>, MethodError> {
    Ok(Box::new(Question::parse(context, args)?))
}

impl Query for Question {
    fn results<'a>(&'a mut self, context: &'a Context, _: Need) -> Running<'a, Vec<u64>> {
        done(Ok(Question::results(self, &context.mail.meta())))
    }

    /// There are few mailboxes, and a new name or parent moves whole branches: once anything but
    /// counts has changed, all are taken out and put back.
    fn touched<'a>(&'a self, context: &'a Context, since: Modseq) -> Running<'a, Vec<u64>> {
        let changes = context.mail.mailbox_changes(since, usize::MAX);
        done(
            changes
                .map_err(MethodError::from)
                .map(|(changes, only_counts)| {
                    let nothing = changes.created.is_empty()
                        && changes.destroyed.is_empty()
                        && (only_counts || changes.updated.is_empty());
                    if nothing {
                        return Vec::new();
                    }
                    let meta = context.mail.meta();
                    let now = meta.mailboxes.iter().map(|m| m.id);
                    let all = now.chain(changes.destroyed);
                    all.map(|mailbox| mailbox.0.into()).collect()
                }),
        )
    }
}

/// One property of a FilterCondition.
enum Condition {
    Parent(Option<MailboxId>),
    /// A parent that cannot exist.
    Nowhere,
    Name(String),
    Role(Option<String>),
    AnyRole(bool),
    Subscribed(bool),
}

impl Condition {
    fn parse(context: &Context, name: &str, value: Value) -> Result<Condition, MethodError> {
        match (name, value) {
            ("parentId", Value::Null) => Ok(Condition::Parent(None)),
            ("parentId", Value::String(text)) => Ok(id::to_mailbox(context.resolve(&text))
                .map_or(Condition::Nowhere, |id| Condition::Parent(Some(id)))),
            ("name", Value::String(text)) => Ok(Condition::Name(casemap::fold(&text))),
            ("role", Value::Null) => Ok(Condition::Role(None)),
            ("role", Value::String(role)) => Ok(Condition::Role(Some(role))),
            ("hasAnyRole", Value::Bool(any)) => Ok(Condition::AnyRole(any)),
            ("isSubscribed", Value::Bool(subscribed)) => Ok(Condition::Subscribed(subscribed)),
            ("parentId" | "name" | "role" | "hasAnyRole" | "isSubscribed", _) => Err(
                MethodError::invalid(&format!("filter {name} has a wrong type")),
            ),
            _ => Err(MethodError::new("unsupportedFilter").because(&format!("{name:?}"))),
        }
    }

    fn holds(&self, mailbox: &Mailbox) -> bool {
        match self {
            Condition::Parent(parent) => mailbox.parent == *parent,
            Condition::Nowhere => false,
            Condition::Name(part) => casemap::fold(&mailbox.name).contains(part),
            Condition::Role(role) => mailbox.role.map(|r| r.name()) == role.as_deref(),
            Condition::AnyRole(any) => mailbox.role.is_some() == *any,
            Condition::Subscribed(subscribed) => mailbox.subscribed == *subscribed,
        }
    }
}

/// Filter and sort.
struct Question {
    filter: Filter<Condition>,
    sort: Vec<Comparator>,
    sort_as_tree: bool,
    filter_as_tree: bool,
}

impl Question {
    fn parse(context: &Context, args: &mut Args) -> Result<Question, MethodError> {
        let filter = Filter::parse(args.value("filter"), &mut |name, value| {
            Condition::parse(context, name, value)
        })?;
        let sort = filter::sort(args.value("sort"))?;
        for by in &sort {
            let known = matches!(by.property.as_str(), "sortOrder" | "name" | "parentId");
            if !known {
                return Err(MethodError::new("unsupportedSort").because(&by.property));
            }
        }
        Ok(Question {
            filter,
            sort,
            sort_as_tree: args.flag("sortAsTree")?,
            filter_as_tree: args.flag("filterAsTree")?,
        })
    }

    fn results(&self, meta: &Meta) -> Vec<u64> {
        let all: HashMap<MailboxId, &Arc<Mailbox>> =
            meta.mailboxes.iter().map(|m| (m.id, m)).collect();
        let matching: HashSet<MailboxId> = meta
            .mailboxes
            .iter()
            .filter(|m| self.filter.matches(&mut |condition| condition.holds(m)))
            .map(|m| m.id)
            .collect();
        let line = |mailbox: &Arc<Mailbox>| -> Vec<Arc<Mailbox>> {
            let mut line = vec![Arc::clone(mailbox)];
            let mut next = mailbox.parent;
            // The engine keeps the tree free of loops; the bound is for our own peace.
            while let Some(parent) = next.and_then(|id| all.get(&id)).filter(|_| line.len() < 64) {
                line.push(Arc::clone(parent));
                next = parent.parent;
            }
            line.reverse();
            line
        };
        let mut out: Vec<Vec<Arc<Mailbox>>> = meta
            .mailboxes
            .iter()
            .filter(|m| matching.contains(&m.id))
            .map(line)
            .filter(|line| !self.filter_as_tree || line.iter().all(|m| matching.contains(&m.id)))
            .collect();
        out.sort_by(|a, b| self.compare(a, b));
        out.iter()
            .filter_map(|line| line.last().map(|m| m.id.0.into()))
            .collect()
    }

    /// Compares two mailboxes, each given as the line from the top down to it.
    fn compare(&self, a: &[Arc<Mailbox>], b: &[Arc<Mailbox>]) -> Ordering {
        if !self.sort_as_tree {
            return match (a.last(), b.last()) {
                (Some(a), Some(b)) => self.compare_one(a, b),
                _ => Ordering::Equal,
            };
        }
        let apart = a.iter().zip(b).find(|(a, b)| a.id != b.id);
        match apart {
            Some((a, b)) => self.compare_one(a, b),
            // One is the other's ancestor and comes first.
            None => a.len().cmp(&b.len()),
        }
    }

    fn compare_one(&self, a: &Mailbox, b: &Mailbox) -> Ordering {
        for by in &self.sort {
            let order = match by.property.as_str() {
                "sortOrder" => a.sort_order.cmp(&b.sort_order),
                "parentId" => a.parent.cmp(&b.parent),
                _ => by.collation.fold(&a.name).cmp(&by.collation.fold(&b.name)),
            };
            let order = if by.ascending { order } else { order.reverse() };
            if order != Ordering::Equal {
                return order;
            }
        }
        (a.sort_order, &a.path, a.id).cmp(&(b.sort_order, &b.path, b.id))
    }
}
