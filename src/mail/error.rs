//! Everything a client can be told about an operation, and nothing else.

use super::NotAnnotated;
use crate::store;
use std::fmt;

/// Why an operation was refused. Every protocol maps it in one exhaustive match, so that a new
/// variant does not compile until each has an answer for it. Two words long: it travels through every
/// call of the engine, so texts are behind a reference.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// No mailbox with this id or path, or none that the principal may know of.
    NoSuchMailbox,
    /// The principal has not the right to do this (RFC 4314), or is revoked or expired.
    NoPermission,
    /// A mailbox with this path exists.
    MailboxExists,
    /// The mailbox has children and would be left without them.
    MailboxHasChildren,
    /// The mailbox holds messages, and the caller did not ask for them to go.
    MailboxNotEmpty,
    /// INBOX cannot be deleted, nor moved below another mailbox.
    InboxStays,
    /// The name is empty, too long, has a control character, or nests too deeply; says which.
    BadName(&'static &'static str),
    /// Another mailbox has this role already (RFC 8621 §2).
    RoleTaken,
    /// A mailbox would become its own ancestor.
    ParentLoop,
    /// No email (or blob) with this id.
    NoSuchEmail,
    /// An email needs at least one mailbox (RFC 8621 §4.1.1).
    NoMailboxes,
    /// The message is over the size limit, in octets.
    TooLarge(u64),
    /// It would not fit the quota.
    OverQuota,
    /// All keyword slots are in use.
    TooManyKeywords,
    /// The keyword is not an atom, or too long (RFC 9051 §9 `flag-keyword`, RFC 8621 §4.1.1).
    BadKeyword,
    /// An annotation cannot be set; says why.
    NotAnnotated(NotAnnotated),
    /// A limit of the engine: its name for people.
    Limit(&'static &'static str),
    /// Others changed objects of this type since the state that was expected.
    StateMismatch,
    /// The state asked about is too old for a list of differences.
    CannotCalculate,
    /// The disk is full. Nothing was changed; trying again later may work.
    DiskFull,
    /// The store is shutting down, reopening after an I/O error, or broken. Nothing is known to be
    /// changed; trying again later may work.
    Unavailable,
}

/// What engine operations return.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Error::NoSuchMailbox => "no such mailbox",
            Error::NoPermission => "this app password does not permit it",
            Error::MailboxExists => "a mailbox with this name exists",
            Error::MailboxHasChildren => "the mailbox has child mailboxes",
            Error::MailboxNotEmpty => "the mailbox holds messages",
            Error::InboxStays => "INBOX cannot be deleted or moved",
            Error::BadName(why) => return write!(f, "bad mailbox name: {why}"),
            Error::RoleTaken => "another mailbox has this role",
            Error::ParentLoop => "a mailbox cannot be inside itself",
            Error::NoSuchEmail => "no such message",
            Error::NoMailboxes => "a message needs a mailbox",
            Error::TooLarge(limit) => {
                return write!(f, "the message is larger than the limit of {limit} octets");
            }
            Error::OverQuota => "the quota is used up",
            Error::TooManyKeywords => "all 56 keywords are in use",
            Error::BadKeyword => "bad keyword",
            Error::Limit(what) => return write!(f, "limit reached: {what}"),
            Error::StateMismatch => "it was changed by another session meanwhile",
            Error::NotAnnotated(NotAnnotated::TooLarge(limit)) => {
                return write!(f, "an annotation has at most {limit} octets");
            }
            Error::NotAnnotated(NotAnnotated::TooMany) => "too many annotations",
            Error::NotAnnotated(NotAnnotated::NoPrivate) => {
                "this app password has no private annotations"
            }
            Error::CannotCalculate => "the state is too old for a list of changes",
            Error::DiskFull => "the disk is full, try again later",
            Error::Unavailable => "the store is not available, try again later",
        };
        f.write_str(text)
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::DiskFull => Error::DiskFull,
            _ => Error::Unavailable,
        }
    }
}
