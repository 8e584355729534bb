//! The UIDs of a mailbox: what SELECT needs of it, without a look at its rows.
//!
//! A mailbox that nothing was ever expunged from has all of them. The UIDs of another are found by
//! one scan, carried forward by changes, and kept in the store now and then, so that a restart does
//! not ask for the scan again: what was kept is carried forward over what came and went since.

use super::{Mail, MailboxId, Meta, Modseq, Result, Rights, Uid, UidSet};
use crate::limits::{VIEW_OCTETS, VIEWS};
use crate::mail::Error;
use crate::store::{Counters, Kind};
use crate::sys::lock;
use std::sync::Arc;

/// UIDs that share one entry of [`View::chunks`].
const CHUNK: u32 = 256;
/// So many rows are looked at rather than kept.
const CHEAP: u32 = 4096;
/// Where a view is kept, before the mailbox's id.
const PREFIX: &[u8] = b"view/";

/// The UIDs of a mailbox, shared by all its sessions and carried forward by changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// As of this modseq (at least).
    pub modseq: Modseq,
    /// Every UID in the mailbox.
    pub uids: UidSet,
    /// Its UIDNEXT then.
    pub uidnext: Uid,
    /// For each [`CHUNK`] of UIDs with members: no row in it has a higher modseq. What changed long
    /// ago is found without a look at every row. None until somebody asks.
    chunks: Option<Vec<(u32, Modseq)>>,
}

impl View {
    fn new(modseq: Modseq, uidnext: Uid, uids: UidSet) -> View {
        View {
            modseq,
            uids,
            uidnext,
            chunks: None,
        }
    }

    fn note(&mut self, uid: Uid, modseq: Modseq) {
        let Some(chunks) = &mut self.chunks else {
            return;
        };
        let chunk = uid / CHUNK;
        match chunks.last_mut() {
            Some((last, highest)) if *last == chunk => *highest = modseq.max(*highest),
            Some((last, _)) if *last > chunk => {
                match chunks.binary_search_by_key(&chunk, |c| c.0) {
                    Ok(at) => {
                        if let Some((_, highest)) = chunks.get_mut(at) {
                            *highest = modseq.max(*highest);
                        }
                    }
                    Err(at) => chunks.insert(at, (chunk, modseq)),
                }
            }
            _ => chunks.push((chunk, modseq)),
        }
    }

    /// Varints: modseq, UIDNEXT, how many runs, how far each of them is from the one before and how
    /// long; then the chunks: how far each is from the one before, how far its modseq is behind.
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(self.modseq, &mut out);
        put_varint(self.uidnext.into(), &mut out);
        put_varint(self.uids.runs().len() as u64, &mut out);
        let mut at = 0;
        for (first, last) in self.uids.runs() {
            put_varint((first - at).into(), &mut out);
            put_varint((last - first).into(), &mut out);
            at = last;
        }
        at = 0;
        for (chunk, modseq) in self.chunks.iter().flatten() {
            put_varint((chunk - at).into(), &mut out);
            put_varint(self.modseq.saturating_sub(*modseq), &mut out);
            at = *chunk;
        }
        out
    }

    /// None: not what [`View::encode`] wrote.
    fn decode(bytes: &[u8]) -> Option<View> {
        let rest = &mut { bytes };
        let modseq = take_varint(rest)?;
        let mut view = View::new(modseq, take_u32(rest)?, UidSet::new());
        let mut at = 0u32;
        for _ in 0..take_varint(rest)? {
            let first = at.checked_add(take_u32(rest)?)?;
            at = first.checked_add(take_u32(rest)?)?;
            view.uids.push_range(first, at);
        }
        at = 0;
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            at = at.checked_add(take_u32(rest)?)?;
            chunks.push((at, modseq.checked_sub(take_varint(rest)?)?));
        }
        view.chunks = Some(chunks).filter(|chunks| !chunks.is_empty());
        Some(view)
    }
}

fn put_varint(mut n: u64, out: &mut Vec<u8>) {
    while n > 127 {
        out.push(n as u8 | 128);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut n = 0;
    for shift in 0..9 {
        let (octet, rest) = bytes.split_first()?;
        *bytes = rest;
        n |= u64::from(octet & 127) << (7 * shift);
        if *octet < 128 {
            return Some(n);
        }
    }
    None
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    take_varint(bytes)?.try_into().ok()
}

/// Where the view of a mailbox is kept.
pub(super) fn key(mailbox: MailboxId) -> Vec<u8> {
    [PREFIX, &mailbox.0.to_be_bytes()].concat()
}

/// Views in use, most recently used last.
#[derive(Default)]
pub(super) struct Views(Vec<(MailboxId, Arc<View>)>);

impl Views {
    fn take(&mut self, mailbox: MailboxId) -> Option<Arc<View>> {
        let at = self.0.iter().position(|(id, _)| *id == mailbox)?;
        Some(self.0.remove(at).1)
    }

    fn put(&mut self, mailbox: MailboxId, view: Arc<View>) {
        if self.0.len() >= VIEWS {
            self.0.remove(0);
        }
        self.0.push((mailbox, view));
    }
}

impl Mail {
    /// The UIDs of a mailbox.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `r`.
    pub fn view(&self, mailbox: MailboxId) -> Result<Arc<View>> {
        self.need(mailbox, Rights::READ)?;
        let meta = self.whole();
        let counters = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?.counters;
        let mut views = lock(&self.shared.views);
        let view = match views.take(mailbox) {
            Some(view) => self.forward(mailbox, view, &meta, &counters)?,
            None => Arc::new(self.first_view(mailbox, &meta, &counters)?),
        };
        views.put(mailbox, view.clone());
        Ok(view)
    }

    /// Members that may have changed after `since`: whole chunks of them.
    pub(super) fn maybe_changed(&self, mailbox: MailboxId, since: Modseq) -> Result<UidSet> {
        let mut view = self.view(mailbox)?;
        if view.chunks.is_none() {
            view = Arc::new(self.scan_view(mailbox, view.modseq, view.uidnext)?);
            let mut views = lock(&self.shared.views);
            views.take(mailbox);
            views.put(mailbox, view.clone());
        }
        let mut spans = UidSet::new();
        for (chunk, _) in view.chunks.iter().flatten().filter(|c| c.1 > since) {
            let first = chunk * CHUNK;
            spans.insert_range(first.max(1), first + (CHUNK - 1));
        }
        Ok(view.uids.and(&spans))
    }

    /// All of them, those that were kept, or what a scan finds.
    fn first_view(&self, mailbox: MailboxId, meta: &Meta, counters: &Counters) -> Result<View> {
        let last = counters.uidnext.saturating_sub(1);
        if counters.total > CHEAP
            && let Some(row) = self.whole_reader()?.get(&key(mailbox))?
            && let Some(kept) = View::decode(&row).filter(|kept| kept.modseq <= meta.modseq)
            && let Some(view) = self.leap(mailbox, kept, meta, counters)?
            && view.uids.len() == counters.total
        {
            return Ok(view);
        }
        if counters.total == last {
            let all = UidSet::range(1, last);
            return Ok(View::new(meta.modseq, counters.uidnext, all));
        }
        let view = self.scan_view(mailbox, meta.modseq, counters.uidnext)?;
        self.keep(mailbox, &view, view.uids.len());
        Ok(view)
    }

    fn scan_view(&self, mailbox: MailboxId, modseq: Modseq, uidnext: Uid) -> Result<View> {
        let mut view = View::new(modseq, uidnext, UidSet::new());
        view.chunks = Some(Vec::new());
        let last = uidnext.saturating_sub(1);
        self.whole_reader()?.rows(mailbox, 1, last, |row| {
            view.uids.insert(row.uid);
            view.note(row.uid, row.modseq);
            true
        })?;
        Ok(view)
    }

    /// Carries a view forward over more changes than the ring holds: new rows are above all that it
    /// has, and ends are remembered. `None`: they are forgotten.
    fn leap(
        &self,
        mailbox: MailboxId,
        mut view: View,
        meta: &Meta,
        counters: &Counters,
    ) -> Result<Option<View>> {
        if view.modseq >= counters.highest_modseq {
            return Ok(Some(view));
        }
        let (first, last) = (view.uidnext.max(1), counters.uidnext.saturating_sub(1));
        self.whole_reader()?.rows(mailbox, first, last, |row| {
            view.uids.insert(row.uid);
            true
        })?;
        let Some(gone) = self.vanished(mailbox, view.modseq, meta)? else {
            return Ok(None);
        };
        let new = View::new(meta.modseq, counters.uidnext, view.uids.minus(&gone));
        let drift = (counters.uidnext.saturating_sub(first)).saturating_add(gone.len());
        self.keep(mailbox, &new, drift);
        Ok(Some(new))
    }

    /// Keeps the views in use: the next start will want them. Of the one that was used last it is
    /// found out, too, what changed when.
    pub(super) fn keep_views(&self) {
        let meta = self.whole();
        let Ok(reader) = self.whole_reader() else {
            return;
        };
        let mut newest = true;
        for (mailbox, view) in lock(&self.shared.views).0.drain(..).rev() {
            let counters = meta.mailbox(mailbox).map(|m| m.counters);
            let view = counters.map(|counters| self.forward(mailbox, view, &meta, &counters));
            let Some(Ok(mut view)) = view else { continue };
            if std::mem::take(&mut newest)
                && view.chunks.is_none()
                && let Ok(scanned) = self.scan_view(mailbox, view.modseq, view.uidnext)
            {
                view = Arc::new(scanned);
            }
            let kept = reader.get(&key(mailbox)).ok().flatten();
            let kept = kept.and_then(|row| View::decode(&row));
            if kept.is_none_or(|kept| kept != *view) {
                self.keep(mailbox, &view, u32::MAX);
            }
        }
    }

    /// Keeps a view that `cost` rows were looked at for, if that were many. Nobody waits for it.
    fn keep(&self, mailbox: MailboxId, view: &View, cost: u32) {
        let all = view.uids.len() == view.uidnext.saturating_sub(1);
        if all && view.chunks.is_none() || cost <= CHEAP || view.uids.len() <= CHEAP {
            return;
        }
        let row = view.encode();
        if row.len() > VIEW_OCTETS {
            return;
        }
        self.store.later(Box::new(move |txn| {
            if !txn.state.mailboxes.contains_key(&mailbox.0) {
                return Ok(());
            }
            txn.loosely(|txn| txn.put_misc(&key(mailbox), Some(&row)))
        }));
    }

    fn forward(
        &self,
        mailbox: MailboxId,
        mut view: Arc<View>,
        meta: &Meta,
        counters: &Counters,
    ) -> Result<Arc<View>> {
        if view.modseq >= counters.highest_modseq {
            return Ok(view);
        }
        let ring = lock(&self.shared.ring);
        let Some(changes) = ring.since(view.modseq) else {
            drop(ring);
            let old = View::clone(&view);
            let new = match self.leap(mailbox, old, meta, counters)? {
                Some(new) => new,
                None => self.scan_view(mailbox, meta.modseq, counters.uidnext)?,
            };
            return Ok(Arc::new(new));
        };
        for change in changes.filter(|c| c.mailbox == mailbox) {
            let view = Arc::make_mut(&mut view);
            match change.kind {
                Kind::Added(_) => view.uids.insert(change.uid),
                Kind::Removed(_) => view.uids.remove(change.uid),
                Kind::Changed(_) => {}
            }
            view.note(change.uid, change.modseq);
        }
        let new = Arc::make_mut(&mut view);
        (new.modseq, new.uidnext) = (meta.modseq, counters.uidnext);
        Ok(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn comes_back(runs in prop::collection::vec((1u32..100_000, 0u32..300), 0..50)) {
            let mut uids = UidSet::new();
            for (first, more) in runs {
                uids.insert_range(first, first + more);
            }
            let mut view = View::new(1 << 47, 200_000, uids);
            prop_assert_eq!(View::decode(&view.encode()), Some(view.clone()));
            view.chunks = Some(vec![(0, 7), (300, 1 << 47)]);
            prop_assert_eq!(View::decode(&view.encode()), Some(view));
        }
        #[test]
        fn rubbish_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = View::decode(&bytes);
        }
    }
}
