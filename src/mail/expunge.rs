//! The end of memberships, and of emails with their last one.

use super::fail::Done;
use super::{Error, Flags, Mail, MailboxId, Result, Rights, UidSet, flags};
use crate::store::{DataType, Gone, Kind, Pending, Row, Txn};
use smol::future::yield_now;

/// Memberships ended in one commit; a larger EXPUNGE takes several, so that deliveries do not wait
/// for all of it. Each message is gone or not, never half.
pub(super) const STEP: u32 = 1_000;

/// Rows looked at in a row.
const LOOK: u32 = 4_096;

impl Mail {
    /// EXPUNGE: ends the memberships among `uids` (None: of the whole mailbox) that have `\Deleted`.
    /// Returns their UIDs.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `e`.
    pub async fn expunge(&self, mailbox: MailboxId, uids: Option<&UidSet>) -> Result<UidSet> {
        let all = UidSet::range(1, u32::MAX);
        self.end_all(mailbox, uids.unwrap_or(&all), true).await
    }

    /// Ends these memberships, `\Deleted` or not. Returns those that were there.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `t` and `e`.
    pub async fn remove(&self, mailbox: MailboxId, uids: &UidSet) -> Result<UidSet> {
        self.end_all(mailbox, uids, false).await
    }

    async fn end_all(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        only_deleted: bool,
    ) -> Result<UidSet> {
        let mut gone = UidSet::new();
        let needed = match only_deleted {
            true => Rights::READ.with(Rights::EXPUNGE),
            false => Rights::READ.with(Rights::REMOVE),
        };
        self.need(mailbox, needed)?;
        let victims = self.victims(mailbox, uids, only_deleted).await?;
        let mut at = 0;
        while let Some(first) = victims.nth(at) {
            let last = victims
                .nth(at + STEP - 1)
                .or(victims.last())
                .unwrap_or(first);
            let step = victims.and(&UidSet::range(first, last));
            at += STEP;
            let ended = self
                .write_as(0, move |txn, who| {
                    who.need(txn.state, mailbox, needed)?;
                    let mut ended = UidSet::new();
                    flags::each_row(txn, mailbox, &step, &mut |txn, row| {
                        if !only_deleted || row.flags.has(Flags::DELETED) {
                            end(txn, row)?;
                            ended.insert(row.uid);
                        }
                        Ok(())
                    })?;
                    Ok(ended)
                })
                .await?;
            gone = gone.or(&ended);
        }
        Ok(gone)
    }

    /// What there is to end, by a look before the writer is asked; others have their turn between its
    /// pieces.
    async fn victims(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        only_deleted: bool,
    ) -> Result<UidSet> {
        let meta = self.meta();
        let counters = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?.counters;
        let mut victims = UidSet::new();
        if only_deleted && counters.deleted == 0 {
            return Ok(victims);
        }
        for (first, last) in uids.runs() {
            let mut next = Some(first);
            while let Some(from) = next.take() {
                let mut looked = 0;
                self.reader()?.rows(mailbox, from, last, |row| {
                    if !only_deleted || row.flags.has(Flags::DELETED) {
                        victims.insert(row.uid);
                    }
                    looked += 1;
                    next = (looked == LOOK && row.uid < last).then_some(row.uid + 1);
                    looked < LOOK
                })?;
                if next.is_some() {
                    yield_now().await;
                }
            }
        }
        Ok(victims)
    }
}

/// Ends one membership; with the last one goes the email, unless something holds it.
pub(super) fn end(txn: &mut Txn<'_>, row: &Row) -> Done<()> {
    let modseq = txn.state.bump();
    let counters = txn.state.counters_mut(row.mailbox);
    counters.total = counters.total.saturating_sub(1);
    counters.size = counters.size.saturating_sub(u64::from(row.size));
    counters.unseen = counters
        .unseen
        .saturating_sub(u32::from(!row.flags.has(Flags::SEEN)));
    counters.deleted = counters
        .deleted
        .saturating_sub(u32::from(row.flags.has(Flags::DELETED)));
    counters.highest_modseq = modseq;
    counters.counts_modseq = modseq;
    if counters.total == 0 {
        // An empty mailbox is in order again.
        counters.by_date = true;
        counters.last_date = 0;
    }
    txn.state.changed(DataType::Mailbox, modseq);
    txn.delete_row(row.mailbox, row.uid)?;
    let gone = Gone {
        mailbox: row.mailbox,
        uid: row.uid,
        email: row.email,
        thread: row.thread,
    };
    txn.put_gone(modseq, gone)?;
    let mut last = true;
    if row.flags.has(Flags::SHARED) {
        txn.delete_loc(row)?;
        last = !txn.is_shown(row.email)?;
    }
    if last {
        destroy(txn, row)?;
    }
    txn.note(row, Kind::Removed(last), modseq);
    Ok(())
}

/// No mailbox shows it any more.
fn destroy(txn: &mut Txn<'_>, row: &Row) -> Done<()> {
    let Some(mut message) = txn.message(row.email)? else {
        return Ok(());
    };
    txn.state.global.emails = txn.state.global.emails.saturating_sub(1);
    let ids = std::mem::take(&mut message.ids);
    let subject = message.head.subject;
    if message.head.holds == 0 {
        let bytes = &mut txn.state.global.bytes;
        *bytes = bytes.saturating_sub(u64::from(message.head.raw_size));
        txn.delete_message(row.email)?;
    } else {
        // The queue still sends it: the bytes stay, the email does not.
        message.head.birth = 0;
        message.ids.clone_from(&ids);
        txn.put_message(row.email, &message)?;
    }
    txn.unindex(Pending {
        email: row.email,
        thread: row.thread,
        subject,
        ids,
    });
    Ok(())
}
