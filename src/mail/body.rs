//! A message on its way in: scanned, encoded and, when it is large, written as it arrives.

use super::{EmailId, Error, Result};
use crate::limits::BLOCK;
use crate::mime::{Scanner, Structure};
use crate::store::blob::{Block, Encoder, LEAD, PIECE, written};
use crate::store::{Head, MsgRow, Store};
use std::sync::Arc;

/// So many large pieces (256 KiB) are handed to the writer together.
const STAGE: usize = 4;

/// Bytes are pushed as they arrive, scanned, encoded, and beyond 256 KiB already written; memory
/// stays flat at any size. Dropping it leaves nothing behind.
pub struct BodyWriter {
    store: Arc<Store>,
    limit: u64,
    len: u64,
    scanner: Scanner,
    encoder: Encoder,
    /// Raw octets of the block that is being filled.
    raw: Vec<u8>,
    blocks: Vec<Block>,
    /// Encoded octets that are not staged yet.
    encoded: Vec<u8>,
    staged: Pieces,
    /// A write failed or was given up: octets are missing.
    broken: bool,
}

/// The pieces that are in the store already; they go when this is dropped.
#[derive(Default)]
struct Pieces {
    store: Option<Arc<Store>>,
    email: Option<EmailId>,
    count: usize,
    epoch: u32,
}

impl Drop for Pieces {
    fn drop(&mut self) {
        if let (Some(store), Some(email)) = (&self.store, self.email) {
            store.abandon(email, self.epoch);
        }
    }
}

/// A body that is whole and scanned, not yet part of any mailbox. Dropping it leaves nothing
/// behind.
pub struct Staged {
    pieces: Pieces,
    pub(super) row: MsgRow,
    structure: Structure,
    /// Encoded octets after the staged pieces.
    pub(super) encoded: Vec<u8>,
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staged({} octets)", self.size())
    }
}

impl BodyWriter {
    pub(super) fn new(store: Arc<Store>, limit: u64) -> BodyWriter {
        BodyWriter {
            store,
            limit,
            len: 0,
            scanner: Scanner::new(),
            encoder: Encoder::new(),
            raw: Vec::new(),
            blocks: Vec::new(),
            encoded: Vec::new(),
            staged: Pieces::default(),
            broken: false,
        }
    }

    /// Octets so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// None yet?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes.
    ///
    /// Errors: [`Error::TooLarge`] beyond the size limit, and again at each later call (the caller
    /// drains its peer); storage errors, after which all that follows is [`Error::Unavailable`].
    pub async fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.len += bytes.len() as u64;
        if self.len > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        if self.broken {
            return Err(Error::Unavailable);
        }
        self.scanner.push(bytes);
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(BLOCK - self.raw.len()));
            self.raw.extend_from_slice(now);
            bytes = rest;
            if self.raw.len() == BLOCK {
                self.block();
                if self.encoded.len() >= STAGE * PIECE {
                    self.stage().await?;
                }
            }
        }
        Ok(())
    }

    fn block(&mut self) {
        self.blocks
            .push(self.encoder.encode(&self.raw, &mut self.encoded));
        self.raw.clear();
    }

    /// Hands whole pieces to the writer.
    async fn stage(&mut self) -> Result<()> {
        // Where nobody said how much would come.
        self.store.room(0)?;
        let lead = if self.staged.count == 0 { LEAD } else { 0 };
        let count = self.encoded.len().saturating_sub(lead) / PIECE;
        let rest = self.encoded.split_off(lead + count * PIECE);
        let bytes = std::mem::replace(&mut self.encoded, rest);
        let (begun, first) = (
            self.staged.email.map(|e| (e, self.staged.epoch)),
            self.staged.count,
        );
        let count = count + usize::from(lead > 0);
        let store = self.store.clone();
        // Until all of it is written: octets are missing, and nothing more is taken.
        self.broken = true;
        let new = self
            .store
            .write(bytes.len(), move |txn| {
                let (email, new) = match begun {
                    Some((email, epoch)) if txn.is_begun(email, epoch) => (email, None),
                    // The store was reopened: what was staged before may be lost.
                    Some(_) => return Ok(Err(Error::Unavailable)),
                    None => {
                        let email = txn.begin_body()?;
                        // Owned from here on: when nobody waits for the answer any more, it is
                        // swept.
                        let pieces = Pieces {
                            store: Some(store),
                            email: Some(email),
                            count: 0,
                            epoch: txn.state.epoch,
                        };
                        (email, Some(pieces))
                    }
                };
                let (lead, rest) = bytes.split_at(lead.min(bytes.len()));
                let lead = (!lead.is_empty()).then_some(lead);
                for (i, piece) in lead.into_iter().chain(rest.chunks(PIECE)).enumerate() {
                    txn.put_piece(email, first + i, piece)?;
                }
                Ok(Ok(new))
            })
            .await??;
        if let Some(pieces) = new {
            self.staged = pieces;
        }
        self.staged.count += count;
        self.broken = false;
        Ok(())
    }

    /// Ends the body. `prefix` (trace header fields, complete with CRLFs) is put before it.
    ///
    /// Errors: [`Error::TooLarge`] when it was or becomes too large.
    pub async fn finish(mut self, prefix: &[u8]) -> Result<Staged> {
        if self.len + prefix.len() as u64 > self.limit.saturating_add(crate::limits::TRACE) {
            return Err(Error::TooLarge(self.limit));
        }
        if self.len > self.limit {
            return Err(Error::TooLarge(self.limit));
        }
        if self.broken {
            return Err(Error::Unavailable);
        }
        if !self.raw.is_empty() {
            self.block();
        }
        let mut structure = self.scanner.finish();
        shift(&mut structure, prefix.len() as u32);
        let mut encoded_structure = Vec::with_capacity(512);
        structure.encode(&mut encoded_structure);
        let facts = &structure.facts;
        let mut ids: Vec<u64> = facts.message_id.into_iter().collect();
        for id in &facts.references {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        ids.truncate(u8::MAX as usize);
        let stored = self.blocks.iter().map(|b| b.stored).sum();
        let row = MsgRow {
            head: Head {
                raw_size: (self.len + prefix.len() as u64) as u32,
                stored,
                header_len: structure.parts.first().map_or(0, |p| p.header.len),
                prefix_len: prefix.len() as u32,
                structure_len: encoded_structure.len() as u32,
                subject: facts.subject as u32,
                attachment: structure.has_attachment(),
                ..Head::default()
            },
            ids,
            blocks: self.blocks,
            structure: encoded_structure,
            prefix: prefix.to_vec(),
            tail: Vec::new(),
        };
        Ok(Staged {
            pieces: self.staged,
            row,
            structure,
            encoded: self.encoded,
        })
    }
}

/// Moves every offset behind a prefix that was put before the message's own header.
fn shift(structure: &mut Structure, by: u32) {
    for (index, part) in structure.parts.iter_mut().enumerate() {
        part.body.offset += by;
        if index == 0 {
            part.header.len += by;
        } else {
            part.header.offset += by;
        }
    }
}

impl Staged {
    /// What the scanner found.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// Octets, prefix included.
    pub fn size(&self) -> u32 {
        self.row.head.raw_size
    }

    /// The id it has already, how many of its pieces are written, and under which epoch.
    pub(super) fn begun(&self) -> Option<(EmailId, usize, u32)> {
        self.pieces
            .email
            .map(|email| (email, self.pieces.count, self.pieces.epoch))
    }

    /// Is everything there that the block table names?
    pub(super) fn adds_up(&self) -> bool {
        written(self.pieces.count) + self.encoded.len() == self.row.head.stored as usize
    }

    /// It is part of a message now: nothing is to be swept.
    pub(super) fn keep(&mut self) {
        self.pieces.email = None;
    }
}
