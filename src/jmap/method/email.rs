//! Emails (RFC 8621 §4): one file per method; `property` says what can be asked for, `view` makes
//! it from a message.
mod build;
mod changes;
mod copy;
pub mod filter;
mod get;
mod import;
mod keyword;
mod parse;
mod property;
mod query;
mod set;
mod value;
mod view;

pub use copy::copy;
pub use import::import;
pub use parse::parse;
pub use set::{implicit, set};

use serde_json::{Map, Value};

use super::get::Get;
use super::kind::{Changed, Objects, Question, Type, done};
use super::{Answer, Running};
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::{self, BlobId};
use crate::jmap::wire::json::put;
use crate::mail::{Added, DataType, EmailId, Flags, Modseq, Own, Reader, Row};

/// The type.
pub struct Emails;

impl Type for Emails {
    fn data(&self) -> DataType {
        DataType::Email
    }

    fn letter(&self) -> char {
        'e'
    }

    fn objects<'a>(
        &'a self,
        context: &'a Context,
        get: &'a mut Get,
        args: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>> {
        done(get::objects(context, get, args))
    }

    fn changes<'a>(
        &'a self,
        context: &'a Context,
        since: Modseq,
        max: usize,
    ) -> Running<'a, Changed> {
        Box::pin(async move {
            let changes = changes::changes(context, since, max).await?;
            Ok(changes.map(|email| email.0).into())
        })
    }

    fn question(
        &self,
        context: &Context,
        args: &mut Args,
    ) -> Result<Box<dyn Question>, MethodError> {
        query::question(context, args)
    }
}

/// The memberships of an email that JMAP shows: those without `\Deleted` (RFC 8621 §4.1.1). None:
/// there is no such email.
pub fn visible(reader: &Reader, email: EmailId) -> Result<Vec<Row>, MethodError> {
    let mut rows = reader.memberships(email)?;
    rows.retain(|row| !row.flags.has(Flags::DELETED));
    Ok(rows)
}

/// What the client does not know of an email that it had made (RFC 8621 §4.6, §4.8).
fn made(added: Added) -> (Map<String, Value>, Own) {
    let mut map = Map::new();
    put(&mut map, "id", id::email(added.email));
    put(&mut map, "blobId", BlobId::whole(added.email).to_string());
    put(&mut map, "threadId", id::thread(added.thread));
    put(&mut map, "size", added.size);
    (map, added.own)
}
