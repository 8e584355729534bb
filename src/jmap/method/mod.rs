//! The methods: one table, one file per type. The standard ones are written once, in `get`,
//! `changes`, `query` and `set`; `kind` says what they ask of a type.
pub mod blob;
mod changes;
mod core;
mod email;
mod get;
mod identity;
mod kind;
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
use kind::Type;

/// What a method answers: the arguments of its response.
pub type Answer = Result<Map<String, Value>, MethodError>;

/// What is being made.
type Running<'a, T = Map<String, Value>> =
    Pin<Box<dyn Future<Output = Result<T, MethodError>> + 'a>>;

/// One line of the table of methods.
pub struct Method {
    name: &'static str,
    /// What a client opts into to have it.
    pub capability: Capability,
    run: Run,
}

/// What does it.
enum Run {
    /// The method's own function.
    Own(for<'a> fn(&'a mut Context, Args) -> Running<'a>),
    Get(&'static dyn Type),
    Changes(&'static dyn Type),
    Query(&'static dyn Type),
    QueryChanges(&'static dyn Type),
}

impl Method {
    /// Whether it is one of Identity's.
    pub fn is_identity(&self) -> bool {
        self.name.starts_with("Identity/")
    }

    /// Makes the call.
    pub async fn run(&self, context: &mut Context, args: Args) -> Answer {
        match self.run {
            Run::Own(run) => run(context, args).await,
            Run::Get(kind) => get::get(context, args, kind).await,
            Run::Changes(kind) => changes::changes(context, args, kind).await,
            Run::Query(kind) => query::query(context, args, kind).await,
            Run::QueryChanges(kind) => query::query_changes(context, args, kind).await,
        }
    }
}

/// The method of this name.
pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

macro_rules! run {
    (Own, $run:path) => {
        Run::Own(|context, args| Box::pin($run(context, args)))
    };
    ($run:ident, $kind:path) => {
        Run::$run(&$kind)
    };
}

macro_rules! methods {
    ($($name:literal $capability:ident $run:ident $of:path,)*) => {
        const METHODS: &[Method] = &[$(Method {
            name: $name,
            capability: Capability::$capability,
            run: run!($run, $of),
        },)*];
    };
}

methods! {
    "Core/echo" Core Own core::echo,
    "PushSubscription/get" Core Get push::Subscriptions,
    "PushSubscription/set" Core Own push::set,
    "Blob/copy" Core Own blob::copy,
    "Blob/upload" Blob Own blob::upload,
    "Blob/get" Blob Own blob::get,
    "Blob/lookup" Blob Own blob::lookup,
    "MDN/send" Mdn Own mdn::send,
    "MDN/parse" Mdn Own mdn::parse,
    "Quota/get" Quota Get quota::Quotas,
    "Quota/changes" Quota Changes quota::Quotas,
    "Quota/query" Quota Query quota::Quotas,
    "Quota/queryChanges" Quota QueryChanges quota::Quotas,
    "Mailbox/get" Mail Get mailbox::Mailboxes,
    "Mailbox/changes" Mail Changes mailbox::Mailboxes,
    "Mailbox/query" Mail Query mailbox::Mailboxes,
    "Mailbox/queryChanges" Mail QueryChanges mailbox::Mailboxes,
    "Mailbox/set" Mail Own mailbox::set,
    "Thread/get" Mail Get thread::Threads,
    "Thread/changes" Mail Changes thread::Threads,
    "Email/get" Mail Get email::Emails,
    "Email/changes" Mail Changes email::Emails,
    "Email/query" Mail Query email::Emails,
    "Email/queryChanges" Mail QueryChanges email::Emails,
    "Email/set" Mail Own email::set,
    "Email/copy" Mail Own email::copy,
    "Email/import" Mail Own email::import,
    "Email/parse" Mail Own email::parse,
    "SearchSnippet/get" Mail Own snippet::get,
    "Identity/get" Submission Get identity::Identities,
    "Identity/changes" Submission Changes identity::Identities,
    "Identity/set" Submission Own identity::set,
    "VacationResponse/get" Vacation Get vacation::Vacations,
    "VacationResponse/set" Vacation Own vacation::set,
    "EmailSubmission/get" Submission Get submission::Submissions,
    "EmailSubmission/changes" Submission Changes submission::Submissions,
    "EmailSubmission/query" Submission Query submission::Submissions,
    "EmailSubmission/queryChanges" Submission QueryChanges submission::Submissions,
    "EmailSubmission/set" Submission Own submission::set,
}
