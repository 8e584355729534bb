//! The tables, and the one door to redb's.
//!
//! Every table maps octets to octets: redb compiles a tree for each pair of types, some 70 KB of
//! code each, and a type's name is part of the file. Keys are big-endian integers one behind the
//! other, so that octets and numbers have one order; integers inside values are little-endian; a
//! variable row begins with a version byte, and readers ignore trailing bytes.

use super::Error;
use super::rows::{EmailId, MailboxId, Uid};
use redb::{
    AccessGuard, Range, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata,
    Table, TableDefinition, WriteTransaction,
};
use std::cell::OnceCell;
use std::ops::Bound;

/// The schema this version writes. 3: keys of octets; stores of schema 1 and 2 are refused.
pub const SCHEMA: u16 = 3;
/// The oldest version of this program that can read what we write.
pub const MIN_READER: u16 = 3;

/// Keys and values.
type Octets = &'static [u8];
/// A value where it lies in its page.
pub(super) type Value<'a> = AccessGuard<'a, Octets>;
/// Is given keys and values in order, and says whether to go on.
pub(super) type Each<'e> = &'e mut dyn FnMut(&[u8], &[u8]) -> Result<bool, Error>;

/// Which table.
#[derive(Clone, Copy)]
pub(super) enum Tree {
    /// 0: the global row; a mailbox id: its counters. Everything that changes with each delivery
    /// is in this one leaf.
    State,
    /// Mailbox id: name, parent, role, UIDVALIDITY, subscription.
    Mbox,
    /// Mailbox, uid: one membership.
    Hot,
    /// Email: head, block table, structure, prefix, end of the body.
    Msg,
    /// Email, piece (three octets): a page-fit piece of a body.
    Blob,
    /// Email, mailbox, uid: a membership other than the first.
    Loc,
    /// Hash of a Message-ID, email.
    Mid,
    /// Thread, email.
    Thr,
    /// Modseq: what ended then.
    Gone,
    /// Everything small: account, keywords, certificates, queue, uploads.
    Misc,
}

/// By [`Tree`].
const NAMES: [&str; 10] = [
    "state", "mbox", "hot", "msg", "blob", "loc", "mid", "thr", "gone", "misc",
];

impl Tree {
    fn definition(self) -> TableDefinition<'static, Octets, Octets> {
        let name = NAMES.get(self as usize).copied();
        TableDefinition::new(name.unwrap_or_default())
    }
}

/// Makes every table.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), Error> {
    for name in NAMES {
        txn.open_table(TableDefinition::<Octets, Octets>::new(name))?;
    }
    Ok(())
}

/// The tables as they are. Each is opened when first looked at.
pub(super) struct Look {
    txn: ReadTransaction,
    open: [OnceCell<Box<ReadOnlyTable<Octets, Octets>>>; NAMES.len()],
}

impl Look {
    pub fn new(txn: ReadTransaction) -> Look {
        Look {
            txn,
            open: Default::default(),
        }
    }

    fn table(&self, tree: Tree) -> Result<&ReadOnlyTable<Octets, Octets>, Error> {
        let place = self.open.get(tree as usize).ok_or(Error::Closed)?;
        if let Some(table) = place.get() {
            return Ok(table);
        }
        let table = Box::new(self.txn.open_table(tree.definition())?);
        Ok(place.get_or_init(|| table))
    }

    /// One value.
    pub fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Value<'_>>, Error> {
        Ok(self.table(tree)?.get(key)?)
    }

    /// What lies between `first` and `last`, both included (None: to the end), rising or falling.
    pub fn between(
        &self,
        tree: Tree,
        (first, last): (&[u8], Option<&[u8]>),
        falling: bool,
        each: Each,
    ) -> Result<(), Error> {
        let range = ReadableTable::range::<&[u8]>(self.table(tree)?, bounds(first, last))?;
        walk(range, falling, each)
    }

    /// The same, rising.
    pub fn range(
        &self,
        tree: Tree,
        first: &[u8],
        last: Option<&[u8]>,
        each: Each,
    ) -> Result<(), Error> {
        self.between(tree, (first, last), false, each)
    }

    /// What begins with `prefix`.
    pub fn prefix(&self, tree: Tree, prefix: &[u8], each: Each) -> Result<(), Error> {
        self.range(tree, prefix, None, &mut |key, value| {
            Ok(key.starts_with(prefix) && each(key, value)?)
        })
    }

    /// Octets that all of them take, with their trees. Reads all of it.
    pub fn octets(&self) -> Result<u64, Error> {
        let mut octets = 0;
        for name in NAMES {
            let table = self
                .txn
                .open_table(TableDefinition::<Octets, Octets>::new(name))?;
            let stats = table.stats()?;
            octets += stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes();
        }
        Ok(octets)
    }

    /// Everything.
    pub fn all(&self, tree: Tree, each: Each) -> Result<(), Error> {
        self.range(tree, &[], None, each)
    }
}

/// The tables, to be changed. Each is opened when first touched: one that is not costs nothing at
/// the commit, before which all must be dropped.
pub(super) struct Trees<'t> {
    txn: &'t WriteTransaction,
    open: [Option<Box<Table<'t, Octets, Octets>>>; NAMES.len()],
    /// Octets of values that went, less those that came.
    pub freed: i64,
}

impl<'t> Trees<'t> {
    pub fn new(txn: &'t WriteTransaction) -> Trees<'t> {
        Trees {
            txn,
            freed: 0,
            open: Default::default(),
        }
    }

    fn table(&mut self, tree: Tree) -> Result<&mut Table<'t, Octets, Octets>, Error> {
        let place = self.open.get_mut(tree as usize).ok_or(Error::Closed)?;
        match place {
            Some(table) => Ok(table),
            None => Ok(place.insert(Box::new(self.txn.open_table(tree.definition())?))),
        }
    }

    /// One value.
    pub fn get(&mut self, tree: Tree, key: &[u8]) -> Result<Option<Value<'_>>, Error> {
        Ok(ReadableTable::get(self.table(tree)?, key)?)
    }

    pub fn insert(&mut self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), Error> {
        let old = self.table(tree)?.insert(key, value)?;
        let old = old.map_or(0, |old| old.value().len());
        self.freed += old as i64 - value.len() as i64;
        Ok(())
    }

    pub fn remove(&mut self, tree: Tree, key: &[u8]) -> Result<(), Error> {
        let old = self.table(tree)?.remove(key)?;
        let old = old.map_or(0, |old| old.value().len());
        self.freed += old as i64;
        Ok(())
    }

    /// As [`Look::range`].
    pub fn range(
        &mut self,
        tree: Tree,
        first: &[u8],
        last: Option<&[u8]>,
        each: Each,
    ) -> Result<(), Error> {
        let range = ReadableTable::range::<&[u8]>(self.table(tree)?, bounds(first, last))?;
        walk(range, false, each)
    }

    /// Up to `most` keys that begin with `prefix`.
    pub fn keys(&mut self, tree: Tree, prefix: &[u8], most: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut keys = Vec::new();
        self.range(tree, prefix, None, &mut |key, _| {
            let on = keys.len() < most && key.starts_with(prefix);
            if on {
                keys.push(key.to_vec());
            }
            Ok(on)
        })?;
        Ok(keys)
    }
}

fn bounds<'k>(first: &'k [u8], last: Option<&'k [u8]>) -> (Bound<&'k [u8]>, Bound<&'k [u8]>) {
    let last = last.map_or(Bound::Unbounded, Bound::Included);
    (Bound::Included(first), last)
}

fn walk(mut range: Range<'_, Octets, Octets>, back: bool, each: Each) -> Result<(), Error> {
    loop {
        let entry = if back {
            range.next_back()
        } else {
            range.next()
        };
        let Some(entry) = entry else { return Ok(()) };
        let (key, value) = entry?;
        if !each(key.value(), value.value())? {
            return Ok(());
        }
    }
}

/// Key of [`Tree::Hot`], packed; also how a message row names its first membership.
pub(super) fn place(mailbox: MailboxId, uid: Uid) -> u64 {
    u64::from(mailbox.0) << 32 | u64::from(uid)
}

/// Key of [`Tree::Msg`]. Ids are below 2^32: beyond, there is nothing.
pub(super) fn email_key(email: EmailId) -> [u8; 4] {
    u32::try_from(email.0).unwrap_or(u32::MAX).to_be_bytes()
}

/// Key of [`Tree::Blob`].
pub(super) fn piece_key(email: EmailId, piece: usize) -> [u8; 7] {
    let [a, b, c, d] = email_key(email);
    let [.., x, y, z] = (piece as u32).to_be_bytes();
    [a, b, c, d, x, y, z]
}

/// Key of [`Tree::Loc`].
pub(super) fn loc_key(email: EmailId, mailbox: MailboxId, uid: Uid) -> [u8; 12] {
    joined(&email_key(email), &place(mailbox, uid).to_be_bytes())
}

/// Key of [`Tree::Mid`].
pub(super) fn id_key(id: u64, email: EmailId) -> [u8; 12] {
    joined(&id.to_be_bytes(), &email_key(email))
}

/// Key of [`Tree::Thr`].
pub(super) fn thread_key(thread: u32, email: EmailId) -> [u8; 8] {
    joined(&thread.to_be_bytes(), &email_key(email))
}

fn joined<const N: usize>(head: &[u8], tail: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    for (to, from) in key.iter_mut().zip(head.iter().chain(tail)) {
        *to = *from;
    }
    key
}

/// The number that the last octets of a key (at most eight) are.
pub(super) fn number(key: &[u8]) -> u64 {
    key.iter().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// The email that a key ends with.
pub(super) fn email_of(key: &[u8]) -> EmailId {
    EmailId(number(key.last_chunk::<4>().map_or(&[], |k| k)))
}
