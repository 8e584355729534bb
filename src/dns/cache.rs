//! What was learnt, for as long as it holds and there is room.
use super::wire::{Answer, Data, Found, Question};
use crate::limits;
use std::collections::HashMap;
use std::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct Cache {
    entries: HashMap<Question, Entry>,
    octets: usize,
}

struct Entry {
    answer: Answer,
    until: Instant,
    octets: usize,
}

impl Cache {
    pub fn get(&self, question: &Question) -> Option<Answer> {
        let entry = self.entries.get(question)?;
        (entry.until > Instant::now()).then(|| entry.answer.clone())
    }

    /// Remembers for `ttl` seconds, within the bounds. What ends soonest makes room.
    pub fn put(&mut self, question: &Question, answer: &Answer, ttl: u32) {
        let octets = question.name.len() + size(answer);
        self.remove(question);
        if ttl == 0 || octets > limits::DNS_CACHE_OCTETS / 8 {
            return;
        }
        while self.entries.len() >= limits::DNS_CACHE
            || self.octets + octets > limits::DNS_CACHE_OCTETS
        {
            let first = self.entries.iter().min_by_key(|(_, entry)| entry.until);
            let Some(first) = first.map(|(question, _)| question.clone()) else {
                break;
            };
            self.remove(&first);
        }
        let until = Instant::now() + Duration::from_secs(u64::from(ttl.min(limits::DNS_TTL)));
        let answer = answer.clone();
        self.octets += octets;
        self.entries.insert(
            question.clone(),
            Entry {
                answer,
                until,
                octets,
            },
        );
    }

    fn remove(&mut self, question: &Question) {
        if let Some(entry) = self.entries.remove(question) {
            self.octets -= entry.octets;
        }
    }
}

/// About how much memory an answer takes.
fn size(answer: &Answer) -> usize {
    let Found::Records(records) = &answer.found else {
        return 64;
    };
    let own = |data: &Data| match data {
        Data::Txt(text) => text.len(),
        Data::Tlsa(tlsa) => tlsa.data.len(),
        Data::Mx(_, host) | Data::Srv(_, host) | Data::Ptr(host) | Data::Cname(host) => host.len(),
        Data::A(_) | Data::Aaaa(_) => 0,
    };
    64 + records.iter().map(|data| 40 + own(data)).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::wire::Kind;

    #[test]
    fn bounded() {
        let mut cache = Cache::default();
        let question = |n: usize| Question::new(&format!("n{n}"), Kind::Txt);
        let no = Answer {
            found: Found::NoData,
            secure: false,
        };
        for n in 0..3 * limits::DNS_CACHE {
            cache.put(&question(n), &no, 60);
        }
        assert_eq!(cache.entries.len(), limits::DNS_CACHE);
        assert!(cache.get(&question(3 * limits::DNS_CACHE - 1)).is_some());
        let big = Answer {
            found: Found::Records(vec![Data::Txt(vec![b'x'; 20_000])]),
            secure: false,
        };
        for n in 0..100 {
            cache.put(&question(n), &big, 600);
        }
        assert!(cache.octets <= limits::DNS_CACHE_OCTETS);
        // Not kept: it holds for no time.
        cache.put(&question(1), &no, 0);
        assert_eq!(cache.get(&question(1)), None);
    }
}
