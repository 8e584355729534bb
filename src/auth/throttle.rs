//! Guessing made slow, per address, without ever locking the owner out.
//!
//! * An address without failures waits for nothing, whatever others do.
//! * Each failure doubles the delay that is served before the next password is looked at.
//! * From `max` failures on nothing is looked at until a failure is forgiven (one a minute).
//!   Loopback is never refused: a tunnel or proxy brings everybody from there.
//! * The same wrong password again does not count: that is a device with an old password, and
//!   a guesser learns nothing from it.
//!
//! The table is bounded; the address longest quiet is dropped first. Pure: time comes in.
use crate::limits;
use crate::net::census::network_of;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The failures of all addresses.
pub(super) struct Throttle {
    max: u32,
    of: HashMap<IpAddr, Failures>,
    /// Every failure since somebody asked, forgiven or not; and those of addresses that had no place.
    noted: HashMap<IpAddr, u32>,
    noted_elsewhere: u32,
}

struct Failures {
    count: u32,
    /// Since when `count` holds, for forgiving.
    since: Instant,
    last: Instant,
    waiting: u32,
    /// Hashes of the last wrong credentials.
    wrong: [u64; 2],
}

impl Throttle {
    /// Locks an address out from `max` failures on.
    pub(super) fn new(max: u32) -> Throttle {
        Throttle {
            max: max.max(1),
            of: HashMap::new(),
            noted: HashMap::new(),
            noted_elsewhere: 0,
        }
    }

    /// Notes a failure for the owner. Of too many addresses the one with fewest makes room.
    pub(super) fn note(&mut self, ip: IpAddr) {
        let net = network_of(ip);
        if !self.noted.contains_key(&net) && self.noted.len() >= limits::LOGIN_NOTED {
            let fewest = self.noted.iter().min_by_key(|(_, count)| **count);
            if let Some((net, count)) = fewest.map(|(net, count)| (*net, *count)) {
                self.noted.remove(&net);
                self.noted_elsewhere = self.noted_elsewhere.saturating_add(count);
            }
        }
        let count = self.noted.entry(net).or_default();
        *count = count.saturating_add(1);
    }

    /// How many were noted, and of whom, most first.
    pub(super) fn noted(&mut self, forget: bool) -> (u32, Vec<(IpAddr, u32)>) {
        let mut all: Vec<_> = self
            .noted
            .iter()
            .map(|(net, count)| (*net, *count))
            .collect();
        all.sort_by_key(|(net, count)| (u32::MAX - count, *net));
        let sum = |sum: u32, one: &(IpAddr, u32)| sum.saturating_add(one.1);
        let sum = all.iter().fold(self.noted_elsewhere, sum);
        if forget {
            self.noted.clear();
            self.noted_elsewhere = 0;
        }
        (sum, all)
    }

    /// How long this address has to wait before its credentials are looked at; `Err` is how long
    /// they will not be looked at at all. An `Ok` is to be followed by one [`leave`](Self::leave).
    pub(super) fn enter(&mut self, ip: IpAddr, now: Instant) -> Result<Duration, Duration> {
        let Some(f) = self.of.get_mut(&network_of(ip)) else {
            return Ok(Duration::ZERO);
        };
        f.forgive(now);
        let delay = delay(f.count);
        if !ip.to_canonical().is_loopback() {
            if f.count >= self.max {
                let forgiven = f.since + limits::LOGIN_FORGIVE * (f.count - self.max + 1);
                return Err(forgiven.saturating_duration_since(now));
            }
            if f.waiting >= limits::LOGIN_WAITING {
                return Err(delay);
            }
        }
        f.waiting += 1;
        Ok(delay)
    }

    /// Ends what `enter` began.
    pub(super) fn leave(&mut self, ip: IpAddr) {
        if let Some(f) = self.of.get_mut(&network_of(ip)) {
            f.waiting = f.waiting.saturating_sub(1);
        }
    }

    /// Whether just these credentials failed lately from this address.
    pub(super) fn is_repeated(&self, ip: IpAddr, credentials: u64) -> bool {
        self.of
            .get(&network_of(ip))
            .is_some_and(|f| f.wrong.contains(&credentials))
    }

    /// Counts a failure. `credentials`: a keyed hash of what was tried, zero for none.
    pub(super) fn failed(&mut self, ip: IpAddr, credentials: u64, now: Instant) {
        let net = network_of(ip);
        if !self.of.contains_key(&net) && self.of.len() >= limits::LOGIN_ADDRESSES {
            let oldest = self
                .of
                .iter()
                .min_by_key(|(_, f)| f.last)
                .map(|(net, _)| *net);
            if let Some(oldest) = oldest {
                self.of.remove(&oldest);
            }
        }
        let f = self.of.entry(net).or_insert(Failures {
            count: 0,
            since: now,
            last: now,
            waiting: 0,
            wrong: [0; 2],
        });
        f.forgive(now);
        if credentials != 0 {
            if f.wrong.contains(&credentials) {
                f.last = now;
                return;
            }
            f.wrong = [credentials, f.wrong[0]];
        }
        if f.count == 0 {
            f.since = now;
        }
        f.count = f.count.saturating_add(1).min(self.max.saturating_add(60));
        f.last = now;
    }

    /// Forgets which credentials failed (the password was changed), not how often.
    pub(super) fn forget_tried(&mut self) {
        for f in self.of.values_mut() {
            f.wrong = [0; 2];
        }
    }

    /// Forgets an address that has shown the right password.
    pub(super) fn succeeded(&mut self, ip: IpAddr) {
        self.of.remove(&network_of(ip));
    }
}

impl Failures {
    fn forgive(&mut self, now: Instant) {
        while self.count > 0 && now.saturating_duration_since(self.since) >= limits::LOGIN_FORGIVE {
            self.since += limits::LOGIN_FORGIVE;
            self.count -= 1;
        }
    }
}

/// None at first, then half a second, doubling up to the limit.
fn delay(failures: u32) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doubled = Duration::from_millis(500).saturating_mul(1 << (failures - 1).min(10));
    doubled.min(limits::LOGIN_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "198.51.100.7";

    fn ip(s: &str) -> IpAddr {
        s.parse().unwrap()
    }

    #[test]
    fn delays_grow_lock_and_decay() {
        let mut t = Throttle::new(5);
        let now = Instant::now();
        assert_eq!(t.enter(ip(A), now), Ok(Duration::ZERO));
        for n in 1..=4 {
            t.failed(ip(A), n, now);
        }
        assert_eq!(t.enter(ip(A), now), Ok(Duration::from_secs(4)));
        t.leave(ip(A));
        t.failed(ip(A), 9, now);
        assert_eq!(t.enter(ip(A), now), Err(limits::LOGIN_FORGIVE));
        // Others, the owner among them, feel nothing of it.
        assert_eq!(t.enter(ip("198.51.100.8"), now), Ok(Duration::ZERO));
        assert!(t.enter(ip(A), now + limits::LOGIN_FORGIVE).is_ok());
        assert_eq!(
            t.enter(ip(A), now + limits::LOGIN_FORGIVE * 6),
            Ok(Duration::ZERO)
        );
    }

    #[test]
    fn an_old_password_on_a_device_counts_once() {
        let mut t = Throttle::new(3);
        let now = Instant::now();
        for _ in 0..100 {
            t.failed(ip(A), 42, now);
        }
        assert!(t.is_repeated(ip(A), 42));
        assert_eq!(t.enter(ip(A), now), Ok(Duration::from_millis(500)));
        t.succeeded(ip(A));
        assert_eq!(t.enter(ip(A), now), Ok(Duration::ZERO));
    }

    #[test]
    fn loopback_is_slowed_but_never_refused() {
        let mut t = Throttle::new(2);
        let now = Instant::now();
        for n in 1..50 {
            t.failed(ip("::1"), n, now);
        }
        for _ in 0..20 {
            assert_eq!(t.enter(ip("::1"), now), Ok(limits::LOGIN_DELAY));
        }
    }

    #[test]
    fn waiting_and_table_are_bounded() {
        let mut t = Throttle::new(100);
        let now = Instant::now();
        t.failed(ip(A), 1, now);
        for _ in 0..limits::LOGIN_WAITING {
            assert!(t.enter(ip(A), now).is_ok());
        }
        assert!(t.enter(ip(A), now).is_err());
        t.leave(ip(A));
        assert!(t.enter(ip(A), now).is_ok());
        for n in 0..10_000u32 {
            t.failed(IpAddr::V4((n << 8).into()), 1, now);
        }
        assert!(t.of.len() <= limits::LOGIN_ADDRESSES);
    }

    #[test]
    fn what_the_owner_hears_is_bounded() {
        let mut t = Throttle::new(3);
        for n in 0..200u32 {
            t.note(IpAddr::V4(n.into()));
            t.note(ip(A));
        }
        let (sum, of) = t.noted(true);
        assert_eq!((sum, of[0]), (400, (ip(A), 200)));
        assert!(of.len() <= limits::LOGIN_NOTED);
        assert_eq!(t.noted(false), (0, Vec::new()));
    }
}
