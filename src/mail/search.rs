//! Search: which messages a query holds for (RFC 9051 §6.4.4, RFC 8621 §4.4.1).
//!
//! Conditions are tried cheapest first: the row, then what was stored about the message (envelope,
//! structure), then its header block, then its text. Only text parts are ever decoded, a piece at a
//! time, never an attachment. Text matches as a substring by i;unicode-casemap (RFC 5051), after
//! charsets and encoded words are decoded.
//!
//! A search of bodies may take long: it runs beside the sessions' threads, at most
//! `limits::SEARCHES` at a time, a slice of messages per look at the store.

use super::UidSet;
use super::emails::thread_flags;
use super::fuzzy::{self, Quality, Words};
use super::order::by_number;
use super::walk::{Pace, Reached};
use super::{EmailId, Flags, Mail, MailboxId, Message, Modseq, Reader, Result, Row, ThreadId};
use crate::limits;
use crate::mime::casemap::fold;
use crate::mime::text::{Extractor, is_searchable};
use crate::mime::{self, Address, Kind, Structure, header, words};
use memchr::memmem;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

/// A condition on a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// All of these; none: every message.
    All(Vec<Query>),
    /// One of these at least; none: no message.
    Any(Vec<Query>),
    /// Not this.
    Not(Box<Query>),
    /// Has all of these flags.
    Flags(Flags),
    /// Is one of these.
    Uids(UidSet),
    /// INTERNALDATE is in this range of seconds since 1970.
    Received(Range<i64>),
    /// The save date is in this range of seconds since 1970.
    Saved(Range<i64>),
    /// The Date field's day, as written there, is in this range of days since 1970.
    SentDay(Range<i64>),
    /// Octets.
    Size(Range<u64>),
    /// Changed at this modification sequence or later.
    Modseq(Modseq),
    /// Is this email.
    Email(EmailId),
    /// Belongs to this thread.
    Thread(ThreadId),
    /// The email is in this mailbox too, not `\Deleted` there.
    In(MailboxId),
    /// The email is in some mailbox that is none of these, not `\Deleted` there.
    InOtherThan(Vec<MailboxId>),
    /// Every email of its thread has these flags.
    AllInThread(Flags),
    /// Some email of its thread has these flags.
    SomeInThread(Flags),
    /// A part of the envelope contains the text.
    Envelope(Field, Needle),
    /// A header field of this name contains the text.
    Header(String, Needle),
    /// A text part contains the text.
    Body(Needle),
    /// The header or a text part contains the text.
    Text(Needle),
}

/// A part of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// From
    From,
    /// To
    To,
    /// Cc
    Cc,
    /// Bcc
    Bcc,
    /// Subject
    Subject,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Field::From => "from",
            Field::To => "to",
            Field::Cc => "cc",
            Field::Bcc => "bcc",
            Field::Subject => "subject",
        }
    }
}

/// A text to look for, folded by i;unicode-casemap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needle(String, Option<Words>);

impl Needle {
    /// Looks for `text`, in any case.
    pub fn new(text: &str) -> Needle {
        Needle(fold(text), None)
    }

    /// Looks for `text` or something like it (RFC 6203).
    pub fn fuzzy(text: &str) -> Needle {
        let folded = fold(text);
        let words = Words::of(&folded);
        Needle(folded, Some(words))
    }

    /// Does something like it do?
    fn is_fuzzy(&self) -> bool {
        self.1.is_some()
    }

    /// How well it is found in `text`.
    fn quality(&self, text: &str) -> Quality {
        if self.is_in(text) {
            return fuzzy::EXACT;
        }
        self.1
            .as_ref()
            .map_or(0, |words| fuzzy::quality(words, text))
    }

    /// Is it in `text`?
    pub fn is_in(&self, text: &str) -> bool {
        if text.is_ascii() {
            return is_in_ascii(text.as_bytes(), self.0.as_bytes());
        }
        self.0.is_empty() || memmem::find(fold(text).as_bytes(), self.0.as_bytes()).is_some()
    }
}

/// The same where the text is ASCII: nothing has to be copied. `needle` is in upper case.
fn is_in_ascii(text: &[u8], needle: &[u8]) -> bool {
    let Some((first, _)) = needle.split_first() else {
        return true;
    };
    let Some(last) = text.len().checked_sub(needle.len()) else {
        return false;
    };
    let starts = text.get(..=last).unwrap_or_default();
    memchr::memchr2_iter(*first, first.to_ascii_lowercase(), starts).any(|at| {
        let here = text.get(at..at + needle.len());
        here.is_some_and(|here| {
            here.iter()
                .zip(needle)
                .all(|(a, b)| a.to_ascii_uppercase() == *b)
        })
    })
}

impl Query {
    /// No message at all.
    pub fn nothing() -> Query {
        Query::Any(Vec::new())
    }

    /// What has to be looked at: 0 the row, 1 what is stored about the message, 2 its header block,
    /// 3 its text.
    fn cost(&self) -> u8 {
        match self {
            Query::All(all) | Query::Any(all) => all.iter().map(Query::cost).max().unwrap_or(0),
            Query::Not(inner) => inner.cost(),
            Query::SentDay(_) | Query::Envelope(..) => 1,
            Query::AllInThread(_) | Query::SomeInThread(_) => 1,
            Query::Header(..) => 2,
            Query::Body(_) | Query::Text(_) => 3,
            _ => 0,
        }
    }

    /// Whether a row alone tells, or almost.
    pub fn is_of_row(&self) -> bool {
        self.cost() == 0
    }

    /// Whether it holds for everything.
    pub fn is_anything(&self) -> bool {
        matches!(self, Query::All(all) if all.is_empty())
    }

    /// Puts cheap conditions before dear ones, all the way down.
    fn sort(&mut self) {
        match self {
            Query::All(all) | Query::Any(all) => {
                all.iter_mut().for_each(Query::sort);
                by_number(all, |query| query.cost().into());
            }
            Query::Not(inner) => inner.sort(),
            _ => {}
        }
    }

    /// A query ready to be tried.
    pub fn prepare(mut self) -> Prepared {
        self.sort();
        Prepared {
            cost: self.cost(),
            query: self,
        }
    }
}

/// A query whose conditions are in the order of their cost.
#[derive(Clone, Debug)]
pub struct Prepared {
    query: Query,
    cost: u8,
}

impl Prepared {
    /// Does it hold for this message? False where the message is gone.
    pub fn matches(&self, reader: &Reader, row: &Row) -> Result<bool> {
        Candidate::new(reader, row).matches(&self.query)
    }

    /// How well the fuzzy conditions hold for this message, 1 to 100 (RFC 6203 §4).
    pub fn relevance(&self, reader: &Reader, row: &Row) -> Result<u8> {
        let score = Candidate::new(reader, row).relevance(&self.query)?;
        Ok(score.unwrap_or(fuzzy::EXACT).clamp(1, fuzzy::EXACT))
    }

    /// How to go through messages with it.
    pub(super) fn pace(&self) -> Pace {
        match self.cost {
            0 => Pace::ROWS,
            1 => Pace::FACTS,
            _ => Pace::BODIES,
        }
    }
}

impl Mail {
    /// The messages among `within` that the query holds for; `reached` tells how far it has come.
    /// Yields to other sessions; can be dropped at any time.
    pub async fn search(
        self: &Arc<Self>,
        mailbox: MailboxId,
        within: &UidSet,
        query: Query,
        reached: &Reached,
    ) -> Result<UidSet> {
        let prepared = query.prepare();
        let pace = prepared.pace();
        let within = Arc::new(within.clone());
        self.walk(
            mailbox,
            &within,
            pace,
            reached,
            UidSet::new(),
            move |found, reader, row| {
                if prepared.matches(reader, row)? {
                    found.insert(row.uid);
                }
                Ok(())
            },
        )
        .await
    }

    /// How well the fuzzy conditions of `query` hold for each of `uids`, 1 to 100, in their order
    /// (RFC 6203 §4); messages that are gone are left out.
    pub async fn relevance(
        self: &Arc<Self>,
        mailbox: MailboxId,
        uids: &UidSet,
        query: Query,
    ) -> Result<Vec<u8>> {
        let prepared = query.prepare();
        let pace = prepared.pace();
        let within = Arc::new(uids.clone());
        self.walk(
            mailbox,
            &within,
            pace,
            &Reached::default(),
            Vec::new(),
            move |scores, reader, row| {
                scores.push(prepared.relevance(reader, row)?);
                Ok(())
            },
        )
        .await
    }
}

/// A message under test; what is read of it is read once.
struct Candidate<'a> {
    reader: &'a Reader,
    row: &'a Row,
    message: OnceCell<Option<Message>>,
    structure: OnceCell<Structure>,
    header: OnceCell<Vec<u8>>,
}

impl<'a> Candidate<'a> {
    fn new(reader: &'a Reader, row: &'a Row) -> Candidate<'a> {
        let (message, structure, header) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Candidate {
            reader,
            row,
            message,
            structure,
            header,
        }
    }

    fn matches(&self, query: &Query) -> Result<bool> {
        let row = self.row;
        Ok(match query {
            Query::All(all) => {
                for query in all {
                    if !self.matches(query)? {
                        return Ok(false);
                    }
                }
                true
            }
            Query::Any(any) => {
                for query in any {
                    if self.matches(query)? {
                        return Ok(true);
                    }
                }
                false
            }
            Query::Not(inner) => !self.matches(inner)?,
            Query::Flags(flags) => row.flags.has(*flags),
            Query::Uids(uids) => uids.contains(row.uid),
            Query::Saved(range) => range.contains(&i64::from(row.saved)),
            Query::Received(range) => range.contains(&i64::from(row.internaldate)),
            Query::Size(range) => range.contains(&u64::from(row.size)),
            Query::Modseq(modseq) => row.modseq >= *modseq,
            Query::Email(email) => row.email == *email,
            Query::Thread(thread) => row.thread == *thread,
            Query::In(mailbox) => self.is_in(|id| id == *mailbox)?,
            Query::InOtherThan(mailboxes) => self.is_in(|id| !mailboxes.contains(&id))?,
            Query::AllInThread(flags) => thread_flags(self.reader, row.thread)?.all.has(*flags),
            Query::SomeInThread(flags) => thread_flags(self.reader, row.thread)?.some.has(*flags),
            Query::SentDay(range) => self.sent_day()?.is_some_and(|day| range.contains(&day)),
            Query::Envelope(field, needle) => self.envelope(*field, needle)? > 0,
            Query::Header(name, needle) => self.header_field(name, needle)? > 0,
            Query::Body(needle) => self.body(needle)? > 0,
            Query::Text(needle) => self.any_header(needle)? > 0 || self.body(needle)? > 0,
        })
    }

    /// How well the fuzzy conditions hold, 1 to 100; `None` where there are none (RFC 6203 §4). What
    /// is found in a subject counts more than what is found in a body.
    fn relevance(&self, query: &Query) -> Result<Option<Quality>> {
        let weighed = |quality: Quality, weight: u32| {
            let score = u32::from(quality) * weight / 100;
            Some(Quality::try_from(score).unwrap_or(fuzzy::EXACT))
        };
        Ok(match query {
            Query::All(all) => {
                let (mut sum, mut count) = (0, 0);
                for query in all {
                    if let Some(score) = self.relevance(query)? {
                        (sum, count) = (sum + u32::from(score), count + 1);
                    }
                }
                let mean = sum.checked_div(count);
                mean.map(|mean| Quality::try_from(mean).unwrap_or(fuzzy::EXACT))
            }
            Query::Any(any) => {
                let mut best = None;
                for query in any {
                    best = best.max(self.relevance(query)?);
                }
                best
            }
            Query::Envelope(Field::Subject, needle) if needle.is_fuzzy() => {
                weighed(self.envelope(Field::Subject, needle)?, 100)
            }
            Query::Envelope(field, needle) if needle.is_fuzzy() => {
                weighed(self.envelope(*field, needle)?, 95)
            }
            Query::Header(name, needle) if needle.is_fuzzy() => {
                weighed(self.header_field(name, needle)?, 80)
            }
            Query::Body(needle) if needle.is_fuzzy() => weighed(self.body(needle)?, 50),
            Query::Text(needle) if needle.is_fuzzy() => {
                let subject = weighed(self.envelope(Field::Subject, needle)?, 100);
                if subject >= Some(fuzzy::EXACT) {
                    return Ok(subject);
                }
                let header = weighed(self.any_header(needle)?, 80);
                subject.max(header).max(weighed(self.body(needle)?, 50))
            }
            _ => None,
        })
    }

    /// Whether the email is in a mailbox of this kind.
    fn is_in(&self, fits: impl Fn(MailboxId) -> bool) -> Result<bool> {
        let shows = |row: &Row| !row.flags.has(Flags::DELETED) && fits(row.mailbox);
        if !self.row.flags.has(Flags::SHARED) {
            return Ok(shows(self.row));
        }
        Ok(self.reader.memberships(self.row.email)?.iter().any(shows))
    }

    fn message(&self) -> Result<Option<&Message>> {
        if self.message.get().is_none() {
            let found = self.reader.message(self.row.email)?;
            let _ = self.message.set(found);
        }
        Ok(self.message.get().and_then(Option::as_ref))
    }

    fn structure(&self) -> Result<Option<&Structure>> {
        let found = self.message()?;
        Ok(found.map(|message| self.structure.get_or_init(|| message.structure())))
    }

    /// The day that the Date field names, in its own time zone.
    fn sent_day(&self) -> Result<Option<i64>> {
        let view = self.message()?.and_then(Message::view);
        let sent = view
            .and_then(|view| view.facts())
            .and_then(|facts| facts.sent_at);
        Ok(sent.map(|at| (at.secs + i64::from(at.offset) * 60).div_euclid(86_400)))
    }

    fn envelope(&self, field: Field, needle: &Needle) -> Result<Quality> {
        let Some(view) = self.message()?.and_then(Message::view) else {
            return Ok(0);
        };
        // What was too long to be stored is read from the header.
        if view
            .flags()
            .is_none_or(|flags| flags.has(mime::Flags::TRUNCATED))
        {
            return self.header_field(field.name(), needle);
        }
        let list = match field {
            Field::Subject => {
                let subject = view.subject();
                return Ok(subject.map_or(0, |text| needle.quality(&words::decode(&text))));
            }
            Field::From => view.addresses(0),
            Field::To => view.addresses(3),
            Field::Cc => view.addresses(4),
            Field::Bcc => view.addresses(5),
        };
        let list = list.unwrap_or_default();
        if list.is_empty() {
            return Ok(0);
        }
        Ok(needle.quality(&addresses(&list)))
    }

    fn header(&self) -> Result<&[u8]> {
        if self.header.get().is_none() {
            let mut block = Vec::new();
            if let Some(message) = self.message()? {
                let len = message.header_len.min(limits::SEARCH_HEADER);
                self.read(message, 0, len, |piece| block.extend_from_slice(piece))?;
            }
            let _ = self.header.set(block);
        }
        Ok(self.header.get().map_or(&[], Vec::as_slice))
    }

    fn header_field(&self, name: &str, needle: &Needle) -> Result<Quality> {
        let named = header::fields(self.header()?).filter(|field| field.is(name));
        Ok(best(named.map(|field| in_value(needle, field.value))))
    }

    fn any_header(&self, needle: &Needle) -> Result<Quality> {
        Ok(in_block(needle, self.header()?))
    }

    /// The text parts, and the headers of messages inside.
    fn body(&self, needle: &Needle) -> Result<Quality> {
        let (Some(message), Some(found)) = (self.message()?, self.structure()?) else {
            return Ok(0);
        };
        let mut best = if needle.0.is_empty() { fuzzy::EXACT } else { 0 };
        for (index, part) in found.parts.iter().enumerate() {
            if best == fuzzy::EXACT {
                break;
            }
            if part.kind == Kind::Message {
                let inner = found.parts.get(index + 1).map(|inner| inner.header);
                let mut block = Vec::new();
                if let Some(span) = inner {
                    let len = span.len.min(limits::SEARCH_HEADER);
                    self.read(message, span.offset, len, |p| block.extend_from_slice(p))?;
                }
                best = best.max(in_block(needle, &block));
            } else if part.kind == Kind::Leaf && is_searchable(part) {
                best = best.max(self.part(message, part, needle)?);
            }
        }
        Ok(best)
    }

    /// One text part, decoded piece by piece.
    fn part(&self, message: &Message, part: &mime::Part, needle: &Needle) -> Result<Quality> {
        let mut extractor = Extractor::readable(part);
        let mut finder = Finder::new(needle);
        let mut words = needle.1.as_ref().map(fuzzy::Finder::new);
        let mut look = |text: &str| {
            finder.push(text);
            if let Some(words) = &mut words {
                words.push(text);
            }
            finder.found
        };
        let mut text = String::new();
        let (mut offset, mut left) = (part.body.offset, part.body.len);
        let mut piece = Vec::new();
        while left > 0 {
            piece.clear();
            let len = left.min(limits::SEARCH_PIECE);
            let got = self.reader.read(message, offset, len, &mut piece)?;
            if got == 0 {
                break;
            }
            (offset, left) = (offset + got, left.saturating_sub(got));
            text.clear();
            extractor.push(&piece, &mut text);
            if look(&text) {
                return Ok(fuzzy::EXACT);
            }
        }
        text.clear();
        extractor.finish(&mut text);
        if look(&text) {
            return Ok(fuzzy::EXACT);
        }
        Ok(words.map_or(0, fuzzy::Finder::finish))
    }

    fn read(
        &self,
        message: &Message,
        from: u32,
        len: u32,
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        let (mut offset, mut left) = (from, len);
        let mut piece = Vec::new();
        while left > 0 {
            piece.clear();
            let got =
                self.reader
                    .read(message, offset, left.min(limits::SEARCH_PIECE), &mut piece)?;
            if got == 0 {
                break;
            }
            each(&piece);
            (offset, left) = (offset + got, left.saturating_sub(got));
        }
        Ok(())
    }
}

fn best(found: impl Iterator<Item = Quality>) -> Quality {
    let mut best = 0;
    for quality in found {
        best = best.max(quality);
        if best == fuzzy::EXACT {
            break;
        }
    }
    best
}

fn in_value(needle: &Needle, value: &[u8]) -> Quality {
    needle.quality(&words::decode_anywhere(&header::unfold(value)))
}

/// Does any field of a header block, name included, contain the text?
fn in_block(needle: &Needle, block: &[u8]) -> Quality {
    best(header::fields(block).map(|field| {
        let mut text = String::from_utf8_lossy(field.name).into_owned();
        text.push_str(": ");
        text.push_str(&words::decode_anywhere(&header::unfold(field.value)));
        needle.quality(&text)
    }))
}

/// An address list as a person would write it, encoded words decoded.
fn addresses(list: &[Address]) -> String {
    let mut text = String::new();
    for address in list {
        if !text.is_empty() {
            text.push_str(", ");
        }
        match address {
            Address::Mailbox { name, local, host } => {
                if let Some(name) = name {
                    text.push_str(&words::decode_anywhere(name));
                    text.push(' ');
                }
                text.push('<');
                text.push_str(&String::from_utf8_lossy(local));
                text.push('@');
                text.push_str(&String::from_utf8_lossy(host));
                text.push('>');
            }
            Address::Group(name) => text.push_str(&words::decode_anywhere(name)),
            Address::GroupEnd => {}
        }
    }
    text
}

/// Looks for a text in one that passes by in pieces.
struct Finder<'a> {
    needle: &'a str,
    /// The end of what has passed, folded: where a match may have begun.
    tail: String,
    found: bool,
}

impl<'a> Finder<'a> {
    fn new(needle: &'a Needle) -> Finder<'a> {
        Finder {
            needle: &needle.0,
            tail: String::new(),
            found: needle.0.is_empty(),
        }
    }

    fn push(&mut self, text: &str) {
        if self.found || text.is_empty() {
            return;
        }
        self.tail.push_str(&fold(text));
        self.found = memmem::find(self.tail.as_bytes(), self.needle.as_bytes()).is_some();
        let mut cut = self.tail.len().saturating_sub(self.needle.len());
        while !self.tail.is_char_boundary(cut) {
            cut -= 1;
        }
        self.tail.drain(..cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        assert!(Needle::new("GR\u{dc}SSE").is_in("viele gr\u{fc}sse"));
        assert!(Needle::new("\u{416}").is_in("\u{436}"));
        assert!(!Needle::new("x").is_in("y") && Needle::new("").is_in(""));
        assert!(Needle::new("aB1").is_in("xxab1") && !Needle::new("ab1").is_in("ab"));
        // A ligature's letters stay small (RFC 5051 §2): that text is no match for ASCII.
        assert!(Needle::new("\u{212a}").is_in("k") && !Needle::new("\u{fb01}").is_in("fi"));
    }

    #[test]
    fn a_match_across_pieces_is_found() {
        let text = "aaaaab\u{fc}cde and on";
        let needle = Needle::new("B\u{dc}c");
        for at in text.char_indices().map(|(at, _)| at) {
            let mut finder = Finder::new(&needle);
            finder.push(&text[..at]);
            finder.push(&text[at..]);
            assert!(finder.found, "{at}");
        }
        let mut finder = Finder::new(&needle);
        text.chars().for_each(|c| finder.push(&c.to_string()));
        assert!(finder.found);
    }

    #[test]
    fn cheap_conditions_come_first() {
        let text = || Query::Text(Needle::new("x"));
        let prepared = Query::All(vec![text(), Query::Flags(Flags::SEEN)]).prepare();
        assert_eq!(
            prepared.query,
            Query::All(vec![Query::Flags(Flags::SEEN), text()])
        );
        assert_eq!(prepared.cost, 3);
    }
}
