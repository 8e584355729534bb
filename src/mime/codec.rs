//! The stored form of a [`Structure`]: compact, versioned, readable section by section.
//!
//! Layout: version octet, then the lengths of four sections as varints, then the sections: facts,
//! envelope, parts, preview. Octets after what a reader knows are ignored, in a section and after
//! the last one, so that a later version can add. At most `limits::MIME_ENCODED` octets come out of
//! a scanned message; a typical one takes 300-600. Numbers are LEB128 varints; a string is one
//! number: 0 for none, up to [`WORDS`] for a word of the table, else its length + that many.
use super::structure::{
    Address, Ancestry, DateTime, Disposition, Encoding, Envelope, Facts, Flags, Kind, Param, Part,
    Span, Structure,
};

const VERSION: u8 = 1;

/// Words that need one octet. Their order is part of the stored format: never change it.
const WORDS: [&str; 48] = [
    "text",
    "plain",
    "html",
    "multipart",
    "mixed",
    "alternative",
    "related",
    "signed",
    "report",
    "application",
    "octet-stream",
    "pdf",
    "image",
    "png",
    "jpeg",
    "gif",
    "message",
    "rfc822",
    "charset",
    "boundary",
    "name",
    "filename",
    "format",
    "delsp",
    "type",
    "method",
    "size",
    "utf-8",
    "UTF-8",
    "us-ascii",
    "US-ASCII",
    "iso-8859-1",
    "ISO-8859-1",
    "windows-1252",
    "flowed",
    "fixed",
    "yes",
    "7bit",
    "8bit",
    "binary",
    "base64",
    "quoted-printable",
    "attachment",
    "inline",
    "delivery-status",
    "calendar",
    "zip",
    "",
];

impl Structure {
    /// Appends the stored form to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (mut facts, mut envelope, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        put_facts(&mut facts, &self.facts);
        put_envelope(&mut envelope, &self.envelope);
        put_parts(&mut parts, &self.parts);
        let sections = [&facts[..], &envelope, &parts, self.preview.as_bytes()];
        out.push(VERSION);
        sections.iter().for_each(|it| put_len(out, it.len()));
        sections.iter().for_each(|it| out.extend_from_slice(it));
    }

    /// Reads all of the stored form. `None` where it is not one.
    pub fn decode(stored: &[u8]) -> Option<Structure> {
        let view = View::new(stored)?;
        Some(Structure {
            facts: view.facts()?,
            envelope: view.envelope()?,
            parts: view.parts()?,
            preview: view.preview().to_owned(),
        })
    }
}

/// The stored form, read section by section: what is not asked for costs nothing.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    sections: [&'a [u8]; 4],
}

impl<'a> View<'a> {
    /// Finds the sections. `None` where `stored` is of a later version or cut short.
    pub fn new(stored: &'a [u8]) -> Option<View<'a>> {
        let mut from = Reader(stored);
        (from.byte()? == VERSION).then_some(())?;
        let lengths = [from.len()?, from.len()?, from.len()?, from.len()?];
        let mut sections = [&[][..]; 4];
        for (section, len) in sections.iter_mut().zip(lengths) {
            *section = from.take(len)?;
        }
        Some(View { sections })
    }

    /// The small facts.
    pub fn facts(&self) -> Option<Facts> {
        facts(&mut Reader(self.sections[0]))
    }

    /// The message's own envelope.
    pub fn envelope(&self) -> Option<Envelope> {
        envelope(&mut Reader(self.sections[1]))
    }

    /// The flags among the small facts.
    pub fn flags(&self) -> Option<Flags> {
        Reader(self.sections[0]).u16().map(Flags)
    }

    /// The envelope's Subject.
    pub fn subject(&self) -> Option<Vec<u8>> {
        let mut from = Reader(self.sections[1]);
        from.option()?;
        from.option()?
    }

    /// An address list of the envelope, in the order of [`Envelope`]: 0 is From, 5 is Bcc.
    pub fn addresses(&self, which: usize) -> Option<Vec<Address>> {
        let mut from = Reader(self.sections[1]);
        for _ in 0..4 {
            from.option()?;
        }
        for _ in 0..which {
            from.list(address)?;
        }
        from.list(address)
    }

    /// The part tree.
    pub fn parts(&self) -> Option<Vec<Part>> {
        parts(&mut Reader(self.sections[2]))
    }

    /// The preview.
    pub fn preview(&self) -> &'a str {
        std::str::from_utf8(self.sections[3]).unwrap_or_default()
    }
}

// Writing.

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    put(out, len as u64);
}

fn put_signed(out: &mut Vec<u8>, value: i64) {
    put(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_string(out: &mut Vec<u8>, value: &[u8]) {
    if let Some(at) = WORDS.iter().position(|word| word.as_bytes() == value) {
        return put_len(out, at + 1);
    }
    put_len(out, value.len() + WORDS.len());
    out.extend_from_slice(value);
}

fn put_option(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        Some(value) => put_string(out, value),
        None => out.push(0),
    }
}

fn put_facts(out: &mut Vec<u8>, facts: &Facts) {
    put(out, u64::from(facts.flags.0));
    put(out, u64::from(facts.received));
    let present = u8::from(facts.sent_at.is_some()) | u8::from(facts.message_id.is_some()) << 1;
    out.push(present);
    if let Some(sent) = facts.sent_at {
        put_signed(out, sent.secs);
        put_signed(out, i64::from(sent.offset));
    }
    if let Some(id) = facts.message_id {
        out.extend_from_slice(&id.to_le_bytes());
    }
    out.extend_from_slice(&facts.subject.to_le_bytes());
    put_len(out, facts.references.len());
    facts
        .references
        .iter()
        .for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
    if let Some(Ancestry { listed, gap }) = facts.ancestry {
        out.push(listed | u8::from(gap) << 7);
    }
}

fn put_addresses(out: &mut Vec<u8>, list: &[Address]) {
    put_len(out, list.len());
    for address in list {
        match address {
            Address::Mailbox { name, local, host } => {
                out.push(0);
                put_option(out, name.as_deref());
                put_string(out, local);
                put_string(out, host);
            }
            Address::Group(name) => {
                out.push(1);
                put_string(out, name);
            }
            Address::GroupEnd => out.push(2),
        }
    }
}

fn put_envelope(out: &mut Vec<u8>, envelope: &Envelope) {
    let strings = [
        &envelope.date,
        &envelope.subject,
        &envelope.in_reply_to,
        &envelope.message_id,
    ];
    strings.iter().for_each(|it| put_option(out, it.as_deref()));
    let lists = [
        &envelope.from,
        &envelope.raw_sender,
        &envelope.raw_reply_to,
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ];
    lists.iter().for_each(|it| put_addresses(out, it));
}

fn put_params(out: &mut Vec<u8>, params: &[Param]) {
    put_len(out, params.len());
    for param in params {
        put_string(out, &param.name);
        put_string(out, &param.value);
    }
}

fn put_parts(out: &mut Vec<u8>, parts: &[Part]) {
    put_len(out, parts.len());
    let mut last = 0;
    for part in parts {
        put_part(out, part, last);
        last = part.body.offset;
    }
}

/// `last` is the body offset of the part before: headers follow it, so the difference is small.
fn put_part(out: &mut Vec<u8>, part: &Part, last: u32) {
    let rare = part.has_rare();
    let bits = part.kind.code()
        | part.encoding.code() << 2
        | u8::from(part.disposition.is_some()) << 5
        | u8::from(rare) << 6;
    out.push(bits);
    put(out, u64::from(part.depth));
    put(out, u64::from(part.children));
    put(out, u64::from(part.header.offset.wrapping_sub(last)));
    put(out, u64::from(part.header.len));
    put(out, u64::from(part.body.len));
    put(out, u64::from(part.lines));
    if part.encoding.is_encoded() {
        put(out, u64::from(part.decoded));
    }
    put_string(out, &part.main);
    put_string(out, &part.sub);
    put_params(out, &part.params);
    put_option(out, part.encoding_raw.as_deref());
    if let Some(disposition) = &part.disposition {
        put_string(out, &disposition.kind);
        put_params(out, &disposition.params);
    }
    if rare {
        put_rare(out, part);
    }
}

fn put_rare(out: &mut Vec<u8>, part: &Part) {
    let strings = [&part.id, &part.description, &part.md5, &part.location];
    strings.iter().for_each(|it| put_option(out, it.as_deref()));
    put_len(out, part.language.len());
    part.language.iter().for_each(|it| put_string(out, it));
    out.push(u8::from(part.envelope.is_some()));
    if let Some(envelope) = &part.envelope {
        put_envelope(out, envelope);
    }
}

impl Part {
    fn has_rare(&self) -> bool {
        self.id.is_some()
            || self.description.is_some()
            || self.md5.is_some()
            || self.location.is_some()
            || !self.language.is_empty()
            || self.envelope.is_some()
    }
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Kind::Leaf => 0,
            Kind::Multipart => 1,
            Kind::Message => 2,
        }
    }

    fn of(code: u8) -> Kind {
        match code {
            1 => Kind::Multipart,
            2 => Kind::Message,
            _ => Kind::Leaf,
        }
    }
}

impl Encoding {
    fn code(self) -> u8 {
        match self {
            Encoding::SevenBit => 0,
            Encoding::EightBit => 1,
            Encoding::Binary => 2,
            Encoding::Base64 => 3,
            Encoding::QuotedPrintable => 4,
            Encoding::Unknown => 5,
        }
    }

    fn of(code: u8) -> Encoding {
        match code {
            0 => Encoding::SevenBit,
            1 => Encoding::EightBit,
            2 => Encoding::Binary,
            3 => Encoding::Base64,
            4 => Encoding::QuotedPrintable,
            _ => Encoding::Unknown,
        }
    }
}

// Reading.

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(head)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number()?).ok()
    }

    fn len(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn signed(&mut self) -> Option<i64> {
        let value = self.number()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn hash(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn option(&mut self) -> Option<Option<Vec<u8>>> {
        let number = self.len()?;
        match number.checked_sub(1) {
            None => Some(None),
            Some(at) => match WORDS.get(at) {
                Some(word) => Some(Some(word.as_bytes().to_vec())),
                None => self.take(number - WORDS.len()).map(|it| Some(it.to_vec())),
            },
        }
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        self.option()?
    }

    /// Reads a counted list. Every item takes at least an octet, which bounds the count.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.len()?;
        (count <= self.0.len()).then_some(())?;
        let mut list = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            list.push(item(self)?);
        }
        Some(list)
    }
}

fn facts(from: &mut Reader) -> Option<Facts> {
    let flags = Flags(from.u16()?);
    let received = from.u16()?;
    let present = from.byte()?;
    let sent_at = match present & 1 {
        0 => None,
        _ => Some(DateTime {
            secs: from.signed()?,
            offset: i16::try_from(from.signed()?).ok()?,
        }),
    };
    let message_id = if present & 2 == 0 {
        None
    } else {
        Some(from.hash()?)
    };
    let subject = from.hash()?;
    let references = from.list(Reader::hash)?;
    let ancestry = from.byte().map(|listed| Ancestry {
        listed: listed & 0x7f,
        gap: listed >= 0x80,
    });
    Some(Facts {
        flags,
        received,
        sent_at,
        message_id,
        subject,
        references,
        ancestry,
    })
}

fn address(from: &mut Reader) -> Option<Address> {
    match from.byte()? {
        0 => Some(Address::Mailbox {
            name: from.option()?,
            local: from.string()?,
            host: from.string()?,
        }),
        1 => from.string().map(Address::Group),
        2 => Some(Address::GroupEnd),
        _ => None,
    }
}

fn envelope(from: &mut Reader) -> Option<Envelope> {
    Some(Envelope {
        date: from.option()?,
        subject: from.option()?,
        in_reply_to: from.option()?,
        message_id: from.option()?,
        from: from.list(address)?,
        raw_sender: from.list(address)?,
        raw_reply_to: from.list(address)?,
        to: from.list(address)?,
        cc: from.list(address)?,
        bcc: from.list(address)?,
    })
}

fn params(from: &mut Reader) -> Option<Vec<Param>> {
    from.list(|from| {
        Some(Param {
            name: from.string()?,
            value: from.string()?,
        })
    })
}

fn parts(from: &mut Reader) -> Option<Vec<Part>> {
    let count = from.len()?;
    (count <= from.0.len()).then_some(())?;
    let mut parts = Vec::with_capacity(count.min(256));
    let mut last = 0;
    for _ in 0..count {
        let part = part(from, last)?;
        last = part.body.offset;
        parts.push(part);
    }
    Some(parts)
}

fn part(from: &mut Reader, last: u32) -> Option<Part> {
    let bits = from.byte()?;
    let encoding = Encoding::of(bits >> 2 & 7);
    let depth = u8::try_from(from.number()?).ok()?;
    let children = from.u16()?;
    let header = Span {
        offset: last.wrapping_add(from.u32()?),
        len: from.u32()?,
    };
    let body = Span {
        offset: header.end(),
        len: from.u32()?,
    };
    let lines = from.u32()?;
    let decoded = if encoding.is_encoded() {
        from.u32()?
    } else {
        body.len
    };
    let mut part = Part {
        depth,
        children,
        kind: Kind::of(bits & 3),
        header,
        body,
        lines,
        decoded,
        main: from.string()?,
        sub: from.string()?,
        params: params(from)?,
        encoding,
        encoding_raw: from.option()?,
        ..Part::default()
    };
    if bits & 32 != 0 {
        part.disposition = Some(Disposition {
            kind: from.string()?,
            params: params(from)?,
        });
    }
    if bits & 64 != 0 {
        rare(from, &mut part)?;
    }
    Some(part)
}

fn rare(from: &mut Reader, part: &mut Part) -> Option<()> {
    part.id = from.option()?;
    part.description = from.option()?;
    part.md5 = from.option()?;
    part.location = from.option()?;
    part.language = from.list(Reader::string)?;
    if from.byte()? != 0 {
        part.envelope = Some(Box::new(envelope(from)?));
    }
    Some(())
}
