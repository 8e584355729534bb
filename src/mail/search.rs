//! Search: which messages a query holds for (RFC 9051 §6.4.4, RFC 8621 §4.4.1).
//!
//! Conditions are tried cheapest first: the row, then what was stored about the message (envelope,
//! structure), then its header block, then its text. Only text parts are ever decoded, a piece at a
//! time, never an attachment. Text matches as a substring by i;unicode-casemap (RFC 5051), after
//! charsets and encoded words are decoded.
//!
//! A search of bodies may take long: it runs beside the sessions' threads, at most
//! `limits::SEARCHES` at a time, a slice of messages per look at the store.

use super::emails::thread_flags;
use super::{
    EmailId, Error, Flags, Mail, MailboxId, Message, Modseq, Reader, Result, Row, ThreadId,
};
use super::{Uid, UidSet};
use crate::limits;
use crate::mime::casemap::fold;
use crate::mime::text::{Extractor, is_searchable};
use crate::mime::{self, Address, Kind, Structure, header, words};
use memchr::memmem;
use smol::future::yield_now;
use smol::lock::Semaphore;
use std::cell::OnceCell;
use std::ops::Range;
use std::sync::Arc;

static SEARCHES: Semaphore = Semaphore::new(limits::SEARCHES);

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
pub struct Needle(String);

impl Needle {
    /// Looks for `text`, in any case.
    pub fn new(text: &str) -> Needle {
        Needle(fold(text))
    }

    /// Is it in `text`?
    pub fn is_in(&self, text: &str) -> bool {
        self.0.is_empty() || memmem::find(fold(text).as_bytes(), self.0.as_bytes()).is_some()
    }
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

    /// Puts cheap conditions before dear ones, all the way down.
    fn sort(&mut self) {
        match self {
            Query::All(all) | Query::Any(all) => {
                all.iter_mut().for_each(Query::sort);
                all.sort_by_key(Query::cost);
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

    /// Rows that one slice of a search may look at.
    fn slice(&self) -> usize {
        match self.cost {
            0 => 1024,
            1 => 128,
            _ => 16,
        }
    }
}

impl Mail {
    /// The messages among `within` that the query holds for. Yields to other sessions; can be
    /// dropped at any time.
    pub async fn search(
        self: &Arc<Self>,
        mailbox: MailboxId,
        within: &UidSet,
        query: Query,
    ) -> Result<UidSet> {
        let prepared = Arc::new(query.prepare());
        // Only so many at a time: each one fills a core.
        let _turn = if prepared.cost > 1 {
            Some(SEARCHES.acquire().await)
        } else {
            None
        };
        let mut found = UidSet::new();
        let mut next = within.first();
        while let Some(from) = next {
            let rest = within.and(&UidSet::range(from, Uid::MAX));
            let (some, after) = if prepared.cost > 1 {
                let (mail, prepared) = (self.clone(), prepared.clone());
                smol::unblock(move || slice(&mail, mailbox, &rest, &prepared)).await?
            } else {
                slice(self, mailbox, &rest, &prepared)?
            };
            found = found.or(&some);
            next = after;
            yield_now().await;
        }
        Ok(found)
    }
}

/// Tries the first messages of `within`; gives what matched and where to go on.
fn slice(
    mail: &Mail,
    mailbox: MailboxId,
    within: &UidSet,
    prepared: &Prepared,
) -> Result<(UidSet, Option<Uid>)> {
    let reader = mail.reader()?;
    let mut found = UidSet::new();
    let mut failed: Option<Error> = None;
    let mut left = prepared.slice();
    let mut next = None;
    for (first, last) in within.runs() {
        if left == 0 {
            next = Some(first);
            break;
        }
        left -= 1;
        reader.rows(mailbox, first, last, |row| {
            if left == 0 {
                next = Some(row.uid);
                return false;
            }
            left -= 1;
            match prepared.matches(&reader, row) {
                Ok(true) => found.insert(row.uid),
                Ok(false) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if next.is_some() {
            break;
        }
    }
    Ok((found, next))
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
            Query::Envelope(field, needle) => self.envelope(*field, needle)?,
            Query::Header(name, needle) => self.header_field(name, needle)?,
            Query::Body(needle) => self.body(needle)?,
            Query::Text(needle) => self.any_header(needle)? || self.body(needle)?,
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
        let sent = self.structure()?.and_then(|found| found.facts.sent_at);
        Ok(sent.map(|at| (at.secs + i64::from(at.offset) * 60).div_euclid(86_400)))
    }

    fn envelope(&self, field: Field, needle: &Needle) -> Result<bool> {
        let Some(found) = self.structure()? else {
            return Ok(false);
        };
        // What was too long to be stored is read from the header.
        if found.facts.flags.has(mime::Flags::TRUNCATED) {
            return self.header_field(field.name(), needle);
        }
        let envelope = &found.envelope;
        let list = match field {
            Field::From => &envelope.from,
            Field::To => &envelope.to,
            Field::Cc => &envelope.cc,
            Field::Bcc => &envelope.bcc,
            Field::Subject => {
                let subject = envelope.subject.as_deref();
                return Ok(subject.is_some_and(|text| needle.is_in(&words::decode(text))));
            }
        };
        Ok(!list.is_empty() && needle.is_in(&addresses(list)))
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

    fn header_field(&self, name: &str, needle: &Needle) -> Result<bool> {
        let mut named = header::fields(self.header()?).filter(|field| field.is(name));
        Ok(named.any(|field| in_value(needle, field.value)))
    }

    fn any_header(&self, needle: &Needle) -> Result<bool> {
        Ok(in_block(needle, self.header()?))
    }

    /// The text parts, and the headers of messages inside.
    fn body(&self, needle: &Needle) -> Result<bool> {
        let (Some(message), Some(found)) = (self.message()?, self.structure()?) else {
            return Ok(false);
        };
        for (index, part) in found.parts.iter().enumerate() {
            if part.kind == Kind::Message {
                let inner = found.parts.get(index + 1).map(|inner| inner.header);
                let mut block = Vec::new();
                if let Some(span) = inner {
                    let len = span.len.min(limits::SEARCH_HEADER);
                    self.read(message, span.offset, len, |p| block.extend_from_slice(p))?;
                }
                if in_block(needle, &block) {
                    return Ok(true);
                }
            } else if part.kind == Kind::Leaf
                && is_searchable(part)
                && self.part(message, part, needle)?
            {
                return Ok(true);
            }
        }
        Ok(needle.0.is_empty())
    }

    /// One text part, decoded piece by piece.
    fn part(&self, message: &Message, part: &mime::Part, needle: &Needle) -> Result<bool> {
        let mut extractor = Extractor::readable(part);
        let mut finder = Finder::new(needle);
        let mut text = String::new();
        let (mut offset, mut left) = (part.body.offset, part.body.len);
        let mut piece = Vec::new();
        while left > 0 && !finder.found {
            piece.clear();
            let got =
                self.reader
                    .read(message, offset, left.min(limits::SEARCH_PIECE), &mut piece)?;
            if got == 0 {
                break;
            }
            (offset, left) = (offset + got, left.saturating_sub(got));
            text.clear();
            extractor.push(&piece, &mut text);
            finder.push(&text);
        }
        text.clear();
        extractor.finish(&mut text);
        finder.push(&text);
        Ok(finder.found)
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

fn in_value(needle: &Needle, value: &[u8]) -> bool {
    needle.is_in(&words::decode_anywhere(&header::unfold(value)))
}

/// Does any field of a header block, name included, contain the text?
fn in_block(needle: &Needle, block: &[u8]) -> bool {
    header::fields(block).any(|field| {
        let mut text = String::from_utf8_lossy(field.name).into_owned();
        text.push_str(": ");
        text.push_str(&words::decode_anywhere(&header::unfold(field.value)));
        needle.is_in(&text)
    })
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
