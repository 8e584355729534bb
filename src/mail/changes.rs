//! What changed since a modseq: from the ring of recent changes, else from the rows.

use super::{
    DataType, EmailId, Error, Flags, Mail, MailboxId, Meta, Modseq, Reader, Result, Rights,
    ThreadId, Uid, UidSet,
};
use crate::limits::{CHANGE_RING, VIEWS};
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
    /// ago is found without a look at every row.
    chunks: Vec<(u32, Modseq)>,
}

/// UIDs that share one entry of [`View::chunks`].
const CHUNK: u32 = 256;

impl View {
    fn new(modseq: Modseq, uidnext: Uid) -> View {
        View {
            modseq,
            uids: UidSet::new(),
            uidnext,
            chunks: Vec::new(),
        }
    }

    fn note(&mut self, uid: Uid, modseq: Modseq) {
        let chunk = uid / CHUNK;
        match self.chunks.last_mut() {
            Some((last, highest)) if *last == chunk => *highest = modseq.max(*highest),
            Some((last, _)) if *last > chunk => {
                match self.chunks.binary_search_by_key(&chunk, |c| c.0) {
                    Ok(at) => {
                        if let Some((_, highest)) = self.chunks.get_mut(at) {
                            *highest = modseq.max(*highest);
                        }
                    }
                    Err(at) => self.chunks.insert(at, (chunk, modseq)),
                }
            }
            _ => self.chunks.push((chunk, modseq)),
        }
    }

    /// Members that may have changed after `since`: whole chunks of them.
    fn maybe_changed(&self, since: Modseq) -> UidSet {
        let mut spans = UidSet::new();
        for (chunk, _) in self.chunks.iter().filter(|c| c.1 > since) {
            let first = chunk * CHUNK;
            spans.insert_range(first.max(1), first + (CHUNK - 1));
        }
        self.uids.and(&spans)
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

/// Views in use, most recently used last.
#[derive(Default)]
pub(super) struct Views(Vec<(MailboxId, Arc<View>)>);

impl Mail {
    /// The UIDs of a mailbox: built by one scan at first, carried forward by changes afterwards.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `r`.
    pub fn view(&self, mailbox: MailboxId) -> Result<Arc<View>> {
        self.need(mailbox, Rights::READ)?;
        let meta = self.whole();
        let uidnext = meta
            .mailbox(mailbox)
            .ok_or(Error::NoSuchMailbox)?
            .counters
            .uidnext;
        let mut views = lock(&self.shared.views);
        let old = views
            .0
            .iter()
            .position(|(id, _)| *id == mailbox)
            .map(|at| views.0.remove(at).1);
        let view = match old {
            Some(view) => self.forward(mailbox, view, &meta, uidnext)?,
            None => Arc::new(self.scan_view(mailbox, meta.modseq, uidnext)?),
        };
        if views.0.len() >= VIEWS {
            views.0.remove(0);
        }
        views.0.push((mailbox, view.clone()));
        Ok(view)
    }

    fn scan_view(&self, mailbox: MailboxId, modseq: Modseq, uidnext: Uid) -> Result<View> {
        let mut view = View::new(modseq, uidnext);
        self.whole_reader()?
            .rows(mailbox, 1, uidnext.saturating_sub(1), |row| {
                view.uids.insert(row.uid);
                view.note(row.uid, row.modseq);
                true
            })?;
        Ok(view)
    }

    /// Carries a view forward over more changes than the ring holds: new rows are above all that it
    /// has, ends are remembered, and every flag may have changed. `None`: the ends are forgotten.
    fn leap(
        &self,
        mailbox: MailboxId,
        view: &View,
        meta: &Meta,
        uidnext: Uid,
    ) -> Result<Option<View>> {
        let mut new = View::new(meta.modseq, uidnext);
        new.uids = view.uids.clone();
        new.chunks = view.chunks.iter().map(|c| (c.0, meta.modseq)).collect();
        let (first, last) = (view.uidnext.max(1), uidnext.saturating_sub(1));
        self.whole_reader()?.rows(mailbox, first, last, |row| {
            new.uids.insert(row.uid);
            new.note(row.uid, row.modseq);
            true
        })?;
        let Some(gone) = self.vanished(mailbox, view.modseq, meta)? else {
            return Ok(None);
        };
        new.uids = new.uids.minus(&gone);
        Ok(Some(new))
    }

    fn forward(
        &self,
        mailbox: MailboxId,
        mut view: Arc<View>,
        meta: &Meta,
        uidnext: Uid,
    ) -> Result<Arc<View>> {
        let highest = meta
            .mailbox(mailbox)
            .map_or(0, |m| m.counters.highest_modseq);
        if view.modseq >= highest {
            return Ok(view);
        }
        let ring = lock(&self.shared.ring);
        let Some(changes) = ring.since(view.modseq) else {
            drop(ring);
            let new = match self.leap(mailbox, &view, meta, uidnext)? {
                Some(new) => new,
                None => self.scan_view(mailbox, meta.modseq, uidnext)?,
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
        (new.modseq, new.uidnext) = (meta.modseq, uidnext);
        Ok(view)
    }

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
        out.changed = self.view(mailbox)?.maybe_changed(since);
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

    /// JMAP Thread/changes: as for emails; a thread is new when its first email is, gone when none
    /// is left (RFC 8621 §3).
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
        let mut out = ObjectChanges::new(modseq);
        out.more = cut(&mut list, max, &mut out.modseq);
        let mut threads: BTreeMap<ThreadId, bool> = BTreeMap::new();
        let created = list.iter().filter(|(_, touched)| touched.created);
        let new: BTreeSet<EmailId> = created.map(|(email, _)| *email).collect();
        for (email, touched) in list {
            let founded = touched.created && email.0 == u64::from(touched.thread.0);
            *threads.entry(touched.thread).or_default() |= founded;
        }
        let reader = self.reader()?;
        for (thread, founded) in threads {
            let emails = reader.thread(thread)?;
            // To whoever does not see all of it, a thread is new when all of what is seen is.
            let founded = match reader.sight {
                None => founded,
                Some(_) => emails.iter().all(|email| new.contains(email)),
            };
            match (founded, is_shown(&reader, &emails)?) {
                (true, false) => {}
                (true, true) => out.created.push(thread),
                (false, false) => out.destroyed.push(thread),
                (false, true) => out.updated.push(thread),
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
        all.sort_by_key(|(modseq, _, _)| *modseq);
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
        let sighted = self.reader()?;
        if sighted.sight.is_some() {
            let list = touched_in_sight(&sighted, since, meta.modseq)?;
            return Ok((now, list));
        }
        drop(sighted);
        let mut emails: BTreeMap<EmailId, Touched> = BTreeMap::new();
        let from_ring = lock(&self.shared.ring).since(since).map(|changes| {
            for change in changes.filter(|c| c.modseq <= meta.modseq) {
                let touched = emails.entry(change.email).or_default();
                touched.modseq = change.modseq;
                touched.thread = change.thread;
                if change.kind == Kind::Added(true) {
                    (touched.created, touched.order) = (true, change.modseq);
                }
                touched.destroyed |= change.kind == Kind::Removed(true);
                touched.hidden |= change.kind == Kind::Changed(true);
            }
        });
        if from_ring.is_none() {
            emails = self.touched_in_rows(since, &meta).await?;
        }
        let mut list: Vec<_> = emails.into_iter().collect();
        for (_, touched) in &mut list {
            if !touched.created {
                touched.order = touched.modseq;
            }
        }
        list.sort_by_key(|(_, t)| t.order);
        Ok((now, list))
    }

    /// The same from the rows, a slice at a time: others have their turn in between. What changes
    /// meanwhile has a modseq above the snapshot's and is told again next time.
    async fn touched_in_rows(
        &self,
        since: Modseq,
        meta: &Meta,
    ) -> Result<BTreeMap<EmailId, Touched>> {
        let mut emails: BTreeMap<EmailId, Touched> = BTreeMap::new();
        for mailbox in &meta.mailboxes {
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
                _ => touched.destroyed = true,
            }
        }
        Ok(emails)
    }
}

/// Every email with a change after `since` in a mailbox that can be seen. It is new when it came into
/// sight since, wherever it was before, and gone when it went out of sight.
fn touched_in_sight(
    reader: &Reader,
    since: Modseq,
    until: Modseq,
) -> Result<Vec<(EmailId, Touched)>> {
    let mut emails: BTreeMap<EmailId, Touched> = BTreeMap::new();
    reader.all_rows(|row| {
        if row.modseq > since && row.modseq <= until {
            let touched = emails.entry(row.email).or_default();
            touched.modseq = touched.modseq.max(row.modseq);
            touched.thread = row.thread;
        }
        true
    })?;
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
    for (email, touched) in &mut emails {
        let rows = reader.memberships(*email)?;
        touched.destroyed = rows.is_empty();
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
    list.sort_by_key(|(_, touched)| touched.order);
    Ok(list)
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
