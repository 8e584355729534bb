//! DMARC (RFC 7489): whether the domain in From stands behind the message, and what it wants done if not.
//!
//! Where one organization's names end and another's begin is found by walking up the DNS tree, as the
//! revised DMARC does, and not by a list of public suffixes: the list is larger than this server's
//! whole SMTP, and is out of date on a router.
use super::dkim::{self, is_below};
use super::tags::Tags;
use super::{Answers, Need, Scanned, spf};
use crate::limits;
use crate::mail::address::is_domain;
use crate::mime;
use crate::mime::Address;

/// What the domain asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    None,
    /// To be put aside.
    Quarantine,
    /// To be refused.
    Reject,
}

impl Policy {
    fn parse(text: &str) -> Option<Policy> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Some(Policy::None),
            "quarantine" => Some(Policy::Quarantine),
            "reject" => Some(Policy::Reject),
            _ => None,
        }
    }

    /// The word of the record.
    pub fn word(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        }
    }

    fn milder(self) -> Policy {
        match self {
            Policy::Reject => Policy::Quarantine,
            _ => Policy::None,
        }
    }
}

/// What the check came to (RFC 8601 §2.7.7 by way of RFC 7489 §11.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No policy.
    None,
    /// An aligned identifier passed.
    Pass,
    /// None did.
    Fail,
    /// The DNS does not answer now.
    TempError,
    /// From is not what it has to be.
    PermError,
}

impl Outcome {
    /// The word of RFC 7489 §11.2.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::None => "none",
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::TempError => "temperror",
            Outcome::PermError => "permerror",
        }
    }
}

/// A checked message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it came to.
    pub outcome: Outcome,
    /// The policy that holds, after sampling; `None` unless it failed.
    pub policy: Policy,
    /// The domain in From.
    pub from: Option<String>,
}

/// A record (RFC 7489 §6.3).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    policy: Policy,
    sub: Policy,
    /// For subdomains that do not exist.
    missing: Policy,
    percent: u8,
    testing: bool,
    strict_dkim: bool,
    strict_spf: bool,
    /// `psd=`: y is true.
    suffix: Option<bool>,
}

impl Record {
    fn parse(text: &str) -> Option<Record> {
        let tags = Tags::parse(text)?;
        if tags.first() != Some(("v", "DMARC1")) {
            return None;
        }
        let policy = tags.get("p").and_then(Policy::parse);
        // §6.6.3: without a valid p= it is a wish for reports, if that.
        let policy = policy.or_else(|| tags.get("rua").map(|_| Policy::None))?;
        let sub = tags.get("sp").and_then(Policy::parse).unwrap_or(policy);
        let strict = |tag| {
            tags.get(tag)
                .is_some_and(|value| value.eq_ignore_ascii_case("s"))
        };
        Some(Record {
            policy,
            sub,
            missing: tags.get("np").and_then(Policy::parse).unwrap_or(sub),
            percent: tags
                .get("pct")
                .and_then(|n| n.parse().ok())
                .filter(|n| *n <= 100)
                .unwrap_or(100),
            testing: tags.get("t") == Some("y"),
            strict_dkim: strict("adkim"),
            strict_spf: strict("aspf"),
            suffix: match tags.get("psd") {
                Some("y") => Some(true),
                Some("n") => Some(false),
                _ => None,
            },
        })
    }
}

/// The records on the way from a domain to the root.
struct Walk {
    /// The organizational domain.
    organization: String,
    /// The record at the domain itself.
    own: Option<Record>,
    /// The record of the organizational domain, or of the public suffix above it.
    above: Option<Record>,
}

/// The DNS does not answer.
struct Unknown;

/// Walks up from a domain.
fn walk(domain: &str, answers: &Answers) -> Result<Result<Walk, Unknown>, Need> {
    let mut found: Vec<(&str, Record)> = Vec::new();
    let mut name = domain;
    loop {
        match record(name, answers)? {
            Err(Unknown) => return Ok(Err(Unknown)),
            Ok(Some(record)) => {
                let end =
                    record.suffix == Some(false) || record.suffix == Some(true) && name != domain;
                found.push((name, record));
                if end {
                    break;
                }
            }
            Ok(None) => {}
        }
        // A name of eight labels and more goes to its last seven at once.
        let labels = name.split('.').count();
        let skip = if labels >= 8 { labels - 7 } else { 1 };
        match name.splitn(skip + 1, '.').nth(skip) {
            Some(up) if !up.is_empty() => name = up,
            _ => break,
        }
    }
    let own = found
        .first()
        .filter(|(at, _)| *at == domain)
        .map(|(_, record)| record.clone());
    let organization = match found.last() {
        None => domain,
        Some((at, record)) if record.suffix == Some(true) && *at != domain => below(domain, at),
        Some((at, _)) => at,
    };
    // The organization's record, else that of the public suffix above it.
    let at = found.iter().find(|(at, _)| *at == organization);
    let above = at.or(found.last()).map(|(_, record)| record.clone());
    let organization = organization.to_owned();
    Ok(Ok(Walk {
        organization,
        own,
        above,
    }))
}

/// The name on the way to `domain` that is one label longer than `suffix`.
fn below<'a>(domain: &'a str, suffix: &str) -> &'a str {
    let labels = suffix.split('.').count() + 1;
    let skip = domain.split('.').count().saturating_sub(labels);
    domain.splitn(skip + 1, '.').nth(skip).unwrap_or(domain)
}

fn record(name: &str, answers: &Answers) -> Result<Result<Option<Record>, Unknown>, Need> {
    let Ok(texts) = answers.texts(&format!("_dmarc.{name}"))? else {
        return Ok(Err(Unknown));
    };
    // §6.6.3: what does not begin with this version is none.
    let version = |text: &&String| {
        let first = text.split(';').next().and_then(|tag| tag.split_once('='));
        first.is_some_and(|(name, value)| name.trim() == "v" && value.trim() == "DMARC1")
    };
    let mut records = texts.iter().filter(version);
    // §6.6.3: several records are none.
    Ok(Ok(match (records.next(), records.next()) {
        (Some(text), None) => Record::parse(text),
        _ => None,
    }))
}

/// The domain of the one author (§6.6.1). `None`: From is missing, twice, or has several domains.
pub fn author(message: &Scanned) -> Option<String> {
    let fields = message.fields();
    let mut froms = fields.iter().filter(|field| field.is("From"));
    let (Some(from), None) = (froms.next(), froms.next()) else {
        return None;
    };
    if message.unfit.is_some() {
        return None;
    }
    let mut domains: Vec<String> = mime::address::parse(from.value(), limits::MIME_ADDRESSES)
        .iter()
        .filter_map(|address| match address {
            Address::Mailbox { host, .. } => Some(
                String::from_utf8_lossy(host)
                    .trim_end_matches('.')
                    .to_lowercase(),
            ),
            _ => None,
        })
        .collect();
    domains.dedup();
    match domains.as_slice() {
        [domain] if is_domain(domain) => Some(domain.clone()),
        _ => None,
    }
}

/// Checks a message whose DKIM and SPF are known. `dice` is random, for `pct=`.
///
/// # Errors
/// The next question.
pub fn check(
    message: &Scanned,
    dkim: &[dkim::Checked],
    spf: &spf::Checked,
    dice: u8,
    answers: &Answers,
) -> Result<Checked, Need> {
    let Some(from) = author(message) else {
        return Ok(Checked {
            outcome: Outcome::PermError,
            policy: Policy::None,
            from: None,
        });
    };
    let checked = |outcome, policy| Checked {
        outcome,
        policy,
        from: Some(from.clone()),
    };
    if !from.is_ascii() {
        return Ok(checked(Outcome::None, Policy::None));
    }
    let Ok(walked) = walk(&from, answers)? else {
        return Ok(checked(Outcome::TempError, Policy::None));
    };
    let Some(record) = walked.own.as_ref().or(walked.above.as_ref()) else {
        return Ok(checked(Outcome::None, Policy::None));
    };
    let passed = dkim
        .iter()
        .filter(|it| it.outcome == dkim::Outcome::Pass && it.whole);
    let mut unknown = dkim.iter().any(|it| it.outcome == dkim::Outcome::TempError);
    for domain in passed.filter_map(|it| it.domain.as_deref()) {
        if aligned(
            &from,
            domain,
            record.strict_dkim,
            &walked.organization,
            answers,
        )? {
            return Ok(checked(Outcome::Pass, Policy::None));
        }
    }
    unknown |= spf.outcome == spf::Outcome::TempError;
    if spf.outcome == spf::Outcome::Pass
        && aligned(
            &from,
            &spf.domain,
            record.strict_spf,
            &walked.organization,
            answers,
        )?
    {
        return Ok(checked(Outcome::Pass, Policy::None));
    }
    if unknown {
        return Ok(checked(Outcome::TempError, Policy::None));
    }
    let mut policy = if walked.own.is_some() {
        record.policy
    } else if answers.get(&from, crate::dns::Kind::A)?.found == crate::dns::Found::NoName {
        record.missing
    } else {
        record.sub
    };
    // §6.6.4: who is not in the sample gets the next milder policy.
    if record.testing || u32::from(dice) * 100 / 256 >= u32::from(record.percent) {
        policy = policy.milder();
    }
    Ok(checked(Outcome::Fail, policy))
}

/// §3.1: whether an identifier that passed is the author's own.
fn aligned(
    from: &str,
    domain: &str,
    strict: bool,
    organization: &str,
    answers: &Answers,
) -> Result<bool, Need> {
    if from.eq_ignore_ascii_case(domain) {
        return Ok(true);
    }
    if strict || !is_below(domain, organization) {
        return Ok(false);
    }
    if domain.eq_ignore_ascii_case(organization) {
        return Ok(true);
    }
    // Below the same name; but there may be a border between.
    Ok(walk(domain, answers)?.is_ok_and(|walked| walked.organization == organization))
}
