//! UID EXPUNGE (RFC 9051 §6.4.9, RFC 4315 §2.1).

use super::cursor::{Cursor, Parsed};
use super::set::Set;

/// `SP sequence-set`
pub fn expunge(c: &mut Cursor<'_>) -> Parsed<Set> {
    c.space()?;
    Set::parse(c)
}
