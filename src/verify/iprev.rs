//! iprev (RFC 8601 §3): the peer's address has a name, and the name that address.
use super::{Answers, Need};
use crate::dns::{Answer, Data, Found, Kind};
use crate::limits;
use std::fmt::Write;
use std::net::IpAddr;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// This name.
    Pass(String),
    /// It has names, none of which leads back.
    Fail,
    /// It has no name.
    PermError,
    /// The DNS does not answer now.
    TempError,
}

impl Outcome {
    /// The word of RFC 8601 §2.7.3.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Pass(_) => "pass",
            Outcome::Fail => "fail",
            Outcome::PermError => "permerror",
            Outcome::TempError => "temperror",
        }
    }
}

/// The octets (IPv4) or nibbles (IPv6) of an address, with dots between.
pub fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let mut text = String::with_capacity(64);
            for octet in v6.octets() {
                // Writing to a String cannot fail.
                let _ = write!(text, "{:x}.{:x}.", octet >> 4, octet & 15);
            }
            text.pop();
            text
        }
    }
}

/// The name under which an address has its PTR record (RFC 1035 §3.5, RFC 3596 §2.5).
pub fn reverse(ip: IpAddr) -> String {
    let parts = dotted(ip);
    let parts: Vec<&str> = parts.rsplit('.').collect();
    let zone = if ip.is_ipv4() {
        "in-addr.arpa"
    } else {
        "ip6.arpa"
    };
    format!("{}.{zone}", parts.join("."))
}

/// Whether an answer names this address.
pub fn has(answer: &Answer, ip: IpAddr) -> bool {
    answer.records().iter().any(|data| match (data, ip) {
        (Data::A(a), IpAddr::V4(ip)) => *a == ip,
        (Data::Aaaa(a), IpAddr::V6(ip)) => *a == ip,
        _ => false,
    })
}

/// The type of an address's records.
pub fn kind(ip: IpAddr) -> Kind {
    if ip.is_ipv4() { Kind::A } else { Kind::Aaaa }
}

/// Checks an address (no IPv4 inside IPv6).
///
/// # Errors
/// The next question.
pub fn check(ip: IpAddr, answers: &Answers) -> Result<Outcome, Need> {
    let names = answers.get(&reverse(ip), Kind::Ptr)?;
    match names.found {
        Found::Failed => return Ok(Outcome::TempError),
        Found::NoData | Found::NoName => return Ok(Outcome::PermError),
        Found::Records(_) => {}
    }
    let mut outcome = Outcome::Fail;
    for data in names.records().iter().take(limits::IPREV_NAMES) {
        let Data::Ptr(name) = data else { continue };
        let answer = answers.get(name, kind(ip))?;
        if has(answer, ip) {
            return Ok(Outcome::Pass(name.clone()));
        }
        if answer.found == Found::Failed {
            outcome = Outcome::TempError;
        }
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversed() {
        assert_eq!(reverse([192, 0, 2, 1].into()), "1.2.0.192.in-addr.arpa");
        let v6 = reverse("2001:db8::cb01".parse().unwrap());
        assert_eq!(
            v6,
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
    }
}
