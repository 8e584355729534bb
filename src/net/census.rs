//! Who is connected: counts over all listeners, in all and per address, with limits.
use crate::sys::lock;
use event_listener::Event;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// The counts, shared by all listeners.
#[derive(Clone)]
pub struct Census(Arc<Inner>);

struct Inner {
    counts: Mutex<Counts>,
    left: Event,
    max: usize,
    max_per_address: usize,
}

#[derive(Default)]
struct Counts {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// A place taken in the [`Census`]; dropping it gives it back.
pub struct Place {
    census: Census,
    net: IpAddr,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// `--max-connections` is reached.
    All,
    /// `--max-connections-per-address` is reached.
    Address,
}

/// The network that counts as one peer: an IPv4 address, or an IPv6 /64 (what one household
/// gets, so that rotating privacy addresses does not help). IPv4-mapped IPv6 is IPv4.
pub fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) & (u128::MAX << 64);
            IpAddr::V6(prefix.into())
        }
    }
}

impl Census {
    /// Limits as of the flags of the same names.
    pub fn new(max: usize, max_per_address: usize) -> Census {
        Census(Arc::new(Inner {
            counts: Mutex::default(),
            left: Event::new(),
            max,
            max_per_address,
        }))
    }

    /// A place for a peer. Loopback is not limited per address: proxies and tunnels bring
    /// everybody from there.
    ///
    /// # Errors
    /// Which of the limits is reached.
    pub fn enter(&self, ip: IpAddr) -> Result<Place, Full> {
        let net = network_of(ip);
        let mut counts = lock(&self.0.counts);
        if counts.all >= self.0.max {
            return Err(Full::All);
        }
        let here = counts.of.entry(net).or_default();
        if *here >= self.0.max_per_address && !net.is_loopback() && !is_loopback_net(net) {
            return Err(Full::Address);
        }
        *here += 1;
        counts.all += 1;
        Ok(Place {
            census: self.clone(),
            net,
        })
    }

    /// Connections open now.
    pub fn count(&self) -> usize {
        lock(&self.0.counts).all
    }

    /// Resolves when nobody is connected any more.
    pub async fn empty(&self) {
        loop {
            let listener = self.0.left.listen();
            if self.count() == 0 {
                return;
            }
            listener.await;
        }
    }
}

impl Place {
    /// Takes a place of another address instead: a proxy says whose connection it is. Its word makes
    /// nobody loopback. The place stays where it was if there is none.
    ///
    /// # Errors
    /// [`Full::Address`].
    pub fn move_to(&mut self, ip: IpAddr) -> Result<(), Full> {
        let net = network_of(ip);
        let inner = &self.census.0;
        let mut counts = lock(&inner.counts);
        if counts.of.get(&net).copied().unwrap_or(0) >= inner.max_per_address {
            return Err(Full::Address);
        }
        counts.leave(self.net);
        *counts.of.entry(net).or_default() += 1;
        self.net = net;
        Ok(())
    }
}

impl Counts {
    fn leave(&mut self, net: IpAddr) {
        if let Some(n) = self.of.get_mut(&net) {
            *n -= 1;
            if *n == 0 {
                self.of.remove(&net);
            }
        }
    }
}

/// `::1` masked to its /64 is `::`, which nobody else can have.
fn is_loopback_net(net: IpAddr) -> bool {
    net.is_unspecified()
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.census.0.counts);
        counts.all = counts.all.saturating_sub(1);
        counts.leave(self.net);
        let empty = counts.all == 0;
        drop(counts);
        if empty {
            self.census.0.left.notify(usize::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_and_places_come_back() {
        let census = Census::new(3, 2);
        let a: IpAddr = "192.0.2.1".parse().unwrap();
        let one = census.enter(a).ok();
        let _two = census.enter("::ffff:192.0.2.1".parse().unwrap()).ok();
        assert_eq!(census.enter(a).err(), Some(Full::Address));
        let _three = census.enter("2001:db8::1".parse().unwrap()).ok();
        assert_eq!(
            census.enter("2001:db8::2".parse().unwrap()).err(),
            Some(Full::All)
        );
        drop(one);
        assert!(census.enter(a).is_ok());
    }

    #[test]
    fn ipv6_counts_by_64() {
        let census = Census::new(10, 1);
        let _one = census.enter("2001:db8:1:2::1".parse().unwrap()).ok();
        assert_eq!(
            census.enter("2001:db8:1:2:ffff::9".parse().unwrap()).err(),
            Some(Full::Address)
        );
        assert!(census.enter("2001:db8:1:3::1".parse().unwrap()).is_ok());
        let _a = census.enter("::1".parse().unwrap()).ok();
        assert!(census.enter("::1".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_proxied_peer_counts_for_itself() {
        let census = Census::new(10, 2);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut places: Vec<_> = (0..4)
            .filter_map(|_| census.enter(ip("127.0.0.1")).ok())
            .collect();
        assert!(places[0].move_to(ip("192.0.2.1")).is_ok());
        assert!(places[1].move_to(ip("192.0.2.1")).is_ok());
        assert_eq!(places[2].move_to(ip("192.0.2.1")), Err(Full::Address));
        assert!(places[2].move_to(ip("127.0.0.1")).is_err(), "no exception");
        drop(places.remove(0));
        assert!(places[1].move_to(ip("192.0.2.1")).is_ok());
        drop(places);
        assert!(census.count() == 0 && lock(&census.0.counts).of.is_empty());
    }
}
