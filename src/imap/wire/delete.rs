//! DELETE (RFC 9051 §6.3.5).

use super::cursor::{Cursor, Parsed};
use super::mailbox;

/// `SP mailbox`, spelled as the client does.
pub fn delete(c: &mut Cursor<'_>) -> Parsed<String> {
    c.space()?;
    mailbox::given(c)
}
