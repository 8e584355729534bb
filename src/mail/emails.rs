//! Emails across mailboxes: JMAP's queries and sorts (RFC 8621 §4.4).
//!
//! A page of a mailbox by date costs its rows, while dates and UIDs agree; every other order costs
//! one scan of the rows and 32 octets for each that matches (more where it sorts by what is inside
//! the messages). Emails with `\Deleted` are not there (RFC 8621 §4.1.1).

use super::search::{Prepared, Query};
use super::{EmailId, Error, Flags, Mail, MailboxId, Reader, Result, Row, ThreadId, Uid, UidSet};
use crate::mime::casemap::Collation;
use crate::mime::{Address, address, subject};
use smol::future::yield_now;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Rows in one look at the store.
const SLICE: usize = 4096;
/// Messages in one look at the store, for what is inside them.
const INSIDE: usize = 64;
/// Characters of a name or subject that are compared.
const COMPARED: usize = 128;

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
    /// How many of the results are needed at least, if not all.
    pub reach: Option<usize>,
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

/// A key that had to be read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(i64),
    Text(String),
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
        let mut hits = self.hits(question).await?;
        self.sort(&mut hits, &question.sort).await?;
        let mut threads = HashSet::new();
        hits.retain(|hit| !question.collapse || threads.insert(hit.thread));
        Ok(hits.into_iter().map(|hit| hit.email).collect())
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
        let reach = question.reach.unwrap_or(usize::MAX);
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
        let mut shared = HashSet::new();
        for mailbox in mailboxes {
            let within = match question.query.is_of_row() {
                true => None,
                false => match self.view(mailbox) {
                    Ok(view) => Some(
                        self.search(mailbox, &view.uids, question.query.clone())
                            .await?,
                    ),
                    Err(Error::NoSuchMailbox) => continue,
                    Err(error) => return Err(error),
                },
            };
            let whole = question.mailbox.is_none();
            self.collect(mailbox, question, within.as_ref(), |row| {
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
        mut hit: impl FnMut(&Row),
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

    async fn sort(&self, hits: &mut Vec<Hit>, sort: &[(SortKey, bool)]) -> Result<()> {
        let newest_first = [(SortKey::Received, false)];
        let sort = if sort.is_empty() { &newest_first } else { sort };
        let received = sort.iter().find(|(key, _)| *key == SortKey::Received);
        let tie_ascending = received.is_some_and(|(_, ascending)| *ascending);
        let tie = |a: &Hit, b: &Hit| match tie_ascending {
            true => a.tie.cmp(&b.tie),
            false => b.tie.cmp(&a.tie),
        };
        if sort.iter().all(|(key, _)| key.is_outside()) {
            hits.sort_unstable_by(|a, b| {
                let order = sort.iter().map(|(key, up)| turn(outside(*key, a, b), *up));
                order
                    .fold(Ordering::Equal, Ordering::then)
                    .then_with(|| tie(a, b))
            });
            return Ok(());
        }
        let mut keyed = self.keys(std::mem::take(hits), sort).await?;
        keyed.sort_unstable_by(|(a, ka), (b, kb)| {
            let order = sort.iter().enumerate().map(|(at, (key, up))| {
                let order = match key.is_outside() {
                    true => outside(*key, a, b),
                    false => ka.get(at).cmp(&kb.get(at)),
                };
                turn(order, *up)
            });
            order
                .fold(Ordering::Equal, Ordering::then)
                .then_with(|| tie(a, b))
        });
        *hits = keyed.into_iter().map(|(hit, _)| hit).collect();
        Ok(())
    }

    /// Reads the keys that the rows do not hold.
    async fn keys(&self, hits: Vec<Hit>, sort: &[(SortKey, bool)]) -> Result<Vec<(Hit, Vec<Key>)>> {
        let mut threads: HashMap<ThreadId, ThreadFlags> = HashMap::new();
        let mut keyed = Vec::with_capacity(hits.len());
        for slice in hits.chunks(INSIDE) {
            let reader = self.reader()?;
            for hit in slice {
                let keys = sort
                    .iter()
                    .map(|(key, _)| inside(&reader, &mut threads, hit, *key));
                keyed.push((*hit, keys.collect::<Result<_>>()?));
            }
            drop(reader);
            yield_now().await;
        }
        Ok(keyed)
    }
}

fn fits(prepared: &Prepared, reader: &Reader, row: &Row) -> Result<bool> {
    Ok(!row.flags.has(Flags::DELETED) && prepared.matches(reader, row)?)
}

fn turn(order: Ordering, ascending: bool) -> Ordering {
    if ascending { order } else { order.reverse() }
}

/// Compares by what the rows hold; false comes before true (RFC 8620 §5.5).
fn outside(key: SortKey, a: &Hit, b: &Hit) -> Ordering {
    match key {
        SortKey::Received => a.received.cmp(&b.received),
        SortKey::Size => a.size.cmp(&b.size),
        SortKey::Has(flags) => a.flags.has(flags).cmp(&b.flags.has(flags)),
        _ => Ordering::Equal,
    }
}

fn inside(
    reader: &Reader,
    threads: &mut HashMap<ThreadId, ThreadFlags>,
    hit: &Hit,
    key: SortKey,
) -> Result<Key> {
    if let SortKey::AllInThread(flags) | SortKey::SomeInThread(flags) = key {
        let found = match threads.get(&hit.thread) {
            Some(found) => *found,
            None => thread_flags(reader, hit.thread)?,
        };
        threads.insert(hit.thread, found);
        let all = matches!(key, SortKey::AllInThread(_));
        let holds = if all {
            found.all.has(flags)
        } else {
            found.some.has(flags)
        };
        return Ok(Key::Number(holds.into()));
    }
    if key.is_outside() {
        return Ok(Key::Number(0));
    }
    let Some(message) = reader.message(hit.email)? else {
        return Ok(Key::Number(0));
    };
    let view = message.view();
    if key == SortKey::Sent {
        let sent = view
            .and_then(|view| view.facts())
            .and_then(|facts| facts.sent_at);
        return Ok(Key::Number(
            sent.map_or(i64::from(hit.received), |at| at.secs),
        ));
    }
    let envelope = view.and_then(|view| view.envelope()).unwrap_or_default();
    let (text, collation) = match key {
        SortKey::From(collation) => (person(&envelope.from), collation),
        SortKey::To(collation) => (person(&envelope.to), collation),
        SortKey::Subject(collation) => {
            let subject = envelope.subject.as_deref().unwrap_or_default();
            (subject::base(subject).text, collation)
        }
        _ => return Ok(Key::Number(0)),
    };
    Ok(Key::Text(
        collation.fold(&text).chars().take(COMPARED).collect(),
    ))
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
