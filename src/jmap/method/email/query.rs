//! Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5).
use super::{changes, filter, visible};
use crate::jmap::context::Context;
use crate::jmap::method::kind::{Need, Question as Query};
use crate::jmap::method::{Running, mailbox};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{self as wire, Comparator};
use crate::limits;
use crate::mail::emails::{EmailQuery, SortKey};
use crate::mail::{EmailId, Flags, Keywords, Modseq};

/// Filter and sort.
pub fn question(context: &Context, args: &mut Args) -> Result<Box<dyn Query>, MethodError> {
    Ok(Box::new(Question::parse(context, args)?))
}

impl Query for Question {
    fn counted<'a>(&'a self, context: &'a Context) -> Option<Running<'a, Option<u32>>> {
        Some(Box::pin(Question::counted(self, context)))
    }

    fn results<'a>(&'a mut self, context: &'a Context, need: Need) -> Running<'a, Vec<u64>> {
        Box::pin(async move {
            self.of.reach = need.reach;
            self.of.anchor = need.anchor.map(|(id, after)| (EmailId(id), after));
            let results = context.mail.query_emails(&self.of).await;
            let results = results?;
            Ok(results.into_iter().map(|email| email.0).collect())
        })
    }

    /// Where threads matter, all emails of touched threads.
    fn touched<'a>(&'a self, context: &'a Context, since: Modseq) -> Running<'a, Vec<u64>> {
        Box::pin(touched(context, since, self.threads))
    }

    fn is_immutable(&self) -> bool {
        self.immutable
    }
}

async fn touched(context: &Context, since: Modseq, threads: bool) -> Result<Vec<u64>, MethodError> {
    let mail = &context.mail;
    let changed = changes::changes(context, since, limits::JMAP_QUERY).await?;
    if changed.more {
        return Err(MethodError::new("cannotCalculateChanges").because("too much has changed"));
    }
    let mut touched = changed.created;
    touched.extend(changed.updated);
    touched.extend(changed.destroyed);
    if threads {
        let changed = mail.thread_changes(since, limits::JMAP_QUERY).await?;
        if changed.more {
            return Err(MethodError::new("cannotCalculateChanges").because("too much has changed"));
        }
        let reader = mail.reader()?;
        // An email of a thread changes what the others are worth.
        let mut ids = changed.created;
        ids.extend(changed.updated);
        for email in &touched {
            ids.extend(visible(&reader, *email)?.first().map(|row| row.thread));
        }
        ids.sort_unstable();
        ids.dedup();
        for thread in ids {
            touched.extend(reader.thread(thread)?);
        }
    }
    Ok(touched.into_iter().map(|email| email.0).collect())
}

/// Filter, sort and what follows from them.
struct Question {
    of: EmailQuery,
    /// Other emails of a thread decide about one.
    threads: bool,
    /// Nothing that can change decides.
    immutable: bool,
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
            of: EmailQuery {
                mailbox: filter.mailbox,
                query: filter.query,
                sort,
                collapse,
                reach: usize::MAX,
                anchor: None,
            },
        })
    }

    /// The total where the mailbox's counts tell it (RFC 8621 §4.4): then a page needs no more.
    async fn counted(&self, context: &Context) -> Result<Option<u32>, MethodError> {
        let meta = context.mail.meta();
        let mailbox = self.of.mailbox.and_then(|id| meta.mailbox(id));
        match mailbox.filter(|_| self.of.collapse && self.of.query.is_anything()) {
            Some(mailbox) => Ok(Some(mailbox::count(context, mailbox).await?.threads)),
            None => Ok(context.mail.count_emails(&self.of)),
        }
    }
}

/// A comparator (RFC 8621 §4.4.2).
fn sort_key(by: &Comparator, keywords: &Keywords) -> Result<SortKey, MethodError> {
    let unsupported = || MethodError::new("unsupportedSort").because(&by.property);
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
