//! The mailbox engine: the only door to the store for protocols.
//!
//! Every operation (deliver, set flags, move, ...) is written once, here, with its checks. A write
//! resolves after its durable commit; a refused one leaves nothing behind. Reads are synchronous
//! and short: open a [`Reader`], copy what is needed (at most 64 KiB of a body, some hundred rows),
//! drop it, and only then wait for the network.
//!
//! Changes are level-triggered: wait on [`Hub::listen`], then ask [`Mail::changes`] or
//! [`Mail::email_changes`] for what happened since your own modseq.

#![allow(unused_variables)]
pub mod address;
mod error;
pub mod outbound;
mod types;
mod uidset;

pub use error::{Error, Result};
pub use types::*;
pub use uidset::UidSet;

use std::sync::Arc;

/// What the engine is told at start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Page cache of the store, in octets.
    pub cache: usize,
    /// Largest message, in octets.
    pub message_size: u64,
    /// Sum of all stored emails, in octets; 0 for no quota.
    pub quota: u64,
}

/// A message on its way in: bytes are pushed as they arrive, scanned, encoded, and beyond 256 KiB
/// already written; memory stays flat at any size. Dropping it leaves nothing behind.
pub struct BodyWriter {}

/// A body that is whole and scanned, not yet part of any mailbox.
#[derive(Debug)]
pub struct Staged {}

impl BodyWriter {
    /// Adds bytes. Errors: [`Error::TooLarge`] beyond the size limit (go on pushing is an error again;
    /// the caller drains its peer), storage errors.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<()> {
        unimplemented!()
    }
    /// Octets so far.
    pub fn len(&self) -> u64 {
        unimplemented!()
    }
    /// Ends the body. `prefix` (trace header fields, complete with CRLFs) is put before it.
    pub async fn finish(self, prefix: &[u8]) -> Result<Staged> {
        unimplemented!()
    }
}

impl Staged {
    /// What the scanner found.
    pub fn structure(&self) -> &crate::mime::Structure {
        unimplemented!()
    }
    /// Octets, prefix included.
    pub fn size(&self) -> u32 {
        unimplemented!()
    }
    /// The email id that it will have (and the blob has already).
    pub fn id(&self) -> Option<EmailId> {
        unimplemented!()
    }
}

/// Where a new email's bytes come from.
pub enum Source {
    /// Just received.
    Staged(Staged),
    /// An upload, or the bytes of an existing email: the first import of an upload adopts it, any
    /// later one copies.
    Blob(EmailId),
}

/// One email to be made.
pub struct NewEmail {
    /// Its bytes.
    pub source: Source,
    /// Where it shows; empty only with `hold` (a message that only the queue owns).
    pub mailboxes: Vec<MailboxId>,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// INTERNALDATE in seconds since 1970; None: now.
    pub internaldate: Option<u32>,
    /// Keep the bytes until [`Commit::release`], mailboxes or not (queued mail, uploads).
    pub hold: bool,
}

/// Where a new email went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub email: EmailId,
    /// Its thread.
    pub thread: ThreadId,
    /// Octets.
    pub size: u32,
    /// One per mailbox, in the order asked: (mailbox, UIDVALIDITY, UID).
    pub places: Vec<(MailboxId, u32, Uid)>,
}

/// A write to the key-value area: a key, and its value or None to delete it.
pub type Put = (Vec<u8>, Option<Vec<u8>>);

/// Several things done in one durable commit, or not at all.
#[derive(Default)]
pub struct Commit {
    /// New emails.
    pub add: Vec<NewEmail>,
    /// Existing emails to hold once more.
    pub hold: Vec<EmailId>,
    /// Holds to give back; an email without mailboxes and holds is gone.
    pub release: Vec<EmailId>,
    /// Key-value writes, given what `add` became.
    pub put: Option<Box<dyn FnOnce(&[Added]) -> Vec<Put> + Send>>,
}

/// How flags change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlagMode {
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
    /// `FLAGS`: replaces all system flags and keywords.
    Replace,
}

/// A change of flags.
#[derive(Clone, Debug)]
pub struct FlagChange {
    /// How.
    pub mode: FlagMode,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
}

/// What a STORE did.
#[derive(Clone, Debug, Default)]
pub struct FlagsChanged {
    /// Members that exist and now have the flags asked for (changed or already so).
    pub done: UidSet,
    /// Members that really changed.
    pub changed: UidSet,
    /// Members refused by UNCHANGEDSINCE (RFC 7162 §3.1.3).
    pub modified: UidSet,
    /// The modseq of the change.
    pub modseq: Modseq,
}

/// What a COPY or MOVE did (RFC 4315 COPYUID): `from` and `to` in step, rising.
#[derive(Clone, Debug, Default)]
pub struct Copied {
    /// UIDVALIDITY of the target.
    pub uidvalidity: u32,
    /// Source UIDs, rising.
    pub from: UidSet,
    /// Target UIDs, rising.
    pub to: UidSet,
}

/// The UIDs of a mailbox, shared by all its sessions and carried forward by changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// As of this modseq (at least).
    pub modseq: Modseq,
    /// Every UID in the mailbox.
    pub uids: UidSet,
    /// Its UIDNEXT then.
    pub uidnext: Uid,
}

/// What happened in one mailbox since a modseq.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Everything up to here is told.
    pub modseq: Modseq,
    /// New or changed UIDs that exist now.
    pub changed: UidSet,
    /// UIDs that are gone. Where the past is forgotten, `None`: compare with the view.
    pub vanished: Option<UidSet>,
}

/// What happened to objects since a state (RFC 8620 §5.2), oldest first.
#[derive(Clone, Debug, Default)]
pub struct ObjectChanges<Id> {
    /// The state that these lead to.
    pub modseq: Modseq,
    /// There is more after `modseq`.
    pub more: bool,
    /// Made since.
    pub created: Vec<Id>,
    /// Changed since.
    pub updated: Vec<Id>,
    /// Gone since.
    pub destroyed: Vec<Id>,
}

/// Changes of one email over JMAP; all of it or nothing.
#[derive(Clone, Debug, Default)]
pub struct EmailUpdate {
    /// Flags and keywords to set.
    pub add: (Flags, Vec<String>),
    /// Flags and keywords to clear.
    pub remove: (Flags, Vec<String>),
    /// Clear whatever `add` does not name first (`keywords` set as a whole).
    pub replace_keywords: bool,
    /// The mailboxes it shall be in, as a whole; None: as it is, but for the next two.
    pub mailboxes: Option<Vec<MailboxId>>,
    /// Put into these.
    pub add_to: Vec<MailboxId>,
    /// Taken out of these.
    pub remove_from: Vec<MailboxId>,
}

/// Properties of a mailbox to set; None leaves it.
#[derive(Clone, Debug, Default)]
pub struct MailboxUpdate {
    /// Own name (no `/`).
    pub name: Option<String>,
    /// Parent.
    pub parent: Option<Option<MailboxId>>,
    /// Role.
    pub role: Option<Option<Role>>,
    /// Sort order.
    pub sort_order: Option<u32>,
    /// Subscription.
    pub subscribed: Option<bool>,
}

/// A stored message: its head, and where its bytes are.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id.
    pub id: EmailId,
    /// Octets, prefix included.
    pub size: u32,
    /// Octets of the header section, prefix and the empty line included.
    pub header_len: u32,
    /// INTERNALDATE of its first membership.
    pub internaldate: u32,
    /// Its thread.
    pub thread: ThreadId,
    /// When it came to be.
    pub created: Modseq,
}

impl Message {
    /// The structure that was found at arrival; part offsets count from the first octet of the
    /// message, prefix included.
    pub fn structure(&self) -> crate::mime::Structure {
        unimplemented!()
    }
}

/// A consistent look at the store. Short-lived: never keep it across an await, it pins old pages.
pub struct Reader {}

impl Reader {
    /// One row.
    pub fn row(&self, mailbox: MailboxId, uid: Uid) -> Result<Option<Row>> {
        unimplemented!()
    }
    /// The rows of `first..=last`, rising, until `each` returns false.
    pub fn rows(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        each: impl FnMut(&Row) -> bool,
    ) -> Result<()> {
        unimplemented!()
    }
    /// The same, falling.
    pub fn rows_back(
        &self,
        mailbox: MailboxId,
        first: Uid,
        last: Uid,
        each: impl FnMut(&Row) -> bool,
    ) -> Result<()> {
        unimplemented!()
    }
    /// The rows of every mailbox (an email shows once per membership).
    pub fn all_rows(&self, each: impl FnMut(&Row) -> bool) -> Result<()> {
        unimplemented!()
    }
    /// The head of a message.
    pub fn message(&self, email: EmailId) -> Result<Option<Message>> {
        unimplemented!()
    }
    /// Appends up to `len` octets from `offset` to `out`; at most 64 KiB a call; returns how many
    /// (fewer at a block's end: call again; 0 at the message's end).
    pub fn read(&self, message: &Message, offset: u32, len: u32, out: &mut Vec<u8>) -> Result<u32> {
        unimplemented!()
    }
    /// Every membership of an email: none when it does not exist (or is only held).
    pub fn memberships(&self, email: EmailId) -> Result<Vec<Row>> {
        unimplemented!()
    }
    /// The emails of a thread, oldest first.
    pub fn thread(&self, thread: ThreadId) -> Result<Vec<EmailId>> {
        unimplemented!()
    }
    /// A value of the key-value area.
    pub fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        unimplemented!()
    }
    /// Keys that begin with `prefix`, rising, until `each` returns false.
    pub fn scan(&self, prefix: &[u8], each: impl FnMut(&[u8], &[u8]) -> bool) -> Result<()> {
        unimplemented!()
    }
}

/// The engine.
pub struct Mail {}

impl Mail {
    /// Opens or creates the store at `path`.
    pub fn open(
        path: &std::path::Path,
        options: Options,
    ) -> std::result::Result<Arc<Mail>, crate::store::Error> {
        unimplemented!()
    }
    /// The small facts, as one snapshot.
    pub fn meta(&self) -> Arc<Meta> {
        unimplemented!()
    }
    /// Wake-ups.
    pub fn hub(&self) -> &Hub {
        unimplemented!()
    }
    /// A look at the rows. Take [`Mail::meta`] before, see [`Meta`].
    pub fn reader(&self) -> Result<Reader> {
        unimplemented!()
    }
    /// Starts a message. `expected` (SIZE=, a literal's length) is refused at once when over the limit.
    pub fn body(&self, expected: Option<u64>) -> Result<BodyWriter> {
        unimplemented!()
    }
    /// Makes one email.
    pub async fn add(&self, email: NewEmail) -> Result<Added> {
        unimplemented!()
    }
    /// Several things in one durable commit.
    pub async fn commit(&self, commit: Commit) -> Result<Vec<Added>> {
        unimplemented!()
    }
    /// Keeps a body as an upload until `expires` (seconds since 1970), then it is swept.
    pub async fn upload(&self, staged: Staged, expires: u32) -> Result<EmailId> {
        unimplemented!()
    }
    /// Key-value writes.
    pub async fn put(&self, puts: Vec<Put>) -> Result<()> {
        unimplemented!()
    }
    /// STORE.
    pub async fn set_flags(
        &self,
        mailbox: MailboxId,
        uids: &UidSet,
        change: FlagChange,
        unchanged_since: Option<Modseq>,
    ) -> Result<FlagsChanged> {
        unimplemented!()
    }
    /// COPY: adds memberships.
    pub async fn copy(&self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Copied> {
        unimplemented!()
    }
    /// MOVE (RFC 6851), atomic.
    pub async fn r#move(&self, from: MailboxId, uids: &UidSet, to: MailboxId) -> Result<Copied> {
        unimplemented!()
    }
    /// EXPUNGE: removes the members of `uids` (None: of the mailbox) that have `\Deleted`.
    pub async fn expunge(&self, mailbox: MailboxId, uids: Option<&UidSet>) -> Result<UidSet> {
        unimplemented!()
    }
    /// Removes these memberships, `\Deleted` or not.
    pub async fn remove(&self, mailbox: MailboxId, uids: &UidSet) -> Result<UidSet> {
        unimplemented!()
    }
    /// JMAP Email/set update; one commit, one answer each.
    pub async fn update_emails(
        &self,
        updates: Vec<(EmailId, EmailUpdate)>,
    ) -> Result<Vec<Result<()>>> {
        unimplemented!()
    }
    /// JMAP Email/set destroy; one commit, one answer each.
    pub async fn destroy_emails(&self, emails: Vec<EmailId>) -> Result<Vec<Result<()>>> {
        unimplemented!()
    }
    /// CREATE with all missing parents (RFC 9051 §6.3.4).
    pub async fn create(&self, path: &str, role: Option<Role>) -> Result<Arc<Mailbox>> {
        unimplemented!()
    }
    /// JMAP Mailbox/set create: one mailbox below an existing parent.
    pub async fn create_below(
        &self,
        parent: Option<MailboxId>,
        name: &str,
        update: MailboxUpdate,
    ) -> Result<Arc<Mailbox>> {
        unimplemented!()
    }
    /// RENAME by path (RFC 9051 §6.3.6): children follow; missing parents are made; INBOX moves its messages.
    pub async fn rename(&self, from: &str, to: &str) -> Result<()> {
        unimplemented!()
    }
    /// JMAP Mailbox/set update.
    pub async fn update_mailbox(&self, id: MailboxId, update: MailboxUpdate) -> Result<()> {
        unimplemented!()
    }
    /// Deletes a mailbox; its memberships go only if `with_messages`. `Error::MailboxHasChildren` if any.
    pub async fn delete(&self, id: MailboxId, with_messages: bool) -> Result<()> {
        unimplemented!()
    }
    /// The first UID that no session has been shown yet; all above count as shown from now on.
    pub fn take_recent(&self, mailbox: MailboxId) -> Result<Uid> {
        unimplemented!()
    }
    /// The UIDs of a mailbox.
    pub fn view(&self, mailbox: MailboxId) -> Result<Arc<View>> {
        unimplemented!()
    }
    /// What happened in one mailbox.
    pub fn changes(&self, mailbox: MailboxId, since: Modseq) -> Result<Changes> {
        unimplemented!()
    }
    /// JMAP Email/changes; at most `max` ids.
    pub fn email_changes(&self, since: Modseq, max: usize) -> Result<ObjectChanges<EmailId>> {
        unimplemented!()
    }
    /// JMAP Mailbox/changes. The bool: only counts changed.
    pub fn mailbox_changes(&self, since: Modseq) -> Result<(ObjectChanges<MailboxId>, bool)> {
        unimplemented!()
    }
    /// JMAP Thread/changes.
    pub fn thread_changes(&self, since: Modseq, max: usize) -> Result<ObjectChanges<ThreadId>> {
        unimplemented!()
    }
    /// Largest message, in octets.
    pub fn message_size(&self) -> u64 {
        unimplemented!()
    }
    /// Quota in octets, 0 for none.
    pub fn quota(&self) -> u64 {
        unimplemented!()
    }
    /// Seals and closes; later calls give [`Error::Unavailable`].
    pub async fn close(&self) {
        unimplemented!()
    }
}

/// Wakes everyone who waits for changes.
pub struct Hub {}

impl Hub {
    /// Resolves after the next commit. Listen first, then look, then await.
    pub fn listen(&self) -> event_listener::EventListener {
        unimplemented!()
    }
    /// The modseq of the last commit.
    pub fn modseq(&self) -> Modseq {
        unimplemented!()
    }
}
