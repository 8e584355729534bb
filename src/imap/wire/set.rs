//! Sequence sets: message numbers or UIDs (RFC 9051 §9 `sequence-set`), and sets in answers.

use super::cursor::{Cursor, Parsed};
use super::encode;

/// One end of a range: a number, or `*`, the largest in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A number above 0.
    Number(u32),
    /// `*`.
    Last,
}

impl End {
    /// The number that this stands for while `last` is the largest in use.
    pub fn resolve(self, last: u32) -> u32 {
        match self {
            End::Number(n) => n,
            End::Last => last,
        }
    }
}

/// A set as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Set {
    /// `$`, the saved result of the last SEARCH (RFC 9051 §6.4.4.1).
    Saved,
    /// Ranges in any order; they may overlap.
    Ranges(Vec<(End, End)>),
}

impl Set {
    /// `sequence-set`.
    pub fn parse(c: &mut Cursor<'_>) -> Parsed<Set> {
        if c.eat(b'$') {
            return Ok(Set::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            let first = end(c)?;
            let last = if c.eat(b':') { end(c)? } else { first };
            ranges.push((first, last));
            if !c.eat(b',') {
                return Ok(Set::Ranges(ranges));
            }
        }
    }

    /// True if a set starts here.
    pub fn starts(c: &Cursor<'_>) -> bool {
        matches!(c.peek(), Some(b'0'..=b'9' | b'*' | b'$'))
    }
}

fn end(c: &mut Cursor<'_>) -> Parsed<End> {
    if c.eat(b'*') {
        Ok(End::Last)
    } else {
        c.nz_number().map(End::Number)
    }
}

/// Writes ranges as `1:3,5`.
pub fn write(out: &mut Vec<u8>, runs: impl IntoIterator<Item = (u32, u32)>) {
    for (i, (first, last)) in runs.into_iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        encode::number(out, first);
        if last > first {
            out.push(b':');
            encode::number(out, last);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolve(text: &[u8], last: u32) -> Vec<(u32, u32)> {
        match Set::parse(&mut Cursor::new(text, false)).unwrap() {
            Set::Ranges(ranges) => ranges
                .iter()
                .map(|(a, b)| (a.resolve(last), b.resolve(last)))
                .collect(),
            Set::Saved => panic!("not a set of numbers"),
        }
    }

    /// RFC 9051 §9, the examples under `sequence-set` and `seq-range`.
    #[test]
    fn rfc_examples() {
        assert_eq!(
            resolve(b"2,4:7,9,12:*", 15),
            [(2, 2), (4, 7), (9, 9), (12, 15)]
        );
        assert_eq!(resolve(b"*:4,5:7", 10), [(10, 4), (5, 7)]);
        assert_eq!(resolve(b"3291:*", 7), [(3291, 7)]);
        for bad in ["0", "1:", ",1", "1,", "x", "1:0", "4294967296"] {
            assert!(
                Set::parse(&mut Cursor::new(bad.as_bytes(), false)).is_err(),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn written_sets_parse_back(runs in proptest::collection::vec((1u32.., 1u32..), 1..60)) {
            let runs: Vec<_> = runs.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
            let mut text = Vec::new();
            write(&mut text, runs.iter().copied());
            prop_assert_eq!(resolve(&text, 1), runs);
        }
    }
}
