//! Content-Transfer-Encodings, streaming: base64 and quoted-printable (RFC 2045 §6.7 and §6.8).
//!
//! Decoding is lenient: what is not of the alphabet is skipped in base64; in quoted-printable a
//! wrong `=` stays as it is. How the input is cut never makes a difference.
use memchr::memchr2;

use super::structure::Encoding;

/// Octets of white space held back at the end of a line before they count as text.
const HELD: usize = 1024;

/// Where decoded octets go.
pub trait Sink {
    /// Takes the next decoded octets.
    fn put(&mut self, octets: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, octets: &[u8]) {
        self.extend_from_slice(octets);
    }
}

/// A decoder of one body.
#[derive(Debug)]
pub enum Decoder {
    /// 7bit, 8bit, binary, unknown: nothing to do.
    Identity,
    /// base64.
    Base64(Base64Decoder),
    /// quoted-printable.
    QuotedPrintable(QpDecoder),
}

impl Decoder {
    /// The decoder for an encoding.
    pub fn new(encoding: Encoding) -> Decoder {
        match encoding {
            Encoding::Base64 => Decoder::Base64(Base64Decoder::default()),
            Encoding::QuotedPrintable => Decoder::QuotedPrintable(QpDecoder::default()),
            _ => Decoder::Identity,
        }
    }

    /// Decodes the next octets of the body.
    pub fn push<S: Sink>(&mut self, octets: &[u8], out: &mut S) {
        match self {
            Decoder::Identity => out.put(octets),
            Decoder::Base64(decoder) => decoder.push(octets, out),
            Decoder::QuotedPrintable(decoder) => decoder.push(octets, out),
        }
    }

    /// The body has ended.
    pub fn finish<S: Sink>(self, out: &mut S) {
        match self {
            Decoder::Identity => {}
            Decoder::Base64(mut decoder) => decoder.close(out),
            Decoder::QuotedPrintable(decoder) => decoder.finish(out),
        }
    }
}

/// Decodes a whole body.
pub fn decode(encoding: Encoding, octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len());
    let mut decoder = Decoder::new(encoding);
    decoder.push(octets, &mut out);
    decoder.finish(&mut out);
    out
}

/// Decodes base64 leniently.
pub fn base64(octets: &[u8]) -> Vec<u8> {
    decode(Encoding::Base64, octets)
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NONE: u8 = 0xff;

/// Value of each octet, [`NONE`] where it is not of the alphabet.
const VALUES: [u8; 256] = {
    let mut table = [NONE; 256];
    let mut value = 0;
    while value < 64 {
        table[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    table
};

/// 1 for each octet of the alphabet, 65,536 for padding.
const WEIGHTS: [u32; 256] = {
    let mut table = [0; 256];
    let mut value = 0;
    while value < 64 {
        table[ALPHABET[value] as usize] = 1;
        value += 1;
    }
    table[b'=' as usize] = 1 << 16;
    table
};

fn value(octet: u8) -> u8 {
    VALUES[usize::from(octet)]
}

/// Octets that 0 to 3 digits left over stand for.
fn left_over(digits: u64) -> u64 {
    digits.saturating_sub(1)
}

/// Decodes base64. Padding closes a run and another may follow, as in joined bodies.
#[derive(Debug, Default)]
pub struct Base64Decoder {
    bits: u32,
    digits: u32,
}

impl Base64Decoder {
    fn push<S: Sink>(&mut self, octets: &[u8], out: &mut S) {
        let mut buffer = [0u8; 768];
        let mut used = 0;
        let mut rest = octets;
        loop {
            if used + 3 > buffer.len() {
                out.put(buffer.get(..used).unwrap_or_default());
                used = 0;
            }
            if let ([a, b, c, d, tail @ ..], 0) = (rest, self.digits) {
                let (a, b, c, d) = (value(*a), value(*b), value(*c), value(*d));
                if (a | b | c | d) < 64 {
                    let group = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
                    if let Some(room) = buffer.get_mut(used..used + 3) {
                        room.copy_from_slice(&group);
                        used += 3;
                    }
                    rest = tail;
                    continue;
                }
            }
            let Some((octet, tail)) = rest.split_first() else {
                break;
            };
            rest = tail;
            if *octet == b'=' {
                out.put(buffer.get(..used).unwrap_or_default());
                used = 0;
                self.close(out);
            } else if value(*octet) != NONE {
                self.bits = self.bits << 6 | u32::from(value(*octet));
                self.digits += 1;
                if self.digits == 4 {
                    let [_, group @ ..] = self.bits.to_be_bytes();
                    if let Some(room) = buffer.get_mut(used..used + 3) {
                        room.copy_from_slice(&group);
                        used += 3;
                    }
                    (self.bits, self.digits) = (0, 0);
                }
            }
        }
        out.put(buffer.get(..used).unwrap_or_default());
    }

    /// Puts out what an unfinished group of digits stands for.
    fn close<S: Sink>(&mut self, out: &mut S) {
        let bits = self.bits << (6 * (4 - self.digits.min(4)));
        let [_, group @ ..] = bits.to_be_bytes();
        let len = left_over(u64::from(self.digits)) as usize;
        out.put(group.get(..len).unwrap_or_default());
        (self.bits, self.digits) = (0, 0);
    }
}

/// Decodes quoted-printable.
#[derive(Debug, Default)]
pub struct QpDecoder {
    /// White space and carriage returns that may turn out to end the line.
    held: Vec<u8>,
    escape: Escape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After `=`.
    Equals,
    /// After `=` and one hexadecimal digit.
    Digit(u8),
    /// After `=` and white space: a soft line break whose line end is awaited.
    Soft,
}

impl QpDecoder {
    fn push<S: Sink>(&mut self, octets: &[u8], out: &mut S) {
        let mut rest = octets;
        while !rest.is_empty() {
            if self.escape != Escape::None {
                rest = self.escaped(rest, out);
                continue;
            }
            let stop = memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
            let (text, tail) = rest.split_at_checked(stop).unwrap_or((rest, &[]));
            self.text(text, out);
            let Some((octet, tail)) = tail.split_first() else {
                return;
            };
            rest = tail;
            if *octet == b'=' {
                self.release(out);
                self.escape = Escape::Equals;
            } else {
                self.line_end(out);
            }
        }
    }

    /// Text without `=` and line feeds: all but the white space at its end goes out.
    fn text<S: Sink>(&mut self, text: &[u8], out: &mut S) {
        let end = text
            .iter()
            .rposition(|it| !is_held(*it))
            .map_or(0, |at| at + 1);
        let (solid, held) = text.split_at_checked(end).unwrap_or((text, &[]));
        if !solid.is_empty() {
            self.release(out);
            out.put(solid);
        }
        for octet in held {
            if self.held.len() == HELD {
                self.release(out);
            }
            self.held.push(*octet);
        }
    }

    fn release<S: Sink>(&mut self, out: &mut S) {
        if !self.held.is_empty() {
            out.put(&self.held);
            self.held.clear();
        }
    }

    /// RFC 2045 §6.7 (3): white space before a line end was added on the way.
    fn line_end<S: Sink>(&mut self, out: &mut S) {
        out.put(if self.held.last() == Some(&b'\r') {
            b"\r\n"
        } else {
            b"\n"
        });
        self.held.clear();
    }

    /// One step within an escape; returns what is left.
    fn escaped<'a, S: Sink>(&mut self, rest: &'a [u8], out: &mut S) -> &'a [u8] {
        let Some((octet, tail)) = rest.split_first() else {
            return rest;
        };
        let digit = super::params::hex(*octet);
        match (self.escape, *octet, digit) {
            (Escape::Equals | Escape::Soft, b'\n', _) => self.escape = Escape::None,
            (Escape::Equals | Escape::Soft, b' ' | b'\t' | b'\r', _) => self.escape = Escape::Soft,
            (Escape::Equals, _, Some(_)) => self.escape = Escape::Digit(*octet),
            (Escape::Digit(high), _, Some(low)) => {
                let high = super::params::hex(high).unwrap_or_default();
                out.put(&[high << 4 | low]);
                self.escape = Escape::None;
            }
            (Escape::Digit(high), _, None) => {
                out.put(&[b'=', high]);
                self.escape = Escape::None;
                return rest;
            }
            (Escape::Equals, _, None) => {
                out.put(b"=");
                self.escape = Escape::None;
                return rest;
            }
            // `= x`: the white space is lost, which only a broken message has to lose.
            (Escape::Soft, _, _) => {
                out.put(b"=");
                self.escape = Escape::None;
                return rest;
            }
            (Escape::None, _, _) => {}
        }
        tail
    }

    fn finish<S: Sink>(self, out: &mut S) {
        if let Escape::Digit(high) = self.escape {
            out.put(&[b'=', high]);
        }
    }
}

fn is_held(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r')
}

/// Counts what a decoder would put out, without decoding base64.
#[derive(Debug)]
pub(super) enum Counter {
    Identity(u64),
    Base64 { octets: u64, digits: u64 },
    QuotedPrintable(QpDecoder, Count),
}

#[derive(Debug, Default)]
pub(super) struct Count(u64);

impl Sink for Count {
    fn put(&mut self, octets: &[u8]) {
        self.0 += octets.len() as u64;
    }
}

impl Counter {
    pub(super) fn new(encoding: Encoding) -> Counter {
        match encoding {
            Encoding::Base64 => Counter::Base64 {
                octets: 0,
                digits: 0,
            },
            Encoding::QuotedPrintable => {
                Counter::QuotedPrintable(QpDecoder::default(), Count::default())
            }
            _ => Counter::Identity(0),
        }
    }

    pub(super) fn push(&mut self, body: &[u8]) {
        match self {
            Counter::Identity(octets) => *octets += body.len() as u64,
            Counter::QuotedPrintable(decoder, count) => decoder.push(body, count),
            Counter::Base64 { octets, digits } => {
                for piece in body.chunks(0xffff) {
                    let sum: u32 = piece.iter().map(|it| WEIGHTS[usize::from(*it)]).sum();
                    if sum < 1 << 16 {
                        *digits += u64::from(sum);
                        continue;
                    }
                    for octet in piece {
                        match WEIGHTS[usize::from(*octet)] {
                            0 => {}
                            1 => *digits += 1,
                            _ => {
                                *octets += *digits / 4 * 3 + left_over(*digits % 4);
                                *digits = 0;
                            }
                        }
                    }
                }
            }
        }
    }

    pub(super) fn finish(self) -> u64 {
        match self {
            Counter::Identity(octets) => octets,
            Counter::Base64 { octets, digits } => octets + digits / 4 * 3 + left_over(digits % 4),
            Counter::QuotedPrintable(decoder, mut count) => {
                decoder.finish(&mut count);
                count.0
            }
        }
    }
}

/// Writes base64 in lines of 76 (RFC 2045 §6.8), piece by piece.
#[derive(Debug, Default)]
pub struct Base64 {
    carry: Vec<u8>,
    column: usize,
}

impl Base64 {
    /// Encodes the next octets.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let joined;
        let octets = if self.carry.is_empty() {
            octets
        } else {
            joined = [&std::mem::take(&mut self.carry), octets].concat();
            &joined
        };
        out.reserve(octets.len() / 54 * 74 + 80);
        let groups = octets.chunks_exact(3);
        self.carry.extend_from_slice(groups.remainder());
        groups.for_each(|group| self.group(group, out));
    }

    /// The body has ended: pads and ends the last line.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        let carry = std::mem::take(&mut self.carry);
        if !carry.is_empty() {
            self.group(&carry, out);
        }
        if self.column > 0 {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Base64 on one line, without line ends.
    pub fn text(octets: &[u8]) -> String {
        octets
            .chunks(3)
            .flat_map(|group| digits(group).map(char::from))
            .collect()
    }

    fn group(&mut self, group: &[u8], out: &mut Vec<u8>) {
        if self.column == 76 {
            out.extend_from_slice(b"\r\n");
            self.column = 0;
        }
        out.extend_from_slice(&digits(group));
        self.column += 4;
    }
}

/// The four digits of one to three octets, padding included.
fn digits(group: &[u8]) -> [u8; 4] {
    let at = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
    let bits = at(0) << 16 | at(1) << 8 | at(2);
    let digit = |shift: u32| ALPHABET[(bits >> shift & 63) as usize];
    let padded = |shift: u32, needed: usize| {
        if group.len() < needed {
            b'='
        } else {
            digit(shift)
        }
    };
    [digit(18), digit(12), padded(6, 2), padded(0, 3)]
}

/// Writes `text` as quoted-printable (RFC 2045 §6.7): line ends become CRLF, lines stay within 76
/// octets, and what RFC 2049 §3 warns of (a `.` alone, `From `) is escaped.
pub fn quoted_printable(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16 + 16);
    let mut lines = text.split(|it| *it == b'\n').peekable();
    while let Some(line) = lines.next() {
        let last = lines.peek().is_none();
        let line = if last {
            line
        } else {
            line.strip_suffix(b"\r").unwrap_or(line)
        };
        qp_line(line, &mut out);
        if !last {
            out.extend_from_slice(b"\r\n");
        }
    }
    out
}

fn qp_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (at, octet) in line.iter().enumerate() {
        let last = at + 1 == line.len();
        let start = column == 0
            && (line.get(at..).is_some_and(|it| it.starts_with(b"From ")) || *octet == b'.');
        let plain = match octet {
            b' ' | b'\t' => !last,
            b'=' => false,
            b'!'..=b'~' => !start,
            _ => false,
        };
        let width = if plain { 1 } else { 3 };
        // One column is kept for the `=` of a soft line break.
        if column + width > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(*octet);
        } else {
            out.extend_from_slice(format!("={octet:02X}").as_bytes());
        }
        column += width;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn qp(text: &str) -> String {
        let decoded = decode(Encoding::QuotedPrintable, text.as_bytes());
        String::from_utf8_lossy(&decoded).into_owned()
    }

    #[test]
    fn decodes_base64_leniently() {
        assert_eq!(base64(b"SGVs\r\nbG8="), b"Hello");
        assert_eq!(base64(b"SGVsbG8"), b"Hello");
        assert_eq!(base64(b"S*G V s"), b"Hel");
        assert_eq!(base64(b"SGVsbG8=SGVsbG8="), b"HelloHello");
        assert_eq!(base64(b"A"), b"");
        assert_eq!(base64(b""), b"");
    }

    #[test]
    fn decodes_quoted_printable_as_rfc_2045() {
        assert_eq!(
            qp("Now's the time =\r\nfor all folk"),
            "Now's the time for all folk"
        );
        assert_eq!(qp("a=3Db=\r\n=20c \t \r\nd"), "a=b c\r\nd");
        assert_eq!(qp("a=  \r\nb"), "ab");
        assert_eq!(qp("=ZZ =4 =c3=a9 ="), "=ZZ =4 é ");
        assert_eq!(qp("a \nb\r\r\n"), "a\nb\r\n");
    }

    #[test]
    fn writes_lines_of_76() {
        let mut out = Vec::new();
        let mut encoder = Base64::default();
        encoder.push(&[0; 58], &mut out);
        encoder.finish(&mut out);
        assert_eq!(out, [&[b'A'; 76][..], b"\r\nAA==\r\n"].concat());
        assert_eq!(
            quoted_printable(b"a \nFrom b\n.\n=\xe9"),
            b"a=20\r\n=46rom b\r\n=2E\r\n=3D=E9"
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            octets in proptest::collection::vec(any::<u8>(), 0..300),
            cut in 0usize..300,
        ) {
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            let mut out = Vec::new();
            let mut encoder = Base64::default();
            encoder.push(head, &mut out);
            encoder.push(tail, &mut out);
            encoder.finish(&mut out);
            prop_assert!(out.split(|it| *it == b'\n').all(|line| line.len() <= 77));
            prop_assert_eq!(&base64(&out), &octets);
            prop_assert_eq!(base64(Base64::text(&octets).as_bytes()), octets);
        }

        #[test]
        fn text_survives_quoted_printable(text in "([a-zA-Z=. \té\\x00]{0,90}\r\n){0,3}[a-z =]{0,90}") {
            let encoded = quoted_printable(text.as_bytes());
            prop_assert!(encoded.split(|it| *it == b'\n').all(|line| line.len() <= 77));
            prop_assert_eq!(decode(Encoding::QuotedPrintable, &encoded), text.into_bytes());
        }

        #[test]
        fn cuts_make_no_difference_and_counts_are_right(
            octets in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(b'='), Just(b'\r'), Just(b'\n'), Just(b' '), Just(b'A')], 0..60),
            cut in 0usize..60,
            base64 in any::<bool>(),
        ) {
            let encoding = if base64 { Encoding::Base64 } else { Encoding::QuotedPrintable };
            let whole = decode(encoding, &octets);
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            let mut decoder = Decoder::new(encoding);
            let mut counter = Counter::new(encoding);
            let mut out = Vec::new();
            for piece in [head, tail] {
                decoder.push(piece, &mut out);
                counter.push(piece);
            }
            decoder.finish(&mut out);
            prop_assert_eq!(counter.finish(), out.len() as u64);
            prop_assert_eq!(out, whole);
        }
    }
}
