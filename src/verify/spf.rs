//! SPF (RFC 7208): may this address send for this domain? `check_host()`, with the text of `exp=`.
mod macros;
mod record;

use super::iprev::{has, kind, reverse};
use super::{Answers, Need};
use crate::dns::{Answer, Data, Found, Kind};
use crate::limits;
use crate::sys::network::is_in;
use macros::Given;
pub use record::{Mechanism, Record};
use std::net::IpAddr;

/// The results of §2.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No record.
    None,
    /// The domain says nothing.
    Neutral,
    /// It may.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// The DNS does not answer now.
    TempError,
    /// The records are wrong.
    PermError,
}

impl Outcome {
    /// The word of §2.6.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::None => "none",
            Outcome::Neutral => "neutral",
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::SoftFail => "softfail",
            Outcome::TempError => "temperror",
            Outcome::PermError => "permerror",
        }
    }
}

/// Who sends.
#[derive(Clone, Debug)]
pub struct Sender<'a> {
    /// The peer.
    pub ip: IpAddr,
    /// What it said in EHLO.
    pub helo: &'a str,
    /// The reverse-path's local part and domain; None for the null one.
    pub from: Option<(&'a str, &'a str)>,
    /// Our own name.
    pub receiver: &'a str,
    /// Seconds since 1970.
    pub now: u64,
}

/// A checked sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The result.
    pub outcome: Outcome,
    /// The domain that was checked.
    pub domain: String,
    /// It is HELO's, since the reverse-path is null (§2.4).
    pub by_helo: bool,
    /// With [`Outcome::Fail`]: what the domain says of it (§6.2), in visible ASCII and spaces; at most
    /// [`limits::SPF_EXPLANATION`] octets. A stranger's words.
    pub explanation: Option<String>,
}

/// Why an evaluation stops.
enum Stop {
    Need(Need),
    Error(Outcome),
}

impl From<Need> for Stop {
    fn from(need: Need) -> Stop {
        Stop::Need(need)
    }
}

const PERMANENT: Stop = Stop::Error(Outcome::PermError);

/// Checks a sender.
///
/// # Errors
/// The next question.
pub fn check(sender: &Sender<'_>, answers: &Answers) -> Result<Checked, Need> {
    let ip = sender.ip.to_canonical();
    let by_helo = sender.from.is_none();
    let (local, domain) = sender.from.unwrap_or(("postmaster", sender.helo));
    let local = if local.is_empty() {
        "postmaster"
    } else {
        local
    };
    let given = Given {
        ip,
        helo: sender.helo,
        local,
        domain,
        receiver: sender.receiver,
        now: sender.now,
    };
    let mut evaluation = Evaluation {
        given,
        answers,
        lookups: 0,
        void: 0,
        explain: None,
    };
    let outcome = match evaluation.host(domain) {
        Ok(outcome) | Err(Stop::Error(outcome)) => outcome,
        Err(Stop::Need(need)) => return Err(need),
    };
    let explanation = match (outcome, evaluation.explain.take()) {
        (Outcome::Fail, Some((spec, at))) => match evaluation.explanation(&spec, &at) {
            Err(Stop::Need(need)) => return Err(need),
            Err(Stop::Error(_)) => None,
            Ok(text) => text,
        },
        _ => None,
    };
    Ok(Checked {
        outcome,
        domain: domain.to_owned(),
        by_helo,
        explanation,
    })
}

struct Evaluation<'a> {
    given: Given<'a>,
    answers: &'a Answers,
    lookups: u32,
    void: u32,
    /// Where the record that matched last has its explanation, and whose record it is. An include's is
    /// overwritten by the match of the record that includes it.
    explain: Option<(macros::Spec, String)>,
}

impl<'a> Evaluation<'a> {
    /// check_host() (§4).
    fn host(&mut self, domain: &str) -> Result<Outcome, Stop> {
        let mut domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let mut redirected = false;
        loop {
            // §4.3
            if !is_checkable(&domain) {
                return Ok(if redirected {
                    Outcome::PermError
                } else {
                    Outcome::None
                });
            }
            let record = match self.record(&domain)? {
                Some(record) => record,
                // §6.1
                None if redirected => return Ok(Outcome::PermError),
                None => return Ok(Outcome::None),
            };
            for directive in &record.directives {
                if self.matches(&directive.mechanism, &domain)? {
                    self.explain = record.explanation.map(|spec| (spec, domain));
                    return Ok(directive.outcome);
                }
            }
            let Some(redirect) = &record.redirect else {
                return Ok(Outcome::Neutral);
            };
            self.count()?;
            domain = self.expand(redirect, &domain)?;
            redirected = true;
        }
    }

    /// The one SPF record of a domain (§4.4, §4.5).
    fn record(&mut self, domain: &str) -> Result<Option<Record>, Stop> {
        let answer = self.answers.get(domain, Kind::Txt)?;
        if answer.found == Found::Failed {
            return Err(Stop::Error(Outcome::TempError));
        }
        let mut found = None;
        for data in answer.records() {
            let Data::Txt(text) = data else { continue };
            if !record::is_spf(text) {
                continue;
            }
            if found.replace(text).is_some() {
                return Err(PERMANENT);
            }
        }
        let Some(text) = found else { return Ok(None) };
        let text = std::str::from_utf8(text)
            .ok()
            .filter(|text| text.is_ascii());
        text.and_then(Record::parse).map(Some).ok_or(PERMANENT)
    }

    /// The text behind `exp=` (§6.2); none if anything at all is wrong with it.
    fn explanation(&mut self, spec: &macros::Spec, domain: &str) -> Result<Option<String>, Stop> {
        let name = self.expand(spec, domain)?;
        if !is_name(&name) {
            return Ok(None);
        }
        let [Data::Txt(text)] = self.answers.get(&name, Kind::Txt)?.records() else {
            return Ok(None);
        };
        let text = std::str::from_utf8(text).ok();
        let Some(spec) = text.and_then(|text| macros::Spec::text(text, true)) else {
            return Ok(None);
        };
        let validated = self.names_for(&spec)?;
        let text = spec.fill(&self.given, domain, &validated).into_bytes();
        let visible = text.iter().all(|b| (b' '..=b'~').contains(b));
        let text = String::from_utf8(text).ok().filter(|_| visible);
        Ok(text.map(|mut text| {
            text.truncate(limits::SPF_EXPLANATION);
            text
        }))
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        let ip = self.given.ip;
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, bits) => Ok(is_in(ip, IpAddr::V4(*network), *bits)),
            Mechanism::Ip6(network, bits) => Ok(is_in(ip, IpAddr::V6(*network), *bits)),
            Mechanism::Include(spec) => {
                self.count()?;
                let target = self.expand(spec, domain)?;
                // §5.2
                match self.host(&target)? {
                    Outcome::Pass => Ok(true),
                    Outcome::Fail | Outcome::SoftFail | Outcome::Neutral => Ok(false),
                    Outcome::TempError => Err(Stop::Error(Outcome::TempError)),
                    Outcome::PermError | Outcome::None => Err(PERMANENT),
                }
            }
            Mechanism::A(spec, bits) => {
                self.count()?;
                let target = self.target(spec.as_ref(), domain)?;
                let answer = self.look(&target, kind(ip))?;
                Ok(names(answer, ip, *bits))
            }
            Mechanism::Mx(spec, bits) => {
                self.count()?;
                let target = self.target(spec.as_ref(), domain)?;
                self.exchangers(&target, *bits)
            }
            Mechanism::Exists(spec) => {
                self.count()?;
                let target = self.expand(spec, domain)?;
                Ok(!self.look(&target, Kind::A)?.records().is_empty())
            }
            Mechanism::Ptr(spec) => {
                self.count()?;
                let target = self.target(spec.as_ref(), domain)?;
                let names = self.validated()?;
                Ok(names
                    .iter()
                    .any(|name| super::dkim::is_below(name, &target)))
            }
        }
    }

    /// §5.4
    fn exchangers(&mut self, target: &str, bits: (u8, u8)) -> Result<bool, Stop> {
        let ip = self.given.ip;
        let answer = self.look(target, Kind::Mx)?;
        let hosts = answer.records().iter().filter_map(|data| match data {
            Data::Mx(_, host) if !host.is_empty() => Some(host),
            _ => None,
        });
        for (number, host) in hosts.enumerate() {
            if number >= limits::SPF_HOSTS {
                return Err(PERMANENT);
            }
            let answer = self.answers.get(host, kind(ip))?;
            if answer.found == Found::Failed {
                return Err(Stop::Error(Outcome::TempError));
            }
            if names(answer, ip, bits) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The names of the peer that lead back to it (§5.5). Errors of the DNS make no match.
    fn validated(&self) -> Result<Vec<String>, Stop> {
        let ip = self.given.ip;
        let mut names = Vec::new();
        let answer = self.answers.get(&reverse(ip), Kind::Ptr)?;
        for data in answer.records().iter().take(limits::SPF_HOSTS) {
            let Data::Ptr(name) = data else { continue };
            if has(self.answers.get(name, kind(ip))?, ip) {
                names.push(name.clone());
            }
        }
        Ok(names)
    }

    /// A lookup of a term: errors end the check, and finding nothing is counted.
    fn look(&mut self, name: &str, kind: Kind) -> Result<&'a Answer, Stop> {
        if !is_name(name) {
            // §4.8: a name that is none matches nothing.
            const NOTHING: &Answer = &Answer {
                found: Found::NoName,
                secure: false,
            };
            return Ok(NOTHING);
        }
        let answer = self.answers.get(name, kind)?;
        match answer.found {
            Found::Failed => return Err(Stop::Error(Outcome::TempError)),
            Found::NoData | Found::NoName => {
                self.void += 1;
                if self.void > limits::SPF_VOID {
                    return Err(PERMANENT);
                }
            }
            Found::Records(_) => {}
        }
        Ok(answer)
    }

    fn count(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > limits::SPF_LOOKUPS {
            return Err(PERMANENT);
        }
        Ok(())
    }

    fn target(&mut self, spec: Option<&macros::Spec>, domain: &str) -> Result<String, Stop> {
        match spec {
            Some(spec) => self.expand(spec, domain),
            None => Ok(domain.to_owned()),
        }
    }

    /// §7, in lower case and without the final dot.
    fn expand(&mut self, spec: &macros::Spec, domain: &str) -> Result<String, Stop> {
        let validated = self.names_for(spec)?;
        Ok(spec.expand(&self.given, domain, &validated))
    }

    fn names_for(&self, spec: &macros::Spec) -> Result<Vec<String>, Stop> {
        if spec.wants_name() {
            self.validated()
        } else {
            Ok(Vec::new())
        }
    }
}

/// Whether a domain can be checked at all (§4.3): a name of two labels or more.
fn is_checkable(domain: &str) -> bool {
    domain.contains('.') && domain.is_ascii() && !domain.starts_with('[') && is_name(domain)
}

fn is_name(name: &str) -> bool {
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

fn names(answer: &Answer, ip: IpAddr, bits: (u8, u8)) -> bool {
    answer.records().iter().any(|data| match data {
        Data::A(a) => is_in(ip, IpAddr::V4(*a), bits.0),
        Data::Aaaa(a) => is_in(ip, IpAddr::V6(*a), bits.1),
        _ => false,
    })
}

#[cfg(test)]
mod tests;
