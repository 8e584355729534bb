//! RENAME (RFC 9051 §6.3.6).

use super::cursor::{Cursor, Parsed};
use super::mailbox;

/// `SP mailbox SP mailbox`, spelled as the client does.
pub fn rename(c: &mut Cursor<'_>) -> Parsed<(String, String)> {
    c.space()?;
    let from = mailbox::given(c)?;
    c.space()?;
    Ok((from, mailbox::given(c)?))
}
