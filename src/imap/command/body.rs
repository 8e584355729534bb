//! `BODY[...]`, `BINARY[...]` and the items named RFC822: which octets of the message a section is
//! (RFC 9051 §6.4.5), and their way to the client, a piece at a time.

use super::fetch::{Look, spill};
use crate::imap::answer::{Answer, Stop};
use crate::imap::session::Session;
use crate::imap::wire::fetch::Body;
use crate::imap::wire::fields::Filter;
use crate::imap::wire::section::{self, Partial, Section, Text};
use crate::imap::wire::{encode, structure};
use crate::limits;
use crate::mail::{BodyWriter, Row};
use crate::mime::transfer::{Decoder, Sink};
use crate::mime::{Encoding, Kind, Part, Span, Structure};
use crate::net;
use smol::future::yield_now;

/// A run of octets: offset and length.
type Run = (u64, u64);

/// `BODY[section]<partial>`.
pub async fn section(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    wanted: &Body,
) -> Result<(), Stop> {
    name(session, wanted);
    octets(session, look, row, &wanted.section, wanted.partial).await
}

/// The octets of a section as a literal, or NIL.
pub async fn octets(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    wanted: &Section,
    partial: Option<Partial>,
) -> Result<(), Stop> {
    let Some(run) = locate(look, row, wanted)? else {
        return nil(session);
    };
    if let Text::Fields { names, not } = &wanted.text {
        let filter = Filter::new(names, *not);
        return match run.1 {
            0..=limits::IMAP_READ => short_fields(session, look, run, filter, partial).await,
            _ => fields(session, look, run, &filter, partial).await,
        };
    }
    let (offset, len) = slice(run, partial);
    encode::literal_head(session.conn.out(), len, false);
    copy(session, look, offset, len, true).await
}

/// Is there such a part?
pub fn exists(look: &mut Look, row: &Row, wanted: &Section) -> Result<bool, Stop> {
    Ok(locate(look, row, wanted)?.is_some())
}

fn name(session: &mut Session, wanted: &Body) {
    let utf8 = session.enabled.utf8;
    let out = session.conn.out();
    match wanted.alias {
        Some(alias) => out.extend_from_slice(alias.as_bytes()),
        None => {
            out.extend_from_slice(b"BODY");
            section::write(out, &wanted.section, utf8);
            origin(out, wanted.partial);
        }
    }
    out.push(b' ');
}

/// `<offset>` behind a section that was sliced.
fn origin(out: &mut Vec<u8>, partial: Option<Partial>) {
    if let Some(partial) = partial {
        encode::formatted(out, format_args!("<{}>", partial.offset));
    }
}

fn nil(session: &mut Session) -> Result<(), Stop> {
    session.conn.out().extend_from_slice(b"NIL");
    Ok(())
}

/// The part of a run that `<offset.length>` asks for (RFC 9051 §6.4.5: cut at its end).
fn slice((offset, len): Run, partial: Option<Partial>) -> Run {
    match partial {
        None => (offset, len),
        Some(partial) => {
            let skip = partial.offset.min(len);
            (offset + skip, partial.length.min(len - skip))
        }
    }
}

/// Where the section is in the message; `None` if there is no such part.
fn locate(look: &mut Look, row: &Row, wanted: &Section) -> Result<Option<Run>, Stop> {
    if wanted.path.is_empty() {
        let Some(message) = look.message(row)? else {
            return Ok(None);
        };
        let (header, size) = (u64::from(message.header_len), u64::from(message.size));
        return Ok(Some(match wanted.text {
            Text::All => (0, size),
            Text::Text => (header, size.saturating_sub(header)),
            Text::Header | Text::Fields { .. } | Text::Mime => (0, header),
        }));
    }
    let Some(found) = look.structure(row)? else {
        return Ok(None);
    };
    Ok(in_part(found, wanted))
}

fn in_part(found: &Structure, wanted: &Section) -> Option<Run> {
    let index = structure::find(&found.parts, &wanted.path)?;
    let part = found.parts.get(index)?;
    let (header, body) = (part.header, part.body);
    match wanted.text {
        Text::All => Some((body.offset.into(), body.len.into())),
        Text::Mime => Some((header.offset.into(), header.len.into())),
        _ => {
            // Only a message inside has a header and a text of its own.
            let inner = (part.kind == Kind::Message).then(|| found.parts.get(index + 1))??;
            let end = inner.header.end();
            Some(match wanted.text {
                Text::Text => (end.into(), body.end().saturating_sub(end).into()),
                _ => (inner.header.offset.into(), inner.header.len.into()),
            })
        }
    }
}

/// The end of a response that cannot be finished. Its literal is announced: whatever else we said would
/// be taken for octets of the message, so the connection ends without a word.
pub fn cut_off() -> Stop {
    net::Error::Closed.into()
}

/// Copies octets of the message to the client; `textual` if they are in a literal, which has no NUL.
async fn copy(
    session: &mut Session,
    look: &mut Look,
    mut offset: u64,
    mut len: u64,
    textual: bool,
) -> Result<(), Stop> {
    while len > 0 {
        let out = session.conn.out();
        let from = out.len();
        let got = look.read(offset, len, out)?;
        if got == 0 {
            return Err(cut_off());
        }
        if textual {
            without_nul(out, from);
        }
        offset += got;
        len = len.saturating_sub(got);
        spill(session, look).await?;
    }
    Ok(())
}

/// RFC 9051 §4.3.1: a literal has no NUL. Another octet stands for it, so that sizes stay as they are;
/// BINARY gives the message as it is.
fn without_nul(out: &mut [u8], from: usize) {
    let mut rest = out.get_mut(from..).unwrap_or_default();
    while let Some(at) = memchr::memchr(0, rest) {
        rest = rest.get_mut(at..).unwrap_or_default();
        if let Some(nul) = rest.first_mut() {
            *nul = 0x80;
        }
    }
}

/// The octets of a section, a piece at a time, for whoever makes a message of them (CATENATE, BURL).
pub struct Octets<'n> {
    fields: Option<Filtered<'n>>,
    skip: u64,
    left: u64,
}

impl<'n> Octets<'n> {
    /// `None` where there is no such part.
    pub fn open(
        look: &mut Look,
        row: &Row,
        wanted: &'n Section,
        partial: Option<Partial>,
    ) -> Result<Option<Octets<'n>>, Stop> {
        let Some(run) = locate(look, row, wanted)? else {
            return Ok(None);
        };
        let fields = match &wanted.text {
            Text::Fields { names, not } => Some(Filtered::new(run, &Filter::new(names, *not))),
            _ => None,
        };
        let whole = match fields {
            Some(_) => (0, u64::MAX),
            None => run,
        };
        let (skip, left) = slice(whole, partial);
        Ok(Some(Octets { fields, skip, left }))
    }

    /// Appends the next piece; false when there are no more.
    pub fn next(&mut self, look: &mut Look, out: &mut Vec<u8>) -> Result<bool, Stop> {
        let Octets { skip, left, .. } = *self;
        if let Some(lines) = &mut self.fields {
            let mut sink = Slice { skip, left, out };
            let more = lines.next(look, &mut |octets| sink.put(octets))?;
            (self.skip, self.left) = (sink.skip, sink.left);
            return Ok(more && self.left > 0);
        }
        if left == 0 {
            return Ok(false);
        }
        let got = look.read(skip, left, out)?;
        if got == 0 {
            return Answer::no("[EXPUNGEISSUED] the message is gone").stop();
        }
        (self.skip, self.left) = (skip + got, left.saturating_sub(got));
        Ok(true)
    }
}

/// Appends a section to a message in the making (CATENATE); false where there is no such part.
pub async fn append_to(
    body: &mut BodyWriter,
    look: &mut Look,
    row: &Row,
    wanted: &Section,
    partial: Option<Partial>,
) -> Result<bool, Stop> {
    let Some(mut octets) = Octets::open(look, row, wanted, partial)? else {
        return Ok(false);
    };
    let mut out = Vec::new();
    let mut more = true;
    while more {
        more = octets.next(look, &mut out)?;
        push(body, look, &mut out).await?;
    }
    Ok(true)
}

/// Hands octets on, holding no look at the store meanwhile.
async fn push(body: &mut BodyWriter, look: &mut Look, out: &mut Vec<u8>) -> Result<(), Stop> {
    look.close();
    body.push(out).await?;
    out.clear();
    yield_now().await;
    Ok(())
}

/// Header fields by name, of a header block that is read at once.
async fn short_fields(
    session: &mut Session,
    look: &mut Look,
    run: Run,
    filter: Filter<'_>,
    partial: Option<Partial>,
) -> Result<(), Stop> {
    let mut picked = std::mem::take(&mut look.picked);
    picked.clear();
    let mut lines = Filtered {
        run,
        filter,
        piece: std::mem::take(&mut look.piece),
    };
    while lines.next(look, &mut |octets| picked.extend_from_slice(octets))? {}
    let (skip, left) = slice((0, picked.len() as u64), partial);
    let out = session.conn.out();
    encode::literal_head(out, left, false);
    let from = out.len();
    Slice { skip, left, out }.put(&picked);
    without_nul(session.conn.out(), from);
    (look.picked, look.piece) = (picked, lines.piece);
    spill(session, look).await
}

/// The same of a long one: measured first, then sent, since their length comes before them.
async fn fields(
    session: &mut Session,
    look: &mut Look,
    run: Run,
    filter: &Filter<'_>,
    partial: Option<Partial>,
) -> Result<(), Stop> {
    let mut total = 0;
    let mut lines = Filtered::new(run, filter);
    while lines.next(look, &mut |octets| total += octets.len() as u64)? {
        yield_now().await;
    }
    let (skip, left) = slice((0, total), partial);
    encode::literal_head(session.conn.out(), left, false);
    let mut lines = Filtered::new(run, filter);
    let (mut skip, mut left) = (skip, left);
    loop {
        // A header may be as long as a message: it leaves as it is read, like everything else.
        let out = session.conn.out();
        let from = out.len();
        let mut sink = Slice { skip, left, out };
        let more = lines.next(look, &mut |octets| sink.put(octets))?;
        (skip, left) = (sink.skip, sink.left);
        without_nul(session.conn.out(), from);
        spill(session, look).await?;
        if !more || left == 0 {
            break;
        }
    }
    if left > 0 {
        return Err(cut_off());
    }
    Ok(())
}

/// A header block on its way through a filter.
struct Filtered<'n> {
    run: Run,
    filter: Filter<'n>,
    piece: Vec<u8>,
}

impl<'n> Filtered<'n> {
    fn new(run: Run, filter: &Filter<'n>) -> Filtered<'n> {
        let (filter, piece) = (filter.clone(), Vec::new());
        Filtered { run, filter, piece }
    }

    /// Passes the next piece to `out`; false at the end.
    fn next(&mut self, look: &mut Look, out: &mut impl FnMut(&[u8])) -> Result<bool, Stop> {
        let (offset, len) = self.run;
        self.piece.clear();
        let got = match len {
            0 => 0,
            len => look.read(offset, len, &mut self.piece)?,
        };
        if got == 0 {
            self.filter.finish(out);
            return Ok(false);
        }
        self.filter.push(&self.piece, out);
        self.run = (offset + got, len.saturating_sub(got));
        Ok(true)
    }
}

/// What `BINARY` decodes: a run and its encoding; the whole message and multiparts are as they are
/// (RFC 3516 §4.1).
struct Coded {
    run: Run,
    encoding: Encoding,
    size: u64,
}

fn coded(look: &mut Look, row: &Row, path: &[u32]) -> Result<Option<Coded>, Stop> {
    if path.is_empty() {
        let size = look.message(row)?.map(|message| u64::from(message.size));
        return Ok(size.map(|size| Coded {
            run: (0, size),
            encoding: Encoding::Binary,
            size,
        }));
    }
    let Some(found) = look.structure(row)? else {
        return Ok(None);
    };
    let part = structure::find(&found.parts, path).and_then(|index| found.parts.get(index));
    Ok(part.map(|part: &Part| {
        let run = (part.body.offset.into(), part.body.len.into());
        match part.kind {
            Kind::Leaf => Coded {
                run,
                encoding: part.encoding,
                size: part.decoded.into(),
            },
            _ => Coded {
                run,
                encoding: Encoding::Binary,
                size: run.1,
            },
        }
    }))
}

/// `BINARY.SIZE[path]`.
pub fn binary_size(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    path: &[u32],
) -> Result<(), Stop> {
    let found = coded(look, row, path)?;
    // RFC 9051 §6.4.5: what cannot be decoded has no size either.
    let found = found.filter(|coded| {
        let known = coded.encoding != Encoding::Unknown;
        if !known {
            session.unknown_cte();
        }
        known
    });
    let out = session.conn.out();
    out.extend_from_slice(b"BINARY.SIZE[");
    section::write_path(out, path);
    encode::formatted(
        out,
        format_args!("] {}", found.map_or(0, |coded| coded.size)),
    );
    Ok(())
}

/// `BINARY[path]<partial>`.
pub async fn binary(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    path: &[u32],
    partial: Option<Partial>,
) -> Result<(), Stop> {
    let out = session.conn.out();
    out.extend_from_slice(b"BINARY[");
    section::write_path(out, path);
    out.push(b']');
    origin(out, partial);
    out.push(b' ');
    content(session, look, row, path, partial).await
}

/// A section without its transfer encoding; what has none is as it is.
pub async fn decoded(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    wanted: &Section,
    partial: Option<Partial>,
) -> Result<(), Stop> {
    match wanted.text {
        Text::All => content(session, look, row, &wanted.path, partial).await,
        _ => octets(session, look, row, wanted, partial).await,
    }
}

/// A part decoded, as a string where it is small and has no NUL, else as a literal8 (RFC 3516 §4.3):
/// to look for a NUL in a large one would be to decode it twice.
async fn content(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    path: &[u32],
    partial: Option<Partial>,
) -> Result<(), Stop> {
    let Some(coded) = coded(look, row, path)? else {
        return nil(session);
    };
    // RFC 3516 §4.3: nothing that we cannot decode is sent; the command ends with UNKNOWN-CTE.
    if coded.encoding == Encoding::Unknown {
        session.unknown_cte();
        return nil(session);
    }
    let (skip, len) = slice((0, coded.size), partial);
    if len <= limits::IMAP_BINARY_STRING {
        let found = gather(look, &coded, skip, len)?;
        let out = session.conn.out();
        encode::literal_head(out, len, found.contains(&0));
        out.extend_from_slice(&found);
        return spill(session, look).await;
    }
    encode::literal_head(session.conn.out(), len, true);
    if !coded.encoding.is_encoded() {
        return copy(session, look, coded.run.0 + skip, len, false).await;
    }
    decode(session, look, &coded, skip, len).await
}

/// A slice of what a decoder gives.
struct Slice<'a> {
    skip: u64,
    left: u64,
    out: &'a mut Vec<u8>,
}

impl Sink for Slice<'_> {
    fn put(&mut self, octets: &[u8]) {
        let from = usize::try_from(self.skip)
            .unwrap_or(usize::MAX)
            .min(octets.len());
        self.skip -= from as u64;
        let rest = octets.get(from..).unwrap_or_default();
        let take = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(rest.len());
        self.left -= take as u64;
        self.out
            .extend_from_slice(rest.get(..take).unwrap_or_default());
    }
}

/// A slice of a part, decoded, all of it.
fn gather(look: &mut Look, coded: &Coded, skip: u64, len: u64) -> Result<Vec<u8>, Stop> {
    let mut found = Vec::new();
    let mut decoder = Decoder::new(coded.encoding);
    let (mut offset, mut left) = coded.run;
    let mut piece = Vec::new();
    let mut sink = Slice {
        skip,
        left: len,
        out: &mut found,
    };
    if !coded.encoding.is_encoded() {
        let cut = skip.min(left);
        (offset, left, sink.skip) = (offset + cut, left - cut, 0);
    }
    while left > 0 && sink.left > 0 {
        piece.clear();
        let got = look.read(offset, left, &mut piece)?;
        if got == 0 {
            break;
        }
        match coded.encoding.is_encoded() {
            true => decoder.push(&piece, &mut sink),
            false => sink.put(&piece),
        }
        offset += got;
        left = left.saturating_sub(got);
    }
    if coded.encoding.is_encoded() {
        decoder.finish(&mut sink);
    }
    match sink.left {
        0 => Ok(found),
        _ => Err(cut_off()),
    }
}

/// A part as it is in the message, or decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// With its transfer encoding.
    Raw,
    /// Without.
    Decoded,
}

/// The body structure of what a section is (RFC 5524 §3.2 `BODYPARTSTRUCTURE`).
pub fn part_structure(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    wanted: &Section,
    form: Form,
) -> Result<(), Stop> {
    let utf8 = session.enabled.utf8;
    let Some((_, size)) = locate(look, row, wanted)? else {
        return nil(session);
    };
    let Some(found) = look.structure(row)? else {
        return nil(session);
    };
    let mut parts = found.parts.clone();
    let index = match (&wanted.text, wanted.path.is_empty()) {
        (Text::All, true) => {
            // The message itself, as a part would hold it.
            let root = parts.first().cloned().unwrap_or_default();
            let whole = Part {
                kind: Kind::Message,
                children: 1,
                main: b"message".to_vec(),
                sub: b"rfc822".to_vec(),
                lines: root.lines,
                body: Span {
                    offset: 0,
                    len: u32::try_from(size).unwrap_or(u32::MAX),
                },
                envelope: Some(Box::new(found.envelope.clone())),
                ..Part::default()
            };
            parts.iter_mut().for_each(|part| part.depth += 1);
            parts.insert(0, whole);
            Some(0)
        }
        (Text::All, false) => structure::find(&parts, &wanted.path),
        (Text::Text, true) => Some(0),
        (Text::Text, false) => structure::find(&parts, &wanted.path).map(|index| index + 1),
        _ => None,
    };
    let index = index.unwrap_or_else(|| {
        parts = vec![Part {
            main: b"text".to_vec(),
            sub: b"rfc822-headers".to_vec(),
            body: Span {
                offset: 0,
                len: u32::try_from(size).unwrap_or(u32::MAX),
            },
            ..Part::default()
        }];
        0
    });
    if let (Some(part), Form::Decoded) = (parts.get_mut(index), form)
        && part.kind == Kind::Leaf
        && part.encoding != Encoding::Unknown
        && wanted.text == Text::All
    {
        part.encoding_raw = Some(b"binary".to_vec());
        part.body.len = part.decoded;
    }
    structure::write(session.conn.out(), &parts, index, false, utf8);
    Ok(())
}

async fn decode(
    session: &mut Session,
    look: &mut Look,
    coded: &Coded,
    mut skip: u64,
    mut left: u64,
) -> Result<(), Stop> {
    let mut decoder = Decoder::new(coded.encoding);
    let (mut offset, mut len) = coded.run;
    let mut piece = Vec::new();
    while len > 0 && left > 0 {
        piece.clear();
        let got = look.read(offset, len, &mut piece)?;
        if got == 0 {
            break;
        }
        let mut sink = Slice {
            skip,
            left,
            out: session.conn.out(),
        };
        decoder.push(&piece, &mut sink);
        (skip, left) = (sink.skip, sink.left);
        offset += got;
        len = len.saturating_sub(got);
        spill(session, look).await?;
    }
    let mut sink = Slice {
        skip,
        left,
        out: session.conn.out(),
    };
    decoder.finish(&mut sink);
    if sink.left > 0 {
        return Err(cut_off());
    }
    Ok(())
}
