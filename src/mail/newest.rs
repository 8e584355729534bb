//! The newest emails of all mailboxes, or of one in which dates and UIDs do not agree: a page of them
//! costs its rows, however many there are. A list is found by one scan of the rows and carried forward
//! by changes.

use super::emails::{EmailQuery, SortKey};
use super::{EmailId, Mail, MailboxId, Meta, Modseq, Prepared, Reader, Result, Row, Uid};
use crate::limits::{NEWEST, NEWEST_LISTS};
use crate::store::{Change, Kind};
use crate::sys::lock;
use smol::future::yield_now;
use std::collections::HashSet;
use std::sync::Arc;

/// Rows in one look at the store.
const SLICE: usize = 4096;

/// What an email is sorted by: when it was received, and what settles the rest (the UID in a mailbox,
/// the email's id among all). So the newest is the highest.
type Key = u64;

fn key(of: Option<MailboxId>, row: &Row) -> Key {
    let tie = of.map_or(row.email.0, |_| row.uid.into());
    Key::from(row.internaldate) << 32 | tie
}

/// The newest of one mailbox, or of all. What is marked `\Deleted` is among them.
#[derive(Clone)]
struct List {
    of: Option<MailboxId>,
    /// As of this modseq (at least).
    modseq: Modseq,
    /// Whatever has this key or a higher one is in the list.
    floor: Key,
    /// In order, the newest last.
    keys: Vec<Key>,
}

impl List {
    fn note(&mut self, key: Key) {
        if key >= self.floor
            && let Err(at) = self.keys.binary_search(&key)
        {
            self.keys.insert(at, key);
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.keys.len() > 2 * NEWEST {
            self.keys.drain(..self.keys.len() - NEWEST);
            self.floor = self.keys.first().copied().unwrap_or(0);
        }
    }
}

/// Lists in use, most recently used last.
#[derive(Default)]
pub(super) struct Lists(Vec<Arc<List>>);

impl Lists {
    fn take(&mut self, of: Option<MailboxId>) -> Option<Arc<List>> {
        let at = self.0.iter().position(|list| list.of == of)?;
        Some(self.0.remove(at))
    }

    fn put(&mut self, list: &Arc<List>) {
        self.take(list.of);
        if self.0.len() >= NEWEST_LISTS {
            self.0.remove(0);
        }
        self.0.push(Arc::clone(list));
    }
}

impl Mail {
    /// The emails that a question is about, newest first, where a look at the newest tells enough of
    /// them.
    pub(super) async fn newest(&self, question: &EmailQuery) -> Result<Option<Vec<EmailId>>> {
        let by_date = matches!(question.sort.as_slice(), [] | [(SortKey::Received, false)]);
        let few = question.anchor.is_some() || question.reach <= NEWEST;
        if !by_date || !few || !question.query.is_of_row() || self.reader()?.sight.is_some() {
            return Ok(None);
        }
        let list = match self.known(question.mailbox)? {
            Some(list) => list,
            None => {
                let list = Arc::new(self.gather(question.mailbox).await?);
                lock(&self.shared.newest).put(&list);
                list
            }
        };
        self.pick(question, &list)
    }

    /// A list that is at hand, carried forward.
    fn known(&self, of: Option<MailboxId>) -> Result<Option<Arc<List>>> {
        let meta = self.whole();
        let mut lists = lock(&self.shared.newest);
        let Some(mut list) = lists.take(of) else {
            return Ok(None);
        };
        if !self.carry(Arc::make_mut(&mut list), &meta)? {
            return Ok(None);
        }
        lists.put(&list);
        Ok(Some(list))
    }

    /// Brings a list up to the snapshot; false when nobody remembers what came between.
    fn carry(&self, list: &mut List, meta: &Meta) -> Result<bool> {
        let of = list.of;
        let concerns = |change: &&Change| {
            let there = of.is_none_or(|of| change.mailbox == of);
            let moved = match change.kind {
                Kind::Added(whole) | Kind::Removed(whole) => whole || of.is_some(),
                _ => false,
            };
            there && moved && change.modseq <= meta.modseq
        };
        let ring = lock(&self.shared.ring);
        let Some(changes) = ring.since(list.modseq) else {
            return Ok(false);
        };
        let changes: Vec<Change> = changes.filter(concerns).copied().collect();
        drop(ring);
        let reader = self.whole_reader()?;
        for change in changes {
            let tie = of.map_or(change.email.0, |_| change.uid.into()) as u32;
            match change.kind {
                Kind::Removed(_) => list.keys.retain(|key| *key as u32 != tie),
                _ => {
                    // What is gone again by now is told as removed by a later change.
                    let rows = rows(&reader, of, tie)?;
                    rows.iter().take(1).for_each(|row| list.note(key(of, row)));
                }
            }
        }
        list.modseq = meta.modseq;
        Ok(true)
    }

    /// Finds the newest by a look at every row.
    async fn gather(&self, of: Option<MailboxId>) -> Result<List> {
        let meta = self.whole();
        let mut list = List {
            of,
            modseq: meta.modseq,
            floor: 0,
            keys: Vec::with_capacity(2 * NEWEST + 1),
        };
        let mailboxes = meta.mailboxes.iter().map(|mailbox| mailbox.id);
        for mailbox in mailboxes.filter(|id| of.is_none_or(|of| *id == of)) {
            let mut first = 1;
            loop {
                let mut looked = 0;
                self.whole_reader()?.rows(mailbox, first, Uid::MAX, |row| {
                    looked += 1;
                    first = row.uid.saturating_add(1);
                    let key = key(of, row);
                    if key >= list.floor {
                        list.keys.push(key);
                    }
                    if list.keys.len() > 2 * NEWEST {
                        list.keys.sort_unstable();
                        list.keys.dedup();
                        list.cut();
                    }
                    looked < SLICE
                })?;
                if looked < SLICE {
                    break;
                }
                yield_now().await;
            }
        }
        list.keys.sort_unstable();
        list.keys.dedup();
        Ok(list)
    }

    /// Those of the list that a question is about; None: there are not enough.
    fn pick(&self, question: &EmailQuery, list: &List) -> Result<Option<Vec<EmailId>>> {
        let prepared = question.query.clone().prepare();
        let reader = self.reader()?;
        // Where few fit, a scan is cheaper than many single looks.
        let most = match question.query.is_anything() || question.anchor.is_some() {
            true => usize::MAX,
            false => question.reach.saturating_mul(4).saturating_add(64),
        };
        let (mut found, mut threads) = (Vec::new(), HashSet::new());
        let mut reach = question.reach;
        for key in list.keys.iter().rev().take(most) {
            if found.len() >= reach {
                return Ok(Some(found));
            }
            let Some(row) = fitting(&reader, list.of, *key as u32, &prepared)? else {
                continue;
            };
            if !question.collapse || threads.insert(row.thread) {
                reach = question.reach_at(found.len(), row.email).unwrap_or(reach);
                found.push(row.email);
            }
        }
        let whole = list.floor == 0 && list.keys.len() <= most;
        Ok((whole || found.len() >= reach).then_some(found))
    }
}

/// The memberships behind a tie.
fn rows(reader: &Reader, of: Option<MailboxId>, tie: u32) -> Result<Vec<Row>> {
    match of {
        Some(mailbox) => Ok(reader.row(mailbox, tie)?.into_iter().collect()),
        None => reader.memberships(EmailId(tie.into())),
    }
}

/// The first of them that fits.
fn fitting(
    reader: &Reader,
    of: Option<MailboxId>,
    tie: u32,
    prepared: &Prepared,
) -> Result<Option<Row>> {
    for row in rows(reader, of, tie)? {
        if super::emails::fits(prepared, reader, &row)? {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest() {
        let mut list = List {
            of: None,
            modseq: 0,
            floor: 0,
            keys: Vec::new(),
        };
        let most = 5 * NEWEST as Key;
        // Every other one from the oldest on, then those between.
        (0..most).step_by(2).for_each(|key| list.note(key));
        let floor = list.floor;
        assert!(floor > 0);
        (0..most).skip(1).step_by(2).for_each(|key| list.note(key));
        list.note(most - 1);
        assert!(list.floor >= floor && list.keys.len() <= 2 * NEWEST);
        // Whatever is not below the floor is there, once.
        let all: Vec<Key> = (list.floor..most).collect();
        assert_eq!(list.keys, all);
    }
}
