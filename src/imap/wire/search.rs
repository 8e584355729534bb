//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4), and what SORT, THREAD and ESEARCH share
//! with it: return options (RFC 4731, RFC 5182, RFC 5267 §4, RFC 6203 §4, RFC 9394 §3.1) and criteria
//! (RFC 5032, RFC 5466 §3.1, RFC 6203 §3, RFC 7162 §3.1.5, RFC 8474 §6, RFC 8514 §4.3).

use super::cursor::{Cursor, Error, Parsed};
use super::fetch::{self, Item};
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
    /// What UPDATE wants to know of new messages (RFC 5465 §7).
    pub fetch: Vec<Item>,
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
    /// `PARTIAL` (RFC 5267 §4.4, RFC 9394 §3.1)
    pub partial: Option<Partial>,
    /// `CONTEXT`: a hint (RFC 5267 §4.2)
    pub context: bool,
    /// `UPDATE` (RFC 5267 §4.3)
    pub update: bool,
    /// `RELEVANCY` (RFC 6203 §4)
    pub relevancy: bool,
}

impl Options {
    /// Only ALL.
    pub const ALL: Options = Options {
        min: false,
        max: false,
        all: true,
        count: false,
        save: false,
        partial: None,
        context: false,
        update: false,
        relevancy: false,
    };

    /// Nothing is to be returned, only to be saved.
    pub fn is_silent(self) -> bool {
        self.save && !self.asks()
    }

    /// Some data is asked for.
    pub fn asks(self) -> bool {
        self.min || self.max || self.all || self.count || self.partial.is_some() || self.relevancy
    }
}

/// A page of results, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The lower number.
    pub low: u32,
    /// The higher number.
    pub high: u32,
    /// Counted from the end: `-1` is the last result (RFC 9394 §3.1).
    pub from_end: bool,
    /// Was written with the higher number first.
    pub reversed: bool,
}

impl Partial {
    /// `partial-range` (RFC 5267 §5, RFC 9394 §4): two numbers of the same sign.
    pub fn parse(c: &mut Cursor<'_>) -> Parsed<Partial> {
        let (from_end, first) = index(c)?;
        c.must(b':', &"':'")?;
        let at = c.position();
        let (again, second) = index(c)?;
        if from_end != again {
            let wanted = &"two numbers of the same sign";
            return Err(Error { at, wanted });
        }
        Ok(Partial {
            low: first.min(second),
            high: first.max(second),
            from_end,
            reversed: first > second,
        })
    }

    /// Writes it as the client did.
    pub fn write(self, out: &mut Vec<u8>) {
        let sign = if self.from_end { "-" } else { "" };
        let (first, second) = match self.reversed {
            true => (self.high, self.low),
            false => (self.low, self.high),
        };
        super::encode::formatted(out, format_args!("{sign}{first}:{sign}{second}"));
    }

    /// The places it means among `count` results, counted from 0.
    pub fn of(self, count: u32) -> std::ops::Range<u32> {
        let (low, high) = (self.low.min(count.saturating_add(1)), self.high.min(count));
        match self.from_end {
            false => (low - 1).min(high)..high,
            true => count - high..count.saturating_sub(low - 1).max(count - high),
        }
    }
}

fn index(c: &mut Cursor<'_>) -> Parsed<(bool, u32)> {
    let from_end = c.eat(b'-');
    Ok((from_end, c.nz_number()?))
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
    /// Something like this (RFC 6203).
    Fuzzy(Box<Key>),
    /// What is stored under this name (RFC 5466).
    Filter(String),
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
    /// The save date's day is before this one (RFC 8514).
    SavedBefore(i64),
    /// The save date's day is this one.
    SavedOn(i64),
    /// The save date's day is this one or later.
    SavedSince(i64),
    /// Arrived so many seconds ago or more (RFC 5032).
    Older(u32),
    /// Arrived so many seconds ago or less.
    Younger(u32),
    /// More octets than this.
    Larger(u64),
    /// Fewer octets than this.
    Smaller(u64),
    /// The address list or subject of the envelope contains the octets: the field's name.
    Envelope(&'static str, Vec<u8>),
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
        self.has(&|key| matches!(key, Key::ModSeq(_)))
    }

    /// Message numbers are among the criteria, `$` not counted.
    pub fn uses_numbers(&self) -> bool {
        self.has(&|key| matches!(key, Key::Sequence(Set::Ranges(_))))
    }

    /// FUZZY is among the criteria.
    pub fn is_fuzzy(&self) -> bool {
        self.has(&|key| matches!(key, Key::Fuzzy(_)))
    }

    /// A stored filter is among the criteria.
    pub fn uses_filters(&self) -> bool {
        self.has(&|key| matches!(key, Key::Filter(_)))
    }

    /// Time alone changes what it holds for.
    pub fn uses_clock(&self) -> bool {
        self.has(&|key| matches!(key, Key::Older(_) | Key::Younger(_)))
    }

    /// Does `is` hold for it or anything in it?
    pub fn has(&self, is: &dyn Fn(&Key) -> bool) -> bool {
        is(self)
            || match self {
                Key::And(keys) => keys.iter().any(|key| key.has(is)),
                Key::Or(both) => both.0.has(is) || both.1.has(is),
                Key::Not(key) | Key::Fuzzy(key) => key.has(is),
                _ => false,
            }
    }
}

/// `[SP "RETURN" SP "(" options ")"] SP [CHARSET SP charset SP] key *(SP key)`
pub fn search(c: &mut Cursor<'_>) -> Parsed<Search> {
    let returns = returns(c)?;
    c.space()?;
    program(c, returns)
}

/// `[CHARSET SP charset SP] key *(SP key)`
pub fn program(c: &mut Cursor<'_>, returns: Returns) -> Parsed<Search> {
    let (options, fetch) = returns;
    let mut charset = None;
    if c.eat_word("CHARSET ") {
        charset = Some(c.astring_text()?);
        c.space()?;
    }
    let at = c.position();
    let key = criteria(c)?;
    if options.is_some_and(|options| options.relevancy) && !key.is_fuzzy() {
        let wanted = &"FUZZY, which RELEVANCY needs";
        return Err(Error { at, wanted });
    }
    Ok(Search {
        options,
        charset,
        key,
        fetch,
    })
}

/// `key *(SP key)`: all of them have to hold.
pub fn criteria(c: &mut Cursor<'_>) -> Parsed<Key> {
    let mut left = limits::IMAP_SEARCH_KEYS;
    let mut keys = vec![key(c, 0, &mut left)?];
    while c.peek() == Some(b' ') && c.rest().iter().any(|b| *b != b' ') {
        c.space()?;
        keys.push(key(c, 0, &mut left)?);
    }
    Ok(Key::And(keys))
}

/// Return options, if there are any, and what UPDATE wants to know of new messages.
pub type Returns = (Option<Options>, Vec<Item>);

/// `[SP "RETURN" SP "(" options ")"]`
pub fn returns(c: &mut Cursor<'_>) -> Parsed<Returns> {
    if !c.eat_word(" RETURN ") {
        return Ok((None, Vec::new()));
    }
    let mut options = Options::default();
    let mut fetch = Vec::new();
    let start = c.position();
    let found = c.list(true, |c| {
        let at = c.position();
        match c.word()?.as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            "CONTEXT" => options.context = true,
            "UPDATE" => {
                options.update = true;
                // RFC 5465 §8 writes no space before the list, its example does.
                if c.eat_word(" (") || c.eat(b'(') {
                    fetch = items(c)?;
                }
            }
            "RELEVANCY" => options.relevancy = true,
            "PARTIAL" if options.partial.is_none() => {
                c.space()?;
                options.partial = Some(Partial::parse(c)?);
            }
            _ => {
                let wanted = &"a return option that exists, once";
                return Err(Error { at, wanted });
            }
        }
        Ok(())
    })?;
    // RFC 5267 §4.4, RFC 9394 §3.1: one of them at most.
    if options.all && options.partial.is_some() {
        let wanted = &"ALL or PARTIAL, not both";
        return Err(Error { at: start, wanted });
    }
    options.all |= found.is_empty();
    Ok((Some(options), fetch))
}

/// `fetch-att *(SP fetch-att) ")"`
fn items(c: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    let mut items = vec![fetch::item(c)?];
    while !c.eat(b')') {
        c.space()?;
        items.push(fetch::item(c)?);
    }
    Ok(items)
}

fn key(c: &mut Cursor<'_>, depth: usize, left: &mut usize) -> Parsed<Key> {
    if depth > limits::IMAP_SEARCH_DEPTH {
        return c.fail(&"fewer nested criteria");
    }
    match left.checked_sub(1) {
        Some(less) => *left = less,
        None => return c.fail(&"fewer criteria"),
    }
    if c.peek() == Some(b'(') {
        return Ok(Key::And(c.list(false, |c| key(c, depth + 1, left))?));
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
        // RFC 8514 §4.3: every mailbox here has save dates.
        "ALL" | "SAVEDATESUPPORTED" => Ok(Key::And(Vec::new())),
        "NOT" => {
            c.space()?;
            Ok(Key::Not(Box::new(key(c, depth + 1, left)?)))
        }
        "FUZZY" => {
            c.space()?;
            Ok(Key::Fuzzy(Box::new(key(c, depth + 1, left)?)))
        }
        "OR" => {
            c.space()?;
            let first = key(c, depth + 1, left)?;
            c.space()?;
            Ok(Key::Or(Box::new((first, key(c, depth + 1, left)?))))
        }
        _ => {
            if c.peek() == Some(b' ') {
                c.space()?;
            }
            argument_key(c, &word)?.map_or_else(|| start.fail(&"a search criterion"), Ok)
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
        "BCC" => Key::Envelope("bcc", text(c)?),
        "CC" => Key::Envelope("cc", text(c)?),
        "FROM" => Key::Envelope("from", text(c)?),
        "SUBJECT" => Key::Envelope("subject", text(c)?),
        "TO" => Key::Envelope("to", text(c)?),
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
        "SAVEDBEFORE" => Key::SavedBefore(date::date(c)?),
        "SAVEDON" => Key::SavedOn(date::date(c)?),
        "SAVEDSINCE" => Key::SavedSince(date::date(c)?),
        "OLDER" => Key::Older(c.nz_number()?),
        "YOUNGER" => Key::Younger(c.nz_number()?),
        "FILTER" => Key::Filter(filter_name(c)?),
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
                wanted: &"priv, shared or all",
            });
        }
        c.space()?;
    }
    c.number64()
}

/// `1*<any ATOM-CHAR except "/">` (RFC 5466 §4).
fn filter_name(c: &mut Cursor<'_>) -> Parsed<String> {
    let at = c.position();
    let name = c.atom_text()?;
    if name.contains('/') {
        let wanted = &"a filter's name";
        return Err(Error { at, wanted });
    }
    Ok(name)
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
            Key::Not(Box::new(Key::Envelope("from", b"Smith".to_vec())))
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

    /// RFC 5032 §4, RFC 5466 §3.1, RFC 6203 §3 and §4, RFC 8514 §4.3, RFC 9394 §3.1.
    #[test]
    fn extensions() {
        let one = |text: &str| match parse(text).unwrap().key {
            Key::And(mut keys) if keys.len() == 1 => keys.remove(0),
            other => panic!("{other:?}"),
        };
        assert_eq!(one(" YOUNGER 259200"), Key::Younger(259_200));
        assert_eq!(
            one(" FILTER on-the-road"),
            Key::Filter("on-the-road".into())
        );
        assert_eq!(one(" SAVEDATESUPPORTED"), Key::And(vec![]));
        assert!(parse(" UID 300:900 FILTER on-the-road SINCE \"3-Dec-2002\"").is_ok());
        assert!(matches!(
            one(" FUZZY (SUBJECT \"IMAP break\")"),
            Key::Fuzzy(_)
        ));
        let options = |text: &str| parse(text).unwrap().options.unwrap();
        assert!(options(" RETURN (RELEVANCY ALL) FUZZY TEXT \"Helo\"").relevancy);
        let partial = options(" RETURN (PARTIAL -1:-100) UNDELETED")
            .partial
            .unwrap();
        assert_eq!(
            (partial.low, partial.high, partial.from_end),
            (1, 100, true)
        );
        assert!(options(" RETURN (UPDATE COUNT CONTEXT) ALL").update);
        // RFC 5465 §7.
        let text =
            " RETURN (COUNT UPDATE (UID BODY[HEADER.FIELDS (TO FROM SUBJECT)])) FROM \"boss\"";
        assert_eq!(parse(text).unwrap().fetch.len(), 2);
        assert_eq!(
            parse(" RETURN (UPDATE(UID) ALL) ALL").unwrap().fetch,
            [Item::Uid]
        );
        for bad in [
            " YOUNGER 0",
            " FILTER a/b",
            " FUZZY",
            " RETURN (RELEVANCY) TEXT x",
            " RETURN (PARTIAL 1:2 ALL) ALL",
            " RETURN (PARTIAL 1:2 PARTIAL 3:4) ALL",
            " RETURN (PARTIAL 0:2) ALL",
            " RETURN (PARTIAL -1:2) ALL",
            " RETURN (PARTIAL) ALL",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pages() {
        let page = |text: &str, count| {
            let partial = Partial::parse(&mut Cursor::new(text.as_bytes(), false)).unwrap();
            let mut out = Vec::new();
            partial.write(&mut out);
            assert_eq!(out, text.as_bytes());
            partial.of(count)
        };
        assert_eq!(page("1:500", 1000), 0..500);
        assert_eq!(page("500:1", 1000), 0..500);
        assert_eq!(page("23500:24000", 23_764), 23_499..23_764);
        assert!(page("24000:24500", 23_764).is_empty());
        assert_eq!(page("-1:-100", 23_764), 23_664..23_764);
        assert_eq!(page("-3:-5", 4), 0..2);
        assert!(page("-5:-7", 4).is_empty());
        assert!(page("1:4294967295", 0).is_empty());
        assert!(page("-1:-4294967295", 0).is_empty());
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(parse(&format!(" {}ALL", "NOT ".repeat(50))).is_ok());
        assert!(parse(&format!(" {}ALL", "NOT ".repeat(5000))).is_err());
        assert!(parse(&format!(" {}ALL", "(".repeat(5000))).is_err());
        assert!(parse(&format!(" {}ALL ALL", "OR ".repeat(5000))).is_err());
        assert!(parse(&format!(" {}ALL", "FUZZY ".repeat(5000))).is_err());
        assert!(parse(&" ALL".repeat(limits::IMAP_SEARCH_KEYS)).is_ok());
        assert!(parse(&" ALL".repeat(limits::IMAP_SEARCH_KEYS + 1)).is_err());
    }
}
