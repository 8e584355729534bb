//! COPY and UID COPY (RFC 9051 §6.4.7).

use super::cursor::{Cursor, Parsed};
use super::mailbox;
use super::set::Set;

/// The arguments of COPY and of MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The messages.
    pub set: Set,
    /// Where they go.
    pub target: String,
}

/// `SP sequence-set SP mailbox`
pub fn copy(c: &mut Cursor<'_>) -> Parsed<Copy> {
    c.space()?;
    let set = Set::parse(c)?;
    let target = mailbox::only(c)?;
    Ok(Copy { set, target })
}
