//! Making, opening and reopening the file.

use super::Error;
use super::disk::{Backend, Disk, FileDisk, Reporter};
use super::state::State;
use super::tables::{self, Look, Tree, Trees};
use redb::{Database, ReadableDatabase};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to get at the bytes, again and again: after an I/O error redb wants the file opened anew.
pub trait Source: Send + Sync + 'static {
    /// Opens what exists.
    fn open(&self) -> io::Result<Arc<dyn Disk>>;
    /// Octets of the file, 0 when that cannot be told.
    fn len(&self) -> u64;
    /// Octets of it that are on the disk: a file can have holes.
    fn occupied(&self) -> u64 {
        self.len()
    }
    /// Octets that the file system has left, if that can be told.
    fn free(&self) -> Option<u64> {
        None
    }
    /// Octets of the whole file system, if that can be told.
    fn capacity(&self) -> Option<u64> {
        None
    }
    /// Nothing there?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A path in the file system.
pub struct FileSource(pub PathBuf);

impl Source for FileSource {
    fn open(&self) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(FileDisk::open(&self.0)?))
    }
    fn len(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |m| m.len())
    }
    fn occupied(&self) -> u64 {
        std::fs::metadata(&self.0).map_or(0, |m| m.blocks().saturating_mul(512))
    }
    fn free(&self) -> Option<u64> {
        let system = rustix::fs::statvfs(&self.0).ok()?;
        Some(system.f_bavail.saturating_mul(system.f_frsize))
    }
    fn capacity(&self) -> Option<u64> {
        let system = rustix::fs::statvfs(&self.0).ok()?;
        Some(system.f_blocks.saturating_mul(system.f_frsize))
    }
}

/// Where files have their names: the file system, or in tests one that loses power. What became of a
/// name may be lost until [`Folder::sync`] returns, except that a renamed file replaces another whole.
pub trait Folder: Send + Sync + 'static {
    /// An empty file, readable by the owner alone and locked; one that is there is emptied.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Disk>>;
    /// A file that is there, or may be.
    fn source(&self, path: &Path) -> Arc<dyn Source>;
    /// Is there one?
    fn exists(&self, path: &Path) -> bool;
    /// Gives a file another's name, and where there is one its owner.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Returns when the names beside `path` are on the medium.
    fn sync(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
pub struct Files;

impl Folder for Files {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(FileDisk::create(path)?))
    }
    fn source(&self, path: &Path) -> Arc<dyn Source> {
        Arc::new(FileSource(path.to_owned()))
    }
    fn exists(&self, path: &Path) -> bool {
        // A link that leads nowhere does: its disk is not mounted, and nothing may take its place.
        path.symlink_metadata().is_ok()
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if let Ok(old) = std::fs::metadata(to) {
            // Where root does it: the server runs as somebody else. Others may give nothing away.
            let _ = std::os::unix::fs::lchown(from, Some(old.uid()), Some(old.gid()));
        }
        std::fs::rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }
}

/// A path with something behind it.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Makes a new store at `path`. It is written under a temporary name and renamed when it is whole:
/// a file that redb is still creating is one that it would refuse after a power cut.
///
/// Errors: a file of that name exists; anything the system says.
pub fn create(folder: &dyn Folder, path: &Path) -> Result<(), Error> {
    let temporary = beside(path, ".new");
    let disk = folder.create(&temporary)?;
    let made = finish(folder, path, &temporary, disk);
    if made.is_err() {
        // It takes room, perhaps the last that there was.
        let _ = folder.remove(&temporary);
    }
    made
}

fn finish(
    folder: &dyn Folder,
    path: &Path,
    temporary: &Path,
    disk: Arc<dyn Disk>,
) -> Result<(), Error> {
    if folder.exists(path) {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    format(disk.clone())?;
    disk.sync()?;
    folder.rename(temporary, path)?;
    Ok(folder.sync(path)?)
}

/// The database on a disk, without a look at what is in it.
pub(super) fn raw(disk: Arc<dyn Disk>, cache: usize) -> Result<Database, Error> {
    Ok(Database::builder()
        .set_cache_size(cache)
        .create_with_backend(Backend::new(disk, Box::new(|| ())))?)
}

/// Writes an empty store onto an empty disk.
pub fn format(disk: Arc<dyn Disk>) -> Result<(), Error> {
    let db = raw(disk, 1 << 20)?;
    let txn = db.begin_write()?;
    tables::create(&txn)?;
    State::empty().save(&mut Trees::new(&txn))?;
    txn.commit()?;
    db.close()?;
    Ok(())
}

/// Rows of the key-value area.
pub struct Settings {
    /// Which store it is: the value of that key.
    pub id: Option<Vec<u8>>,
    /// Keys and values.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What begins with one of `prefixes` in a store that nobody has open, and the value of `id`.
///
/// # Errors
/// As for opening.
pub fn settings(source: &dyn Source, prefixes: &[&[u8]], id: &[u8]) -> Result<Settings, Error> {
    let (db, _) = open(source, 1 << 20, Box::new(|| ()))?;
    let look = Look::new(db.begin_read()?);
    let mut rows = Vec::new();
    for prefix in prefixes {
        look.prefix(Tree::Misc, prefix, &mut |key, value| {
            rows.push((key.to_vec(), value.to_vec()));
            Ok(true)
        })?;
    }
    let id = look.get(Tree::Misc, id)?.map(|row| row.value().to_vec());
    drop(look);
    db.close()?;
    Ok(Settings { id, rows })
}

/// Opens the database behind `source` and loads its state. `report` is called at the first I/O error.
pub(super) fn open(
    source: &dyn Source,
    cache: usize,
    report: Reporter,
) -> Result<(Database, State), Error> {
    let disk = source.open().map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Locked,
        _ => Error::from(error),
    })?;
    if disk.is_empty()? {
        return Err(Error::damaged(&"the file is empty"));
    }
    // On pages that are not what they were, redb panics here and there rather than return an error.
    let load = std::panic::AssertUnwindSafe(|| load(disk, cache, report));
    std::panic::catch_unwind(load)
        .unwrap_or_else(|_| Err(Error::damaged(&"its pages make no sense")))
}

fn load(disk: Arc<dyn Disk>, cache: usize, report: Reporter) -> Result<(Database, State), Error> {
    let db = Database::builder()
        .set_cache_size(cache)
        .set_repair_callback(|repair| {
            log::info!(
                "the store was not closed: checking, {:.0} %",
                repair.progress() * 100.0
            );
        })
        .create_with_backend(Backend::new(disk, report))?;
    let state = State::load(&Look::new(db.begin_read()?))?;
    Ok((db, state))
}
