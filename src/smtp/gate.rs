//! What strangers have to pass before their mail is taken: block lists, greylisting, a bound on messages an
//! hour and at once, and a delay for those who guess addresses. Shared by all listeners of the process.
//!
//! Only who came when is written down, in one row, when the server stops and at most once an hour
//! ([`limits::GREYLIST_SAVE`]): a power cut makes some senders come back once more, and flash is not worn.
use super::wire::reply::{Enhanced, Reply};
use crate::config::is_public;
use crate::dns::{Data, Kind, Question, Resolver};
use crate::limits;
use crate::mail::Mail;
use crate::net::census::{Census, Place, network_of};
use crate::sys::{clock, lock};
use async_io::Timer;
use ring::digest;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

/// The row that greylisting keeps in the store: entries of [`ENTRY`] octets.
const KEY: &[u8] = b"smtp.greylist";
const ENTRY: usize = 17;

/// The memory of all that, and who is sending a message now.
pub struct Gate(Mutex<State>, Census);

impl Default for Gate {
    fn default() -> Gate {
        Gate::new(State::default())
    }
}

#[derive(Default)]
struct State {
    seen: HashMap<[u8; 8], Seen>,
    /// Somebody new has passed since `saved`.
    passed: bool,
    /// Anything changed since then.
    changed: bool,
    saved: u32,
    /// What is counted of a network: when its hour began, and how often since.
    rates: HashMap<(Rate, IpAddr), (u32, u32)>,
}

#[derive(Clone, Copy)]
struct Seen {
    first: u32,
    last: u32,
    passed: bool,
}

/// What is counted, by the hour.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Messages of an IPv4 address or IPv6 /64.
    Address,
    /// Messages of an IPv4 /24 or IPv6 /48.
    Network,
    /// Unknown recipients that an IPv4 address or IPv6 /64 named.
    Strangers,
}

impl Gate {
    fn new(state: State) -> Gate {
        let (all, per_address) = limits::ARRIVING;
        Gate(Mutex::new(state), Census::new(all, per_address))
    }

    /// With what is remembered of earlier runs.
    pub fn open(mail: &Mail) -> Gate {
        let now = clock::now();
        let stored = mail.get(KEY).ok().flatten().unwrap_or_default();
        let mut state = State {
            saved: now,
            ..State::default()
        };
        for entry in stored.chunks_exact(ENTRY).take(limits::GREYLIST) {
            let (key, rest) = entry.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
            let number = |at: usize| {
                let octets = rest.get(at..).and_then(<[u8]>::first_chunk);
                octets.map_or(0, |octets| u32::from_be_bytes(*octets))
            };
            let seen = Seen {
                first: number(0),
                last: number(4),
                passed: rest.last() == Some(&1),
            };
            // RFC 6647 §4.5: who has passed and was not heard of for weeks is new again.
            let kept = if seen.passed {
                limits::GREYLIST_KEPT
            } else {
                limits::GREYLIST_WINDOW
            };
            if now.saturating_sub(seen.last) <= kept {
                state.seen.insert(*key, seen);
            }
        }
        Gate::new(state)
    }

    /// Stores what greylisting knows, if that is worth it now or `all` is to be kept.
    pub async fn remember(&self, mail: &Mail, all: bool) {
        let Some(row) = self.row(all) else { return };
        if let Err(e) = mail.put(vec![(KEY.to_vec(), Some(row))]).await {
            log::warn!("who passed greylisting could not be stored: {e}");
        }
    }

    fn row(&self, all: bool) -> Option<Vec<u8>> {
        let mut state = lock(&self.0);
        let now = clock::now();
        let due = state.passed && now.saturating_sub(state.saved) >= limits::GREYLIST_SAVE;
        if !(due || all && state.changed) {
            return None;
        }
        (state.passed, state.changed, state.saved) = (false, false, now);
        let mut row = Vec::with_capacity(state.seen.len() * ENTRY);
        for (key, seen) in &state.seen {
            row.extend_from_slice(key);
            row.extend_from_slice(&seen.first.to_be_bytes());
            row.extend_from_slice(&seen.last.to_be_bytes());
            row.push(u8::from(seen.passed));
        }
        Some(row)
    }

    /// Greylisting (RFC 6647 §2.4): a sender that was never seen is asked to come back, `delay` seconds
    /// later at the earliest. Servers do; most of what sends spam does not.
    pub fn greylist(
        &self,
        delay: u32,
        ip: IpAddr,
        sender: &str,
        recipient: &str,
    ) -> Result<(), Reply> {
        let now = clock::now();
        let key = key(ip, sender, recipient);
        let state = &mut *lock(&self.0);
        let seen = &mut state.seen;
        if !seen.contains_key(&key) && seen.len() >= limits::GREYLIST {
            let oldest = seen
                .iter()
                .min_by_key(|(_, it)| (it.passed, it.last))
                .map(|(key, _)| *key);
            oldest.map(|key| seen.remove(&key));
        }
        let entry = seen.entry(key).or_insert(Seen {
            first: now,
            last: now,
            passed: false,
        });
        // The clock was ahead: nobody waits until that time comes again.
        entry.first = entry.first.min(now);
        let age = now.saturating_sub(entry.first);
        // RFC 6647 §4.5: retries that come within some hours count.
        if !entry.passed && age > limits::GREYLIST_WINDOW {
            entry.first = now;
        }
        entry.last = now;
        state.changed = true;
        if !entry.passed && age >= delay && age <= limits::GREYLIST_WINDOW {
            entry.passed = true;
            state.passed = true;
        }
        if entry.passed { Ok(()) } else { Err(COME_BACK) }
    }

    /// A place among the messages that come in at once, each of which takes memory: waits for
    /// [`limits::ARRIVING_WAIT`] until there is one.
    pub async fn arrive(&self, ip: IpAddr) -> Option<Place> {
        let until = Instant::now() + limits::ARRIVING_WAIT;
        loop {
            let place = self.1.enter(ip).ok();
            if place.is_some() || Instant::now() >= until {
                return place;
            }
            Timer::after(limits::ARRIVING_LOOK).await;
        }
    }

    /// Counts once more, and gives how often it was in this hour.
    pub fn count(&self, rate: Rate, ip: IpAddr) -> u32 {
        let now = clock::now();
        let rates = &mut lock(&self.0).rates;
        let key = (
            rate,
            if rate == Rate::Network {
                network(ip)
            } else {
                network_of(ip)
            },
        );
        if !rates.contains_key(&key) && rates.len() >= limits::RATES {
            let oldest = rates.iter().min_by_key(|(_, hour)| hour.0);
            let oldest = oldest.map(|(key, _)| *key);
            oldest.map(|key| rates.remove(&key));
        }
        let hour = rates.entry(key).or_insert((now, 0));
        // Over, or begun while the clock was ahead.
        if now.saturating_sub(hour.0) >= 3600 || hour.0 > now {
            *hour = (now, 0);
        }
        hour.1 = hour.1.saturating_add(1);
        hour.1
    }
}

/// An IPv4 /24 or an IPv6 /48: about what one operator's servers share.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) & !0xff).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 80)).into()),
    }
}

/// A network, a sender and a recipient (RFC 6647 §4.4: a pool of servers is one sender).
fn key(ip: IpAddr, sender: &str, recipient: &str) -> [u8; 8] {
    let network = match network(ip) {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(_) => network_of(ip),
    };
    let text = format!(
        "{network} {} {}",
        sender.to_lowercase(),
        recipient.to_lowercase()
    );
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    hash.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The list that names a peer (RFC 5782 §2), if one does. Private addresses are in none.
pub async fn listed(dns: &Resolver, zones: &[String], ip: IpAddr, all: bool) -> Option<String> {
    let ip = ip.to_canonical();
    if !all && !is_public(ip) {
        return None;
    }
    let reversed = crate::verify::iprev::dotted(ip);
    let reversed: Vec<&str> = reversed.rsplit('.').collect();
    let reversed = reversed.join(".");
    let question = |zone| Question::new(&format!("{reversed}.{zone}"), Kind::A);
    let questions: Vec<Question> = zones.iter().map(question).collect();
    let answers = dns.ask_all(&questions).await;
    for (zone, answer) in zones.iter().zip(answers) {
        // RFC 5782 §2.1: 127.0.0.0/8. 127.255.255.x, and 127.0.0.255 of lists that vouch for peers, are how
        // lists say that they do not answer us.
        let names = |data: &Data| match data {
            Data::A(a) => {
                !matches!(a.octets(), [127, 255, 255, _] | [127, 0, 0, 255] | [..=126 | 128.., ..])
            }
            _ => false,
        };
        if answer.records().iter().any(names) {
            return Some(zone.clone());
        }
    }
    None
}

const COME_BACK: Reply = Reply::new(
    451,
    Enhanced(4, 7, 1),
    "Not seen before: greylisted, please try again in some minutes",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_each_other() {
        use smol::future::poll_once;
        let gate = Gate::default();
        let (one, other) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        smol::block_on(async {
            let mut places = Vec::new();
            for _ in 0..limits::ARRIVING.1 {
                places.push(gate.arrive(one).await.unwrap());
            }
            let mut late = Box::pin(gate.arrive(one));
            assert!(poll_once(&mut late).await.is_none());
            assert!(poll_once(gate.arrive(other)).await.flatten().is_some());
            drop(places);
            assert!(late.await.is_some());
        });
    }

    #[test]
    fn greylisting() {
        let gate = Gate::default();
        let ip = |text: &str| text.parse().unwrap();
        assert!(gate.greylist(60, ip("192.0.2.1"), "a@b", "me").is_err());
        assert!(gate.greylist(60, ip("192.0.2.9"), "A@b", "ME").is_err());
        // Its time has come.
        lock(&gate.0)
            .seen
            .values_mut()
            .for_each(|it| it.first -= 61);
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
        assert!(gate.greylist(60, ip("192.0.3.7"), "a@b", "me").is_err());
        // Too late: it begins again.
        lock(&gate.0)
            .seen
            .values_mut()
            .for_each(|it| it.first -= 2 * limits::GREYLIST_WINDOW);
        assert!(gate.greylist(60, ip("192.0.3.7"), "a@b", "me").is_err());
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
        for n in 0..2 * limits::GREYLIST {
            let _ = gate.greylist(60, ip("2001:db8::1"), &n.to_string(), "me");
        }
        assert!(lock(&gate.0).seen.len() <= limits::GREYLIST);
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
    }

    #[test]
    fn little_is_written() {
        let gate = Gate::default();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        lock(&gate.0).saved = clock::now();
        for n in 0..10 {
            assert!(gate.greylist(60, ip, &n.to_string(), "me").is_err());
        }
        let older = || {
            lock(&gate.0)
                .seen
                .values_mut()
                .for_each(|it| it.first -= 61)
        };
        older();
        assert!(gate.greylist(60, ip, "1", "me").is_ok());
        assert!(gate.row(false).is_none(), "not so soon");
        lock(&gate.0).saved -= limits::GREYLIST_SAVE;
        assert_eq!(gate.row(false).map(|row| row.len()), Some(10 * ENTRY));
        lock(&gate.0).saved -= limits::GREYLIST_SAVE;
        assert!(gate.greylist(60, ip, "1", "me").is_ok());
        assert!(gate.greylist(60, ip, "x", "me").is_err());
        assert!(gate.row(false).is_none(), "nobody new has passed");
        assert!(gate.row(true).is_some() && gate.row(true).is_none());
    }

    #[test]
    fn hours_are_counted() {
        let gate = Gate::default();
        let ip = |text: &str| text.parse().unwrap();
        assert_eq!(gate.count(Rate::Address, ip("192.0.2.0")), 1);
        assert_eq!(gate.count(Rate::Address, ip("::ffff:192.0.2.0")), 2);
        assert_eq!(gate.count(Rate::Address, ip("192.0.2.2")), 1);
        assert_eq!(gate.count(Rate::Network, ip("192.0.2.2")), 1);
        assert_eq!(gate.count(Rate::Network, ip("192.0.2.9")), 2);
        assert_eq!(gate.count(Rate::Network, ip("2001:db8:1:2::1")), 1);
        assert_eq!(gate.count(Rate::Network, ip("2001:db8:1:3::1")), 2);
        assert_eq!(gate.count(Rate::Address, ip("2001:db8:1:3::1")), 1);
        let later = |it: &mut (u32, u32)| it.0 -= 3600;
        lock(&gate.0).rates.values_mut().for_each(later);
        assert_eq!(gate.count(Rate::Network, ip("192.0.2.9")), 1);
        for n in 0..2 * limits::RATES as u32 {
            gate.count(Rate::Address, IpAddr::from(n.to_be_bytes()));
        }
        assert!(lock(&gate.0).rates.len() <= limits::RATES);
    }

    #[test]
    fn a_clock_that_was_ahead() {
        let gate = Gate::default();
        let ip: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(gate.greylist(60, ip, "a@b", "me").is_err());
        assert_eq!(gate.count(Rate::Address, ip), 1);
        {
            let state = &mut *lock(&gate.0);
            state.seen.values_mut().for_each(|it| it.first += 1 << 30);
            state.rates.values_mut().for_each(|it| it.0 += 1 << 30);
        }
        assert_eq!(gate.count(Rate::Address, ip), 1, "another hour");
        assert!(gate.greylist(60, ip, "a@b", "me").is_err());
        let seen = || lock(&gate.0).seen.values().next().unwrap().first;
        assert!(seen() <= clock::now());
    }
}
