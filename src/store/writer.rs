//! The one thread that writes: group commit, seal, reopening after an I/O error.
//!
//! It takes one job, drains what is already waiting, commits once, tells the observer, and only
//! then answers. It never waits for more jobs: the time of a flush is what brings them together.

use super::disk::Reporter;
use super::open::{self, Source};
use super::state::State;
use super::txn::{Change, Txn};
use super::{Error, Shared};
use crate::limits;
use async_channel::{Receiver, Sender, TryRecvError, WeakSender};
use redb::{Database, Durability};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Is told of every commit before anyone is answered.
pub trait Observer: Send + Sync + 'static {
    /// These changes are durable (or, for staged pieces alone, invisible); `state` is how things stand.
    fn committed(&self, state: &State, log: &[Change]);
    /// The store was opened again after an error: `state` is what is on disk.
    fn reopened(&self, state: &State);
}

/// What a job does. It checks first and writes after, so that a refused operation leaves nothing
/// behind.
pub(crate) type Work = Box<dyn FnOnce(&mut Txn<'_>) -> Result<(), Error> + Send>;

/// Work for the writer: runs in the shared transaction, is answered after the commit.
pub(super) struct Job {
    /// Taken when it runs.
    pub work: Option<Work>,
    /// Gets the outcome of the commit.
    pub answer: Sender<Result<(), Error>>,
    /// Octets of body that it brings.
    pub weight: usize,
}

impl Job {
    fn answer(self, outcome: Result<(), Error>) {
        // Nobody waits any more when the session is gone: the commit stands all the same.
        let _ = self.answer.try_send(outcome);
    }
}

pub(super) enum Message {
    Job(Job),
    /// The disk failed under a reader of this epoch: the database refuses everything from then on.
    Failed(u32),
    /// Seal, close, and end the thread.
    Close(Sender<()>),
}

/// Tells the writer of the first I/O error under `epoch`. A full queue needs no telling: its jobs
/// meet the error themselves.
pub(super) fn reporter(inbox: &WeakSender<Message>, epoch: u32) -> Reporter {
    let inbox = inbox.clone();
    Box::new(move || {
        if let Some(inbox) = inbox.upgrade() {
            let _ = inbox.try_send(Message::Failed(epoch));
        }
    })
}

/// Sealing a small file saves less time at the next open than it costs flash now.
const SEAL_FROM: u64 = 32 << 20;
const SEAL_AFTER: Duration = Duration::from_secs(2);
const SEAL_EVERY: Duration = Duration::from_secs(30);
const REOPEN_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    pub shared: Arc<Shared>,
    pub source: Arc<dyn Source>,
    pub cache: usize,
    pub state: State,
    pub inbox: Receiver<Message>,
    /// The other end, for the disk's own reports; does not keep the thread alive.
    pub weak: WeakSender<Message>,
    pub observer: Arc<dyn Observer>,
    /// Commits since the last seal.
    pub unsealed: bool,
    /// Something answered waits for a durable commit.
    pub loose: bool,
    pub last_seal: Option<Instant>,
    pub broken_since: Option<Instant>,
}

impl Writer {
    pub fn run(mut self) {
        loop {
            let Some(message) = self.next() else {
                match (self.broken_since, self.loose) {
                    (Some(_), _) => self.reopen(),
                    (None, true) => self.settle(),
                    (None, false) => self.seal(),
                }
                continue;
            };
            match message {
                Ok(Message::Job(job)) => {
                    if let Some(done) = self.batch(job) {
                        return self.close(Some(done));
                    }
                }
                Ok(Message::Failed(epoch)) => self.failed(epoch),
                Ok(Message::Close(done)) => return self.close(Some(done)),
                Err(()) => return self.close(None),
            }
        }
    }

    /// The next message; None when it is time to settle or to seal, or to open a broken store again (those who
    /// only read wait for that too); Err when every handle is gone.
    fn next(&self) -> Option<Result<Message, ()>> {
        let wait = match (self.broken_since, self.last_seal) {
            (Some(_), _) => REOPEN_EVERY,
            (None, _) if self.loose => SEAL_AFTER,
            (None, _) if !self.unsealed => {
                return Some(self.inbox.recv_blocking().map_err(|_| ()));
            }
            (None, Some(last)) => SEAL_EVERY.saturating_sub(last.elapsed()).max(SEAL_AFTER),
            (None, None) => SEAL_AFTER,
        };
        smol::block_on(smol::future::or(
            async { Some(self.inbox.recv().await.map_err(|_| ())) },
            async {
                smol::Timer::after(wait).await;
                None
            },
        ))
    }

    /// One commit for `first` and what waits behind it. Returns the closer, if one waits too.
    fn batch(&mut self, first: Job) -> Option<Sender<()>> {
        let mut jobs = Vec::with_capacity(4);
        let mut weight = first.weight;
        jobs.push(first);
        let (mut closer, mut failed) = (None, None);
        while jobs.len() < limits::GROUP && weight < self.cache / 4 {
            match self.inbox.try_recv() {
                Ok(Message::Job(job)) => {
                    weight += job.weight;
                    jobs.push(job);
                }
                Ok(Message::Failed(epoch)) => failed = Some(epoch),
                Ok(Message::Close(done)) => {
                    closer = Some(done);
                    break;
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        let outcome = self.ensure_open().and_then(|()| {
            std::panic::catch_unwind(AssertUnwindSafe(|| self.commit(&mut jobs)))
                .unwrap_or_else(|_| Err(Error::damaged(&"an operation panicked")))
        });
        if let Err(error) = &outcome {
            trouble("the store could not be written", &error);
            if matches!(error, Error::DiskFull) {
                self.shared.spare.none();
            }
            self.reopen();
        }
        for job in jobs {
            job.answer(outcome.as_ref().map(|_| ()).map_err(Error::again));
        }
        if let Some(epoch) = failed {
            self.failed(epoch);
        }
        closer
    }

    fn commit(&mut self, jobs: &mut [Job]) -> Result<(), Error> {
        let db = self.shared.database()?;
        let mut txn = db.begin_write()?;
        let abandoned = self.shared.take_abandoned();
        let mut work = Txn::new(&txn, &mut self.state);
        for (email, epoch) in abandoned {
            if epoch == work.state.epoch {
                work.sweep(email)?;
            }
        }
        for run in jobs.iter_mut().filter_map(|job| job.work.take()) {
            run(&mut work)?;
        }
        let (dirty, durable, loose) = (work.dirty, work.durable, work.loose);
        if !dirty {
            drop(work);
            txn.abort()?;
            return Ok(());
        }
        let (log, freed) = work.finish()?;
        if !durable {
            txn.set_durability(Durability::None)
                .map_err(|e| Error::damaged(&e))?;
        }
        txn.commit()?;
        drop(db);
        self.shared.spare.freed(freed);
        self.kept(durable, loose);
        self.observer.committed(&self.state, &log);
        Ok(())
    }

    /// Notes what a commit leaves for later.
    fn kept(&mut self, durable: bool, loose: bool) {
        self.loose = !durable && (loose || self.loose);
        if durable {
            self.state.kept();
            self.unsealed |= self.shared.len() >= SEAL_FROM;
        }
    }

    /// An empty durable commit: it keeps those before it that were not.
    fn settle(&mut self) {
        let settled = self.shared.database().and_then(|db| {
            let txn = db.begin_write()?;
            Ok(txn.commit()?)
        });
        match settled {
            Ok(()) => self.kept(true, false),
            Err(error) => {
                trouble("the store could not be written", &error);
                self.reopen();
            }
        }
    }

    /// A reader met an I/O error. Once per opening, or a bad sector would keep us busy.
    fn failed(&mut self, epoch: u32) {
        if epoch == self.state.epoch && self.broken_since.is_none() {
            trouble("the store could not be read", &"I/O error");
            self.reopen();
        }
    }

    fn ensure_open(&mut self) -> Result<(), Error> {
        if self
            .broken_since
            .is_some_and(|at| at.elapsed() >= REOPEN_EVERY)
        {
            self.reopen();
        }
        self.shared.database().map(|_| ())
    }

    /// Drops the database and opens it again: after an I/O error redb refuses everything else.
    fn reopen(&mut self) {
        self.shared.set_database(None);
        (self.unsealed, self.loose) = (false, false);
        // Each attempt has its own: what an earlier one reports does not count.
        let epoch = self.state.epoch.wrapping_add(1);
        self.state.epoch = epoch;
        match open::open(&*self.source, self.cache, reporter(&self.weak, epoch)) {
            Ok((db, state)) => {
                self.shared.set_database(Some(db));
                self.state = state;
                self.state.epoch = epoch;
                self.shared.abandon_all(&self.state);
                self.broken_since = None;
                self.observer.reopened(&self.state);
                log::warn!("the store is open again");
            }
            Err(error) => {
                trouble("the store cannot be opened again", &error);
                self.broken_since = Some(Instant::now());
            }
        }
    }

    /// An empty commit that saves the allocator's state, so that a power cut opens as fast as a
    /// clean stop.
    fn seal(&mut self) {
        (self.unsealed, self.loose) = (false, false);
        self.last_seal = Some(Instant::now());
        let sealed = self.shared.database().and_then(|db| {
            let mut txn = db.begin_write()?;
            txn.set_quick_repair(true);
            Ok(txn.commit()?)
        });
        if let Err(error) = sealed {
            trouble("the store could not be sealed", &error);
            self.reopen();
        }
    }

    fn close(mut self, done: Option<Sender<()>>) {
        self.inbox.close();
        if self.loose {
            self.settle();
        }
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                Message::Job(job) => job.answer(Err(Error::Closed)),
                Message::Failed(_) => {}
                Message::Close(done) => drop(done.try_send(())),
            }
        }
        self.shared.set_database(None);
        if let Some(done) = done {
            let _ = done.try_send(());
        }
    }
}

/// Says it, and keeps it for whoever asks how the server is.
fn trouble(what: &str, error: &dyn std::fmt::Display) {
    let said = format!("{what}: {error}");
    log::error!("{said}");
    crate::sys::count::disk_failed(&said);
}

/// The database, held open while the guard lives.
pub(super) type Guard = Arc<Database>;
