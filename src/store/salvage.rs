//! What can be read of a damaged file, page by page and without its trees: it is only read, never
//! opened as a store.
//!
//! A leaf is a page (or 2, 4 ... 16 of them) that begins with 1, an octet, the number of entries (two
//! octets), then where each key and each value ends (four octets each), the keys, the values. Pages
//! that were written anew elsewhere still lie there, so mail that was deleted lately comes to light,
//! too. Memory is flat: what does not fit [`limits::SALVAGE`] is left to a further pass over the file.

use super::Error;
use super::blob::{self, layout};
use super::message::MsgRow;
use super::rows::{Flags, Gone, HOT, Row};
use super::state::Mbox;
use super::tables::{number, place};
use crate::limits::{self, BLOCK};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

const PAGE: usize = 4096;
/// Octets of the largest leaf that is looked at.
const LEAF: usize = 1 << 20;
/// Where messages go whose place is not known.
const NOWHERE: &str = "Salvaged";
/// Where deleted ones go.
const DELETED: &str = "Salvaged/Deleted";

/// A message that was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Its id.
    pub email: u32,
    /// The path of its mailbox.
    pub mailbox: String,
    /// Its flags.
    pub flags: Flags,
    /// Its keywords.
    pub keywords: Vec<String>,
    /// When it was received.
    pub date: u32,
    /// All of it is there.
    pub whole: bool,
}

/// Takes a message's octets.
pub type Each<'e> = &'e mut dyn FnMut(&Found, &[u8]) -> Result<(), Error>;

/// What is known about an email, and where in the file. One shape for all of it, so that it is one list.
#[derive(Clone, Copy)]
struct Entry {
    email: u32,
    what: u32,
    /// Of two with one meaning the greater one counts: a modseq, else where it lies.
    age: u64,
    /// Where it lies; for what ended, its place: mailbox and UID.
    at: u64,
    /// Octets of it; for a membership, its place.
    more: u64,
}

/// Message rows, memberships, what ended, and from there on pieces by their number.
const MESSAGE: u32 = 0;
const HELD: u32 = 1;
const ENDED: u32 = 2;
const FIRST_PIECE: u32 = 3;

struct Scan {
    file: File,
    mailboxes: BTreeMap<u32, Mbox>,
    keywords: Vec<String>,
    /// What was found about the emails that this pass looks for; `most` at a time.
    entries: Vec<Entry>,
    most: usize,
    /// The first of them, and the first behind them.
    from: u32,
    below: Option<u32>,
}

/// Gives every message that can be read to `each`, octets by octets; none mark its end. At most so many
/// finds, of 32 octets, are held at a time.
///
/// Errors: `each`'s, and those of reading a file that is no file at all.
pub fn salvage(path: &Path, most: usize, each: Each) -> Result<(), Error> {
    let mut scan = Scan {
        file: File::open(path)?,
        mailboxes: BTreeMap::new(),
        keywords: Vec::new(),
        // At once: nothing moves, and what is not used is never touched.
        entries: Vec::with_capacity(most),
        most,
        from: 0,
        below: None,
    };
    loop {
        scan.pass()?;
        scan.tell(each)?;
        let Some(from) = scan.below.take() else {
            return Ok(());
        };
        scan.from = from;
        scan.entries.clear();
    }
}

/// Sectors that cannot be read are zeros.
fn read(file: &File, at: u64, out: &mut [u8]) -> bool {
    match file.read_exact_at(out, at) {
        Ok(()) => true,
        Err(e) => {
            if e.kind() != io::ErrorKind::UnexpectedEof {
                log::warn!("octet {at} cannot be read: {e}");
            }
            false
        }
    }
}

fn value(file: &File, entry: &Entry) -> Option<Vec<u8>> {
    let mut out = vec![0; entry.more as usize];
    read(file, entry.at, &mut out).then_some(out)
}

fn end(leaf: &[u8], at: usize) -> Option<usize> {
    let bytes = leaf.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes) as usize)
}

impl Scan {
    /// Looks at every page.
    fn pass(&mut self) -> Result<(), Error> {
        let len = self.file.metadata()?.len();
        let mut page = vec![0; PAGE];
        let mut at = 0;
        while at < len {
            page.resize(PAGE, 0);
            if read(&self.file, at, &mut page) && page.first() == Some(&1) {
                self.leaf(at, &mut page);
            }
            at += PAGE as u64;
        }
        self.settle();
        Ok(())
    }

    /// Gives away what this pass found.
    fn tell(&mut self, each: Each) -> Result<(), Error> {
        let all = self.entries.chunk_by(|a, b| a.email == b.email);
        for all in all {
            let Some(message) = all.first().filter(|entry| entry.what == MESSAGE) else {
                continue;
            };
            let row = value(&self.file, message).and_then(|row| MsgRow::decode(&row));
            let Some(row) = row else {
                continue;
            };
            let mut found = self.found(all, &row);
            found.whole = self.body(all, &row, &mut |octets| each(&found, octets))?;
            each(&found, &[])?;
        }
        Ok(())
    }

    /// Sorts what was found; of several with one meaning the newest stays.
    fn settle(&mut self) {
        let order = |e: &Entry| (e.email, e.what, e.age, e.at);
        self.entries.sort_unstable_by_key(order);
        self.entries.dedup_by(|next, kept| {
            let same = (next.email, next.what) == (kept.email, kept.what)
                && (next.what != ENDED || next.at == kept.at);
            if same {
                *kept = *next;
            }
            same
        });
    }

    /// Takes what this pass looks for. Where it becomes too much, the later half of the emails is left to
    /// the next pass.
    fn add(&mut self, entry: Entry) {
        let here = |below: Option<u32>| below.is_none_or(|below| entry.email < below);
        if entry.email < self.from || !here(self.below) {
            return;
        }
        if self.entries.len() >= self.most {
            self.settle();
            if self.entries.len() > self.most / 4 * 3 {
                let middle = self.entries.get(self.entries.len() / 2);
                // One email at least, so that there is an end.
                let least = self.from.saturating_add(1);
                let below = middle.map_or(least, |entry| entry.email.max(least));
                let stay = self.entries.partition_point(|entry| entry.email < below);
                self.entries.truncate(stay);
                self.below = Some(below);
            }
        }
        // No email has so many parts, unless somebody made the file so.
        if here(self.below) && self.entries.len() < self.most {
            self.entries.push(entry);
        }
    }

    /// Takes the entries of a page, if it is a leaf.
    fn leaf(&mut self, at: u64, leaf: &mut Vec<u8>) -> Option<()> {
        let count = usize::from(u16::from_le_bytes(*leaf.get(2..)?.first_chunk()?));
        let keys = 4 + 8 * count;
        let total = end(leaf, keys.checked_sub(4).filter(|at| *at >= 8)?)?;
        if !(keys..=LEAF).contains(&total) {
            return None;
        }
        if total > leaf.len() {
            leaf.resize(total, 0);
            read(&self.file, at, leaf).then_some(())?;
        }
        let mut key_at = keys;
        let mut value_at = end(leaf, 4 * count)?;
        for n in 0..count {
            let (key_end, value_end) = (end(leaf, 4 + 4 * n)?, end(leaf, 4 + 4 * (count + n))?);
            let key = leaf.get(key_at..key_end)?;
            let value = leaf.get(value_at..value_end)?;
            self.entry(key, value, at + value_at as u64);
            (key_at, value_at) = (key_end, value_end);
        }
        Some(())
    }

    fn entry(&mut self, key: &[u8], value: &[u8], at: u64) {
        let id = number(key) as u32;
        let more = value.len() as u64;
        let lies = |email, what| Entry {
            email,
            what,
            age: at,
            at,
            more,
        };
        match key.len() {
            4 if is_message(value) => self.add(lies(id, MESSAGE)),
            4 => self.mailbox(id, value),
            7 => {
                let (email, piece) = key.split_at(4);
                let what = FIRST_PIECE + number(piece) as u32;
                self.add(lies(number(email) as u32, what));
            }
            8 if key == super::misc::KEYWORDS => {
                let names = value.split(|b| *b == 0);
                let names: Vec<String> = names
                    .map(|n| String::from_utf8_lossy(n).into_owned())
                    .collect();
                // Names are added: the longest list is the last one.
                if names.len() >= self.keywords.len() {
                    self.keywords = names;
                }
            }
            8 if value.len() == HOT => {
                let row = Row::decode(number(key), value);
                let mut entry = lies(row.email.0 as u32, HELD);
                (entry.age, entry.more) = (row.modseq, number(key));
                self.add(entry);
            }
            8 if value.len() == super::rows::GONE => {
                let gone = Gone::decode(value);
                let mut entry = lies(gone.email.0 as u32, ENDED);
                entry.at = place(gone.mailbox, gone.uid);
                entry.age = entry.at;
                self.add(entry);
            }
            _ => {}
        }
    }

    fn mailbox(&mut self, id: u32, value: &[u8]) {
        let mailbox = Mbox::decode(value);
        let known = self.mailboxes.get(&id).map(|old| old.changed);
        let fits = value.first() == Some(&1) && (1..=255).contains(&mailbox.name.len());
        // Those that were deleted are here, too.
        let room = known.is_some() || self.mailboxes.len() < 4 * limits::MAILBOXES;
        let newer = mailbox.changed >= known.unwrap_or(0);
        if fits && value.len() >= 35 + mailbox.name.len() && newer && room {
            self.mailboxes.insert(id, mailbox);
        }
    }

    /// What is known about a message, by `all` that was found about its email.
    fn found(&self, all: &[Entry], row: &MsgRow) -> Found {
        let mut found = Found {
            email: all.first().map_or(0, |entry| entry.email),
            mailbox: NOWHERE.to_owned(),
            date: row.head.internaldate,
            ..Found::default()
        };
        let held = all.iter().find(|entry| entry.what == HELD);
        let held = held.and_then(|held| {
            let mut octets = [0; HOT];
            read(&self.file, held.at, &mut octets).then(|| Row::decode(held.more, &octets))
        });
        let Some(row) = held else {
            return found;
        };
        found.flags = row.flags.only(Flags::SYSTEM);
        let words = self.keywords.iter().enumerate();
        let words =
            words.filter(|(slot, word)| !word.is_empty() && row.flags.has(Flags::keyword(*slot)));
        found.keywords = words.map(|(_, word)| word.clone()).collect();
        let ended = place(row.mailbox, row.uid);
        if all.iter().any(|it| it.what == ENDED && it.at == ended) {
            found.mailbox = DELETED.to_owned();
            return found;
        }
        let (mut names, mut at) = (Vec::new(), row.mailbox.0);
        while let Some(mailbox) = self.mailboxes.get(&at).filter(|_| names.len() < 32) {
            names.push(mailbox.name.as_str());
            at = mailbox.parent;
        }
        names.reverse();
        if !names.is_empty() {
            found.mailbox = names.join("/");
        }
        found
    }

    /// The octets of a message as far as they are there; whether all of them are.
    fn body(
        &self,
        all: &[Entry],
        row: &MsgRow,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        if !row.prefix.is_empty() {
            each(&row.prefix)?;
        }
        let (pieces, rest) = layout(row.head.stored as usize);
        let short = (rest > 0 && !row.head.tail_inline).then_some(rest);
        let mut pieces = pieces.chain(short).zip(0u32..);
        let (mut stored, mut raw) = (Vec::new(), Vec::new());
        for block in &row.blocks {
            while stored.len() < block.stored as usize {
                let Some((size, number)) = pieces.next() else {
                    stored.extend_from_slice(&row.tail);
                    break;
                };
                let piece = all.iter().find(|it| it.what == FIRST_PIECE + number);
                let piece = piece.filter(|piece| piece.more == size as u64);
                match piece.and_then(|piece| value(&self.file, piece)) {
                    Some(piece) => stored.extend_from_slice(&piece),
                    None => return Ok(false),
                }
            }
            raw.clear();
            let now = stored.get(..block.stored as usize);
            if now
                .and_then(|now| blob::decode(*block, now, BLOCK, &mut raw))
                .is_none()
            {
                return Ok(false);
            }
            stored.drain(..block.stored as usize);
            if !raw.is_empty() {
                each(&raw)?;
            }
        }
        Ok(true)
    }
}

/// Is this the row of a message, and of one that a mailbox shows or showed?
fn is_message(value: &[u8]) -> bool {
    MsgRow::decode(value).is_some_and(|row| {
        let head = &row.head;
        let body = head.raw_size.checked_sub(head.prefix_len);
        let blocks = body.map(|body| (body as usize).div_ceil(BLOCK));
        let stored: u64 = row.blocks.iter().map(|b| u64::from(b.stored)).sum();
        let (_, rest) = layout(head.stored as usize);
        let tail = if head.tail_inline { rest } else { 0 };
        head.birth != 0
            && blocks == Some(row.blocks.len())
            && stored == u64::from(head.stored)
            && row.prefix.len() == head.prefix_len as usize
            && row.tail.len() == tail
    })
}
