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
    sum: Sum,
}

struct Sum {
    /// Octets that are hashed.
    limit: u64,
    context: Context,
    /// Octets that came.
    length: u64,
}

impl Sum {
    /// Takes the next octets of the canonical body, all of them.
    fn take(&mut self, canonical: &mut Vec<u8>) {
        let left = self.limit.saturating_sub(self.length);
        let keep = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(canonical.len());
        self.context
            .update(canonical.get(..keep).unwrap_or_default());
        self.length += canonical.len() as u64;
        canonical.clear();
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
                sum: Sum {
                    limit: how.limit.unwrap_or(u64::MAX),
                    context: Context::new(&SHA256),
                    length: 0,
                },
            });
        }
    }

    fn body(&mut self, octets: &[u8]) {
        for Hasher { body, sum, .. } in &mut self.hashers {
            // Pieces, so that the canonical form of a large one is no second copy of it.
            for piece in octets.chunks(limits::VERIFY_PIECE) {
                body.push(piece, &mut self.scratch, &mut |full| sum.take(full));
                sum.take(&mut self.scratch);
            }
        }
    }

    /// The message is complete.
    pub fn finish(mut self) -> Scanned {
        if !self.in_body && !self.too_long {
            self.header_is_there();
        }
        let mut hashes = Vec::with_capacity(self.hashers.len());
        for mut it in self.hashers {
            it.body
                .finish(&mut self.scratch, &mut |full| it.sum.take(full));
            it.sum.take(&mut self.scratch);
            hashes.push(Hashed {
                how: it.how,
                hash: it.sum.context.finish().as_ref().to_vec(),
                length: it.sum.length,
            });
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use ring::digest;

    /// However large a message is and whatever it is made of: what is held is the header and a piece.
    #[test]
    fn holds_no_body() {
        const MUCH: usize = 4 * 1024 * 1024;
        let signed = |canon: &str| {
            format!(
                "DKIM-Signature: v=1; a=rsa-sha256; d=b.test; s=s; h=from; c=simple/{canon};\r\n\
                 \tbh={}=; b=AAAA\r\n",
                "A".repeat(43)
            )
        };
        let header = signed("simple") + &signed("relaxed") + "From: a@b.test\r\n\r\n";
        for kind in ["\r\n", " \t\r\n", "x", " ", "\r", "a b\t\r\n"] {
            let mut scan = Scan::default();
            let mut direct = digest::Context::new(&digest::SHA256);
            scan.push(header.as_bytes());
            assert_eq!(scan.hashers.len(), 2);
            let piece = kind.repeat(65_536 / kind.len());
            let end = "x\r\n".to_owned();
            let pieces = std::iter::repeat_n(&piece, MUCH / piece.len()).chain([&end]);
            for piece in pieces {
                scan.push(piece.as_bytes());
                direct.update(piece.as_bytes());
                let held = scan.scratch.capacity() + scan.header.capacity();
                assert!(
                    held <= 4 * limits::VERIFY_PIECE + 2 * header.len(),
                    "{kind:?}: {held}"
                );
            }
            let scanned = scan.finish();
            let simple = scanned
                .hashes
                .iter()
                .find(|it| it.how.canon == Canon::Simple);
            let hash = &simple.expect("is there").hash;
            assert_eq!(hash, direct.finish().as_ref(), "{kind:?}");
        }
    }
}
