//! Who may do what: rights on mailboxes (RFC 4314), held by the owner and the owner's app passwords.
//!
//! Every [`Mail`](super::Mail) is a handle. The one that [`Mail::open`](super::Mail::open) gives is
//! the owner's: no right is ever looked at. [`Mail::of`](super::Mail::of) gives one for a
//! [`Principal`] whose operations are checked, each where it is written:
//!
//! * [`meta`](super::Mail::meta) lists the mailboxes with `l`, finds those with any right, and counts
//!   nothing where `r` is missing; a [`Reader`](super::Reader) of this handle gives rows, messages,
//!   threads and uploads that may be read, as if there were nothing else.
//! * A write checks in the writer, against the rights as they are then. An operation that was not
//!   taught about rights is refused with [`Error::NoPermission`] (`Mail::write` does it).
//!
//! Two things follow from emails being one object in several mailboxes. Flags and keywords belong to
//! the email: `w` and `s` are asked for in the mailbox through which they are changed, over JMAP in
//! all mailboxes that are seen (RFC 8621 §2), and a copy keeps them whatever the rights in the target.
//! And an email that is also in mailboxes that the principal cannot read shows only the others.
use super::{Error, Flags, Mail, MailboxId, Meta, Result};
use crate::store::{DataType, Mbox, State};
use crate::sys::{clock, lock};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A set of rights (RFC 4314 §2.1).
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug)]
pub struct Rights(u16);

/// The letters, in the order of their bits.
const LETTERS: &[u8; 11] = b"lrswipkxtea";
/// In a stored entry: the mailbox is not subscribed for this principal. Never part of [`Rights`].
const UNSUBSCRIBED: u16 = 1 << 15;

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// `l`: the mailbox is listed.
    pub const LOOKUP: Rights = Rights(1);
    /// `r`: it can be opened and read.
    pub const READ: Rights = Rights(1 << 1);
    /// `s`: `\Seen` can be changed.
    pub const SEEN: Rights = Rights(1 << 2);
    /// `w`: other flags and keywords can be changed.
    pub const WRITE: Rights = Rights(1 << 3);
    /// `i`: messages can be put in.
    pub const INSERT: Rights = Rights(1 << 4);
    /// `p`: kept for clients; nothing asks for it (RFC 4314 §2.1: "not enforced by IMAP4").
    pub const POST: Rights = Rights(1 << 5);
    /// `k`: mailboxes can be made below it.
    pub const CREATE: Rights = Rights(1 << 6);
    /// `x`: it can be deleted and renamed.
    pub const DELETE: Rights = Rights(1 << 7);
    /// `t`: `\Deleted` can be changed.
    pub const TRASH: Rights = Rights(1 << 8);
    /// `e`: messages can be expunged.
    pub const EXPUNGE: Rights = Rights(1 << 9);
    /// `a`: its rights can be seen and changed.
    pub const ADMIN: Rights = Rights(1 << 10);
    /// All of them.
    pub const ALL: Rights = Rights((1 << 11) - 1);
    /// `t` and `e`: messages can be taken out at once.
    pub const REMOVE: Rights = Rights(1 << 8 | 1 << 9);

    /// Are all of `other` among them?
    pub fn has(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }
    /// Is one of `other` among them?
    pub fn any(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }
    /// Both together.
    pub const fn with(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }
    /// Without those of `other`.
    pub fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }
    /// Is there none?
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Reads letters; `c` is `k` and `x`, `d` is `t` and `e` (RFC 4314 §2.1.1). `Err`: the letter that
    /// is no right.
    ///
    /// # Errors
    /// The first character that is no right.
    pub fn parse(text: &str) -> std::result::Result<Rights, char> {
        text.chars().try_fold(Rights::NONE, |all, letter| {
            let at = LETTERS.iter().position(|l| char::from(*l) == letter);
            let one = match (letter, at) {
                ('c', _) => Rights::CREATE.with(Rights::DELETE),
                ('d', _) => Rights::REMOVE,
                (_, Some(bit)) => Rights(1 << bit),
                _ => return Err(letter),
            };
            Ok(all.with(one))
        })
    }

    /// The letters with the virtual ones: a set with `k` or `x` has `c`, one with `t` or `e` has `d`
    /// (RFC 4314 §2.1.1).
    pub fn with_obsolete(self) -> String {
        let mut text = self.to_string();
        if self.any(Rights::CREATE.with(Rights::DELETE)) {
            text.push('c');
        }
        if self.any(Rights::REMOVE) {
            text.push('d');
        }
        text
    }

    /// The flags that these rights let change (RFC 4314 §4).
    pub fn flags(self) -> Flags {
        let own = Flags::SEEN.with(Flags::DELETED);
        let mut flags = Flags(0);
        if self.has(Rights::SEEN) {
            flags = flags.with(Flags::SEEN);
        }
        if self.has(Rights::TRASH) {
            flags = flags.with(Flags::DELETED);
        }
        if self.has(Rights::WRITE) {
            flags = flags.with(Flags(!0).visible().without(own));
        }
        flags
    }
}

/// The letters, without the obsolete ones.
impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (bit, letter) in LETTERS.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(f, "{}", char::from(*letter))?;
            }
        }
        Ok(())
    }
}

/// Somebody with an app password.
#[derive(Debug)]
pub struct Principal {
    /// The identifier in access control lists: the app password's name.
    pub name: String,
    /// Has every right where no list says otherwise. If not: only what lists say.
    pub everywhere: bool,
    /// Nothing is allowed from this second since 1970 on.
    pub expires: Option<u32>,
    ended: AtomicBool,
}

impl Principal {
    /// One that may act.
    pub fn new(name: &str, everywhere: bool, expires: Option<u32>) -> Principal {
        Principal {
            name: name.to_owned(),
            everywhere,
            expires,
            ended: AtomicBool::new(false),
        }
    }

    /// From now on every operation is refused, on every handle.
    pub fn end(&self) {
        self.ended.store(true, Ordering::SeqCst);
    }

    /// Neither ended nor expired.
    pub fn is_alive(&self) -> bool {
        !self.ended.load(Ordering::SeqCst) && self.expires.is_none_or(|at| clock::at_least() < at)
    }

    /// Its rights by a mailbox's list.
    fn rights(&self, row: &Mbox) -> Rights {
        match row.acl.iter().find(|(name, _)| *name == self.name) {
            Some((_, bits)) => Rights(bits & Rights::ALL.0),
            None if self.everywhere => Rights::ALL,
            None => Rights::NONE,
        }
    }
}

/// A principal at a handle, and what it sees.
pub(super) struct Door {
    pub who: Arc<Principal>,
    /// The last snapshot, whole and as this principal sees it.
    seen: Mutex<Option<(Arc<Meta>, Arc<Meta>)>>,
}

/// Checks of an operation in the writer. For the owner there is nothing to check.
#[derive(Clone)]
pub(super) struct Check(Option<Arc<Principal>>);

impl Check {
    /// The rights on a mailbox; none where there is no mailbox.
    pub fn rights(&self, state: &State, mailbox: MailboxId) -> Rights {
        match (&self.0, state.mailboxes.get(&mailbox.0)) {
            (None, _) => Rights::ALL,
            (Some(who), Some(row)) => who.rights(row),
            (Some(_), None) => Rights::NONE,
        }
    }

    /// Refuses unless all of `rights` are there.
    ///
    /// Errors: [`Error::NoSuchMailbox`] when there is none, or none that may be known of
    /// (RFC 4314 §6), else [`Error::NoPermission`].
    pub fn need(&self, state: &State, mailbox: MailboxId, rights: Rights) -> Result<()> {
        if !state.mailboxes.contains_key(&mailbox.0) {
            return Err(Error::NoSuchMailbox);
        }
        enough(self.rights(state, mailbox), rights)
    }

    /// Refuses whoever is not trusted with what is outside of mailboxes.
    ///
    /// Errors: [`Error::NoPermission`].
    pub fn everywhere(&self) -> Result<()> {
        match &self.0 {
            Some(who) if !who.everywhere => Err(Error::NoPermission),
            _ => Ok(()),
        }
    }

    /// A mailbox to be made below `parent` (0: at the top).
    ///
    /// Errors: as for [`Check::need`].
    pub fn create_below(&self, state: &State, parent: u32) -> Result<()> {
        match parent {
            0 => self.everywhere(),
            _ => self.need(state, MailboxId(parent), Rights::CREATE),
        }
    }

    /// Whether this one keeps subscriptions of its own, apart from the owner's.
    pub fn own_subscriptions(&self) -> Option<&str> {
        let who = self.0.as_ref().filter(|who| !who.everywhere);
        who.map(|who| who.name.as_str())
    }
}

/// Compares rights that are there with rights that are needed.
fn enough(have: Rights, need: Rights) -> Result<()> {
    match have {
        Rights::NONE => Err(Error::NoSuchMailbox),
        have if have.has(need) => Ok(()),
        _ => Err(Error::NoPermission),
    }
}

impl Mail {
    /// A handle for somebody: the same engine, every operation checked. `None` is whoever this
    /// handle is for.
    pub fn of(self: &Arc<Mail>, who: Option<&Arc<Principal>>) -> Arc<Mail> {
        let Some(who) = who else {
            return self.clone();
        };
        Arc::new(Mail {
            store: self.store.clone(),
            shared: self.shared.clone(),
            options: self.options.clone(),
            door: Some(Arc::new(Door {
                who: who.clone(),
                seen: Mutex::new(None),
            })),
        })
    }

    /// The owner's handle, whoever this one is for: for what the owner has signed (RFC 4467 §7), and for
    /// nothing else.
    pub fn owner(self: &Arc<Mail>) -> Arc<Mail> {
        if self.door.is_none() {
            return self.clone();
        }
        Arc::new(Mail {
            store: self.store.clone(),
            shared: self.shared.clone(),
            options: self.options.clone(),
            door: None,
        })
    }

    /// Who this handle is for; `None` for the owner.
    pub fn principal(&self) -> Option<&Arc<Principal>> {
        self.door.as_ref().map(|door| &door.who)
    }

    /// What is checked in the writer.
    ///
    /// Errors: [`Error::NoPermission`] for whoever is revoked or expired.
    pub(super) fn check(&self) -> Result<Check> {
        match self.principal() {
            Some(who) if !who.is_alive() => Err(Error::NoPermission),
            who => Ok(Check(who.cloned())),
        }
    }

    /// Refuses a principal without all of `rights` on a mailbox.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`].
    pub(super) fn need(&self, mailbox: MailboxId, rights: Rights) -> Result<()> {
        if self.door.is_none() {
            return Ok(());
        }
        self.check()?;
        let meta = self.meta();
        let found = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?;
        enough(found.rights, rights)
    }

    /// The rights on a mailbox; none where there is no mailbox.
    pub fn rights(&self, mailbox: MailboxId) -> Rights {
        let meta = self.meta();
        meta.mailbox(mailbox)
            .map_or(Rights::NONE, |found| found.rights)
    }

    /// The access control list of a mailbox: identifiers and rights, the owner aside. An app password
    /// that may do everything is not in it unless a list was set for it.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `a`.
    pub fn acl(&self, mailbox: MailboxId) -> Result<Vec<(String, Rights)>> {
        self.need(mailbox, Rights::ADMIN)?;
        let meta = self.whole();
        let found = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?;
        Ok(found.acl.clone())
    }

    /// The rights that a mailbox's list gives to an identifier, if it is in it; for the owner's eyes.
    pub fn rights_of(&self, mailbox: MailboxId, name: &str) -> Option<Rights> {
        let list = self.acl(mailbox).ok()?;
        let entry = list.into_iter().find(|(other, _)| other == name);
        entry.map(|(_, rights)| rights)
    }

    /// Sets the rights of an identifier on a mailbox; `None` takes its entry away (RFC 4314 §3.1,
    /// §3.2). `change` is given the rights that hold now by the list, if there is an entry.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `a`, [`Error::Limit`].
    pub async fn set_acl(
        &self,
        mailbox: MailboxId,
        name: &str,
        change: impl FnOnce(Option<Rights>) -> Option<Rights> + Send + 'static,
    ) -> Result<()> {
        let name = name.to_owned();
        self.write_as(0, move |txn, who| {
            who.need(txn.state, mailbox, Rights::ADMIN)?;
            let row = txn.state.mailboxes.get(&mailbox.0);
            let mut acl = row.map(|row| row.acl.clone()).unwrap_or_default();
            let at = acl.iter().position(|(other, _)| *other == name);
            let bits = at.and_then(|at| acl.get(at)).map(|(_, bits)| *bits);
            let old = bits.map(|bits| Rights(bits & Rights::ALL.0));
            let new = change(old);
            if new == old {
                return Ok(());
            }
            let kept = bits.unwrap_or_default() & UNSUBSCRIBED;
            acl.retain(|(other, _)| *other != name);
            if let Some(new) = new {
                if acl.len() >= crate::limits::ACL {
                    return Err(Error::Limit(&"so many entries in an access list").into());
                }
                let at = at.unwrap_or(acl.len());
                acl.insert(at, (name, new.0 | kept));
            }
            put_acl(txn, mailbox, acl);
            Ok(())
        })
        .await
    }

    /// Takes an identifier off every list: its app password is no more, or a new one of this name
    /// begins with nothing.
    ///
    /// Errors: [`Error::NoPermission`] for whoever is not the owner.
    pub async fn forget_identifier(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        let listed = |mailbox: &super::Mailbox| mailbox.acl.iter().any(|(n, _)| *n == name);
        if self.door.is_none() && !self.meta().mailboxes.iter().any(|m| listed(m)) {
            return Ok(());
        }
        self.write(0, move |txn| {
            let ids: Vec<u32> = txn.state.mailboxes.keys().copied().collect();
            for id in ids.into_iter().map(MailboxId) {
                let row = txn.state.mailboxes.get(&id.0);
                let mut acl = row.map(|row| row.acl.clone()).unwrap_or_default();
                let before = acl.len();
                acl.retain(|(other, _)| *other != name);
                if acl.len() != before {
                    put_acl(txn, id, acl);
                }
            }
            Ok(())
        })
        .await
    }
}

fn put_acl(txn: &mut crate::store::Txn<'_>, mailbox: MailboxId, acl: Vec<(String, u16)>) {
    let modseq = txn.state.bump();
    // Others may see other things from here on.
    for kind in [DataType::Mailbox, DataType::Email, DataType::Thread] {
        txn.state.changed(kind, modseq);
    }
    let row = txn.state.mailbox_mut(mailbox);
    row.acl = acl;
    (row.acl_changed, row.changed) = (modseq, modseq);
    txn.touch();
}

/// Sets whether a mailbox is subscribed for a principal with an entry in its list.
pub(super) fn subscribe(row: &mut Mbox, name: &str, on: bool) {
    if let Some((_, bits)) = row.acl.iter_mut().find(|(other, _)| other == name) {
        match on {
            true => *bits &= !UNSUBSCRIBED,
            false => *bits |= UNSUBSCRIBED,
        }
    }
}

/// The list of a stored row.
pub(super) fn list(row: &Mbox) -> Vec<(String, Rights)> {
    let rights = |bits: &u16| Rights(bits & Rights::ALL.0);
    row.acl
        .iter()
        .map(|(name, bits)| (name.clone(), rights(bits)))
        .collect()
}

/// For whom a stored row is not subscribed.
pub(super) fn unsubscribed(row: &Mbox) -> Vec<String> {
    let entries = row.acl.iter().filter(|(_, bits)| bits & UNSUBSCRIBED != 0);
    entries.map(|(name, _)| name.clone()).collect()
}

impl Door {
    /// The snapshot as this principal sees it.
    pub fn see(&self, whole: Arc<Meta>) -> Arc<Meta> {
        if !self.who.is_alive() {
            return Arc::new(nothing(&whole));
        }
        let mut seen = lock(&self.seen);
        match &*seen {
            Some((of, view)) if Arc::ptr_eq(of, &whole) => view.clone(),
            _ => {
                let view = Arc::new(view(&self.who, &whole));
                *seen = Some((whole, view.clone()));
                view
            }
        }
    }

    /// Does it see everything, as the owner does?
    pub fn is_open(&self, whole: &Meta) -> bool {
        let listed = |(name, _): &(String, Rights)| *name == self.who.name;
        self.who.everywhere
            && self.who.is_alive()
            && !whole.mailboxes.iter().any(|m| m.acl.iter().any(listed))
    }
}

/// No mailbox at all.
fn nothing(whole: &Meta) -> Meta {
    Meta {
        mailboxes: Vec::new(),
        unlisted: Vec::new(),
        bytes: 0,
        emails: 0,
        ..whole.clone()
    }
}

fn view(who: &Principal, whole: &Meta) -> Meta {
    let mut view = nothing(whole);
    let of = |mailbox: &super::Mailbox| {
        let listed = mailbox.acl.iter().find(|(name, _)| *name == who.name);
        match listed {
            Some((_, rights)) => *rights,
            None if who.everywhere => Rights::ALL,
            None => Rights::NONE,
        }
    };
    let visible = |id: MailboxId| {
        let found = whole.mailbox(id);
        found.is_some_and(|m| of(m).has(Rights::LOOKUP))
    };
    for mailbox in &whole.mailboxes {
        let rights = of(mailbox);
        if rights == Rights::ALL && who.everywhere && mailbox.parent.is_none_or(visible) {
            view.mailboxes.push(mailbox.clone());
            continue;
        }
        if rights.is_empty() {
            continue;
        }
        let mut mine = super::Mailbox::clone(mailbox);
        mine.rights = rights;
        mine.parent = mailbox.parent.filter(|id| visible(*id));
        if !who.everywhere {
            mine.subscribed = !mailbox.unsubscribed.contains(&who.name);
        }
        if !rights.has(Rights::READ) {
            // What cannot be read is not counted either.
            mine.counters = super::Counters {
                uidnext: 1,
                recent_from: 1,
                ..super::Counters::default()
            };
        }
        mine.acl.clear();
        mine.unsubscribed.clear();
        match rights.has(Rights::LOOKUP) {
            true => view.mailboxes.push(Arc::new(mine)),
            false => view.unlisted.push(Arc::new(mine)),
        }
    }
    if who.everywhere {
        (view.bytes, view.emails) = (whole.bytes, whole.emails);
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters() {
        assert_eq!(Rights::ALL.to_string(), "lrswipkxtea");
        assert_eq!(Rights::parse("lrd"), Rights::parse("rlte"));
        assert_eq!(Rights::parse("c"), Rights::parse("kx"));
        assert_eq!(Rights::parse("lrq"), Err('q'));
        assert_eq!(Rights::parse("lR"), Err('R'));
        assert_eq!(Rights::parse(""), Ok(Rights::NONE));
        // RFC 4314 §2.1.1: one member is enough for the obsolete letter to be shown.
        assert_eq!(
            Rights::parse("lk").map(Rights::with_obsolete),
            Ok("lkc".into())
        );
        assert_eq!(
            Rights::parse("lt").map(Rights::with_obsolete),
            Ok("ltd".into())
        );
    }

    #[test]
    fn flags_by_rights() {
        let flags = |text: &str| Rights::parse(text).unwrap().flags();
        assert!(flags("s") == Flags::SEEN && flags("t") == Flags::DELETED);
        assert!(flags("w").has(Flags::FLAGGED.with(Flags::keyword(55))));
        assert!(!flags("w").has(Flags::SEEN) && !flags("w").has(Flags::DELETED));
        assert_eq!(flags("lrieakxp"), Flags(0));
    }
}
