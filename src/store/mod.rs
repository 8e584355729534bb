//! Keys and bytes: the only user of redb.
//!
//! One file, ten small tables of octets (`tables`), bodies in page-fit pieces ([`blob`]), one thread that
//! writes (`writer`). Nothing here knows a protocol or decides what mail may do: that is the
//! engine's, which runs its operations as closures over a [`Txn`].
//!
//! * A write resolves after its durable commit. What was not answered may or may not be there.
//! * A commit is whole or not there at all, whatever loses power when.
//! * After an I/O error (a full disk included) the file is reopened; until then everything is
//!   refused with [`Error::Closed`].

pub mod blob;
mod check;
mod copy;
mod disk;
mod error;
mod message;
mod open;
mod reader;
mod rows;
mod salvage;
mod spare;
mod state;
mod states;
mod tables;
mod txn;
mod writer;

pub use check::{Report, check};
pub use copy::{Op, REBUILD, Rebuild, Sink, squeeze};
pub use disk::{Disk, FileDisk};
pub use error::Error;
pub use message::{Head, MsgRow};
pub use open::{FileSource, Files, Folder, Settings, Source, beside, create, format, settings};
pub use reader::Reader;
pub use rows::{Counters, EmailId, Flags, Gone, MailboxId, Modseq, Row, ThreadId, Uid};
pub use salvage::salvage;
pub use state::{Global, Mbox, Pending, State};
pub use states::{DataType, States};
pub use tables::SCHEMA;
pub use txn::{Change, Kind, Txn};
pub use writer::Observer;

use crate::sys::lock;
use async_channel::Sender;
use redb::{Database, ReadableDatabase};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
pub(crate) use writer::Work;
use writer::{Guard, Job, Message, Writer};

/// Keys of the key-value area that the store itself uses.
pub(crate) mod misc {
    /// Keyword names by slot, separated by NUL.
    pub const KEYWORDS: &[u8] = b"keywords";
}

/// The store: reads from any thread, writes through one.
pub struct Store {
    shared: Arc<Shared>,
    inbox: Sender<Message>,
}

/// What readers and the writer share.
struct Shared {
    db: RwLock<Option<Guard>>,
    /// Staged bodies that nobody wants any more, with the epoch of their id; swept with the next
    /// commit.
    abandoned: Mutex<Vec<(EmailId, u32)>>,
    /// Room in the file.
    spare: spare::Spare,
    source: Arc<dyn Source>,
}

impl Shared {
    fn database(&self) -> Result<Guard, Error> {
        self.db
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
            .ok_or(Error::Closed)
    }

    /// Puts another database (or none) in place and waits until nobody uses the old one, so that
    /// the file's lock is free.
    fn set_database(&self, db: Option<Database>) {
        let old = {
            let mut place = self.db.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *place, db.map(Arc::new))
        };
        let Some(mut old) = old else { return };
        // Readers only hold it while they begin a transaction: microseconds.
        loop {
            match Arc::try_unwrap(old) {
                Ok(db) => {
                    if let Err(error) = db.close() {
                        log::debug!("closing the store: {error}");
                    }
                    return;
                }
                Err(shared) => old = shared,
            }
            std::thread::yield_now();
        }
    }

    fn take_abandoned(&self) -> Vec<(EmailId, u32)> {
        std::mem::take(
            &mut *self
                .abandoned
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// No body that was being written survives a reopening.
    fn abandon_all(&self, state: &State) {
        let mut list = self
            .abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.extend(left_in_flight(state));
    }

    fn len(&self) -> u64 {
        self.source.len()
    }
}

impl Store {
    /// Opens an existing store. `observe` gets the state and makes the observer of commits.
    ///
    /// Errors: [`Error::Locked`], [`Error::Newer`], [`Error::Damaged`], what the system says.
    pub fn open<O: Observer>(
        source: Arc<dyn Source>,
        cache: usize,
        observe: impl FnOnce(&State) -> Arc<O>,
    ) -> Result<(Store, Arc<O>), Error> {
        let (inbox, jobs) = async_channel::bounded(crate::limits::WRITE_QUEUE);
        let weak = inbox.downgrade();
        let (db, state) = open::open(&*source, cache, writer::reporter(&weak, 0))?;
        let observer = observe(&state);
        let shared = Arc::new(Shared {
            db: RwLock::new(Some(Arc::new(db))),
            abandoned: Mutex::new(left_in_flight(&state).collect()),
            spare: spare::Spare::default(),
            source: source.clone(),
        });
        let writer = Writer {
            shared: shared.clone(),
            source,
            cache,
            state,
            inbox: jobs,
            weak,
            observer: observer.clone(),
            unsealed: false,
            loose: false,
            last_seal: None,
            broken_since: None,
        };
        std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer.run())?;
        Ok((Store { shared, inbox }, observer))
    }

    /// A look at the rows. Never held across an await.
    pub fn reader(&self) -> Result<Reader, Error> {
        let db = self.shared.database()?;
        Ok(Reader::new(db.begin_read()?))
    }

    /// Runs `run` in the writer's next transaction; resolves after the commit.
    ///
    /// `weight`: octets of body that it brings, so that one commit does not overflow the cache.
    pub async fn write<F, T>(&self, weight: usize, run: F) -> Result<T, Error>
    where
        F: FnOnce(&mut Txn<'_>) -> Result<T, Error> + Send + 'static,
        T: Send + 'static,
    {
        let result = Arc::new(Mutex::new(None));
        let place = result.clone();
        let work = move |txn: &mut Txn<'_>| {
            let done = run(txn)?;
            *lock(&place) = Some(done);
            Ok(())
        };
        self.submit(weight, Box::new(work)).await?;
        let done = lock(&result).take();
        done.ok_or(Error::Closed)
    }

    /// Runs a job in the writer's next transaction; resolves after the commit. Once for all kinds
    /// of results.
    pub(crate) async fn submit(&self, weight: usize, work: Work) -> Result<(), Error> {
        let (answer, outcome) = async_channel::bounded(1);
        let job = Job {
            work: Some(work),
            answer,
            weight,
        };
        self.inbox
            .send(Message::Job(job))
            .await
            .map_err(|_| Error::Closed)?;
        outcome.recv().await.map_err(|_| Error::Closed)?
    }

    /// Hands the writer a job that nobody waits for. It may be lost: when too much waits already, or
    /// with the power.
    pub(crate) fn later(&self, work: Work) {
        let job = Job {
            work: Some(work),
            answer: async_channel::bounded(1).0,
            weight: 0,
        };
        let _ = self.inbox.try_send(Message::Job(job));
    }

    /// Is there room for so many octets more? A disk is never filled to its end: where a file cannot
    /// be rewritten in place (UBIFS, btrfs), even deleting would be impossible then. What was deleted
    /// leaves room in the file; that counts while half of the reserve is there: it is an estimate, and on
    /// such a disk (with snapshots, too) new octets may need new blocks all the same.
    ///
    /// Errors: [`Error::DiskFull`].
    pub fn room(&self, octets: u64) -> Result<(), Error> {
        let Some(free) = self.shared.source.free() else {
            return Ok(());
        };
        let wanted = octets.saturating_add(crate::limits::DISK_RESERVE);
        let inside = || self.shared.spare.get() >= wanted;
        match free >= wanted || free >= crate::limits::DISK_RESERVE / 2 && inside() {
            true => Ok(()),
            false => Err(Error::DiskFull),
        }
    }

    /// Octets that the file system has left, and octets that it has; where that can be told.
    pub fn disk(&self) -> (Option<u64>, Option<u64>) {
        (self.shared.source.free(), self.shared.source.capacity())
    }

    /// The body that was begun as `email` under `epoch` is not wanted any more: its pieces go with
    /// the next commit. After a reopening the id may be another body's, so the epoch counts.
    pub fn abandon(&self, email: EmailId, epoch: u32) {
        self.shared
            .abandoned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((email, epoch));
    }

    /// Seals and closes. Whatever comes later gets [`Error::Closed`].
    pub async fn close(&self) {
        let (done, closed) = async_channel::bounded(1);
        if self.inbox.send(Message::Close(done)).await.is_ok() {
            let _ = closed.recv().await;
        }
    }
}

/// The bodies that were being written when `state` was saved.
fn left_in_flight(state: &State) -> impl Iterator<Item = (EmailId, u32)> + '_ {
    let ids = state.global.in_flight.iter();
    ids.map(|&n| (EmailId(n), state.epoch))
}
