//! One write transaction, as the engine's operations see it: rows in, rows out.

use super::blob::ROW;
use super::message::{Head, MsgRow, loc_key};
use super::rows::{EmailId, GONE, Gone, HOT, MailboxId, Modseq, Row, ThreadId, Uid};
use super::state::{Pending, State};
use super::states::DataType;
use super::{Error, tables};
use redb::{ReadableTable, Table, WriteTransaction};

/// The index is folded into its tables when so many emails wait.
const FOLD_AT: usize = 64;
/// Deleted things remembered; 20 octets each, about 1 MiB with the tree.
const GONE_ROWS: u32 = 65_536;
/// How many of them are forgotten at once.
const GONE_PRUNE: u32 = 1_024;

/// What happened to a row, for the ring of recent changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The membership came to be; the bool: and the email with it.
    Added(bool),
    /// Its flags changed; the bool: `\Deleted` among them.
    Changed(bool),
    /// The membership ended; the bool: and the email with it.
    Removed(bool),
}

/// One change, as the hub's listeners read it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    /// When.
    pub modseq: Modseq,
    /// Where.
    pub mailbox: MailboxId,
    /// Which.
    pub uid: Uid,
    /// The email.
    pub email: EmailId,
    /// Its thread.
    pub thread: ThreadId,
    /// What.
    pub kind: Kind,
}

/// Tables are opened when first touched: one that is not touched costs nothing at the commit.
macro_rules! table {
    ($self:ident, $field:ident, $def:ident) => {{
        if $self.$field.is_none() {
            $self.$field = Some($self.txn.open_table(tables::$def)?);
        }
        match &mut $self.$field {
            Some(table) => table,
            None => return Err(Error::Closed),
        }
    }};
}

/// See the module.
pub struct Txn<'t> {
    txn: &'t WriteTransaction,
    hot: Option<Table<'t, u64, &'static [u8; HOT]>>,
    msg: Option<Table<'t, u64, &'static [u8]>>,
    blob: Option<Table<'t, u64, &'static [u8]>>,
    loc: Option<Table<'t, u128, ()>>,
    mid: Option<Table<'t, u128, ()>>,
    thr: Option<Table<'t, u128, ()>>,
    gone: Option<Table<'t, u64, &'static [u8; GONE]>>,
    misc: Option<Table<'t, &'static [u8], &'static [u8]>>,
    /// What is kept in memory.
    pub state: &'t mut State,
    /// What happened, in order.
    pub log: Vec<Change>,
    /// Something was written.
    pub dirty: bool,
    /// The commit must be durable (anything but staged pieces and uploads).
    pub durable: bool,
    /// Something was answered that the next durable commit shall keep.
    pub(super) loose: bool,
}

impl<'t> Txn<'t> {
    pub(super) fn new(txn: &'t WriteTransaction, state: &'t mut State) -> Txn<'t> {
        Txn {
            txn,
            hot: None,
            msg: None,
            blob: None,
            loc: None,
            mid: None,
            thr: None,
            gone: None,
            misc: None,
            state,
            log: Vec::new(),
            dirty: false,
            durable: false,
            loose: false,
        }
    }

    /// Says that an operation wrote something that its answer promises.
    pub fn touch(&mut self) {
        self.dirty = true;
        self.durable = true;
    }

    /// Runs an operation that need not be durable before its answer: the next durable commit, at
    /// the latest after two quiet seconds, keeps it. Where an id or a modseq that is told could come
    /// back after a power cut, it is durable all the same.
    pub fn loosely<T, E>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let (durable, dirty) = (self.durable, self.dirty);
        self.dirty = false;
        let done = run(self);
        if self.dirty && self.state.skips() {
            self.durable = durable;
            self.loose = true;
        }
        self.dirty |= dirty;
        done
    }

    /// Notes a change for the ring. Beyond the ring's size the list is useless and is cut there by
    /// the reader, so it does not grow further than one entry above.
    pub fn note(&mut self, row: &Row, kind: Kind, modseq: Modseq) {
        self.state.changed(DataType::Email, modseq);
        if matches!(
            kind,
            Kind::Added(true) | Kind::Removed(true) | Kind::Changed(true)
        ) {
            self.state.changed(DataType::Thread, modseq);
        }
        if matches!(kind, Kind::Added(true) | Kind::Removed(true)) {
            self.state.changed(DataType::Quota, modseq);
        }
        if kind == Kind::Added(true) {
            self.state.changed(DataType::EmailDelivery, modseq);
        }
        if self.log.len() <= crate::limits::CHANGE_RING {
            self.log.push(Change {
                modseq,
                mailbox: row.mailbox,
                uid: row.uid,
                email: row.email,
                thread: row.thread,
                kind,
            });
        }
    }

    /// One membership.
    pub fn row(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>, Error> {
        let key = Row::key(mailbox, uid);
        Ok(table!(self, hot, HOT_ROWS)
            .get(key)?
            .map(|r| Row::decode(key, r.value())))
    }

    /// Up to `most` memberships in `first..=last`, rising.
    pub fn rows(
        &mut self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        most: usize,
    ) -> Result<Vec<Row>, Error> {
        let range = Row::key(mailbox, first)..=Row::key(mailbox, last);
        let mut out = Vec::new();
        for entry in table!(self, hot, HOT_ROWS).range(range)?.take(most) {
            let (key, row) = entry?;
            out.push(Row::decode(key.value(), row.value()));
        }
        Ok(out)
    }

    /// Writes a membership.
    pub fn put_row(&mut self, row: &Row) -> Result<(), Error> {
        self.touch();
        table!(self, hot, HOT_ROWS).insert(Row::key(row.mailbox, row.uid), &row.encode())?;
        Ok(())
    }

    /// Removes a membership's row.
    pub fn delete_row(&mut self, mailbox: MailboxId, uid: Uid) -> Result<(), Error> {
        self.touch();
        table!(self, hot, HOT_ROWS).remove(Row::key(mailbox, uid))?;
        Ok(())
    }

    /// Every flag bit that any membership has.
    pub fn flags_in_use(&mut self) -> Result<u64, Error> {
        let mut used = 0;
        for entry in table!(self, hot, HOT_ROWS).iter()? {
            let (key, row) = entry?;
            used |= Row::decode(key.value(), row.value()).flags.0;
        }
        Ok(used)
    }

    /// A whole message row.
    pub fn message(&mut self, email: EmailId) -> Result<Option<MsgRow>, Error> {
        match table!(self, msg, MSG).get(email.0)? {
            Some(bytes) => Ok(Some(
                MsgRow::decode(bytes.value()).ok_or_else(|| bad_row(email))?,
            )),
            None => Ok(None),
        }
    }

    /// The head of a message row.
    pub fn head(&mut self, email: EmailId) -> Result<Option<Head>, Error> {
        match table!(self, msg, MSG).get(email.0)? {
            Some(bytes) => Ok(Some(
                MsgRow::head(bytes.value()).ok_or_else(|| bad_row(email))?,
            )),
            None => Ok(None),
        }
    }

    /// Writes a message row.
    pub fn put_message(&mut self, email: EmailId, row: &MsgRow) -> Result<(), Error> {
        self.touch();
        table!(self, msg, MSG).insert(email.0, row.encode().as_slice())?;
        Ok(())
    }

    /// Writes a piece of a body. Not durable by itself.
    pub fn put_piece(&mut self, email: EmailId, piece: usize, bytes: &[u8]) -> Result<(), Error> {
        self.dirty = true;
        table!(self, blob, BLOB).insert(piece_key(email, piece), bytes)?;
        Ok(())
    }

    /// One piece of a body.
    pub fn piece(&mut self, email: EmailId, piece: usize) -> Result<Option<Vec<u8>>, Error> {
        Ok(table!(self, blob, BLOB)
            .get(piece_key(email, piece))?
            .map(|b| b.value().to_vec()))
    }

    /// Removes every piece of a body.
    pub fn delete_pieces(&mut self, email: EmailId) -> Result<(), Error> {
        self.dirty = true;
        let range = piece_key(email, 0)..=piece_key(email, 0xff_ffff);
        table!(self, blob, BLOB).retain_in(range, |_, _| false)?;
        Ok(())
    }

    /// Reserves an email id for a body that is being written.
    pub fn begin_body(&mut self) -> EmailId {
        let email = EmailId(self.state.global.next_email);
        self.state.global.next_email += 1;
        self.state.global.in_flight.push(email.0);
        self.dirty = true;
        email
    }

    /// Is this body still being written? Not when the store was reopened since (what was staged may
    /// be lost, and the id another's), nor when it was swept.
    pub fn is_begun(&self, email: EmailId, epoch: u32) -> bool {
        epoch == self.state.epoch && self.state.global.in_flight.contains(&email.0)
    }

    /// The body is part of a message now.
    pub fn end_body(&mut self, email: EmailId) {
        self.state.global.in_flight.retain(|&e| e != email.0);
    }

    /// Removes what an abandoned body left.
    pub(super) fn sweep(&mut self, email: EmailId) -> Result<(), Error> {
        if self.state.global.in_flight.contains(&email.0) {
            self.end_body(email);
            self.delete_pieces(email)?;
        }
        Ok(())
    }

    /// Removes a message with its pieces.
    pub fn delete_message(&mut self, email: EmailId) -> Result<(), Error> {
        self.touch();
        let Some(head) = self.head(email)? else {
            return Ok(());
        };
        table!(self, msg, MSG).remove(email.0)?;
        if !head.tail_inline || head.stored as usize >= ROW {
            self.delete_pieces(email)?;
        }
        Ok(())
    }

    /// Notes a membership other than the first.
    pub fn put_loc(&mut self, row: &Row) -> Result<(), Error> {
        table!(self, loc, LOC).insert(loc_key(row.email, row.mailbox, row.uid), ())?;
        Ok(())
    }

    /// Removes that note.
    pub fn delete_loc(&mut self, row: &Row) -> Result<(), Error> {
        table!(self, loc, LOC).remove(loc_key(row.email, row.mailbox, row.uid))?;
        Ok(())
    }

    /// Every membership of an email.
    pub fn memberships(&mut self, email: EmailId, head: &Head) -> Result<Vec<Row>, Error> {
        let mut places = Vec::new();
        let range = u128::from(email.0) << 64..=u128::from(email.0) << 64 | u128::from(u64::MAX);
        for entry in table!(self, loc, LOC).range(range)? {
            places.push(entry?.0.value() as u64);
        }
        let mut rows = Vec::with_capacity(1 + places.len());
        for key in (head.birth != 0)
            .then_some(head.birth)
            .into_iter()
            .chain(places)
        {
            let row = self.row(MailboxId((key >> 32) as u32), key as u32)?;
            rows.extend(row.filter(|r| r.email == email));
        }
        Ok(rows)
    }

    /// Does any mailbox show this email? Stops at the first: there may be thousands.
    pub fn is_shown(&mut self, email: EmailId) -> Result<bool, Error> {
        let birth = self.head(email)?.map_or(0, |head| head.birth);
        let at = |key: u64| (MailboxId((key >> 32) as u32), key as u32);
        let (mailbox, uid) = at(birth);
        if birth != 0 && self.row(mailbox, uid)?.is_some_and(|r| r.email == email) {
            return Ok(true);
        }
        let range = u128::from(email.0) << 64..=u128::from(email.0) << 64 | u128::from(u64::MAX);
        let first = table!(self, loc, LOC).range(range)?.next();
        Ok(first.transpose()?.is_some())
    }

    /// Remembers an end, and forgets the oldest ones beyond the bound.
    pub fn put_gone(&mut self, modseq: Modseq, gone: Gone) -> Result<(), Error> {
        self.touch();
        table!(self, gone, GONE_ROWS).insert(modseq, &gone.encode())?;
        self.state.global.gone_count += 1;
        if self.state.global.gone_count > GONE_ROWS {
            for _ in 0..GONE_PRUNE {
                let Some((oldest, _)) = table!(self, gone, GONE_ROWS).pop_first()? else {
                    break;
                };
                self.state.global.gone_floor = oldest.value();
                self.state.global.gone_count -= 1;
            }
        }
        Ok(())
    }

    /// A value of the key-value area.
    pub fn misc(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(table!(self, misc, MISC)
            .get(key)?
            .map(|v| v.value().to_vec()))
    }

    /// The first `most` keys with this prefix.
    pub fn misc_keys(&mut self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut out = Vec::new();
        for entry in table!(self, misc, MISC).range(prefix..)?.take(most) {
            let (key, _) = entry?;
            if !key.value().starts_with(prefix) {
                break;
            }
            out.push(key.value().to_vec());
        }
        Ok(out)
    }

    /// Writes or removes a value of the key-value area.
    pub fn put_misc(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        self.touch();
        let table = table!(self, misc, MISC);
        match value {
            Some(value) => table.insert(key, value)?,
            None => table.remove(key)?,
        };
        Ok(())
    }

    /// Emails (with thread and subject hash) that name this message-id, dead ones skipped; at most
    /// `most` index rows are looked at.
    pub fn find_id(
        &mut self,
        id: u64,
        most: usize,
    ) -> Result<Vec<(EmailId, ThreadId, u32)>, Error> {
        let mut found: Vec<_> = self
            .state
            .pending
            .iter()
            .filter(|p| p.ids.contains(&id))
            .map(|p| (p.email, p.thread, p.subject))
            .collect();
        let range = u128::from(id) << 64..=u128::from(id) << 64 | u128::from(u64::MAX);
        let mut indexed = Vec::new();
        for entry in table!(self, mid, MID).range(range)?.take(most) {
            indexed.push(EmailId(entry?.0.value() as u64));
        }
        for email in indexed {
            if let Some(head) = self.head(email)?.filter(|h| h.birth != 0) {
                found.push((email, head.thread(), head.subject));
            }
        }
        Ok(found)
    }

    /// Puts a new email into the index: in memory, and in its tables when enough have come
    /// together. An id that was handed out before others that are folded already (a long upload)
    /// is written at once.
    pub fn index(&mut self, entry: Pending) -> Result<(), Error> {
        if entry.email.0 <= self.state.global.indexed {
            return self.write_index(&entry);
        }
        self.state.pending.push(entry);
        if self.state.pending.len() >= FOLD_AT {
            self.fold()?;
        }
        Ok(())
    }

    /// Takes a dead email out of the index, now or at the next fold.
    pub fn unindex(&mut self, entry: Pending) {
        let before = self.state.pending.len();
        self.state.pending.retain(|p| p.email != entry.email);
        // Forgetting an entry leaves a row that readers skip; forgetting memory would not be.
        if self.state.pending.len() == before && self.state.dead.len() < 16 * FOLD_AT {
            self.state.dead.push(entry);
        }
    }

    fn fold(&mut self) -> Result<(), Error> {
        for entry in std::mem::take(&mut self.state.pending) {
            self.state.global.indexed = self.state.global.indexed.max(entry.email.0);
            self.write_index(&entry)?;
        }
        for entry in std::mem::take(&mut self.state.dead) {
            for id in &entry.ids {
                table!(self, mid, MID).remove(u128::from(*id) << 64 | u128::from(entry.email.0))?;
            }
            let key = u128::from(entry.thread.0) << 64 | u128::from(entry.email.0);
            table!(self, thr, THR).remove(key)?;
        }
        Ok(())
    }

    fn write_index(&mut self, entry: &Pending) -> Result<(), Error> {
        for id in &entry.ids {
            table!(self, mid, MID).insert(u128::from(*id) << 64 | u128::from(entry.email.0), ())?;
        }
        let key = u128::from(entry.thread.0) << 64 | u128::from(entry.email.0);
        table!(self, thr, THR).insert(key, ())?;
        Ok(())
    }

    /// Writes the state rows and lets go of the tables.
    pub(super) fn finish(mut self) -> Result<Vec<Change>, Error> {
        self.misc = None;
        let log = std::mem::take(&mut self.log);
        let (txn, state) = (self.txn, &mut *self.state);
        // The tables must be closed before the transaction commits.
        (self.hot, self.msg, self.blob, self.gone) = (None, None, None, None);
        (self.loc, self.mid, self.thr) = (None, None, None);
        state.save(txn)?;
        Ok(log)
    }
}

pub(super) fn piece_key(email: EmailId, piece: usize) -> u64 {
    email.0 << 24 | piece as u64 & 0xff_ffff
}

pub(super) fn bad_row(email: EmailId) -> Error {
    Error::Damaged(format!("the row of email {} cannot be read", email.0))
}
