//! Normalization Form KC (Unicode §3.11) of what people type, for SASLprep (RFC 4013 §2.2).
//!
//! Letters of all scripts, signs, ligatures, superscripts, Roman numerals, wide and narrow forms, as Unicode
//! 3.2 has them, to which stringprep holds SASLprep. Ideographs, enclosed and mathematical letters and the
//! presentation forms of Arabic stay as they are: five times the table for what no keyboard has.
//! `tests/data/nfkc.py` makes the table.
use super::nfc::{distance, nfc, varint};

/// See `tests/data/nfkc.py` for the layout.
static TABLE: &[u8] = include_bytes!("nfkc.bin");

/// A text in Normalization Form KC.
pub fn nfkc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for it in text.chars() {
        match it.is_ascii() {
            true => out.push(it),
            false => out.push_str(&compatible(it.into()).unwrap_or_else(|| it.into())),
        }
    }
    nfc(out)
}

/// What a character is by compatibility; `None`: itself.
fn compatible(code: u32) -> Option<String> {
    let (mut rest, mut end, mut to) = (TABLE, 0, 0u32);
    while end <= code {
        let first = end + varint(&mut rest)?;
        let head = varint(&mut rest)?;
        end = first + (head >> 4);
        let mut text = String::new();
        for _ in 0..head >> 1 & 7 {
            to = to.wrapping_add(distance(&mut rest)?);
            let at = code.checked_sub(first).map(|it| to + it * (head & 1));
            text.extend(at.and_then(char::from_u32));
        }
        if (first..end).contains(&code) {
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// UAX #15, figure 6 and table 8, and more of what people type.
    #[test]
    fn examples() {
        for (text, want) in [
            ("\u{fb01}", "fi"),
            ("2\u{2075}", "25"),
            ("\u{1e9b}\u{323}", "\u{1e69}"),
            ("\u{fb03}n", "ffin"),
            ("\u{2168}", "IX"),
            ("\u{aa}\u{b5}\u{bd}", "a\u{3bc}1\u{2044}2"),
            ("\u{ff30}\u{ff41}\u{ff53}\u{ff53}\u{ff01}", "Pass!"),
            ("\u{ff76}\u{ff9e}", "\u{30ac}"),
            ("\u{a8}", " \u{308}"),
            ("\u{212b}\u{2126}", "\u{c5}\u{3a9}"),
            ("e\u{301}\u{17f}", "\u{e9}s"),
            ("\u{e33}\u{587}", "\u{e4d}\u{e32}\u{565}\u{582}"),
            ("\u{4e2d}\u{ac01}\u{1f511}", "\u{4e2d}\u{ac01}\u{1f511}"),
            ("", ""),
        ] {
            assert_eq!(nfkc(text), want, "{text}");
        }
    }

    /// Every character that the table is about, by itself and before an acute accent: what
    /// `tests/data/nfkc.py` says.
    #[test]
    fn agrees_with_another() {
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let pieces = [
            0..=0x1cff,
            0x1e00..=0x218f,
            0x309b..=0x30ff,
            0xfb00..=0xfb06,
            0xff00..=0xffef,
        ];
        for code in pieces.into_iter().flatten().filter_map(char::from_u32) {
            for text in [code.to_string(), format!("{code}\u{301}")] {
                for octet in nfkc(&text).bytes() {
                    hash = (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
        assert_eq!(hash, 0x7186_af8a_0aba_678b);
    }
}
