//! SORT and UID SORT (RFC 5256 §5), their return options (RFC 5267 §3), DISPLAYFROM and DISPLAYTO
//! (RFC 5957), RELEVANCY (RFC 6203 §6).

use super::cursor::{Cursor, Error, Parsed};
use super::search::{Search, criteria, returns};
use crate::limits;

/// The arguments of SORT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// What to sort by, and whether in reverse.
    pub by: Vec<(By, bool)>,
    /// What to search for; a charset is always named.
    pub search: Search,
}

/// A sort criterion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum By {
    Arrival,
    Cc,
    Date,
    From,
    Size,
    Subject,
    To,
    DisplayFrom,
    DisplayTo,
    Relevancy,
}

impl By {
    const NAMES: [(&str, By); 10] = [
        ("ARRIVAL", By::Arrival),
        ("CC", By::Cc),
        ("DATE", By::Date),
        ("FROM", By::From),
        ("SIZE", By::Size),
        ("SUBJECT", By::Subject),
        ("TO", By::To),
        ("DISPLAYFROM", By::DisplayFrom),
        ("DISPLAYTO", By::DisplayTo),
        ("RELEVANCY", By::Relevancy),
    ];
}

/// `[return options] SP "(" [REVERSE SP] key *(SP ...) ")" SP charset 1*(SP search-key)`
pub fn sort(c: &mut Cursor<'_>) -> Parsed<Sort> {
    let (options, fetch) = returns(c)?;
    c.space()?;
    let at = c.position();
    let by = c.list(false, criterion)?;
    if by.len() > limits::IMAP_SORT_KEYS {
        let wanted = &"fewer sort criteria";
        return Err(Error { at, wanted });
    }
    c.space()?;
    let charset = Some(c.astring_text()?);
    c.space()?;
    let start = c.position();
    let key = criteria(c)?;
    let relevant = by.iter().any(|(by, _)| *by == By::Relevancy)
        || options.is_some_and(|options| options.relevancy);
    // RFC 6203 §6: not without FUZZY.
    if relevant && !key.is_fuzzy() {
        return Err(Error {
            at: start,
            wanted: &"FUZZY, which RELEVANCY needs",
        });
    }
    let search = Search {
        options,
        charset,
        key,
        fetch,
    };
    Ok(Sort { by, search })
}

fn criterion(c: &mut Cursor<'_>) -> Parsed<(By, bool)> {
    let reverse = c.eat_word("REVERSE ");
    let at = c.position();
    let word = c.word()?;
    let found = By::NAMES.iter().find(|(name, _)| *name == word);
    found.map_or(
        Err(Error {
            at,
            wanted: &"a sort criterion",
        }),
        |(_, by)| Ok((*by, reverse)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Sort> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = sort(&mut c)?;
        c.end()?;
        Ok(found)
    }

    /// RFC 5256 §3, RFC 5267 §3.3, RFC 6203 §6.
    #[test]
    fn rfc_examples() {
        let found = parse(" (SUBJECT REVERSE DATE) UTF-8 ALL").unwrap();
        assert_eq!(found.by, [(By::Subject, false), (By::Date, true)]);
        assert_eq!(found.search.charset.as_deref(), Some("UTF-8"));
        assert!(parse(" (SUBJECT) US-ASCII TEXT \"not in mailbox\"").is_ok());
        assert!(parse(" (SUBJECT) UTF-8 SINCE 1-Feb-1994").is_ok());
        let found = parse(" RETURN () (REVERSE DATE) UTF-8 UNDELETED UNKEYWORD $Junk").unwrap();
        assert!(found.search.options.is_some_and(|options| options.all));
        assert!(parse(" (RELEVANCY) UTF-8 FUZZY SUBJECT \"Helo\"").is_ok());
        assert!(parse(" RETURN (PARTIAL 1:10) (RELEVANCY) UTF-8 FUZZY TEXT \"World\"").is_ok());
        for bad in [
            " () UTF-8 ALL",
            " (SUBJECT) ALL",
            " (SUBJECT)",
            " (FOO) UTF-8 ALL",
            " (REVERSE) UTF-8 ALL",
            " (RELEVANCY) UTF-8 ALL",
            " RETURN (UPDATE) FLAGGED",
            "(SUBJECT) UTF-8 ALL",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let many = "DATE ".repeat(limits::IMAP_SORT_KEYS + 1);
        assert!(parse(&format!(" ({}) UTF-8 ALL", many.trim_end())).is_err());
    }
}
