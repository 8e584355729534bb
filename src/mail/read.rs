//! Reading: rows, heads, bytes.

use super::deliver::is_upload_of;
use super::emails::ThreadFlags;
use super::order::by_number;
use super::{EmailId, MailboxId, Meta, Modseq, Principal, Result, Rights, Row, ThreadId, Uid};
use crate::mime::{self, Structure};
use crate::store::{self, MsgRow};
use std::cell::Cell;
use std::sync::Arc;

/// A stored message: its head, and where its bytes are.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: EmailId,
    /// Octets, prefix included.
    pub size: u32,
    /// Octets of the header section, prefix and the empty line included.
    pub header_len: u32,
    /// INTERNALDATE of its first membership.
    pub internaldate: u32,
    /// Its thread.
    pub thread: ThreadId,
    /// When it first showed in a mailbox.
    pub created: Modseq,
    pub(super) row: MsgRow,
}

impl Message {
    /// The structure that was found at arrival; part offsets count from the first octet of the
    /// message, prefix included.
    pub fn structure(&self) -> Structure {
        Structure::decode(&self.row.structure).unwrap_or_default()
    }

    /// The same, read lazily: an envelope without the parts, the preview alone.
    pub fn view(&self) -> Option<mime::View<'_>> {
        mime::View::new(&self.row.structure)
    }

    /// Does it show in any mailbox? An upload or a message of the queue alone does not.
    pub fn is_email(&self) -> bool {
        self.row.head.birth != 0
    }
}

/// Emails that name one message-id and are looked at.
const NAMING: usize = 64;

/// A consistent look at the store. Short-lived: never keep it across an await, it pins old pages.
pub struct Reader {
    pub(super) inner: store::Reader,
    pub(super) pending: Arc<Vec<(ThreadId, EmailId)>>,
    /// The thread whose flags were asked for last: its emails come in a row, and there may be
    /// thousands of them.
    pub(super) thread: Cell<Option<(ThreadId, ThreadFlags)>>,
    /// Whose eyes these are, if they do not see everything.
    pub(super) sight: Option<Sight>,
}

/// What somebody with fewer rights than the owner sees.
pub(super) struct Sight {
    pub who: Arc<Principal>,
    pub meta: Arc<Meta>,
}

impl Sight {
    fn reads(&self, mailbox: MailboxId) -> bool {
        let found = self.meta.mailbox(mailbox);
        found.is_some_and(|m| m.rights.has(Rights::READ))
    }
}

/// A mailbox that may not be read has no rows, an email in none but such is not there.
impl Reader {
    /// Can rows of this mailbox be seen?
    pub(super) fn reads(&self, mailbox: MailboxId) -> bool {
        self.sight.as_ref().is_none_or(|sight| sight.reads(mailbox))
    }

    /// One row.
    pub fn row(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>> {
        if !self.reads(mailbox) {
            return Ok(None);
        }
        Ok(self.inner.row(mailbox, uid)?)
    }

    /// The rows of `first..=last`, rising, until `each` returns false.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        mut each: impl FnMut(&Row) -> bool,
    ) -> Result<()> {
        self.walk(mailbox, (first, last), false, &mut each)
    }

    /// The same, falling.
    pub fn rows_back(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        mut each: impl FnMut(&Row) -> bool,
    ) -> Result<()> {
        self.walk(mailbox, (first, last), true, &mut each)
    }

    /// Once for all that is done with rows.
    fn walk(
        &self,
        mailbox: MailboxId,
        (first, last): (Uid, Uid),
        back: bool,
        each: &mut dyn FnMut(&Row) -> bool,
    ) -> Result<()> {
        if first > last || !self.reads(mailbox) {
            return Ok(());
        }
        let keys = Row::key(mailbox, first)..=Row::key(mailbox, last);
        Ok(self.inner.rows(keys, back, each)?)
    }

    /// The head of a message, an upload's too.
    pub fn message(&self, email: EmailId) -> Result<Option<Message>> {
        let Some(row) = self.inner.message(email)? else {
            return Ok(None);
        };
        if let Some(sight) = &self.sight {
            let rows = self.inner.memberships(email)?;
            let shown = rows.iter().any(|row| sight.reads(row.mailbox));
            if !shown && !is_upload_of(&self.inner, email, &sight.who.name)? {
                return Ok(None);
            }
        }
        Ok(Some(Message {
            id: email,
            size: row.head.raw_size,
            header_len: row.head.header_len,
            internaldate: row.head.internaldate,
            thread: row.head.thread(),
            created: row.head.created,
            row,
        }))
    }

    /// Appends up to `len` octets from `offset` to `out`; at most 64 KiB a call; returns how many
    /// (fewer at a block's end: call again; 0 at the message's end).
    pub fn read(&self, message: &Message, offset: u32, len: u32, out: &mut Vec<u8>) -> Result<u32> {
        Ok(self
            .inner
            .read(message.id, &message.row, offset, len, out)?)
    }

    /// Every membership of an email: none when it does not exist (or is only held).
    pub fn memberships(&self, email: EmailId) -> Result<Vec<Row>> {
        let mut rows = self.inner.memberships(email)?;
        if self.sight.is_some() {
            rows.retain(|row| self.reads(row.mailbox));
        }
        Ok(rows)
    }

    /// The emails of a thread, oldest first.
    pub fn thread(&self, thread: ThreadId) -> Result<Vec<EmailId>> {
        let mut emails = self.inner.thread(thread)?;
        emails.extend(
            self.pending
                .iter()
                .filter(|(t, _)| *t == thread)
                .map(|(_, email)| *email),
        );
        by_number(&mut emails, |email| email.0);
        emails.dedup();
        let mut alive = Vec::with_capacity(emails.len());
        for email in emails {
            // The index keeps rows of emails that are gone until they are folded away.
            let shown = match self.sight {
                None => self.inner.is_email(email)?,
                Some(_) => !self.memberships(email)?.is_empty(),
            };
            if shown {
                alive.push(email);
            }
        }
        Ok(alive)
    }

    /// The emails whose own Message-ID this is, as far as some dozens that name it can be looked at.
    pub fn by_message_id(&self, id: &str) -> Result<Vec<EmailId>> {
        match mime::msgid::first_hash(id.as_bytes()) {
            Some(hash) => self.by_hash(hash, NAMING),
            None => Ok(Vec::new()),
        }
    }

    /// The same by the hash of the id (`mime::msgid`), among the first `most` that name it.
    pub fn by_hash(&self, hash: u64, most: usize) -> Result<Vec<EmailId>> {
        let mut emails = self.inner.naming(hash, most)?;
        emails.extend(self.pending.iter().map(|(_, email)| *email));
        by_number(&mut emails, |email| email.0);
        emails.dedup();
        let mut found = Vec::new();
        for email in emails {
            let Some(message) = self.message(email)?.filter(Message::is_email) else {
                continue;
            };
            let own = message.structure().envelope.message_id;
            if own.and_then(|own| mime::msgid::first_hash(&own)) == Some(hash) {
                found.push(email);
            }
        }
        Ok(found)
    }

    /// A value of the key-value area, which is only for those who are trusted everywhere: to others
    /// it is empty.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        if self.sight.as_ref().is_some_and(|s| !s.who.everywhere) {
            return Ok(None);
        }
        Ok(self.inner.get(key)?)
    }

    /// Keys that begin with `prefix`, rising, until `each` returns false; as for [`Reader::get`].
    pub fn scan(&self, prefix: &[u8], mut each: impl FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        if self.sight.as_ref().is_some_and(|s| !s.who.everywhere) {
            return Ok(());
        }
        Ok(self.inner.scan(prefix, &mut each)?)
    }
}
