//! THREAD and UID THREAD (RFC 5256 §5).

use super::cursor::{Cursor, Error, Parsed};
use super::search::{Search, criteria};

/// The arguments of THREAD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// How to thread.
    pub by: By,
    /// What to search for; a charset is always named.
    pub search: Search,
}

/// A threading algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum By {
    OrderedSubject,
    References,
    Refs,
}

/// `SP thread-alg SP charset 1*(SP search-key)`
pub fn thread(c: &mut Cursor<'_>) -> Parsed<Thread> {
    c.space()?;
    let at = c.position();
    let by = match c.word()?.as_str() {
        "ORDEREDSUBJECT" => By::OrderedSubject,
        "REFERENCES" => By::References,
        "REFS" => By::Refs,
        _ => {
            let wanted = &"a threading algorithm";
            return Err(Error { at, wanted });
        }
    };
    c.space()?;
    let charset = Some(c.astring_text()?);
    c.space()?;
    let key = criteria(c)?;
    let search = Search {
        options: None,
        charset,
        key,
        fetch: Vec::new(),
    };
    Ok(Thread { by, search })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Thread> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = thread(&mut c)?;
        c.end()?;
        Ok(found)
    }

    /// RFC 5256 §3.
    #[test]
    fn rfc_examples() {
        let found = parse(" ORDEREDSUBJECT UTF-8 SINCE 5-MAR-2000").unwrap();
        assert_eq!(found.by, By::OrderedSubject);
        assert!(parse(" ORDEREDSUBJECT US-ASCII TEXT \"gewp\"").is_ok());
        assert!(parse(" REFERENCES UTF-8 SINCE 5-MAR-2000").is_ok());
        for bad in [" REFERENCES ALL", " FOO UTF-8 ALL", " REFS UTF-8", ""] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
