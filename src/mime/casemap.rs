//! The collation i;unicode-casemap (RFC 5051): texts that are equal to it fold to the same string,
//! and folded strings compare and contain each other octet by octet.
//!
//! RFC 5255 §4.2 makes it the way that SEARCH, SORT and THREAD compare; JMAP's filters do the same.
//! The table is of Unicode 14; `tests/data/casemap.py` makes it.

/// Blocks of 64 code points, see `tests/data/casemap.py` for the layout.
static TABLE: &[u8] = include_bytes!("casemap.bin");

/// First Hangul syllable; 11,172 of them, in the order of their parts (Unicode §3.12).
const HANGUL: u32 = 0xac00;
const HANGUL_LAST: u32 = 0xd7a3;
/// Vowels and trailing consonants (the one that is none included) of a Hangul syllable.
const VOWELS: u32 = 21;
const TRAILING: u32 = 28;

/// A collation by which texts can be put in order (RFC 4790).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    /// i;ascii-casemap (RFC 4790 §9.2): the letters of ASCII without case, all else as it is.
    Ascii,
    /// i;unicode-casemap (RFC 5051).
    #[default]
    Unicode,
}

impl Collation {
    /// The names of them all (RFC 4790 §9, RFC 5051 §2).
    pub const NAMES: [&str; 2] = ["i;ascii-casemap", "i;unicode-casemap"];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Collation> {
        match name {
            "i;ascii-casemap" => Some(Collation::Ascii),
            "i;unicode-casemap" => Some(Collation::Unicode),
            _ => None,
        }
    }

    /// What compares octet by octet as `text` does by this collation.
    pub fn fold(self, text: &str) -> String {
        match self {
            Collation::Ascii => text.to_ascii_uppercase(),
            Collation::Unicode => fold(text),
        }
    }
}

/// The folded form of `text`: each character in title case, then decomposed (RFC 5051 §2).
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push(text, &mut out);
    out
}

/// The same, appended to `out`.
pub fn push(text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        if rest.is_ascii() {
            return ascii(rest, out);
        }
        let end = rest.bytes().position(|it| it >= 0x80).unwrap_or(rest.len());
        let Some((head, tail)) = rest.split_at_checked(end) else {
            return;
        };
        ascii(head, out);
        let mut chars = tail.chars();
        if let Some(first) = chars.next() {
            character(first, out);
        }
        rest = chars.as_str();
    }
}

fn ascii(text: &str, out: &mut String) {
    let at = out.len();
    out.push_str(text);
    if let Some(new) = out.get_mut(at..) {
        new.make_ascii_uppercase();
    }
}

/// One character that is not ASCII.
fn character(it: char, out: &mut String) {
    let code = u32::from(it);
    if (HANGUL..=HANGUL_LAST).contains(&code) {
        return hangul(code - HANGUL, out);
    }
    match find(code) {
        Some(Found::Text(text)) => out.push_str(text),
        Some(Found::Code(code)) => out.push(char::from_u32(code).unwrap_or(it)),
        None => out.push(it),
    }
}

fn hangul(index: u32, out: &mut String) {
    let trailing = index % TRAILING;
    let parts = [
        Some(0x1100 + index / (VOWELS * TRAILING)),
        Some(0x1161 + index / TRAILING % VOWELS),
        (trailing > 0).then_some(0x11a7 + trailing),
    ];
    out.extend(parts.into_iter().flatten().filter_map(char::from_u32));
}

enum Found {
    Text(&'static str),
    Code(u32),
}

/// What the table has for a code point.
fn find(code: u32) -> Option<Found> {
    let block = usize::try_from(code >> 6).ok()?;
    let (mut low, mut high) = (0, number(0)?);
    while low < high {
        let middle = (low + high) / 2;
        match number(2 + 4 * middle)?.cmp(&block) {
            std::cmp::Ordering::Equal => return entry(number(4 + 4 * middle)?, code),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// Looks through the entries of a block.
fn entry(at: usize, code: u32) -> Option<Found> {
    let mut rest = TABLE.get(at..)?;
    let entries = byte(&mut rest)?;
    let wanted = (code & 63) as u8;
    let mut distance = 0;
    for _ in 0..entries {
        let head = byte(&mut rest)?;
        let here = head & 63;
        match head & 0xc0 {
            0 => distance = zigzag(&mut rest)?,
            0x40 => {
                let len = byte(&mut rest)?;
                let (text, tail) = rest.split_at_checked(len.into())?;
                rest = tail;
                if here == wanted {
                    return std::str::from_utf8(text).ok().map(Found::Text);
                }
                continue;
            }
            _ => {}
        }
        if here == wanted {
            return code.checked_add_signed(distance).map(Found::Code);
        }
    }
    None
}

fn number(at: usize) -> Option<usize> {
    let octets: [u8; 2] = TABLE.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_le_bytes(octets).into())
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, tail) = rest.split_first()?;
    *rest = tail;
    Some(*first)
}

fn zigzag(rest: &mut &[u8]) -> Option<i32> {
    let (mut value, mut shift) = (0u32, 0);
    loop {
        let octet = byte(rest)?;
        value |= u32::from(octet & 0x7f).checked_shl(shift)?;
        if octet < 0x80 {
            break;
        }
        shift += 7;
    }
    Some((value >> 1) as i32 ^ -((value & 1) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 5051 §2, the example of step 2; and what UnicodeData.txt says of some others.
    #[test]
    fn the_example_and_others() {
        for (text, want) in [
            ("\u{1c4}", "Dz\u{30c}"),
            ("\u{1c6}", "Dz\u{30c}"),
            ("abcXYZ09 -", "ABCXYZ09 -"),
            ("gr\u{fc}\u{df}e", "GRU\u{308}\u{df}E"),
            ("gru\u{308}sse", "GRU\u{308}SSE"),
            ("\u{436}\u{416}", "\u{416}\u{416}"),
            ("\u{439}", "\u{418}\u{306}"),
            ("\u{3c3}\u{3c2}", "\u{3a3}\u{3a3}"),
            ("\u{fb01}", "fi"),
            (
                "\u{ff21}\u{ff41}",
                "A\u{ff21}".replace('\u{ff21}', "A").as_str(),
            ),
            ("\u{212b}\u{e5}", "A\u{30a}A\u{30a}"),
            ("\u{131}i\u{130}", "III\u{307}"),
            (
                "\u{ac01}\u{ac00}",
                "\u{1100}\u{1161}\u{11a8}\u{1100}\u{1161}",
            ),
            ("\u{1d400}", "A"),
            (
                "\u{fdfa}",
                "\u{635}\u{644}\u{649} \u{627}\u{644}\u{644}\u{647} \u{639}\u{644}\u{64a}\u{647} \u{648}\u{633}\u{644}\u{645}",
            ),
            ("\u{1f80}", "\u{391}\u{313}\u{345}"),
            ("\u{10428}", "\u{10400}"),
            ("\u{65e5}\u{672c}", "\u{65e5}\u{672c}"),
        ] {
            assert_eq!(fold(text), want, "{text}");
        }
    }

    /// What the standard library knows of case is in the table.
    #[test]
    fn agrees_with_the_standard_library() {
        // Georgian capitals are upper case, not title case.
        let georgian = '\u{10d0}'..='\u{10ff}';
        let mut differ = 0;
        for code in (0x80..0x3000).filter_map(char::from_u32) {
            let upper: Vec<char> = code.to_uppercase().collect();
            let lower: Vec<char> = code.to_lowercase().collect();
            if let ([upper], [lower]) = (&upper[..], &lower[..])
                && *upper != code
                && !georgian.contains(&code)
                && fold(&upper.to_string()) != fold(&lower.to_string())
            {
                differ += 1;
            }
        }
        // Characters whose case came after Unicode 14.
        assert!(differ <= 8, "{differ}");
    }

    proptest! {
        #[test]
        fn pieces_fold_as_the_whole(a in "\\PC{0,20}", b in "\\PC{0,20}") {
            prop_assert_eq!(fold(&a) + &fold(&b), fold(&(a + &b)));
        }

        #[test]
        fn never_panics(code in any::<char>()) {
            prop_assert!(!fold(&code.to_string()).is_empty());
        }
    }
}
