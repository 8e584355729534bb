//! What a command ends with: OK, NO or BAD, a response code, a sentence (RFC 9051 §7.1, RFC 5530);
//! and how the errors of the engine and of log-in become one.

use crate::auth::AuthError;
use crate::{mail, net};
use std::borrow::Cow;

/// A tagged response without its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it ended.
    pub status: Status,
    /// Response code in brackets, if any, and text.
    pub text: Cow<'static, str>,
}

/// How a command ended (RFC 9051 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    Ok,
    No,
    Bad,
}

/// Why a command stops before its end. Two words: it passes through every `?`.
#[derive(Debug)]
pub enum Stop {
    /// It is refused; the connection goes on.
    Refused(Box<Answer>),
    /// The connection is over.
    Net(Box<net::Error>),
    /// The command has answered by itself.
    Done,
    /// The connection has to end with this BYE.
    Bye(&'static &'static str),
}

/// What running a command gives.
pub type Run = Result<Answer, Stop>;

impl Answer {
    /// `OK`
    pub fn ok(text: impl Into<Cow<'static, str>>) -> Answer {
        let (status, text) = (Status::Ok, text.into());
        Answer { status, text }
    }

    /// `NO`
    pub fn no(text: impl Into<Cow<'static, str>>) -> Answer {
        let (status, text) = (Status::No, text.into());
        Answer { status, text }
    }

    /// `BAD`
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Answer {
        let (status, text) = (Status::Bad, text.into());
        Answer { status, text }
    }

    /// A refusal, for `?`.
    pub fn stop<T>(self) -> Result<T, Stop> {
        Err(Stop::Refused(Box::new(self)))
    }
}

impl From<net::Error> for Stop {
    fn from(error: net::Error) -> Stop {
        Stop::Net(Box::new(error))
    }
}

impl From<mail::Error> for Stop {
    fn from(error: mail::Error) -> Stop {
        Stop::Refused(Box::new(error.into()))
    }
}

impl From<mail::Error> for Answer {
    /// Exhaustive on purpose: a new error does not compile until it has an answer here.
    fn from(error: mail::Error) -> Answer {
        use mail::{Error, NotAnnotated};
        let code = match error {
            Error::NotAnnotated(NotAnnotated::TooLarge(most)) => {
                return Answer::no(format!("[METADATA MAXSIZE {most}] {error}"));
            }
            Error::NotAnnotated(NotAnnotated::TooMany) => "METADATA TOOMANY",
            Error::NotAnnotated(NotAnnotated::NoPrivate) => "METADATA NOPRIVATE",
            Error::NoSuchMailbox => "NONEXISTENT",
            Error::NoPermission => "NOPERM",
            Error::MailboxExists => "ALREADYEXISTS",
            Error::MailboxHasChildren => "HASCHILDREN",
            Error::MailboxNotEmpty
            | Error::InboxStays
            | Error::BadName(_)
            | Error::ParentLoop
            | Error::NoMailboxes
            | Error::BadKeyword
            | Error::StateMismatch
            | Error::CannotCalculate => "CANNOT",
            Error::RoleTaken => "USEATTR",
            Error::NoSuchEmail => "EXPUNGEISSUED",
            Error::TooLarge(_) | Error::TooManyKeywords | Error::Limit(_) => "LIMIT",
            Error::OverQuota | Error::DiskFull => "OVERQUOTA",
            Error::Unavailable => "UNAVAILABLE",
        };
        Answer::no(format!("[{code}] {error}"))
    }
}

impl From<AuthError> for Answer {
    fn from(error: AuthError) -> Answer {
        match error {
            AuthError::BadCredentials => Answer::no(format!("[AUTHENTICATIONFAILED] {error}")),
            // RFC 5530 §3: who it is is known, and it does not help.
            AuthError::NotHere(_) => Answer::no(format!("[AUTHORIZATIONFAILED] {error}")),
            AuthError::Expired => Answer::no(format!("[EXPIRED] {error}")),
            AuthError::Throttled(_) | AuthError::Unavailable => {
                Answer::no(format!("[UNAVAILABLE] {error}"))
            }
            AuthError::Unsupported => Answer::no(format!("[CANNOT] {error}")),
            AuthError::Malformed | AuthError::Cancelled => Answer::bad(error.to_string()),
        }
    }
}
