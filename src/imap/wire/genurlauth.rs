//! GENURLAUTH (RFC 4467 §7).

use super::cursor::{Cursor, Parsed};

/// `1*(SP url-rump SP mechanism)` (RFC 4467 §9).
pub fn genurlauth(c: &mut Cursor<'_>) -> Parsed<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    loop {
        c.space()?;
        let url = c.astring_text()?;
        c.space()?;
        pairs.push((url, c.word()?));
        if c.rest().iter().all(|b| *b == b' ') {
            return Ok(pairs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |text: &str| genurlauth(&mut Cursor::new(text.as_bytes(), false));
        assert_eq!(parse(" \"a\" INTERNAL b x").unwrap().len(), 2);
        assert!(parse(" \"a\"").is_err());
    }
}
