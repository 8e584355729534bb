//! Normalization Form C (Unicode §3.11), which RFC 8621 §4.1.2.2 wants of texts.
//!
//! Most texts are in it as they are and never see the tables, which are read at the first other one.
//! They are of Unicode 14; `tests/data/nfc.py` makes them.
use std::sync::OnceLock;

/// See `tests/data/nfc.py` for the layout.
static TABLE: &[u8] = include_bytes!("nfc.bin");

/// Hangul syllables and their parts (Unicode §3.12).
const HANGUL: u32 = 0xac00;
const LEADING: u32 = 0x1100;
const VOWEL: u32 = 0x1161;
const TRAILING: u32 = 0x11a7;
const LEADINGS: u32 = 19;
const VOWELS: u32 = 21;
const TRAILINGS: u32 = 28;

/// Code points, each with its neighbours, in which nothing is ever put together or taken apart: most
/// letters of Latin, Cyrillic, Hebrew and Arabic, punctuation, kana, Han, Hangul, pictures.
const STABLE: [(u32, u32); 9] = [
    (0, 0x2ff),
    (0x400, 0x482),
    (0x48a, 0x590),
    (0x5d0, 0x60f),
    (0x620, 0x64a),
    (0x2010, 0x20cf),
    (0x3030, 0x3098),
    (0x309b, 0xa66e),
    (HANGUL, 0xd7a3),
];

struct Tables {
    /// First and last code point of a run of one combining class.
    classes: Vec<(u32, u32, u8)>,
    /// Code point, first part, second part or 0.
    apart: Vec<(u32, u32, u32)>,
    /// First part, second part, code point.
    together: Vec<(u32, u32, u32)>,
}

/// A text in Normalization Form C.
pub fn nfc(text: String) -> String {
    let stable = |it: char| {
        STABLE
            .iter()
            .any(|(a, b)| (*a..=*b).contains(&u32::from(it)))
    };
    if text.chars().all(stable) {
        return text;
    }
    static TABLES: OnceLock<Tables> = OnceLock::new();
    let tables = TABLES.get_or_init(|| tables().unwrap_or_else(Tables::none));
    let mut parts = Vec::with_capacity(text.len());
    text.chars()
        .for_each(|it| tables.decompose(it.into(), &mut parts));
    for run in parts.chunk_by_mut(|_, next| next.1 != 0) {
        run.sort_by_key(|(_, class)| *class);
    }
    tables.compose(&parts)
}

impl Tables {
    fn none() -> Tables {
        Tables {
            classes: Vec::new(),
            apart: Vec::new(),
            together: Vec::new(),
        }
    }

    fn class(&self, code: u32) -> u8 {
        let at = self.classes.partition_point(|(_, last, _)| *last < code);
        let run = self.classes.get(at).filter(|(first, _, _)| *first <= code);
        run.map_or(0, |(_, _, class)| *class)
    }

    /// Adds the parts of a code point, which has few, with their classes.
    fn decompose(&self, mut code: u32, out: &mut Vec<(u32, u8)>) {
        let mut tail = Vec::new();
        if let Some(index) = code
            .checked_sub(HANGUL)
            .filter(|it| *it < LEADINGS * VOWELS * TRAILINGS)
        {
            let (vowel, trailing) = (index / TRAILINGS % VOWELS, index % TRAILINGS);
            code = LEADING + index / (VOWELS * TRAILINGS);
            tail.extend((trailing > 0).then_some(TRAILING + trailing));
            tail.push(VOWEL + vowel);
        }
        while let Ok(at) = self.apart.binary_search_by_key(&code, |it| it.0)
            && let Some((_, first, second)) = self.apart.get(at)
        {
            tail.extend((*second != 0).then_some(*second));
            code = *first;
        }
        out.push((code, self.class(code)));
        out.extend(tail.iter().rev().map(|it| (*it, self.class(*it))));
    }

    fn compose(&self, parts: &[(u32, u8)]) -> String {
        let mut out: Vec<u32> = Vec::with_capacity(parts.len());
        // Where the last starter is, and the class of what came last behind it.
        let (mut starter, mut last) = (None, 0);
        for (code, class) in parts {
            // Blocked: something of the same or a higher class stands in between.
            let free = starter.is_some_and(|at| at + 1 == out.len()) || last < *class;
            if free
                && let Some(first) = starter.and_then(|at| out.get_mut(at))
                && let Some(both) = self.pair(*first, *code)
            {
                *first = both;
                continue;
            }
            if *class == 0 {
                starter = Some(out.len());
            }
            last = *class;
            out.push(*code);
        }
        out.into_iter().filter_map(char::from_u32).collect()
    }

    fn pair(&self, first: u32, second: u32) -> Option<u32> {
        let (lead, vowel) = (first.wrapping_sub(LEADING), second.wrapping_sub(VOWEL));
        if lead < LEADINGS && vowel < VOWELS {
            return Some(HANGUL + (lead * VOWELS + vowel) * TRAILINGS);
        }
        let (index, trailing) = (first.wrapping_sub(HANGUL), second.wrapping_sub(TRAILING));
        let open = index < LEADINGS * VOWELS * TRAILINGS && index % TRAILINGS == 0;
        if open && (1..TRAILINGS).contains(&trailing) {
            return Some(first + trailing);
        }
        let at = self
            .together
            .binary_search_by_key(&(first, second), |it| (it.0, it.1))
            .ok()?;
        self.together.get(at).map(|it| it.2)
    }
}

/// Reads the tables.
fn tables() -> Option<Tables> {
    let (mut rest, mut made) = (TABLE, Tables::none());
    let mut at = 0;
    for _ in 0..varint(&mut rest)? {
        let first = at + varint(&mut rest)?;
        at = first + varint(&mut rest)?;
        let class = varint(&mut rest)?.try_into().ok()?;
        made.classes.push((first, at - 1, class));
    }
    let (mut code, mut first) = (0, 0u32);
    for _ in 0..varint(&mut rest)? {
        code += varint(&mut rest)?;
        let second = varint(&mut rest)?;
        first = first.wrapping_add(distance(&mut rest)?);
        made.apart.push((code, first, second >> 1));
        if second & 1 == 0 {
            made.together.push((first, second >> 1, code));
        }
    }
    made.together.sort_unstable();
    Some(made)
}

/// A zigzag number, to be added wrapping.
pub(super) fn distance(rest: &mut &[u8]) -> Option<u32> {
    let value = varint(rest)?;
    Some((value >> 1) ^ (value & 1).wrapping_neg())
}

pub(super) fn varint(rest: &mut &[u8]) -> Option<u32> {
    let (mut value, mut shift) = (0u32, 0);
    loop {
        let (octet, tail) = rest.split_first()?;
        *rest = tail;
        value |= u32::from(octet & 0x7f).checked_shl(shift)?;
        if *octet < 0x80 {
            return Some(value);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        nfc(text.to_owned())
    }

    #[test]
    fn examples() {
        for (text, want) in [
            ("Gru\u{308}\u{df}e", "Gr\u{fc}\u{df}e"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{212b}", "\u{c5}"),
            ("\u{1100}\u{1161}\u{11a8}", "\u{ac01}"),
            ("\u{ac00}\u{11a8}", "\u{ac01}"),
            // Order, what stands in between, and what is never put together.
            ("s\u{307}\u{323}", "\u{1e69}"),
            ("a\u{315}\u{300}", "\u{e0}\u{315}"),
            ("a\u{301}\u{300}", "\u{e1}\u{300}"),
            ("\u{958}", "\u{915}\u{93c}"),
            ("\u{f900}", "\u{8c48}"),
            ("\u{301}", "\u{301}"),
            ("", ""),
        ] {
            assert_eq!(of(text), want, "{text}");
        }
    }

    /// Every code point by itself, decomposed, and between others: what `tests/data/nfc.py` says.
    #[test]
    fn agrees_with_another() {
        let tables = tables().unwrap();
        let mut hash = 0xcbf2_9ce4_8422_2325u64;
        let pieces = [
            0..0x3400,
            0xa000..0x1_2000,
            0x1_d000..0x1_d200,
            0x2_f800..0x2_fa20,
        ];
        for code in pieces.into_iter().flatten().filter_map(char::from_u32) {
            let mut apart = Vec::new();
            tables.decompose(code.into(), &mut apart);
            let apart: String = apart.iter().filter_map(|it| char::from_u32(it.0)).collect();
            for text in [code.to_string(), apart, format!("o\u{323}{code}\u{301}")] {
                for octet in of(&text).bytes() {
                    hash = (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3);
                }
            }
        }
        assert_eq!(hash, 0x1a57_1ff6_3011_72ac);
    }
}
