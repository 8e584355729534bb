//! Making, opening and reopening the file.

use super::Error;
use super::disk::{Backend, Disk, FileDisk, Reporter};
use super::state::State;
use super::tables::{self, Look, Trees};
use redb::{Database, ReadableDatabase};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How to get at the bytes, again and again: after an I/O error redb wants the file opened anew.
pub trait Source: Send + Sync + 'static {
    /// Opens what exists.
    fn open(&self) -> io::Result<Arc<dyn Disk>>;
    /// Octets of the file, 0 when that cannot be told.
    fn len(&self) -> u64;
    /// Octets that the file system has left, if that can be told.
    fn free(&self) -> Option<u64> {
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
    fn free(&self) -> Option<u64> {
        let system = rustix::fs::statvfs(&self.0).ok()?;
        Some(system.f_bavail.saturating_mul(system.f_frsize))
    }
}

/// Makes a new store at `path`. It is written under a temporary name and renamed when it is whole:
/// a file that redb is still creating is one that it would refuse after a power cut.
///
/// Errors: a file of that name exists; anything the system says.
pub fn create(path: &Path) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    let disk = Arc::new(FileDisk::create(&temporary)?);
    if path.exists() {
        return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
    }
    format(disk.clone())?;
    disk.sync()?;
    std::fs::rename(&temporary, path)?;
    sync_folder(path)
}

/// Makes a file's name last.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
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
        return Err(Error::Damaged("the file is empty".into()));
    }
    // On pages that are not what they were, redb panics here and there rather than return an error.
    let load = std::panic::AssertUnwindSafe(|| load(disk, cache, report));
    std::panic::catch_unwind(load)
        .unwrap_or_else(|_| Err(Error::Damaged("its pages make no sense".into())))
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
