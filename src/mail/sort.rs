//! The order of messages (RFC 5256 §3 SORT, RFC 5957, RFC 6203 §6).
//!
//! What a message is sorted by becomes one run of octets that compares as the criteria do, one after
//! the other. So much of it is held as fits `limits::SORT_MEMORY` for all messages together: where
//! two are equal that far and go on, those are read again from there. The memory is bounded, and the
//! order is exact up to `limits::SORT_TEXT` octets of a text.

use super::facts::{Known, List};
use super::search::{Prepared, Query};
use super::walk::{self, Pace, Reached};
use super::{Mail, MailboxId, Reader, Result, Row, Uid, UidSet};
use crate::limits;
use crate::sys::aside;
use std::sync::Arc;

/// What messages are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// INTERNALDATE.
    Arrival,
    /// `addr-mailbox` of the first Cc address.
    Cc,
    /// The Date field, or else INTERNALDATE (RFC 5256 §2.2).
    Date,
    /// `addr-mailbox` of the first From address.
    From,
    /// Octets.
    Size,
    /// The base subject (RFC 5256 §2.1).
    Subject,
    /// `addr-mailbox` of the first To address.
    To,
    /// Name or address of the first From address (RFC 5957).
    DisplayFrom,
    /// Name or address of the first To address.
    DisplayTo,
    /// How well the search's fuzzy conditions hold; the best first (RFC 6203 §6).
    Relevancy,
}

impl Criterion {
    /// The row alone tells.
    fn is_of_row(self) -> bool {
        matches!(self, Criterion::Arrival | Criterion::Size)
    }
}

/// An order: criteria, and whether each is reversed. What they do not settle, the UID does.
#[derive(Clone, Debug)]
pub struct Order {
    criteria: Vec<(Criterion, bool)>,
    query: Option<Prepared>,
}

impl Order {
    /// By these criteria; `query` is what RELEVANCY is measured by.
    pub fn new(criteria: Vec<(Criterion, bool)>, query: Option<Query>) -> Order {
        let relevant = criteria.iter().any(|(by, _)| *by == Criterion::Relevancy);
        Order {
            criteria,
            query: query.filter(|_| relevant).map(Query::prepare),
        }
    }

    /// Is this among the criteria?
    pub fn has(&self, criterion: Criterion) -> bool {
        self.criteria.iter().any(|(by, _)| *by == criterion)
    }

    fn pace(&self) -> Pace {
        let light = self.criteria.iter().all(|(by, _)| by.is_of_row());
        let heavy = self.query.as_ref().map(Prepared::pace);
        match (light, heavy) {
            (_, Some(pace)) if pace.aside => pace,
            (true, _) => Pace::ROWS,
            _ => Pace::FACTS,
        }
    }

    /// Writes what a message is sorted by: octets that compare as the criteria do.
    fn key(&self, reader: &Reader, row: &Row, out: &mut Vec<u8>) -> Result<()> {
        let mut known = None;
        for (by, reverse) in &self.criteria {
            let from = out.len();
            match by {
                Criterion::Arrival => out.extend(row.internaldate.to_be_bytes()),
                Criterion::Size => out.extend(row.size.to_be_bytes()),
                Criterion::Relevancy => {
                    let score = self.query.as_ref().map(|it| it.relevance(reader, row));
                    out.push(u8::MAX - score.transpose()?.unwrap_or(0));
                }
                _ => {
                    let known = match &mut known {
                        Some(known) => known,
                        none => none.insert(Known::new(reader, row)?),
                    };
                    of_message(*by, known, out)?;
                }
            }
            if *reverse {
                out.iter_mut().skip(from).for_each(|octet| *octet = !*octet);
            }
        }
        Ok(())
    }
}

fn of_message(by: Criterion, known: &mut Known<'_>, out: &mut Vec<u8>) -> Result<()> {
    let text = match by {
        Criterion::Date => {
            let sent = known.sent(&known.facts());
            // The sign's bit turned: negative numbers come first.
            out.extend((sent as u64 ^ 1 << 63).to_be_bytes());
            return Ok(());
        }
        Criterion::Cc => known.mailbox(List::Cc)?,
        Criterion::From => known.mailbox(List::From)?,
        Criterion::To => known.mailbox(List::To)?,
        Criterion::DisplayFrom => known.display(List::From)?,
        Criterion::DisplayTo => known.display(List::To)?,
        _ => known.subject()?.0,
    };
    let octets = text.bytes().take(limits::SORT_TEXT);
    // A text ends below any octet, so that what follows does not matter where texts differ.
    out.extend(octets.filter(|octet| *octet > 0));
    out.push(0);
    Ok(())
}

/// Messages and the part of their keys that is looked at now.
#[derive(Default)]
struct Keys {
    octets: Vec<u8>,
    entries: Vec<Entry>,
    scratch: Vec<u8>,
}

struct Entry {
    uid: Uid,
    from: u32,
    len: u16,
    /// The key goes on behind this part.
    more: bool,
}

impl Keys {
    fn of(&self, entry: &Entry) -> &[u8] {
        let from = entry.from as usize;
        let to = from + usize::from(entry.len);
        self.octets.get(from..to).unwrap_or_default()
    }

    /// Adds a message with the part of its key behind `skip`, `room` octets at most.
    fn add(&mut self, uid: Uid, skip: usize, room: usize) {
        let rest = self.scratch.get(skip..).unwrap_or_default();
        let part = rest.get(..room).unwrap_or(rest);
        self.entries.push(Entry {
            uid,
            from: self.octets.len() as u32,
            len: part.len() as u16,
            more: part.len() < rest.len(),
        });
        self.octets.extend_from_slice(part);
    }

    /// The UIDs in order, and the runs (from, to) among which the order is not settled yet.
    fn sorted(mut self) -> (Vec<Uid>, Vec<(usize, usize)>) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by(|a, b| {
            let parts = self.of(a).cmp(self.of(b));
            parts.then((a.more, a.uid).cmp(&(b.more, b.uid)))
        });
        let mut open = Vec::new();
        let mut from = 0;
        for run in entries.chunk_by(|a, b| a.more && b.more && self.of(a) == self.of(b)) {
            if run.len() > 1 {
                open.push((from, from + run.len()));
            }
            from += run.len();
        }
        drop(self);
        let mut uids: Vec<Uid> = entries.into_iter().map(|entry| entry.uid).collect();
        uids.shrink_to_fit();
        (uids, open)
    }
}

impl Mail {
    /// The messages among `within` in order. Those that are gone are left out. Yields to other
    /// sessions; can be dropped at any time.
    pub async fn sorted(
        self: &Arc<Self>,
        mailbox: MailboxId,
        within: &UidSet,
        order: Order,
    ) -> Result<Vec<Uid>> {
        let order = Arc::new(order);
        let _turn = walk::turn().await;
        let (mut uids, open) = self.sort_part(mailbox, within.clone(), &order, 0).await?;
        let mut open: Vec<_> = open
            .into_iter()
            .map(|run| (run, room(within.len())))
            .collect();
        while let Some(((from, to), skip)) = open.pop() {
            let part: UidSet = {
                let mut part = uids.get(from..to).unwrap_or_default().to_vec();
                part.sort_unstable();
                part.into_iter().collect()
            };
            let width = room(part.len());
            let (sorted, unsettled) = self.sort_part(mailbox, part, &order, skip).await?;
            // What has gone meanwhile leaves its place to its neighbour: it is not told twice.
            let gone = (to - from).saturating_sub(sorted.len());
            if gone == 0 {
                if let Some(place) = uids.get_mut(from..to) {
                    place.copy_from_slice(&sorted);
                }
                let deeper = unsettled
                    .into_iter()
                    .map(|(a, b)| ((from + a, from + b), skip + width));
                open.extend(deeper);
            }
        }
        Ok(uids)
    }

    async fn sort_part(
        self: &Arc<Self>,
        mailbox: MailboxId,
        within: UidSet,
        order: &Arc<Order>,
        skip: usize,
    ) -> Result<(Vec<Uid>, Vec<(usize, usize)>)> {
        let (order, room) = (order.clone(), room(within.len()));
        let mut keys = Keys::default();
        // As much as can come at most, once: nothing moves while it grows, and what is not used is
        // never touched.
        let most = within.len() as usize;
        keys.entries.reserve_exact(most);
        keys.octets.reserve_exact(most.saturating_mul(room));
        let pace = order.pace();
        let within = Arc::new(within);
        let keys = self
            .walk(
                mailbox,
                &within,
                pace,
                &Reached::default(),
                keys,
                move |keys, reader, row| {
                    keys.scratch.clear();
                    order.key(reader, row, &mut keys.scratch)?;
                    keys.add(row.uid, skip, room);
                    Ok(())
                },
            )
            .await?;
        if keys.entries.len() < 4096 {
            return Ok(keys.sorted());
        }
        Ok(aside(move || keys.sorted()).await)
    }

    /// Where a message belongs in a list that is sorted already, counted from 0; `None` where it is
    /// gone. Messages of the list that are gone count as any neighbour of theirs.
    pub fn place(
        &self,
        mailbox: MailboxId,
        list: &[Uid],
        uid: Uid,
        order: &Order,
    ) -> Result<Option<usize>> {
        let reader = self.reader()?;
        let key = |uid: Uid| -> Result<Option<(Vec<u8>, Uid)>> {
            let Some(row) = reader.row(mailbox, uid)? else {
                return Ok(None);
            };
            let mut key = Vec::new();
            order.key(&reader, &row, &mut key)?;
            Ok(Some((key, uid)))
        };
        let Some(wanted) = key(uid)? else {
            return Ok(None);
        };
        let (mut low, mut high) = (0, list.len());
        while low < high {
            let middle = (low + high) / 2;
            let mut at = middle;
            // One that is gone says nothing: ask the next one below.
            let found = loop {
                let Some(other) = list.get(at) else {
                    break None;
                };
                match key(*other)? {
                    Some(found) => break Some(found),
                    None if at > low => at -= 1,
                    None => break None,
                }
            };
            match found {
                Some(found) if found > wanted => high = at,
                _ => low = middle + 1,
            }
        }
        Ok(Some(low))
    }
}

/// Octets of each key that are held while so many messages are sorted.
fn room(count: u32) -> usize {
    let share = limits::SORT_MEMORY / usize::try_from(count.max(1)).unwrap_or(usize::MAX);
    share.clamp(16, limits::SORT_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Sorts keys as the engine does, part by part.
    fn by_parts(keys: &[Vec<u8>], width: usize) -> Vec<Uid> {
        let part = |uids: &[Uid], skip: usize| {
            let mut part = Keys::default();
            for uid in uids {
                part.scratch.clone_from(&keys[*uid as usize]);
                part.add(*uid, skip, width);
            }
            part.sorted()
        };
        let all: Vec<Uid> = (0..keys.len() as u32).collect();
        let (mut uids, open) = part(&all, 0);
        let mut open: Vec<_> = open.into_iter().map(|run| (run, width)).collect();
        while let Some(((from, to), skip)) = open.pop() {
            let (sorted, deeper) = part(&uids[from..to], skip);
            uids[from..to].copy_from_slice(&sorted);
            open.extend(
                deeper
                    .into_iter()
                    .map(|(a, b)| ((from + a, from + b), skip + width)),
            );
        }
        uids
    }

    proptest! {
        #[test]
        fn parts_give_the_order_of_the_whole(
            keys in prop::collection::vec(prop::collection::vec(0u8..3, 0..40), 0..60),
            width in 1usize..9,
        ) {
            let mut want: Vec<Uid> = (0..keys.len() as u32).collect();
            want.sort_by_key(|uid| (keys[*uid as usize].clone(), *uid));
            prop_assert_eq!(by_parts(&keys, width), want);
        }
    }
}
