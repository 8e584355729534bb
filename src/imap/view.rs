//! The selected mailbox as this client knows it: which UID each sequence number stands for.
//!
//! The numbers change only where the client may be told (RFC 9051 §5.5, §7.5.1): messages that
//! others expunge stay in the view until an EXPUNGE response is allowed. The set is run-length and,
//! while nothing is pending, the one that the engine shares among all sessions of a mailbox: the
//! memory of a connection does not follow the size of the mailbox.

use super::answer::Answer;
use super::context::Context;
use super::wire::Numbers;
use super::wire::select::Match;
use super::wire::set::{End, Set};
use crate::limits;
use crate::mail::{Changes, Keywords, MailboxId, Modseq, Rights, Uid, UidSet, View};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The UIDs that the client's sequence numbers stand for.
#[derive(Clone, Debug)]
enum Known {
    Shared(Arc<View>),
    Own(UidSet),
}

/// A selected mailbox.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Which.
    pub mailbox: MailboxId,
    /// Opened by EXAMINE.
    pub read_only: bool,
    /// Keywords that the client was told of.
    pub keywords: Arc<Keywords>,
    /// Rights that the client was told of, by PERMANENTFLAGS.
    pub rights: Rights,
    /// The saved result of the last SEARCH (RFC 9051 §6.4.4.1).
    pub saved: UidSet,
    /// Messages that are \Recent to this session (RFC 3501 §2.3.2).
    pub recent: UidSet,
    /// Searches that are kept up to date (RFC 5267 §4.3).
    pub contexts: Vec<Context>,
    known: Known,
    /// Expunged, and the client does not know yet.
    gone: UidSet,
    /// The client knows all changes up to here, but for `gone` and `unheard`.
    modseq: Modseq,
    /// The mailbox's HIGHESTMODSEQ there.
    highest: Modseq,
    /// The mailbox's HIGHESTMODSEQ when the client knew everything: with this one it misses nothing,
    /// even if the connection breaks now (RFC 7162 §3.2).
    settled: Modseq,
    /// The client was sent a HIGHESTMODSEQ below what it has seen, because expunges wait.
    pub lowered: bool,
    /// Flags that may have changed after `heard`, and were not told.
    unheard: UidSet,
    /// All changes of flags up to here are told.
    heard: Modseq,
    /// This session's own flag changes, which need not be told to it again.
    own: Vec<(UidSet, RangeInclusive<Modseq>)>,
}

/// What has to be told after [`Selected::take`], beside expunges.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Messages that are new.
    pub fresh: UidSet,
}

impl Selected {
    /// A mailbox as it is now.
    pub fn new(mailbox: MailboxId, read_only: bool, view: Arc<View>, highest: Modseq) -> Selected {
        Selected {
            mailbox,
            read_only,
            keywords: Arc::default(),
            rights: Rights::NONE,
            saved: UidSet::new(),
            recent: UidSet::new(),
            contexts: Vec::new(),
            modseq: view.modseq,
            highest,
            settled: highest,
            lowered: false,
            heard: view.modseq,
            unheard: UidSet::new(),
            known: Known::Shared(view),
            gone: UidSet::new(),
            own: Vec::new(),
        }
    }

    /// The UIDs, in the order of the sequence numbers.
    pub fn uids(&self) -> &UidSet {
        match &self.known {
            Known::Shared(view) => &view.uids,
            Known::Own(uids) => uids,
        }
    }

    /// The message's sequence number.
    pub fn number(&self, uid: Uid) -> Option<u32> {
        self.uids().position(uid).map(|position| position + 1)
    }

    /// How many messages the client knows of.
    pub fn exists(&self) -> u32 {
        self.uids().len()
    }

    /// All changes up to here are known.
    pub fn modseq(&self) -> Modseq {
        self.modseq
    }

    /// A HIGHESTMODSEQ that the client may keep: nothing up to there is unknown to it.
    pub fn settled(&self) -> Modseq {
        self.settled
    }

    /// Some of these are expunged already, and the client has not been told.
    pub fn lost(&self, uids: &UidSet) -> bool {
        !self.gone.and(uids).is_empty()
    }

    /// Expunged ones that the client still has a number for.
    pub fn gone(&self) -> &UidSet {
        &self.gone
    }

    /// Expunges wait to be told.
    pub fn has_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// Notes changes of flags that this session made: they are not told to it again.
    pub fn made(&mut self, uids: UidSet, modseqs: RangeInclusive<Modseq>) {
        if uids.is_empty() {
            return;
        }
        // Whoever is told no flags for long hears of some of its own in the end.
        if self.own.len() >= limits::IMAP_OWN_CHANGES {
            self.own.remove(0);
        }
        self.own.push((uids, modseqs));
    }

    /// Did this session make the change that gave `uid` this modseq?
    pub fn is_own(&self, uid: Uid, modseq: Modseq) -> bool {
        self.own
            .iter()
            .any(|(uids, modseqs)| modseqs.contains(&modseq) && uids.contains(uid))
    }

    /// Takes in what happened. `now` is asked for only when the engine no longer remembers what
    /// vanished. New messages have numbers from here on; expunged ones keep theirs until
    /// [`expunge`](Selected::expunge).
    pub fn take<E>(
        &mut self,
        changes: Changes,
        now: impl FnOnce() -> Result<Arc<View>, E>,
    ) -> Result<News, E> {
        self.lose(&changes, now)?;
        let above = self.uids().last().unwrap_or(0);
        let mut news = News::default();
        for (first, last) in changes.changed.runs() {
            // UIDs only grow: whatever is new lies above all that is known.
            if last > above {
                news.fresh.insert_range(first.max(above + 1), last);
            }
        }
        let flags = changes.changed.and(self.uids());
        self.unheard = self.unheard.or(&flags).minus(&self.gone);
        if !news.fresh.is_empty() {
            self.known = Known::Own(self.uids().or(&news.fresh));
        }
        if changes.modseq >= self.modseq {
            (self.modseq, self.highest) = (changes.modseq, changes.highest);
        }
        Ok(news)
    }

    /// Takes in what is gone, and nothing else.
    pub fn lose<E>(
        &mut self,
        changes: &Changes,
        now: impl FnOnce() -> Result<Arc<View>, E>,
    ) -> Result<(), E> {
        let vanished = match &changes.vanished {
            Some(vanished) => vanished.and(self.uids()),
            None => self.uids().minus(&now()?.uids),
        };
        if !vanished.is_empty() {
            self.gone = self.gone.or(&vanished);
        }
        Ok(())
    }

    /// Messages whose flags may have changed, each really if its row is newer than the modseq.
    pub fn unheard(&self) -> (UidSet, Modseq) {
        (self.unheard.clone(), self.heard)
    }

    /// They are told.
    pub fn hear(&mut self) {
        self.unheard = UidSet::new();
        self.heard = self.modseq;
    }

    /// What is gone, to be told now; the view has moved on. With it the sequence numbers to say in
    /// EXPUNGE responses, in this order.
    pub fn expunge(&mut self) -> (UidSet, Vec<(u32, u32)>) {
        let gone = std::mem::take(&mut self.gone);
        let told = gone.runs().filter_map(|(first, last)| {
            let from = self.uids().rank(first);
            let count = self.uids().and(&UidSet::range(first, last)).len();
            (count > 0).then_some((from, count))
        });
        // Each run is told as its lowest number, once per message: the rest move down meanwhile.
        let mut before = 0;
        let told = told
            .map(|(from, count)| {
                let number = from + 1 - before;
                before += count;
                (number, count)
            })
            .collect();
        self.known = Known::Own(self.uids().minus(&gone));
        self.recent = self.recent.minus(&gone);
        self.saved = self.saved.minus(&gone);
        self.unheard = self.unheard.minus(&gone);
        (gone, told)
    }

    /// All that may be told is told: own changes are past if their flags are, and the view is the
    /// shared one again if it is the same.
    pub fn settle(&mut self, view: Option<Arc<View>>) {
        if self.unheard.is_empty() {
            self.own.clear();
            if self.gone.is_empty() {
                self.settled = self.highest;
            }
        }
        if let (Known::Own(uids), Some(view)) = (&self.known, view)
            && *uids == view.uids
        {
            self.known = Known::Shared(view);
        }
    }

    /// The view is not the shared one.
    pub fn is_apart(&self) -> bool {
        matches!(self.known, Known::Own(_))
    }

    /// The messages that a set names. UIDs that do not exist are left out (RFC 9051 §6.4.9);
    /// sequence numbers that do not exist are an error (RFC 9051 §9 `seq-number`), but for `*` in
    /// an empty mailbox, which clients send without looking.
    pub fn resolve(&self, set: &Set, numbers: Numbers) -> Result<UidSet, Answer> {
        let ranges = match set {
            Set::Saved => return Ok(self.saved.and(self.uids())),
            Set::Ranges(ranges) => ranges,
        };
        let uids = self.uids();
        match numbers {
            Numbers::Uid => {
                let last = uids.last().unwrap_or(0);
                Ok(gather(ranges, last).and(uids))
            }
            Numbers::Sequence => {
                let count = uids.len();
                let star = ranges.iter().any(|(a, b)| [a, b].contains(&&End::Last));
                if count == 0 && star {
                    return Ok(UidSet::new());
                }
                let wanted = gather(ranges, count);
                if wanted.last().is_some_and(|last| last > count) {
                    return Err(Answer::bad("there is no message with such a number"));
                }
                Ok(self.at_numbers(&wanted))
            }
        }
    }

    /// The UIDs in a set, whether they exist or not (RFC 7162 §3.2.6).
    pub fn span(&self, set: &Set) -> UidSet {
        match set {
            Set::Saved => self.saved.clone(),
            Set::Ranges(ranges) => gather(ranges, self.uids().last().unwrap_or(0)),
        }
    }

    /// The highest UID up to which the client knows of all expunges, by what it says of its sequence
    /// numbers (RFC 7162 §3.2.5.2); 0 if nothing fits.
    pub fn matched(&self, matches: &[Match]) -> Uid {
        let mut highest = 0;
        for known in matches {
            let last = known.uid.saturating_add(known.count - 1);
            let there = self.uids().and(&UidSet::range(known.uid, last));
            // Along a run of UIDs, numbers and UIDs grow alike: all of it fits, or none.
            for (first, last) in there.runs() {
                let number = known.number.saturating_add(first - known.uid);
                if self.number(first) == Some(number) {
                    highest = highest.max(last);
                }
            }
        }
        highest
    }

    /// The UIDs behind sequence numbers that exist.
    pub fn at_numbers(&self, numbers: &UidSet) -> UidSet {
        at(self.uids(), numbers)
    }

    /// The sequence numbers of messages, as a set.
    pub fn numbers(&self, uids: &UidSet) -> UidSet {
        let mut numbers = UidSet::new();
        for (first, last) in uids.and(self.uids()).runs() {
            let from = self.uids().rank(first);
            numbers.push_range(from + 1, from + 1 + (last - first));
        }
        numbers
    }
}

/// The messages among `uids` that ranges name; numbers that do not exist name none.
pub fn existing(ranges: &[(End, End)], uids: &UidSet, numbers: Numbers) -> UidSet {
    match numbers {
        Numbers::Uid => gather(ranges, uids.last().unwrap_or(0)).and(uids),
        Numbers::Sequence => {
            let count = uids.len();
            let wanted = gather(ranges, count).and(&UidSet::range(1, count));
            at(uids, &wanted)
        }
    }
}

/// The UIDs at sequence numbers that exist.
fn at(uids: &UidSet, numbers: &UidSet) -> UidSet {
    let mut found = UidSet::new();
    for (first, last) in numbers.runs() {
        let ends = (
            uids.nth(first.saturating_sub(1)),
            uids.nth(last.saturating_sub(1)),
        );
        if let (Some(from), Some(to)) = ends {
            for (a, b) in uids.and(&UidSet::range(from, to)).runs() {
                found.push_range(a, b);
            }
        }
    }
    found
}

/// The union of ranges, with `*` as `last`. Sorted first, so that a hostile order costs nothing.
fn gather(ranges: &[(End, End)], last: u32) -> UidSet {
    let mut ends: Vec<(u32, u32)> = ranges
        .iter()
        .map(|(a, b)| (a.resolve(last), b.resolve(last)))
        .map(|(a, b)| (a.min(b).max(1), a.max(b)))
        .collect();
    ends.sort_unstable();
    let mut set = UidSet::new();
    for (first, last) in ends {
        set.insert_range(first, last);
    }
    set
}
