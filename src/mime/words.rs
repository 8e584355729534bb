//! Encoded words of header fields (RFC 2047), both ways.
use super::charset;
use super::transfer::{self, Base64};

/// Longest encoded word that is written (RFC 2047 §2).
const WORD: usize = 75;

/// Decodes the encoded words of an unfolded value: only those that stand alone between white space
/// (RFC 2047 §5, RFC 8621 §4.1.2.2). White space between two of them goes away (§6.2), and so do
/// control characters that were encoded. Other octets are read as UTF-8 or, failing that,
/// windows-1252.
pub fn decode(value: &[u8]) -> String {
    decode_words(value, true)
}

/// The same wherever they stand, also inside quotes or next to other text: for file names and
/// display names, where many senders put them against RFC 2047 §5.
pub fn decode_anywhere(value: &[u8]) -> String {
    decode_words(value, false)
}

/// Decoded octets whose charset conversion waits for the next word: a character may be cut between
/// two words of the same charset, though RFC 2047 §5 forbids it.
#[derive(Default)]
struct Pending {
    label: String,
    octets: Vec<u8>,
}

impl Pending {
    fn flush(&mut self, out: &mut String) {
        if !self.octets.is_empty() {
            let (text, _) = charset::decode(&self.octets, &self.label);
            out.extend(text.chars().filter(|it| !it.is_control()));
            self.octets.clear();
        }
    }
}

fn decode_words(value: &[u8], strict: bool) -> String {
    // Most fields are nothing but ASCII.
    if value.is_ascii()
        && memchr::memmem::find(value, b"=?").is_none()
        && memchr::memchr(0, value).is_none()
    {
        return String::from_utf8_lossy(value).into_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut pending = Pending::default();
    let mut plain = 0; // where the text not yet written starts
    let mut after_word = false;
    let mut at = 0;
    while let Some(found) = memchr::memmem::find(value.get(at..).unwrap_or_default(), b"=?") {
        let start = at + found;
        at = start + 2;
        let Some(word) = word_at(value, start, strict) else {
            continue;
        };
        let between = value.get(plain..start).unwrap_or_default();
        let joins = after_word && between.iter().all(u8::is_ascii_whitespace);
        if !joins || !pending.label.eq_ignore_ascii_case(&word.label) {
            pending.flush(&mut out);
        }
        if !joins {
            plain_text(between, &mut out);
        }
        pending.label = word.label;
        pending.octets.extend_from_slice(&word.octets);
        after_word = true;
        at = word.end;
        plain = at;
    }
    pending.flush(&mut out);
    plain_text(value.get(plain..).unwrap_or_default(), &mut out);
    out
}

fn plain_text(octets: &[u8], out: &mut String) {
    let (text, _) = charset::decode(octets, "");
    out.extend(text.chars().filter(|it| *it != '\0'));
}

struct Word {
    label: String,
    octets: Vec<u8>,
    end: usize,
}

/// The encoded word `=?charset*language?B-or-Q?text?=` at `start`.
fn word_at(value: &[u8], start: usize, strict: bool) -> Option<Word> {
    let before = start.checked_sub(1).and_then(|at| value.get(at));
    let rest = value.get(start + 2..)?;
    let label = piece(rest, 80)?;
    let method = piece(rest.get(label.len() + 1..)?, 1)?;
    let text_start = label.len() + method.len() + 2;
    let text = rest.get(text_start..)?;
    let len = text.windows(2).take_while(|it| it[0] != b'?').count();
    let (text, close) = text.split_at_checked(len)?;
    close.starts_with(b"?=").then_some(())?;
    let end = start + 2 + text_start + len + 2;
    if strict {
        let alone = |it: Option<&u8>| it.is_none_or(u8::is_ascii_whitespace);
        (alone(before) && alone(value.get(end))).then_some(())?;
        (!text.iter().any(u8::is_ascii_whitespace)).then_some(())?;
    }
    let octets = match method {
        b"B" | b"b" => transfer::base64(text),
        b"Q" | b"q" => decode_q(text),
        _ => return None,
    };
    let label = label.split(|it| *it == b'*').next()?;
    let label = std::str::from_utf8(label).ok()?.to_owned();
    // RFC 8621 §4.1.2.2: only words of a known charset.
    (!label.is_empty() && charset::is_known(&label)).then_some(Word { label, octets, end })
}

/// Octets up to the next `?`, at most `max` and at least one, none of them white space.
fn piece(text: &[u8], max: usize) -> Option<&[u8]> {
    let len = text.iter().take(max + 1).position(|it| *it == b'?')?;
    let piece = text.get(..len)?;
    (len > 0 && piece.iter().all(u8::is_ascii_graphic)).then_some(piece)
}

/// RFC 2047 §4.2.
fn decode_q(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        match (first, tail) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..]) => {
                match super::params::hex(*high).zip(super::params::hex(*low)) {
                    Some((high, low)) => {
                        out.push(high << 4 | low);
                        rest = after;
                    }
                    None => out.push(b'='),
                }
            }
            _ => out.push(*first),
        }
    }
    out
}

/// Writes `text` as encoded words in UTF-8, base64 or Q by what is shorter, each at most 75 octets
/// long and a space apart (RFC 2047 §2). Characters are never cut (§5). `column` is where the first
/// word will stand: its line, too, stays within 76 octets.
pub fn encode(text: &str, column: usize) -> Vec<String> {
    let escaped = text.bytes().filter(|it| q_escapes(*it)).count();
    let base64 = escaped * 2 > text.len() / 3;
    let full = WORD - "=?utf-8?B??=".len();
    let mut room = full.saturating_sub(column).max(16);
    let mut words = Vec::new();
    let mut start = 0;
    let mut cost = 0;
    for (at, character) in text.char_indices() {
        let step = if base64 {
            character.len_utf8()
        } else {
            q_cost(character)
        };
        let size = if base64 {
            (cost + step).div_ceil(3) * 4
        } else {
            cost + step
        };
        if size > room {
            words.push(encoded(text.get(start..at).unwrap_or_default(), base64));
            (start, cost, room) = (at, 0, full);
        }
        cost += step;
    }
    words.push(encoded(text.get(start..).unwrap_or_default(), base64));
    words
}

fn encoded(text: &str, base64: bool) -> String {
    if base64 {
        return format!("=?utf-8?B?{}?=", Base64::text(text.as_bytes()));
    }
    let mut word = String::from("=?utf-8?Q?");
    for octet in text.bytes() {
        match octet {
            b' ' => word.push('_'),
            _ if q_escapes(octet) => word.push_str(&format!("={octet:02X}")),
            _ => word.push(char::from(octet)),
        }
    }
    word + "?="
}

/// RFC 2047 §5 (3): in a phrase only letters, digits and `!*+-/=_` stand for themselves, and of
/// these `=` and `_` have another meaning.
fn q_escapes(octet: u8) -> bool {
    !(octet.is_ascii_alphanumeric() || matches!(octet, b' ' | b'!' | b'*' | b'+' | b'-' | b'/'))
}

fn q_cost(character: char) -> usize {
    let mut buffer = [0; 4];
    character
        .encode_utf8(&mut buffer)
        .bytes()
        .map(|it| if q_escapes(it) { 3 } else { 1 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes_the_examples_of_rfc_2047() {
        let cases = [
            (
                "=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>",
                "Keith Moore <moore@cs.utk.edu>",
            ),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?utf-8*en?Q?a?=", "a"),
        ];
        for (value, expected) in cases {
            assert_eq!(decode(value.as_bytes()), expected, "{value:?}");
        }
    }

    #[test]
    fn leaves_alone_what_is_none() {
        for value in [
            "=?utf-8?Q?a?=b",
            "x=?utf-8?Q?a?=",
            "=?utf-8?Q?a b?=",
            "=?x?Y?z?=",
            "=?",
            "=?a?",
            "=?utf-8?Q?a",
            "=?nonsense?Q?a?=",
        ] {
            assert_eq!(decode(value.as_bytes()), value);
        }
        assert_eq!(decode_anywhere(b"x=?utf-8?Q?a?=b"), "xab");
        assert_eq!(decode(b"=?utf-8?Q?a=00=0Ab?="), "ab");
        assert_eq!(decode(b"=?utf-8?Q?=C3?= =?utf-8?Q?=A9?="), "é");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in "[^\\p{C}]{0,200}") {
            let words = encode(&text, 9);
            prop_assert!(words.iter().all(|it| it.len() <= WORD));
            prop_assert_eq!(decode(words.join(" ").as_bytes()), text);
        }

        #[test]
        fn no_octets_panic(value in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'='), Just(b'?'), Just(b'Q')], 0..80)) {
            decode(&value);
            decode_anywhere(&value);
        }
    }
}
