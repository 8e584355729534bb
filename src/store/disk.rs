//! Where the file's bytes are: a real file, or in tests a disk that loses power.

use crate::sys::count;
use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A random-access file. Written bytes may be lost until [`Disk::sync`] returns.
pub trait Disk: Debug + Send + Sync + 'static {
    /// Length in octets.
    fn len(&self) -> io::Result<u64>;
    /// No octets at all: the store is to be made.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Fills `out` from `offset`; an error when the file ends before.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
    /// Writes all of `data` at `offset`.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()>;
    /// Cuts or extends with zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Returns when everything written is on the medium.
    fn sync(&self) -> io::Result<()>;
    /// Not used any more, though a reader may still hold it: gives the lock back.
    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A file, locked against other processes as long as it is open.
#[derive(Debug)]
pub struct FileDisk(File);

impl FileDisk {
    /// Opens an existing file for reading and writing and locks it.
    ///
    /// Errors: `WouldBlock` when another process has it, else what the system says.
    pub fn open(path: &Path) -> io::Result<FileDisk> {
        FileDisk::lock(OpenOptions::new().read(true).write(true).open(path)?)
    }

    /// Creates an empty file, readable by the owner alone; one that exists is emptied.
    pub fn create(path: &Path) -> io::Result<FileDisk> {
        use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        loop {
            let disk = FileDisk::lock(options.open(path)?)?;
            // Whoever had it locked until now may have given it another name: then it is theirs.
            let (ours, there) = (disk.0.metadata()?, path.metadata());
            if there.is_ok_and(|it| (it.dev(), it.ino()) == (ours.dev(), ours.ino())) {
                disk.0.set_len(0)?;
                return Ok(disk);
            }
        }
    }

    fn lock(file: File) -> io::Result<FileDisk> {
        match file.try_lock() {
            Ok(()) => Ok(FileDisk(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            // A file system without locks (some network mounts): go on without one.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                Ok(FileDisk(file))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
    fn close(&self) -> io::Result<()> {
        // Where there are no locks there is nothing to give back.
        let _ = self.0.unlock();
        Ok(())
    }
}

/// Called once, at the first I/O error: redb refuses everything after it.
pub(super) type Reporter = Box<dyn Fn() + Send + Sync>;

/// Lets redb use a [`Disk`].
pub(super) struct Backend {
    disk: Arc<dyn Disk>,
    report: Reporter,
    failed: AtomicBool,
}

impl Backend {
    pub(super) fn new(disk: Arc<dyn Disk>, report: Reporter) -> Backend {
        Backend {
            disk,
            report,
            failed: AtomicBool::new(false),
        }
    }

    fn watch<T>(&self, outcome: io::Result<T>) -> io::Result<T> {
        if outcome.is_err() && !self.failed.swap(true, Ordering::Relaxed) {
            (self.report)();
        }
        outcome
    }
}

impl std::fmt::Debug for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.disk.fmt(f)
    }
}

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.watch(self.disk.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.watch(self.disk.read(offset, out))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.watch(self.disk.set_len(len))
    }
    fn sync_data(&self) -> io::Result<()> {
        count::add(count::Of::Flushes, 0, 1);
        self.watch(self.disk.sync())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        count::add(count::Of::Written, 0, data.len().div_ceil(1024));
        self.watch(self.disk.write(offset, data))
    }
    fn close(&self) -> io::Result<()> {
        self.disk.close()
    }
}
