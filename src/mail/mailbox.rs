//! Mailboxes: create, rename, move, delete, subscribe.

use super::access::{self, Check};
use super::annotation;
use super::copy::transfer;
use super::expunge::{self, end};
use super::fail::{Done, Fail};
use super::view;
use super::{
    Error, Expect, Mail, Mailbox, MailboxId, Own, Result, Rights, Role, UidSet, flags, is_inbox,
    now, same_path,
};
use crate::limits::{MAILBOX_DEPTH, MAILBOX_NAME, MAILBOXES};
use crate::mime::nfc::nfc;
use crate::store::{Counters, DataType, EmailId, Gone, Mbox, State, ThreadId, Txn};
use std::sync::Arc;

/// Properties of a mailbox to set; None leaves it.
#[derive(Clone, Debug, Default)]
pub struct MailboxUpdate {
    /// Own name (no `/`).
    pub name: Option<String>,
    /// Parent.
    pub parent: Option<Option<MailboxId>>,
    /// Role.
    pub role: Option<Option<Role>>,
    /// Sort order.
    pub sort_order: Option<u32>,
    /// Subscription.
    pub subscribed: Option<bool>,
}

/// What a new store has, with JMAP's usual order.
const FIRST: [(&str, Role); 6] = [
    ("INBOX", Role::Inbox),
    ("Drafts", Role::Drafts),
    ("Sent", Role::Sent),
    ("Junk", Role::Junk),
    ("Trash", Role::Trash),
    ("Archive", Role::Archive),
];

impl Mail {
    /// CREATE with all missing parents (RFC 9051 §6.3.4); a trailing `/` is the caller's to drop.
    ///
    /// Errors: [`Error::MailboxExists`], [`Error::BadName`], [`Error::RoleTaken`], [`Error::Limit`].
    pub async fn create(&self, path: &str, role: Option<Role>) -> Result<Arc<Mailbox>> {
        let path = path.to_owned();
        let id = self
            .write_as(0, move |txn, who| {
                vacant(txn.state, who, &path)?;
                if role.is_some() {
                    who.everywhere()?;
                }
                role_free(txn.state, role, None)?;
                let place = Place::find(txn.state, &path)?;
                place.room(txn.state, 1)?;
                who.create_below(txn.state, place.parent)?;
                let parent = place.make(txn)?;
                make(txn, parent, place.name, role, true)
            })
            .await?;
        self.whole()
            .mailbox(id)
            .cloned()
            .ok_or(Error::NoSuchMailbox)
    }

    /// JMAP Mailbox/set create: one mailbox below an existing parent. `name`, `parent` and `role` of
    /// `update` are not looked at but for the role.
    ///
    /// Errors: as for [`Mail::create`], and [`Error::NoSuchMailbox`] for the parent.
    pub async fn create_below(
        &self,
        parent: Option<MailboxId>,
        name: &str,
        update: MailboxUpdate,
        expect: Expect,
    ) -> Result<(Arc<Mailbox>, Own)> {
        let name = name.to_owned();
        let (id, own) = self
            .write_own(expect, move |txn, who| {
                let parent = parent_number(txn.state, parent)?;
                who.create_below(txn.state, parent)?;
                if update.role.flatten().is_some() || update.sort_order.is_some_and(|n| n != 0) {
                    who.everywhere()?;
                }
                check_place(txn.state, parent, &name, None)?;
                role_free(txn.state, update.role.flatten(), None)?;
                let subscribed = update.subscribed.unwrap_or(true);
                let id = make(txn, parent, &name, update.role.flatten(), subscribed)?;
                txn.state.mailbox_mut(id).sort_order = update.sort_order.unwrap_or(0);
                Ok(id)
            })
            .await?;
        let made = self.whole().mailbox(id).cloned();
        Ok((made.ok_or(Error::NoSuchMailbox)?, own))
    }

    /// RENAME by path (RFC 9051 §6.3.6): children follow, missing parents are made; renaming INBOX
    /// moves its messages into a new mailbox and leaves it empty.
    ///
    /// Needs `x` there and `k` on the new parent (RFC 4314 §4); no list changes.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`], [`Error::MailboxExists`],
    /// [`Error::BadName`], [`Error::ParentLoop`].
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.write_as(0, move |txn, who| {
            let id = find(txn.state, &from).ok_or(Error::NoSuchMailbox)?;
            who.need(txn.state, id, Rights::DELETE)?;
            vacant(txn.state, who, &to)?;
            let place = Place::find(txn.state, &to)?;
            who.create_below(txn.state, place.parent)?;
            if is_inbox(&from) {
                // Its messages go, and nothing else does.
                who.need(txn.state, id, Rights::READ.with(Rights::REMOVE))?;
                place.room(txn.state, 1)?;
                let parent = place.make(txn)?;
                let target = make(txn, parent, place.name, None, true)?;
                annotation::copy(txn, id, target)?;
                return flags::each_row(txn, id, &UidSet::range(1, u32::MAX), &mut |txn, row| {
                    transfer(txn, row, target, true).map(drop)
                });
            }
            place.room(txn.state, 0)?;
            check_above(txn.state, place.parent, place.missing.len(), Some(id))?;
            let parent = place.make(txn)?;
            let changed = txn.state.bump();
            let mailbox = txn.state.mailbox_mut(id);
            mailbox.name = place.name.to_owned();
            (mailbox.parent, mailbox.changed) = (parent, changed);
            txn.state.changed(DataType::Mailbox, changed);
            txn.touch();
            Ok(())
        })
        .await
    }

    /// SUBSCRIBE, and any other change of one mailbox.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::MailboxExists`], [`Error::BadName`],
    /// [`Error::RoleTaken`], [`Error::ParentLoop`], [`Error::InboxStays`].
    pub async fn update_mailbox(&self, id: MailboxId, update: MailboxUpdate) -> Result<()> {
        let (mut results, _) = self
            .update_mailboxes(vec![(id, update)], Expect::default())
            .await?;
        results.pop().unwrap_or(Err(Error::Unavailable))
    }

    /// JMAP Mailbox/set update: many in one commit, one answer each. They are looked at together:
    /// what one gives up (a name, a role, its place below another) is there for the others, and two
    /// may change places (RFC 8620 §5.3).
    ///
    /// Errors: [`Error::StateMismatch`]. Errors of one: as for [`Mail::update_mailbox`].
    pub async fn update_mailboxes(
        &self,
        updates: Vec<(MailboxId, MailboxUpdate)>,
        expect: Expect,
    ) -> Result<(Vec<Result<()>>, Own)> {
        self.write_own(expect, move |txn, who| Ok(update_all(txn, who, updates)))
            .await
    }

    /// Deletes a mailbox; its memberships go only `with_messages`, but those with `\Deleted` always.
    ///
    /// Of a large one the messages go first, some at a time, so that deliveries do not wait for all of
    /// it; where a state is expected, all of it is one commit.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::InboxStays`], [`Error::MailboxHasChildren`],
    /// [`Error::MailboxNotEmpty`].
    pub async fn delete(&self, id: MailboxId, with_messages: bool, expect: Expect) -> Result<Own> {
        let mut own: Option<Own> = None;
        let mut more = expect.0.is_none();
        while more {
            let step = self.write_own(Expect::default(), move |txn, who| {
                deletable(txn, who, id, with_messages)?;
                end_some(txn, id)
            });
            let (left, step) = step.await?;
            // What others did in between is not our own: only an unbroken row counts as one change.
            own = Some(match own {
                Some(own) if own.after == step.before => Own {
                    before: own.before,
                    ..step
                },
                _ => step,
            });
            more = left;
        }
        let last = self.write_own(expect, move |txn, who| {
            deletable(txn, who, id, with_messages)?;
            let created = txn.state.mailboxes.get(&id.0).map_or(0, |m| m.created);
            flags::each_row(txn, id, &UidSet::range(1, u32::MAX), &mut end)?;
            let modseq = txn.state.bump();
            txn.state.changed(DataType::Mailbox, modseq);
            let gone = Gone {
                mailbox: id,
                uid: 0,
                email: EmailId(created),
                thread: ThreadId(0),
            };
            txn.put_gone(modseq, gone)?;
            annotation::forget(txn, id)?;
            txn.put_misc(&view::key(id), None)?;
            txn.state.remove_mailbox(id);
            Ok(())
        });
        let ((), last) = last.await?;
        Ok(match own {
            Some(own) if own.after == last.before => Own {
                before: own.before,
                ..last
            },
            _ => last,
        })
    }

    /// The mailboxes of a new store (RFC 6154 special uses, made at init).
    pub(super) async fn create_first(&self) -> Result<()> {
        self.write(0, |txn| {
            for (order, (name, role)) in FIRST.into_iter().enumerate() {
                let id = make(txn, 0, name, Some(role), true)?;
                txn.state.mailbox_mut(id).sort_order = (order as u32 + 1) * 10;
            }
            Ok(())
        })
        .await
    }
}

/// May this mailbox be deleted?
fn deletable(txn: &Txn<'_>, who: &Check, id: MailboxId, with_messages: bool) -> Done<()> {
    let mailbox = txn.state.mailboxes.get(&id.0).ok_or(Error::NoSuchMailbox)?;
    who.need(txn.state, id, Rights::DELETE)?;
    if mailbox.role == Role::Inbox as u8 {
        return Err(Error::InboxStays.into());
    }
    if txn.state.mailboxes.values().any(|m| m.parent == id.0) {
        return Err(Error::MailboxHasChildren.into());
    }
    // What has \Deleted is no email to whoever asks this way (RFC 8621 §4.1.1).
    let shown = |c: &Counters| c.total > c.deleted;
    if !with_messages && txn.state.counters.get(&id.0).is_some_and(shown) {
        return Err(Error::MailboxNotEmpty.into());
    }
    Ok(())
}

/// Ends some of a large mailbox's memberships. False: what is left can go with the mailbox.
fn end_some(txn: &mut Txn<'_>, id: MailboxId) -> Done<bool> {
    let total = |txn: &Txn<'_>| txn.state.counters.get(&id.0).map_or(0, |c| c.total);
    if total(txn) > expunge::STEP {
        for row in txn.rows(id, 1, u32::MAX, expunge::STEP as usize)? {
            end(txn, &row)?;
        }
    }
    Ok(total(txn) > expunge::STEP)
}

/// Full path of a mailbox.
pub(super) fn path_of(state: &State, id: u32) -> String {
    let mut names = Vec::new();
    let mut at = id;
    while let Some(mailbox) = state.mailboxes.get(&at) {
        names.push(mailbox.name.as_str());
        at = mailbox.parent;
        if at == 0 || names.len() > 2 * MAILBOX_DEPTH {
            break;
        }
    }
    names.reverse();
    names.join("/")
}

fn find(state: &State, path: &str) -> Option<MailboxId> {
    state
        .mailboxes
        .keys()
        .find(|id| same_path(&path_of(state, **id), path))
        .map(|id| MailboxId(*id))
}

/// Is there nothing at this path? What a principal cannot see is not told apart from what it may not
/// do (RFC 4314 §6).
fn vacant(state: &State, who: &Check, path: &str) -> Done<()> {
    match find(state, path) {
        None => Ok(()),
        Some(id) if who.rights(state, id).has(Rights::LOOKUP) => Err(Error::MailboxExists.into()),
        Some(_) => Err(Error::NoPermission.into()),
    }
}

fn parent_number(state: &State, parent: Option<MailboxId>) -> Done<u32> {
    match parent {
        None => Ok(0),
        Some(id) if state.mailboxes.contains_key(&id.0) => Ok(id.0),
        Some(_) => Err(Error::NoSuchMailbox.into()),
    }
}

/// Where a path is to stand: nothing is made before everything is looked at.
struct Place<'a> {
    /// The lowest of its parents that exists, 0 for the top.
    parent: u32,
    /// Parents to be made below it.
    missing: Vec<&'a str>,
    /// Its own name.
    name: &'a str,
}

impl<'a> Place<'a> {
    fn find(state: &State, path: &'a str) -> Done<Place<'a>> {
        let mut names: Vec<&str> = path.split('/').collect();
        if names.len() > MAILBOX_DEPTH {
            return Err(Error::BadName(&"nested too deeply").into());
        }
        for name in &names {
            check_name(name)?;
        }
        let name = names.pop().unwrap_or_default();
        let (mut parent, mut existing) = (0, 0);
        for name in &names {
            let Some(child) = child_of(state, parent, name) else {
                break;
            };
            (parent, existing) = (child, existing + 1);
        }
        Ok(Place {
            parent,
            missing: names.split_off(existing),
            name,
        })
    }

    /// Is there room for what is missing and `more`?
    fn room(&self, state: &State, more: usize) -> Done<()> {
        if state.mailboxes.len() + self.missing.len() + more > MAILBOXES {
            return Err(Error::Limit(&"so many mailboxes").into());
        }
        Ok(())
    }

    /// Makes what is missing (RFC 9051 §6.3.4: "SHOULD create any superior hierarchical names").
    /// Returns the parent.
    fn make(&self, txn: &mut Txn<'_>) -> Done<u32> {
        let mut parent = self.parent;
        for name in &self.missing {
            parent = make(txn, parent, name, None, true)?.0;
        }
        Ok(parent)
    }
}

/// One mailbox on its way to another row.
struct Step {
    /// Its place in the answers.
    at: usize,
    id: MailboxId,
    row: Mbox,
}

/// Applies updates: first each that fits at once, again while any does; then all that are left in
/// one leap (two that swap names), without those that do not fit even so.
fn update_all(
    txn: &mut Txn<'_>,
    who: &Check,
    updates: Vec<(MailboxId, MailboxUpdate)>,
) -> Vec<Result<()>> {
    let mut answers: Vec<Result<()>> = Vec::with_capacity(updates.len());
    let mut waiting = Vec::new();
    for (at, (id, update)) in updates.into_iter().enumerate() {
        let planned = plan(txn.state, who, id, update);
        answers.push(planned.map(|row| {
            waiting.extend(row.map(|row| Step { at, id, row }));
        }));
    }
    loop {
        let before = waiting.len();
        waiting.retain(|step| match fits(txn.state, step) {
            Ok(()) => {
                write(txn, step.id, step.row.clone());
                false
            }
            Err(_) => true,
        });
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    for (at, error) in leap(txn, waiting) {
        if let Some(answer) = answers.get_mut(at) {
            *answer = Err(error);
        }
    }
    answers
}

/// Puts all rows in place at once, and takes back what does not fit; returns why not.
fn leap(txn: &mut Txn<'_>, mut steps: Vec<Step>) -> Vec<(usize, Error)> {
    let mut refused = Vec::new();
    // Bounded: every turn but the last takes one away.
    while !steps.is_empty() {
        let mut after = txn.state.clone();
        for step in &steps {
            *after.mailbox_mut(step.id) = step.row.clone();
        }
        let failed = steps.iter().position(|step| fits(&after, step).is_err());
        let Some(failed) = failed else {
            for step in steps {
                write(txn, step.id, step.row);
            }
            break;
        };
        let step = steps.remove(failed);
        let why = fits(txn.state, &step).err().or(fits(&after, &step).err());
        refused.extend(why.map(|why| (step.at, why)));
    }
    refused
}

fn write(txn: &mut Txn<'_>, id: MailboxId, mut row: Mbox) {
    row.changed = txn.state.bump();
    txn.state.changed(DataType::Mailbox, row.changed);
    *txn.state.mailbox_mut(id) = row;
    txn.touch();
}

/// The row that an update makes, if it makes another one; checks what the mailbox alone decides.
fn plan(state: &State, who: &Check, id: MailboxId, update: MailboxUpdate) -> Result<Option<Mbox>> {
    who.need(state, id, Rights::NONE)?;
    let old = state.mailboxes.get(&id.0).ok_or(Error::NoSuchMailbox)?;
    let mut new = old.clone();
    if let Some(name) = update.name {
        new.name = name;
    }
    if let Some(parent) = update.parent {
        new.parent = match parent {
            None => 0,
            Some(id) if state.mailboxes.contains_key(&id.0) => id.0,
            Some(_) => return Err(Error::NoSuchMailbox),
        };
    }
    if let Some(role) = update.role {
        new.role = role.map_or(0, |r| r as u8);
    }
    new.sort_order = update.sort_order.unwrap_or(new.sort_order);
    match (update.subscribed, who.own_subscriptions()) {
        (Some(on), Some(name)) => access::subscribe(&mut new, name, on),
        (on, _) => new.subscribed = on.unwrap_or(new.subscribed),
    }
    if (new.role, new.sort_order) != (old.role, old.sort_order) {
        who.everywhere()?;
    }
    let moved = (new.parent, &new.name, new.role) != (old.parent, &old.name, old.role);
    if moved && old.role == Role::Inbox as u8 {
        return Err(Error::InboxStays);
    }
    if moved {
        who.need(state, id, Rights::DELETE)?;
        who.create_below(state, new.parent)?;
    }
    Ok((new != *old).then_some(new))
}

/// Can the mailbox have this row among the others?
fn fits(state: &State, step: &Step) -> Result<()> {
    let place = check_place(state, step.row.parent, &step.row.name, Some(step.id));
    let role = || role_free(state, Role::from_u8(step.row.role), Some(step.id));
    place.and_then(|()| role()).map_err(|fail| match fail {
        Fail::Refused(error) => error,
        Fail::Store(error) => (*error).into(),
    })
}

fn child_of(state: &State, parent: u32, name: &str) -> Option<u32> {
    children_of(state, parent, name).next()
}

/// Those below `parent` of this name: one, or several while an update is looked at.
fn children_of(state: &State, parent: u32, name: &str) -> impl Iterator<Item = u32> {
    let same = move |n: &str| n == name || parent == 0 && is_inbox(n) && is_inbox(name);
    state
        .mailboxes
        .iter()
        .filter(move |(_, m)| m.parent == parent && same(&m.name))
        .map(|(id, _)| *id)
}

/// Can a mailbox stand there under this name?
fn check_place(state: &State, parent: u32, name: &str, own: Option<MailboxId>) -> Done<()> {
    check_name(name)?;
    if children_of(state, parent, name).any(|id| Some(MailboxId(id)) != own) {
        return Err(Error::MailboxExists.into());
    }
    check_above(state, parent, 0, own)
}

/// May `own`, or something new, stand `between` levels under `parent`? Not inside itself, and with
/// what it takes along not too deep.
fn check_above(state: &State, parent: u32, between: usize, own: Option<MailboxId>) -> Done<()> {
    let height = own.map_or(0, |id| height(state, id));
    let (mut at, mut depth) = (parent, 1 + between + height);
    while let Some(mailbox) = state.mailboxes.get(&at) {
        if Some(MailboxId(at)) == own {
            return Err(Error::ParentLoop.into());
        }
        depth += 1;
        at = mailbox.parent;
        // A loop of others, in an update that is being looked at, ends here too.
        if depth > MAILBOX_DEPTH {
            break;
        }
    }
    if depth > MAILBOX_DEPTH {
        return Err(Error::BadName(&"nested too deeply").into());
    }
    Ok(())
}

/// Levels of mailboxes below this one.
fn height(state: &State, id: MailboxId) -> usize {
    let below = |mut at: u32| {
        let mut levels = 0;
        while at != id.0 {
            if levels > 2 * MAILBOX_DEPTH {
                return None;
            }
            at = state.mailboxes.get(&at).filter(|m| m.parent != 0)?.parent;
            levels += 1;
        }
        Some(levels)
    };
    let levels = state.mailboxes.keys().filter_map(|&at| below(at));
    levels.max().unwrap_or(0)
}

fn check_name(name: &str) -> Done<()> {
    let why = if name.is_empty() {
        &"empty"
    } else if name.len() > MAILBOX_NAME {
        &"longer than 255 octets"
    } else if name.contains('/') {
        &"has a /"
    } else if name
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    {
        // RFC 9051 §5.1, RFC 5198 §2.
        &"has a control character"
    } else if name.starts_with('\u{feff}') {
        // RFC 5198 §2.
        &"begins with a byte order mark"
    } else if nfc(name.to_owned()) != name {
        // RFC 9051 §5.1; IMAP brings names into it.
        &"is not in Unicode's normal form C"
    } else {
        return Ok(());
    };
    Err(Fail::Refused(Error::BadName(why)))
}

fn role_free(state: &State, role: Option<Role>, own: Option<MailboxId>) -> Done<()> {
    let Some(role) = role else { return Ok(()) };
    let taken =
        |(id, m): (&u32, &crate::store::Mbox)| m.role == role as u8 && Some(MailboxId(*id)) != own;
    if state.mailboxes.iter().any(taken) {
        return Err(Error::RoleTaken.into());
    }
    Ok(())
}

/// Makes one mailbox; its place and name are checked.
fn make(
    txn: &mut Txn<'_>,
    parent: u32,
    name: &str,
    role: Option<Role>,
    subscribed: bool,
) -> Done<MailboxId> {
    if txn.state.mailboxes.len() >= MAILBOXES {
        return Err(Error::Limit(&"so many mailboxes").into());
    }
    check_name(name)?;
    let id = MailboxId(txn.state.global.next_mailbox);
    txn.state.global.next_mailbox += 1;
    // Grows with time and from mailbox to mailbox, so that a name that comes back has another one,
    // even in a store restored from a backup (RFC 9051 §2.3.1.1).
    let uidvalidity = txn.state.global.next_uidvalidity.max(now());
    txn.state.global.next_uidvalidity = uidvalidity + 1;
    let modseq = txn.state.bump();
    txn.state.changed(DataType::Mailbox, modseq);
    let inbox = parent == 0 && is_inbox(name);
    // RFC 4314 §4 CREATE: "it SHOULD inherit the ACL from the parent mailbox".
    let above = txn.state.mailboxes.get(&parent);
    let acl = above.map(|row| row.acl.clone()).unwrap_or_default();
    let mailbox = txn.state.mailbox_mut(id);
    mailbox.acl_changed = if acl.is_empty() { 0 } else { modseq };
    mailbox.acl = acl;
    mailbox.parent = parent;
    mailbox.role = role.map_or(0, |r| r as u8);
    mailbox.uidvalidity = uidvalidity;
    mailbox.subscribed = subscribed;
    mailbox.created = modseq;
    mailbox.changed = modseq;
    mailbox.name = if inbox {
        "INBOX".into()
    } else {
        name.to_owned()
    };
    *txn.state.counters_mut(id) = Counters {
        uidnext: 1,
        recent_from: 1,
        by_date: true,
        highest_modseq: modseq,
        counts_modseq: modseq,
        ..Counters::default()
    };
    txn.touch();
    Ok(id)
}
