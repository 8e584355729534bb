//! Threads (RFC 8621 §3).
use serde_json::{Map, Value};

use super::Running;
use super::email::visible;
use super::get::Get;
use super::kind::{Changed, Objects, Type, done, object};
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::mail::{DataType, EmailId, Modseq, Reader, ThreadId};

/// The type.
pub struct Threads;

impl Type for Threads {
    fn data(&self) -> DataType {
        DataType::Thread
    }

    fn letter(&self) -> char {
        't'
    }

    fn properties(&self) -> &'static [&'static str] {
        &["id", "emailIds"]
    }

    fn objects<'a>(
        &'a self,
        _: &'a Context,
        _: &'a mut Get,
        _: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>> {
        done(Ok(Box::new(Threads)))
    }

    fn changes<'a>(
        &'a self,
        context: &'a Context,
        since: Modseq,
        max: usize,
    ) -> Running<'a, Changed> {
        Box::pin(async move {
            let changes = context.mail.thread_changes(since, max).await;
            let changes = changes?;
            Ok(changes.map(|thread| thread.0.into()).into())
        })
    }
}

impl Objects for Threads {
    fn all(&self, _: &Context) -> Option<Vec<u64>> {
        None
    }

    fn object(
        &self,
        context: &Context,
        id: u64,
        names: &[&'static str],
    ) -> Result<Option<Map<String, Value>>, MethodError> {
        let Ok(thread) = u32::try_from(id).map(ThreadId) else {
            return Ok(None);
        };
        let reader = context.mail.reader()?;
        let emails = emails(&reader, thread)?;
        let ids = || emails.iter().map(|email| id::email(*email)).collect();
        let there = !emails.is_empty();
        Ok(there.then(|| {
            object(names, &mut |name| match name {
                "id" => id::thread(thread).into(),
                _ => ids(),
            })
        }))
    }
}

/// The emails of a thread that JMAP shows, oldest first.
fn emails(reader: &Reader, thread: ThreadId) -> Result<Vec<EmailId>, MethodError> {
    let mut out = Vec::new();
    for email in reader.thread(thread)? {
        if let Some(row) = visible(reader, email)?.first() {
            out.push((row.internaldate, email));
        }
    }
    out.sort_unstable();
    Ok(out.into_iter().map(|(_, email)| email).collect())
}
