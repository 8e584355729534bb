//! What can be read of a damaged file, page by page and without its trees: it is only read, never
//! opened as a store.
//!
//! A leaf is a page (or 2, 4 ... 16 of them) that begins with 1, an octet, the number of entries (two
//! octets), then where each key and each value ends (four octets each), the keys, the values. Pages
//! that were written anew elsewhere still lie there, so mail that was deleted lately comes to light,
//! too. Memory grows with the number of messages, by some 200 octets each.

use super::Error;
use super::blob::{self, layout};
use super::message::MsgRow;
use super::rows::{Flags, Gone, HOT, MailboxId, Row, Uid};
use super::state::Mbox;
use super::tables::number;
use crate::limits::BLOCK;
use std::collections::{BTreeMap, BTreeSet};
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

/// Where a value lies in the file, and its length.
type Place = (u64, usize);

#[derive(Default)]
struct Scan {
    mailboxes: BTreeMap<u32, Mbox>,
    keywords: Vec<String>,
    /// The newest row of each email.
    rows: BTreeMap<u32, Row>,
    ended: BTreeSet<(MailboxId, Uid)>,
    messages: BTreeMap<u32, Place>,
    pieces: BTreeMap<(u32, u32), Place>,
}

/// Gives every message that can be read to `each`, octets by octets; none mark its end.
///
/// Errors: `each`'s, and those of reading a file that is no file at all.
pub fn salvage(path: &Path, each: Each) -> Result<(), Error> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut scan = Scan::default();
    let mut page = vec![0; PAGE];
    let mut at = 0;
    while at < len {
        page.resize(PAGE, 0);
        if read(&file, at, &mut page) && page.first() == Some(&1) {
            scan.leaf(&file, at, &mut page);
        }
        at += PAGE as u64;
    }
    for (email, place) in &scan.messages {
        let Some(row) = value(&file, *place).and_then(|row| MsgRow::decode(&row)) else {
            continue;
        };
        let mut found = scan.found(*email, &row);
        found.whole = scan.body(&file, *email, &row, &mut |octets| each(&found, octets))?;
        each(&found, &[])?;
    }
    Ok(())
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

fn value(file: &File, (at, len): Place) -> Option<Vec<u8>> {
    let mut out = vec![0; len];
    read(file, at, &mut out).then_some(out)
}

fn end(leaf: &[u8], at: usize) -> Option<usize> {
    let bytes = leaf.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_le_bytes(*bytes) as usize)
}

impl Scan {
    /// Takes the entries of a page, if it is a leaf.
    fn leaf(&mut self, file: &File, at: u64, leaf: &mut Vec<u8>) -> Option<()> {
        let count = usize::from(u16::from_le_bytes(*leaf.get(2..)?.first_chunk()?));
        let keys = 4 + 8 * count;
        let total = end(leaf, keys.checked_sub(4).filter(|at| *at >= 8)?)?;
        if !(keys..=LEAF).contains(&total) {
            return None;
        }
        if total > leaf.len() {
            leaf.resize(total, 0);
            read(file, at, leaf).then_some(())?;
        }
        let mut key_at = keys;
        let mut value_at = end(leaf, 4 * count)?;
        for n in 0..count {
            let (key_end, value_end) = (end(leaf, 4 + 4 * n)?, end(leaf, 4 + 4 * (count + n))?);
            let key = leaf.get(key_at..key_end)?;
            let value = leaf.get(value_at..value_end)?;
            self.entry(key, value, (at + value_at as u64, value.len()));
            (key_at, value_at) = (key_end, value_end);
        }
        Some(())
    }

    fn entry(&mut self, key: &[u8], value: &[u8], place: Place) {
        let id = number(key) as u32;
        match key.len() {
            4 if is_message(value) => drop(self.messages.insert(id, place)),
            4 => {
                let mailbox = Mbox::decode(value);
                let known = self.mailboxes.get(&id).map_or(0, |old| old.changed);
                let fits = value.first() == Some(&1) && (1..=255).contains(&mailbox.name.len());
                if fits && value.len() >= 35 + mailbox.name.len() && mailbox.changed >= known {
                    self.mailboxes.insert(id, mailbox);
                }
            }
            7 => {
                let (email, piece) = key.split_at(4);
                let key = (number(email) as u32, number(piece) as u32);
                self.pieces.insert(key, place);
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
                let email = row.email.0 as u32;
                if self
                    .rows
                    .get(&email)
                    .is_none_or(|old| old.modseq <= row.modseq)
                {
                    self.rows.insert(email, row);
                }
            }
            8 if value.len() == super::rows::GONE => {
                let gone = Gone::decode(value);
                self.ended.insert((gone.mailbox, gone.uid));
            }
            _ => {}
        }
    }

    fn found(&self, email: u32, row: &MsgRow) -> Found {
        let mut found = Found {
            email,
            mailbox: NOWHERE.to_owned(),
            date: row.head.internaldate,
            ..Found::default()
        };
        let Some(row) = self.rows.get(&email) else {
            return found;
        };
        found.flags = row.flags.only(Flags::SYSTEM);
        let words = self.keywords.iter().enumerate();
        let words =
            words.filter(|(slot, word)| !word.is_empty() && row.flags.has(Flags::keyword(*slot)));
        found.keywords = words.map(|(_, word)| word.clone()).collect();
        if self.ended.contains(&(row.mailbox, row.uid)) {
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
        file: &File,
        email: u32,
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
                let place = self
                    .pieces
                    .get(&(email, number))
                    .filter(|place| place.1 == size);
                match place.and_then(|place| value(file, *place)) {
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
