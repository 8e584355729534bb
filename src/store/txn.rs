//! One write transaction, as the engine's operations see it: rows in, rows out.

use super::Error;
use super::blob::LEAD;
use super::message::{Head, MsgRow};
use super::rows::{EmailId, Flags, Gone, MailboxId, Modseq, Row, ThreadId, Uid};
use super::state::{Pending, State};
use super::states::DataType;
use super::tables::{
    Tree, Trees, email_key, email_of, id_key, loc_key, number, piece_key, place, thread_key,
};
use redb::WriteTransaction;

/// The index is folded into its tables when so many emails wait.
const FOLD_AT: usize = 64;
/// Deleted things remembered; 20 octets each, about 1 MiB with the tree.
const GONE_ROWS: u32 = 65_536;
/// How many of them are forgotten at once.
const GONE_PRUNE: usize = 1_024;

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
    /// It has `\Deleted`, or had when it ended.
    pub hidden: bool,
}

/// See the module.
pub struct Txn<'t> {
    trees: Trees<'t>,
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
            trees: Trees::new(txn),
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
        let hidden = row.flags.has(Flags::DELETED);
        if kind == Kind::Changed(true) && !hidden {
            self.state.changed(DataType::Shown, modseq);
        }
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
                hidden,
            });
        }
    }

    /// One membership.
    pub fn row(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>, Error> {
        let key = place(mailbox, uid);
        let row = self.trees.get(Tree::Hot, &key.to_be_bytes())?;
        Ok(row.map(|r| Row::decode(key, r.value())))
    }

    /// Up to `most` memberships in `first..=last`, rising.
    pub fn rows(
        &mut self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        most: usize,
    ) -> Result<Vec<Row>, Error> {
        let (first, last) = (place(mailbox, first), place(mailbox, last));
        let (first, last) = (first.to_be_bytes(), last.to_be_bytes());
        let mut out = Vec::new();
        self.trees
            .range(Tree::Hot, &first, Some(&last), &mut |key, row| {
                let on = out.len() < most;
                if on {
                    out.push(Row::decode(number(key), row));
                }
                Ok(on)
            })?;
        Ok(out)
    }

    /// Writes a membership.
    pub fn put_row(&mut self, row: &Row) -> Result<(), Error> {
        self.touch();
        let key = place(row.mailbox, row.uid).to_be_bytes();
        self.trees.insert(Tree::Hot, &key, &row.encode())
    }

    /// Removes a membership's row.
    pub fn delete_row(&mut self, mailbox: MailboxId, uid: Uid) -> Result<(), Error> {
        self.touch();
        let key = place(mailbox, uid).to_be_bytes();
        self.trees.remove(Tree::Hot, &key)
    }

    /// Every flag bit that any membership has.
    pub fn flags_in_use(&mut self) -> Result<u64, Error> {
        let mut used = 0;
        self.trees.range(Tree::Hot, &[], None, &mut |key, row| {
            used |= Row::decode(number(key), row).flags.0;
            Ok(true)
        })?;
        Ok(used)
    }

    /// A whole message row.
    pub fn message(&mut self, email: EmailId) -> Result<Option<MsgRow>, Error> {
        match self.trees.get(Tree::Msg, &email_key(email))? {
            Some(bytes) => MsgRow::decode(bytes.value())
                .map(Some)
                .ok_or_else(|| bad_row(email)),
            None => Ok(None),
        }
    }

    /// The head of a message row.
    pub fn head(&mut self, email: EmailId) -> Result<Option<Head>, Error> {
        match self.trees.get(Tree::Msg, &email_key(email))? {
            Some(bytes) => MsgRow::head(bytes.value())
                .map(Some)
                .ok_or_else(|| bad_row(email)),
            None => Ok(None),
        }
    }

    fn touch_message(&mut self, email: EmailId) {
        self.touch();
        if let Some(touched) = &mut self.state.touched {
            touched.insert(email.0 as u32);
        }
    }

    /// Writes a message row.
    pub fn put_message(&mut self, email: EmailId, row: &MsgRow) -> Result<(), Error> {
        self.touch_message(email);
        let row = row.encode();
        self.trees.insert(Tree::Msg, &email_key(email), &row)
    }

    /// Writes a piece of a body. Not durable by itself.
    pub fn put_piece(&mut self, email: EmailId, piece: usize, bytes: &[u8]) -> Result<(), Error> {
        self.dirty = true;
        let key = piece_key(email, piece);
        self.trees.insert(Tree::Blob, &key, bytes)
    }

    /// One piece of a body.
    pub fn piece(&mut self, email: EmailId, piece: usize) -> Result<Option<Vec<u8>>, Error> {
        let found = self.trees.get(Tree::Blob, &piece_key(email, piece))?;
        Ok(found.map(|b| b.value().to_vec()))
    }

    /// Removes every piece of a body.
    pub fn delete_pieces(&mut self, email: EmailId) -> Result<(), Error> {
        self.dirty = true;
        let keys = self.trees.keys(Tree::Blob, &email_key(email), usize::MAX)?;
        for key in keys {
            self.trees.remove(Tree::Blob, &key)?;
        }
        Ok(())
    }

    /// The next email id. There are 2^32 of them.
    pub fn next_email(&mut self) -> Result<EmailId, Error> {
        let email = EmailId(self.state.global.next_email);
        if email.0 >= u64::from(u32::MAX) {
            return Err(Error::damaged(&"no email ids are left"));
        }
        self.state.global.next_email += 1;
        Ok(email)
    }

    /// Reserves an email id for a body that is being written.
    pub fn begin_body(&mut self) -> Result<EmailId, Error> {
        let email = self.next_email()?;
        self.state.global.in_flight.push(email.0);
        self.dirty = true;
        Ok(email)
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
        self.touch_message(email);
        let Some(head) = self.head(email)? else {
            return Ok(());
        };
        self.trees.remove(Tree::Msg, &email_key(email))?;
        if !head.tail_inline || head.stored as usize >= LEAD {
            self.delete_pieces(email)?;
        }
        Ok(())
    }

    /// Notes a membership other than the first.
    pub fn put_loc(&mut self, row: &Row) -> Result<(), Error> {
        let key = loc_key(row.email, row.mailbox, row.uid);
        self.trees.insert(Tree::Loc, &key, &[])
    }

    /// Removes that note.
    pub fn delete_loc(&mut self, row: &Row) -> Result<(), Error> {
        let key = loc_key(row.email, row.mailbox, row.uid);
        self.trees.remove(Tree::Loc, &key)
    }

    /// Every membership of an email.
    pub fn memberships(&mut self, email: EmailId, head: &Head) -> Result<Vec<Row>, Error> {
        let mut places = Vec::from_iter((head.birth != 0).then_some(head.birth));
        for key in self.trees.keys(Tree::Loc, &email_key(email), usize::MAX)? {
            places.push(number(key.get(4..).unwrap_or_default()));
        }
        let mut rows = Vec::with_capacity(places.len());
        for key in places {
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
        let other = self.trees.keys(Tree::Loc, &email_key(email), 1)?;
        Ok(!other.is_empty())
    }

    /// Remembers an end, and forgets the oldest ones beyond the bound.
    pub fn put_gone(&mut self, modseq: Modseq, gone: Gone) -> Result<(), Error> {
        self.touch();
        let key = modseq.to_be_bytes();
        self.trees.insert(Tree::Gone, &key, &gone.encode())?;
        self.state.global.gone_count += 1;
        if self.state.global.gone_count > GONE_ROWS {
            for key in self.trees.keys(Tree::Gone, &[], GONE_PRUNE)? {
                self.trees.remove(Tree::Gone, &key)?;
                self.state.global.gone_floor = number(&key);
                self.state.global.gone_count -= 1;
            }
        }
        Ok(())
    }

    /// A value of the key-value area.
    pub fn misc(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let found = self.trees.get(Tree::Misc, key)?;
        Ok(found.map(|v| v.value().to_vec()))
    }

    /// The first `most` keys with this prefix.
    pub fn misc_keys(&mut self, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Error> {
        self.trees.keys(Tree::Misc, prefix, most)
    }

    /// Writes or removes a value of the key-value area.
    pub fn put_misc(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Error> {
        self.touch();
        match value {
            Some(value) => self.trees.insert(Tree::Misc, key, value),
            None => self.trees.remove(Tree::Misc, key),
        }
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
        for key in self.trees.keys(Tree::Mid, &id.to_be_bytes(), most)? {
            let email = email_of(&key);
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
                self.trees.remove(Tree::Mid, &id_key(*id, entry.email))?;
            }
            let key = thread_key(entry.thread.0, entry.email);
            self.trees.remove(Tree::Thr, &key)?;
        }
        Ok(())
    }

    fn write_index(&mut self, entry: &Pending) -> Result<(), Error> {
        for id in &entry.ids {
            let key = id_key(*id, entry.email);
            self.trees.insert(Tree::Mid, &key, &[])?;
        }
        let key = thread_key(entry.thread.0, entry.email);
        self.trees.insert(Tree::Thr, &key, &[])
    }

    /// Writes the state rows and lets go of the tables, which must be closed before the commit.
    /// What happened, and the octets of values that went, less those that came.
    pub(super) fn finish(mut self) -> Result<(Vec<Change>, i64), Error> {
        self.state.save(&mut self.trees)?;
        Ok((self.log, self.trees.freed))
    }
}

pub(super) fn bad_row(email: EmailId) -> Error {
    Error::damaged(&format_args!("the row of email {} cannot be read", email.0))
}
