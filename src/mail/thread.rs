//! Threads of messages (RFC 5256 §3 THREAD): ORDEREDSUBJECT, REFERENCES, and REFS, which is
//! REFERENCES without merging by subject, threads in the order of their newest message
//! (draft-ietf-morg-inthread-01; where it is silent, as Dovecot does).
//!
//! The tree is arrays of small nodes, 32 octets for each message and each message that others refer
//! to, `limits::THREAD_NODES` of them at most. Nothing recurses: a thread may be as deep as the
//! mailbox is long.

use super::facts::Known;
use super::walk::{self, Pace, Reached};
use super::{Error, Mail, MailboxId, Reader, Result, Row, Uid, UidSet};
use crate::limits;
use crate::mime::{Facts, msgid};
use crate::sys::aside;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// How messages are put into threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// By base subject; one level of answers.
    OrderedSubject,
    /// By the ids in References and In-Reply-To, then by subject.
    References,
    /// By these ids alone; the thread with the newest message last.
    Refs,
}

/// No node.
const NONE: u32 = u32::MAX;

/// The subject marks a reply or forward.
const REPLY: u64 = 1;
/// Some node has had this one as its parent.
const PARENT: u64 = 2;
/// A dummy that is no more: its children belong to its parent.
const DEAD: u64 = 4;
const FLAGS: u64 = 7;

/// A message, or one that is only referred to (its UID is 0).
#[derive(Clone, Copy)]
struct Node {
    /// Hash of the base subject, 0 where that is empty, with the flags in its low bits.
    subject: u64,
    /// Sent date, in seconds since 1970.
    date: i64,
    uid: Uid,
    parent: u32,
    /// The first child...
    first: u32,
    /// ...and the next sibling, once all messages are in. Before, both together are the id.
    next: u32,
}

impl Node {
    /// A node without links. `id`: hash of the Message-ID.
    fn new(id: u64) -> Node {
        Node {
            subject: 0,
            date: i64::MIN,
            uid: 0,
            parent: NONE,
            first: (id >> 32) as u32,
            next: id as u32,
        }
    }

    fn id(&self) -> u64 {
        u64::from(self.first) << 32 | u64::from(self.next)
    }

    fn is_dummy(&self) -> bool {
        self.uid == 0
    }

    fn has(&self, flag: u64) -> bool {
        self.subject & flag != 0
    }
}

/// Finds nodes by their ids: open addressing over their numbers.
#[derive(Default)]
struct Index {
    slots: Vec<u32>,
    used: usize,
    /// Ids are chosen by whoever sends mail: where they lie is not.
    hasher: RandomState,
}

impl Index {
    /// The slot of the node with this id, or the free one for it.
    fn slot(&mut self, nodes: &[Node], id: u64) -> &mut u32 {
        if (self.used + 1) * 8 > self.slots.len() * 7 {
            self.grow(nodes);
        }
        let at = self.probe(nodes, id);
        // A free slot is about to be taken.
        self.used += usize::from(self.slots.get(at) == Some(&NONE));
        &mut self.slots[at]
    }

    fn probe(&self, nodes: &[Node], id: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = self.hasher.hash_one(id) as usize & mask;
        while let Some(slot) = self.slots.get(at).filter(|slot| **slot != NONE) {
            let node = nodes.get(*slot as usize);
            if node.is_some_and(|node| node.id() == id) {
                break;
            }
            at = (at + 1) & mask;
        }
        at
    }

    fn grow(&mut self, nodes: &[Node]) {
        let old = std::mem::take(&mut self.slots);
        self.slots = vec![NONE; (old.len() * 2).max(64)];
        for number in old.into_iter().filter(|number| *number != NONE) {
            let at = self.probe(nodes, nodes[number as usize].id());
            self.slots[at] = number;
        }
    }
}

/// The tree while it grows.
struct Builder {
    algorithm: Algorithm,
    nodes: Vec<Node>,
    ids: Index,
    /// Keys of subjects cannot be chosen to collide.
    hasher: RandomState,
    /// There were too many nodes.
    full: bool,
}

/// What THREAD needs of a message.
struct Facing {
    uid: Uid,
    date: i64,
    /// 0: empty.
    subject: u64,
    reply: bool,
    id: Option<u64>,
    /// Ancestors, oldest first, `None` between two that are not next to each other; the parent.
    references: Vec<Option<u64>>,
    parent: Option<u64>,
}

impl Builder {
    fn new(algorithm: Algorithm, messages: usize) -> Builder {
        let mut nodes = Vec::new();
        nodes.reserve_exact(messages.min(limits::THREAD_NODES));
        Builder {
            algorithm,
            nodes,
            ids: Index::default(),
            hasher: RandomState::new(),
            full: false,
        }
    }

    fn read(&self, reader: &Reader, row: &Row) -> Result<Facing> {
        let mut known = Known::new(reader, row)?;
        let facts = known.facts();
        let by_id = self.algorithm != Algorithm::OrderedSubject;
        let mut facing = Facing {
            uid: row.uid,
            date: known.sent(&facts),
            subject: 0,
            reply: false,
            id: facts.message_id.filter(|_| by_id),
            references: Vec::new(),
            parent: None,
        };
        if self.algorithm != Algorithm::Refs {
            let (text, reply) = known.subject()?;
            facing.reply = reply;
            if !text.is_empty() {
                facing.subject = self.hasher.hash_one(text).max(FLAGS + 1) & !FLAGS;
            }
        }
        if by_id {
            ancestors(&facts, &mut known, &mut facing)?;
        }
        Ok(facing)
    }

    /// Steps 1 (A) and (B) of REFERENCES for one message; for ORDEREDSUBJECT just the message.
    fn add(&mut self, found: Facing) {
        if self.nodes.len() + found.references.len() + 2 > limits::THREAD_NODES {
            self.full = true;
            return;
        }
        let mut before = None;
        for id in &found.references {
            let Some(id) = id else {
                before = None;
                continue;
            };
            let node = self.of_id(*id);
            if let Some(parent) = before
                && self.nodes[node as usize].parent == NONE
                && !self.would_loop(parent, node)
            {
                self.link(parent, node);
            }
            before = Some(node);
        }
        let node = self.message(&found);
        // RFC 5256 §3 step 1 (B): the last reference is the parent, whatever was thought before.
        self.nodes[node as usize].parent = NONE;
        if let Some(parent) = found.parent {
            let parent = self.of_id(parent);
            if !self.would_loop(parent, node) {
                self.link(parent, node);
            }
        }
    }

    /// The node of a message: the one its id was referred to by, or a new one.
    fn message(&mut self, found: &Facing) -> u32 {
        let known = found.id.map(|id| self.of_id(id));
        // RFC 5256 §3 step 1 (A): only the first message with an id has it.
        let number = known
            .filter(|number| self.nodes[*number as usize].is_dummy())
            .unwrap_or_else(|| self.push(0));
        let node = &mut self.nodes[number as usize];
        (node.uid, node.date) = (found.uid, found.date);
        node.subject = found.subject | (node.subject & PARENT);
        if found.reply {
            node.subject |= REPLY;
        }
        number
    }

    fn of_id(&mut self, id: u64) -> u32 {
        let next = self.nodes.len() as u32;
        let slot = self.ids.slot(&self.nodes, id);
        if *slot != NONE {
            return *slot;
        }
        *slot = next;
        self.push(id)
    }

    fn push(&mut self, id: u64) -> u32 {
        let number = self.nodes.len() as u32;
        if self.nodes.len() == self.nodes.capacity() {
            // Not twice as much: memory is short where this matters.
            self.nodes.reserve_exact(self.nodes.len() / 8 + 64);
        }
        self.nodes.push(Node::new(id));
        number
    }

    fn link(&mut self, parent: u32, child: u32) {
        self.nodes[child as usize].parent = parent;
        self.nodes[parent as usize].subject |= PARENT;
    }

    /// Is `parent` the node itself, or below it?
    fn would_loop(&self, parent: u32, node: u32) -> bool {
        if parent == node {
            return true;
        }
        if !self.nodes[node as usize].has(PARENT) {
            return false;
        }
        let mut at = self.nodes[parent as usize].parent;
        while at != NONE && at != node {
            at = self.nodes[at as usize].parent;
        }
        at == node
    }

    fn finish(mut self) -> Threads {
        drop(std::mem::take(&mut self.ids));
        self.forget_links();
        let roots = match self.algorithm {
            Algorithm::OrderedSubject => self.by_subject(),
            _ => self.by_references(),
        };
        Threads {
            stack: vec![roots],
            nodes: self.nodes,
        }
    }

    /// No children are known: where ids were, or links that are to be made anew.
    fn forget_links(&mut self) {
        for node in &mut self.nodes {
            (node.first, node.next) = (NONE, NONE);
        }
    }

    /// ORDEREDSUBJECT: the first of a subject is the parent of the others.
    fn by_subject(&mut self) -> u32 {
        let mut all: Vec<u32> = (0..self.nodes.len() as u32).collect();
        let key = |number: &u32| {
            let node = &self.nodes[*number as usize];
            (node.subject & !FLAGS, node.date, node.uid)
        };
        all.sort_unstable_by_key(key);
        let mut first = NONE;
        for number in all {
            let subject = |number: u32| self.nodes[number as usize].subject & !FLAGS;
            if first != NONE && subject(first) == subject(number) {
                self.nodes[number as usize].parent = first;
            } else {
                first = number;
            }
        }
        self.chain(|_| true)
    }

    /// Steps 2 to 6 of REFERENCES.
    fn by_references(&mut self) -> u32 {
        self.prune();
        if self.algorithm == Algorithm::References {
            self.merge();
        }
        self.chain(|node| !node.is_dummy() || node.first != NONE)
    }

    /// Step 3: a dummy gives its children to what is above it; at the top it stays where it has
    /// several. `first` of a dummy at the top is then its earliest child.
    fn prune(&mut self) {
        for number in 0..self.nodes.len() as u32 {
            let parent = self.alive_parent(number);
            self.nodes[number as usize].parent = parent;
        }
        for number in 0..self.nodes.len() as u32 {
            let node = self.nodes[number as usize];
            if node.is_dummy() && node.parent != NONE {
                self.nodes[number as usize].subject |= DEAD;
            } else if node.parent != NONE && self.nodes[node.parent as usize].is_dummy() {
                // How many children it has is counted in `next`.
                let first = self.nodes[node.parent as usize].first;
                let sooner = first == NONE || self.rank(number) < self.rank(first);
                let above = &mut self.nodes[node.parent as usize];
                above.next = if above.next == NONE {
                    1
                } else {
                    above.next + 1
                };
                if sooner {
                    above.first = number;
                }
            }
        }
        for number in 0..self.nodes.len() {
            let node = self.nodes[number];
            if node.is_dummy() && !node.has(DEAD) && (node.next == NONE || node.next == 1) {
                self.nodes[number].subject |= DEAD;
                self.nodes[number].first = NONE;
                if node.first != NONE {
                    self.nodes[node.first as usize].parent = NONE;
                }
            }
        }
    }

    /// The nearest ancestor that is a message, or else the dummy at the top.
    fn alive_parent(&mut self, number: u32) -> u32 {
        let mut at = self.nodes[number as usize].parent;
        while at != NONE {
            let node = self.nodes[at as usize];
            if !node.is_dummy() || node.parent == NONE {
                break;
            }
            at = node.parent;
        }
        // The way up is short for whoever comes next.
        let mut step = self.nodes[number as usize].parent;
        while step != at && step != NONE {
            let above = self.nodes[step as usize].parent;
            self.nodes[step as usize].parent = at;
            step = above;
        }
        at
    }

    /// What siblings are sorted by: a dummy stands where its first child does (step 4).
    fn rank(&self, number: u32) -> (i64, Uid) {
        let node = self.nodes[number as usize];
        let node = match node.is_dummy() && node.first != NONE {
            true => self.nodes[node.first as usize],
            false => node,
        };
        (node.date, node.uid)
    }

    /// The subject of a thread: of its first message.
    fn thread_subject(&self, number: u32) -> u64 {
        let node = &self.nodes[number as usize];
        let node = match node.is_dummy() && node.first != NONE {
            true => &self.nodes[node.first as usize],
            false => node,
        };
        node.subject & !FLAGS
    }

    fn is_root(&self, number: u32) -> bool {
        let node = &self.nodes[number as usize];
        node.parent == NONE && !node.has(DEAD)
    }

    /// Steps 4 and 5: threads of the same subject become one.
    fn merge(&mut self) {
        let roots = (0..self.nodes.len() as u32).filter(|number| self.is_root(*number));
        let mut all = Vec::new();
        all.reserve_exact(roots.clone().count());
        all.extend(roots);
        // What has one subject stands together, in the order of step 4: no table is needed.
        all.sort_unstable_by_key(|number| (self.thread_subject(*number), self.rank(*number)));
        let mut rest = &all[..];
        while let Some(first) = rest.first() {
            let subject = self.thread_subject(*first);
            let same = |number: &&u32| self.thread_subject(**number) == subject;
            let (threads, others) = rest.split_at(rest.iter().take_while(same).count());
            if subject != 0 {
                self.merge_same(threads);
            }
            rest = others;
        }
        self.bury();
    }

    /// Step 5 for the threads of one subject.
    fn merge_same(&mut self, threads: &[u32]) {
        let mut chosen = NONE;
        for current in threads {
            let Some(one) = self.nodes.get(chosen as usize) else {
                chosen = *current;
                continue;
            };
            let other = self.nodes[*current as usize];
            let original = one.has(REPLY) && !other.has(REPLY);
            if !one.is_dummy() && (other.is_dummy() || original) {
                chosen = *current;
            }
        }
        for current in threads {
            if *current != chosen {
                chosen = self.join(chosen, *current);
            }
        }
    }

    /// Step 5 (C): puts the current thread to the chosen one of its subject; gives the node that
    /// stands for both.
    fn join(&mut self, chosen: u32, current: u32) -> u32 {
        let (one, other) = (self.nodes[chosen as usize], self.nodes[current as usize]);
        match (one.is_dummy(), other.is_dummy()) {
            (true, true) => {
                let node = &mut self.nodes[current as usize];
                node.subject |= DEAD;
                node.parent = chosen;
                chosen
            }
            (true, false) => {
                self.nodes[current as usize].parent = chosen;
                chosen
            }
            _ if other.has(REPLY) && !one.has(REPLY) => {
                self.nodes[current as usize].parent = chosen;
                chosen
            }
            _ => {
                let dummy = self.push(0);
                let above = &mut self.nodes[dummy as usize];
                (above.first, above.next) = (chosen, NONE);
                self.nodes[chosen as usize].parent = dummy;
                self.nodes[current as usize].parent = dummy;
                dummy
            }
        }
    }

    /// The children of dummies that were merged away belong to what took their place.
    fn bury(&mut self) {
        for number in 0..self.nodes.len() {
            let mut parent = self.nodes[number].parent;
            while parent != NONE && self.nodes[parent as usize].has(DEAD) {
                parent = self.nodes[parent as usize].parent;
            }
            self.nodes[number].parent = parent;
        }
    }

    /// Step 6: the siblings in order, linked; gives the first root.
    fn chain(&mut self, lives: impl Fn(&Node) -> bool) -> u32 {
        let mut all: Vec<u32> = Vec::new();
        let alive = |node: &Node| !node.has(DEAD) && lives(node);
        all.reserve_exact(self.nodes.iter().filter(|node| alive(node)).count());
        all.extend((0..self.nodes.len() as u32).filter(|n| alive(&self.nodes[*n as usize])));
        // A dummy's first child is the earliest one now.
        let refs = self.algorithm == Algorithm::Refs;
        for number in &all {
            let parent = self.nodes[*number as usize].parent;
            if parent != NONE && self.nodes[parent as usize].is_dummy() {
                let first = self.nodes[parent as usize].first;
                if first == NONE || self.rank(*number) < self.rank(first) {
                    self.nodes[parent as usize].first = *number;
                }
            }
        }
        if refs {
            self.latest();
        }
        all.sort_unstable_by_key(|number| {
            let node = self.nodes[*number as usize];
            let rank = match refs && node.parent == NONE {
                // The thread's latest date, see `latest`.
                true => (node.date, self.rank(*number).1),
                false => self.rank(*number),
            };
            (node.parent, rank)
        });
        self.forget_links();
        let mut roots = NONE;
        for number in all.into_iter().rev() {
            let parent = self.nodes[number as usize].parent;
            let head = match self.nodes.get_mut(parent as usize) {
                Some(node) => &mut node.first,
                None => &mut roots,
            };
            let next = std::mem::replace(head, number);
            self.nodes[number as usize].next = next;
        }
        roots
    }

    /// REFS orders threads by their newest message: the root takes its date.
    fn latest(&mut self) {
        let mut tops: Vec<u32> = self.nodes.iter().map(|node| node.parent).collect();
        for number in 0..self.nodes.len() {
            let mut top = number as u32;
            while let Some(above) = tops.get(top as usize).filter(|above| **above != NONE) {
                top = *above;
            }
            // The way up is short for whoever comes next.
            let mut step = number as u32;
            while step != top {
                let above = std::mem::replace(&mut tops[step as usize], top);
                step = above;
            }
            let node = self.nodes[number];
            if !node.is_dummy() {
                let root = &mut self.nodes[top as usize];
                root.date = root.date.max(node.date);
            }
        }
    }
}

/// The references of a message as RFC 5256 §3 finds them.
fn ancestors(facts: &Facts, known: &mut Known<'_>, out: &mut Facing) -> Result<()> {
    let Some(ancestry) = facts.ancestry else {
        // Stored before it was noted: References nearly always ends with what In-Reply-To says.
        out.references
            .extend(facts.references.iter().copied().map(Some));
        out.parent = facts.references.last().copied();
        return Ok(());
    };
    let listed = usize::from(ancestry.listed);
    if listed == 0 {
        let envelope = known.envelope()?;
        let first = envelope.in_reply_to.as_deref();
        let first = first.and_then(|value| msgid::bracketed(value).next());
        out.parent = first.map(|id| msgid::hash(&msgid::normal(&id)));
        return Ok(());
    }
    for (at, id) in facts.references.iter().take(listed).enumerate() {
        if ancestry.gap && at == limits::MIME_REFERENCES / 2 {
            out.references.push(None);
        }
        out.references.push(Some(*id));
    }
    out.parent = out.references.last().copied().flatten();
    Ok(())
}

/// A piece of a THREAD response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// `(`
    Open,
    /// `)`
    Close,
    /// Between a parent and its child.
    Space,
    /// A message.
    Message(Uid),
}

/// Threads, ready to be told.
pub struct Threads {
    nodes: Vec<Node>,
    /// What is to be told next, at each depth.
    stack: Vec<u32>,
}

impl Threads {
    /// Tells the next thread or part of one; false at the end. Threads that split are nested lists
    /// (RFC 5256 §4).
    pub fn tell(&mut self, mut each: impl FnMut(Token)) -> bool {
        let Some(number) = self.stack.pop() else {
            return false;
        };
        let Some(node) = self.nodes.get(number as usize).copied() else {
            if !self.stack.is_empty() {
                each(Token::Close);
            }
            return true;
        };
        self.stack.push(node.next);
        each(Token::Open);
        let mut at = node;
        loop {
            if !at.is_dummy() {
                each(Token::Message(at.uid));
            }
            let Some(child) = self.nodes.get(at.first as usize).copied() else {
                each(Token::Close);
                return true;
            };
            if !at.is_dummy() {
                each(Token::Space);
            }
            if child.next != NONE {
                self.stack.push(at.first);
                return true;
            }
            at = child;
        }
    }
}

impl Mail {
    /// The messages among `within` as threads. Yields to other sessions; can be dropped at any time.
    ///
    /// Errors: [`Error::Limit`] with more than `limits::THREAD_NODES` messages and references.
    pub async fn threads(
        self: &Arc<Self>,
        mailbox: MailboxId,
        within: &UidSet,
        algorithm: Algorithm,
    ) -> Result<Threads> {
        let _turn = walk::turn().await;
        let builder = Builder::new(algorithm, within.len() as usize);
        let within = Arc::new(within.clone());
        let builder = self
            .walk(
                mailbox,
                &within,
                Pace::FACTS,
                &Reached::default(),
                builder,
                |builder, reader, row| {
                    let found = builder.read(reader, row)?;
                    builder.add(found);
                    match builder.full {
                        true => Err(Error::Limit(&"messages and references in threads")),
                        false => Ok(()),
                    }
                },
            )
            .await?;
        Ok(aside(move || builder.finish()).await)
    }
}
