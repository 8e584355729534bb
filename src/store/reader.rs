//! A consistent look at the store.

use super::Error;
use super::blob::{self, layout};
use super::message::{Head, MsgRow};
use super::rows::{EmailId, Gone, MailboxId, Modseq, Row, ThreadId, Uid};
use super::tables::{Look, Tree, Value, email_key, email_of, number, piece_key, place};
use super::txn::bad_row;
use redb::ReadTransaction;
use std::ops::RangeInclusive;

/// A read transaction. Pages that it can see are not reused while it lives, so it must be dropped
/// before anything is awaited.
pub struct Reader {
    look: Look,
}

impl Reader {
    pub(super) fn new(txn: ReadTransaction) -> Reader {
        Reader {
            look: Look::new(txn),
        }
    }

    pub(super) fn over(look: Look) -> Reader {
        Reader { look }
    }

    /// One membership.
    pub fn row(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>, Error> {
        let key = place(mailbox, uid);
        let row = self.look.get(Tree::Hot, &key.to_be_bytes())?;
        Ok(row.map(|r| Row::decode(key, r.value())))
    }

    /// The rows of `keys`, rising or falling, until `each` returns false.
    pub fn rows(
        &self,
        keys: RangeInclusive<u64>,
        falling: bool,
        each: &mut dyn FnMut(&Row) -> bool,
    ) -> Result<(), Error> {
        let (first, last) = (keys.start().to_be_bytes(), keys.end().to_be_bytes());
        self.look.between(
            Tree::Hot,
            (&first, Some(&last)),
            falling,
            &mut |key, row| Ok(each(&Row::decode(number(key), row))),
        )
    }

    fn message_row(&self, email: EmailId) -> Result<Option<Value<'_>>, Error> {
        self.look.get(Tree::Msg, &email_key(email))
    }

    /// A whole message row.
    pub fn message(&self, email: EmailId) -> Result<Option<MsgRow>, Error> {
        match self.message_row(email)? {
            Some(bytes) => MsgRow::decode(bytes.value())
                .map(Some)
                .ok_or_else(|| bad_row(email)),
            None => Ok(None),
        }
    }

    fn head(&self, email: EmailId) -> Result<Option<Head>, Error> {
        match self.message_row(email)? {
            Some(bytes) => MsgRow::head(bytes.value())
                .map(Some)
                .ok_or_else(|| bad_row(email)),
            None => Ok(None),
        }
    }

    /// Appends up to `len` octets of the raw message from `offset`: never beyond the end of the
    /// prefix or block that `offset` lies in. Returns how many.
    pub fn read(
        &self,
        email: EmailId,
        row: &MsgRow,
        offset: u32,
        len: u32,
        out: &mut Vec<u8>,
    ) -> Result<u32, Error> {
        let len = len.min(row.head.raw_size.saturating_sub(offset));
        if offset < row.head.prefix_len {
            let rest = row.prefix.get(offset as usize..).unwrap_or_default();
            let piece = rest.get(..rest.len().min(len as usize)).unwrap_or_default();
            out.extend_from_slice(piece);
            return Ok(piece.len() as u32);
        }
        if len == 0 {
            return Ok(0);
        }
        let at = (offset - row.head.prefix_len) as usize;
        let (number, inside) = (at / crate::limits::BLOCK, at % crate::limits::BLOCK);
        let block = *row.blocks.get(number).ok_or_else(|| bad_row(email))?;
        let before = row.blocks.iter().take(number);
        let before = before.map(|b| b.stored as usize).sum::<usize>();
        let (start, most) = (out.len(), inside.saturating_add(len as usize));
        let mut take = |stored: &[u8]| {
            if inside == 0 {
                let done = blob::decode(block, stored, most, out);
                out.truncate(start.saturating_add(done.map_or(0, |()| most)));
                return done;
            }
            let mut raw = Vec::new();
            blob::decode(block, stored, most, &mut raw)?;
            let rest = raw.get(inside..).unwrap_or_default();
            out.extend_from_slice(rest.get(..rest.len().min(len as usize)).unwrap_or_default());
            Some(())
        };
        // Of a header at the start of a large block only the first pages are looked at.
        let stored = block.stored as usize;
        let size = row.head.raw_size.saturating_sub(row.head.prefix_len) as usize;
        let whole = size.saturating_sub(at - inside).min(crate::limits::BLOCK);
        let some = match most < whole {
            true => blob::needed(stored, most),
            false => stored,
        };
        if !self.stored(email, row, before, some, &mut take)? {
            let all = some < stored && self.stored(email, row, before, stored, &mut take)?;
            all.then_some(()).ok_or_else(|| bad_row(email))?;
        }
        Ok((out.len() - start) as u32)
    }

    /// Gives `len` octets of the encoded body from `at` to `take`: as they lie in the page where one
    /// piece has them all, else put together. False: it cannot use them.
    fn stored(
        &self,
        email: EmailId,
        row: &MsgRow,
        at: usize,
        len: usize,
        take: &mut dyn FnMut(&[u8]) -> Option<()>,
    ) -> Result<bool, Error> {
        let (pieces, rest) = layout(row.head.stored as usize);
        let short = (rest > 0 && !row.head.tail_inline).then_some(rest);
        let (mut start, mut joined) = (0, Vec::new());
        for (number, size) in pieces.chain(short).enumerate() {
            let (from, end) = (start, start + size);
            start = end;
            if end <= at || from >= at + len {
                continue;
            }
            let value = self
                .look
                .get(Tree::Blob, &piece_key(email, number))?
                .ok_or_else(|| bad_row(email))?;
            let value = value.value();
            if from <= at && at + len <= end {
                let octets = value.get(at - from..at + len - from);
                return Ok(take(octets.ok_or_else(|| bad_row(email))?).is_some());
            }
            let octets = value.get(at.max(from) - from..(at + len).min(end) - from);
            joined.reserve_exact(len - joined.len());
            joined.extend_from_slice(octets.ok_or_else(|| bad_row(email))?);
        }
        if row.head.tail_inline && at + len > start {
            let tail = row.tail.get(at.max(start) - start..at + len - start);
            let tail = tail.ok_or_else(|| bad_row(email))?;
            if joined.is_empty() {
                return Ok(take(tail).is_some());
            }
            joined.extend_from_slice(tail);
        }
        Ok(take(&joined).is_some())
    }

    /// Every membership of an email; none when it does not exist.
    pub fn memberships(&self, email: EmailId) -> Result<Vec<Row>, Error> {
        let Some(head) = self.head(email)? else {
            return Ok(Vec::new());
        };
        let mut places = Vec::from_iter((head.birth != 0).then_some(head.birth));
        self.look
            .prefix(Tree::Loc, &email_key(email), &mut |key, _| {
                places.push(number(key.get(4..).unwrap_or_default()));
                Ok(true)
            })?;
        let mut rows = Vec::with_capacity(places.len());
        for key in places {
            let row = self.row(MailboxId((key >> 32) as u32), key as u32)?;
            rows.extend(row.filter(|r| r.email == email));
        }
        Ok(rows)
    }

    /// Does any mailbox show this email?
    pub fn is_email(&self, email: EmailId) -> Result<bool, Error> {
        Ok(self.head(email)?.is_some_and(|head| head.birth != 0))
    }

    /// Up to `most` emails that name this message-id, as far as the index is folded; some may be gone.
    pub fn naming(&self, id: u64, most: usize) -> Result<Vec<EmailId>, Error> {
        self.emails(Tree::Mid, &id.to_be_bytes(), most)
    }

    /// The folded emails of a thread, rising; dead ones included.
    pub fn thread(&self, thread: ThreadId) -> Result<Vec<EmailId>, Error> {
        self.emails(Tree::Thr, &thread.0.to_be_bytes(), usize::MAX)
    }

    /// Up to `most` emails that the keys with this prefix end with.
    fn emails(&self, tree: Tree, prefix: &[u8], most: usize) -> Result<Vec<EmailId>, Error> {
        let mut out = Vec::new();
        self.look.prefix(tree, prefix, &mut |key, _| {
            let on = out.len() < most;
            if on {
                out.push(email_of(key));
            }
            Ok(on)
        })?;
        Ok(out)
    }

    /// What ended after `since`, oldest first, until `each` returns false.
    pub fn gone(
        &self,
        since: Modseq,
        each: &mut dyn FnMut(Modseq, Gone) -> bool,
    ) -> Result<(), Error> {
        let first = since.saturating_add(1).to_be_bytes();
        self.look.range(Tree::Gone, &first, None, &mut |key, row| {
            Ok(each(number(key), Gone::decode(row)))
        })
    }

    /// A value of the key-value area.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = self.look.get(Tree::Misc, key)?;
        Ok(found.map(|v| v.value().to_vec()))
    }

    /// Keys that begin with `prefix`, rising, until `each` returns false.
    pub fn scan(
        &self,
        prefix: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        self.look
            .prefix(Tree::Misc, prefix, &mut |key, value| Ok(each(key, value)))
    }

    /// The highest UID below or at `uid`, by one look.
    pub fn last_uid(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Uid>, Error> {
        let mut found = None;
        let keys = Row::key(mailbox, 0)..=Row::key(mailbox, uid);
        self.rows(keys, true, &mut |row| {
            found = Some(row.uid);
            false
        })?;
        Ok(found)
    }
}
