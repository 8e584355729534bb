//! What the method calls of one request share.
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::capability::Capability;
use super::site::Site;
use super::wire::args::Args;
use super::wire::error::{MethodError, SetError};
use super::wire::id;
use super::wire::reference::weight;
use super::wire::request::Invocation;
use crate::limits;
use crate::mail::{self, Mail, Modseq};

/// The state of a request while its calls are made.
pub struct Context {
    /// What is served.
    pub site: Rc<Site>,
    /// The engine.
    pub mail: Arc<Mail>,
    /// The responses so far.
    pub responses: Vec<Invocation>,
    /// The capabilities that the client opted into.
    using: Vec<String>,
    /// Creation ids and what they became (RFC 8620 §5.3).
    pub created: Map<String, Value>,
    /// Responses of implicit calls, to follow the one being made (RFC 8620 §5.4).
    pub implicit: Vec<(&'static str, Map<String, Value>)>,
    /// Octets that the answers may still take.
    pub budget: usize,
}

impl Context {
    /// The beginning of a request.
    pub fn new(site: Rc<Site>, using: Vec<String>, created: Option<Map<String, Value>>) -> Context {
        Context {
            mail: Arc::clone(&site.mail),
            site,
            responses: Vec::new(),
            using,
            created: created.unwrap_or_default(),
            implicit: Vec::new(),
            budget: limits::JMAP_RESPONSE,
        }
    }

    /// Whether the client opted into a capability (RFC 8620 §3.3 `using`).
    pub fn uses(&self, capability: Capability) -> bool {
        self.using.iter().any(|uri| uri == capability.uri())
    }

    /// Pays for `octets` of the answer.
    pub fn spend(&mut self, octets: usize) -> Result<(), MethodError> {
        self.budget = self.budget.checked_sub(octets).ok_or_else(|| {
            MethodError::new("requestTooLarge")
                .because("the answer would be too large: ask for less at once")
        })?;
        Ok(())
    }

    /// Pays for a value of the answer.
    pub fn spend_on(&mut self, value: &Value) -> Result<(), MethodError> {
        self.spend(weight(value))
    }

    /// The real id behind `#creation-id`, or the text as it is (RFC 8620 §5.3).
    pub fn resolve<'a>(&'a self, text: &'a str) -> &'a str {
        text.strip_prefix('#')
            .and_then(|name| self.created.get(name))
            .and_then(Value::as_str)
            .unwrap_or(text)
    }
}

/// Takes `accountId`, which every method has.
pub fn account(args: &mut Args, name: &str, unknown: &'static str) -> Result<(), MethodError> {
    if args.required(name)? == id::ACCOUNT {
        Ok(())
    } else {
        Err(MethodError::new(unknown))
    }
}

/// A state as clients see it.
pub fn state(modseq: Modseq) -> String {
    modseq.to_string()
}

/// Reads a state that we gave out at some time.
pub fn parse_state(text: &str, now: Modseq) -> Result<Modseq, MethodError> {
    let known = text
        .parse()
        .ok()
        .filter(|since: &Modseq| *since <= now && state(*since) == text);
    known.ok_or_else(|| {
        MethodError::new("cannotCalculateChanges").because("this state was never given out")
    })
}

/// What an engine error is to a method as a whole.
impl From<mail::Error> for MethodError {
    fn from(error: mail::Error) -> MethodError {
        use mail::Error::{
            BadKeyword, BadName, CannotCalculate, DiskFull, InboxStays, Limit, MailboxExists,
            MailboxHasChildren, MailboxNotEmpty, NoMailboxes, NoPermission, NoSuchEmail,
            NoSuchMailbox, NotAnnotated, OverQuota, ParentLoop, RoleTaken, StateMismatch, TooLarge,
            TooManyKeywords, Unavailable,
        };
        let kind = match &error {
            CannotCalculate => "cannotCalculateChanges",
            StateMismatch => "stateMismatch",
            NoPermission => "forbidden",
            DiskFull | Unavailable => "serverUnavailable",
            NoSuchMailbox | NoSuchEmail | BadName(_) | BadKeyword | MailboxExists
            | MailboxHasChildren | MailboxNotEmpty | InboxStays | RoleTaken | ParentLoop
            | NoMailboxes | TooLarge(_) | OverQuota | TooManyKeywords | Limit(_)
            | NotAnnotated(_) => "serverFail",
        };
        MethodError::new(kind).because(&error.to_string())
    }
}

/// What an engine error is to one record of a /set (RFC 8620 §5.3, RFC 8621 §2.5, §4.6).
impl From<mail::Error> for SetError {
    fn from(error: mail::Error) -> SetError {
        use mail::Error::{
            BadKeyword, BadName, CannotCalculate, DiskFull, InboxStays, Limit, MailboxExists,
            MailboxHasChildren, MailboxNotEmpty, NoMailboxes, NoPermission, NoSuchEmail,
            NoSuchMailbox, NotAnnotated, OverQuota, ParentLoop, RoleTaken, StateMismatch, TooLarge,
            TooManyKeywords, Unavailable,
        };
        let why = error.to_string();
        // A kind, or the property that is wrong.
        let told = match error {
            NoSuchEmail => return SetError::new("notFound"),
            NoSuchMailbox | NoMailboxes => Err("mailboxIds"),
            MailboxExists | BadName(_) => Err("name"),
            RoleTaken => Err("role"),
            ParentLoop => Err("parentId"),
            BadKeyword => Err("keywords"),
            StateMismatch => Ok("stateMismatch"),
            MailboxHasChildren => Ok("mailboxHasChild"),
            MailboxNotEmpty => Ok("mailboxHasEmail"),
            InboxStays | NoPermission => Ok("forbidden"),
            TooLarge(_) => Ok("tooLarge"),
            // A full disk is a quota that nobody set: the client can make room.
            OverQuota | DiskFull => Ok("overQuota"),
            TooManyKeywords => Ok("tooManyKeywords"),
            Limit(_) | NotAnnotated(_) => Ok("overQuota"),
            Unavailable | CannotCalculate => Ok("serverUnavailable"),
        };
        match told {
            Ok(kind) => SetError::new(kind).because(&why),
            Err(property) => SetError::property(property, &why),
        }
    }
}

/// What keeps a method from its work keeps it from one record's, too.
impl From<MethodError> for SetError {
    fn from(error: MethodError) -> SetError {
        SetError::new("serverUnavailable").because(error.kind())
    }
}
