//! Looking after the box: mail moves in and out, with the server up or down.
//!
//! A *source* (an mbox, a Maildir, another server, our own store) gives messages to a [`Target`] (our
//! store, a Maildir, an mbox): octets first, then what is said of them. Where the server has the store
//! open, [`frame`] carries the same calls over its control socket. Everything streams, and memory does
//! not grow with the mail. What is read is hostile: names are cleaned, links not followed, lines
//! bounded.
pub mod backup;
pub mod export;
pub mod frame;
pub mod imap;
pub mod intake;
pub mod maildir;
pub mod mbox;
pub mod place;
pub mod progress;
pub mod restore;
pub mod source;

use crate::mail::{self, Flags};
use crate::server::{Failure, Kind};
use std::path::Path;

/// How a job ends that cannot go on.
pub type Done<T> = Result<T, Failure>;

/// What is known of a message besides its octets.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Said {
    /// Where it is: paths, or a role as `\Sent`. None: nowhere yet, which is INBOX.
    pub mailboxes: Vec<String>,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// When it was received, seconds since 1970.
    pub date: Option<u32>,
    /// The first mailbox was asked for by name: mail that is in others comes to stand there as well.
    pub wished: bool,
    /// What to call it when something is wrong with it.
    pub origin: String,
}

/// Takes messages, one after another.
pub trait Target {
    /// One begins; what came of one before without an end is thrown away. Where it is told here or this
    /// is not called, [`Target::end`] says what is known of it.
    ///
    /// # Errors
    /// No message can be taken any more.
    fn begin(&mut self, _said: &Said) -> Done<()> {
        Ok(())
    }

    /// Some octets of the message.
    ///
    /// # Errors
    /// No message can be taken any more.
    fn octets(&mut self, octets: &[u8]) -> Done<()>;

    /// It ends here.
    ///
    /// # Errors
    /// As above; a single message that is refused is none.
    fn end(&mut self, said: &Said) -> Done<()>;

    /// How far the source is with something: kept once all that came before is.
    ///
    /// # Errors
    /// It was not.
    fn note(&mut self, _key: &str, _value: &str) -> Done<()> {
        Ok(())
    }

    /// What an earlier import noted last.
    ///
    /// # Errors
    /// It cannot be read.
    fn recall(&mut self, _key: &str) -> Done<Option<String>> {
        Ok(None)
    }

    /// No more messages; what is to be said about all of them.
    ///
    /// # Errors
    /// The last ones were not taken.
    fn finish(&mut self) -> Done<Vec<String>>;
}

/// An engine's refusal that ends a job.
pub(crate) fn broken(error: &mail::Error) -> Failure {
    Failure::new(Kind::Store, format!("{error}; run it again to go on"))
}

/// A file that cannot be read or written.
pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Other, format!("{}: {error}", path.display()))
}
