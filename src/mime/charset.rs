//! Charsets to UTF-8, piece by piece.
//!
//! With feature `charsets` the WHATWG encodings by `encoding_rs`, under the names that IANA has for them,
//! too, and code page 850; without it the single-byte tables of `mail-parser`. UTF-7 is ours. Text that says nothing, or `us-ascii`, or a charset nobody knows, is read as
//! UTF-8, and octets that are none as windows-1252, which is what they nearly always are (RFC 8621
//! §4.1.4 allows the guess).
#[cfg(not(feature = "charsets"))]
use mail_parser::decoders::charsets::map::charset_decoder;

use crate::limits::MIME_WHOLE_CHARSET;

/// Octets handed to a decoder at a time: bounds what its output reserves.
const PIECE: usize = 4096;

/// Decodes `octets` from the charset `label` (empty: unknown). The flag is true where something was
/// malformed or the charset is unknown (RFC 8621 §4.1.4 isEncodingProblem).
pub fn decode(octets: &[u8], label: &str) -> (String, bool) {
    let mut decoder = Decoder::new(label);
    let mut text = String::with_capacity(octets.len());
    decoder.push(octets, &mut text);
    let problem = decoder.finish(&mut text);
    (text, problem)
}

/// True where the charset is one that can be decoded here.
pub fn is_known(label: &str) -> bool {
    !matches!(Table::of(label), Table::Guess { known: false, .. })
}

/// A streaming decoder of one text. How the octets are cut makes no difference.
pub struct Decoder {
    table: Table,
    problem: bool,
}

enum Table {
    /// UTF-8; `latin` says what to make of octets that are none.
    Guess {
        carry: Vec<u8>,
        latin: bool,
        known: bool,
    },
    #[cfg(feature = "charsets")]
    Encoding(encoding_rs::Decoder),
    /// One octet, one character.
    Single(fn(&[u8]) -> String),
    /// Has to be seen whole (UTF-7).
    Whole(fn(&[u8]) -> String, Vec<u8>),
}

impl Table {
    fn of(label: &str) -> Table {
        let label = label.trim();
        let is = |name: &str| label.eq_ignore_ascii_case(name);
        if is("utf-8") || is("utf8") {
            return Table::Guess {
                carry: Vec::new(),
                latin: false,
                known: true,
            };
        }
        if label.is_empty() || is("us-ascii") || is("ascii") {
            return Table::Guess {
                carry: Vec::new(),
                latin: true,
                known: true,
            };
        }
        let short = shortened(label);
        if short == "utf7" {
            return Table::Whole(utf7, Vec::new());
        }
        Table::by_name(label, &short).unwrap_or(Table::Guess {
            carry: Vec::new(),
            latin: true,
            known: false,
        })
    }

    #[cfg(feature = "charsets")]
    fn by_name(label: &str, short: &str) -> Option<Table> {
        let find = |label: &str| encoding_rs::Encoding::for_label_no_replacement(label.as_bytes());
        let found = match short {
            "850" | "cp850" | "ibm850" | "pc850multilingual" => return Some(Table::Single(cp850)),
            _ => find(label)
                .or_else(|| find(&label.replace('_', "-")))
                .or_else(|| find(&usual(short)))?,
        };
        Some(Table::Encoding(found.new_decoder_without_bom_handling()))
    }

    #[cfg(not(feature = "charsets"))]
    fn by_name(label: &str, short: &str) -> Option<Table> {
        let decoder = charset_decoder(label.as_bytes())?;
        Some(match short.starts_with("utf") {
            true => Table::Whole(decoder, Vec::new()),
            false => Table::Single(decoder),
        })
    }
}

/// A label without what people write in different ways: capitals, `-` and `_`, IANA's `cs`, a year.
fn shortened(label: &str) -> String {
    let label = label.split(':').next().unwrap_or_default();
    let letters = label.bytes().filter(u8::is_ascii_alphanumeric);
    let short: String = letters
        .map(|it| char::from(it.to_ascii_lowercase()))
        .collect();
    match short.strip_prefix("cs") {
        Some(rest) => rest.to_owned(),
        None => short,
    }
}

/// The name at WHATWG of what IANA calls otherwise.
#[cfg(feature = "charsets")]
fn usual(short: &str) -> String {
    let known = match short {
        "cp936" | "ms936" | "windows936" => "gbk",
        "l8" | "latin8" | "isoceltic" | "isoir199" => "iso-8859-14",
        "latin9" => "iso-8859-15",
        "l10" | "latin10" | "isoir226" => "iso-8859-16",
        "koi8u" => "koi8-u",
        "tis620" => "tis-620",
        "utf16" | "utf16le" => "utf-16le",
        "utf16be" => "utf-16be",
        "extendedunixcodepackedformatforjapanese" => "euc-jp",
        other => other,
    };
    for (start, name) in [("windows", "windows-"), ("iso8859", "iso-8859-")] {
        if let Some(number) = known.strip_prefix(start) {
            return [name, number].concat();
        }
    }
    known.to_owned()
}

/// MS-DOS in western Europe.
#[cfg(feature = "charsets")]
fn cp850(octets: &[u8]) -> String {
    const HIGH: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐└┴┬├─┼ãÃ╚╔╩╦╠═╬¤\
                        ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";
    let table: Vec<char> = HIGH.chars().collect();
    let of = |octet: &u8| match octet.checked_sub(0x80) {
        Some(high) => table.get(usize::from(high)).copied(),
        None => Some(char::from(*octet)),
    };
    octets.iter().filter_map(of).collect()
}

/// UTF-7: between `+` and what is not base64 stands UTF-16 without its padding.
fn utf7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'+' {
            // Eight bits are not allowed: they are what they nearly always are.
            text.push(windows_1252(*first));
            continue;
        }
        let end = rest.iter().position(|it| value_of(*it).is_none());
        let (coded, after) = rest
            .split_at_checked(end.unwrap_or(rest.len()))
            .unwrap_or((rest, &[]));
        rest = after.strip_prefix(b"-").unwrap_or(after);
        if coded.is_empty() {
            text.push('+');
        }
        let (mut bits, mut have, mut units) = (0u32, 0, Vec::new());
        for value in coded.iter().filter_map(|it| value_of(*it)) {
            bits = bits << 6 | value;
            have += 6;
            if have >= 16 {
                have -= 16;
                units.push((bits >> have) as u16);
            }
        }
        text.push_str(&String::from_utf16_lossy(&units));
    }
    text
}

/// Six bits of base64.
fn value_of(octet: u8) -> Option<u32> {
    let (first, from) = match octet {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => return Some(62),
        b'/' => return Some(63),
        _ => return None,
    };
    Some(u32::from(octet - first) + from)
}

impl Decoder {
    /// A decoder for the charset `label`, empty where none is given.
    pub fn new(label: &str) -> Decoder {
        let table = Table::of(label);
        let problem = matches!(table, Table::Guess { known: false, .. });
        Decoder { table, problem }
    }

    /// Decodes the next octets, appending to `out`.
    pub fn push(&mut self, octets: &[u8], out: &mut String) {
        octets
            .chunks(PIECE)
            .for_each(|piece| self.piece(piece, out));
    }

    /// The text has ended. True where something was malformed or the charset is unknown.
    pub fn finish(mut self, out: &mut String) -> bool {
        match &mut self.table {
            Table::Guess { carry, latin, .. } if !carry.is_empty() => {
                self.problem = true;
                if *latin {
                    carry.iter().for_each(|it| out.push(windows_1252(*it)));
                } else {
                    out.push(char::REPLACEMENT_CHARACTER);
                }
            }
            Table::Guess { .. } => {}
            #[cfg(feature = "charsets")]
            Table::Encoding(decoder) => self.problem |= encoding(decoder, &[], true, out),
            Table::Single(_) => {}
            Table::Whole(decoder, octets) => out.push_str(&decoder(octets)),
        }
        self.problem
    }

    fn piece(&mut self, piece: &[u8], out: &mut String) {
        match &mut self.table {
            Table::Guess { carry, latin, .. } => self.problem |= utf8(carry, *latin, piece, out),
            #[cfg(feature = "charsets")]
            Table::Encoding(decoder) => self.problem |= encoding(decoder, piece, false, out),
            Table::Single(decoder) => out.push_str(&decoder(piece)),
            Table::Whole(_, octets) => {
                let room = MIME_WHOLE_CHARSET
                    .saturating_sub(octets.len())
                    .min(piece.len());
                octets.extend_from_slice(piece.get(..room).unwrap_or_default());
            }
        }
    }
}

#[cfg(feature = "charsets")]
fn encoding(
    decoder: &mut encoding_rs::Decoder,
    piece: &[u8],
    last: bool,
    out: &mut String,
) -> bool {
    out.reserve(
        decoder
            .max_utf8_buffer_length(piece.len())
            .unwrap_or_default(),
    );
    let (_, _, problem) = decoder.decode_to_string(piece, out, last);
    problem
}

/// Decodes UTF-8, keeping the start of a character that is cut in `carry`. True where an octet was
/// none.
fn utf8(carry: &mut Vec<u8>, latin: bool, piece: &[u8], out: &mut String) -> bool {
    let joined;
    let octets = if carry.is_empty() {
        piece
    } else {
        joined = [&std::mem::take(carry), piece].concat();
        &joined
    };
    let mut problem = false;
    let mut rest = octets;
    while !rest.is_empty() {
        let error = match std::str::from_utf8(rest) {
            Ok(text) => {
                out.push_str(text);
                break;
            }
            Err(error) => error,
        };
        let (good, bad) = rest
            .split_at_checked(error.valid_up_to())
            .unwrap_or((&[], rest));
        out.push_str(std::str::from_utf8(good).unwrap_or_default());
        let Some(len) = error.error_len() else {
            carry.extend_from_slice(bad);
            break;
        };
        problem = true;
        let (bad, tail) = bad.split_at_checked(len).unwrap_or((bad, &[]));
        if latin {
            bad.iter().for_each(|it| out.push(windows_1252(*it)));
        } else {
            out.push(char::REPLACEMENT_CHARACTER);
        }
        rest = tail;
    }
    problem
}

/// The character of an octet in windows-1252, which is ISO 8859-1 but for 0x80 to 0x9f.
fn windows_1252(octet: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    let high = octet
        .checked_sub(0x80)
        .and_then(|at| HIGH.get(usize::from(at)));
    high.copied().unwrap_or(char::from(octet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes_what_mail_uses() {
        assert_eq!(decode(b"caf\xe9", "iso-8859-1"), ("café".into(), false));
        assert_eq!(decode("café".as_bytes(), "UTF-8"), ("café".into(), false));
        assert_eq!(decode(b"caf\xe9", "utf-8"), ("caf\u{fffd}".into(), true));
        assert_eq!(decode(b"\x93caf\xe9\x94!", ""), ("“café”!".into(), true));
        assert_eq!(
            decode("café".as_bytes(), "x-unknown"),
            ("café".into(), true)
        );
        assert_eq!(
            decode(b"Hi Mom +Jjo-!", "utf-7"),
            ("Hi Mom \u{263a}!".into(), false)
        );
    }

    #[cfg(feature = "charsets")]
    #[test]
    fn decodes_multi_byte_charsets() {
        assert_eq!(
            decode(b"\x1b$B%F%9%H\x1b(B", "iso-2022-jp"),
            ("テスト".into(), false)
        );
        assert_eq!(
            decode(b"\xd6\xd0\xce\xc4", "gb2312"),
            ("中文".into(), false)
        );
    }

    #[cfg(feature = "charsets")]
    #[test]
    fn knows_the_names_that_iana_has() {
        let names = "850 cp936 csgb18030 csgbk csiso885913 csiso885914 csiso885915 csiso885916 cskoi8u \
                     cspc850multilingual cstis620 csutf16 csutf16be csutf16le csutf7 cswindows1250 cswindows874 \
                     extended_unix_code_packed_format_for_japanese iso_8859_10:1992 ISO_8859-14:1998 iso_8859_15 \
                     iso_8859-16:2001 iso-celtic iso_ir_199 iso-ir-226 l10 l8 latin10 latin8 latin-9 ms936 utf_7 \
                     windows_936 windows_1252 TIS-620 shift_jis big5_hkscs koi8-r x-sjis unicode-1-1-utf-8";
        for name in names.split_ascii_whitespace() {
            assert!(is_known(name), "{name}");
        }
        assert!(!is_known("x-unknown") && !is_known("cs") && !is_known("windows"));
        assert_eq!(
            decode(b"\x81ber \xff \xe1", "IBM850"),
            ("über \u{a0} ß".into(), false)
        );
        assert_eq!(decode(b"caf\xe9", "csWindows1252"), ("café".into(), false));
    }

    #[test]
    fn decodes_utf_7() {
        let text = |octets: &[u8]| decode(octets, "utf-7").0;
        assert_eq!(text(b"1 +- 1 +AD0- 2"), "1 + 1 = 2");
        assert_eq!(text(b"+2D3eAA!+AOk"), "\u{1f600}!é");
        assert_eq!(text(b"+"), "+");
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            octets in proptest::collection::vec(any::<u8>(), 0..80),
            cut in 0usize..80,
            label in prop_oneof![Just("utf-8"), Just(""), Just("shift_jis"), Just("utf-7"), Just("utf-16le"), Just("koi8-r")],
        ) {
            let (head, tail) = octets.split_at(cut.min(octets.len()));
            let mut decoder = Decoder::new(label);
            let mut text = String::new();
            decoder.push(head, &mut text);
            decoder.push(tail, &mut text);
            let problem = decoder.finish(&mut text);
            prop_assert_eq!((text, problem), decode(&octets, label));
        }
    }
}
