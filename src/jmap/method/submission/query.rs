//! EmailSubmission/query and /queryChanges (RFC 8621 §7.3, §7.4).
use std::cmp::Ordering;

use serde_json::Value;

use super::{Running, undo};
use crate::jmap::context::Context;
use crate::jmap::method::kind::{Need, Question as Query, done};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::date;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{self, Comparator, Filter};
use crate::jmap::wire::id;
use crate::mail::submission::Submission;
use crate::mail::{DataType, Modseq, ObjectChanges};

/// Filter and sort.
pub fn question(context: &Context, args: &mut Args) -> Result<Box<dyn Query>, MethodError> {
    Ok(Box::new(Question::parse(context, args)?))
}

impl Query for Question {
    fn results<'a>(&'a mut self, context: &'a Context, _: Need) -> Running<'a, Vec<u64>> {
        done(Question::results(self, context))
    }

    fn touched<'a>(&'a self, context: &'a Context, since: Modseq) -> Running<'a, Vec<u64>> {
        let mail = &context.mail;
        let changes = mail.record_changes(DataType::EmailSubmission, since, usize::MAX);
        let all = |it: ObjectChanges<u64>| [it.created, it.updated, it.destroyed].concat();
        done(changes.map(all).map_err(MethodError::from))
    }

    /// Only undoStatus can change, and no sort looks at it.
    fn is_immutable(&self) -> bool {
        let mut conditions = self.filter.conditions.iter();
        !conditions.any(|condition| matches!(condition, Condition::Undo(_)))
    }
}

/// One property of a FilterCondition.
enum Condition {
    Identities(Vec<String>),
    Emails(Vec<String>),
    Threads(Vec<String>),
    Undo(String),
    Before(i64),
    After(i64),
}

impl Condition {
    fn parse(context: &Context, name: &str, value: Value) -> Result<Condition, MethodError> {
        let wrong = || MethodError::invalid(&format!("filter {name} has a wrong type"));
        let ids = || -> Result<Vec<String>, MethodError> {
            let ids = value.as_array().ok_or_else(wrong)?.iter();
            let ids = ids.map(|id| id.as_str().map(|id| context.resolve(id).to_owned()));
            ids.collect::<Option<Vec<_>>>().ok_or_else(wrong)
        };
        let time = || value.as_str().and_then(date::parse_utc).ok_or_else(wrong);
        Ok(match name {
            "identityIds" => Condition::Identities(ids()?),
            "emailIds" => Condition::Emails(ids()?),
            "threadIds" => Condition::Threads(ids()?),
            "undoStatus" => Condition::Undo(value.as_str().ok_or_else(wrong)?.to_owned()),
            "before" => Condition::Before(time()?),
            "after" => Condition::After(time()?),
            _ => return Err(MethodError::new("unsupportedFilter").because(&format!("{name:?}"))),
        })
    }

    fn holds(&self, submission: &Submission) -> bool {
        let at = i64::from(submission.send_at);
        match self {
            Condition::Identities(ids) => ids.contains(&id::identity(submission.identity)),
            Condition::Emails(ids) => ids.contains(&id::email(submission.email)),
            Condition::Threads(ids) => ids.contains(&id::thread(submission.thread)),
            Condition::Undo(status) => undo(submission.undo) == status,
            Condition::Before(time) => at < *time,
            Condition::After(time) => at >= *time,
        }
    }
}

struct Question {
    filter: Filter<Condition>,
    sort: Vec<Comparator>,
}

impl Question {
    fn parse(context: &Context, args: &mut Args) -> Result<Question, MethodError> {
        let filter = Filter::parse(args.value("filter"), &mut |name, value| {
            Condition::parse(context, name, value)
        })?;
        let sort = filter::sort(args.value("sort"))?;
        // "sentAt" in RFC 8621 §7.3 is the property "sendAt".
        let known = |by: &&Comparator| {
            !matches!(
                by.property.as_str(),
                "emailId" | "threadId" | "sentAt" | "sendAt"
            )
        };
        match sort.iter().find(known) {
            Some(by) => Err(MethodError::new("unsupportedSort").because(&by.property)),
            None => Ok(Question { filter, sort }),
        }
    }

    fn results(&self, context: &Context) -> Result<Vec<u64>, MethodError> {
        let mut all = context.mail.submissions()?;
        all.retain(|(_, submission)| self.filter.matches(&mut |c| c.holds(submission)));
        all.sort_by(|(ida, a), (idb, b)| {
            let by = |by: &Comparator| {
                let order = match by.property.as_str() {
                    "emailId" => a.email.cmp(&b.email),
                    "threadId" => a.thread.cmp(&b.thread),
                    _ => a.send_at.cmp(&b.send_at),
                };
                if by.ascending { order } else { order.reverse() }
            };
            let order = self.sort.iter().map(by);
            order
                .fold(Ordering::Equal, Ordering::then)
                .then(ida.cmp(idb))
        });
        Ok(all.into_iter().map(|(id, _)| id).collect())
    }
}
