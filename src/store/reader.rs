//! A consistent look at the store.

use super::blob::{self, layout};
use super::message::MsgRow;
use super::rows::{EmailId, GONE, Gone, HOT, MailboxId, Modseq, Row, ThreadId, Uid};
use super::txn::{bad_row, piece_key};
use super::{Error, tables};
use redb::{ReadOnlyTable, ReadTransaction};
use std::cell::OnceCell;
use std::ops::RangeInclusive;

/// A read transaction. Pages that it can see are not reused while it lives, so it must be dropped
/// before anything is awaited.
pub struct Reader {
    txn: ReadTransaction,
    hot: OnceCell<ReadOnlyTable<u64, &'static [u8; HOT]>>,
    msg: OnceCell<ReadOnlyTable<u64, &'static [u8]>>,
    blob: OnceCell<ReadOnlyTable<u64, &'static [u8]>>,
}

/// Opens a table at its first use.
macro_rules! table {
    ($self:ident, $field:ident, $def:ident) => {
        match $self.$field.get() {
            Some(table) => table,
            None => {
                let table = $self.txn.open_table(tables::$def)?;
                $self.$field.get_or_init(|| table)
            }
        }
    };
}

impl Reader {
    pub(super) fn new(txn: ReadTransaction) -> Reader {
        Reader {
            txn,
            hot: OnceCell::new(),
            msg: OnceCell::new(),
            blob: OnceCell::new(),
        }
    }

    /// One membership.
    pub fn row(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>, Error> {
        let key = Row::key(mailbox, uid);
        Ok(table!(self, hot, HOT_ROWS)
            .get(key)?
            .map(|r| Row::decode(key, r.value())))
    }

    /// The rows of `keys`, rising, until `each` returns false.
    pub fn rows(
        &self,
        keys: RangeInclusive<u64>,
        mut each: impl FnMut(&Row) -> bool,
    ) -> Result<(), Error> {
        for entry in table!(self, hot, HOT_ROWS).range(keys)? {
            let (key, row) = entry?;
            if !each(&Row::decode(key.value(), row.value())) {
                break;
            }
        }
        Ok(())
    }

    /// The rows of `keys`, falling, until `each` returns false.
    pub fn rows_back(
        &self,
        keys: RangeInclusive<u64>,
        mut each: impl FnMut(&Row) -> bool,
    ) -> Result<(), Error> {
        for entry in table!(self, hot, HOT_ROWS).range(keys)?.rev() {
            let (key, row) = entry?;
            if !each(&Row::decode(key.value(), row.value())) {
                break;
            }
        }
        Ok(())
    }

    /// A whole message row.
    pub fn message(&self, email: EmailId) -> Result<Option<MsgRow>, Error> {
        match table!(self, msg, MSG).get(email.0)? {
            Some(bytes) => Ok(Some(
                MsgRow::decode(bytes.value()).ok_or_else(|| bad_row(email))?,
            )),
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
        take: &mut impl FnMut(&[u8]) -> Option<()>,
    ) -> Result<bool, Error> {
        let (pieces, rest) = layout(row.head.stored as usize, row.head.lead);
        let short = (rest > 0 && !row.head.tail_inline).then_some(rest);
        let (mut start, mut joined) = (0, Vec::new());
        for (number, size) in pieces.chain(short).enumerate() {
            let (from, end) = (start, start + size);
            start = end;
            if end <= at || from >= at + len {
                continue;
            }
            let value = table!(self, blob, BLOB)
                .get(piece_key(email, number))?
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
        let Some(bytes) = table!(self, msg, MSG).get(email.0)? else {
            return Ok(Vec::new());
        };
        let head = MsgRow::head(bytes.value()).ok_or_else(|| bad_row(email))?;
        let mut keys = Vec::new();
        keys.extend((head.birth != 0).then_some(head.birth));
        let range = u128::from(email.0) << 64..=u128::from(email.0) << 64 | u128::from(u64::MAX);
        for entry in self.txn.open_table(tables::LOC)?.range(range)? {
            keys.push(entry?.0.value() as u64);
        }
        let mut rows = Vec::with_capacity(keys.len());
        for key in keys {
            let row = self.row(MailboxId((key >> 32) as u32), key as u32)?;
            rows.extend(row.filter(|r| r.email == email));
        }
        Ok(rows)
    }

    /// Does any mailbox show this email?
    pub fn is_email(&self, email: EmailId) -> Result<bool, Error> {
        let Some(bytes) = table!(self, msg, MSG).get(email.0)? else {
            return Ok(false);
        };
        let head = MsgRow::head(bytes.value()).ok_or_else(|| bad_row(email))?;
        Ok(head.birth != 0)
    }

    /// Up to `most` emails that name this message-id, as far as the index is folded; some may be gone.
    pub fn naming(&self, id: u64, most: usize) -> Result<Vec<EmailId>, Error> {
        let table = self.txn.open_table(tables::MID)?;
        let range = u128::from(id) << 64..=u128::from(id) << 64 | u128::from(u64::MAX);
        let mut out = Vec::new();
        for entry in table.range(range)?.take(most) {
            out.push(EmailId(entry?.0.value() as u64));
        }
        Ok(out)
    }

    /// The folded emails of a thread, rising; dead ones included.
    pub fn thread(&self, thread: ThreadId) -> Result<Vec<EmailId>, Error> {
        let first = u128::from(thread.0) << 64;
        let mut out = Vec::new();
        for entry in self
            .txn
            .open_table(tables::THR)?
            .range(first..=first | u128::from(u64::MAX))?
        {
            out.push(EmailId(entry?.0.value() as u64));
        }
        Ok(out)
    }

    /// What ended after `since`, oldest first, until `each` returns false.
    pub fn gone(
        &self,
        since: Modseq,
        mut each: impl FnMut(Modseq, Gone) -> bool,
    ) -> Result<(), Error> {
        for entry in self
            .txn
            .open_table(tables::GONE_ROWS)?
            .range(since.saturating_add(1)..)?
        {
            let (modseq, row) = entry?;
            let row: &[u8; GONE] = row.value();
            if !each(modseq.value(), Gone::decode(row)) {
                break;
            }
        }
        Ok(())
    }

    /// A value of the key-value area.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self
            .txn
            .open_table(tables::MISC)?
            .get(key)?
            .map(|v| v.value().to_vec()))
    }

    /// Keys that begin with `prefix`, rising, until `each` returns false.
    pub fn scan(
        &self,
        prefix: &[u8],
        mut each: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        for entry in self.txn.open_table(tables::MISC)?.range(prefix..)? {
            let (key, value) = entry?;
            if !key.value().starts_with(prefix) || !each(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }

    /// The highest UID below or at `uid`, by one look.
    pub fn last_uid(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Uid>, Error> {
        let mut found = None;
        self.rows_back(Row::key(mailbox, 0)..=Row::key(mailbox, uid), |row| {
            found = Some(row.uid);
            false
        })?;
        Ok(found)
    }
}
