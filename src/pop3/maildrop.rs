//! What one session sees: the messages of INBOX at log-in, numbered, and its own marks.
//!
//! Held as runs of UIDs, whatever the number of messages; sizes and unique-ids are read when asked.
use super::gate::Pass;
use crate::limits;
use crate::mail::{Error, Mail, Mailbox, MailboxId, Reader, Result, Role, Row, Uid, UidSet, View};
use smol::future::yield_now;
use std::sync::Arc;

/// An open maildrop. Message numbers start at 1 (RFC 1939 §4).
pub struct Maildrop {
    mailbox: MailboxId,
    uidvalidity: u32,
    /// As it was at log-in; its order is the numbering.
    view: Arc<View>,
    /// As last looked at: what others removed is missing here.
    latest: Arc<View>,
    /// Octets of all messages of `view` that are in `latest`, once somebody asked.
    octets: Option<u64>,
    /// Messages marked deleted, by UID, and their octets.
    marked: UidSet,
    marked_octets: u64,
    /// Messages that RETR has sent, by UID.
    fetched: UidSet,
    _pass: Pass,
}

/// Why there is no such message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The number is beyond the last message; how many there are.
    Beyond(u32),
    /// Marked deleted in this session.
    Marked,
    /// Removed by another session.
    Gone,
}

/// What stands in for a message in an answer.
#[derive(Debug)]
pub enum Refusal {
    /// There is none.
    Missing(Missing),
    /// The engine's word.
    Engine(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Refusal::Engine(error)
    }
}

impl Maildrop {
    /// Opens INBOX with the right that `pass` gives.
    ///
    /// # Errors
    /// Those of the store.
    pub fn open(mail: &Mail, pass: Pass) -> Result<Self> {
        let inbox = inbox(mail)?;
        let view = mail.view(inbox.id)?;
        // The counters speak of the same messages if they count as many below the same UIDNEXT.
        let same =
            inbox.counters.total == view.uids.len() && inbox.counters.uidnext == view.uidnext;
        Ok(Self {
            mailbox: inbox.id,
            uidvalidity: inbox.uidvalidity,
            latest: view.clone(),
            octets: same.then_some(inbox.counters.size),
            view,
            marked: UidSet::new(),
            marked_octets: 0,
            fetched: UidSet::new(),
            _pass: pass,
        })
    }

    /// The mailbox behind it.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// First half of every unique-id.
    pub fn uidvalidity(&self) -> u32 {
        self.uidvalidity
    }

    /// Messages that are neither marked nor removed by others: STAT, LIST and UIDL count no
    /// others (RFC 1939 §5).
    pub fn count(&self) -> u32 {
        self.left().len()
    }

    /// Octets of these.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn octets(&mut self, mail: &Mail) -> Result<u64> {
        self.refresh(mail)?;
        let all = match self.octets {
            Some(all) => all,
            None => self.measure(mail).await?,
        };
        self.octets = Some(all);
        Ok(all.saturating_sub(self.marked_octets))
    }

    /// The row of a message.
    ///
    /// # Errors
    /// There is none, or none any more.
    pub fn row(&self, reader: &Reader, number: u32) -> std::result::Result<Row, Refusal> {
        let index = number.checked_sub(1);
        let uid = index.and_then(|index| self.view.uids.nth(index));
        let Some(uid) = uid else {
            return Err(Refusal::Missing(Missing::Beyond(self.view.uids.len())));
        };
        if self.marked.contains(uid) {
            return Err(Refusal::Missing(Missing::Marked));
        }
        reader
            .row(self.mailbox, uid)?
            .ok_or(Refusal::Missing(Missing::Gone))
    }

    /// The messages from number `from` on, at most [`limits::POP3_PAGE`] of them, and the number to
    /// go on with; `None` at the end.
    ///
    /// # Errors
    /// Those of the store.
    pub fn page(
        &self,
        reader: &Reader,
        from: u32,
        mut each: impl FnMut(u32, &Row),
    ) -> Result<Option<u32>> {
        let Some(start) = self.view.uids.nth(from.saturating_sub(1)) else {
            return Ok(None);
        };
        let mut room = limits::POP3_PAGE;
        let mut number = from;
        for (first, last) in self.view.uids.runs().filter(|run| run.1 >= start) {
            let first = first.max(start);
            let base = number;
            reader.rows(self.mailbox, first, last, |row| {
                number = base + (row.uid - first);
                if room == 0 {
                    return false;
                }
                room -= 1;
                if !self.marked.contains(row.uid) {
                    each(number, row);
                }
                number += 1;
                true
            })?;
            if room == 0 {
                return Ok(Some(number));
            }
            number = base + (last - first) + 1;
        }
        Ok(None)
    }

    /// Marks a message deleted.
    pub fn mark(&mut self, row: &Row) {
        self.marked.insert(row.uid);
        self.marked_octets += u64::from(row.size);
    }

    /// RETR has sent this message to its end.
    pub fn note_fetched(&mut self, uid: Uid) {
        self.fetched.insert(uid);
    }

    /// RSET: no marks, and nothing that QUIT would remove on its own.
    pub fn reset(&mut self) {
        self.marked = UidSet::new();
        self.marked_octets = 0;
        self.fetched = UidSet::new();
    }

    /// Messages marked deleted.
    pub fn marked(&self) -> &UidSet {
        &self.marked
    }

    /// Messages that RETR has sent since the last RSET.
    pub fn fetched(&self) -> &UidSet {
        &self.fetched
    }

    /// Everything that INBOX holds now, new mail included.
    ///
    /// # Errors
    /// Those of the store.
    pub fn present(&self, mail: &Mail) -> Result<Arc<View>> {
        mail.view(self.mailbox)
    }

    /// Looks at what others have removed.
    ///
    /// # Errors
    /// Those of the store.
    pub fn refresh(&mut self, mail: &Mail) -> Result<()> {
        let now = mail.view(self.mailbox)?;
        if Arc::ptr_eq(&now, &self.latest) {
            return Ok(());
        }
        let gone_before = self.view.uids.minus(&self.latest.uids).len();
        let gone = self.view.uids.minus(&now.uids);
        self.latest = now;
        if gone.len() != gone_before {
            self.octets = None;
            self.marked = self.marked.minus(&gone);
        }
        Ok(())
    }

    fn left(&self) -> UidSet {
        self.view.uids.and(&self.latest.uids).minus(&self.marked)
    }

    /// Adds all sizes up, page by page, so that other sessions get their turn; the marks' too.
    async fn measure(&mut self, mail: &Mail) -> Result<u64> {
        let marked = std::mem::take(&mut self.marked);
        let (mut all, mut of_marked) = (0, 0);
        let mut next = Some(1);
        while let Some(from) = next {
            let page = mail.reader().and_then(|reader| {
                self.page(&reader, from, |_, row| {
                    all += u64::from(row.size);
                    if marked.contains(row.uid) {
                        of_marked += u64::from(row.size);
                    }
                })
            });
            match page {
                Ok(number) => next = number,
                Err(error) => {
                    self.marked = marked;
                    return Err(error);
                }
            }
            yield_now().await;
        }
        self.marked = marked;
        self.marked_octets = of_marked;
        Ok(all)
    }
}

fn inbox(mail: &Mail) -> Result<Arc<Mailbox>> {
    let meta = mail.meta();
    meta.by_role(Role::Inbox)
        .cloned()
        .ok_or(Error::NoSuchMailbox)
}
