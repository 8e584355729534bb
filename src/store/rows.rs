//! The rows of the tables and the values in them: ids, flags, codecs. All integers little-endian.

use std::fmt;

/// Identifies one mailbox for good; never reused (RFC 8474 §4, RFC 8621 §2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxId(pub u32);

/// Identifies one email for good, in every mailbox that shows it; grows with arrival, never reused
/// (RFC 8474 §5.1 EMAILID, RFC 8621 §4 Email `id`). Below 2^32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EmailId(pub u64);

/// The id of the first email of a thread names the thread (RFC 8474 §5.2, RFC 8621 §3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ThreadId(pub u32);

/// A modification sequence: one counter for the whole store, grows with every change
/// (RFC 7162 §3.1). Fits 48 bits: a thousand changes in each second of 8,900 years.
pub type Modseq = u64;

/// A message's unique identifier within its mailbox (RFC 9051 §2.3.1.1). Never 0.
pub type Uid = u32;

impl fmt::Display for EmailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for MailboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// System flags in the low eight bits, keywords in the other 56 (mapped through the names of keywords).
///
/// `\Deleted` belongs to one membership; all the others belong to the email and show in every
/// mailbox that holds it, but where a membership is [`Flags::APART`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub struct Flags(pub u64);

impl Flags {
    /// `\Seen`, JMAP `$seen`.
    pub const SEEN: Flags = Flags(1);
    /// `\Answered`, JMAP `$answered`.
    pub const ANSWERED: Flags = Flags(2);
    /// `\Flagged`, JMAP `$flagged`.
    pub const FLAGGED: Flags = Flags(4);
    /// `\Draft`, JMAP `$draft`.
    pub const DRAFT: Flags = Flags(8);
    /// `\Deleted`: of this membership only; JMAP does not show it.
    pub const DELETED: Flags = Flags(16);
    /// Internal: this membership has flags of its own, because whoever made it, or changed them, may
    /// not have them so in all of the email's mailboxes (RFC 4314 §4, RFC 8474 §5.1).
    pub const APART: Flags = Flags(32);
    /// Internal: the email has, or had, more than one membership.
    pub const SHARED: Flags = Flags(64);
    /// Internal: the email has an attachment (RFC 8621 §4.1.4 `hasAttachment`).
    pub const ATTACHMENT: Flags = Flags(128);
    /// What a client may set.
    pub const SYSTEM: Flags = Flags(31);
    /// What belongs to the email rather than to one membership.
    pub const OF_EMAIL: Flags = Flags(!0 << 8 | 15);
    /// Bit of the first keyword.
    pub const FIRST_KEYWORD: u32 = 8;

    /// The flag of keyword slot `slot` (0..56).
    pub fn keyword(slot: usize) -> Flags {
        Flags(
            1u64.checked_shl(Self::FIRST_KEYWORD + slot as u32)
                .unwrap_or(0),
        )
    }
    /// Are all bits of `other` set?
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
    /// Both together.
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
    /// Without the bits of `other`.
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
    /// Only the bits that `mask` has too.
    pub fn only(self, mask: Flags) -> Flags {
        Flags(self.0 & mask.0)
    }
    /// What a client sees: system flags and keywords, without the internal bits.
    pub fn visible(self) -> Flags {
        self.only(Flags(Flags::SYSTEM.0 | !0 << 8))
    }
}

/// One message in one mailbox: what the 40-byte row of table `hot` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// The mailbox that shows it.
    pub mailbox: MailboxId,
    /// Its UID there.
    pub uid: Uid,
    /// The email behind it.
    pub email: EmailId,
    /// Flags of this membership (`\Deleted`) and of the email (all others), internal bits included.
    pub flags: Flags,
    /// Modseq of the last change of this row.
    pub modseq: Modseq,
    /// Modseq at which this membership came to be.
    pub created: Modseq,
    /// Octets of the raw message (RFC822.SIZE).
    pub size: u32,
    /// INTERNALDATE, JMAP `receivedAt`: seconds since 1970, UTC.
    pub internaldate: u32,
    /// When it came into this mailbox (RFC 8514 SAVEDATE): seconds since 1970, UTC.
    pub saved: u32,
    /// Its thread.
    pub thread: ThreadId,
}

/// What is counted for one mailbox; always right, kept in the same commit as the change.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// The next message gets at least this UID.
    pub uidnext: Uid,
    /// Messages.
    pub total: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Messages with this UID or above have been shown to no session yet (RFC 3501 §2.3.2 `\Recent`).
    pub recent_from: Uid,
    /// Sum of the message sizes in octets (RFC 8438).
    pub size: u64,
    /// The highest modseq of any change in this mailbox, expunges included (RFC 7162 §3.1.2.1).
    pub highest_modseq: Modseq,
    /// The highest modseq of a change that counts: of what is here, unread or marked `\Deleted`.
    pub counts_modseq: Modseq,
    /// Internaldate of the highest UID so far, while `by_date` holds.
    pub last_date: u32,
    /// UID order and internaldate order agree.
    pub by_date: bool,
}

/// Octets of a row of table `hot`: 8 (flags) + 2 * 6 (modseq, created) + 5 * 4 (email, size,
/// internaldate, saved, thread).
pub const HOT: usize = 40;
/// Octets of a counters row.
pub const COUNTERS: usize = 56;
/// Octets of a row of table `gone`.
pub const GONE: usize = 20;

impl Row {
    /// Key in table `hot`.
    pub fn key(mailbox: MailboxId, uid: Uid) -> u64 {
        super::tables::place(mailbox, uid)
    }
    pub(crate) fn encode(&self) -> [u8; HOT] {
        let mut out = [0; HOT];
        let mut w = Put(&mut out);
        w.u64(self.flags.0);
        w.u48(self.modseq);
        w.u48(self.created);
        w.u32(self.email.0 as u32);
        w.u32(self.size);
        w.u32(self.internaldate);
        w.u32(self.saved);
        w.u32(self.thread.0);
        out
    }
    pub(crate) fn decode(key: u64, bytes: &[u8]) -> Row {
        let mut r = Get(bytes);
        Row {
            mailbox: MailboxId((key >> 32) as u32),
            uid: key as u32,
            flags: Flags(r.u64()),
            modseq: r.u48(),
            created: r.u48(),
            email: EmailId(r.u32().into()),
            size: r.u32(),
            internaldate: r.u32(),
            saved: r.u32(),
            thread: ThreadId(r.u32()),
        }
    }
}

impl Counters {
    pub(crate) fn encode(&self) -> [u8; COUNTERS] {
        let mut out = [0; COUNTERS];
        let mut w = Put(&mut out);
        w.u8(1);
        w.u8(u8::from(self.by_date));
        w.u32(self.uidnext);
        w.u32(self.total);
        w.u32(self.unseen);
        w.u32(self.deleted);
        w.u32(self.recent_from);
        w.u32(self.last_date);
        w.u64(self.size);
        w.u64(self.highest_modseq);
        w.u64(self.counts_modseq);
        out
    }
    pub(crate) fn decode(bytes: &[u8]) -> Counters {
        let mut r = Get(bytes);
        let _ver = r.u8();
        Counters {
            by_date: r.u8() != 0,
            uidnext: r.u32(),
            total: r.u32(),
            unseen: r.u32(),
            deleted: r.u32(),
            recent_from: r.u32(),
            last_date: r.u32(),
            size: r.u64(),
            highest_modseq: r.u64(),
            counts_modseq: r.u64(),
        }
    }
}

/// What table `gone` remembers of a membership (or, with `uid` 0, of a mailbox: `email` is then the
/// modseq at which it came to be) that is no more.
/// Its key is the modseq of its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// Where it was.
    pub mailbox: MailboxId,
    /// Its UID there; 0: the mailbox itself is gone.
    pub uid: Uid,
    /// The email.
    pub email: EmailId,
    /// Its thread.
    pub thread: ThreadId,
}

impl Gone {
    pub(crate) fn encode(&self) -> [u8; GONE] {
        let mut out = [0; GONE];
        let mut w = Put(&mut out);
        w.u32(self.mailbox.0);
        w.u32(self.uid);
        w.u64(self.email.0);
        w.u32(self.thread.0);
        out
    }
    pub(crate) fn decode(bytes: &[u8]) -> Gone {
        let mut r = Get(bytes);
        Gone {
            mailbox: MailboxId(r.u32()),
            uid: r.u32(),
            email: EmailId(r.u64()),
            thread: ThreadId(r.u32()),
        }
    }
}

/// Writes little-endian integers into a fixed row; what does not fit is left out (rows are sized
/// by the constants above, and a test writes each of them).
pub(crate) struct Put<'a>(pub &'a mut [u8]);

impl Put<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        let rest = std::mem::take(&mut self.0);
        if let Some((head, tail)) = rest.split_at_mut_checked(bytes.len()) {
            head.copy_from_slice(bytes);
            self.0 = tail;
        }
    }
    pub(crate) fn u8(&mut self, n: u8) {
        self.bytes(&[n]);
    }
    pub(crate) fn u16(&mut self, n: u16) {
        self.bytes(&n.to_le_bytes());
    }
    pub(crate) fn u32(&mut self, n: u32) {
        self.bytes(&n.to_le_bytes());
    }
    pub(crate) fn u48(&mut self, n: u64) {
        let [low @ .., _, _] = n.to_le_bytes();
        self.bytes(&low);
    }
    pub(crate) fn u64(&mut self, n: u64) {
        self.bytes(&n.to_le_bytes());
    }
}

/// Reads little-endian integers; beyond the end it reads zeros, so that a row written by an older
/// version, shorter than today's, is whole.
pub(crate) struct Get<'a>(pub &'a [u8]);

impl<'a> Get<'a> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let n = N.min(self.0.len());
        if let (Some(to), Some((from, rest))) = (out.get_mut(..n), self.0.split_at_checked(n)) {
            to.copy_from_slice(from);
            self.0 = rest;
        }
        out
    }
    pub(crate) fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }
    pub(crate) fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.take())
    }
    pub(crate) fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take())
    }
    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
    pub(crate) fn u48(&mut self) -> u64 {
        let [a, b, c, d, e, f] = self.take();
        u64::from_le_bytes([a, b, c, d, e, f, 0, 0])
    }
    pub(crate) fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let row = Row {
            mailbox: MailboxId(7),
            uid: 9,
            email: EmailId(1 << 31),
            flags: Flags(!0),
            modseq: 1 << 47 | 1,
            created: 5,
            size: u32::MAX,
            internaldate: 77,
            saved: 78,
            thread: ThreadId(3),
        };
        assert_eq!(
            Row::decode(Row::key(row.mailbox, row.uid), &row.encode()),
            row
        );
        let counters = Counters {
            uidnext: 2,
            total: 3,
            unseen: 4,
            deleted: 5,
            recent_from: 6,
            size: 7 << 40,
            highest_modseq: 8 << 40,
            counts_modseq: 8 << 40 | 1,
            last_date: 9,
            by_date: true,
        };
        assert_eq!(Counters::decode(&counters.encode()), counters);
        let gone = Gone {
            mailbox: MailboxId(1),
            uid: 2,
            email: EmailId(3),
            thread: ThreadId(4),
        };
        assert_eq!(Gone::decode(&gone.encode()), gone);
    }
}
