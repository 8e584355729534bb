//! Which messages were downloaded on which day: for `--pop3-delete DAYS` (RFC 2449 §6.7).
//!
//! One small value in the store, written at a QUIT that downloaded something new. Days are counted
//! from the first download, which is the reading of EXPIRE that takes nothing from a client that
//! has been away for long. With a clock that was never set nothing is recorded and nothing
//! expires: a jump from 1970 to today would end every period at once.
use crate::mail::UidSet;

/// Where the value is kept.
pub const KEY: &[u8] = b"pop3.fetched";

/// 2024-01-01 in days since 1970. A clock before it has not been set.
const PLAUSIBLE: u32 = 19_723;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Downloaded messages by the day of their first download.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    days: Vec<(u32, UidSet)>,
}

/// The day that `seconds` since 1970 fall on, if the clock can be believed.
pub fn day(seconds: u64) -> Option<u32> {
    u32::try_from(seconds / DAY)
        .ok()
        .filter(|day| *day >= PLAUSIBLE)
}

impl Fetched {
    /// Reads the stored value. What is not one gives an empty record: then messages stay longer.
    pub fn decode(value: &[u8]) -> Self {
        let mut words = value
            .chunks_exact(4)
            .map(|word| word.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)));
        let mut days = Vec::new();
        while let (Some(day), Some(runs)) = (words.next(), words.next()) {
            let mut uids = UidSet::new();
            for _ in 0..runs {
                let (Some(first), Some(last)) = (words.next(), words.next()) else {
                    return Self::default();
                };
                if first == 0 || first > last {
                    return Self::default();
                }
                uids.insert_range(first, last);
            }
            days.push((day, uids));
        }
        Self { days }
    }

    /// The value to store.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut put = |word: u32| out.extend_from_slice(&word.to_le_bytes());
        for (day, uids) in &self.days {
            put(*day);
            put(u32::try_from(uids.runs().len()).unwrap_or(u32::MAX));
            for (first, last) in uids.runs() {
                put(first);
                put(last);
            }
        }
        out
    }

    /// Adds what was downloaded today; what was downloaded before keeps its day. `present` is
    /// everything in the maildrop: the rest is forgotten.
    pub fn add(&mut self, today: u32, fetched: &UidSet, present: &UidSet) {
        let mut new = fetched.and(present);
        for (_, uids) in &mut self.days {
            *uids = uids.and(present);
            new = new.minus(uids);
        }
        match self.days.iter_mut().find(|(day, _)| *day == today) {
            Some((_, uids)) => *uids = uids.or(&new),
            None => self.days.push((today, new)),
        }
        self.days.retain(|(_, uids)| !uids.is_empty());
    }

    /// What was downloaded `after` days ago or earlier.
    pub fn expired(&self, today: u32, after: u16) -> UidSet {
        let due = |day: &u32| day.saturating_add(u32::from(after)) <= today;
        let mut uids = UidSet::new();
        for (_, old) in self.days.iter().filter(|(day, _)| due(day)) {
            uids = uids.or(old);
        }
        uids
    }

    /// Whether a message is known as downloaded.
    #[cfg(test)]
    fn contains(&self, uid: u32) -> bool {
        self.days.iter().any(|(_, uids)| uids.contains(uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::Uid;

    const TODAY: u32 = PLAUSIBLE + 100;

    fn set(uids: &[Uid]) -> UidSet {
        uids.iter().copied().collect()
    }

    #[test]
    fn days_count_from_the_first_download() {
        let mut fetched = Fetched::default();
        let present = UidSet::range(1, 9);
        fetched.add(TODAY, &set(&[1, 2]), &present);
        fetched.add(TODAY + 3, &set(&[2, 3]), &present);
        assert!(fetched.expired(TODAY + 6, 7).is_empty());
        assert_eq!(fetched.expired(TODAY + 7, 7), set(&[1, 2]));
        assert_eq!(fetched.expired(TODAY + 10, 7), set(&[1, 2, 3]));
        assert_eq!(Fetched::decode(&fetched.encode()), fetched);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let mut fetched = Fetched::default();
        fetched.add(TODAY, &set(&[1, 5]), &UidSet::range(1, 9));
        fetched.add(TODAY + 1, &set(&[6]), &UidSet::range(5, 9));
        assert!(!fetched.contains(1) && fetched.contains(5) && fetched.contains(6));
        fetched.add(TODAY + 2, &UidSet::new(), &UidSet::new());
        assert_eq!(fetched, Fetched::default());
    }

    #[test]
    fn an_unset_clock_counts_nothing() {
        assert_eq!(day(5 * DAY), None);
        assert_eq!(day(u64::from(TODAY) * DAY + 7), Some(TODAY));
    }

    #[test]
    fn garbage_is_empty() {
        for value in [
            &b""[..],
            b"x",
            &[1; 8],
            &[0xff; 40],
            &[1, 0, 0, 0, 1, 0, 0, 0, 2],
        ] {
            assert_eq!(Fetched::decode(value), Fetched::default());
        }
    }
}
