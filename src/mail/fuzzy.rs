//! Fuzzy search (RFC 6203): texts that are nearly there, and how near.
//!
//! A text is found where it stands as it is, or else where each of its words stands, or one that
//! differs by a slip or two: `Helo` finds `hello`. Accents do not count. Other conditions (dates,
//! sizes, flags) are matched exactly, as RFC 6203 §5 leaves to the server.
//!
//! Bounds: `limits::FUZZY_WORDS` words of a search text, `limits::FUZZY_WORD` letters of any word.

use crate::limits::{FUZZY_WORD, FUZZY_WORDS};
use crate::mime::casemap;

/// How well a text was found: 0 not at all, 100 as it is.
pub type Quality = u8;

/// The text as it is.
pub const EXACT: Quality = 100;
/// Every word of it, each as it is or inside another.
const WORDS: Quality = 70;
/// Every word of it, some with a slip.
const SLIPS: Quality = 20;

/// The words of a search text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(Vec<Vec<char>>);

impl Words {
    /// Of a text that is folded already.
    pub fn of(folded: &str) -> Words {
        let mut words = Vec::new();
        split(folded, |word| {
            if words.len() < FUZZY_WORDS {
                words.push(word.to_vec());
            }
        });
        Words(words)
    }
}

/// Looks for words in a text that passes by in pieces.
pub struct Finder<'a> {
    wanted: &'a Words,
    best: Vec<Quality>,
    /// A word that may go on in the next piece.
    open: String,
}

impl<'a> Finder<'a> {
    /// Nothing found yet.
    pub fn new(wanted: &'a Words) -> Finder<'a> {
        Finder {
            wanted,
            best: vec![0; wanted.0.len()],
            open: String::new(),
        }
    }

    /// The next piece.
    pub fn push(&mut self, text: &str) {
        casemap::push(text, &mut self.open);
        let end = self.open.rfind(|it: char| !is_letter(it)).unwrap_or(0);
        let rest = self.open.split_off(end);
        let whole = std::mem::replace(&mut self.open, rest);
        self.look(&whole);
        if self.open.len() > FUZZY_WORD * 4 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let rest = std::mem::take(&mut self.open);
        self.look(&rest);
    }

    fn look(&mut self, text: &str) {
        let (wanted, best) = (self.wanted, &mut self.best);
        split(text, |word| {
            for (found, wanted) in best.iter_mut().zip(&wanted.0) {
                if *found < WORDS {
                    *found = (*found).max(compare(wanted, word));
                }
            }
        });
    }

    /// How well all of it was found.
    pub fn finish(mut self) -> Quality {
        self.flush();
        self.best.iter().copied().min().unwrap_or(0)
    }
}

/// The same for a text at hand.
pub fn quality(wanted: &Words, text: &str) -> Quality {
    let mut finder = Finder::new(wanted);
    finder.push(text);
    finder.finish()
}

fn is_letter(it: char) -> bool {
    it.is_alphanumeric() || is_mark(it)
}

/// Combining marks, which decomposition has split off.
fn is_mark(it: char) -> bool {
    matches!(u32::from(it), 0x300..=0x36f | 0x483..=0x489 | 0x591..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f | 0x20d0..=0x20f0)
}

/// Calls `each` with the letters of every word.
fn split(text: &str, mut each: impl FnMut(&[char])) {
    let mut letters = Vec::new();
    for word in text.split(|it| !is_letter(it)) {
        letters.clear();
        let upper = word.chars().filter(|it| !is_mark(*it)).take(FUZZY_WORD);
        // Decomposition may leave small letters: fi of the ligature.
        letters.extend(upper.map(|it| it.to_ascii_uppercase()));
        if !letters.is_empty() {
            each(&letters);
        }
    }
}

fn compare(wanted: &[char], word: &[char]) -> Quality {
    if word.len() >= wanted.len() && word.windows(wanted.len()).any(|part| part == wanted) {
        return WORDS;
    }
    let slips = match wanted.len() {
        0..=2 => return 0,
        3..=6 => 1,
        _ => 2,
    };
    if word.len().abs_diff(wanted.len()) <= slips && distance(wanted, word) <= slips {
        SLIPS
    } else {
        0
    }
}

/// Letters to add, leave out, change, or swap with the next one.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let change = at(&last, j) + usize::from(x != y);
            let mut least = change.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(wanted: &str, text: &str) -> Quality {
        quality(&Words::of(&casemap::fold(wanted)), text)
    }

    /// RFC 6203 §3: "IMAP break" may find these; §4: "Helo" finds "hello" and "help".
    #[test]
    fn the_examples() {
        assert_eq!(of("IMAP break", "break in the IMAP"), WORDS);
        assert_eq!(of("IMAP broke", "broken IMAP"), WORDS);
        assert_eq!(of("Helo", "well, hello there"), SLIPS);
        assert_eq!(of("Helo", "help"), SLIPS);
        assert_eq!(of("Helo", "goodbye"), 0);
        assert_eq!(of("IMAP break", "IMAP"), 0);
        assert_eq!(of("Jurgen", "J\u{fc}rgen"), WORDS);
        assert_eq!(of("recieve", "I receive it"), SLIPS);
        assert_eq!(of("", "anything"), 0);
    }

    #[test]
    fn cuts_make_no_difference() {
        let text = "it was Jurgen who recieved the broken message";
        let words = Words::of(&casemap::fold("receive broken"));
        for at in 0..text.len() {
            let mut finder = Finder::new(&words);
            finder.push(&text[..at]);
            finder.push(&text[at..]);
            assert_eq!(finder.finish(), quality(&words, text), "{at}");
        }
    }

    #[test]
    fn long_words_are_cheap() {
        let long = "x".repeat(100_000);
        assert_eq!(of("xxxxxxxxxx", &long), WORDS);
        assert_eq!(of("yyyyyyyyyy", &long), 0);
    }
}
