//! Operations on emails as JMAP sees them: one object in several mailboxes (RFC 8621 §4.6).

use super::access::Check;
use super::copy::{share, transfer_only};
use super::expunge::end;
use super::fail::{Done, Fail};
use super::order::by_number;
use super::{EmailId, Error, Expect, Flags, Mail, MailboxId, Own, Result, Rights, flags};
use crate::store::{Row, Txn};

/// Changes of one email; all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct EmailUpdate {
    /// Flags and keywords to set.
    pub add: (Flags, Vec<String>),
    /// Flags and keywords to clear.
    pub remove: (Flags, Vec<String>),
    /// Clear whatever `add` does not name first (`keywords` set as a whole).
    pub replace_keywords: bool,
    /// The mailboxes it shall be in, as a whole; None: as it is, but for the next two.
    pub mailboxes: Option<Vec<MailboxId>>,
    /// Put into these.
    pub add_to: Vec<MailboxId>,
    /// Taken out of these.
    pub remove_from: Vec<MailboxId>,
}

impl Mail {
    /// Updates emails in one commit; one answer each, a refused one changes nothing.
    ///
    /// Whoever is not the owner changes what it sees: `mailboxes` stands for the ones that can be read.
    /// Keywords need `w`, `\Seen` needs `s` in all of those; a mailbox that gains the email needs `i`,
    /// one that loses it `t` and `e` (RFC 8621 §2).
    ///
    /// Errors: [`Error::StateMismatch`]. Errors of one: [`Error::NoSuchEmail`],
    /// [`Error::NoSuchMailbox`], [`Error::NoPermission`],
    /// [`Error::NoMailboxes`], [`Error::TooManyKeywords`], [`Error::BadKeyword`].
    pub async fn update_emails(
        &self,
        updates: Vec<(EmailId, EmailUpdate)>,
        expect: Expect,
    ) -> Result<(Vec<Result<()>>, Own)> {
        self.write_own(expect, move |txn, who| {
            each(&updates, |(email, change)| update(txn, who, *email, change))
        })
        .await
    }

    /// Ends every membership of these emails in one commit; one answer each.
    ///
    /// Of a principal's emails those memberships end that it can read; each needs `t` and `e`.
    ///
    /// Errors: [`Error::StateMismatch`]. Errors of one: [`Error::NoSuchEmail`],
    /// [`Error::NoPermission`].
    pub async fn destroy_emails(
        &self,
        emails: Vec<EmailId>,
        expect: Expect,
    ) -> Result<(Vec<Result<()>>, Own)> {
        self.write_own(expect, move |txn, who| {
            each(&emails, |email| {
                let rows = memberships(txn, who, *email)?;
                for row in &rows {
                    who.need(txn.state, row.mailbox, Rights::REMOVE)?;
                }
                for row in &rows {
                    end(txn, row)?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// One answer per item; a storage error ends them all.
fn each<I>(items: &[I], mut run: impl FnMut(&I) -> Done<()>) -> Done<Vec<Result<()>>> {
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        match run(item) {
            Ok(()) => answers.push(Ok(())),
            Err(Fail::Refused(error)) => answers.push(Err(error)),
            Err(error) => return Err(error),
        }
    }
    Ok(answers)
}

/// The memberships that can be read: none is as good as no email.
fn memberships(txn: &mut Txn<'_>, who: &Check, email: EmailId) -> Done<Vec<Row>> {
    let head = txn.head(email)?.ok_or(Error::NoSuchEmail)?;
    let mut rows = txn.memberships(email, &head)?;
    rows.retain(|row| who.rights(txn.state, row.mailbox).has(Rights::READ));
    if rows.is_empty() {
        return Err(Error::NoSuchEmail.into());
    }
    Ok(rows)
}

fn update(txn: &mut Txn<'_>, who: &Check, email: EmailId, change: &EmailUpdate) -> Done<()> {
    let rows = memberships(txn, who, email)?;
    // What has \Deleted is in no mailbox (RFC 8621 §4.1.1). It waits for its EXPUNGE, and an email that
    // had no other place would go with it.
    let shown = |r: &&Row| !r.flags.has(Flags::DELETED);
    let now_in = |mailbox: &MailboxId| rows.iter().filter(shown).any(|r| r.mailbox == *mailbox);
    let mut target: Vec<MailboxId> = match &change.mailboxes {
        Some(all) => all.clone(),
        None => rows.iter().filter(shown).map(|r| r.mailbox).collect(),
    };
    target.extend(&change.add_to);
    target.retain(|m| !change.remove_from.contains(m));
    by_number(&mut target, |mailbox| mailbox.0.into());
    target.dedup();
    if target.is_empty() {
        return Err(Error::NoMailboxes.into());
    }
    for mailbox in &target {
        if !txn.state.mailboxes.contains_key(&mailbox.0) {
            return Err(Error::NoSuchMailbox.into());
        }
    }
    for mailbox in target.iter().filter(|m| !now_in(m)) {
        who.need(txn.state, *mailbox, Rights::INSERT)?;
    }
    for row in rows
        .iter()
        .filter(shown)
        .filter(|r| !target.contains(&r.mailbox))
    {
        who.need(txn.state, row.mailbox, Rights::REMOVE)?;
    }
    let mine = rows.iter().filter(shown);
    let mine = mine.fold(Rights::ALL.flags(), |all, row| {
        all.only(who.rights(txn.state, row.mailbox).flags())
    });
    let add = change
        .add
        .0
        .only(Flags::SYSTEM)
        .with(flags::resolve(txn, &change.add.1)?);
    let remove = change.remove.0.with(flags::known(txn, &change.remove.1));
    may_flag(&rows, change.replace_keywords, add, remove, mine)?;
    // Checked: from here on everything is written.
    let Some(mut row) = rows.first().copied() else {
        return Err(Error::NoSuchEmail.into());
    };
    for &mailbox in target.iter().filter(|m| !now_in(m)) {
        row = share(txn, &row)?;
        // A copy into another mailbox is not \Deleted there.
        let clean = Row {
            flags: row.flags.without(Flags::DELETED),
            ..row
        };
        let kept = who.rights(txn.state, mailbox).flags();
        transfer_only(txn, &clean, mailbox, false, kept)?;
    }
    let leaving = |r: &&Row| !target.contains(&r.mailbox);
    for old in rows.iter().filter(shown).filter(leaving) {
        let current = txn.row(old.mailbox, old.uid)?.unwrap_or(*old);
        end(txn, &current)?;
    }
    let rows = match memberships(txn, who, email) {
        // Moved to where it cannot be read.
        Err(Fail::Refused(Error::NoSuchEmail)) => return Ok(()),
        rows => rows?,
    };
    // One is enough, but for those that are apart.
    for row in affected(&rows) {
        let row = txn.row(row.mailbox, row.uid)?.unwrap_or(*row);
        let old = row.flags.visible();
        let own = old.only(Flags::DELETED);
        let kept = if change.replace_keywords { own } else { old };
        let new = kept.without(remove.without(own)).with(add);
        // Just put there, maybe by whoever may not do this in it.
        let may = who.rights(txn.state, row.mailbox).flags();
        let new = old.without(may).with(new.only(may));
        flags::apply(txn, who, &row, new)?;
    }
    Ok(())
}

/// Those that JMAP shows, or the first one.
fn affected(rows: &[Row]) -> impl Iterator<Item = &Row> {
    let shown = |row: &&Row| !row.flags.has(Flags::DELETED);
    let none = !rows.iter().any(|row| shown(&row));
    let only = rows.iter().take(usize::from(none));
    rows.iter().filter(shown).chain(only)
}

/// May these flags be changed, where `mine` are the ones that may? What changes nothing is no change.
fn may_flag(rows: &[Row], replace: bool, add: Flags, remove: Flags, mine: Flags) -> Done<()> {
    let kept = |old: Flags| if replace { Flags(0) } else { old };
    for row in affected(rows) {
        let old = row.flags.visible().without(Flags::DELETED);
        let new = kept(old).without(remove).with(add).without(Flags::DELETED);
        if Flags(old.0 ^ new.0).without(mine) != Flags(0) {
            return Err(Error::NoPermission.into());
        }
    }
    Ok(())
}
