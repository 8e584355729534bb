//! SUBSCRIBE and UNSUBSCRIBE (RFC 9051 §6.3.7, §6.3.8).

use super::cursor::{Cursor, Parsed};
use super::mailbox;

/// `SP mailbox`
pub fn subscribe(c: &mut Cursor<'_>) -> Parsed<String> {
    mailbox::only(c)
}
