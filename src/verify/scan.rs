//! A message as it streams in: its header is kept, its body is hashed in every way that a signature
//! in the header wants. Memory: the header up to [`limits::VERIFY_HEADER`]; of the body, nothing.
use super::canon::{BodyCanon, Canon};
use super::header::{self, Field};
use super::{arc, dkim};
use crate::limits;
use ring::digest::{Context, SHA256};

/// A way to hash a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyHash {
    /// How it is canonicalized.
    pub canon: Canon,
    /// `l=`: only this much of it.
    pub limit: Option<u64>,
}

/// What a way of hashing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// The way.
    pub how: BodyHash,
    /// SHA-256.
    pub hash: Vec<u8>,
    /// Octets of the whole canonical body.
    pub length: u64,
}

/// The state of a scan.
pub struct Scan {
    header: Vec<u8>,
    in_body: bool,
    too_long: bool,
    hashers: Vec<Hasher>,
    signatures: Vec<Result<dkim::Signature, dkim::Bad>>,
    chain: arc::Chain,
    scratch: Vec<u8>,
}

/// What a scan found.
pub struct Scanned {
    /// The header section with its last CRLF; cut if it was too long.
    pub header: Vec<u8>,
    /// The header was longer than is looked at, or has stray line ends: no signature counts.
    pub unfit: Option<&'static str>,
    /// The DKIM signatures, top to bottom.
    pub signatures: Vec<Result<dkim::Signature, dkim::Bad>>,
    /// The ARC chain.
    pub chain: arc::Chain,
    /// The body hashes.
    pub hashes: Vec<Hashed>,
}

struct Hasher {
    how: BodyHash,
    body: BodyCanon,
    context: Context,
    length: u64,
}

impl Hasher {
    fn take(&mut self, canonical: &[u8]) {
        let left = self
            .how
            .limit
            .map_or(u64::MAX, |limit| limit.saturating_sub(self.length));
        let keep = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(canonical.len());
        self.context
            .update(canonical.get(..keep).unwrap_or_default());
        self.length += canonical.len() as u64;
    }
}

impl Default for Scan {
    fn default() -> Scan {
        Scan {
            header: Vec::new(),
            in_body: false,
            too_long: false,
            hashers: Vec::new(),
            signatures: Vec::new(),
            chain: arc::Chain::None,
            scratch: Vec::new(),
        }
    }
}

impl Scan {
    /// A scan that hashes the body in these ways, whatever the header says (for signing).
    pub fn hashing(ways: &[BodyHash]) -> Scan {
        let mut scan = Scan::default();
        for how in ways {
            scan.want(*how);
        }
        scan
    }

    /// Takes the next octets of the message.
    pub fn push(&mut self, octets: &[u8]) {
        if self.in_body {
            return self.body(octets);
        }
        // Two octets back: the end of the header may straddle two pieces.
        let from = self.header.len().saturating_sub(3);
        let room = limits::VERIFY_HEADER.saturating_sub(self.header.len());
        if self.too_long || room == 0 {
            self.too_long = true;
            return;
        }
        let known = self.header.len();
        self.header.extend_from_slice(octets);
        let end = if self.header.starts_with(b"\r\n") {
            Some(0)
        } else {
            let fresh = self.header.get(from..).unwrap_or_default();
            fresh
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .map(|at| from + at + 2)
        };
        let Some(end) = end else { return };
        self.header.truncate(end);
        self.header_is_there();
        // The empty line is neither header nor body.
        self.body(octets.get(end + 2 - known..).unwrap_or_default());
    }

    fn header_is_there(&mut self) {
        self.in_body = true;
        let fields = header::fields(&self.header);
        let signatures = fields
            .iter()
            .enumerate()
            .filter(|(_, f)| f.is("DKIM-Signature"));
        self.signatures = signatures
            .take(limits::DKIM_SIGNATURES)
            .map(|(at, field)| dkim::Signature::parse(&field.text()).map(|it| it.at(at)))
            .collect();
        self.chain = arc::Chain::read(&fields);
        let own = self
            .signatures
            .iter()
            .flatten()
            .map(dkim::Signature::body_hash);
        let ways: Vec<BodyHash> = own.chain(self.chain.body_hash()).collect();
        for how in ways {
            self.want(how);
        }
    }

    fn want(&mut self, how: BodyHash) {
        if self.hashers.iter().all(|it| it.how != how) {
            self.hashers.push(Hasher {
                how,
                body: BodyCanon::new(how.canon),
                context: Context::new(&SHA256),
                length: 0,
            });
        }
    }

    fn body(&mut self, octets: &[u8]) {
        for hasher in &mut self.hashers {
            // Pieces, so that the canonical form of a large one is no second copy of it.
            for piece in octets.chunks(limits::VERIFY_PIECE) {
                self.scratch.clear();
                hasher.body.push(piece, &mut self.scratch);
                hasher.take(&self.scratch);
            }
        }
    }

    /// The message is complete.
    pub fn finish(mut self) -> Scanned {
        if !self.in_body && !self.too_long {
            self.header_is_there();
        }
        let hashes = self.hashers.drain(..).map(|mut hasher| {
            let mut end = Vec::new();
            hasher.body.finish(&mut end);
            hasher.take(&end);
            Hashed {
                how: hasher.how,
                hash: hasher.context.finish().as_ref().to_vec(),
                length: hasher.length,
            }
        });
        let hashes = hashes.collect();
        let unfit = if self.too_long {
            Some("header too long")
        } else if header::has_stray_line_end(&self.header) {
            Some("bare CR or LF in the header")
        } else {
            None
        };
        Scanned {
            header: self.header,
            unfit,
            signatures: self.signatures,
            chain: self.chain,
            hashes,
        }
    }
}

impl Scanned {
    /// The fields, top to bottom.
    pub fn fields(&self) -> Vec<Field<'_>> {
        header::fields(&self.header)
    }

    /// The hash made in this way.
    pub fn hash(&self, how: BodyHash) -> Option<&Hashed> {
        self.hashes.iter().find(|hashed| hashed.how == how)
    }
}
