//! The `msg` row: a head of 64 octets, message-id hashes, block table, structure, prefix, tail.

use super::blob::Block;
use super::rows::{Get, MailboxId, Modseq, Put, ThreadId, Uid};

/// Octets of the fixed head.
pub const HEAD: usize = 64;
const VERSION: u8 = 1;
const TAIL_INLINE: u8 = 1;
const ATTACHMENT: u8 = 2;

/// The fixed part of a `msg` row.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Head {
    /// How many others than mailboxes keep it: queue rows, an upload's time.
    pub holds: u16,
    /// Octets of the raw message, prefix included.
    pub raw_size: u32,
    /// Octets of the encoded body.
    pub stored: u32,
    /// Octets of the header section with its empty line, prefix included.
    pub header_len: u32,
    /// Octets of the trace header fields that were put before the body.
    pub prefix_len: u32,
    /// Octets of the encoded structure.
    pub structure_len: u32,
    /// mailbox << 32 | uid of the first membership; 0: never had one.
    pub birth: u64,
    /// Modseq at which it first showed in a mailbox.
    pub created: Modseq,
    /// Its thread (0 while it has no membership).
    pub thread: u32,
    /// INTERNALDATE of the first membership.
    pub internaldate: u32,
    /// Hash of the base subject (RFC 5256 §2.1).
    pub subject: u32,
    /// The end of the body stands in this row rather than in a piece.
    pub tail_inline: bool,
    /// Has an attachment.
    pub attachment: bool,
}

/// A whole `msg` row, ready to be written or just read.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct MsgRow {
    /// The fixed part.
    pub head: Head,
    /// Hashes of its own Message-ID, then of those that it refers to.
    pub ids: Vec<u64>,
    /// One entry per 64 KiB of body (prefix not counted).
    pub blocks: Vec<Block>,
    /// Encoded structure.
    pub structure: Vec<u8>,
    /// Trace header fields.
    pub prefix: Vec<u8>,
    /// End of the encoded body, if inline.
    pub tail: Vec<u8>,
}

impl MsgRow {
    /// Octets of everything but the tail.
    pub fn len_without_tail(&self) -> usize {
        HEAD + self.ids.len() * 8 + self.blocks.len() * 3 + self.structure.len() + self.prefix.len()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; HEAD];
        let h = &self.head;
        let mut w = Put(&mut out);
        w.u8(VERSION);
        let flag = |set, bit| if set { bit } else { 0 };
        w.u8(flag(h.tail_inline, TAIL_INLINE) | flag(h.attachment, ATTACHMENT));
        w.u16(h.holds);
        w.u32(h.raw_size);
        w.u32(h.stored);
        w.u32(h.header_len);
        w.u32(h.prefix_len);
        w.u32(h.structure_len);
        w.u64(h.birth);
        w.u64(h.created);
        w.u32(h.thread);
        w.u32(h.internaldate);
        w.u32(h.subject);
        w.u16(self.blocks.len() as u16);
        w.u8(self.ids.len() as u8);
        out.reserve(self.len_without_tail() + self.tail.len());
        for id in &self.ids {
            out.extend_from_slice(&id.to_le_bytes());
        }
        for block in &self.blocks {
            out.extend_from_slice(&block.encode());
        }
        out.extend_from_slice(&self.structure);
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(&self.tail);
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<MsgRow> {
        let (head, ids, blocks, mut r) = split(bytes)?;
        Some(MsgRow {
            head,
            ids: ids
                .chunks_exact(8)
                .filter_map(|c| Some(u64::from_le_bytes(c.try_into().ok()?)))
                .collect(),
            blocks: blocks
                .chunks_exact(3)
                .map(|c| Block::decode(c.try_into().ok()?))
                .collect::<Option<Vec<_>>>()?,
            structure: r.bytes(head.structure_len as usize).to_vec(),
            prefix: r.bytes(head.prefix_len as usize).to_vec(),
            tail: r.0.to_vec(),
        })
    }

    /// Only the head.
    pub(super) fn head(bytes: &[u8]) -> Option<Head> {
        split(bytes).map(|(head, ..)| head)
    }
}

type Split<'a> = (Head, &'a [u8], &'a [u8], Get<'a>);

fn split(bytes: &[u8]) -> Option<Split<'_>> {
    let (fixed, rest) = bytes.split_at_checked(HEAD)?;
    let mut r = Get(fixed);
    if r.u8() == 0 {
        return None;
    }
    let flags = r.u8();
    let head = Head {
        holds: r.u16(),
        raw_size: r.u32(),
        stored: r.u32(),
        header_len: r.u32(),
        prefix_len: r.u32(),
        structure_len: r.u32(),
        birth: r.u64(),
        created: r.u64(),
        thread: r.u32(),
        internaldate: r.u32(),
        subject: r.u32(),
        tail_inline: flags & TAIL_INLINE != 0,
        attachment: flags & ATTACHMENT != 0,
    };
    let blocks = usize::from(r.u16()) * 3;
    let ids = usize::from(r.u8()) * 8;
    let mut r = Get(rest);
    let ids = r.bytes(ids);
    let blocks = r.bytes(blocks);
    Some((head, ids, blocks, r))
}

impl Head {
    /// The first membership, if it ever had one.
    pub fn birthplace(&self) -> Option<(MailboxId, Uid)> {
        (self.birth != 0).then_some((MailboxId((self.birth >> 32) as u32), self.birth as u32))
    }
    /// Its thread.
    pub fn thread(&self) -> ThreadId {
        ThreadId(self.thread)
    }
}

#[cfg(test)]
mod tests {
    use super::super::blob::Codec;
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_went_in() {
        let row = MsgRow {
            head: Head {
                holds: 1,
                raw_size: 2,
                stored: 3,
                header_len: 4,
                prefix_len: 3,
                structure_len: 2,
                birth: 5 << 32 | 6,
                created: 7,
                thread: 8,
                internaldate: 9,
                subject: 10,
                tail_inline: true,
                attachment: true,
            },
            ids: vec![1, u64::MAX],
            blocks: vec![Block {
                codec: Codec::Packed,
                stored: 70_000,
            }],
            structure: vec![1, 2],
            prefix: b"a\r\n".to_vec(),
            tail: vec![9; 5],
        };
        assert_eq!(MsgRow::decode(&row.encode()), Some(row.clone()));
        assert_eq!(MsgRow::head(&row.encode()), Some(row.head));
        assert_eq!(row.head.birthplace(), Some((MailboxId(5), 6)));
    }
}
