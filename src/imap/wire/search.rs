//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 7162 §3.1.5, RFC 8474 §6).

use super::cursor::{Cursor, Error, Parsed};
use super::set::Set;
use super::{date, flag};
use crate::limits;

/// The arguments of SEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// `RETURN (...)`: what is wanted; `None` for the answer of RFC 3501.
    pub options: Option<Options>,
    /// The character set of the strings, if one is named.
    pub charset: Option<String>,
    /// All of these must hold.
    pub key: Key,
}

/// `RETURN` options (RFC 9051 §6.4.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `MIN`
    pub min: bool,
    /// `MAX`
    pub max: bool,
    /// `ALL`, also what `()` means.
    pub all: bool,
    /// `COUNT`
    pub count: bool,
    /// `SAVE`
    pub save: bool,
}

impl Options {
    /// Only to be saved.
    pub fn is_silent(self) -> bool {
        self.save && !(self.min || self.max || self.all || self.count)
    }
}

/// A criterion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// All of these; `ALL` is none.
    And(Vec<Key>),
    /// Either.
    Or(Box<(Key, Key)>),
    /// Not this.
    Not(Box<Key>),
    /// Has the flag.
    Flag(flag::Flag),
    /// `NEW`: \Recent and not \Seen.
    New,
    /// Message numbers.
    Sequence(Set),
    /// UIDs.
    Uid(Set),
    /// INTERNALDATE's day is before this one (days since 1970).
    Before(i64),
    /// INTERNALDATE's day is this one.
    On(i64),
    /// INTERNALDATE's day is this one or later.
    Since(i64),
    /// The Date field's day is before this one.
    SentBefore(i64),
    /// The Date field's day is this one.
    SentOn(i64),
    /// The Date field's day is this one or later.
    SentSince(i64),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// The header field (by name) contains the octets; none: it is there.
    Header(String, Vec<u8>),
    /// The body contains the octets.
    Body(Vec<u8>),
    /// The header or the body contains the octets.
    Text(Vec<u8>),
    /// Modification sequence at least this.
    ModSeq(u64),
    /// OBJECTID of the email.
    EmailId(String),
    /// OBJECTID of the thread.
    ThreadId(String),
}

impl Key {
    /// MODSEQ is among the criteria: the answer carries the highest one, and CONDSTORE is enabled
    /// (RFC 7162 §3.1.5).
    pub fn uses_modseq(&self) -> bool {
        match self {
            Key::ModSeq(_) => true,
            Key::And(keys) => keys.iter().any(Key::uses_modseq),
            Key::Or(both) => both.0.uses_modseq() || both.1.uses_modseq(),
            Key::Not(key) => key.uses_modseq(),
            _ => false,
        }
    }
}

impl Key {
    /// Message numbers are among the criteria.
    pub fn uses_numbers(&self) -> bool {
        match self {
            Key::Sequence(set) => *set != Set::Saved,
            Key::And(keys) => keys.iter().any(Key::uses_numbers),
            Key::Or(both) => both.0.uses_numbers() || both.1.uses_numbers(),
            Key::Not(key) => key.uses_numbers(),
            _ => false,
        }
    }
}

/// `[SP "RETURN" SP "(" options ")"] SP [CHARSET SP charset SP] key *(SP key)`
pub fn search(c: &mut Cursor<'_>) -> Parsed<Search> {
    c.space()?;
    let mut options = None;
    if c.eat_word("RETURN ") {
        options = Some(return_options(c)?);
        c.space()?;
    }
    let mut charset = None;
    if c.eat_word("CHARSET ") {
        charset = Some(c.astring_text()?);
        c.space()?;
    }
    let mut keys = vec![key(c, 0)?];
    while c.peek() == Some(b' ') && c.rest().iter().any(|b| *b != b' ') {
        c.space()?;
        keys.push(key(c, 0)?);
    }
    Ok(Search {
        options,
        charset,
        key: Key::And(keys),
    })
}

fn return_options(c: &mut Cursor<'_>) -> Parsed<Options> {
    let mut options = Options::default();
    let found = c.list(true, |c| {
        let at = c.position();
        match c.word()?.as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            _ => {
                return Err(Error {
                    at,
                    wanted: "MIN, MAX, ALL, COUNT or SAVE",
                });
            }
        }
        Ok(())
    })?;
    options.all |= found.is_empty();
    Ok(options)
}

fn key(c: &mut Cursor<'_>, depth: usize) -> Parsed<Key> {
    if depth > limits::IMAP_SEARCH_DEPTH {
        return c.fail("fewer nested criteria");
    }
    if c.peek() == Some(b'(') {
        return Ok(Key::And(c.list(false, |c| key(c, depth + 1))?));
    }
    if Set::starts(c) {
        return Ok(Key::Sequence(Set::parse(c)?));
    }
    let start = c.clone();
    let word = c.word()?;
    if let Some(key) = flag_key(&word) {
        return Ok(key);
    }
    match word.as_str() {
        "ALL" => Ok(Key::And(Vec::new())),
        "NOT" => {
            c.space()?;
            Ok(Key::Not(Box::new(key(c, depth + 1)?)))
        }
        "OR" => {
            c.space()?;
            let first = key(c, depth + 1)?;
            c.space()?;
            Ok(Key::Or(Box::new((first, key(c, depth + 1)?))))
        }
        _ => {
            if c.peek() == Some(b' ') {
                c.space()?;
            }
            argument_key(c, &word)?.map_or_else(|| start.fail("a search criterion"), Ok)
        }
    }
}

/// Criteria without an argument that are flags or their absence.
fn flag_key(word: &str) -> Option<Key> {
    use flag::Flag;
    let (word, not) = match word {
        "NEW" => return Some(Key::New),
        "OLD" => return Some(Key::Not(Box::new(Key::Flag(Flag::Recent)))),
        "UNKEYWORD" => return None,
        _ => word
            .strip_prefix("UN")
            .map_or((word, false), |rest| (rest, true)),
    };
    let flag = match word {
        "ANSWERED" => Flag::Answered,
        "DELETED" => Flag::Deleted,
        "DRAFT" => Flag::Draft,
        "FLAGGED" => Flag::Flagged,
        "SEEN" => Flag::Seen,
        "RECENT" if !not => Flag::Recent,
        _ => return None,
    };
    let key = Key::Flag(flag);
    Some(if not { Key::Not(Box::new(key)) } else { key })
}

/// Criteria with arguments; the space before the first one is consumed.
fn argument_key(c: &mut Cursor<'_>, word: &str) -> Parsed<Option<Key>> {
    Ok(Some(match word {
        "BCC" | "CC" | "FROM" | "SUBJECT" | "TO" => {
            Key::Header(word.to_ascii_lowercase(), text(c)?)
        }
        "HEADER" => {
            let name = c.astring_text()?;
            c.space()?;
            Key::Header(name, text(c)?)
        }
        "BODY" => Key::Body(text(c)?),
        "TEXT" => Key::Text(text(c)?),
        "KEYWORD" => Key::Flag(flag::Flag::Keyword(flag::keyword(c)?)),
        "UNKEYWORD" => Key::Not(Box::new(Key::Flag(flag::Flag::Keyword(flag::keyword(c)?)))),
        "UID" => Key::Uid(Set::parse(c)?),
        "BEFORE" => Key::Before(date::date(c)?),
        "ON" => Key::On(date::date(c)?),
        "SINCE" => Key::Since(date::date(c)?),
        "SENTBEFORE" => Key::SentBefore(date::date(c)?),
        "SENTON" => Key::SentOn(date::date(c)?),
        "SENTSINCE" => Key::SentSince(date::date(c)?),
        "LARGER" => Key::Larger(c.number64()?),
        "SMALLER" => Key::Smaller(c.number64()?),
        "EMAILID" => Key::EmailId(c.astring_text()?),
        "THREADID" => Key::ThreadId(c.astring_text()?),
        "MODSEQ" => Key::ModSeq(modseq(c)?),
        _ => return Ok(None),
    }))
}

/// `[entry-name SP entry-type SP] mod-sequence-valzer` (RFC 7162 §3.1.5). There is one modification
/// sequence per message here, so that the entry does not matter (ibid.: "the server MAY ignore").
fn modseq(c: &mut Cursor<'_>) -> Parsed<u64> {
    if c.peek() == Some(b'"') {
        c.string()?;
        c.space()?;
        let at = c.position();
        if !matches!(c.word()?.as_str(), "PRIV" | "SHARED" | "ALL") {
            return Err(Error {
                at,
                wanted: "priv, shared or all",
            });
        }
        c.space()?;
    }
    c.number64()
}

fn text(c: &mut Cursor<'_>) -> Parsed<Vec<u8>> {
    Ok(c.astring()?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Search> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = search(&mut c)?;
        c.end()?;
        Ok(found)
    }

    #[test]
    fn criteria() {
        let found = parse(" FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"").unwrap();
        let Key::And(keys) = found.key else { panic!() };
        assert_eq!(keys.len(), 3);
        assert_eq!(
            keys[2],
            Key::Not(Box::new(Key::Header("from".into(), b"Smith".to_vec())))
        );
        assert_eq!(parse(" ALL").unwrap().key, Key::And(vec![Key::And(vec![])]));
        let found = parse(" RETURN (MIN COUNT) CHARSET UTF-8 TEXT {6}\r\nfoobar").unwrap();
        assert_eq!(found.charset.as_deref(), Some("UTF-8"));
        assert!(found.options.is_some_and(|o| o.min && o.count && !o.all));
        assert!(
            parse(" RETURN () 1:5 UID 7:*")
                .unwrap()
                .options
                .is_some_and(|o| o.all)
        );
        assert!(parse(" RETURN (SAVE) $").is_ok());
        assert!(
            parse(" MODSEQ \"/flags/\\\\draft\" all 620162338")
                .unwrap()
                .key
                .uses_modseq()
        );
        assert!(parse(" OR (SEEN UNKEYWORD $x) NOT (OR 1 2)").is_ok());
        assert!(parse(" BODY \"\" UNSEEN ").is_ok());
        for bad in [
            "",
            " ",
            " FOO",
            " NOT",
            " OR 1",
            " (1",
            " ()",
            " BEFORE x",
            " RETURN (FOO) ALL",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(&format!(" {}ALL", "NOT ".repeat(50))).is_ok());
        assert!(parse(&format!(" {}ALL", "NOT ".repeat(5000))).is_err());
        assert!(parse(&format!(" {}ALL", "(".repeat(5000))).is_err());
        assert!(parse(&format!(" {}ALL ALL", "OR ".repeat(5000))).is_err());
    }
}
