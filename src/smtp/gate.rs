//! What strangers have to pass before their mail is taken: block lists, greylisting, and a delay for
//! those who guess addresses. Shared by all listeners of the process; nothing of it is written down.
use super::wire::reply::{Enhanced, Reply};
use crate::config::is_public;
use crate::dns::{Data, Kind, Question, Resolver};
use crate::limits;
use crate::sys::{clock, lock};
use ring::digest;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

/// The memory of greylisting: who came first when.
#[derive(Default)]
pub struct Gate {
    seen: Mutex<HashMap<[u8; 8], Seen>>,
}

#[derive(Clone, Copy)]
struct Seen {
    first: u32,
    last: u32,
    passed: bool,
}

impl Gate {
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
        let mut seen = lock(&self.seen);
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
        let age = now.saturating_sub(entry.first);
        // RFC 6647 §4.5: retries that come within some hours count.
        if !entry.passed && age > limits::GREYLIST_WINDOW {
            entry.first = now;
        }
        entry.last = now;
        entry.passed |= age >= delay && age <= limits::GREYLIST_WINDOW;
        if entry.passed { Ok(()) } else { Err(COME_BACK) }
    }
}

/// A network, a sender and a recipient (RFC 6647 §4.4: a pool of servers is one sender).
fn key(ip: IpAddr, sender: &str, recipient: &str) -> [u8; 8] {
    let network = match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::from((u32::from(v4) & !0xff).to_be_bytes()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 64)).into()),
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
    for zone in zones {
        let question = Question::new(&format!("{}.{zone}", reversed.join(".")), Kind::A);
        let answer = dns.ask(&question).await;
        // RFC 5782 §2.1: 127.0.0.0/8. 127.255.255.x is how lists say that they do not answer us.
        let names = |data: &Data| matches!(data, Data::A(a) if a.octets()[0] == 127 && a.octets()[..3] != [127, 255, 255]);
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
    fn greylisting() {
        let gate = Gate::default();
        let ip = |text: &str| text.parse().unwrap();
        assert!(gate.greylist(60, ip("192.0.2.1"), "a@b", "me").is_err());
        assert!(gate.greylist(60, ip("192.0.2.9"), "A@b", "ME").is_err());
        // Its time has come.
        lock(&gate.seen).values_mut().for_each(|it| it.first -= 61);
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
        assert!(gate.greylist(60, ip("192.0.3.7"), "a@b", "me").is_err());
        // Too late: it begins again.
        lock(&gate.seen)
            .values_mut()
            .for_each(|it| it.first -= 2 * limits::GREYLIST_WINDOW);
        assert!(gate.greylist(60, ip("192.0.3.7"), "a@b", "me").is_err());
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
        for n in 0..2 * limits::GREYLIST {
            let _ = gate.greylist(60, ip("2001:db8::1"), &n.to_string(), "me");
        }
        assert!(lock(&gate.seen).len() <= limits::GREYLIST);
        assert!(gate.greylist(60, ip("192.0.2.7"), "a@b", "me").is_ok());
    }
}
