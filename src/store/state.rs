//! What the writer keeps in memory: the global row, mailboxes and their counters, keywords, and the
//! index entries that are not folded yet. Loaded at open, saved row by row with each commit.

use super::message::MsgRow;
use super::rows::{Counters, EmailId, Get, MailboxId, Modseq, Put, ThreadId};
use super::states::{DataType, States};
use super::tables::{Look, MIN_READER, SCHEMA, Tree, Trees, email_key, email_of, number};
use super::{Error, misc};
use std::collections::{BTreeMap, BTreeSet};

const GLOBAL: usize = 80;

/// The oldest schema that this version reads.
const OLDEST: u16 = 3;

/// Email ids and modseqs that are skipped at each opening: those that were told before a durable
/// commit knew of them must not become others' after a power cut.
const SKIPPED: u64 = 128;

/// The global row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Global {
    /// The next email gets this id.
    pub next_email: u64,
    /// The next mailbox gets this id.
    pub next_mailbox: u32,
    /// The next mailbox gets at least this UIDVALIDITY.
    pub next_uidvalidity: u32,
    /// The highest modseq handed out.
    pub modseq: Modseq,
    /// Ends at or below this modseq are forgotten.
    pub gone_floor: Modseq,
    /// Rows in table `gone`.
    pub gone_count: u32,
    /// Octets of all emails, each once.
    pub bytes: u64,
    /// Emails, each once.
    pub emails: u32,
    /// Emails up to this id are in `mid` and `thr`.
    pub indexed: u64,
    /// When an annotation last changed.
    pub annotated: Modseq,
    /// Octets of all annotations.
    pub annotation_bytes: u32,
    /// Emails whose body is being written; swept at open.
    pub in_flight: Vec<u64>,
    /// When each type of object last changed.
    pub states: States,
}

/// A row of table `mbox`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mbox {
    /// Its parent, 0 at the top.
    pub parent: u32,
    /// What it is for, 0 for nothing.
    pub role: u8,
    /// RFC 9051 §2.3.1.1.
    pub uidvalidity: u32,
    /// RFC 8621 §2.
    pub sort_order: u32,
    /// Subscribed.
    pub subscribed: bool,
    /// When it came to be.
    pub created: Modseq,
    /// When this row last changed.
    pub changed: Modseq,
    /// Its own name.
    pub name: String,
    /// Whose rights are set here, and which (RFC 4314); the bits are the engine's.
    pub acl: Vec<(String, u16)>,
    /// When `acl` last changed.
    pub acl_changed: Modseq,
}

/// An index entry that is in memory only: it is derived from the `msg` row again at open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The email.
    pub email: EmailId,
    /// Its thread.
    pub thread: ThreadId,
    /// Hash of its base subject.
    pub subject: u32,
    /// Its message-id hashes.
    pub ids: Vec<u64>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The global row.
    pub global: Global,
    /// Mailboxes by id.
    pub mailboxes: BTreeMap<u32, Mbox>,
    /// Counters by mailbox id.
    pub counters: BTreeMap<u32, Counters>,
    /// Keyword names by slot.
    pub keywords: Vec<Option<String>>,
    /// New emails that `mid` and `thr` do not have yet.
    pub pending: Vec<Pending>,
    /// Emails whose `mid` and `thr` rows are to go. Forgotten at a crash: such rows name an email
    /// that does not exist, and readers skip them.
    pub dead: Vec<Pending>,
    /// Counts reopenings: pieces staged under another number may be lost.
    pub epoch: u32,
    /// The message rows that were written or removed since a copy of the store began.
    pub(super) touched: Option<BTreeSet<u32>>,
    /// `next_email` and `modseq` of the last durable commit.
    durable: (u64, Modseq),
    dirty: BTreeSet<u32>,
    dirty_mailboxes: BTreeSet<u32>,
    dirty_keywords: bool,
}

impl Global {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; GLOBAL];
        let mut w = Put(&mut out);
        w.u16(SCHEMA);
        w.u16(MIN_READER);
        w.u32(self.next_mailbox);
        w.u64(self.next_email);
        w.u64(self.modseq);
        w.u64(self.gone_floor);
        w.u64(self.bytes);
        w.u64(self.indexed);
        w.u32(self.emails);
        w.u32(self.next_uidvalidity);
        w.u32(self.gone_count);
        w.u16(self.in_flight.len() as u16);
        w.u64(self.annotated);
        w.u32(self.annotation_bytes);
        for email in &self.in_flight {
            out.extend_from_slice(&email.to_le_bytes());
        }
        self.states.encode(&mut out);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Global, Error> {
        let (fixed, rest) = bytes.split_at_checked(GLOBAL).unwrap_or((bytes, &[]));
        let mut r = Get(fixed);
        let (schema, min_reader) = (r.u16(), r.u16());
        if schema == 0 {
            return Err(Error::damaged(&"no schema number"));
        }
        if min_reader > SCHEMA {
            return Err(Error::Newer(schema, SCHEMA));
        }
        if schema < OLDEST {
            return Err(Error::Older);
        }
        let mut global = Global {
            next_mailbox: r.u32(),
            next_email: r.u64(),
            modseq: r.u64(),
            gone_floor: r.u64(),
            bytes: r.u64(),
            indexed: r.u64(),
            emails: r.u32(),
            next_uidvalidity: r.u32(),
            gone_count: r.u32(),
            annotated: 0,
            annotation_bytes: 0,
            in_flight: Vec::new(),
            states: States::default(),
        };
        let count = usize::from(r.u16());
        global.annotated = r.u64();
        global.annotation_bytes = r.u32();
        let mut r = Get(rest);
        global.in_flight = (0..count).map(|_| r.u64()).collect();
        let states = rest.get(8 * count..).unwrap_or_default();
        global.states = States::decode(states, global.modseq);
        Ok(global)
    }
}

impl Mbox {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; 35];
        let mut w = Put(&mut out);
        w.u8(1);
        w.u8(self.role);
        w.u8(u8::from(self.subscribed));
        w.u32(self.parent);
        w.u32(self.uidvalidity);
        w.u32(self.sort_order);
        w.u64(self.created);
        w.u64(self.changed);
        w.u32(self.name.len() as u32);
        out.extend_from_slice(self.name.as_bytes());
        // Readers take what is not there for zeros.
        if self.acl_changed != 0 || !self.acl.is_empty() {
            out.extend_from_slice(&self.acl_changed.to_le_bytes());
            out.extend_from_slice(&(self.acl.len() as u16).to_le_bytes());
            for (name, bits) in &self.acl {
                out.extend_from_slice(&bits.to_le_bytes());
                out.extend_from_slice(&(name.len() as u16).to_le_bytes());
                out.extend_from_slice(name.as_bytes());
            }
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Mbox {
        let mut r = Get(bytes);
        let _version = r.u8();
        let mut mbox = Mbox {
            role: r.u8(),
            subscribed: r.u8() != 0,
            parent: r.u32(),
            uidvalidity: r.u32(),
            sort_order: r.u32(),
            created: r.u64(),
            changed: r.u64(),
            ..Mbox::default()
        };
        let len = r.u32() as usize;
        mbox.name = String::from_utf8_lossy(r.bytes(len)).into_owned();
        mbox.acl_changed = r.u64();
        for _ in 0..r.u16() {
            let bits = r.u16();
            let len = usize::from(r.u16());
            let name = String::from_utf8_lossy(r.bytes(len)).into_owned();
            mbox.acl.push((name, bits));
        }
        mbox
    }
}

impl State {
    /// A store with nothing in it.
    pub fn empty() -> State {
        State {
            global: Global {
                next_email: 1,
                next_mailbox: 1,
                next_uidvalidity: 1,
                modseq: 1,
                states: States::all(1),
                ..Global::default()
            },
            ..State::default()
        }
    }

    pub(super) fn load(look: &Look) -> Result<State, Error> {
        let global = match look.get(Tree::State, &0u32.to_be_bytes())? {
            Some(row) => Global::decode(row.value())?,
            None => return Err(Error::damaged(&"no global row")),
        };
        let mut state = State {
            durable: (global.next_email, global.modseq),
            global,
            ..State::default()
        };
        state.global.next_email += SKIPPED;
        state.global.modseq += SKIPPED;
        look.range(Tree::State, &1u32.to_be_bytes(), None, &mut |id, row| {
            let counters = Counters::decode(row);
            state.counters.insert(number(id) as u32, counters);
            Ok(true)
        })?;
        look.all(Tree::Mbox, &mut |id, row| {
            let mailbox = Mbox::decode(row);
            state.mailboxes.insert(number(id) as u32, mailbox);
            Ok(true)
        })?;
        if let Some(row) = look.get(Tree::Misc, misc::KEYWORDS)? {
            state.keywords = decode_keywords(row.value());
        }
        state.pending = load_pending(look, state.global.indexed)?;
        Ok(state)
    }

    /// The counters of a mailbox, to be changed.
    pub fn counters_mut(&mut self, mailbox: MailboxId) -> &mut Counters {
        self.dirty.insert(mailbox.0);
        self.counters.entry(mailbox.0).or_default()
    }
    /// A mailbox row, to be changed.
    pub fn mailbox_mut(&mut self, mailbox: MailboxId) -> &mut Mbox {
        self.dirty_mailboxes.insert(mailbox.0);
        self.mailboxes.entry(mailbox.0).or_default()
    }
    /// Forgets a mailbox.
    pub fn remove_mailbox(&mut self, mailbox: MailboxId) {
        self.mailboxes.remove(&mailbox.0);
        self.counters.remove(&mailbox.0);
        self.dirty.insert(mailbox.0);
        self.dirty_mailboxes.insert(mailbox.0);
    }
    /// The keyword names, to be changed.
    pub fn keywords_mut(&mut self) -> &mut Vec<Option<String>> {
        self.dirty_keywords = true;
        &mut self.keywords
    }
    /// Would the ids and modseqs handed out so far be skipped at the next opening?
    pub(super) fn skips(&self) -> bool {
        let (email, modseq) = self.durable;
        self.global.next_email - email <= SKIPPED && self.global.modseq - modseq <= SKIPPED
    }
    /// Notes a durable commit.
    pub(super) fn kept(&mut self) {
        self.durable = (self.global.next_email, self.global.modseq);
    }
    /// The next modseq.
    pub fn bump(&mut self) -> Modseq {
        self.global.modseq += 1;
        self.global.modseq
    }

    /// Notes that objects of a type changed at `modseq`.
    pub fn changed(&mut self, kind: DataType, modseq: Modseq) {
        self.global.states.set(kind, modseq);
    }

    /// Writes what changed. The global row always.
    pub(super) fn save(&mut self, trees: &mut Trees<'_>) -> Result<(), Error> {
        trees.insert(Tree::State, &0u32.to_be_bytes(), &self.global.encode())?;
        for id in std::mem::take(&mut self.dirty) {
            let key = id.to_be_bytes();
            match self.counters.get(&id) {
                Some(counters) => trees.insert(Tree::State, &key, &counters.encode())?,
                None => trees.remove(Tree::State, &key)?,
            }
        }
        for id in std::mem::take(&mut self.dirty_mailboxes) {
            let key = id.to_be_bytes();
            match self.mailboxes.get(&id) {
                Some(mbox) => trees.insert(Tree::Mbox, &key, &mbox.encode())?,
                None => trees.remove(Tree::Mbox, &key)?,
            }
        }
        if std::mem::take(&mut self.dirty_keywords) {
            let names = encode_keywords(&self.keywords);
            trees.insert(Tree::Misc, misc::KEYWORDS, &names)?;
        }
        Ok(())
    }
}

/// Slots separated by NUL; an empty slot is free.
fn encode_keywords(names: &[Option<String>]) -> Vec<u8> {
    names
        .iter()
        .map(|n| n.as_deref().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\0")
        .into_bytes()
}

fn decode_keywords(bytes: &[u8]) -> Vec<Option<String>> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes
        .split(|&b| b == 0)
        .map(|n| String::from_utf8(n.to_vec()).ok().filter(|n| !n.is_empty()))
        .collect()
}

fn load_pending(look: &Look, indexed: u64) -> Result<Vec<Pending>, Error> {
    let mut pending = Vec::new();
    let first = email_key(EmailId(indexed + 1));
    look.range(Tree::Msg, &first, None, &mut |key, row| {
        // An upload or queued message that never showed in a mailbox has no thread.
        if let Some(row) = MsgRow::decode(row).filter(|row| row.head.birth != 0) {
            pending.push(Pending {
                email: email_of(key),
                thread: row.head.thread(),
                subject: row.head.subject,
                ids: row.ids,
            });
        }
        Ok(true)
    })?;
    Ok(pending)
}
