//! What is known of a message once it has been scanned: the values that are stored with it.
//!
//! RFC 2045, 2046, 2183 (parts), RFC 5322 (envelope), RFC 9051 §7.5.2 (what IMAP shows of them),
//! RFC 8970 (preview), RFC 8621 §4.1.4 (attachments). All octets are as in the message: nothing is
//! decoded except where a method says so. Lists and strings are bounded by `limits::MIME_*`; where
//! something was left out [`Flags::TRUNCATED`] is set, and whoever needs all of it reads the header
//! block itself.
use super::{params, text};

/// A run of octets in the raw message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset from the start of the message, in octets.
    pub offset: u32,
    /// Length in octets.
    pub len: u32,
}

impl Span {
    /// Offset of the first octet after the run.
    pub fn end(self) -> u32 {
        self.offset.saturating_add(self.len)
    }
}

/// What a part is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// No parts below it. Also a container that could not be opened, see [`Part::is_opaque`].
    #[default]
    Leaf,
    /// `multipart/*` with at least one child.
    Multipart,
    /// `message/rfc822` or `message/global`, not encoded. Its one child is the root part of the
    /// message inside, whose header block is the child's [`Part::header`].
    Message,
}

/// Content-Transfer-Encoding (RFC 2045 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// 7bit, the default of RFC 2045 §6.1.
    #[default]
    SevenBit,
    /// 8bit.
    EightBit,
    /// binary.
    Binary,
    /// base64.
    Base64,
    /// quoted-printable.
    QuotedPrintable,
    /// Anything else: the octets are handed out as they are (RFC 2045 §6.4).
    Unknown,
}

impl Encoding {
    /// Reads the value of a Content-Transfer-Encoding field, letter case ignored.
    pub fn from_name(name: &[u8]) -> Encoding {
        const NAMES: [(&[u8], Encoding); 5] = [
            (b"7bit", Encoding::SevenBit),
            (b"8bit", Encoding::EightBit),
            (b"binary", Encoding::Binary),
            (b"base64", Encoding::Base64),
            (b"quoted-printable", Encoding::QuotedPrintable),
        ];
        let known = NAMES
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known));
        known.map_or(Encoding::Unknown, |(_, encoding)| *encoding)
    }

    /// True for base64 and quoted-printable, whose octets differ from the message's.
    pub fn is_encoded(self) -> bool {
        matches!(self, Encoding::Base64 | Encoding::QuotedPrintable)
    }
}

/// One `name=value` of Content-Type or Content-Disposition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Param {
    /// In lower case, RFC 2231 marks included (`filename*0*`).
    pub name: Vec<u8>,
    /// Without the quotes, quoted pairs resolved, RFC 2231 and RFC 2047 encoding kept.
    pub value: Vec<u8>,
}

/// Content-Disposition (RFC 2183).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// `inline`, `attachment`, ... in lower case.
    pub kind: Vec<u8>,
    /// Its parameters, in order.
    pub params: Vec<Param>,
}

/// One part of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// 0 for the message itself.
    pub depth: u8,
    /// Number of direct children; they follow in pre-order.
    pub children: u16,
    /// Whether and how the part has parts below it.
    pub kind: Kind,
    /// The header block, with the empty line that ends it.
    pub header: Span,
    /// The body, without the line end that belongs to the boundary after it (RFC 2046 §5.1.1).
    pub body: Span,
    /// Lines of the body as it stands in the message (IMAP body-fld-lines). 0 for a multipart.
    pub lines: u32,
    /// Octets of the body after base64 or quoted-printable has been decoded.
    pub decoded: u32,
    /// Media type in lower case, by default `text`.
    pub main: Vec<u8>,
    /// Media subtype in lower case, by default `plain`.
    pub sub: Vec<u8>,
    /// Parameters of Content-Type, in order.
    pub params: Vec<Param>,
    /// Content-Transfer-Encoding as understood.
    pub encoding: Encoding,
    /// Content-Transfer-Encoding as written, `None` where there is no such field.
    pub encoding_raw: Option<Vec<u8>>,
    /// Content-ID, with its angle brackets.
    pub id: Option<Vec<u8>>,
    /// Content-Description, unfolded.
    pub description: Option<Vec<u8>>,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Location, white space removed.
    pub location: Option<Vec<u8>>,
    /// Content-Language, one tag each.
    pub language: Vec<Vec<u8>>,
    /// Content-Disposition.
    pub disposition: Option<Disposition>,
    /// The envelope of the message inside; only where `kind` is [`Kind::Message`].
    pub envelope: Option<Box<Envelope>>,
}

impl Part {
    /// True where the media type is exactly `main/sub` (given in lower case).
    pub fn is(&self, main: &str, sub: &str) -> bool {
        self.main == main.as_bytes() && self.sub == sub.as_bytes()
    }

    /// True for a multipart or message that is handed out as one block: no boundary, an encoding
    /// where RFC 2046 §5.2.1 allows none, nested beyond the limit.
    pub fn is_opaque(&self) -> bool {
        let message = self.is("message", "rfc822") || self.is("message", "global");
        self.kind == Kind::Leaf && (message || self.main == b"multipart")
    }

    /// The media type to show a client: a container without parts is `text/plain` where it was a
    /// multipart (a person can read it) and `application/octet-stream` where it was a message, as
    /// RFC 9051 has no BODYSTRUCTURE for either.
    pub fn media(&self) -> (&[u8], &[u8]) {
        match (self.is_opaque(), self.main == b"multipart") {
            (true, true) => (b"text", b"plain"),
            (true, false) => (b"application", b"octet-stream"),
            _ => (&self.main, &self.sub),
        }
    }

    /// The value of a Content-Type parameter, decoded (RFC 2231, RFC 2047).
    pub fn param(&self, name: &str) -> Option<String> {
        params::decoded(&self.params, name)
    }

    /// The charset parameter in lower case; `None` where none is given.
    pub fn charset(&self) -> Option<String> {
        self.param("charset").map(|name| name.to_ascii_lowercase())
    }

    /// The file name: of Content-Disposition, else the `name` of Content-Type (RFC 8621 §4.1.4).
    pub fn filename(&self) -> Option<String> {
        let disposition = self.disposition.as_ref();
        disposition
            .and_then(|it| params::decoded(&it.params, "filename"))
            .or_else(|| self.param("name"))
    }

    /// True where Content-Disposition says `kind` (given in lower case).
    pub fn is_disposed(&self, kind: &str) -> bool {
        self.disposition
            .as_ref()
            .is_some_and(|it| it.kind == kind.as_bytes())
    }
}

/// One element of an address list (RFC 5322 §3.4), flat as IMAP shows it (RFC 9051 §7.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A mailbox. `host` is empty where the message gives none.
    Mailbox {
        /// Display name, quotes removed, encoded words kept.
        name: Option<Vec<u8>>,
        /// The local part, quotes removed.
        local: Vec<u8>,
        /// The domain.
        host: Vec<u8>,
    },
    /// `name:`, the start of a group.
    Group(Vec<u8>),
    /// `;`, the end of the group.
    GroupEnd,
}

/// The header fields IMAP's ENVELOPE shows (RFC 9051 §7.5.2), as the message has them: the default
/// of Sender and Reply-To is left to [`Envelope::sender`] and [`Envelope::reply_to`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date, unfolded.
    pub date: Option<Vec<u8>>,
    /// Subject, unfolded, encoded words kept.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<Address>,
    /// Sender; empty where absent.
    pub raw_sender: Vec<Address>,
    /// Reply-To; empty where absent.
    pub raw_reply_to: Vec<Address>,
    /// To.
    pub to: Vec<Address>,
    /// Cc.
    pub cc: Vec<Address>,
    /// Bcc.
    pub bcc: Vec<Address>,
    /// In-Reply-To, unfolded.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID, unfolded, with its angle brackets.
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Sender, by default From (RFC 9051 §7.5.2).
    pub fn sender(&self) -> &[Address] {
        if self.raw_sender.is_empty() {
            &self.from
        } else {
            &self.raw_sender
        }
    }

    /// Reply-To, by default From (RFC 9051 §7.5.2).
    pub fn reply_to(&self) -> &[Address] {
        if self.raw_reply_to.is_empty() {
            &self.from
        } else {
            &self.raw_reply_to
        }
    }
}

/// A moment with the offset it was written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub secs: i64,
    /// Minutes east of UTC.
    pub offset: i16,
}

/// Facts about a message, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u16);

impl Flags {
    /// A part a person would want to save (RFC 8621 §4.1.4 hasAttachment).
    pub const ATTACHMENT: Flags = Flags(1);
    /// An octet over 127 in the message's or a part's header.
    pub const EIGHT_BIT_HEADER: Flags = Flags(2);
    /// An octet over 127 anywhere.
    pub const EIGHT_BIT: Flags = Flags(4);
    /// A NUL octet anywhere.
    pub const NUL: Flags = Flags(8);
    /// A line feed without a carriage return before it.
    pub const BARE_LF: Flags = Flags(16);
    /// Something was left out because of a limit; the header block has it.
    pub const TRUNCATED: Flags = Flags(32);
    /// The Subject marks a reply or a forward (RFC 5256 §2.1).
    pub const REPLY: Flags = Flags(64);

    /// True where all bits of `other` are set.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Sets the bits of `other`.
    pub fn set(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

/// A message's small facts: what deliver, thread and search need without the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Bits.
    pub flags: Flags,
    /// Number of Received fields, for loop detection (RFC 5321 §6.3).
    pub received: u16,
    /// The Date field, where it can be read.
    pub sent_at: Option<DateTime>,
    /// [`super::msgid::hash`] of the Message-ID.
    pub message_id: Option<u64>,
    /// Hash of the base subject (RFC 5256 §2.1, letter case ignored); 0 where it is empty.
    pub subject: u64,
    /// Hashes of the ids in References as they stand there, oldest first, then of those in
    /// In-Reply-To that are not among them; of a longer list the first and the last ones.
    pub references: Vec<u64>,
    /// Which of them are the message's ancestors by RFC 5256 §3; `None` where the message was stored
    /// before this was noted.
    pub ancestry: Option<Ancestry>,
}

/// What THREAD=REFERENCES needs to know of [`Facts::references`] beside the ids (RFC 5256 §3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ancestry {
    /// So many of the list, from its start, are of References.
    pub listed: u8,
    /// Some in the middle were left out.
    pub gap: bool,
}

/// Everything stored about a message's inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// Small facts.
    pub facts: Facts,
    /// The message's own envelope.
    pub envelope: Envelope,
    /// The part tree in pre-order; `parts[0]` is the message itself. Never empty.
    pub parts: Vec<Part>,
    /// The first 256 octets or less of readable text (RFC 8970), white space collapsed.
    pub preview: String,
}

impl Structure {
    /// True where a client should show a paper clip (RFC 8621 §4.1.4).
    pub fn has_attachment(&self) -> bool {
        self.facts.flags.has(Flags::ATTACHMENT)
    }

    /// Which parts are shown and which are attached (RFC 8621 §4.1.4), as indexes into `parts`.
    pub fn bodies(&self) -> text::Bodies {
        text::Bodies::of(&self.parts)
    }

    /// Indexes of the direct children of `parts[index]`.
    pub fn children(&self, index: usize) -> Children<'_> {
        children(&self.parts, index)
    }
}

/// Indexes of the direct children of `parts[index]`, in order.
pub fn children(parts: &[Part], index: usize) -> Children<'_> {
    let (depth, left) = parts
        .get(index)
        .map_or((0, 0), |it| (it.depth, it.children));
    Children {
        parts,
        next: index + 1,
        depth: depth.saturating_add(1),
        left,
    }
}

/// Iterator of [`children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    parts: &'a [Part],
    next: usize,
    depth: u8,
    left: u16,
}

impl Iterator for Children<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let found = self.next;
        self.parts.get(found).filter(|it| it.depth == self.depth)?;
        let rest = self.parts.get(found + 1..)?;
        let skip = rest.iter().take_while(|it| it.depth > self.depth).count();
        self.next = found + 1 + skip;
        Some(found)
    }
}
