//! How a body is stored: 64 KiB blocks, each encoded on its own, laid into page-fit pieces.
//!
//! A redb leaf that holds one value of up to `4096 * 2^k - 19` octets (7-octet key, 12 octets of
//! overhead) fills exactly 2^k pages: any other size wastes up to half of what is written. So the
//! encoded stream is cut into a lead of one page (a look at the header costs no more than that), as
//! many pieces of 16 pages as fit, then one each of 8, 4, 2, 1 and 1 page; the rest, less than a
//! page, goes into the `msg` row or a last short piece.

use crate::limits::BLOCK;
use crate::sys::lock;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::sync::Mutex;

/// Deflate level: 2 stores 0.36 octets per octet of text where 1 stores 0.47, at half its speed;
/// above it little is won (0.34 at 3).
const LEVEL: u32 = 2;
const PAGE: usize = 4096;
/// Octets of a leaf with one entry that are not its value.
const LEAF_OVERHEAD: usize = 12;
/// The same for a piece: its key takes seven octets.
const PIECE_OVERHEAD: usize = LEAF_OVERHEAD + 7;
/// The largest piece: 16 pages.
pub const PIECE: usize = 16 * PAGE - PIECE_OVERHEAD;
/// The first piece: one page.
pub const LEAD: usize = PAGE - PIECE_OVERHEAD;
/// Up to here a `msg` row, whose key takes four octets, fits one page.
pub const ROW: usize = PAGE - LEAF_OVERHEAD - 4;

/// How one block is stored; the top two bits of its entry in the block table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Codec {
    /// As it is.
    Raw = 0,
    /// Raw deflate.
    Deflate = 1,
    /// Base64 lines as the octets that they stand for.
    Packed = 2,
}

/// One entry of the block table: codec and stored length, three octets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    /// How it is stored.
    pub codec: Codec,
    /// Stored octets, below 2^22.
    pub stored: u32,
}

impl Block {
    pub(super) fn encode(self) -> [u8; 3] {
        let [a, b, c, _] = (self.stored & 0x3f_ffff | (self.codec as u32) << 22).to_le_bytes();
        [a, b, c]
    }
    pub(super) fn decode(bytes: [u8; 3]) -> Option<Block> {
        let n = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
        let codec = match n >> 22 {
            0 => Codec::Raw,
            1 => Codec::Deflate,
            2 => Codec::Packed,
            _ => return None,
        };
        Some(Block {
            codec,
            stored: n & 0x3f_ffff,
        })
    }
}

/// Sizes of the pieces for an encoded stream of `stored` octets, and what is left over.
pub fn layout(stored: usize) -> (impl Iterator<Item = usize> + Clone, usize) {
    let lead = (stored >= LEAD).then_some(LEAD);
    let stored = stored - lead.unwrap_or(0);
    let mut rest = stored % PIECE;
    let smaller = [8, 4, 2, 1, 1].map(|pages| {
        let fit = pages * PAGE - PIECE_OVERHEAD;
        let fits = rest >= fit;
        rest -= if fits { fit } else { 0 };
        fits.then_some(fit)
    });
    let whole = std::iter::repeat_n(PIECE, stored / PIECE);
    let pieces = lead.into_iter().chain(whole);
    (pieces.chain(smaller.into_iter().flatten()), rest)
}

/// Octets of the first `count` pieces of a stream that is longer than these.
pub fn written(count: usize) -> usize {
    match count {
        0 => 0,
        count => LEAD + (count - 1) * PIECE,
    }
}

/// How much of a block of `stored` octets is needed for its first `raw` octets: enough but for rare
/// text that deflate makes longer at first.
pub fn needed(stored: usize, raw: usize) -> usize {
    stored.min(raw.saturating_add(raw / 8).saturating_add(512))
}

/// Encodes blocks; keeps the deflate state (about 64 KiB for the window and hash chains) between
/// blocks of one message.
pub struct Encoder {
    deflate: Option<Box<Compress>>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// A new one; costs nothing until a block wants deflate.
    pub fn new() -> Encoder {
        Encoder { deflate: None }
    }

    /// Appends the encoded form of `raw` (at most [`BLOCK`] octets) to `out`.
    ///
    /// The choice: base64 lines where they are most of the block; else deflate; raw where
    /// that saves less than a sixteenth.
    pub fn encode(&mut self, raw: &[u8], out: &mut Vec<u8>) -> Block {
        let start = out.len();
        if pack(raw, out) && out.len() - start < raw.len() - raw.len() / 8 {
            return Block {
                codec: Codec::Packed,
                stored: (out.len() - start) as u32,
            };
        }
        out.truncate(start);
        if self.deflate(raw, out) {
            return Block {
                codec: Codec::Deflate,
                stored: (out.len() - start) as u32,
            };
        }
        out.truncate(start);
        out.extend_from_slice(raw);
        Block {
            codec: Codec::Raw,
            stored: raw.len() as u32,
        }
    }

    /// False when deflate would not save enough.
    fn deflate(&mut self, raw: &[u8], out: &mut Vec<u8>) -> bool {
        let most = raw.len() - raw.len() / 16;
        if raw.len() < 64 {
            return false;
        }
        let state = self
            .deflate
            .get_or_insert_with(|| Box::new(Compress::new(Compression::new(LEVEL), false)));
        state.reset();
        let start = out.len();
        // Room for the worst case: zlib-rs 0.6 panics in its level 1 when the output is full.
        out.resize(start + raw.len() + raw.len() / 8 + 128, 0);
        let Some(room) = out.get_mut(start..) else {
            return false;
        };
        match state.compress(raw, room, FlushCompress::Finish) {
            Ok(Status::StreamEnd) => {
                let stored = state.total_out() as usize;
                out.truncate(start + stored);
                stored <= most
            }
            _ => false,
        }
    }
}

/// One inflate state (some 40 KiB) for the next block: making one anew costs a small message more
/// than its decoding. Two readers at once make a second one, which goes with the later of them.
static INFLATE: Mutex<Option<Decompress>> = Mutex::new(None);

/// Decodes the first `most` octets of one block (all of it when it is shorter) into `out`
/// (appended; for [`Codec::Packed`] up to a line more). A header at the start of a large block costs
/// only itself. None: the bytes are not what an encoder wrote, or not enough of them.
pub fn decode(block: Block, stored: &[u8], most: usize, out: &mut Vec<u8>) -> Option<()> {
    let most = most.min(BLOCK);
    match block.codec {
        Codec::Raw => out.extend_from_slice(stored.get(..most.min(stored.len()))?),
        Codec::Packed => unpack(stored, out.len().saturating_add(most), out)?,
        Codec::Deflate => {
            let start = out.len();
            out.resize(start + most, 0);
            let mut state = lock(&INFLATE)
                .take()
                .unwrap_or_else(|| Decompress::new(false));
            state.reset(false);
            let room = out.get_mut(start..)?;
            let status = state.decompress(stored, room, FlushDecompress::Finish);
            let got = state.total_out() as usize;
            *lock(&INFLATE) = Some(state);
            // A full buffer is an end, too, where only a part was asked for.
            if !matches!(status, Ok(Status::StreamEnd)) && (got < most || most == BLOCK) {
                return None;
            }
            out.truncate(start + got);
        }
    }
    Some(())
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NOT: u8 = 0xff;
const VALUES: [u8; 256] = {
    let mut table = [NOT; 256];
    let mut i = 0;
    while i < 64 {
        table[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    table
};

/// Appends the packed form. A sequence of two kinds of segments:
/// * literal: 0, length u16, the octets;
/// * lines: characters per line / 4 (not 0), number of lines u16, three octets per four characters.
///   Each line stood there with CRLF.
///
/// False (and rubbish in `out`) when less than half of the block is base64 lines.
fn pack(raw: &[u8], out: &mut Vec<u8>) -> bool {
    // One look at the middle decides for nearly all mail.
    let mut rest = raw;
    let mut literal_from = raw;
    let mut literals = 0usize;
    while !rest.is_empty() {
        let line = line_length(rest);
        let lines = if line == 0 {
            0
        } else {
            count_lines(rest, line)
        };
        if lines < 4 {
            // Not worth a segment: step over one line.
            let step = rest
                .iter()
                .position(|&b| b == b'\n')
                .map_or(rest.len(), |i| i + 1);
            rest = rest.get(step..).unwrap_or_default();
            literals += step;
            if literals > raw.len() / 2 {
                return false;
            }
            continue;
        }
        put_literal(
            literal_from
                .get(..literal_from.len() - rest.len())
                .unwrap_or_default(),
            out,
        );
        let lines = lines.min(u16::MAX as usize);
        out.push((line / 4) as u8);
        out.extend_from_slice(&(lines as u16).to_le_bytes());
        for text in rest.chunks_exact(line + 2).take(lines) {
            pack_line(text.get(..line).unwrap_or_default(), out);
        }
        rest = rest.get(lines * (line + 2)..).unwrap_or_default();
        literal_from = rest;
    }
    put_literal(literal_from, out);
    literals <= raw.len() / 2
}

fn put_literal(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.chunks(u16::MAX as usize) {
        out.push(0);
        out.extend_from_slice(&(chunk.len() as u16).to_le_bytes());
        out.extend_from_slice(chunk);
    }
}

fn pack_line(text: &[u8], out: &mut Vec<u8>) {
    for quad in text.chunks_exact(4) {
        if let [a, b, c, d] = *quad {
            let n = u32::from(VALUES[a as usize]) << 18
                | u32::from(VALUES[b as usize]) << 12
                | u32::from(VALUES[c as usize]) << 6
                | u32::from(VALUES[d as usize]);
            let [_, x, y, z] = n.to_be_bytes();
            out.extend_from_slice(&[x, y, z]);
        }
    }
}

/// Characters of the first line if it is a whole base64 line that ends with CRLF, else 0.
fn line_length(text: &[u8]) -> usize {
    let most = text.get(..text.len().min(4 * 255 + 2)).unwrap_or_default();
    let length = most
        .iter()
        .position(|&b| VALUES[b as usize] == NOT)
        .unwrap_or(0);
    let ends = text.get(length..length + 2) == Some(b"\r\n");
    if ends && length % 4 == 0 { length } else { 0 }
}

fn count_lines(text: &[u8], line: usize) -> usize {
    text.chunks_exact(line + 2)
        .take_while(|l| {
            let (body, end) = l.split_at(line);
            end == b"\r\n"
                && body
                    .iter()
                    .fold(0, |bad, &b| bad | VALUES[b as usize] & 0x80)
                    == 0
        })
        .count()
}

/// Appends until `out` has `enough` octets or the block ends.
fn unpack(mut stored: &[u8], enough: usize, out: &mut Vec<u8>) -> Option<()> {
    while let [kind, low, high, rest @ ..] = stored {
        let wanted = enough.saturating_sub(out.len());
        if wanted == 0 {
            return Some(());
        }
        let count = usize::from(u16::from_le_bytes([*low, *high]));
        if *kind == 0 {
            let (literal, after) = rest.split_at_checked(count.min(wanted))?;
            out.extend_from_slice(literal);
            stored = after;
            continue;
        }
        let (width, line) = (usize::from(*kind) * 3, usize::from(*kind) * 4 + 2);
        let lines = count.min(wanted.div_ceil(line));
        let (packed, after) = rest.split_at_checked(lines * width)?;
        // Room for all lines at once: this is where most octets of most mail pass.
        let start = out.len();
        out.resize(start + lines * line, 0);
        let room = out.get_mut(start..)?.chunks_exact_mut(line);
        for (packed, line) in packed.chunks_exact(width).zip(room) {
            unpack_line(packed, line);
        }
        stored = after;
    }
    stored.is_empty().then_some(())
}

/// Four characters for three octets, and CRLF.
fn unpack_line(packed: &[u8], line: &mut [u8]) {
    let (quads, end) = line.as_chunks_mut::<4>();
    for ([x, y, z], quad) in packed.as_chunks::<3>().0.iter().zip(quads) {
        *quad = [
            ALPHABET[usize::from(x >> 2)],
            ALPHABET[usize::from((x << 4 | y >> 4) & 63)],
            ALPHABET[usize::from((y << 2 | z >> 6) & 63)],
            ALPHABET[usize::from(z & 63)],
        ];
    }
    end.copy_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(raw: &[u8]) -> Block {
        let mut stored = Vec::new();
        let block = Encoder::new().encode(raw, &mut stored);
        assert_eq!(block.stored as usize, stored.len());
        assert_eq!(Block::decode(block.encode()), Some(block));
        let mut back = Vec::new();
        decode(block, &stored, BLOCK, &mut back).expect("decodes");
        assert_eq!(back, raw);
        for most in [0, 1, raw.len() / 3, raw.len(), raw.len() + 1] {
            back.clear();
            decode(block, &stored, most, &mut back).expect("decodes a part");
            let most = most.min(raw.len());
            assert_eq!(back.get(..most), raw.get(..most));
            assert!(raw.starts_with(&back));
            // The start of the block is enough, or is seen not to be.
            back.clear();
            let some = stored.get(..needed(stored.len(), most));
            match decode(block, some.expect("no more than all"), most, &mut back) {
                Some(()) => assert_eq!(back.get(..most), raw.get(..most)),
                None => assert_eq!(block.codec, Codec::Deflate),
            }
        }
        block
    }

    fn base64_lines(octets: usize, width: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut state = 1u32;
        for i in 0..octets {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            out.push(ALPHABET[(state >> 26) as usize]);
            if (i + 1) % width == 0 {
                out.extend_from_slice(b"\r\n");
            }
        }
        out
    }

    #[test]
    fn picks_the_codec_that_fits() {
        assert_eq!(round_trip(&base64_lines(60_000, 76)).codec, Codec::Packed);
        assert!(round_trip(&base64_lines(60_000, 76)).stored < 48_000);
        assert_eq!(
            round_trip(&b"Lorem ipsum dolor sit amet. ".repeat(100)).codec,
            Codec::Deflate
        );
        let mut noise = base64_lines(60_000, 76);
        let mut state = 9u32;
        for b in &mut noise {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            *b = (state >> 24) as u8;
        }
        assert_eq!(round_trip(&noise).codec, Codec::Raw);
        round_trip(b"");
    }

    #[test]
    fn odd_base64_is_kept_to_the_octet() {
        let mut text = b"--x\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec();
        text.extend(base64_lines(30_000, 64));
        text.extend(b"QQ==\r\n--x\r\n\r\n");
        text.extend(base64_lines(20_000, 76));
        text.extend(b"AAAA\nBBBB\r\nCCC\rDDDD");
        assert_eq!(round_trip(&text).codec, Codec::Packed);
    }

    #[test]
    fn pieces_fill_their_pages() {
        for stored in [
            0,
            1,
            LEAD - 1,
            LEAD,
            LEAD + 1,
            PIECE - 1,
            PIECE,
            70_000,
            1_000_000,
        ] {
            let (mut pieces, rest) = layout(stored);
            assert_eq!(pieces.clone().sum::<usize>() + rest, stored);
            assert!(rest < LEAD, "{stored} leaves {rest}");
            let first = pieces.clone().take(3).sum::<usize>();
            assert!(stored < written(3) || first == written(3));
            assert!(pieces.all(|p| (p + PIECE_OVERHEAD).is_power_of_two()));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(raw in prop::collection::vec(any::<u8>(), 0..3000)) {
            round_trip(&raw);
        }
        #[test]
        fn any_lines_come_back(lines in prop::collection::vec("[A-Za-z0-9+/=]{0,80}(\r\n|\n|\r)?", 0..200)) {
            round_trip(lines.concat().as_bytes());
        }
        #[test]
        fn rubbish_is_refused_or_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for codec in [Codec::Raw, Codec::Deflate, Codec::Packed] {
                let mut out = Vec::new();
                let _ = decode(Block { codec, stored: bytes.len() as u32 }, &bytes, BLOCK, &mut out);
            }
        }
    }
}
