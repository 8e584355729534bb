//! STORE: system flags and keywords.

use super::access::Check;
use super::fail::{Done, Fail};
use super::{Error, Flags, MAX_KEYWORDS, Mail, MailboxId, Modseq, Result, Rights, UidSet};
use crate::store::{DataType, Kind, Row, Txn};

/// How flags change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagMode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`: replaces all system flags and keywords.
    Replace,
}

/// A change of flags.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// How.
    pub mode: FlagMode,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
}

/// What a STORE did.
#[derive(Clone, Debug, Default)]
pub struct FlagsChanged {
    /// Members that exist and now have the flags asked for (changed or already so).
    pub done: UidSet,
    /// Members that really changed.
    pub changed: UidSet,
    /// Members refused by UNCHANGEDSINCE (RFC 7162 §3.1.3).
    pub modified: UidSet,
    /// The modseq of the first change, if anything changed.
    pub first: Modseq,
    /// The modseq of the last change; 0 when nothing changed.
    pub modseq: Modseq,
}

/// Rows looked at together.
const STEP: usize = 512;
/// Octets of a keyword; real ones are below 40.
const KEYWORD_LEN: usize = 255;

impl Mail {
    /// Changes flags of the members of `uids` that exist, in one commit. With `unchanged_since`, only
    /// of those whose modseq is not above it (RFC 7162 §3.1.3).
    ///
    /// Flags that the rights do not let change stay as they are; with rights to none of them it is
    /// refused (RFC 4314 §4 STORE).
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`], [`Error::TooManyKeywords`],
    /// [`Error::BadKeyword`].
    pub async fn set_flags(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<Modseq>,
    ) -> Result<FlagsChanged> {
        let uids = uids.clone();
        self.write_as(0, move |txn, who| {
            who.need(txn.state, mailbox, Rights::READ)?;
            let mine = who.rights(txn.state, mailbox).flags();
            let asked = change.flags.only(Flags::SYSTEM);
            let writes = mine.has(Flags::FLAGGED);
            let some = match change.mode {
                FlagMode::Replace => mine != Flags(0),
                _ => {
                    asked.only(mine) != Flags(0)
                        || writes && !change.keywords.is_empty()
                        || asked == Flags(0) && change.keywords.is_empty()
                }
            };
            if !some {
                return Err(Error::NoPermission.into());
            }
            let keywords = match change.mode {
                _ if !writes => Flags(0),
                FlagMode::Remove => known(txn, &change.keywords),
                FlagMode::Add | FlagMode::Replace => resolve(txn, &change.keywords)?,
            };
            let given = asked.only(mine).with(keywords);
            let start = txn.state.global.modseq;
            let mut out = FlagsChanged {
                first: start + 1,
                ..FlagsChanged::default()
            };
            each_row(txn, mailbox, &uids, &mut |txn, row| {
                // What a copy in the same mailbox got from this very operation does not count.
                let others = 0..=start;
                if unchanged_since.is_some_and(|limit| row.modseq > limit)
                    && others.contains(&row.modseq)
                {
                    out.modified.insert(row.uid);
                    return Ok(());
                }
                out.done.insert(row.uid);
                // A copy in the same mailbox may have changed this row a moment ago.
                let fresh = match row.flags.has(Flags::SHARED) {
                    true => txn.row(row.mailbox, row.uid)?.unwrap_or(*row),
                    false => *row,
                };
                if fresh.modseq > start {
                    out.changed.insert(row.uid);
                }
                let row = &fresh;
                let old = row.flags.visible();
                let new = match change.mode {
                    FlagMode::Add => old.with(given),
                    FlagMode::Remove => old.without(given),
                    FlagMode::Replace => given.with(old.without(mine)),
                };
                if let Some(modseq) = apply(txn, who, row, new)? {
                    out.changed.insert(row.uid);
                    out.modseq = modseq;
                }
                Ok(())
            })?;
            Ok(out)
        })
        .await
    }
}

/// Calls `each` for the members of `uids` that exist, rising; rows are read in steps, so that
/// memory does not grow with the mailbox.
pub(super) fn each_row(
    txn: &mut Txn<'_>,
    mailbox: MailboxId,
    uids: &UidSet,
    each: &mut dyn FnMut(&mut Txn<'_>, &Row) -> Done<()>,
) -> Done<()> {
    for (first, last) in uids.runs() {
        let mut next = Some(first);
        while let Some(from) = next {
            let rows = txn.rows(mailbox, from, last, STEP)?;
            next = match rows.last() {
                Some(row) if rows.len() == STEP && row.uid < last => Some(row.uid + 1),
                _ => None,
            };
            for row in &rows {
                each(txn, row)?;
            }
        }
    }
    Ok(())
}

/// Gives `row` the visible flags `new`; what belongs to the email goes to every membership. Where
/// `who` may not change it on all of them, this one is apart from now on. Returns the modseq, or None
/// when nothing changed.
pub(super) fn apply(txn: &mut Txn<'_>, who: &Check, row: &Row, new: Flags) -> Done<Option<Modseq>> {
    let changed = Flags(row.flags.visible().0 ^ new.0);
    if changed == Flags(0) {
        return Ok(None);
    }
    let (mut others, mut apart) = (Vec::new(), Flags(0));
    let email = changed.only(Flags::OF_EMAIL);
    if email != Flags(0) && row.flags.has(Flags::SHARED) && !row.flags.has(Flags::APART) {
        let head = txn.head(row.email)?.unwrap_or_default();
        others = txn.memberships(row.email, &head)?;
        others
            .retain(|o| !o.flags.has(Flags::APART) && (o.mailbox, o.uid) != (row.mailbox, row.uid));
        // RFC 4314 §4 STORE: nobody changes flags in a mailbox by way of another.
        let may = |o: &Row| who.rights(txn.state, o.mailbox).flags().has(email);
        if !others.iter().all(may) {
            others.clear();
            apart = Flags::APART;
        }
    }
    let modseq = txn.state.bump();
    write(txn, row, new.with(apart), modseq)?;
    let shared = new.only(Flags::OF_EMAIL);
    for other in &others {
        let own = other.flags.only(Flags::DELETED);
        write(txn, other, shared.with(own), modseq)?;
    }
    Ok(Some(modseq))
}

/// Writes one row with other visible flags, and keeps the counters right.
fn write(txn: &mut Txn<'_>, row: &Row, visible: Flags, modseq: Modseq) -> Done<()> {
    let internal = Flags(row.flags.0 & !row.flags.visible().0);
    let new = Row {
        flags: visible.with(internal),
        modseq,
        ..*row
    };
    let counters = txn.state.counters_mut(row.mailbox);
    let unseen = |r: &Row| u32::from(!r.flags.has(Flags::SEEN));
    let deleted = |r: &Row| u32::from(r.flags.has(Flags::DELETED));
    counters.unseen = (counters.unseen + unseen(&new)).saturating_sub(unseen(row));
    counters.deleted = (counters.deleted + deleted(&new)).saturating_sub(deleted(row));
    counters.highest_modseq = modseq;
    let differs = |flags: Flags| new.flags.only(flags) != row.flags.only(flags);
    // What JMAP counts (RFC 8621 §2 `unreadEmails`): other flags are no change of the mailbox.
    if differs(Flags::SEEN.with(Flags::DRAFT).with(Flags::DELETED)) {
        counters.counts_modseq = modseq;
        txn.state.changed(DataType::Mailbox, modseq);
    }
    txn.put_row(&new)?;
    txn.note(&new, Kind::Changed(differs(Flags::DELETED)), modseq);
    Ok(())
}

/// The flag bits of keywords that exist; others are not set anywhere, so cannot be cleared.
pub(super) fn known(txn: &Txn<'_>, names: &[String]) -> Flags {
    names
        .iter()
        .filter_map(|name| slot(txn, name))
        .fold(Flags::default(), |all, slot| all.with(Flags::keyword(slot)))
}

fn slot(txn: &Txn<'_>, name: &str) -> Option<usize> {
    let same = |n: &Option<String>| n.as_ref().is_some_and(|n| n.eq_ignore_ascii_case(name));
    txn.state.keywords.iter().position(same)
}

/// The flag bits of keywords; a new name takes a free slot, or one that no email uses any more.
/// When it refuses, no slot is taken.
pub(super) fn resolve(txn: &mut Txn<'_>, names: &[String]) -> Done<Flags> {
    if names.iter().all(|name| slot(txn, name).is_some()) {
        return Ok(known(txn, names));
    }
    let before = txn.state.keywords.clone();
    let all = name_slots(txn, names);
    if all.is_err() {
        *txn.state.keywords_mut() = before;
    }
    all
}

fn name_slots(txn: &mut Txn<'_>, names: &[String]) -> Done<Flags> {
    let mut all = known(txn, names);
    for name in names {
        if slot(txn, name).is_some() {
            continue;
        }
        if !is_keyword(name) {
            return Err(Error::BadKeyword.into());
        }
        let slot = free_slot(txn, all)?;
        let slots = txn.state.keywords_mut();
        if slots.len() <= slot {
            slots.resize(slot + 1, None);
        }
        if let Some(place) = slots.get_mut(slot) {
            *place = Some(name.clone());
        }
        all = all.with(Flags::keyword(slot));
    }
    Ok(all)
}

fn free_slot(txn: &mut Txn<'_>, taken: Flags) -> Done<usize> {
    let slots = &txn.state.keywords;
    if let Some(slot) = slots.iter().position(Option::is_none) {
        return Ok(slot);
    }
    if slots.len() < MAX_KEYWORDS {
        return Ok(slots.len());
    }
    // All named: one that no email carries can be renamed. Happens once per 56 new names.
    let used = Flags(txn.flags_in_use()?).with(taken);
    (0..MAX_KEYWORDS)
        .find(|&slot| !used.has(Flags::keyword(slot)))
        .ok_or(Fail::Refused(Error::TooManyKeywords))
}

/// RFC 9051 §9 `flag-keyword` (an atom), RFC 8621 §4.1.1 (1-255 characters, no `( ) { ] % * " \`).
pub fn is_keyword(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= KEYWORD_LEN
        && name
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"(){]%*\"\\".contains(&b))
}
