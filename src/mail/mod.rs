//! The mailbox engine: the only door to the store for protocols.
//!
//! Every operation (deliver, set flags, move, ...) is written once, here, with its checks. A write
//! resolves after its durable commit; a refused one leaves nothing behind. Reads are synchronous
//! and short: open a [`Reader`], copy what is needed (at most 64 KiB of a body, some hundred rows),
//! drop it, and only then wait for the network.
//!
//! Changes are level-triggered: wait on [`Hub::listen`], then ask [`Mail::changes`] or
//! [`Mail::email_changes`] for what happened since your own modseq.

mod access;
pub mod address;
mod annotation;
mod batch;
mod body;
mod changes;
mod copy;
pub mod counts;
mod deliver;
mod email;
pub mod emails;
mod error;
mod expunge;
mod facts;
mod fail;
mod flags;
mod fuzzy;
mod hub;
mod mailbox;
mod newest;
mod order;
pub mod outbound;
pub mod quota;
mod read;
pub mod receipt;
mod records;
mod search;
mod sort;
pub mod submission;
mod thread;
mod types;
mod uidset;
mod urlkeys;
pub mod vacation;
mod view;
mod walk;

pub use access::{Principal, Rights};
pub use annotation::{AnnotationChange, NotAnnotated};
pub use batch::Batch;
pub use body::{BodyWriter, Staged};
pub use changes::{Changes, ObjectChanges};
pub use copy::Copied;
pub use deliver::{Added, Commit, NewEmail, Put, Puts, Source};
pub use email::EmailUpdate;
pub use error::{Error, Result};
pub use flags::{FlagChange, FlagMode, FlagsChanged, is_keyword};
pub use hub::Hub;
pub use mailbox::MailboxUpdate;
use read::Sight;
pub use read::{Message, Reader};
pub use records::{Edit, Record};
pub use search::{Field, Needle, Prepared, Query};
pub use sort::{Criterion, Order};
pub use thread::{Algorithm, Threads, Token};
pub use types::*;
pub use uidset::UidSet;
pub use walk::Reached;

use crate::store::{self, Change, Files, Folder, Observer, State, Store, Txn, Work};
use crate::sys::lock;
use access::{Check, Door};
use changes::Ring;
use std::cell::Cell;
use std::collections::HashMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
pub use view::View;
use view::Views;

/// A row of the key-value area: what tells this store, and the backups that are made of it, from others.
pub const STORE_ID: &[u8] = b"store.id";

/// What the engine is told at start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Page cache of the store, in octets.
    pub cache: usize,
    /// Largest message, in octets.
    pub message_size: u64,
    /// Sum of all stored emails, in octets; 0 for no quota.
    pub quota: u64,
    /// Number of emails; 0 for no quota.
    pub quota_messages: u32,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            cache: 3 << 20,
            message_size: crate::limits::MESSAGE_SIZE,
            quota: 0,
            quota_messages: 0,
        }
    }
}

/// The engine. One per store, shared by every thread; this is a handle to it, for the owner or for
/// somebody with fewer rights ([`Mail::of`]).
pub struct Mail {
    store: Arc<Store>,
    shared: Arc<Shared>,
    options: Options,
    door: Option<Arc<Door>>,
}

/// What the writer's commits update and readers look at.
struct Shared {
    meta: Mutex<Arc<Meta>>,
    ring: Mutex<Ring>,
    views: Mutex<Views>,
    newest: Mutex<newest::Lists>,
    /// First UIDs that were shown to no session; above the stored ones, and forgotten at a restart:
    /// a message is then `\Recent` once more, which RFC 3501 §2.3.2 allows.
    recent: Mutex<HashMap<MailboxId, Uid>>,
    hub: Hub,
    /// Resets of URL keys.
    url_resets: Mutex<HashMap<MailboxId, u32>>,
}

impl Observer for Shared {
    fn committed(&self, state: &State, log: &[Change]) {
        // The rows are there already: whoever sees the new snapshot finds them.
        lock(&self.ring).extend(log, state.global.modseq);
        let meta = Arc::new(meta_of(state, Some(&lock(&self.meta))));
        let old = std::mem::replace(&mut *lock(&self.meta), meta);
        if old.modseq != state.global.modseq {
            self.hub.bump(state.global.modseq);
        }
    }
    fn reopened(&self, state: &State) {
        *lock(&self.ring) = Ring::new(state.global.modseq);
        *lock(&self.views) = Views::default();
        *lock(&self.newest) = newest::Lists::default();
        *lock(&self.meta) = Arc::new(meta_of(state, None));
        self.hub.bump(state.global.modseq);
    }
}

impl Mail {
    /// Opens the store at `path`, or makes it with its first mailboxes.
    ///
    /// Errors: as for [`Store::open`]. Blocks until a store that was not closed is checked.
    pub fn open(path: &Path, options: Options) -> std::result::Result<Arc<Mail>, store::Error> {
        Mail::open_in(&Files, path, options)
    }

    /// The same in any folder.
    pub fn open_in(
        folder: &dyn Folder,
        path: &Path,
        options: Options,
    ) -> std::result::Result<Arc<Mail>, store::Error> {
        if !folder.exists(path) {
            store::create(folder, path)?;
        }
        let mail = Mail::open_source(folder.source(path), options)?;
        // What a power cut left of a store that was to take this one's place: nobody is at it, for it
        // needs the lock that we have.
        let _ = folder.remove(&store::beside(path, store::REBUILD));
        Ok(mail)
    }

    /// The same over any disk; it must be formatted.
    pub fn open_source(
        source: Arc<dyn store::Source>,
        options: Options,
    ) -> std::result::Result<Arc<Mail>, store::Error> {
        let (store, shared) = Store::open(source, options.cache, |state| {
            Arc::new(Shared {
                meta: Mutex::new(Arc::new(meta_of(state, None))),
                ring: Mutex::new(Ring::new(state.global.modseq)),
                views: Mutex::new(Views::default()),
                newest: Mutex::default(),
                recent: Mutex::new(HashMap::new()),
                hub: Hub::default(),
                url_resets: Mutex::default(),
            })
        })?;
        let mail = Arc::new(Mail {
            store: Arc::new(store),
            shared,
            options,
            door: None,
        });
        mail.shared.hub.bump(mail.meta().modseq);
        if mail.meta().mailboxes.is_empty() {
            smol::block_on(mail.create_first()).map_err(|error| match error {
                Error::DiskFull => store::Error::DiskFull,
                _ => store::Error::Closed,
            })?;
        }
        mail.name();
        Ok(mail)
    }

    /// Gives the store an id, if it has none.
    fn name(&self) {
        if let (Ok(None), Ok(id)) = (self.get(STORE_ID), crate::sys::random::octets::<16>()) {
            // Where the disk is full it is done at a later start.
            let _ = smol::block_on(self.put(vec![(STORE_ID.to_vec(), Some(id.to_vec()))]));
        }
    }

    /// The small facts, as one snapshot: what whoever this handle is for may know.
    pub fn meta(&self) -> Arc<Meta> {
        let whole = self.whole();
        match &self.door {
            Some(door) => door.see(whole),
            None => whole,
        }
    }

    /// The snapshot as the owner sees it.
    fn whole(&self) -> Arc<Meta> {
        lock(&self.shared.meta).clone()
    }

    /// Wake-ups.
    pub fn hub(&self) -> &Hub {
        &self.shared.hub
    }

    /// A look at the rows. Take [`Mail::meta`] before, see [`Meta`].
    ///
    /// Errors: the store's; [`Error::NoPermission`] for whoever is revoked or expired.
    pub fn reader(&self) -> Result<Reader> {
        let whole = self.whole();
        let reader = self.whole_reader()?;
        let sight = match &self.door {
            Some(door) if !door.is_open(&whole) => {
                self.check()?;
                Some(Sight {
                    who: door.who.clone(),
                    meta: door.see(whole.clone()),
                })
            }
            _ => None,
        };
        Ok(Reader { sight, ..reader })
    }

    /// A look with the owner's eyes, for what is shared by all handles or checked before.
    fn whole_reader(&self) -> Result<Reader> {
        let pending = self.whole().pending.clone();
        Ok(Reader {
            inner: self.store.reader()?,
            pending,
            thread: Cell::new(None),
            sight: None,
        })
    }

    /// Starts a message. `expected` (SIZE=, a literal's length) is refused at once when over the
    /// limit, and the quota is looked at too.
    ///
    /// Errors: [`Error::TooLarge`], [`Error::OverQuota`], [`Error::DiskFull`].
    pub fn body(&self, expected: Option<u64>) -> Result<BodyWriter> {
        let expected = expected.unwrap_or(0);
        if expected > self.options.message_size {
            return Err(Error::TooLarge(self.options.message_size));
        }
        self.check()?;
        let whole = self.whole();
        let (octets, messages) = (self.options.quota, self.options.quota_messages);
        if octets > 0 && whole.bytes + expected > octets || messages > 0 && whole.emails >= messages
        {
            return Err(Error::OverQuota);
        }
        self.store.room(expected)?;
        Ok(BodyWriter::new(
            self.store.clone(),
            self.options.message_size,
        ))
    }

    /// Starts a message of our own to the owner: a few KiB, however full the disk is.
    pub(crate) fn last_words(&self) -> Result<BodyWriter> {
        self.check()?;
        Ok(BodyWriter::new(
            self.store.clone(),
            self.options.message_size,
        ))
    }

    /// Key-value writes, in one commit.
    ///
    /// Errors: [`Error::NoPermission`] for a principal that is not trusted everywhere.
    pub async fn put(&self, puts: Vec<Put>) -> Result<()> {
        self.write_as(0, move |txn, who| {
            who.everywhere()?;
            for (key, value) in &puts {
                txn.put_misc(key, value.as_deref())?;
            }
            Ok(())
        })
        .await
    }

    /// The same for keys that are there still; what is gone meanwhile stays gone.
    ///
    /// Errors: as [`Mail::put`].
    pub async fn amend(&self, puts: Vec<Put>) -> Result<()> {
        self.write_as(0, move |txn, who| {
            who.everywhere()?;
            for (key, value) in &puts {
                if txn.misc(key)?.is_some() {
                    txn.put_misc(key, value.as_deref())?;
                }
            }
            Ok(())
        })
        .await
    }

    /// A value of the key-value area.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.reader()?.get(key)
    }

    /// The first UID that no session has been shown yet; all below `below` count as shown from now
    /// on, those that arrive meanwhile do not (RFC 3501 §2.3.2).
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `r`.
    pub fn take_recent(&self, mailbox: MailboxId, below: Uid) -> Result<Uid> {
        self.need(mailbox, Rights::READ)?;
        let meta = self.meta();
        let counters = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?.counters;
        let mut recent = lock(&self.shared.recent);
        let shown = recent.entry(mailbox).or_insert(counters.recent_from);
        let first = counters.recent_from.max(*shown);
        *shown = first.max(below);
        Ok(first)
    }

    /// The same without taking it (EXAMINE, STATUS).
    pub fn peek_recent(&self, mailbox: MailboxId) -> Result<Uid> {
        self.need(mailbox, Rights::READ)?;
        let meta = self.meta();
        let counters = meta.mailbox(mailbox).ok_or(Error::NoSuchMailbox)?.counters;
        let first = lock(&self.shared.recent).get(&mailbox).copied();
        Ok(first
            .unwrap_or(counters.recent_from)
            .max(counters.recent_from))
    }

    /// Largest message, in octets.
    pub fn message_size(&self) -> u64 {
        self.options.message_size
    }

    /// Quota in octets, 0 for none.
    pub fn quota(&self) -> u64 {
        self.options.quota
    }

    /// Quota in emails, each once; 0 for none.
    pub fn message_quota(&self) -> u32 {
        self.options.quota_messages
    }

    /// The store itself, for backups and checks: the owner's alone.
    ///
    /// Errors: [`Error::NoPermission`].
    pub fn store(&self) -> Result<&Store> {
        match self.door {
            None => Ok(&self.store),
            Some(_) => Err(Error::NoPermission),
        }
    }

    /// Seals and closes; later calls give [`Error::Unavailable`].
    pub async fn close(&self) {
        if self.door.is_none() {
            self.keep_views();
            self.store.close().await;
        }
    }

    /// Runs an operation in the writer if `expect` holds there, and says what it did to the states.
    /// It checks rights.
    fn write_own<T: Send + 'static>(
        &self,
        expect: Expect,
        run: impl FnOnce(&mut Txn<'_>, &Check) -> fail::Done<T> + Send + 'static,
    ) -> OwnAnswer<'_, T> {
        OwnAnswer(self.ask(0, self.check(), expect, run))
    }

    /// Runs an operation in the writer; the operation checks the rights of whoever asks, by the
    /// [`Check`] that it is given.
    fn write_as<T: Send + 'static>(
        &self,
        weight: usize,
        run: impl FnOnce(&mut Txn<'_>, &Check) -> fail::Done<T> + Send + 'static,
    ) -> Answer<'_, T> {
        self.ask(weight, self.check(), Expect::default(), run)
    }

    /// Runs an operation that knows nothing of rights: the owner's alone.
    fn write<T: Send + 'static>(
        &self,
        weight: usize,
        run: impl FnOnce(&mut Txn<'_>) -> fail::Done<T> + Send + 'static,
    ) -> Answer<'_, T> {
        let check = match self.door {
            Some(_) => Err(Error::NoPermission),
            None => self.check(),
        };
        self.ask(weight, check, Expect::default(), |txn, _owner| run(txn))
    }

    /// What is made for each operation: all else is [`Mail::queue`]'s.
    fn ask<T: Send + 'static>(
        &self,
        weight: usize,
        check: Result<Check>,
        expect: Expect,
        run: impl FnOnce(&mut Txn<'_>, &Check) -> fail::Done<T> + Send + 'static,
    ) -> Answer<'_, T> {
        let place = Arc::new(Mutex::new(None));
        let there = place.clone();
        let run: Run = Box::new(move |txn, who| {
            let done = run(txn, who)?;
            *lock(&there) = Some(done);
            Ok(())
        });
        let commit = Box::pin(self.queue(weight, check, expect, run));
        Answer { commit, place }
    }

    /// Waits for the commit.
    async fn queue(
        &self,
        weight: usize,
        check: Result<Check>,
        expect: Expect,
        run: Run,
    ) -> Result<Own> {
        let who = check?;
        let outcome = Arc::new(Mutex::new(Err(Error::Unavailable)));
        let place = outcome.clone();
        let work: Work = Box::new(move |txn| {
            let done = fail::part(watched(txn, &who, expect, run))?;
            *lock(&place) = done;
            Ok(())
        });
        self.store.submit(weight, work).await?;
        std::mem::replace(&mut *lock(&outcome), Err(Error::Unavailable))
    }
}

/// An operation that puts its answer where it is waited for.
type Run = Box<dyn FnOnce(&mut Txn<'_>, &Check) -> fail::Done<()> + Send>;

/// Runs it, and says what it did to the states.
fn watched(txn: &mut Txn<'_>, who: &Check, expect: Expect, run: Run) -> fail::Done<Own> {
    expect.check(txn)?;
    let before = txn.state.global.states;
    run(txn, who)?;
    let after = txn.state.global.states;
    Ok(Own { before, after })
}

/// The answer of an operation, which comes when its commit is durable.
struct Answer<'m, T> {
    commit: Pin<Box<dyn Future<Output = Result<Own>> + Send + 'm>>,
    place: Arc<Mutex<Option<T>>>,
}

/// The same, with what the operation did to the states.
struct OwnAnswer<'m, T>(Answer<'m, T>);

impl<T> Future for Answer<'_, T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let own = std::task::ready!(self.commit.as_mut().poll(cx));
        Poll::Ready(own.and_then(|_| lock(&self.place).take().ok_or(Error::Unavailable)))
    }
}

impl<T> Future for OwnAnswer<'_, T> {
    type Output = Result<(T, Own)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(T, Own)>> {
        let own = std::task::ready!(self.0.commit.as_mut().poll(cx))?;
        let done = lock(&self.0.place).take();
        Poll::Ready(done.map(|done| (done, own)).ok_or(Error::Unavailable))
    }
}

/// The snapshot of a state. Mailboxes that did not change keep their Arc.
fn meta_of(state: &State, old: Option<&Meta>) -> Meta {
    let mut mailboxes: Vec<Arc<Mailbox>> = Vec::with_capacity(state.mailboxes.len());
    // Paths hang on other mailboxes' names: any change of a row makes all of them anew.
    let known = old.filter(|old| {
        old.mailboxes.len() == state.mailboxes.len()
            && old.mailboxes.iter().all(|m| {
                state
                    .mailboxes
                    .get(&m.id.0)
                    .is_some_and(|row| row.changed == m.changed)
            })
    });
    if let Some(old) = known {
        for mailbox in &old.mailboxes {
            let counters = state
                .counters
                .get(&mailbox.id.0)
                .copied()
                .unwrap_or_default();
            if counters == mailbox.counters {
                mailboxes.push(mailbox.clone());
            } else {
                mailboxes.push(Arc::new(Mailbox {
                    counters,
                    ..Mailbox::clone(mailbox)
                }));
            }
        }
    } else {
        mailboxes.extend(state.mailboxes.iter().map(|(id, row)| {
            Arc::new(Mailbox {
                id: MailboxId(*id),
                parent: (row.parent != 0).then_some(MailboxId(row.parent)),
                name: row.name.clone(),
                path: mailbox::path_of(state, *id),
                role: Role::from_u8(row.role),
                uidvalidity: row.uidvalidity,
                sort_order: row.sort_order,
                subscribed: row.subscribed,
                created: row.created,
                changed: row.changed,
                counters: state.counters.get(id).copied().unwrap_or_default(),
                rights: Rights::ALL,
                acl: access::list(row),
                acl_changed: row.acl_changed,
                unsubscribed: access::unsubscribed(row),
            })
        }));
        mailboxes.sort_by(|a, b| {
            (a.role != Some(Role::Inbox), &a.path).cmp(&(b.role != Some(Role::Inbox), &b.path))
        });
    }
    let keywords = match old {
        Some(old) if old.keywords.names == state.keywords => old.keywords.clone(),
        _ => Arc::new(Keywords {
            names: state.keywords.clone(),
        }),
    };
    Meta {
        modseq: state.global.modseq,
        states: state.global.states,
        gone_floor: state.global.gone_floor,
        annotated: state.global.annotated,
        bytes: state.global.bytes,
        emails: state.global.emails,
        mailboxes,
        unlisted: Vec::new(),
        keywords,
        pending: Arc::new(state.pending.iter().map(|p| (p.thread, p.email)).collect()),
    }
}

/// Seconds since 1970; 0 on a clock before that.
fn now() -> u32 {
    crate::sys::clock::now()
}
