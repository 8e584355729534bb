//! The part tree while it grows: which parts are open, which boundaries they wait for, what their
//! header fields say. Knows nothing of lines; the scanner tells it where they start and end.
use super::fields::{Collector, Name};
use super::preview::Preview;
use super::structure::{Encoding, Flags, Kind, Part, Span, Structure};
use super::transfer::Counter;
use super::{header, params};
use crate::limits::{MIME_BOUNDARY, MIME_DEPTH, MIME_PARTS};

/// A place in the message: the start of a line or its end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Octets before it.
    pub(super) at: u64,
    /// Line feeds before it.
    pub(super) lines: u64,
}

/// Where the bodies of parts end.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// Offset of the delimiter line, or of the end of the message.
    pub(super) place: Place,
    /// Octets of the line end before it that belong to the delimiter (RFC 2046 §5.1.1).
    pub(super) line_end: u64,
    /// True where the line before the delimiter, or the unfinished last line, has no octets.
    pub(super) empty_line: bool,
}

/// What a delimiter line stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Index into the stack of open parts.
    level: usize,
    /// `--boundary--`.
    close: bool,
}

/// A part whose end has not been seen.
#[derive(Debug)]
struct Open {
    part: usize,
    body: Place,
    /// Where the last part below it ended: a header that runs up to a delimiter keeps its line end,
    /// and so do the parts around it.
    floor: u64,
    /// Of a multipart; empty for others.
    boundary: Vec<u8>,
    /// The close delimiter has been seen: what follows is epilogue.
    closed: bool,
    /// The header is that of a message.
    message: bool,
}

pub(super) struct Tree {
    parts: Vec<Part>,
    open: Vec<Open>,
    pub(super) collector: Collector,
    leaf: Option<Leaf>,
    preview: String,
    /// The part at the top of the stack is in its header.
    pub(super) in_header: bool,
    /// A boundary is waited for.
    pub(super) bounded: bool,
}

impl Tree {
    pub(super) fn new() -> Tree {
        let mut tree = Tree {
            parts: Vec::new(),
            open: Vec::new(),
            collector: Collector::default(),
            leaf: None,
            preview: String::new(),
            in_header: false,
            bounded: false,
        };
        tree.open_part(0, true);
        tree
    }

    fn open_part(&mut self, at: u64, message: bool) {
        let header = Span {
            offset: offset(at),
            len: 0,
        };
        let depth = self.open.len() as u8;
        if let Some(parent) = self.open.last().and_then(|it| self.parts.get_mut(it.part)) {
            parent.children += 1;
        }
        let part = self.parts.len();
        self.parts.push(Part {
            header,
            depth,
            ..Part::default()
        });
        let body = Place { at, lines: 0 };
        self.open.push(Open {
            part,
            body,
            floor: at,
            boundary: Vec::new(),
            closed: false,
            message,
        });
        self.in_header = true;
        self.leaf = None;
    }

    /// True where the header being read is a message's, not a mere part's.
    pub(super) fn is_message(&self) -> bool {
        self.open.last().is_some_and(|it| it.message)
    }

    /// A field of the part at the top, unfolded.
    pub(super) fn field(&mut self, name: Name, value: &[u8]) {
        let Some(open) = self.open.last() else { return };
        if open.message {
            let outer = self
                .open
                .len()
                .checked_sub(2)
                .and_then(|at| self.open.get(at));
            let outer = outer.and_then(|it| self.parts.get_mut(it.part));
            let inner = outer.map(|it| &mut **it.envelope.get_or_insert_default());
            self.collector.message(inner, name, value);
        }
        if let Some(part) = self.parts.get_mut(open.part) {
            self.collector.content(part, name, value);
        }
    }

    /// The header of the part at the top has ended; its body starts at `body`.
    pub(super) fn end_header(&mut self, body: Place) {
        self.in_header = false;
        let digest = self.in_digest();
        let room = self.parts.len() < MIME_PARTS;
        let depth = self.open.len();
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let Some(part) = self.parts.get_mut(open.part) else {
            return;
        };
        open.body = body;
        part.header.len = offset(body.at).saturating_sub(part.header.offset);
        part.body.offset = part.header.end();
        if part.main.is_empty() {
            let default = if digest {
                ["message", "rfc822"]
            } else {
                ["text", "plain"]
            };
            [part.main, part.sub] = default.map(|it| it.into());
        }
        let deep = depth > usize::from(MIME_DEPTH);
        match container(part) {
            Kind::Multipart if !deep => {
                open.boundary = boundary(part).unwrap_or_default();
                if !open.boundary.is_empty() {
                    part.kind = Kind::Multipart;
                    self.bounded = true;
                }
                self.start_leaf();
            }
            Kind::Message if !deep && room => {
                part.kind = Kind::Message;
                part.envelope = Some(Box::default());
                self.open_part(body.at, true);
            }
            kind => {
                self.collector.truncated_if(kind != Kind::Leaf);
                self.start_leaf();
            }
        }
    }

    /// RFC 2046 §5.1.5: the parts of a digest are messages unless they say otherwise.
    fn in_digest(&self) -> bool {
        let parent = self
            .open
            .len()
            .checked_sub(2)
            .and_then(|at| self.open.get(at));
        parent
            .and_then(|it| self.parts.get(it.part))
            .is_some_and(|it| it.is("multipart", "digest"))
    }

    /// The part at the top takes octets: a leaf, or a multipart that has shown no part yet and may
    /// turn out to have none.
    fn start_leaf(&mut self) {
        let Some(part) = self.open.last().and_then(|it| self.parts.get(it.part)) else {
            return;
        };
        let inner = self.open.iter().skip(1).any(|it| it.message);
        let wanted = self.preview.is_empty() && !inner;
        let preview = if wanted { Preview::of(part) } else { None };
        self.leaf = Some(Leaf::new(part, preview));
    }

    /// Octets of the body at the top, line ends included.
    pub(super) fn feed(&mut self, octets: &[u8]) {
        if let Some(leaf) = &mut self.leaf {
            leaf.feed(octets);
        }
    }

    /// The delimiter that a line is, given its start or all of it. RFC 2046 §5.1.1: it is enough
    /// that the boundary appears at its beginning; so the longest one counts where one boundary is
    /// the beginning of another, and the innermost part still open where they are equal.
    pub(super) fn delimiter(&self, line: &[u8]) -> Option<Delimiter> {
        let line = line.strip_prefix(b"--").filter(|_| self.bounded)?;
        let levels = self.open.iter().enumerate();
        let matching =
            levels.filter(|(_, it)| !it.boundary.is_empty() && line.starts_with(&it.boundary));
        let (level, open) =
            matching.max_by_key(|(level, it)| (it.boundary.len(), !it.closed, *level))?;
        let close = line
            .get(open.boundary.len()..)
            .is_some_and(|it| it.starts_with(b"--"));
        Some(Delimiter { level, close })
    }

    /// A delimiter line has been read. `next` is the start of the line after it.
    pub(super) fn delimit(&mut self, delimiter: Delimiter, end: End) {
        let Some(open) = self.open.get(delimiter.level) else {
            return;
        };
        if open.closed {
            // A delimiter in the epilogue, which means nothing (RFC 2046 §5.1.1).
            return self.close_above(delimiter.level, end);
        }
        self.close_above(delimiter.level, end);
        // The preamble is no part.
        self.leaf = None;
        if let Some(open) = self.open.get_mut(delimiter.level) {
            open.closed = delimiter.close;
        }
    }

    /// Opens the part after a delimiter, where there is room for one.
    pub(super) fn next_part(&mut self, delimiter: Delimiter, at: u64) {
        let closed = self.open.get(delimiter.level).is_none_or(|it| it.closed);
        if closed {
            return;
        }
        if self.parts.len() < MIME_PARTS {
            self.open_part(at, false);
        } else {
            self.collector.truncated_if(true);
        }
    }

    /// Two delimiter lines in a row have no part between them: the line end that the second one
    /// needs before it belongs to the first (RFC 2046 §5.1.1). Nor does one follow a delimiter that
    /// is the last line of the message.
    fn drop_unbegun(&mut self, at: u64) {
        let last = self.parts.len().saturating_sub(1);
        let unbegun = |it: &Open| it.part == last && !it.message;
        let begins = self.parts.last().map(|it| it.header.offset);
        if self.in_header && self.open.last().is_some_and(unbegun) && begins == Some(offset(at)) {
            self.parts.pop();
            self.open.pop();
            self.in_header = false;
            if let Some(outer) = self.open.last().and_then(|it| self.parts.get_mut(it.part)) {
                outer.children = outer.children.saturating_sub(1);
            }
        }
    }

    fn close_above(&mut self, level: usize, end: End) {
        self.drop_unbegun(end.place.at);
        while self.open.len() > level + 1 {
            self.close_top(end);
        }
        self.bounded = self.open.iter().any(|it| !it.boundary.is_empty());
    }

    fn close_top(&mut self, end: End) {
        // A header ends with its part. A message without a body still has a part inside.
        while self.in_header {
            self.end_header(end.place);
        }
        let Some(open) = self.open.pop() else { return };
        let leaf = self.leaf.take();
        let Some(part) = self.parts.get_mut(open.part) else {
            return;
        };
        let stop = end
            .place
            .at
            .saturating_sub(end.line_end)
            .max(open.body.at)
            .max(open.floor);
        if let Some(outer) = self.open.last_mut() {
            outer.floor = stop;
        }
        part.body.len = offset(stop).saturating_sub(part.body.offset);
        part.decoded = part.body.len;
        let lines = lines(open.body, stop, end);
        if part.children == 0 {
            part.kind = Kind::Leaf;
        }
        if let Some(leaf) = leaf {
            let (octets, preview) = leaf.finish(end.line_end == 0);
            if self.preview.is_empty() {
                self.preview = preview;
            }
            part.decoded = offset(octets);
        }
        let multipart = part.kind == Kind::Multipart;
        part.lines = if multipart { 0 } else { lines };
        // What was read as a container, or as one to the end, is not decoded.
        let raw = multipart || (part.main == b"multipart" && !open.boundary.is_empty());
        if raw && part.encoding.is_encoded() {
            part.encoding = Encoding::SevenBit;
        }
        if raw {
            part.decoded = part.body.len;
        }
    }

    /// The message has ended.
    pub(super) fn finish(mut self, end: End) -> Structure {
        self.drop_unbegun(end.place.at);
        while !self.open.is_empty() {
            self.close_top(end);
        }
        self.collector.finish();
        let Collector {
            facts, envelope, ..
        } = self.collector;
        let mut structure = Structure {
            facts,
            envelope,
            parts: self.parts,
            preview: self.preview,
        };
        if structure.bodies().has_attachment(&structure.parts) {
            structure.facts.flags.set(Flags::ATTACHMENT);
        }
        structure
    }
}

/// Lines of a body from `body` to `stop`.
fn lines(body: Place, stop: u64, end: End) -> u32 {
    let feeds = end.place.lines.saturating_sub(body.lines);
    let lines = match (end.line_end > 0, end.empty_line) {
        _ if stop <= body.at => 0,
        (true, _) if stop == end.place.at => feeds,
        // The last line feed went with the delimiter, but its line counts if it has octets.
        (true, true) => feeds.saturating_sub(1),
        (true, false) => feeds,
        (false, true) => feeds,
        (false, false) => feeds + 1,
    };
    offset(lines)
}

/// What a part would be if nothing kept it from being opened.
fn container(part: &Part) -> Kind {
    let message = part.is("message", "rfc822") || part.is("message", "global");
    // RFC 2046 §5.2.1: no encoding but 7bit, 8bit and binary; others are not looked into.
    let plain = matches!(
        part.encoding,
        Encoding::SevenBit | Encoding::EightBit | Encoding::Binary
    );
    match part.main.as_slice() {
        b"multipart" => Kind::Multipart,
        _ if message && plain => Kind::Message,
        _ => Kind::Leaf,
    }
}

/// The boundary of a multipart; `None` without one, or with one too long to look for.
fn boundary(part: &Part) -> Option<Vec<u8>> {
    let plain = part
        .params
        .iter()
        .find(|it| it.name == b"boundary")
        .map(|it| it.value.clone());
    let found = plain.or_else(|| params::decoded(&part.params, "boundary").map(String::into_bytes));
    // RFC 2046 §5.1.1: it cannot end with white space.
    let found = found?.trim_ascii_end().to_vec();
    (1..=MIME_BOUNDARY).contains(&found.len()).then_some(found)
}

/// Offsets and counts are stored in 32 bits; messages are far below 4 GiB.
pub(super) fn offset(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// Splits an unfolded field into the name the scanner knows and its value.
pub(super) fn known_field(field: &[u8]) -> Option<(Option<Name>, &[u8])> {
    header::split(field).map(|(name, value)| (Name::of(name), value))
}

/// The body of the part at the top. The last line end is held back, as it belongs to a delimiter
/// that may follow.
struct Leaf {
    counter: Counter,
    preview: Option<Preview>,
    held: Vec<u8>,
}

impl Leaf {
    fn new(part: &Part, preview: Option<Preview>) -> Leaf {
        Leaf {
            counter: Counter::new(part.encoding),
            preview,
            held: Vec::with_capacity(2),
        }
    }

    fn feed(&mut self, mut octets: &[u8]) {
        if self.held == b"\r"
            && let Some(rest) = octets.strip_prefix(b"\n")
        {
            self.held.push(b'\n');
            octets = rest;
        }
        if octets.is_empty() {
            return;
        }
        self.release();
        let text = octets.strip_suffix(b"\n").unwrap_or(octets);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        self.put(text);
        self.held
            .extend_from_slice(octets.get(text.len()..).unwrap_or_default());
    }

    fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        if !held.is_empty() {
            self.put(&held);
            self.held = held;
            self.held.clear();
        }
    }

    fn put(&mut self, octets: &[u8]) {
        self.counter.push(octets);
        if let Some(preview) = &mut self.preview {
            preview.push(octets);
        }
    }

    /// Decoded octets and preview. `whole` says that the last line end belongs to the body.
    fn finish(mut self, whole: bool) -> (u64, String) {
        if whole {
            self.release();
        }
        let preview = self.preview.map(Preview::finish).unwrap_or_default();
        (self.counter.finish(), preview)
    }
}
