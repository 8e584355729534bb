//! Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5).
use std::collections::HashSet;

use super::{Answer, changes, filter, visible};
use crate::jmap::context::{Context, method_error};
use crate::jmap::method::query::{QuerySince, Window};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{self as wire, Comparator};
use crate::jmap::wire::id;
use crate::limits;
use crate::mail::emails::{EmailQuery, SortKey};
use crate::mail::{DataType, EmailId, Flags, Keywords, Modseq};

/// Email/query.
pub async fn query(context: &mut Context, mut args: Args) -> Answer {
    let window = Window::parse(context, &mut args)?;
    let mut question = Question::parse(context, &mut args)?;
    args.finish()?;
    let meta = context.mail.meta();
    let counted = if window.total {
        question.counted(context).await?
    } else {
        None
    };
    question.of.reach = window.reach(counted.is_some());
    let results = context
        .mail
        .query_emails(&question.of)
        .await
        .map_err(method_error)?;
    let mut map = window.answer(&results, meta.states.of(DataType::Email), id::email)?;
    if let Some(total) = counted {
        map.insert("total".into(), total.into());
    }
    Ok(map)
}

/// Email/queryChanges. Whatever was touched is taken out and, where it is still among the results,
/// put back at its place; where threads matter, all emails of touched threads.
pub async fn query_changes(context: &mut Context, mut args: Args) -> Answer {
    let since = QuerySince::parse(context, &mut args)?;
    let question = Question::parse(context, &mut args)?;
    args.finish()?;
    let meta = context.mail.meta();
    let touched = touched(context, since.modseq, question.threads).await?;
    let results = context
        .mail
        .query_emails(&question.of)
        .await
        .map_err(method_error)?;
    since.answer(
        &results,
        &touched,
        question.immutable,
        meta.states.of(DataType::Email),
        id::email,
    )
}

async fn touched(
    context: &Context,
    since: Modseq,
    threads: bool,
) -> Result<HashSet<EmailId>, MethodError> {
    let mail = &context.mail;
    let mut changed = mail
        .email_changes(since, limits::JMAP_QUERY)
        .await
        .map_err(method_error)?;
    if changed.more {
        return Err(MethodError::new("cannotCalculateChanges").because("too much has changed"));
    }
    changes::hide(&mail.reader().map_err(method_error)?, &mut changed)?;
    let all = changed
        .created
        .into_iter()
        .chain(changed.updated)
        .chain(changed.destroyed);
    let mut touched: HashSet<EmailId> = all.collect();
    if threads {
        let changed = mail
            .thread_changes(since, limits::JMAP_QUERY)
            .await
            .map_err(method_error)?;
        if changed.more {
            return Err(MethodError::new("cannotCalculateChanges").because("too much has changed"));
        }
        let reader = mail.reader().map_err(method_error)?;
        // An email of a thread changes what the others are worth.
        let emails: Vec<EmailId> = touched.iter().copied().collect();
        let mut ids: HashSet<_> = changed.created.into_iter().chain(changed.updated).collect();
        for email in emails {
            ids.extend(visible(&reader, email)?.first().map(|row| row.thread));
        }
        for thread in ids {
            touched.extend(reader.thread(thread).map_err(method_error)?);
        }
    }
    Ok(touched)
}

/// Filter, sort and what follows from them.
struct Question {
    of: EmailQuery,
    /// Other emails of a thread decide about one.
    threads: bool,
    /// Nothing that can change decides.
    immutable: bool,
    /// The filter is one mailbox and nothing else.
    plain_mailbox: bool,
}

impl Question {
    fn parse(context: &Context, args: &mut Args) -> Result<Question, MethodError> {
        let meta = context.mail.meta();
        let filter = filter::parse(context, &meta.keywords, args.value("filter"))?;
        let comparators = wire::sort(args.value("sort"))?;
        let collapse = args.flag("collapseThreads")?;
        let sort = comparators
            .iter()
            .map(|by| Ok((sort_key(by, &meta.keywords)?, by.ascending)))
            .collect::<Result<Vec<_>, MethodError>>()?;
        let by_thread =
            |key: &SortKey| matches!(key, SortKey::AllInThread(_) | SortKey::SomeInThread(_));
        let by_flag = |key: &SortKey| by_thread(key) || matches!(key, SortKey::Has(_));
        Ok(Question {
            threads: collapse || filter.threads || sort.iter().any(|(key, _)| by_thread(key)),
            immutable: !collapse && !filter.mutable && !sort.iter().any(|(key, _)| by_flag(key)),
            plain_mailbox: filter.plain_mailbox,
            of: EmailQuery {
                mailbox: filter.mailbox,
                query: filter.query,
                sort,
                collapse,
                reach: None,
            },
        })
    }

    /// The total where the mailbox's counts tell it (RFC 8621 §4.4): then a page needs no more.
    async fn counted(&self, context: &Context) -> Result<Option<u32>, MethodError> {
        let Some(mailbox) = self.of.mailbox.filter(|_| self.plain_mailbox) else {
            return Ok(None);
        };
        let meta = context.mail.meta();
        let Some(mailbox) = meta.mailbox(mailbox) else {
            return Ok(None);
        };
        if self.of.collapse {
            let counts = crate::jmap::method::mailbox::count(context, mailbox).await?;
            return Ok(Some(counts.threads));
        }
        let counters = &mailbox.counters;
        Ok(Some(counters.total.saturating_sub(counters.deleted)))
    }
}

/// A comparator (RFC 8621 §4.4.2).
fn sort_key(by: &Comparator, keywords: &Keywords) -> Result<SortKey, MethodError> {
    let unsupported = || MethodError::new("unsupportedSort").because(by.property.clone());
    let flags = || -> Result<Flags, MethodError> {
        let name = by.keyword.as_deref();
        let name = name.ok_or_else(|| MethodError::invalid("this sort needs a keyword"))?;
        filter::flag(name, keywords)
    };
    Ok(match by.property.as_str() {
        "receivedAt" => SortKey::Received,
        "size" => SortKey::Size,
        "sentAt" => SortKey::Sent,
        "from" => SortKey::From(by.collation),
        "to" => SortKey::To(by.collation),
        "subject" => SortKey::Subject(by.collation),
        "hasKeyword" => SortKey::Has(flags()?),
        "allInThreadHaveKeyword" => SortKey::AllInThread(flags()?),
        "someInThreadHaveKeyword" => SortKey::SomeInThread(flags()?),
        _ => return Err(unsupported()),
    })
}
