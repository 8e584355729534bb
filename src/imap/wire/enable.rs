//! ENABLE (RFC 9051 §6.3.1).

use super::cursor::{Cursor, Parsed};

/// `1*(SP capability)`, in upper case (RFC 9051 §6.3.1).
pub fn enable(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let mut words = Vec::new();
    while c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        words.push(c.word()?);
    }
    if words.is_empty() {
        c.fail(&"a capability")
    } else {
        Ok(words)
    }
}
