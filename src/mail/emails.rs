//! Emails across mailboxes: JMAP's queries and sorts (RFC 8621 §4.4).
//!
//! A page of a mailbox by date costs its rows while dates and UIDs agree, and so does a page of the
//! newest of any; every other order costs one scan of the rows, and 44 octets for each that matches beside what it is sorted by. Emails with `\Deleted` are not there (RFC 8621 §4.1.1).

use super::search::{Prepared, Query};
use super::{
    EmailId, Error, Flags, Mail, MailboxId, Message, Reached, Reader, Result, Row, ThreadId, Uid,
    UidSet,
};
use crate::mime::casemap::Collation;
use crate::mime::{Address, address, subject};
use smol::future::yield_now;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rows in one look at the store.
const SLICE: usize = 4096;
/// Messages in one look at the store, for what is inside them.
const INSIDE: usize = 64;
/// Emails for which room is made at once.
const RESERVED: usize = 128 * 1024;
/// Octets of a folded name or subject that are compared.
const COMPARED: usize = 256;

/// What emails are sorted by (RFC 8621 §4.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// `receivedAt`
    Received,
    /// `size`
    Size,
    /// `sentAt`; where there is none, when it was received.
    Sent,
    /// Name or address of the first `from`.
    From(Collation),
    /// Name or address of the first `to`.
    To(Collation),
    /// The base subject.
    Subject(Collation),
    /// `hasKeyword`
    Has(Flags),
    /// `allInThreadHaveKeyword`
    AllInThread(Flags),
    /// `someInThreadHaveKeyword`
    SomeInThread(Flags),
}

impl SortKey {
    /// Whether the rows answer it.
    fn is_outside(self) -> bool {
        matches!(self, SortKey::Received | SortKey::Size | SortKey::Has(_))
    }
}

/// A question about emails.
#[derive(Clone, Debug)]
pub struct EmailQuery {
    /// The mailbox that they must be in, if there is one.
    pub mailbox: Option<MailboxId>,
    /// What else must hold.
    pub query: Query,
    /// Keys, and whether each is ascending. None: the newest first.
    pub sort: Vec<(SortKey, bool)>,
    /// Only the first email of each thread.
    pub collapse: bool,
    /// How many of the results are needed at least.
    pub reach: usize,
    /// Or this one, and so many from it on.
    pub anchor: Option<(EmailId, usize)>,
}

impl EmailQuery {
    /// How many are needed, now that this one is the next after so many others.
    pub(super) fn reach_at(&self, before: usize, email: EmailId) -> Option<usize> {
        let (_, after) = self.anchor.filter(|(anchor, _)| *anchor == email)?;
        Some(before.saturating_add(after))
    }
}

/// A row that matched.
#[derive(Clone, Copy)]
struct Hit {
    email: EmailId,
    flags: Flags,
    thread: ThreadId,
    received: u32,
    size: u32,
    /// Settles what the keys do not: the UID in a mailbox, the email id among all.
    tie: u32,
}

impl Hit {
    fn of(row: &Row, tie: u32) -> Hit {
        Hit {
            email: row.email,
            flags: row.flags,
            thread: row.thread,
            received: row.internaldate,
            size: row.size,
            tie,
        }
    }
}

/// What hits are sorted by: for each a run of octets that compares as all its keys do.
#[derive(Default)]
struct Keys {
    octets: Vec<u8>,
    places: Vec<Place>,
}

/// A hit, by its number, and where its keys are.
struct Place {
    hit: u32,
    from: u32,
    len: u16,
}

impl Keys {
    fn of(&self, place: &Place) -> &[u8] {
        let from = place.from as usize;
        let to = from + usize::from(place.len);
        self.octets.get(from..to).unwrap_or_default()
    }
}

/// Keywords of a thread.
#[derive(Clone, Copy)]
pub(super) struct ThreadFlags {
    /// Of every email in it.
    pub all: Flags,
    /// Of some email in it.
    pub some: Flags,
}

/// The flags of the emails in a thread, `\Deleted` ones aside.
pub(super) fn thread_flags(reader: &Reader, thread: ThreadId) -> Result<ThreadFlags> {
    if let Some((_, known)) = reader.thread.get().filter(|(id, _)| *id == thread) {
        return Ok(known);
    }
    let mut found = ThreadFlags {
        all: Flags(!0),
        some: Flags(0),
    };
    for email in reader.thread(thread)? {
        let rows = reader.memberships(email)?;
        if let Some(row) = rows.iter().find(|row| !row.flags.has(Flags::DELETED)) {
            found.all = found.all.only(row.flags);
            found.some = found.some.with(row.flags);
        }
    }
    reader.thread.set(Some((thread, found)));
    Ok(found)
}

impl Mail {
    /// The emails that a question is about, in order: all of them, or `reach` of them at least.
    ///
    /// Errors: storage errors. A mailbox that does not exist has no emails.
    pub async fn query_emails(self: &Arc<Self>, question: &EmailQuery) -> Result<Vec<EmailId>> {
        if let Some(ascending) = self.by_rows(question) {
            return self.page(question, ascending).await;
        }
        if let Some(found) = self.newest(question).await? {
            return Ok(found);
        }
        let hits = self.hits(question).await?;
        let order = self.sort(&hits, &question.sort).await?;
        let mut threads = HashSet::new();
        Ok(order
            .iter()
            .filter_map(|place| hits.get(place.hit as usize))
            .filter(|hit| !question.collapse || threads.insert(hit.thread))
            .map(|hit| hit.email)
            .take(question.reach)
            .collect())
    }

    /// How many emails a question is about, where the counters tell it.
    pub fn count_emails(&self, question: &EmailQuery) -> Option<u32> {
        if question.collapse || !question.query.is_anything() {
            return None;
        }
        let meta = self.meta();
        if let Some(mailbox) = question.mailbox {
            let counters = meta.mailbox(mailbox)?.counters;
            return Some(counters.total.saturating_sub(counters.deleted));
        }
        let deleted = |m: &Arc<super::Mailbox>| m.counters.deleted > 0;
        let hidden = meta.mailboxes.iter().any(deleted) || self.reader().ok()?.sight.is_some();
        (!hidden).then_some(meta.emails)
    }

    /// The direction to walk a mailbox in, when that gives the order asked for.
    fn by_rows(&self, question: &EmailQuery) -> Option<bool> {
        let mailbox = question.mailbox?;
        let by_date = self.meta().mailbox(mailbox)?.counters.by_date;
        let ascending = match question.sort.as_slice() {
            [] => false,
            [(SortKey::Received, ascending), ..] => *ascending,
            _ => return None,
        };
        (by_date && question.sort.len() <= 1 && question.query.is_of_row()).then_some(ascending)
    }

    /// Walks a mailbox in the order of its UIDs until enough is found.
    async fn page(&self, question: &EmailQuery, ascending: bool) -> Result<Vec<EmailId>> {
        let mailbox = question.mailbox.unwrap_or(MailboxId(0));
        let mut reach = question.reach;
        let prepared = question.query.clone().prepare();
        let mut found = Vec::new();
        let mut threads = HashSet::new();
        let (mut first, mut last) = (1, Uid::MAX);
        while found.len() < reach && first <= last {
            let reader = self.reader()?;
            let (mut looked, mut failed) = (0, None);
            let (from, to) = (first, last);
            let mut each = |row: &Row| {
                looked += 1;
                if ascending {
                    first = row.uid.saturating_add(1);
                } else {
                    last = row.uid - 1;
                }
                match fits(&prepared, &reader, row) {
                    Ok(true) if !question.collapse || threads.insert(row.thread) => {
                        reach = question.reach_at(found.len(), row.email).unwrap_or(reach);
                        found.push(row.email);
                    }
                    Ok(_) => {}
                    Err(error) => failed = Some(error),
                }
                failed.is_none() && looked < SLICE && found.len() < reach
            };
            match ascending {
                true => reader.rows(mailbox, from, to, &mut each)?,
                false => reader.rows_back(mailbox, from, to, &mut each)?,
            }
            if let Some(error) = failed {
                return Err(error);
            }
            if looked < SLICE {
                break;
            }
            drop(reader);
            yield_now().await;
        }
        Ok(found)
    }

    /// Every row that fits, each email once.
    async fn hits(self: &Arc<Self>, question: &EmailQuery) -> Result<Vec<Hit>> {
        let mailboxes: Vec<MailboxId> = match question.mailbox {
            Some(mailbox) => vec![mailbox],
            None => self.meta().mailboxes.iter().map(|m| m.id).collect(),
        };
        let mut hits = Vec::new();
        // Room for all at once: nothing moves, and what is not used is never touched.
        let meta = self.meta();
        let counters = mailboxes.iter().filter_map(|id| meta.mailbox(*id));
        let most: usize = counters.map(|it| it.counters.total as usize).sum();
        hits.reserve_exact(most.min(RESERVED));
        let mut shared = HashSet::new();
        for mailbox in mailboxes {
            let within = match question.query.is_of_row() {
                true => None,
                false => match self.view(mailbox) {
                    Ok(view) => Some(
                        self.search(
                            mailbox,
                            &view.uids,
                            question.query.clone(),
                            &Reached::default(),
                        )
                        .await?,
                    ),
                    Err(Error::NoSuchMailbox) => continue,
                    Err(error) => return Err(error),
                },
            };
            let whole = question.mailbox.is_none();
            self.collect(mailbox, question, within.as_ref(), &mut |row| {
                if !whole {
                    hits.push(Hit::of(row, row.uid));
                } else if !row.flags.has(Flags::SHARED) || shared.insert(row.email) {
                    hits.push(Hit::of(row, row.email.0 as u32));
                }
            })
            .await?;
        }
        Ok(hits)
    }

    /// Walks one mailbox: the rows in `within`, or else those that the query holds for.
    async fn collect(
        &self,
        mailbox: MailboxId,
        question: &EmailQuery,
        within: Option<&UidSet>,
        hit: &mut dyn FnMut(&Row),
    ) -> Result<()> {
        let prepared = question.query.clone().prepare();
        let mut first = 1;
        loop {
            let reader = self.reader()?;
            let (mut looked, mut failed) = (0, None);
            reader.rows(mailbox, first, Uid::MAX, |row| {
                looked += 1;
                first = row.uid.saturating_add(1);
                let fits = match within {
                    Some(uids) => Ok(!row.flags.has(Flags::DELETED) && uids.contains(row.uid)),
                    None => fits(&prepared, &reader, row),
                };
                match fits {
                    Ok(true) => hit(row),
                    Ok(false) => {}
                    Err(error) => failed = Some(error),
                }
                failed.is_none() && looked < SLICE
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            if looked < SLICE {
                return Ok(());
            }
            drop(reader);
            yield_now().await;
        }
    }

    /// The hits in order.
    async fn sort(&self, hits: &[Hit], sort: &[(SortKey, bool)]) -> Result<Vec<Place>> {
        let newest_first = [(SortKey::Received, false)];
        let sort = if sort.is_empty() { &newest_first } else { sort };
        let received = sort.iter().find(|(key, _)| *key == SortKey::Received);
        let tie_ascending = received.is_some_and(|(_, ascending)| *ascending);
        let tie = |place: &Place| {
            let tie = hits.get(place.hit as usize).map_or(0, |hit| hit.tie);
            if tie_ascending { tie } else { !tie }
        };
        let mut keys = self.keys(hits, sort).await?;
        let mut places = std::mem::take(&mut keys.places);
        places.sort_unstable_by(|a, b| {
            let order = keys.of(a).cmp(keys.of(b));
            order.then_with(|| tie(a).cmp(&tie(b)))
        });
        Ok(places)
    }

    /// Reads what the hits are sorted by.
    async fn keys(&self, hits: &[Hit], sort: &[(SortKey, bool)]) -> Result<Keys> {
        let mut threads: HashMap<ThreadId, ThreadFlags> = HashMap::new();
        let mut keys = Keys::default();
        keys.places.reserve_exact(hits.len());
        keys.octets.reserve_exact(hits.len().min(RESERVED) * 16);
        let look = match sort.iter().all(|(key, _)| key.is_outside()) {
            true => SLICE,
            false => INSIDE,
        };
        for slice in hits.chunks(look) {
            let reader = self.reader()?;
            for hit in slice {
                let from = keys.octets.len();
                for (key, ascending) in sort {
                    let at = keys.octets.len();
                    write_key(&reader, &mut threads, hit, *key, &mut keys.octets)?;
                    if !ascending {
                        let written = keys.octets.iter_mut().skip(at);
                        written.for_each(|octet| *octet = !*octet);
                    }
                }
                keys.places.push(Place {
                    hit: keys.places.len() as u32,
                    from: from as u32,
                    len: (keys.octets.len() - from) as u16,
                });
            }
            drop(reader);
            yield_now().await;
        }
        Ok(keys)
    }
}

pub(super) fn fits(prepared: &Prepared, reader: &Reader, row: &Row) -> Result<bool> {
    Ok(!row.flags.has(Flags::DELETED) && prepared.matches(reader, row)?)
}

/// Writes a key so that octets compare as it does; false comes before true (RFC 8620 §5.5).
fn write_key(
    reader: &Reader,
    threads: &mut HashMap<ThreadId, ThreadFlags>,
    hit: &Hit,
    key: SortKey,
    out: &mut Vec<u8>,
) -> Result<()> {
    match key {
        SortKey::Received => out.extend(hit.received.to_be_bytes()),
        SortKey::Size => out.extend(hit.size.to_be_bytes()),
        SortKey::Has(flags) => out.push(hit.flags.has(flags).into()),
        SortKey::AllInThread(flags) | SortKey::SomeInThread(flags) => {
            let found = match threads.get(&hit.thread) {
                Some(found) => *found,
                None => thread_flags(reader, hit.thread)?,
            };
            threads.insert(hit.thread, found);
            let all = matches!(key, SortKey::AllInThread(_));
            let of = if all { found.all } else { found.some };
            out.push(of.has(flags).into());
        }
        SortKey::Sent => {
            let message = reader.message(hit.email)?;
            let view = message.as_ref().and_then(Message::view);
            let facts = view.and_then(|view| view.facts());
            let sent = facts.and_then(|facts| facts.sent_at);
            let sent = sent.map_or(i64::from(hit.received), |at| at.secs);
            // The sign's bit turned: negative numbers come first.
            out.extend((sent as u64 ^ 1 << 63).to_be_bytes());
        }
        SortKey::From(collation) | SortKey::To(collation) | SortKey::Subject(collation) => {
            let message = reader.message(hit.email)?;
            let view = message.as_ref().and_then(Message::view);
            let envelope = view.and_then(|view| view.envelope()).unwrap_or_default();
            let text = match key {
                SortKey::From(_) => person(&envelope.from),
                SortKey::To(_) => person(&envelope.to),
                _ => subject::base(envelope.subject.as_deref().unwrap_or_default()).text,
            };
            // A text ends below any octet of another.
            let folded = collation.fold(&text);
            let octets = folded.bytes().filter(|octet| *octet > 0);
            out.extend(octets.take(COMPARED).chain([0]));
        }
    }
    Ok(())
}

/// The first mailbox's name, or else its address.
fn person(list: &[Address]) -> String {
    let first = address::mailboxes(list)
        .into_iter()
        .next()
        .unwrap_or_default();
    first
        .name
        .filter(|name| !name.is_empty())
        .unwrap_or(first.email)
}
