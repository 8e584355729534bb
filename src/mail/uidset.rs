//! Sets of UIDs as sorted runs: ten bytes or a million messages cost the same while UIDs are dense.

/// A set of `u32` (UIDs or sequence numbers), kept as sorted, disjoint, non-adjacent runs.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct UidSet {
    /// `(first, last, count of members before this run)`.
    runs: Vec<(u32, u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub fn new() -> UidSet {
        UidSet::default()
    }
    /// All from `first` to `last`, both included.
    pub fn range(first: u32, last: u32) -> UidSet {
        let mut set = UidSet::new();
        set.push_range(first, last);
        set
    }
    /// Number of members.
    pub fn len(&self) -> u32 {
        self.runs
            .last()
            .map_or(0, |&(first, last, before)| before + (last - first) + 1)
    }
    /// No members?
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }
    /// Is `n` a member?
    pub fn contains(&self, n: u32) -> bool {
        self.run_at(n).is_some_and(|i| {
            self.runs
                .get(i)
                .is_some_and(|&(first, last, _)| first <= n && n <= last)
        })
    }
    /// The smallest member.
    pub fn first(&self) -> Option<u32> {
        self.runs.first().map(|r| r.0)
    }
    /// The largest member.
    pub fn last(&self) -> Option<u32> {
        self.runs.last().map(|r| r.1)
    }
    /// Adds a member above all others in constant time, any other in time linear in the runs.
    pub fn insert(&mut self, n: u32) {
        self.insert_range(n, n);
    }
    /// Adds `first..=last`; cheap when it lies at or above the end.
    pub fn push_range(&mut self, first: u32, last: u32) {
        self.insert_range(first, last);
    }
    /// Adds `first..=last`, wherever it lies. An empty range (first > last) adds nothing.
    pub fn insert_range(&mut self, first: u32, last: u32) {
        if first > last {
            return;
        }
        match self.runs.last_mut() {
            None => return self.runs.push((first, last, 0)),
            Some(tail) if first > tail.1 => {
                if first == tail.1.saturating_add(1) {
                    tail.1 = last;
                } else {
                    let before = tail.2 + (tail.1 - tail.0) + 1;
                    self.runs.push((first, last, before));
                }
                return;
            }
            Some(_) => {}
        }
        // Runs that touch first..=last are replaced by one.
        let from = self.runs.partition_point(|r| r.1.saturating_add(1) < first);
        let to = self.runs.partition_point(|r| r.0 <= last.saturating_add(1));
        let (mut low, mut high) = (first, last);
        if let Some(r) = self.runs.get(from).filter(|_| from < to) {
            low = low.min(r.0);
        }
        if let Some(r) = to
            .checked_sub(1)
            .and_then(|i| self.runs.get(i))
            .filter(|_| from < to)
        {
            high = high.max(r.1);
        }
        self.runs.splice(from..to, [(low, high, 0)]);
        self.recount(from);
    }
    /// Removes a member.
    pub fn remove(&mut self, n: u32) {
        let Some(i) = self.run_at(n) else { return };
        let Some(&(first, last, _)) = self.runs.get(i) else {
            return;
        };
        if n < first || n > last {
            return;
        }
        let mut parts = Vec::with_capacity(2);
        if first < n {
            parts.push((first, n - 1, 0));
        }
        if n < last {
            parts.push((n + 1, last, 0));
        }
        self.runs.splice(i..=i, parts);
        self.recount(i);
    }
    /// The member at position `index` (0 is the smallest).
    pub fn nth(&self, index: u32) -> Option<u32> {
        let i = self.runs.partition_point(|r| r.2 <= index).checked_sub(1)?;
        let &(first, last, before) = self.runs.get(i)?;
        let n = first.checked_add(index - before)?;
        (n <= last).then_some(n)
    }
    /// How many members are below `n`.
    pub fn rank(&self, n: u32) -> u32 {
        let i = self.runs.partition_point(|r| r.1 < n);
        match self.runs.get(i) {
            Some(&(first, _, before)) => before + n.saturating_sub(first),
            None => self.len(),
        }
    }
    /// The position of member `n`, 0 for the smallest.
    pub fn position(&self, n: u32) -> Option<u32> {
        self.contains(n).then(|| self.rank(n))
    }
    /// The runs, rising: `(first, last)`.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = (u32, u32)> + ExactSizeIterator + '_ {
        self.runs.iter().map(|&(first, last, _)| (first, last))
    }
    /// The runs of members at or above `from`, rising.
    pub fn runs_from(&self, from: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let at = self.runs.partition_point(|r| r.1 < from);
        let runs = self.runs.get(at..).unwrap_or_default();
        runs.iter()
            .map(move |&(first, last, _)| (first.max(from), last))
    }
    /// The members, rising.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        self.runs.iter().flat_map(|&(first, last, _)| first..=last)
    }
    /// What both have.
    pub fn and(&self, other: &UidSet) -> UidSet {
        let mut out = UidSet::new();
        // From where they meet: a few members of a set with many gaps must not cost all of them.
        let (low, high) = (self.first().unwrap_or(0), other.first().unwrap_or(0));
        let mut i = self.runs.partition_point(|r| r.1 < high);
        let mut j = other.runs.partition_point(|r| r.1 < low);
        while let (Some(a), Some(b)) = (self.runs.get(i), other.runs.get(j)) {
            out.insert_range(a.0.max(b.0), a.1.min(b.1));
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        out
    }
    /// What either has.
    pub fn or(&self, other: &UidSet) -> UidSet {
        let (mut a, mut b) = (self.runs().peekable(), other.runs().peekable());
        let mut out = UidSet::new();
        loop {
            let next = match (a.peek(), b.peek()) {
                (Some(x), Some(y)) if x.0 <= y.0 => a.next(),
                (Some(_), None) => a.next(),
                (_, Some(_)) => b.next(),
                (None, None) => return out,
            };
            if let Some((first, last)) = next {
                out.insert_range(first, last);
            }
        }
    }
    /// What this has and `other` has not.
    pub fn minus(&self, other: &UidSet) -> UidSet {
        let mut out = UidSet::new();
        let mut j = 0;
        for &(first, last, _) in &self.runs {
            let mut at = first;
            while other.runs.get(j).is_some_and(|r| r.1 < at) {
                j += 1;
            }
            let mut k = j;
            let mut open = true;
            while let Some(&(low, high, _)) = other.runs.get(k).filter(|r| r.0 <= last) {
                if low > at {
                    out.insert_range(at, low - 1);
                }
                match high.checked_add(1) {
                    Some(next) => at = at.max(next),
                    None => open = false,
                }
                k += 1;
            }
            if open && at <= last {
                out.insert_range(at, last);
            }
        }
        out
    }
    /// The index of the run that holds `n` or lies just below it.
    fn run_at(&self, n: u32) -> Option<usize> {
        self.runs.partition_point(|r| r.0 <= n).checked_sub(1)
    }
    fn recount(&mut self, from: usize) {
        let mut before = match from.checked_sub(1).and_then(|i| self.runs.get(i)) {
            Some(&(first, last, before)) => before + (last - first) + 1,
            None => 0,
        };
        for run in self.runs.iter_mut().skip(from) {
            run.2 = before;
            before = before.saturating_add(run.1 - run.0).saturating_add(1);
        }
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(items: I) -> UidSet {
        let mut set = UidSet::new();
        for n in items {
            set.insert(n);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::UidSet;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(adds in prop::collection::vec((1u32..200, 0u32..12), 0..40),
                              removes in prop::collection::vec(1u32..220, 0..40),
                              others in prop::collection::vec((1u32..200, 0u32..12), 0..10)) {
            let mut set = UidSet::new();
            let mut model = BTreeSet::new();
            for &(at, more) in &adds {
                set.insert_range(at, at + more);
                model.extend(at..=at + more);
            }
            for n in &removes {
                set.remove(*n);
                model.remove(n);
            }
            let mut other = UidSet::new();
            let mut other_model = BTreeSet::new();
            for &(at, more) in &others {
                other.insert_range(at, at + more);
                other_model.extend(at..=at + more);
            }
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.len() as usize, model.len());
            for (i, n) in model.iter().enumerate() {
                prop_assert_eq!(set.nth(i as u32), Some(*n));
                prop_assert_eq!(set.position(*n), Some(i as u32));
            }
            prop_assert_eq!(set.nth(set.len()), None);
            for n in 0..230 {
                prop_assert_eq!(set.contains(n), model.contains(&n));
                prop_assert_eq!(set.rank(n) as usize, model.range(..n).count());
            }
            let collect = |s: UidSet| s.iter().collect::<Vec<_>>();
            prop_assert_eq!(collect(set.and(&other)), model.intersection(&other_model).copied().collect::<Vec<_>>());
            prop_assert_eq!(collect(set.or(&other)), model.union(&other_model).copied().collect::<Vec<_>>());
            prop_assert_eq!(collect(set.minus(&other)), model.difference(&other_model).copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let mut set = UidSet::range(u32::MAX - 1, u32::MAX);
        set.insert_range(1, 3);
        assert_eq!(set.len(), 5);
        assert_eq!(
            set.minus(&UidSet::range(2, u32::MAX))
                .iter()
                .collect::<Vec<_>>(),
            [1]
        );
        set.remove(u32::MAX);
        assert_eq!(set.last(), Some(u32::MAX - 1));
    }
}
