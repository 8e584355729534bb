//! The streaming scanner: one pass over a message of any size, in constant memory.
//!
//! It sees lines. A body's lines are passed on in runs as long as they can be; only a line that
//! starts with `--` while a boundary is waited for is looked at alone, and a header's lines are.
//! What has to be kept from one push to the next is at most one header field (`limits::MIME_FIELD`)
//! and the start of one line. Nothing is refused:
//! * a header without its empty line ends with the message or at a boundary;
//! * a first line that is no field means that there is no header, also below trace fields alone;
//! * a later line that is no field is skipped, as the mbox `From ` line is;
//! * a multipart without any part, and a container beyond the limits, is a leaf
//!   ([`super::Part::is_opaque`]).
use memchr::{memchr, memchr_iter};

use super::fields::Name;
use super::header;
use super::structure::{Flags, Structure};
use super::tree::{Delimiter, End, Place, Tree, known_field};
use crate::limits::{MIME_BOUNDARY, MIME_FIELD, MIME_NAME};

/// Octets at the start of a line that decide whether it is a delimiter: `--`, boundary, `--`.
const DELIMITER: usize = MIME_BOUNDARY + 4;

/// Reads a message once; see the module's head.
pub struct Scanner {
    tree: Tree,
    flags: Flags,
    /// Octets taken so far.
    at: u64,
    /// The octet before, to tell CRLF from a bare line feed.
    last: u8,
    /// Start of the line we are in.
    line: Place,
    /// Length of the line end before it, and whether there was nothing else on that line.
    line_end: u64,
    empty_line: bool,
    /// The start of the line we are in, while it is undecided.
    carry: Vec<u8>,
    /// The rest of the line is skipped; the part to open behind it.
    skipping: Option<Delimiter>,
    field: Field,
}

/// The header field that is being put together.
#[derive(Default)]
struct Field {
    text: Vec<u8>,
    /// `None` while the field is one that does not matter.
    name: Option<Name>,
    /// Lines of this header so far.
    lines: u32,
    /// A field was seen that no server adds on its own.
    written: bool,
}

/// What a header line is.
enum Line {
    Delimiter(Delimiter),
    /// The empty line.
    End,
    Continuation,
    Field,
    /// No field; skipped.
    Junk,
    /// No field where one has to be: the body has started.
    Body,
}

impl Default for Scanner {
    fn default() -> Scanner {
        Scanner {
            tree: Tree::new(),
            flags: Flags::default(),
            at: 0,
            last: 0,
            line: Place::default(),
            line_end: 0,
            empty_line: true,
            carry: Vec::new(),
            skipping: None,
            field: Field::default(),
        }
    }
}

impl Scanner {
    /// A scanner at the start of a message.
    pub fn new() -> Scanner {
        Scanner::default()
    }

    /// Takes the next octets; how the message is cut makes no difference.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.flags.has(Flags::NUL) && memchr(0, octets).is_some() {
            self.flags.set(Flags::NUL);
        }
        if !self.flags.has(Flags::EIGHT_BIT) && !octets.is_ascii() {
            self.flags.set(Flags::EIGHT_BIT);
        }
        let mut rest = octets;
        while !rest.is_empty() {
            let taken = self.step(rest);
            let (done, tail) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            self.at += done.len() as u64;
            self.last = done.last().copied().unwrap_or(self.last);
            rest = tail;
        }
    }

    /// The message has ended.
    pub fn finish(mut self) -> Structure {
        let carry = std::mem::take(&mut self.carry);
        if !carry.is_empty() {
            self.last_line(&carry);
        }
        if self.tree.in_header {
            self.end_field();
        }
        let place = Place {
            at: self.at,
            lines: self.line.lines,
        };
        let empty_line = self.at == self.line.at;
        let end = End {
            place,
            line_end: 0,
            empty_line,
        };
        let mut structure = self.tree.finish(end);
        structure.facts.flags.set(self.flags);
        structure
    }

    /// Does one thing to the start of `rest`; returns how many octets are done with.
    fn step(&mut self, rest: &[u8]) -> usize {
        if let Some(delimiter) = self.skipping {
            return self.skip(rest, delimiter);
        }
        if self.tree.in_header {
            return self.header(rest);
        }
        let undecided = self.at == self.line.at || !self.carry.is_empty();
        if self.tree.bounded && undecided && (rest.first() == Some(&b'-') || !self.carry.is_empty())
        {
            return self.candidate(rest);
        }
        self.run(rest, self.at, self.last)
    }

    // Bodies.

    /// Body octets from `base` on, up to a line that may be a delimiter.
    fn run(&mut self, octets: &[u8], base: u64, before: u8) -> usize {
        let mut taken = octets.len();
        for feed in memchr_iter(b'\n', octets) {
            let previous = feed
                .checked_sub(1)
                .and_then(|at| octets.get(at))
                .unwrap_or(&before);
            self.end_line(base + feed as u64 + 1, *previous == b'\r');
            let stop = matches!(octets.get(feed + 1..), Some([] | [b'-'] | [b'-', b'-', ..]));
            if stop && self.tree.bounded {
                taken = feed + 1;
                break;
            }
        }
        self.tree.feed(octets.get(..taken).unwrap_or_default());
        taken
    }

    /// The line we are in has ended with the octet before `next`.
    fn end_line(&mut self, next: u64, carriage_return: bool) {
        self.line_end = 1 + u64::from(carriage_return);
        self.empty_line = next - self.line.at <= self.line_end;
        self.line = Place {
            at: next,
            lines: self.line.lines + 1,
        };
        if !carriage_return {
            self.flags.set(Flags::BARE_LF);
        }
    }

    /// A body line that starts with `-`, from its start or behind what is carried of it.
    fn candidate(&mut self, rest: &[u8]) -> usize {
        let wanted = rest.get(..DELIMITER - self.carry.len()).unwrap_or(rest);
        let taken = memchr(b'\n', wanted).map_or(wanted.len(), |feed| feed + 1);
        let piece = rest.get(..taken).unwrap_or(rest);
        let complete = piece.ends_with(b"\n") || self.carry.len() + taken == DELIMITER;
        if self.carry.is_empty() && complete {
            return self.decide(piece, self.last);
        }
        let hopeless =
            self.carry.is_empty() && matches!(piece, [b'-', other, ..] if *other != b'-');
        if hopeless {
            return self.run(piece, self.at, self.last);
        }
        self.carry.extend_from_slice(piece);
        if complete {
            let line = std::mem::take(&mut self.carry);
            self.decide(&line, b'\n');
        }
        taken
    }

    /// The start of a body line, or all of it: a delimiter or text.
    fn decide(&mut self, line: &[u8], before: u8) -> usize {
        match self.tree.delimiter(line) {
            Some(delimiter) => {
                self.delimit(delimiter, line);
                line.len()
            }
            None => self.run(line, self.line.at, before),
        }
    }

    /// A delimiter whose start, or all of it, is `line`.
    fn delimit(&mut self, delimiter: Delimiter, line: &[u8]) {
        let end = End {
            place: self.line,
            line_end: self.line_end,
            empty_line: self.empty_line,
        };
        self.tree.delimit(delimiter, end);
        match line.strip_suffix(b"\n") {
            Some(text) => {
                let next = self.line.at + line.len() as u64;
                self.end_line(next, text.ends_with(b"\r"));
                self.next_part(delimiter);
            }
            None => self.skipping = Some(delimiter),
        }
    }

    fn next_part(&mut self, delimiter: Delimiter) {
        self.skipping = None;
        self.field = Field::default();
        self.tree.next_part(delimiter, self.line.at);
    }

    /// The rest of a delimiter line.
    fn skip(&mut self, rest: &[u8], delimiter: Delimiter) -> usize {
        let Some(feed) = memchr(b'\n', rest) else {
            return rest.len();
        };
        let before = feed
            .checked_sub(1)
            .and_then(|at| rest.get(at))
            .unwrap_or(&self.last);
        self.end_line(self.at + feed as u64 + 1, *before == b'\r');
        self.next_part(delimiter);
        feed + 1
    }

    // Headers.

    /// Takes a header line, or carries what there is of it.
    fn header(&mut self, rest: &[u8]) -> usize {
        let feed = memchr(b'\n', rest);
        let line = feed.and_then(|feed| rest.get(..=feed));
        if let (Some(line), true) = (line, self.carry.is_empty()) {
            return self.header_line(line, self.last);
        }
        // First as much as tells a field from text, then the rest of the line.
        let room = MIME_NAME.saturating_sub(self.carry.len());
        let undecided = room > 0;
        let wanted = line.unwrap_or(rest);
        let piece = wanted.get(..room).filter(|_| undecided).unwrap_or(wanted);
        let keep = (MIME_FIELD + 2).saturating_sub(self.carry.len());
        self.carry
            .extend_from_slice(piece.get(..keep).unwrap_or(piece));
        let complete = piece.ends_with(b"\n");
        if complete && self.carry.last() != Some(&b'\n') {
            // Cut: the line end stands for what was left out.
            self.carry.push(b'\n');
        }
        let full = undecided && self.carry.len() == MIME_NAME;
        if complete || (full && matches!(self.classify(&self.carry), Line::Body)) {
            let carried = std::mem::take(&mut self.carry);
            let before = if piece.len() > 1 {
                piece.get(piece.len() - 2)
            } else {
                None
            };
            let before = *before.unwrap_or(&self.last);
            self.carried_line(&carried, before, self.at + piece.len() as u64);
        }
        piece.len()
    }

    /// A header line that came in pieces; `before` is the octet before its last one.
    fn carried_line(&mut self, line: &[u8], before: u8, next: u64) {
        match self.classify(line) {
            Line::Body => {
                self.start_body(self.line);
                self.again(line);
            }
            Line::Delimiter(delimiter) => {
                self.end_field();
                let start = line.get(..DELIMITER).unwrap_or(line);
                let start = start.strip_suffix(b"\n").unwrap_or(start);
                self.delimit(delimiter, start);
                self.end_line(next, before == b'\r');
                self.next_part(delimiter);
            }
            kind => {
                self.end_line(next, before == b'\r');
                self.take_line(kind, line);
            }
        }
    }

    /// A whole header line with its line feed; returns how much of it is done with.
    fn header_line(&mut self, line: &[u8], before: u8) -> usize {
        match self.classify(line) {
            Line::Body => {
                self.start_body(self.line);
                return 0;
            }
            Line::Delimiter(delimiter) => {
                self.end_field();
                self.delimit(delimiter, line);
            }
            kind => {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                let previous = *text.last().unwrap_or(&before);
                self.end_line(self.line.at + line.len() as u64, previous == b'\r');
                self.take_line(kind, line);
            }
        }
        line.len()
    }

    /// The start of a carried line turned out to be body: it goes through the scanner again, as a
    /// body, or as the header of the message that this body is.
    fn again(&mut self, line: &[u8]) {
        let at = self.at;
        let last = self.last;
        self.at = self.line.at;
        let mut rest = line;
        while !rest.is_empty() {
            let taken = self.step(rest);
            let (done, tail) = rest.split_at_checked(taken).unwrap_or((rest, &[]));
            self.at += done.len() as u64;
            self.last = done.last().copied().unwrap_or(self.last);
            rest = tail;
        }
        (self.at, self.last) = (at, last);
    }

    /// What a header line is, from its first octets.
    fn classify(&self, line: &[u8]) -> Line {
        if let Some(delimiter) = self.tree.delimiter(line) {
            return Line::Delimiter(delimiter);
        }
        let head = line.get(..MIME_NAME).unwrap_or(line);
        let first = self.field.lines == 0;
        match line {
            [b'\n', ..] | [b'\r', b'\n', ..] => Line::End,
            [b' ' | b'\t', ..] if !first => Line::Continuation,
            _ if header::split(head).is_some() => Line::Field,
            _ if is_mbox(line) && first && self.tree.is_message() => Line::Junk,
            _ if first || !self.field.written => Line::Body,
            _ => Line::Junk,
        }
    }

    /// Takes a header line whose end has been counted.
    fn take_line(&mut self, kind: Line, line: &[u8]) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if !text.get(..MIME_FIELD).unwrap_or(text).is_ascii() {
            self.flags.set(Flags::EIGHT_BIT_HEADER);
        }
        match kind {
            Line::Continuation => self.add_to_field(text),
            Line::Field => {
                self.end_field();
                self.start_field(text);
            }
            Line::End => {
                self.end_field();
                self.start_body(self.line);
            }
            Line::Junk | Line::Body | Line::Delimiter(_) => self.end_field(),
        }
        if self.tree.in_header && !matches!(kind, Line::End) {
            // The mbox line does not count: the first field is still to come.
            let mbox = matches!(kind, Line::Junk) && self.field.lines == 0;
            self.field.lines += u32::from(!mbox);
        }
    }

    fn start_field(&mut self, text: &[u8]) {
        let head = text.get(..MIME_NAME).unwrap_or(text);
        let Some((name, _)) = known_field(head) else {
            return;
        };
        self.field.written |= name.is_none_or(|it| !it.is_trace());
        self.field.name = name;
        self.add_to_field(text);
    }

    fn add_to_field(&mut self, text: &[u8]) {
        if self.field.name.is_none() {
            return;
        }
        let room = MIME_FIELD.saturating_sub(self.field.text.len());
        self.tree.collector.truncated_if(text.len() > room);
        self.field
            .text
            .extend_from_slice(text.get(..room).unwrap_or(text));
    }

    fn end_field(&mut self) {
        let text = std::mem::take(&mut self.field.text);
        if let Some(name) = self.field.name.take()
            && let Some((_, value)) = known_field(&text)
        {
            self.tree.field(name, value);
        }
        self.field.text = text;
        self.field.text.clear();
        if self.field.text.capacity() > 4096 {
            self.field.text.shrink_to(4096);
        }
    }

    fn start_body(&mut self, body: Place) {
        self.end_field();
        self.field = Field::default();
        self.tree.end_header(body);
    }

    /// The last line of the message, which has no line feed.
    fn last_line(&mut self, line: &[u8]) {
        if !self.tree.in_header {
            self.decide(line, b'\n');
            return;
        }
        match self.classify(line) {
            Line::Body => {
                self.start_body(self.line);
                if self.tree.in_header {
                    self.last_line(line)
                } else {
                    self.tree.feed(line)
                }
            }
            Line::Delimiter(delimiter) => {
                self.end_field();
                self.delimit(delimiter, line);
            }
            Line::End => self.end_field(),
            kind => self.take_line(kind, line),
        }
    }
}

/// The line that mbox files, and some programs that read them, put before a message.
fn is_mbox(line: &[u8]) -> bool {
    line.starts_with(b"From ") || line.starts_with(b">From ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::structure::Address;
    use proptest::prelude::*;

    fn scan(message: &[u8]) -> Structure {
        let mut scanner = Scanner::new();
        scanner.push(message);
        scanner.finish()
    }

    fn scan_in(message: &[u8], cuts: &[usize]) -> Structure {
        let mut scanner = Scanner::new();
        let mut rest = message;
        for cut in cuts.iter().cycle().take_while(|_| !cuts.is_empty()) {
            let (piece, tail) = rest.split_at((*cut).clamp(1, rest.len().max(1)).min(rest.len()));
            scanner.push(piece);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        scanner.push(rest);
        scanner.finish()
    }

    /// `depth type [body] lines decoded` of each part.
    fn show(message: &[u8]) -> Vec<String> {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let parts = scan(message).parts;
        let lines = parts.iter().map(|part| {
            let body = &message[part.body.offset as usize..part.body.end() as usize];
            let body = if part.children > 0 {
                "..".into()
            } else {
                text(body)
            };
            let (depth, lines, decoded) = (part.depth, part.lines, part.decoded);
            let media = format!("{}/{}", text(&part.main), text(&part.sub));
            format!("{depth} {media} [{body}] {lines} {decoded}")
        });
        lines.collect()
    }

    fn crlf(text: &str) -> Vec<u8> {
        text.replace('\n', "\r\n").into_bytes()
    }

    #[test]
    fn a_plain_message() {
        let message = crlf("Subject: hi\n there\nFrom: A <a@b>\n\nHello,\nworld\n");
        let found = scan(&message);
        assert_eq!(show(&message), ["0 text/plain [Hello,\r\nworld\r\n] 2 15"]);
        assert_eq!(found.parts[0].header.len, 38);
        assert_eq!(found.envelope.subject.as_deref(), Some(&b"hi there"[..]));
        let from = Address::Mailbox {
            name: Some(b"A".to_vec()),
            local: b"a".to_vec(),
            host: b"b".to_vec(),
        };
        assert_eq!(found.envelope.sender(), [from]);
        assert_eq!(found.preview, "Hello, world");
        assert_eq!(found.facts.flags, Flags::default());
    }

    #[test]
    fn the_example_of_rfc_2046_5_1_1() {
        let message = crlf(
            "From: Nathaniel Borenstein <nsb@bellcore.com>\nMIME-Version: 1.0\n\
             Content-type: multipart/mixed; boundary=\"simple boundary\"\n\n\
             This is the preamble.\n\n--simple boundary\n\n\
             This is implicitly typed plain US-ASCII text.\nIt does NOT end with a linebreak.\n\
             --simple boundary\nContent-type: text/plain; charset=us-ascii\n\n\
             This is explicitly typed plain US-ASCII text.\nIt DOES end with a linebreak.\n\n\
             --simple boundary--\n\nThis is the epilogue.\n",
        );
        let expected = [
            "0 multipart/mixed [..] 0 396",
            "1 text/plain [This is implicitly typed plain US-ASCII text.\r\nIt does NOT end with a linebreak.] 2 80",
            "1 text/plain [This is explicitly typed plain US-ASCII text.\r\nIt DOES end with a linebreak.\r\n] 2 78",
        ];
        let mut shown = show(&message);
        shown[0] = shown[0].replace(char::is_numeric, "");
        let mut expected = expected.map(str::to_owned);
        expected[0] = expected[0].replace(char::is_numeric, "");
        assert_eq!(shown, expected);
    }

    #[test]
    fn digests_and_nested_messages() {
        let message = crlf(
            "Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: a\nFrom: b@c\n\none\n\n\
             --x\nContent-Type: message/rfc822\n\nSubject: d\nContent-Type: multipart/mixed;boundary=xy\n\n\
             --xy\n\ntwo\n--xy--\n--x--\n",
        );
        let shown = show(&message);
        assert_eq!(
            shown[1..4],
            [
                "1 message/rfc822 [..] 4 30",
                "2 text/plain [one\r\n] 1 5",
                "1 message/rfc822 [..] 7 76",
            ]
        );
        assert_eq!(shown[5], "3 text/plain [two] 1 3");
        let parts = scan(&message).parts;
        let subject = |at: usize| {
            parts[at]
                .envelope
                .as_ref()
                .unwrap()
                .subject
                .clone()
                .unwrap()
        };
        assert_eq!((subject(1), subject(3)), (b"a".to_vec(), b"d".to_vec()));
        assert_eq!(crate::mime::children(&parts, 0).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(scan(&message).preview, "");
        assert!(scan(&message).has_attachment());
    }

    #[test]
    fn encodings_are_counted() {
        let message = crlf(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: BASE64\n\n\
             SGVs\nbG8=\n--b\nContent-Transfer-Encoding: quoted-printable\n\na=\n=C3=A9 \nb\n--b\n\
             Content-Transfer-Encoding: x-uue\n\nabc\n--b--",
        );
        let shown = show(&message);
        assert_eq!(shown[1], "1 text/plain [SGVs\r\nbG8=] 2 5");
        assert_eq!(shown[2], "1 text/plain [a=\r\n=C3=A9 \r\nb] 3 6");
        assert_eq!(shown[3], "1 text/plain [abc] 1 3");
        assert_eq!(scan(&message).preview, "Hello");
    }

    #[test]
    fn boundaries_that_are_the_start_of_others() {
        // RFC 2046 §5.1.1: a delimiter need only start with the boundary.
        let message = crlf(
            "Content-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=ab\n\n--ab\n\none\n--abc\n\ntwo\n--ab--\n\
             --abepilogue\n--a \t\n\nthree\n--a--\nend\n--a\n\nno part",
        );
        let shown = show(&message);
        let leaves: Vec<_> = shown.iter().filter(|it| !it.contains("..")).collect();
        assert_eq!(
            leaves,
            [
                "2 text/plain [one] 1 3",
                "2 text/plain [two] 1 3",
                "1 text/plain [three] 1 5",
            ]
        );
    }

    #[test]
    fn broken_containers() {
        // No boundary parameter, a boundary that never comes, no end, header only.
        assert_eq!(
            show(b"Content-Type: multipart/mixed\r\n\r\nhi\r\n"),
            ["0 multipart/mixed [hi\r\n] 1 4"]
        );
        let lost = b"Content-Type: multipart/mixed; boundary=x\r\n\r\nhi\r\nho";
        assert_eq!(show(lost), ["0 multipart/mixed [hi\r\nho] 2 6"]);
        let found = scan(lost);
        assert!(found.parts[0].is_opaque());
        assert_eq!(found.parts[0].media(), (&b"text"[..], &b"plain"[..]));
        assert_eq!(found.preview, "hi ho");
        let open =
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\n--x\nContent-Type: a/b";
        assert_eq!(show(open)[1..], ["1 text/plain [hi] 1 2", "1 a/b [] 0 0"]);
        let empty = crlf(
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x\n--x\nContent-Type: message/rfc822\n--x--\n",
        );
        assert_eq!(
            show(&empty)[1..],
            [
                "1 text/plain [] 0 0",
                "1 message/rfc822 [..] 0 0",
                "2 text/plain [] 0 0"
            ]
        );
        let opaque = b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQQ==\n";
        assert_eq!(show(opaque), ["0 message/rfc822 [QQ==\n] 1 1"]);
        assert_eq!(
            scan(opaque).parts[0].media(),
            (&b"application"[..], &b"octet-stream"[..])
        );
    }

    #[test]
    fn headers_that_are_none() {
        assert_eq!(show(b""), ["0 text/plain [] 0 0"]);
        assert_eq!(show(b"\r\n"), ["0 text/plain [] 0 0"]);
        assert_eq!(
            show(b"Hello you\nthere"),
            ["0 text/plain [Hello you\nthere] 2 15"]
        );
        assert_eq!(show(b"Subject: only"), ["0 text/plain [] 0 0"]);
        assert_eq!(
            show(b"From a@b Sat\nSubject: x\njunk\nTo: y\n\nz"),
            ["0 text/plain [z] 1 1"]
        );
        // A text without a header below what servers put on top.
        assert_eq!(
            show(b"Received: x\r\n y\r\nHello\r\n"),
            ["0 text/plain [Hello\r\n] 1 7"]
        );
        assert_eq!(scan(b"To: a@b\nTo: c@d\n").envelope.to.len(), 1);
        let flags = scan(b"Subject: \xe9\0\n\n").facts.flags;
        let expected =
            Flags::EIGHT_BIT.0 | Flags::EIGHT_BIT_HEADER.0 | Flags::NUL.0 | Flags::BARE_LF.0;
        assert_eq!(flags.0, expected);
    }

    #[test]
    fn facts_for_threads_and_loops() {
        let message = crlf(
            "Received: a\nReceived: b\nDate: Fri, 21 Nov 1997 09:55:06 -0600\nMessage-ID: <c@d>\n\
             References: <a@b> <b@c>\nIn-Reply-To: <b@c>\nSubject: Re: x\n\n",
        );
        let facts = scan(&message).facts;
        let hash = |id: &str| crate::mime::msgid::hash(id.as_bytes());
        assert_eq!(facts.received, 2);
        assert_eq!(facts.message_id, Some(hash("c@d")));
        assert_eq!(facts.references, [hash("a@b"), hash("b@c")]);
        assert_eq!(facts.subject, hash("x"));
        assert!(facts.flags.has(Flags::REPLY));
        assert_eq!(facts.sent_at.unwrap().offset, -360);
    }

    #[test]
    fn references_stay_as_they_stand() {
        let hash = |id: &str| crate::mime::msgid::hash(id.as_bytes());
        let facts = scan(b"References: <a@b> <b@c> <a@b>\nIn-Reply-To: <b@c> <z@z>\n\n").facts;
        assert_eq!(facts.references, ["a@b", "b@c", "a@b", "z@z"].map(hash));
        assert_eq!(
            facts.ancestry.map(|it| (it.listed, it.gap)),
            Some((3, false))
        );
        // In-Reply-To never takes the place of the parent.
        let ids = |letter: char| {
            (0..99)
                .map(|n| format!("<{letter}{n}@x>"))
                .collect::<String>()
        };
        let many = format!("References: {}\nIn-Reply-To: {}\n\n", ids('r'), ids('i'));
        let facts = scan(many.as_bytes()).facts;
        let listed = usize::from(facts.ancestry.unwrap().listed);
        assert!(facts.ancestry.unwrap().gap);
        assert_eq!(facts.references[0], hash("r0@x"));
        assert_eq!(facts.references[listed - 1], hash("r98@x"));
        assert_eq!(facts.references.len(), crate::limits::MIME_REFERENCES);
    }

    fn stored(structure: &Structure) -> usize {
        let mut out = Vec::new();
        structure.encode(&mut out);
        assert_eq!(Structure::decode(&out).as_ref(), Some(structure));
        out.len()
    }

    #[test]
    fn limits_hold() {
        // 100,000 parts.
        let part = "--b\r\nContent-Type: message/rfc822\r\nContent-ID: <1234567890@x>\r\n\r\nSubject: s\r\n\r\nhi\r\n";
        let many = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n{}",
            part.repeat(100_000)
        );
        let found = scan(many.as_bytes());
        assert!(found.parts.len() <= crate::limits::MIME_PARTS);
        assert!(found.facts.flags.has(Flags::TRUNCATED));
        assert!(stored(&found) <= crate::limits::MIME_ENCODED);
        // Endless nesting, of both kinds.
        let deep: String = (0..5_000)
            .map(|at| format!("Content-Type: multipart/mixed; boundary=b{at}\n\n--b{at}\n"))
            .collect();
        let found = scan(deep.as_bytes());
        assert!(
            found
                .parts
                .iter()
                .all(|it| it.depth <= crate::limits::MIME_DEPTH)
        );
        assert!(found.facts.flags.has(Flags::TRUNCATED));
        let found = scan("Content-Type: message/rfc822\n\n".repeat(5_000).as_bytes());
        assert_eq!(
            found.parts.len(),
            usize::from(crate::limits::MIME_DEPTH) + 1
        );
        // Long fields and lists.
        let long = format!(
            "Subject: {}\nTo: {}\nReferences: {}\n\n",
            "s".repeat(100_000),
            "a@b,".repeat(50_000),
            (0..5_000).map(|at| format!("<{at}@x>")).collect::<String>()
        );
        let found = scan(long.as_bytes());
        assert!(found.facts.flags.has(Flags::TRUNCATED));
        assert_eq!(found.facts.references.len(), crate::limits::MIME_REFERENCES);
        assert!(stored(&found) <= crate::limits::MIME_ENCODED);
        assert_eq!(scan_in(long.as_bytes(), &[777]), found);
    }

    /// Messages made of what matters to the scanner.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just("\r\n"), 2 => Just("\n"), 1 => Just("\r"), 2 => Just("--x"), 1 => Just("--xy"),
            1 => Just("--"), 1 => Just("-"), 2 => Just("Content-Type: multipart/mixed; boundary=x\r\n"),
            1 => Just("Content-Type: multipart/digest;\r\n boundary=\"xy\"\n"),
            1 => Just("Content-Type: message/rfc822\r\n\r\n"), 1 => Just("Content-Type: text/html\r\n"),
            1 => Just("Content-Transfer-Encoding: base64\r\n"), 1 => Just("QUJD"), 1 => Just("=41 "),
            1 => Just("Content-Transfer-Encoding: quoted-printable\n"), 2 => Just("text "),
            1 => Just("Subject: Re: a =?utf-8?q?=C3=A9?=\r\n"), 1 => Just("To: A: b@c, \"d\" <e@f>;\r\n"),
            1 => Just("Content-Disposition: attachment; filename=a\r\n"), 1 => Just("é<b>\0"), 1 => Just(":"),
            1 => Just("Message-ID: <a@b>\r\n"), 1 => Just("Received: x\r\n"), 1 => Just("From "),
        ];
        proptest::collection::vec(piece, 0..40).prop_map(|it| it.concat().into_bytes())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn cuts_make_no_difference(
            message in message(),
            cuts in proptest::collection::vec(1usize..9, 1..8),
        ) {
            let whole = scan(&message);
            prop_assert_eq!(scan_in(&message, &cuts), whole.clone());
            stored(&whole);
        }

        #[test]
        fn parts_lie_within_their_parents(message in message()) {
            let found = scan(&message);
            prop_assert_eq!(found.parts[0].header.offset, 0);
            prop_assert_eq!(found.parts[0].body.end() as usize, message.len());
            for (at, part) in found.parts.iter().enumerate() {
                prop_assert_eq!(part.header.end(), part.body.offset);
                let children: Vec<_> = found.children(at).collect();
                prop_assert_eq!(children.len(), usize::from(part.children));
                for child in children.iter().map(|it| &found.parts[*it]) {
                    prop_assert!(child.header.offset >= part.body.offset);
                    prop_assert!(child.body.end() <= part.body.end());
                }
                if part.children == 0 {
                    let body = &message[part.body.offset as usize..part.body.end() as usize];
                    let decoded = crate::mime::transfer::decode(part.encoding, body);
                    prop_assert_eq!(decoded.len(), part.decoded as usize);
                    let lines = body.split(|it| *it == b'\n').count() - usize::from(body.ends_with(b"\n") || body.is_empty());
                    prop_assert_eq!(lines, part.lines as usize);
                }
            }
        }

        #[test]
        fn any_octets_are_taken(message in proptest::collection::vec(any::<u8>(), 0..200), cut in 1usize..50) {
            let whole = scan(&message);
            prop_assert_eq!(scan_in(&message, &[cut]), whole.clone());
            stored(&whole);
            Structure::decode(&message);
        }
    }
}
