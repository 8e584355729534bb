//! Keys and bytes: the only user of redb.
#![allow(dead_code)]
mod error;
mod rows;
pub use error::Error;
pub use rows::{Counters, EmailId, Flags, Gone, MailboxId, Modseq, Row, ThreadId, Uid};
