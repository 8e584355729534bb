//! The octets behind a blob id, read piece by piece: a message or upload, a part of it decoded, a
//! part of the message that this part is.
//!
//! At most 64 KiB are held for each level of nesting, and no read transaction across an await.
use crate::jmap::wire::id::BlobId;
use crate::limits;
use crate::mail::{BodyWriter, Mail, Message, Result, Staged};
use crate::mime::build::Piece;
use crate::mime::transfer::{Base64, Decoder};
use crate::mime::{Kind, Part, Scanner, Structure};

/// A blob that exists.
pub struct Blob {
    /// Its name.
    pub id: BlobId,
    /// Its octets.
    pub bytes: Bytes,
    /// How many.
    pub size: u64,
}

/// Octets still to be read, in order.
pub enum Bytes {
    /// A run of a stored message.
    Raw {
        /// The message.
        message: Message,
        /// The next octet.
        at: u32,
        /// The octet after the last one.
        end: u32,
    },
    /// A run of what comes of decoding others.
    Decoded {
        /// What is decoded.
        inner: Box<Bytes>,
        /// How; `None` when it has ended.
        decoder: Option<Decoder>,
        /// Octets to leave out first.
        skip: u64,
        /// Octets to give then.
        left: u64,
    },
}

impl Bytes {
    /// All of a message.
    pub fn whole(message: &Message) -> Bytes {
        Bytes::Raw {
            message: message.clone(),
            at: 0,
            end: message.size,
        }
    }

    /// The octets from `from` on, `length` of them or as many as there are.
    pub fn slice(self, from: u64, length: u64) -> Bytes {
        match self {
            Bytes::Raw { message, at, end } => {
                let to_u32 = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
                let at = at.saturating_add(to_u32(from)).min(end);
                let end = at.saturating_add(to_u32(length)).min(end);
                Bytes::Raw { message, at, end }
            }
            Bytes::Decoded {
                inner,
                decoder,
                skip,
                left,
            } => Bytes::Decoded {
                inner,
                decoder,
                skip: skip.saturating_add(from),
                left: left.saturating_sub(from).min(length),
            },
        }
    }

    /// The same octets again, from the first: only before anything was read.
    fn again(&self) -> Bytes {
        match self {
            Bytes::Raw { message, at, end } => Bytes::Raw {
                message: message.clone(),
                at: *at,
                end: *end,
            },
            Bytes::Decoded {
                inner,
                decoder,
                skip,
                left,
            } => Bytes::Decoded {
                inner: Box::new(inner.again()),
                decoder: decoder.as_ref().map(fresh),
                skip: *skip,
                left: *left,
            },
        }
    }

    /// A part of the message that these octets are, decoded.
    pub fn part(&self, part: &Part) -> Bytes {
        let (from, length) = (u64::from(part.body.offset), u64::from(part.body.len));
        let inner = self.again().slice(from, length);
        if !part.encoding.is_encoded() {
            return inner;
        }
        let decoder = Some(Decoder::new(part.encoding));
        Bytes::Decoded {
            inner: Box::new(inner),
            decoder,
            skip: 0,
            left: u64::MAX,
        }
    }

    /// A run of these octets from the first one.
    pub fn run(&self, from: u32, length: u32) -> Bytes {
        self.again().slice(from.into(), length.into())
    }

    /// Appends the next piece to `out`, which may be none; false at the end.
    pub fn next(&mut self, mail: &Mail, out: &mut Vec<u8>) -> Result<bool> {
        match self {
            Bytes::Raw { message, at, end } => {
                let want = end.saturating_sub(*at).min(limits::BLOCK as u32);
                if want == 0 {
                    return Ok(false);
                }
                let read = mail.reader()?.read(message, *at, want, out)?;
                *at = at.saturating_add(read);
                Ok(read > 0)
            }
            Bytes::Decoded {
                inner,
                decoder,
                skip,
                left,
            } => {
                if *left == 0 || decoder.is_none() {
                    return Ok(false);
                }
                let mut encoded = Vec::new();
                let more = inner.next(mail, &mut encoded)?;
                let mut decoded = Vec::new();
                if let Some(decoder) = decoder {
                    decoder.push(&encoded, &mut decoded);
                }
                if !more && let Some(decoder) = decoder.take() {
                    decoder.finish(&mut decoded);
                }
                let from = usize::try_from(*skip)
                    .unwrap_or(usize::MAX)
                    .min(decoded.len());
                *skip -= from as u64;
                let to = usize::try_from(*left)
                    .unwrap_or(usize::MAX)
                    .min(decoded.len() - from);
                *left -= to as u64;
                out.extend_from_slice(decoded.get(from..from + to).unwrap_or_default());
                Ok(true)
            }
        }
    }

    /// Everything, up to `max` octets.
    pub fn all(mut self, mail: &Mail, max: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        while out.len() < max && self.next(mail, &mut out)? {}
        out.truncate(max);
        Ok(out)
    }

    /// Adds everything to a body.
    pub async fn pour(mut self, mail: &Mail, writer: &mut BodyWriter) -> Result<()> {
        let mut piece = Vec::new();
        while self.next(mail, &mut piece)? {
            writer.push(&piece).await?;
            piece.clear();
        }
        Ok(())
    }

    /// The same in base64.
    async fn encode(mut self, mail: &Mail, writer: &mut BodyWriter) -> Result<()> {
        let mut encoder = Base64::default();
        let (mut plain, mut encoded) = (Vec::new(), Vec::new());
        while self.next(mail, &mut plain)? {
            encoder.push(&plain, &mut encoded);
            writer.push(&encoded).await?;
            plain.clear();
            encoded.clear();
        }
        encoder.finish(&mut encoded);
        writer.push(&encoded).await
    }
}

/// A decoder of the same encoding at the start of a body.
fn fresh(decoder: &Decoder) -> Decoder {
    match decoder {
        Decoder::Identity => Decoder::Identity,
        Decoder::Base64(_) => Decoder::Base64(Default::default()),
        Decoder::QuotedPrintable(_) => Decoder::QuotedPrintable(Default::default()),
    }
}

/// Writes a message that was put together, piece by piece.
pub async fn write(mail: &Mail, pieces: Vec<Piece<Bytes>>) -> Result<Staged> {
    let mut writer = mail.body(None)?;
    for piece in pieces {
        match piece {
            Piece::Octets(octets) => writer.push(&octets).await?,
            Piece::Raw(bytes) => bytes.pour(mail, &mut writer).await?,
            Piece::Base64(bytes) => bytes.encode(mail, &mut writer).await?,
        }
    }
    writer.finish(&[]).await
}

/// The octets behind an id; `None` when there are none.
pub async fn open(mail: &Mail, id: &str) -> Result<Option<Blob>> {
    let Some(id) = BlobId::parse(id) else {
        return Ok(None);
    };
    let Some(message) = mail.reader()?.message(id.root)? else {
        return Ok(None);
    };
    let (mut bytes, mut octets) = (Bytes::whole(&message), message.size.into());
    for (level, index) in id.parts.iter().enumerate() {
        let structure = match level {
            0 => message.structure(),
            _ => scan(mail, bytes.again()).await?,
        };
        let part = structure.parts.get(usize::from(*index));
        let Some(part) = part.filter(|part| part.kind != Kind::Multipart) else {
            return Ok(None);
        };
        (bytes, octets) = (bytes.part(part), size(part));
    }
    Ok(Some(Blob {
        id,
        bytes,
        size: octets,
    }))
}

/// Octets of a part when decoded.
pub fn size(part: &Part) -> u64 {
    if part.encoding.is_encoded() {
        part.decoded.into()
    } else {
        part.body.len.into()
    }
}

/// The structure of the message that these octets are. Others have their turn in between.
pub async fn scan(mail: &Mail, mut bytes: Bytes) -> Result<Structure> {
    let mut scanner = Scanner::new();
    let mut piece = Vec::new();
    while bytes.next(mail, &mut piece)? {
        scanner.push(&piece);
        piece.clear();
        smol::future::yield_now().await;
    }
    Ok(scanner.finish())
}
