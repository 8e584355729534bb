//! COPY and MOVE: memberships are added and ended; the email stays the same (RFC 8474 §5.1).

use super::deliver::place;
use super::expunge::end;
use super::fail::Done;
use super::{Error, Flags, Mail, MailboxId, Result, Rights, Uid, UidSet, flags, now};
use crate::store::{DataType, Row, Txn};

/// What a COPY or MOVE did (RFC 4315 §3 COPYUID): `from` and `to` in step, rising.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// UIDVALIDITY of the target; 0 where the target may not be read (RFC 4315 §3: no COPYUID then).
    pub uidvalidity: u32,
    /// Source UIDs, rising.
    pub from: UidSet,
    /// Target UIDs, rising.
    pub to: UidSet,
}

impl Mail {
    /// COPY: the members of `uids` that exist show in `to` as well, all or none (RFC 9051 §6.4.7).
    ///
    /// Needs `r` here and `i` there; flags that may not be set there do not go along (RFC 4314 §4).
    /// Then that membership has flags of its own: it stays the same email (RFC 8474 §5.1).
    ///
    /// Errors: [`Error::NoSuchMailbox`] for either, [`Error::NoPermission`].
    pub async fn copy(&self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Copied> {
        self.transfer(from, uids, to, false).await
    }

    /// MOVE: they show in `to` instead; in one commit (RFC 6851 §3.3). Needs `t` and
    /// `e` here as well. Errors as for [`Mail::copy`].
    pub async fn r#move(&self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Copied> {
        self.transfer(from, uids, to, true).await
    }

    async fn transfer(
        &self,
        from: MailboxId,
        uids: &UidSet,
        to: MailboxId,
        moves: bool,
    ) -> Result<Copied> {
        let uids = uids.clone();
        self.write_as(0, move |txn, who| {
            who.need(txn.state, to, Rights::INSERT)?;
            // RFC 6851 §4.2: what is moved is taken out of the source.
            let taken = if moves { Rights::REMOVE } else { Rights::NONE };
            who.need(txn.state, from, Rights::READ.with(taken))?;
            let there = who.rights(txn.state, to);
            let (kept, readable) = (there.flags(), there.has(Rights::READ));
            let target = txn.state.mailboxes.get(&to.0).ok_or(Error::NoSuchMailbox)?;
            let mut out = Copied {
                uidvalidity: if readable { target.uidvalidity } else { 0 },
                ..Copied::default()
            };
            if !txn.state.mailboxes.contains_key(&from.0) {
                return Err(Error::NoSuchMailbox.into());
            }
            // A mailbox onto itself must not meet the copies that it is making.
            let last = txn
                .state
                .counters
                .get(&from.0)
                .map_or(0, |c| c.uidnext.saturating_sub(1));
            let uids = uids.and(&UidSet::range(1, last));
            let next = txn.state.counters.get(&to.0).map_or(1, |c| c.uidnext);
            if u64::from(next) + u64::from(uids.len()) > u64::from(Uid::MAX) {
                return Err(Error::Limit(&"this mailbox has used all its UIDs").into());
            }
            flags::each_row(txn, from, &uids, &mut |txn, row| {
                let uid = transfer_only(txn, row, to, moves, kept)?;
                out.from.insert(row.uid);
                out.to.insert(uid);
                Ok(())
            })?;
            Ok(out)
        })
        .await
    }
}

/// Shows one email in `to` as well, or instead.
pub(super) fn transfer(txn: &mut Txn<'_>, row: &Row, to: MailboxId, moves: bool) -> Done<Uid> {
    transfer_only(txn, row, to, moves, Rights::ALL.flags())
}

/// The same with no other flags than `kept`.
pub(super) fn transfer_only(
    txn: &mut Txn<'_>,
    row: &Row,
    to: MailboxId,
    moves: bool,
    kept: Flags,
) -> Done<Uid> {
    let lost = row.flags.visible().without(kept);
    let alone = moves && !row.flags.has(Flags::SHARED);
    let apart = match lost.only(Flags::OF_EMAIL) != Flags(0) && !alone {
        true => Flags::APART,
        false => Flags(0),
    };
    let source = share(txn, row)?;
    let modseq = txn.state.bump();
    let copy = Row {
        mailbox: to,
        flags: source.flags.without(lost).with(apart),
        modseq,
        created: modseq,
        saved: now(),
        ..source
    };
    let uid = place(txn, copy, false, false)?;
    if copy.flags.has(Flags::DELETED) != source.flags.has(Flags::DELETED) {
        txn.state.changed(DataType::Shown, modseq);
    }
    if moves {
        end(txn, &source)?;
    }
    Ok(uid)
}

/// Marks the email as one with places in `loc`, on every membership: a flag change must find them.
pub(super) fn share(txn: &mut Txn<'_>, row: &Row) -> Done<Row> {
    if row.flags.has(Flags::SHARED) {
        return Ok(*row);
    }
    // Not shared yet: this is its only membership.
    let shared = Row {
        flags: row.flags.with(Flags::SHARED),
        ..*row
    };
    txn.put_row(&shared)?;
    Ok(shared)
}
