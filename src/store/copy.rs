//! A whole store as rows: out of one that is in use ([`Store::copy`]), into a new file ([`Rebuild`]).
//!
//! The copy is one moment's. Messages, which are nearly all of it and do not change, are read in small
//! looks, so that no pages are pinned meanwhile; the writer notes which message rows it touches. At the
//! end one look gives those again, and the small tables: memberships, mailboxes, counters, the rest.
//! The index of message-ids and threads is not copied but made again.

use super::message::MsgRow;
use super::open::{self, Folder, Source, beside};
use super::rows::{Counters, EmailId, Modseq, Row};
use super::state::Global;
use super::tables::{Look, Tree, Trees, email_of, id_key, number, thread_key};
use super::{Disk, Error, Store};
use redb::{Database, Durability, ReadableDatabase, WriteTransaction};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a copied row is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Op {
    /// A row of this table.
    State = 0,
    /// As above.
    Mbox = 1,
    /// As above.
    Hot = 2,
    /// As above.
    Msg = 3,
    /// As above.
    Blob = 4,
    /// As above.
    Loc = 5,
    /// As above.
    Gone = 8,
    /// As above.
    Misc = 9,
    /// This message is gone again; no value.
    Dead = 16,
    /// An older message is still there: the fixed part of its row.
    Head = 17,
    /// The small tables follow; they are all there is of them.
    Tables = 18,
}

/// Takes rows: what, key, value.
pub type Sink<'s> = &'s mut dyn FnMut(Op, &[u8], &[u8]) -> Result<(), Error>;

const SMALL: [(Tree, Op); 6] = [
    (Tree::State, Op::State),
    (Tree::Mbox, Op::Mbox),
    (Tree::Hot, Op::Hot),
    (Tree::Loc, Op::Loc),
    (Tree::Gone, Op::Gone),
    (Tree::Misc, Op::Misc),
];

/// Octets that one look gives.
const LOOK: usize = 256 * 1024;
/// Octets of the fixed part of a message row.
const HEAD: usize = super::message::HEAD;

impl Store {
    /// Gives every row to `sink`; with `since`, the messages that came later whole, and of the others
    /// their heads alone. Returns the modseq of the moment that it is a copy of. Blocks.
    ///
    /// # Errors
    /// The sink's; [`Error::Closed`] when the store was reopened meanwhile, or is being copied already.
    pub fn copy(&self, since: Modseq, sink: Sink) -> Result<Modseq, Error> {
        let begun = self.write(0, |txn| {
            let free = txn.state.touched.is_none();
            if free {
                txn.state.touched = Some(BTreeSet::new());
            }
            Ok(free)
        });
        if !smol::block_on(begun)? {
            return Err(Error::Closed);
        }
        let done = self.copy_messages(since, sink);
        // The last look is before the list: what comes between is copied once more at most.
        let look = done.and_then(|()| self.look());
        let touched = smol::block_on(self.write(0, |txn| Ok(txn.state.touched.take())))?;
        let (look, touched) = (look?, touched.ok_or(Error::Closed)?);
        for email in touched {
            message(&look, email, sink)?;
        }
        sink(Op::Tables, &[], &[])?;
        for (tree, op) in SMALL {
            look.all(tree, &mut |key, value| sink(op, key, value).map(|()| true))?;
        }
        let row = look.get(Tree::State, &0u32.to_be_bytes())?;
        let row = row.ok_or_else(|| Error::damaged(&"no global row"))?;
        Ok(Global::decode(row.value())?.modseq)
    }

    fn look(&self) -> Result<Look, Error> {
        Ok(Look::new(self.shared.database()?.begin_read()?))
    }

    fn copy_messages(&self, since: Modseq, sink: Sink) -> Result<(), Error> {
        let mut next = Some(0u32);
        while let Some(from) = next.take() {
            let mut some = Vec::new();
            let mut octets = 0;
            self.look()?
                .range(Tree::Msg, &from.to_be_bytes(), None, &mut |key, value| {
                    if octets > LOOK {
                        next = Some(number(key) as u32);
                        return Ok(false);
                    }
                    octets += value.len();
                    some.push((email_of(key).0 as u32, value.to_vec()));
                    Ok(true)
                })?;
            for (email, row) in some {
                let key = email.to_be_bytes();
                let head = MsgRow::head(&row);
                if head.is_some_and(|h| h.birth != 0 && h.created <= since) {
                    sink(Op::Head, &key, row.get(..HEAD).unwrap_or_default())?;
                    continue;
                }
                sink(Op::Msg, &key, &row)?;
                self.copy_pieces(email, sink)?;
            }
        }
        // What was touched meanwhile, so that little is left for the last look.
        let touched = self.write(0, |txn| Ok(txn.state.touched.replace(BTreeSet::new())));
        for email in smol::block_on(touched)?.ok_or(Error::Closed)? {
            message(&self.look()?, email, sink)?;
        }
        Ok(())
    }

    /// The pieces of a message, some in each look.
    fn copy_pieces(&self, email: u32, sink: Sink) -> Result<(), Error> {
        let prefix = email.to_be_bytes();
        let mut next = Some(prefix.to_vec());
        while let Some(from) = next.take() {
            let mut some = Vec::new();
            self.look()?
                .range(Tree::Blob, &from, None, &mut |key, value| {
                    let ours = key.starts_with(&prefix);
                    if ours && some.len() > LOOK / super::blob::PIECE {
                        next = Some(key.to_vec());
                        return Ok(false);
                    }
                    if ours {
                        some.push((key.to_vec(), value.to_vec()));
                    }
                    Ok(ours)
                })?;
            for (key, value) in some {
                sink(Op::Blob, &key, &value)?;
            }
        }
        Ok(())
    }
}

/// A message as a look has it, or that it is not there.
fn message(look: &Look, email: u32, sink: Sink) -> Result<(), Error> {
    let key = email.to_be_bytes();
    match look.get(Tree::Msg, &key)? {
        Some(row) => sink(Op::Msg, &key, row.value())?,
        None => return sink(Op::Dead, &key, &[]),
    }
    look.prefix(Tree::Blob, &key, &mut |key, value| {
        sink(Op::Blob, key, value).map(|()| true)
    })
}

/// Ids, UIDs and modseqs that are skipped where a copy takes a store's place: what was handed out after
/// it was made, and clients may know, does not come back as something else.
const SKIP: u32 = 1 << 20;

/// Behind the name of the store whose place it is to take.
pub const REBUILD: &str = ".rebuild";

/// A new store out of rows. It stands at its path when it is whole, before that beside it.
pub struct Rebuild {
    /// None once it is closed.
    db: Option<Database>,
    disk: Arc<dyn Disk>,
    folder: Arc<dyn Folder>,
    path: PathBuf,
    temporary: PathBuf,
    /// It takes another's place, of which it is an older state.
    skips: bool,
    /// Where clients are to begin anew.
    modseq: Modseq,
    /// Rows that wait for a commit.
    rows: Vec<(Op, Vec<u8>, Vec<u8>)>,
    octets: usize,
    /// Messages that an increment named; all others are gone.
    named: Option<Ids>,
}

impl Rebuild {
    /// Begins beside `path`; the file there stays as it is until the end. `skips` as in the field.
    ///
    /// # Errors
    /// The system's.
    pub fn create(folder: Arc<dyn Folder>, path: &Path, skips: bool) -> Result<Rebuild, Error> {
        let temporary = beside(path, REBUILD);
        let disk = folder.create(&temporary)?;
        // From here on it goes again when it comes to nothing.
        let mut rebuild = Rebuild {
            db: None,
            disk,
            folder,
            path: path.to_owned(),
            temporary,
            skips,
            modseq: 0,
            rows: Vec::new(),
            octets: 0,
            named: None,
        };
        open::format(rebuild.disk.clone())?;
        // Formatting gave the lock back.
        let locked = rebuild.folder.source(&rebuild.temporary).open();
        rebuild.disk = locked.unwrap_or(rebuild.disk.clone());
        rebuild.db = Some(open::raw(rebuild.disk.clone(), 4 << 20)?);
        Ok(rebuild)
    }

    /// What follows is an increment on what came before.
    ///
    /// # Errors
    /// The system's.
    pub fn increment(&mut self) -> Result<(), Error> {
        self.flush(Durability::None)?;
        self.named = Some(Ids::default());
        Ok(())
    }

    /// Takes a row.
    ///
    /// # Errors
    /// The system's; [`Error::Damaged`] for a row that does not belong here.
    pub fn put(&mut self, op: Op, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if let Some(named) = &mut self.named
            && matches!(op, Op::Msg | Op::Head)
        {
            named.insert(email_of(key));
        }
        self.octets += key.len() + value.len() + 64;
        self.rows.push((op, key.to_vec(), value.to_vec()));
        if self.octets > 2 * LOOK {
            self.flush(Durability::None)?;
        }
        Ok(())
    }

    fn begin(&self) -> Result<WriteTransaction, Error> {
        Ok(self.db.as_ref().ok_or(Error::Closed)?.begin_write()?)
    }

    fn flush(&mut self, durability: Durability) -> Result<(), Error> {
        self.octets = 0;
        let mut txn = self.begin()?;
        let mut trees = Trees::new(&txn);
        for (op, key, mut value) in std::mem::take(&mut self.rows) {
            let tree = match op {
                Op::State => Tree::State,
                Op::Mbox => Tree::Mbox,
                Op::Hot => Tree::Hot,
                Op::Msg => Tree::Msg,
                Op::Blob => Tree::Blob,
                Op::Loc => Tree::Loc,
                Op::Gone => Tree::Gone,
                Op::Misc => Tree::Misc,
                Op::Dead => {
                    forget(&mut trees, &key)?;
                    continue;
                }
                Op::Head => {
                    let row = trees.get(Tree::Msg, &key)?.map(|row| row.value().to_vec());
                    let rest = row.as_deref().and_then(|row| row.get(HEAD..));
                    let Some(rest) = rest else {
                        return Err(Error::damaged(
                            &"a message is missing: is this increment on another backup?",
                        ));
                    };
                    value.extend_from_slice(rest);
                    Tree::Msg
                }
                Op::Tables => {
                    for (tree, _) in SMALL {
                        loop {
                            let keys = trees.keys(tree, &[], LOOK / 64)?;
                            if keys.is_empty() {
                                break;
                            }
                            for key in keys {
                                trees.remove(tree, &key)?;
                            }
                        }
                    }
                    continue;
                }
            };
            if self.skips && !self.skip(tree, &key, &mut value)? {
                continue;
            }
            trees.insert(tree, &key, &value)?;
        }
        drop(trees);
        if matches!(durability, Durability::None) {
            let set = txn.set_durability(durability);
            set.map_err(|e| Error::damaged(&e))?;
        }
        txn.commit()?;
        Ok(())
    }

    /// Moves a row beyond what clients may know; false: it is not needed.
    fn skip(&mut self, tree: Tree, key: &[u8], value: &mut Vec<u8>) -> Result<bool, Error> {
        match tree {
            Tree::State if number(key) == 0 => {
                let mut global = Global::decode(value)?;
                self.modseq = global.modseq.saturating_add(u64::from(SKIP) << 12);
                global.modseq = self.modseq;
                global.gone_floor = self.modseq;
                global.gone_count = 0;
                global.states = super::States::all(self.modseq);
                let last = u64::from(u32::MAX) - u64::from(SKIP);
                global.next_email = (global.next_email + u64::from(SKIP)).min(last);
                global.next_mailbox = global.next_mailbox.saturating_add(1 << 10);
                global.next_uidvalidity = global.next_uidvalidity.saturating_add(1 << 10);
                *value = global.encode();
            }
            Tree::State => {
                let mut counters = Counters::decode(value);
                counters.uidnext = counters.uidnext.saturating_add(SKIP);
                counters.highest_modseq = self.modseq;
                counters.counts_modseq = self.modseq;
                *value = counters.encode().to_vec();
            }
            Tree::Hot => {
                let mut row = Row::decode(number(key), value);
                row.modseq = self.modseq;
                *value = row.encode().to_vec();
            }
            Tree::Gone => return Ok(false),
            _ => {}
        }
        Ok(true)
    }

    /// Makes the index and brings the file to the disk, whole, checked and closed; still beside its
    /// place. It is returned, for what is to be changed in it before [`Rebuild::place`].
    ///
    /// # Errors
    /// The system's; [`Error::Damaged`] when rows are missing.
    pub fn whole(&mut self) -> Result<Arc<dyn Source>, Error> {
        self.flush(Durability::None)?;
        self.index()?;
        self.flush(Durability::Immediate)?;
        if let Some(db) = self.db.take() {
            db.close()?;
        }
        self.disk.sync()?;
        let source = self.folder.source(&self.temporary);
        let report = super::check(source.open()?, 4 << 20, false)?;
        match report.wrong.first() {
            None => Ok(source),
            Some(wrong) => Err(Error::damaged(wrong)),
        }
    }

    /// Puts it in its place, for good.
    ///
    /// # Errors
    /// The system's.
    pub fn place(self) -> Result<(), Error> {
        self.folder.rename(&self.temporary, &self.path)?;
        Ok(self.folder.sync(&self.path)?)
    }

    /// Lets go of messages that nothing names, and writes the rows of `mid` and `thr`.
    fn index(&mut self) -> Result<(), Error> {
        let named = self.named.take();
        let mut next = Some(0u32);
        let mut indexed = 0;
        while let Some(from) = next.take() {
            let mut txn = self.begin()?;
            let set = txn.set_durability(Durability::None);
            set.map_err(|e| Error::damaged(&e))?;
            let mut trees = Trees::new(&txn);
            if from == 0 {
                let global = trees.get(Tree::State, &0u32.to_be_bytes())?;
                let global = global.ok_or_else(|| Error::damaged(&"it has no end"))?;
                indexed = Global::decode(global.value())?.indexed;
            }
            let (mut keys, mut dead, mut octets) = (Vec::new(), Vec::new(), 0);
            trees.range(Tree::Msg, &from.to_be_bytes(), None, &mut |key, row| {
                if octets > 4 * LOOK {
                    next = Some(number(key) as u32);
                    return Ok(false);
                }
                octets += row.len();
                let email = email_of(key);
                if named.as_ref().is_some_and(|named| !named.has(email)) {
                    dead.push(key.to_vec());
                    return Ok(true);
                }
                let row = MsgRow::decode(row).filter(|r| r.head.birth != 0 && email.0 <= indexed);
                if let Some(row) = row {
                    let thread = thread_key(row.head.thread, email).to_vec();
                    keys.push((Tree::Thr, thread));
                    keys.extend(
                        row.ids
                            .iter()
                            .map(|id| (Tree::Mid, id_key(*id, email).to_vec())),
                    );
                }
                Ok(true)
            })?;
            for key in dead {
                forget(&mut trees, &key)?;
            }
            for (tree, key) in keys {
                trees.insert(tree, &key, &[])?;
            }
            drop(trees);
            txn.commit()?;
        }
        Ok(())
    }
}

impl Drop for Rebuild {
    fn drop(&mut self) {
        // Nothing is there any more where it was put in its place.
        let _ = self.folder.remove(&self.temporary);
    }
}

/// A set of ids, a bit each.
#[derive(Default)]
struct Ids(BTreeMap<u64, [u64; 64]>);

impl Ids {
    fn insert(&mut self, id: EmailId) {
        let word = self.0.entry(id.0 >> 12).or_insert([0; 64]);
        if let Some(bits) = word.get_mut((id.0 >> 6 & 63) as usize) {
            *bits |= 1 << (id.0 & 63);
        }
    }

    fn has(&self, id: EmailId) -> bool {
        let word = self.0.get(&(id.0 >> 12));
        let bits = word.and_then(|word| word.get((id.0 >> 6 & 63) as usize));
        bits.is_some_and(|bits| bits >> (id.0 & 63) & 1 == 1)
    }
}

/// Removes a message and its pieces.
fn forget(trees: &mut Trees<'_>, key: &[u8]) -> Result<(), Error> {
    trees.remove(Tree::Msg, key)?;
    for piece in trees.keys(Tree::Blob, key, usize::MAX)? {
        trees.remove(Tree::Blob, &piece)?;
    }
    Ok(())
}

impl Op {
    /// By its number.
    pub fn from_u8(n: u8) -> Option<Op> {
        const ALL: [Op; 11] = [
            Op::State,
            Op::Mbox,
            Op::Hot,
            Op::Msg,
            Op::Blob,
            Op::Loc,
            Op::Gone,
            Op::Misc,
            Op::Dead,
            Op::Head,
            Op::Tables,
        ];
        ALL.into_iter().find(|op| *op as u8 == n)
    }
}

impl Store {
    /// Writes the store anew at `path`, which is its own: without what deleted mail left in it. Nothing
    /// may be written meanwhile.
    ///
    /// # Errors
    /// The system's.
    pub fn compact(&self, folder: Arc<dyn Folder>, path: &Path) -> Result<(), Error> {
        let mut rebuild = Rebuild::create(folder, path, false)?;
        self.copy(0, &mut |op, key, value| rebuild.put(op, key, value))?;
        rebuild.whole()?;
        rebuild.place()
    }

    /// Octets that the rows and their trees take; the file has the rest in reserve. Reads all of it, while
    /// others write.
    ///
    /// # Errors
    /// The system's.
    pub fn used(&self) -> Result<u64, Error> {
        Look::new(self.shared.database()?.begin_read()?).octets()
    }

    /// Looks how much room is in the file, where new mail would be refused: what was deleted before the
    /// start is not known else. As [`Store::used`].
    ///
    /// # Errors
    /// The system's.
    pub fn look_for_room(&self) -> Result<(), Error> {
        if self.room(0).is_err() {
            let spare = self.shared.source.occupied().saturating_sub(self.used()?);
            self.shared.spare.found(spare);
        }
        Ok(())
    }
}

/// Moves what lies at the end of a store's file into its gaps, and cuts the file: slower than
/// [`Store::compact`], and without room beside it. Each step is a commit, so the store is whole after any
/// of them. Nobody may have it open.
///
/// # Errors
/// [`Error::Locked`]; the system's.
pub fn squeeze(source: &dyn Source) -> Result<(), Error> {
    let mut db = super::open::raw(source.open()?, SQUEEZE_CACHE)?;
    let done = db.compact().map_err(|error| match error {
        redb::CompactionError::Storage(error) => error.into(),
        other => Error::damaged(&other),
    });
    // What was done so far stands.
    db.close()?;
    done.map(drop)
}

const SQUEEZE_CACHE: usize = 4 << 20;
