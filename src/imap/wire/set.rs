//! Sequence sets: message numbers or UIDs (RFC 9051 §9 `sequence-set`), and sets in answers.

use super::cursor::{Cursor, Parsed};

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
    if c.eat(b'*') { Ok(End::Last) } else { c.nz_number().map(End::Number) }
}

/// Sorted, disjoint, inclusive ranges of numbers: a set once it is resolved. Memory follows the
/// number of gaps, not of members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs(Vec<(u32, u32)>);

impl Runs {
    /// The members of `set`, while `last` is the largest in use. `n:*` holds `last` even if `n` is
    /// above it (RFC 9051 §9).
    pub fn resolve(ranges: &[(End, End)], last: u32) -> Runs {
        let mut all: Vec<(u32, u32)> = ranges
            .iter()
            .map(|(a, b)| (a.resolve(last), b.resolve(last)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        all.sort_unstable();
        let mut runs = Runs::default();
        for (first, last) in all {
            runs.push_run(first, last);
        }
        runs
    }

    /// Adds a number that is not below any that was added before.
    pub fn push(&mut self, n: u32) {
        self.push_run(n, n);
    }

    /// Adds a range that does not start below any that was added before.
    pub fn push_run(&mut self, first: u32, last: u32) {
        match self.0.last_mut() {
            Some(run) if first <= run.1.saturating_add(1) => run.1 = run.1.max(last),
            _ => self.0.push((first, last)),
        }
    }

    /// The ranges.
    pub fn runs(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// No members.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many members.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(a, b)| u64::from(b - a) + 1).sum()
    }

    /// The smallest member.
    pub fn first(&self) -> Option<u32> {
        self.0.first().map(|run| run.0)
    }

    /// The largest member.
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|run| run.1)
    }

    /// Is `n` a member?
    pub fn contains(&self, n: u32) -> bool {
        let i = self.0.partition_point(|run| run.1 < n);
        self.0.get(i).is_some_and(|run| run.0 <= n)
    }

    /// The members, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(a, b)| *a..=*b)
    }

    /// The members of both.
    pub fn intersect(&self, other: &Runs) -> Runs {
        let (mut i, mut j, mut both) = (0, 0, Runs::default());
        while let (Some(a), Some(b)) = (self.0.get(i), other.0.get(j)) {
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                both.push_run(first, last);
            }
            if a.1 < b.1 { i += 1 } else { j += 1 }
        }
        both
    }

    /// Writes `1:3,5`.
    pub fn write(&self, out: &mut Vec<u8>) {
        use std::io::Write;
        for (i, (first, last)) in self.0.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            let _ = write!(out, "{first}");
            if last > first {
                let _ = write!(out, ":{last}");
            }
        }
    }
}

impl FromIterator<u32> for Runs {
    /// From numbers in rising order.
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut runs = Runs::default();
        numbers.into_iter().for_each(|n| runs.push(n));
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn resolve(text: &str, last: u32) -> Vec<(u32, u32)> {
        match Set::parse(&mut Cursor::new(text.as_bytes(), false)).unwrap() {
            Set::Ranges(ranges) => Runs::resolve(&ranges, last).0,
            Set::Saved => panic!("not a set of numbers"),
        }
    }

    /// RFC 9051 §9, the examples under `sequence-set` and `seq-range`.
    #[test]
    fn rfc_examples() {
        assert_eq!(resolve("2,4:7,9,12:*", 15), [(2, 2), (4, 7), (9, 9), (12, 15)]);
        assert_eq!(resolve("*:4,5:7", 10), [(4, 10)]);
        assert_eq!(resolve("3291:*", 7), [(7, 3291)]);
        assert_eq!(resolve("4:2", 9), [(2, 4)]);
        for bad in ["0", "1:", ",1", "1,", "x", "1:0", "4294967296"] {
            assert!(Set::parse(&mut Cursor::new(bad.as_bytes(), false)).is_err(), "{bad}");
        }
    }

    fn runs(set: &BTreeSet<u32>) -> Runs {
        set.iter().copied().collect()
    }

    proptest! {
        #[test]
        fn runs_are_sets(a in proptest::collection::btree_set(1u32..60, 0..40),
                         b in proptest::collection::btree_set(1u32..60, 0..40)) {
            prop_assert_eq!(runs(&a).iter().collect::<BTreeSet<_>>(), a.clone());
            prop_assert_eq!(runs(&a).count(), a.len() as u64);
            prop_assert_eq!(runs(&a).intersect(&runs(&b)).iter().collect::<BTreeSet<_>>(), &a & &b);
            for n in 0..62 {
                prop_assert_eq!(runs(&a).contains(n), a.contains(&n));
            }
        }

        #[test]
        fn written_sets_parse_back(a in proptest::collection::btree_set(1u32..1000, 1..60)) {
            let mut text = Vec::new();
            runs(&a).write(&mut text);
            let Ok(Set::Ranges(ranges)) = Set::parse(&mut Cursor::new(&text, false)) else {
                panic!("{}", String::from_utf8_lossy(&text))
            };
            prop_assert_eq!(Runs::resolve(&ranges, 1000), runs(&a));
        }
    }
}
