//! LSUB (RFC 3501 §6.3.9).

use super::cursor::{Cursor, Parsed};
use super::list::{List, pattern, text};

/// `SP mailbox SP list-mailbox`.
pub fn lsub(c: &mut Cursor<'_>) -> Parsed<List> {
    c.space()?;
    let reference = text(c, Cursor::astring)?;
    c.space()?;
    let patterns = vec![text(c, pattern)?];
    Ok(List {
        reference,
        patterns,
        ..List::default()
    })
}
