//! SPF records (RFC 7208 §12). The whole record is read first: one error anywhere spoils it (§4.6).
use super::Outcome;
use super::macros::Spec;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// In order.
    pub directives: Vec<Directive>,
    /// `redirect=`.
    pub redirect: Option<Spec>,
    /// `exp=`: where the text is that explains a "fail".
    pub explanation: Option<Spec>,
}

/// What a match means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// The qualifier.
    pub outcome: Outcome,
    /// What is to match.
    pub mechanism: Mechanism,
}

/// Mechanisms (§5), with the prefix lengths for IPv4 and IPv6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everything.
    All,
    /// Who passes there.
    Include(Spec),
    /// A host's addresses.
    A(Option<Spec>, (u8, u8)),
    /// The addresses of a domain's mail exchangers.
    Mx(Option<Spec>, (u8, u8)),
    /// A name of the peer's address.
    Ptr(Option<Spec>),
    /// A network.
    Ip4(Ipv4Addr, u8),
    /// A network.
    Ip6(Ipv6Addr, u8),
    /// Whether a name is there.
    Exists(Spec),
}

/// Whether a text is an SPF record at all (§4.5).
pub fn is_spf(text: &[u8]) -> bool {
    let version = text
        .get(..6)
        .is_some_and(|v| v.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(text.get(6), None | Some(b' '))
}

impl Record {
    /// Reads a record; `None` for a syntax error anywhere.
    pub fn parse(text: &str) -> Option<Record> {
        let mut record = Record {
            directives: Vec::new(),
            redirect: None,
            explanation: None,
        };
        for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
            let Some((name, value)) = modifier(term) else {
                record.directives.push(Directive::parse(term)?);
                continue;
            };
            // §6: each of the two at most once.
            if name.eq_ignore_ascii_case("redirect") {
                if record.redirect.replace(Spec::domain(value)?).is_some() {
                    return None;
                }
            } else if name.eq_ignore_ascii_case("exp") {
                if record.explanation.replace(Spec::domain(value)?).is_some() {
                    return None;
                }
            } else {
                Spec::text(value, false)?;
            }
        }
        Some(record)
    }
}

/// A term with `=` behind a name (§4.6.1).
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut chars = name.chars();
    let first = chars.next()?.is_ascii_alphabetic();
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    (first && rest).then_some((name, value))
}

impl Directive {
    fn parse(term: &str) -> Option<Directive> {
        let qualified = match term.as_bytes().first()? {
            b'+' => Some(Outcome::Pass),
            b'-' => Some(Outcome::Fail),
            b'~' => Some(Outcome::SoftFail),
            b'?' => Some(Outcome::Neutral),
            _ => None,
        };
        let body = if qualified.is_some() {
            term.get(1..)?
        } else {
            term
        };
        let outcome = qualified.unwrap_or(Outcome::Pass);
        let end = body.find([':', '/']).unwrap_or(body.len());
        let (name, rest) = body.split_at(end);
        let mechanism = Mechanism::parse(&name.to_ascii_lowercase(), rest)?;
        Some(Directive { outcome, mechanism })
    }
}

impl Mechanism {
    /// `rest` is what follows the name: empty, or from `:` or `/` on.
    fn parse(name: &str, rest: &str) -> Option<Mechanism> {
        let value = rest.strip_prefix(':');
        Some(match name {
            "all" if rest.is_empty() => Mechanism::All,
            "include" => Mechanism::Include(Spec::domain(value?)?),
            "exists" => Mechanism::Exists(Spec::domain(value?)?),
            "ptr" if rest.is_empty() => Mechanism::Ptr(None),
            "ptr" => Mechanism::Ptr(Some(Spec::domain(value?)?)),
            "a" | "mx" => {
                let (rest, bits) = lengths(rest)?;
                let spec = match rest.strip_prefix(':') {
                    Some(value) => Some(Spec::domain(value)?),
                    None if rest.is_empty() => None,
                    None => return None,
                };
                if name == "a" {
                    Mechanism::A(spec, bits)
                } else {
                    Mechanism::Mx(spec, bits)
                }
            }
            "ip4" => {
                let (network, bits) = network(value?, 32)?;
                Mechanism::Ip4(network.parse().ok()?, bits)
            }
            "ip6" => {
                let (network, bits) = network(value?, 128)?;
                Mechanism::Ip6(network.parse().ok()?, bits)
            }
            _ => return None,
        })
    }
}

fn network(text: &str, most: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        Some((network, bits)) => Some((network, length(bits, most)?)),
        None => Some((text, most)),
    }
}

/// Takes `/n`, `//m` or `/n//m` off the end.
fn lengths(text: &str) -> Option<(&str, (u8, u8))> {
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let (mut rest, mut bits) = (text, (32, 128));
    if let Some((before, after)) = rest.rsplit_once("//")
        && numeric(after)
    {
        (rest, bits.1) = (before, length(after, 128)?);
    }
    if let Some((before, after)) = rest.rsplit_once('/')
        && numeric(after)
    {
        (rest, bits.0) = (before, length(after, 32)?);
    }
    Some((rest, bits))
}

/// No leading zeros, no more than fits.
fn length(text: &str, most: u8) -> Option<u8> {
    let plain = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|n| plain && *n <= most)
}
