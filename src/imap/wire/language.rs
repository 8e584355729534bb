//! LANGUAGE (RFC 5255 §3.2), and how a language range finds a language (RFC 4647 §3.4).

use super::cursor::{Cursor, Parsed};

/// Ranges looked at in one command.
const RANGES: usize = 32;

/// The languages that texts for people are in: English, and it is the default too.
pub const LANGUAGES: [&str; 2] = ["EN", "i-default"];

/// `*(SP lang-range-quoted)`
pub fn language(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let mut ranges = Vec::new();
    while c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        let range = c.astring_text()?;
        if ranges.len() < RANGES {
            ranges.push(range);
        }
    }
    Ok(ranges)
}

/// The first language that a range asks for. A range loses its last part until it is one.
pub fn find(ranges: &[String]) -> Option<&'static str> {
    ranges.iter().find_map(|range| {
        if range.eq_ignore_ascii_case("default") {
            return Some(LANGUAGES[0]);
        }
        let mut range = range.as_str();
        loop {
            let same = |known: &&&str| known.eq_ignore_ascii_case(range);
            if let Some(found) = LANGUAGES.iter().find(same) {
                return Some(*found);
            }
            (range, _) = range.rsplit_once('-')?;
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let found = |text: &str| find(&language(&mut Cursor::new(text.as_bytes(), false)).unwrap());
        assert_eq!(found(" FR-CA EN-CA"), Some("EN"));
        assert_eq!(found(" \"default\""), Some("EN"));
        assert_eq!(found(" I-Default"), Some("i-default"));
        assert_eq!(found(" i-default-x"), Some("i-default"));
        assert_eq!(found(" MUL"), None);
        assert_eq!(found(""), None);
        assert!(language(&mut Cursor::new(b" (", false)).is_err());
    }
}
