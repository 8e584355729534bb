//! CANCELUPDATE (RFC 5267 §5).

use super::cursor::{Cursor, Parsed};

/// `1*(SP quoted)`: the tags of searches.
pub fn cancelupdate(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let mut tags = Vec::new();
    loop {
        c.space()?;
        tags.push(c.astring_text()?);
        if c.peek() != Some(b' ') || c.rest().len() == 1 {
            return Ok(tags);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5267 §4.3.5.
    #[test]
    fn tags() {
        let parse = |text: &str| cancelupdate(&mut Cursor::new(text.as_bytes(), false));
        assert_eq!(parse(" \"B01\""), Ok(vec!["B01".into()]));
        assert_eq!(parse(" \"B01\" \"B02\"").map(|tags| tags.len()), Ok(2));
        assert!(parse("").is_err() && parse(" ").is_err());
    }
}
