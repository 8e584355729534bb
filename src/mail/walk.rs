//! Walking many messages of a mailbox: a slice of them per look at the store, and the others have
//! their turn in between.

use super::{Error, Mail, MailboxId, Reader, Result, Row, Uid, UidSet};
use crate::limits;
use crate::sys::{self, lock};
use smol::future::yield_now;
use smol::lock::{Semaphore, SemaphoreGuard};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// How far a walk has come: the UID that it goes on with, for whoever waits for it.
pub type Reached = Arc<AtomicU32>;

static WALKS: Semaphore = Semaphore::new(limits::SEARCHES);
static SORTS: Semaphore = Semaphore::new(limits::SORTS);

/// How a walk goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    /// Rows in one look at the store.
    pub rows: usize,
    /// Beside the sessions' thread, because a slice takes long; `limits::SEARCHES` at a time.
    pub aside: bool,
}

impl Pace {
    /// For what the rows tell.
    pub const ROWS: Pace = Pace {
        rows: 1024,
        aside: false,
    };
    /// For what is stored about messages.
    pub const FACTS: Pace = Pace {
        rows: 64,
        aside: false,
    };
    /// For what is in messages.
    pub const BODIES: Pace = Pace {
        rows: 16,
        aside: true,
    };
}

/// A sort's or threading's turn: so many of them at a time have memory that grows with the mailbox.
pub(super) async fn turn() -> SemaphoreGuard<'static> {
    SORTS.acquire().await
}

impl Mail {
    /// Gives the rows of `within` to `each`, rising; `reached` follows. Can be dropped at any time.
    pub(super) async fn walk<S, F>(
        self: &Arc<Self>,
        mailbox: MailboxId,
        within: &Arc<UidSet>,
        pace: Pace,
        reached: &Reached,
        state: S,
        each: F,
    ) -> Result<S>
    where
        S: Send + 'static,
        F: Fn(&mut S, &Reader, &Row) -> Result<()> + Send + Sync + 'static,
    {
        let state = Arc::new(Mutex::new(Some(state)));
        let (mail, rows, within, place) = (
            self.clone(),
            pace.rows,
            within.clone(),
            Arc::downgrade(&state),
        );
        let first = within.first();
        let step = move |from| {
            // Nobody waits any more: the walk was dropped.
            let Some(place) = place.upgrade() else {
                return Ok(None);
            };
            let mut state = lock(&place);
            slice(&mail, mailbox, &within, from, rows, &mut |reader, row| {
                state
                    .as_mut()
                    .map_or(Ok(()), |state| each(state, reader, row))
            })
        };
        steps(Box::new(step), first, pace.aside, reached).await?;
        let done = lock(&state).take();
        done.ok_or(Error::Unavailable)
    }
}

/// One slice from a UID on; gives where to go on.
type Step = Box<dyn FnMut(Uid) -> Result<Option<Uid>> + Send>;

/// One slice after the other, whatever they look for.
async fn steps(
    mut step: Step,
    mut next: Option<Uid>,
    aside: bool,
    reached: &Reached,
) -> Result<()> {
    if !aside {
        while let Some(from) = next {
            next = step(from)?;
            reached.store(next.unwrap_or(Uid::MAX), Ordering::Relaxed);
            yield_now().await;
        }
        return Ok(());
    }
    // Only so many at a time: each one fills a core.
    let _turn = WALKS.acquire().await;
    let reached = reached.clone();
    // One thread from the first slice to the last: an allocator that keeps memory for each
    // thread would keep it several times.
    sys::aside(move || {
        while let Some(from) = next {
            next = step(from)?;
            reached.store(next.unwrap_or(Uid::MAX), Ordering::Relaxed);
            std::thread::yield_now();
        }
        Ok(())
    })
    .await
}

/// The first rows of `within` from `from` on; gives where to go on.
fn slice(
    mail: &Mail,
    mailbox: MailboxId,
    within: &UidSet,
    from: Uid,
    rows: usize,
    each: &mut dyn FnMut(&Reader, &Row) -> Result<()>,
) -> Result<Option<Uid>> {
    let reader = mail.reader()?;
    let mut left = rows;
    for (first, last) in within.runs_from(from) {
        // A run without rows costs a look-up too.
        if left == 0 {
            return Ok(Some(first));
        }
        left -= 1;
        let (mut next, mut failed) = (None, None);
        reader.rows(mailbox, first, last, |row| {
            if left == 0 {
                next = Some(row.uid);
                return false;
            }
            left -= 1;
            failed = each(&reader, row).err();
            failed.is_none()
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        if next.is_some() {
            return Ok(next);
        }
    }
    Ok(None)
}
