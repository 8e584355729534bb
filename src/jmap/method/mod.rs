//! The methods: one table, one file per type, the standard ones' common parts in `get`,
//! `changes`, `query` and `set`.
pub mod blob;
mod changes;
mod core;
mod email;
mod get;
mod identity;
mod mailbox;
mod mdn;
mod push;
mod query;
mod quota;
pub mod records;
mod set;
mod snippet;
mod submission;
mod thread;
mod vacation;

pub use identity::settle as settle_identities;

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

use super::capability::Capability;
use super::context::Context;
use super::wire::args::Args;
use super::wire::error::MethodError;

/// What a method answers: the arguments of its response.
pub type Answer = Result<Map<String, Value>, MethodError>;

/// A method at work.
type Running<'a> = Pin<Box<dyn Future<Output = Answer> + 'a>>;

/// One line of the table of methods.
pub struct Method {
    name: &'static str,
    /// What a client opts into to have it.
    pub capability: Capability,
    /// What does it.
    pub run: for<'a> fn(&'a mut Context, Args) -> Running<'a>,
}

impl Method {
    /// Whether it is one of Identity's.
    pub fn is_identity(&self) -> bool {
        self.name.starts_with("Identity/")
    }
}

/// The method of this name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

macro_rules! methods {
    ($($name:literal $capability:ident $run:path,)*) => {
        const METHODS: &[Method] = &[$(Method {
            name: $name,
            capability: Capability::$capability,
            run: |context, args| Box::pin($run(context, args)),
        },)*];
    };
}

methods! {
    "Core/echo" Core core::echo,
    "PushSubscription/get" Core push::get,
    "PushSubscription/set" Core push::set,
    "Blob/copy" Core blob::copy,
    "Blob/upload" Blob blob::upload,
    "Blob/get" Blob blob::get,
    "Blob/lookup" Blob blob::lookup,
    "MDN/send" Mdn mdn::send,
    "MDN/parse" Mdn mdn::parse,
    "Quota/get" Quota quota::get,
    "Quota/changes" Quota quota::changes,
    "Quota/query" Quota quota::query,
    "Quota/queryChanges" Quota quota::query_changes,
    "Mailbox/get" Mail mailbox::get,
    "Mailbox/changes" Mail mailbox::changes,
    "Mailbox/query" Mail mailbox::query,
    "Mailbox/queryChanges" Mail mailbox::query_changes,
    "Mailbox/set" Mail mailbox::set,
    "Thread/get" Mail thread::get,
    "Thread/changes" Mail thread::changes,
    "Email/get" Mail email::get,
    "Email/changes" Mail email::changes,
    "Email/query" Mail email::query,
    "Email/queryChanges" Mail email::query_changes,
    "Email/set" Mail email::set,
    "Email/copy" Mail email::copy,
    "Email/import" Mail email::import,
    "Email/parse" Mail email::parse,
    "SearchSnippet/get" Mail snippet::get,
    "Identity/get" Submission identity::get,
    "Identity/changes" Submission identity::changes,
    "Identity/set" Submission identity::set,
    "VacationResponse/get" Vacation vacation::get,
    "VacationResponse/set" Vacation vacation::set,
    "EmailSubmission/get" Submission submission::get,
    "EmailSubmission/changes" Submission submission::changes,
    "EmailSubmission/query" Submission submission::query,
    "EmailSubmission/queryChanges" Submission submission::query_changes,
    "EmailSubmission/set" Submission submission::set,
}
