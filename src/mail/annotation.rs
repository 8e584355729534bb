//! Annotations of mailboxes and of the server (RFC 5464): named values, a bounded number and size.
//!
//! An entry's name is lower-case here, for names have no case (ibid. §3.2). What is under `/private`
//! belongs to the owner and to whoever is trusted everywhere; others have no private entries, and
//! change shared ones only with `w`. A removed entry leaves a row without a value behind for a while,
//! so that whoever asks what changed hears of it too.

use super::access::Check;
use super::fail::Done;
use super::order::by_number;
use super::{Error, Mail, MailboxId, Modseq, Result, Rights};
use crate::limits::{ANNOTATION_VALUE, ANNOTATIONS, ANNOTATIONS_ALL};
use crate::store::{State, Txn};

/// Before every key: then the mailbox's number (big-endian, 0 for the server), then the name.
const PREFIX: &[u8] = b"annotation/";
/// Octets of a row before the value: its version, whether there is a value, when it changed.
const HEAD: usize = 10;

/// Why an annotation is not set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotAnnotated {
    /// The value has more octets than this.
    TooLarge(usize),
    /// There are as many as there may be, or all together are as large as they may be.
    TooMany,
    /// This principal has no private entries.
    NoPrivate,
}

/// What changed at one place: `None` is the server.
pub type AnnotationChange = (Option<MailboxId>, Vec<String>);

/// One row.
struct Row<'a> {
    modseq: Modseq,
    value: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    fn encode(&self) -> Vec<u8> {
        let value = self.value.unwrap_or_default();
        let mut out = Vec::with_capacity(HEAD + value.len());
        out.push(1);
        out.push(u8::from(self.value.is_some()));
        out.extend_from_slice(&self.modseq.to_le_bytes());
        out.extend_from_slice(value);
        out
    }

    fn decode(row: &'a [u8]) -> Row<'a> {
        let (head, value) = row.split_at_checked(HEAD).unwrap_or((row, &[]));
        let modseq = head.last_chunk().copied().unwrap_or_default();
        Row {
            modseq: Modseq::from_le_bytes(modseq),
            value: (head.get(1) == Some(&1)).then_some(value),
        }
    }
}

/// The key of an entry, or with an empty name what all keys of a place begin with.
fn key(place: Option<MailboxId>, entry: &str) -> Vec<u8> {
    let number = place.map_or(0, |id| id.0).to_be_bytes();
    [PREFIX, &number, entry.as_bytes()].concat()
}

/// The place and the name in a key.
fn parts(key: &[u8]) -> Option<(Option<MailboxId>, &str)> {
    let (number, entry) = key.strip_prefix(PREFIX)?.split_first_chunk()?;
    let number = u32::from_be_bytes(*number);
    let place = (number != 0).then_some(MailboxId(number));
    Some((place, std::str::from_utf8(entry).ok()?))
}

fn is_private(entry: &str) -> bool {
    entry.starts_with("/private")
}

/// The rights of which one must be there beside `l` (RFC 5464 §3.3).
const ANY: Rights = Rights::READ
    .with(Rights::SEEN)
    .with(Rights::WRITE)
    .with(Rights::INSERT)
    .with(Rights::POST);

impl Mail {
    /// The entries with a value at a mailbox, or at the server, by name.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] (RFC 5464 §3.3).
    pub fn annotations(&self, place: Option<MailboxId>) -> Result<Vec<(String, Vec<u8>)>> {
        self.may_see(place)?;
        let (all, from) = (self.sees_private(), key(place, ""));
        let mut found = Vec::new();
        self.whole_reader()?.scan(&from, |key, row| {
            if let (Some((_, entry)), Some(value)) = (parts(key), Row::decode(row).value)
                && (all || !is_private(entry))
            {
                found.push((entry.to_owned(), value.to_vec()));
            }
            true
        })?;
        Ok(found)
    }

    /// The value of one entry, by its lower-case name.
    ///
    /// Errors: as for [`Mail::annotations`].
    pub fn annotation(&self, place: Option<MailboxId>, entry: &str) -> Result<Option<Vec<u8>>> {
        self.may_see(place)?;
        if is_private(entry) && !self.sees_private() {
            return Ok(None);
        }
        let row = self.whole_reader()?.get(&key(place, entry))?;
        Ok(row.and_then(|row| Row::decode(&row).value.map(<[u8]>::to_vec)))
    }

    /// The entries that were set or removed after `since`, as far as this principal may see them. Look
    /// at [`Meta::annotated`](super::Meta::annotated) first: this reads all of them. Own changes
    /// have the modseqs that [`Mail::annotate`] gave, and are left out by `own`.
    ///
    /// Errors: the store's.
    pub fn annotation_changes(
        &self,
        since: Modseq,
        own: impl Fn(Modseq) -> bool,
    ) -> Result<Vec<AnnotationChange>> {
        let all = self.sees_private();
        let mut changes: Vec<AnnotationChange> = Vec::new();
        self.whole_reader()?.scan(PREFIX, |key, row| {
            let modseq = Row::decode(row).modseq;
            let Some((place, entry)) = parts(key) else {
                return true;
            };
            if modseq <= since || own(modseq) || (is_private(entry) && !all) {
                return true;
            }
            match changes.last_mut().filter(|(last, _)| *last == place) {
                Some((_, entries)) => entries.push(entry.to_owned()),
                None => changes.push((place, vec![entry.to_owned()])),
            }
            true
        })?;
        changes.retain(|(place, _)| self.may_see(*place).is_ok());
        Ok(changes)
    }

    /// Sets entries at a mailbox, or at the server: all of them or, when one is refused, none
    /// (RFC 5464 §4.3). Names are lower-case and valid; `None` removes.
    ///
    /// The modseq that this took, if it changed anything.
    ///
    /// Errors: [`Error::NotAnnotated`], [`Error::NoSuchMailbox`], [`Error::NoPermission`].
    pub async fn annotate(
        &self,
        place: Option<MailboxId>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Option<Modseq>> {
        let private = self.sees_private();
        self.write_as(0, move |txn, who| {
            may_change(txn.state, who, place)?;
            let values = entries.iter().filter_map(|(_, value)| value.as_ref());
            if values.clone().any(|value| value.len() > ANNOTATION_VALUE) {
                return Err(Error::NotAnnotated(NotAnnotated::TooLarge(ANNOTATION_VALUE)).into());
            }
            if !private && entries.iter().any(|(entry, _)| is_private(entry)) {
                return Err(Error::NotAnnotated(NotAnnotated::NoPrivate).into());
            }
            set(txn, place, &entries)
        })
        .await
    }

    /// RFC 5464 §3.3: "l" and one of "r", "s", "w", "i", "p". The server's may be read by everybody.
    fn may_see(&self, place: Option<MailboxId>) -> Result<()> {
        let Some(id) = place else {
            return self.check().map(drop);
        };
        self.need(id, Rights::LOOKUP)?;
        match self.rights(id) {
            rights if rights.any(ANY) => Ok(()),
            rights if rights.is_empty() => Err(Error::NoSuchMailbox),
            _ => Err(Error::NoPermission),
        }
    }

    fn sees_private(&self) -> bool {
        self.principal().is_none_or(|who| who.everywhere)
    }
}

fn may_change(state: &State, who: &Check, place: Option<MailboxId>) -> Result<()> {
    match place {
        Some(id) => who.need(state, id, Rights::LOOKUP.with(Rights::WRITE)),
        None => who.everywhere(),
    }
}

/// The rows of a place.
fn rows(txn: &mut Txn<'_>, place: Option<MailboxId>) -> Done<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut rows = Vec::new();
    for key in txn.misc_keys(&key(place, ""), usize::MAX)? {
        let row = txn.misc(&key)?.unwrap_or_default();
        rows.push((key, row));
    }
    Ok(rows)
}

fn size(row: &[u8]) -> u32 {
    let value = Row::decode(row).value;
    value.map_or(0, |value| u32::try_from(value.len()).unwrap_or(u32::MAX))
}

/// Sets entries whose values are of the right size: looks first, writes after.
fn set(
    txn: &mut Txn<'_>,
    place: Option<MailboxId>,
    entries: &[(String, Option<Vec<u8>>)],
) -> Done<Option<Modseq>> {
    let mut rows = rows(txn, place)?;
    let before: u32 = rows.iter().map(|(_, row)| size(row)).sum();
    let modseq = txn.state.global.modseq + 1;
    let mut changed = Vec::new();
    for (entry, value) in entries {
        let key = key(place, entry);
        let at = rows.iter().position(|(other, _)| *other == key);
        let old = at.and_then(|at| rows.get(at));
        let had = old.is_some_and(|(_, row)| Row::decode(row).value.is_some());
        if !had && value.is_none() {
            continue;
        }
        let value = value.as_deref();
        let row = Row { modseq, value }.encode();
        match at.and_then(|at| rows.get_mut(at)) {
            Some(old) => old.1 = row,
            None => rows.push((key.clone(), row)),
        }
        changed.push(key);
    }
    if changed.is_empty() {
        return Ok(None);
    }
    let lives = |(_, row): &&(Vec<u8>, Vec<u8>)| Row::decode(row).value.is_some();
    let after: u32 = rows.iter().map(|(_, row)| size(row)).sum();
    let all = txn.state.global.annotation_bytes.saturating_sub(before) + after;
    if after > before && all > ANNOTATIONS_ALL || rows.iter().filter(lives).count() > ANNOTATIONS {
        return Err(Error::NotAnnotated(NotAnnotated::TooMany).into());
    }
    txn.state.bump();
    for (key, row) in rows.iter().filter(|(key, _)| changed.contains(key)) {
        txn.put_misc(key, Some(row))?;
    }
    forget_oldest(txn, &mut rows)?;
    txn.state.global.annotated = modseq;
    txn.state.global.annotation_bytes = all;
    Ok(Some(modseq))
}

/// Of removed entries the last ones are remembered.
fn forget_oldest(txn: &mut Txn<'_>, rows: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Done<()> {
    rows.retain(|(_, row)| Row::decode(row).value.is_none());
    by_number(rows, |(_, row)| Row::decode(row).modseq);
    let most = rows.len().saturating_sub(ANNOTATIONS);
    for (key, _) in rows.iter().take(most) {
        txn.put_misc(key, None)?;
    }
    Ok(())
}

/// A mailbox goes, and its annotations with it (RFC 5464 §4.1).
pub(super) fn forget(txn: &mut Txn<'_>, mailbox: MailboxId) -> Done<()> {
    for (key, row) in rows(txn, Some(mailbox))? {
        let all = &mut txn.state.global.annotation_bytes;
        *all = all.saturating_sub(size(&row));
        txn.put_misc(&key, None)?;
    }
    Ok(())
}

/// INBOX is renamed: its annotations are copied (RFC 5464 §4.1).
pub(super) fn copy(txn: &mut Txn<'_>, from: MailboxId, to: MailboxId) -> Done<()> {
    let mut entries = Vec::new();
    for (key, row) in rows(txn, Some(from))? {
        if let (Some((_, entry)), Some(value)) = (parts(&key), Row::decode(&row).value) {
            entries.push((entry.to_owned(), Some(value.to_vec())));
        }
    }
    set(txn, Some(to), &entries).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_keys() {
        for value in [None, Some(&b""[..]), Some(b"\0x")] {
            let row = Row { modseq: 77, value }.encode();
            assert_eq!(Row::decode(&row).value, value);
            assert_eq!(Row::decode(&row).modseq, 77);
        }
        assert!(Row::decode(b"").value.is_none());
        for place in [None, Some(MailboxId(9))] {
            assert_eq!(parts(&key(place, "/a")), Some((place, "/a")));
        }
    }
}
