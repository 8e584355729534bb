//! What changed since a modseq: from the ring of recent changes, else from the rows.

use super::order::by_number;
use super::{
    DataType, EmailId, Error, Flags, Mail, MailboxId, Meta, Modseq, Reader, Result, Rights,
    ThreadId, Uid, UidSet,
};
use crate::limits::CHANGE_RING;
use crate::store::{Change, Kind};
use crate::sys::lock;
use smol::future::yield_now;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// The last changes, oldest first.
#[derive(Default)]
pub(super) struct Ring {
    changes: VecDeque<Change>,
    /// Every change after this one is in the ring.
    floor: Modseq,
}

impl Ring {
    pub fn new(floor: Modseq) -> Ring {
        Ring {
            changes: VecDeque::new(),
            floor,
        }
    }

    /// Adds the changes of one commit that led to `modseq`.
    pub fn extend(&mut self, log: &[Change], modseq: Modseq) {
        if log.len() > CHANGE_RING {
            *self = Ring::new(modseq);
            return;
        }
        for change in log {
            if self.changes.len() >= CHANGE_RING
                && let Some(oldest) = self.changes.pop_front()
            {
                self.floor = oldest.modseq;
            }
            self.changes.push_back(*change);
        }
    }

    /// The changes after `since`, oldest first; None: it does not reach back so far.
    pub fn since(&self, since: Modseq) -> Option<impl Iterator<Item = &Change>> {
        // One email in several mailboxes changes under one modseq: all of it or none must be here.
        (since >= self.floor).then(|| {
            let at = self.changes.partition_point(|c| c.modseq <= since);
            self.changes.range(at..)
        })
    }
}

/// What happened in one mailbox since a modseq.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Everything up to here is told.
    pub modseq: Modseq,
    /// The mailbox's HIGHESTMODSEQ there (RFC 7162 §3.1.2.1), at most `modseq`.
    pub highest: Modseq,
    /// New or changed UIDs that exist now. Where the ring does not reach back, others of their
    /// neighbourhood too: a row tells by its own modseq.
    pub changed: UidSet,
    /// UIDs that are gone. Where the past is forgotten, `None`: compare with the view.
    pub vanished: Option<UidSet>,
}

/// What happened to objects since a state (RFC 8620 §5.2).
#[derive(Clone, Debug)]
pub struct ObjectChanges<Id> {
    /// The state that these lead to.
    pub modseq: Modseq,
    /// There is more after `modseq`.
    pub more: bool,
    /// Made since.
    pub created: Vec<Id>,
    /// Changed since.
    pub updated: Vec<Id>,
    /// Gone since.
    pub destroyed: Vec<Id>,
}

impl<Id> ObjectChanges<Id> {
    /// The same with other ids.
    pub fn map<To>(self, of: fn(Id) -> To) -> ObjectChanges<To> {
        let each = |ids: Vec<Id>| ids.into_iter().map(of).collect();
        ObjectChanges {
            modseq: self.modseq,
            more: self.more,
            created: each(self.created),
            updated: each(self.updated),
            destroyed: each(self.destroyed),
        }
    }

    /// Nothing happened.
    pub(super) fn new(modseq: Modseq) -> Self {
        let (created, updated, destroyed) = (Vec::new(), Vec::new(), Vec::new());
        ObjectChanges {
            modseq,
            more: false,
            created,
            updated,
            destroyed,
        }
    }
}

impl Mail {
    /// What happened in one mailbox after `since`.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `r`.
    pub fn changes(&self, mailbox: MailboxId, since: Modseq) -> Result<Changes> {
        self.need(mailbox, Rights::READ)?;
        let meta = self.whole();
        let counters = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?.counters;
        let mut out = Changes {
            modseq: meta.modseq,
            highest: counters.highest_modseq.max(1),
            changed: UidSet::new(),
            vanished: Some(UidSet::new()),
        };
        if counters.highest_modseq <= since {
            return Ok(out);
        }
        if let Some(changes) = lock(&self.shared.ring).since(since) {
            let mut vanished = UidSet::new();
            for change in changes.filter(|c| c.mailbox == mailbox && c.modseq <= meta.modseq) {
                if let Kind::Removed(_) = change.kind {
                    out.changed.remove(change.uid);
                    vanished.insert(change.uid);
                } else {
                    out.changed.insert(change.uid);
                }
            }
            out.vanished = Some(vanished);
            return Ok(out);
        }
        out.changed = self.maybe_changed(mailbox, since)?;
        out.vanished = self.vanished(mailbox, since, &meta)?;
        Ok(out)
    }

    /// UIDs that ended after `since`; None when that is forgotten (RFC 7162 §3.2.5.2).
    pub fn vanished(
        &self,
        mailbox: MailboxId,
        since: Modseq,
        meta: &Meta,
    ) -> Result<Option<UidSet>> {
        self.need(mailbox, Rights::READ)?;
        if since < meta.gone_floor {
            return Ok(None);
        }
        let mut gone = UidSet::new();
        self.whole_reader()?.inner.gone(since, &mut |_, g| {
            if g.mailbox == mailbox && g.uid != 0 {
                gone.insert(g.uid);
            }
            true
        })?;
        Ok(Some(gone))
    }

    /// The emails that were in a mailbox and were taken out of it, as far as that is remembered.
    ///
    /// Errors: [`Error::NoSuchMailbox`].
    pub fn left(&self, mailbox: MailboxId) -> Result<Vec<EmailId>> {
        self.need(mailbox, Rights::READ)?;
        let mut left = Vec::new();
        self.whole_reader()?.inner.gone(0, &mut |_, gone| {
            if gone.mailbox == mailbox && gone.uid != 0 {
                left.push(gone.email);
            }
            true
        })?;
        left.sort_unstable();
        Ok(left)
    }

    /// JMAP Email/changes: at most `max` ids, oldest changes first; the state in between is one to
    /// go on from.
    ///
    /// Errors: [`Error::CannotCalculate`].
    pub async fn email_changes(&self, since: Modseq, max: usize) -> Result<ObjectChanges<EmailId>> {
        let (modseq, mut list) = self.touched(since, DataType::Email).await?;
        let mut out = ObjectChanges::new(modseq);
        out.more = cut(&mut list, max, &mut out.modseq);
        for (email, touched) in list {
            match (touched.created, touched.destroyed) {
                (true, true) => {}
                (true, false) => out.created.push(email),
                (false, true) => out.destroyed.push(email),
                (false, false) => out.updated.push(email),
            }
        }
        Ok(out)
    }

    /// JMAP Thread/changes: as for emails; a thread is new when none of its emails was shown before,
    /// gone when none is shown any more (RFC 8621 §3).
    ///
    /// Errors: [`Error::CannotCalculate`].
    pub async fn thread_changes(
        &self,
        since: Modseq,
        max: usize,
    ) -> Result<ObjectChanges<ThreadId>> {
        let (modseq, mut list) = self.touched(since, DataType::Thread).await?;
        // Only emails that came or went change a thread's list.
        list.retain(|(_, t)| t.created || t.destroyed || t.hidden);
        let before: BTreeMap<EmailId, bool> =
            list.iter().map(|(id, t)| (*id, !t.created)).collect();
        let old = list.iter().filter(|(_, touched)| !touched.created);
        let mut unsure: BTreeMap<ThreadId, bool> = BTreeMap::new();
        for (_, touched) in old {
            *unsure.entry(touched.thread).or_insert(true) &= touched.unsure;
        }
        let mut out = ObjectChanges::new(modseq);
        out.more = cut(&mut list, max, &mut out.modseq);
        let threads: BTreeSet<ThreadId> = list.iter().map(|(_, t)| t.thread).collect();
        let reader = self.reader()?;
        for thread in threads {
            let emails = reader.thread(thread)?;
            let mut was = false;
            for email in &emails {
                // What was not touched is as it was.
                was |= match before.get(email) {
                    Some(was) => *was,
                    None => is_shown(&reader, &[*email])?,
                };
            }
            let is = is_shown(&reader, &emails)?;
            match unsure.get(&thread) {
                // One of which nobody knows whether it was there at `since` decides.
                Some(true) if is && !was => return Err(Error::CannotCalculate),
                Some(_) => was = true,
                None => {}
            }
            match (was, is) {
                (false, false) => {}
                (false, true) => out.created.push(thread),
                (true, false) => out.destroyed.push(thread),
                (true, true) => out.updated.push(thread),
            }
        }
        Ok(out)
    }

    /// JMAP Mailbox/changes: as for emails. The bool: nothing but counts changed in those that are
    /// told as updated (RFC 8621 §2.2 `updatedProperties`).
    ///
    /// Errors: [`Error::CannotCalculate`], also when more than `max` changed under one modseq.
    pub fn mailbox_changes(
        &self,
        since: Modseq,
        max: usize,
    ) -> Result<(ObjectChanges<MailboxId>, bool)> {
        let meta = self.meta();
        let now = meta.states.of(DataType::Mailbox);
        let mut out = ObjectChanges::new(now);
        if since == now {
            return Ok((out, false));
        }
        self.check_since(since, &meta)?;
        let mut all = Vec::new();
        for mailbox in &meta.mailboxes {
            let last = mailbox.changed.max(mailbox.counters.counts_modseq);
            if mailbox.created > since {
                all.push((mailbox.created, mailbox.id, Fate::Made));
            } else if last > since {
                let kind = Fate::Changed(mailbox.changed > since);
                all.push((last, mailbox.id, kind));
            }
        }
        self.whole_reader()?
            .inner
            .gone(since, &mut |modseq, gone| {
                // Made and gone in between: nobody heard of it. `email` is when it was made.
                if gone.uid == 0 && gone.email.0 <= since {
                    all.push((modseq, gone.mailbox, Fate::Gone));
                }
                true
            })?;
        by_number(&mut all, |(modseq, _, _)| *modseq);
        if let Some(end) = stop(&all, max)? {
            (out.more, out.modseq) = (true, end);
            all.retain(|(modseq, _, _)| *modseq <= end);
        }
        let mut only_counts = true;
        for (_, id, kind) in all {
            match kind {
                Fate::Made => out.created.push(id),
                Fate::Changed(itself) => {
                    only_counts &= !itself;
                    out.updated.push(id);
                }
                Fate::Gone => out.destroyed.push(id),
            }
        }
        Ok((out, only_counts))
    }

    fn check_since(&self, since: Modseq, meta: &Meta) -> Result<()> {
        // A state from the future comes from another store, or from before a restored backup.
        if since < meta.gone_floor || since > meta.modseq {
            return Err(Error::CannotCalculate);
        }
        // Nor can it be told what was visible before rights changed.
        let changed = |m: &Arc<super::Mailbox>| m.acl_changed > since;
        if self.door.is_some() && self.whole().mailboxes.iter().any(changed) {
            return Err(Error::CannotCalculate);
        }
        Ok(())
    }

    /// Every email with a change after `since`, in order of its last change, and the state of
    /// `kind` that this leads to.
    async fn touched(
        &self,
        since: Modseq,
        kind: DataType,
    ) -> Result<(Modseq, Vec<(EmailId, Touched)>)> {
        let meta = self.meta();
        let now = meta.states.of(kind);
        // However much has been forgotten since: of this type, nothing changed.
        if since == now {
            return Ok((now, Vec::new()));
        }
        self.check_since(since, &meta)?;
        let sight = self.reader()?.sight.is_some();
        let mut emails = match self.touched_in_ring(since, &meta)? {
            Some(emails) if !sight => emails,
            // The rows do not tell what was hidden at `since` and is shown now.
            _ if meta.states.of(DataType::Shown) > since => return Err(Error::CannotCalculate),
            _ if sight => return Ok((now, self.touched_in_sight(since, &meta).await?)),
            _ => self.touched_in_rows(since, &meta).await?,
        };
        for touched in emails.values_mut().filter(|touched| !touched.created) {
            touched.order = touched.modseq;
        }
        let mut list: Vec<_> = emails.into_iter().collect();
        by_number(&mut list, |(_, touched)| touched.order);
        Ok((now, list))
    }

    /// What the ring remembers, if it reaches back so far. An email is new that was in no mailbox
    /// without `\Deleted` (RFC 8621 §4.1.1): the first change of each membership tells.
    fn touched_in_ring(
        &self,
        since: Modseq,
        meta: &Meta,
    ) -> Result<Option<BTreeMap<EmailId, Touched>>> {
        let mut emails: BTreeMap<EmailId, Touched> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        let ring = lock(&self.shared.ring);
        let Some(changes) = ring.since(since) else {
            return Ok(None);
        };
        for change in changes.filter(|c| c.modseq <= meta.modseq) {
            let new = Touched {
                created: true,
                ..Touched::default()
            };
            let touched = emails.entry(change.email).or_insert(new);
            touched.modseq = change.modseq;
            touched.thread = change.thread;
            let before = match change.kind {
                Kind::Added(_) => false,
                Kind::Changed(turned) => change.hidden == turned,
                Kind::Removed(_) => !change.hidden,
            };
            let first = seen.insert((change.mailbox, change.uid));
            touched.created &= !(first && before);
            touched.born |= change.kind == Kind::Added(true);
            touched.destroyed |= change.kind == Kind::Removed(true);
            touched.hidden |= change.kind == Kind::Changed(true);
            let shown = !change.hidden && !matches!(change.kind, Kind::Removed(_));
            if shown && touched.order == 0 {
                touched.order = change.modseq;
            }
        }
        drop(ring);
        let reader = self.reader()?;
        for (email, touched) in &mut emails {
            // One that was there before may be shown by a mailbox in which nothing happened.
            if touched.created && !touched.born {
                let rows = reader.memberships(*email)?;
                let mut rest = rows.iter().filter(|r| !seen.contains(&(r.mailbox, r.uid)));
                touched.created = !rest.any(|row| !row.flags.has(Flags::DELETED));
            }
            if touched.order == 0 {
                touched.order = touched.modseq;
            }
        }
        Ok(Some(emails))
    }

    /// What the rows say that can be seen, a slice at a time.
    async fn rows_since(&self, since: Modseq, meta: &Meta) -> Result<BTreeMap<EmailId, Touched>> {
        let mut emails: BTreeMap<EmailId, Touched> = BTreeMap::new();
        for mailbox in meta.mailboxes.iter().chain(&meta.unlisted) {
            if mailbox.counters.highest_modseq <= since {
                continue;
            }
            let mut next = Some(1);
            while let Some(first) = next.take() {
                let mut looked = 0;
                self.reader()?.rows(mailbox.id, first, Uid::MAX, |row| {
                    if row.modseq > since {
                        let touched = emails.entry(row.email).or_default();
                        touched.modseq = touched.modseq.max(row.modseq);
                        touched.thread = row.thread;
                        // Nobody remembers which flags it was.
                        touched.hidden = true;
                    }
                    looked += 1;
                    if looked == SLICE {
                        next = row.uid.checked_add(1);
                    }
                    looked < SLICE
                })?;
                yield_now().await;
            }
        }
        Ok(emails)
    }

    /// The same from the rows, a slice at a time: others have their turn in between. What changes
    /// meanwhile has a modseq above the snapshot's and is told again next time.
    async fn touched_in_rows(
        &self,
        since: Modseq,
        meta: &Meta,
    ) -> Result<BTreeMap<EmailId, Touched>> {
        let mut emails = self.rows_since(since, meta).await?;
        self.reader()?.inner.gone(since, &mut |modseq, gone| {
            if gone.uid != 0 {
                let touched = emails.entry(gone.email).or_default();
                touched.modseq = touched.modseq.max(modseq);
                touched.thread = gone.thread;
            }
            true
        })?;
        let mut reader = self.reader()?;
        for (index, (email, touched)) in emails.iter_mut().enumerate() {
            if index % SLICE == SLICE - 1 {
                drop(reader);
                yield_now().await;
                reader = self.reader()?;
            }
            match reader.message(*email)? {
                Some(message) if message.row.head.birth != 0 => {
                    if message.created > since {
                        (touched.created, touched.order) = (true, message.created);
                    }
                }
                _ => (touched.destroyed, touched.unsure) = (true, true),
            }
        }
        Ok(emails)
    }

    /// Every email with a change after `since` in a mailbox that can be seen. It is new when it came
    /// into sight since, wherever it was before, and gone when it went out of sight.
    async fn touched_in_sight(
        &self,
        since: Modseq,
        meta: &Meta,
    ) -> Result<Vec<(EmailId, Touched)>> {
        let mut emails = self.rows_since(since, meta).await?;
        let mut reader = self.reader()?;
        let mut left = BTreeSet::new();
        reader.inner.gone(since, &mut |modseq, gone| {
            if gone.uid != 0 && reader.reads(gone.mailbox) {
                left.insert(gone.email);
                let touched = emails.entry(gone.email).or_default();
                touched.modseq = touched.modseq.max(modseq);
                touched.thread = gone.thread;
            }
            true
        })?;
        for (index, (email, touched)) in emails.iter_mut().enumerate() {
            if index % SLICE == SLICE - 1 {
                drop(reader);
                yield_now().await;
                reader = self.reader()?;
            }
            let rows = reader.memberships(*email)?;
            (touched.destroyed, touched.unsure) = (rows.is_empty(), rows.is_empty());
            touched.hidden = true;
            touched.order = touched.modseq;
            let Some(first) = rows.iter().map(|row| row.created).min() else {
                continue;
            };
            // What left a mailbox in sight was seen there, unless it is new altogether.
            let born = || reader.message(*email).map(|m| m.map_or(0, |m| m.created));
            if first > since && (!left.contains(email) || born()? > since) {
                (touched.created, touched.order) = (true, first);
            }
        }
        let mut list: Vec<_> = emails.into_iter().collect();
        by_number(&mut list, |(_, touched)| touched.order);
        Ok(list)
    }
}

/// Rows in one look at the store.
const SLICE: usize = 2048;

/// Does JMAP show any of these emails (RFC 8621 §4.1.1)?
fn is_shown(reader: &Reader, emails: &[EmailId]) -> Result<bool> {
    for email in emails {
        let rows = reader.memberships(*email)?;
        if rows.iter().any(|row| !row.flags.has(Flags::DELETED)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What became of a mailbox.
#[derive(Clone, Copy)]
enum Fate {
    Made,
    /// The bool: not by its counts alone.
    Changed(bool),
    Gone,
}

/// Where to stop so that at most `max` are told: behind the last modseq that is told whole.
fn stop<T>(all: &[(Modseq, MailboxId, T)], max: usize) -> Result<Option<Modseq>> {
    let Some((beyond, _, _)) = all.get(max) else {
        return Ok(None);
    };
    let told = all.iter().rev().map(|(modseq, _, _)| *modseq);
    told.filter(|modseq| modseq < beyond)
        .max()
        .map(Some)
        .ok_or(Error::CannotCalculate)
}

#[derive(Clone, Copy, Debug)]
struct Touched {
    /// Its last change.
    modseq: Modseq,
    /// Its place in the list. A new email stands where it was made, not where it last changed: a
    /// client that goes on from a state in between must have heard of it as new.
    order: Modseq,
    thread: ThreadId,
    created: bool,
    destroyed: bool,
    /// Its `\Deleted` came or went, or may have.
    hidden: bool,
    /// It came to be.
    born: bool,
    /// It is gone, and may have been new.
    unsure: bool,
}

impl Default for Touched {
    fn default() -> Touched {
        Touched {
            modseq: 0,
            order: 0,
            thread: ThreadId(0),
            created: false,
            destroyed: false,
            hidden: false,
            born: false,
            unsure: false,
        }
    }
}

/// Keeps the `max` oldest entries, and says where to go on from. Entries of one modseq stay together
/// (one email in several mailboxes is one entry already, and every email changes under its own).
fn cut<Id>(list: &mut Vec<(Id, Touched)>, max: usize, modseq: &mut Modseq) -> bool {
    if list.len() <= max {
        return false;
    }
    list.truncate(max);
    if let Some((_, last)) = list.last() {
        *modseq = last.order;
    }
    true
}
