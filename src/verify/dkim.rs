//! DKIM signatures (RFC 6376), checked: rsa-sha256 with 1024 bits and more (RFC 8301) and
//! ed25519-sha256 (RFC 8463).
use super::canon::Canon;
use super::header::Field;
use super::key::{Algorithm, Key, decode};
use super::scan::{BodyHash, Scanned};
use super::tags::{Tags, words};
use super::{Answers, Need};
use crate::limits;
use crate::mail::address::is_domain;

/// What a check came to (RFC 8601 §2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is the domain's.
    Pass,
    /// It is not, or the message was changed.
    Fail,
    /// It says nothing that we can check.
    Neutral,
    /// It could be checked, and is not accepted.
    Policy,
    /// The DNS does not answer now.
    TempError,
    /// It can never be checked.
    PermError,
}

impl Outcome {
    /// The word of RFC 8601.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass => "pass",
            Outcome::Fail => "fail",
            Outcome::Neutral => "neutral",
            Outcome::Policy => "policy",
            Outcome::TempError => "temperror",
            Outcome::PermError => "permerror",
        }
    }
}

/// Why a signature field cannot be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// In words, for a comment.
    pub why: &'static str,
    /// Neutral for what may be sound in a way that we do not know; else an error for ever.
    pub outcome: Outcome,
    /// `d=`, if it could be read.
    pub domain: Option<String>,
    /// `s=`.
    pub selector: Option<String>,
}

const SHA1: &str = "rsa-sha1 is not accepted";
const UNKNOWN: &str = "unknown algorithm";

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Its place among the header's fields, from 0.
    pub at: usize,
    /// `a=`.
    pub algorithm: Algorithm,
    /// `b=`, decoded.
    pub signature: Vec<u8>,
    /// The first characters of `b=`, to tell signatures of one domain apart (RFC 6008).
    pub mark: String,
    /// `bh=`, decoded. Empty for an ARC seal.
    pub hash: Vec<u8>,
    /// `c=`, for the header.
    pub header: Canon,
    /// `c=`, for the body.
    pub body: Canon,
    /// `d=`.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// `i=`, or what it defaults to.
    pub identity: String,
    /// `h=`, in lower case.
    pub fields: Vec<String>,
    /// `l=`.
    pub length: Option<u64>,
    /// `t=`.
    pub time: Option<u64>,
    /// `x=`.
    pub expires: Option<u64>,
}

impl Signature {
    /// Reads the value of a DKIM-Signature field.
    ///
    /// # Errors
    /// [`Bad`].
    pub fn parse(text: &str) -> Result<Signature, Bad> {
        let Some(tags) = Tags::parse(text) else {
            return Err(Bad::of("bad syntax", None));
        };
        Signature::own(&tags).map_err(|why| Bad::of(why, Some(&tags)))
    }

    fn own(tags: &Tags<'_>) -> Result<Signature, &'static str> {
        if tags.get("v") != Some("1") {
            return Err("unknown version");
        }
        let mut signature = Signature::of(tags)?;
        let domain = &signature.domain;
        if let Some(identity) = tags.packed("i") {
            // RFC 6376 §3.5: the same domain or one below it.
            let at = identity.rsplit_once('@').map_or("", |(_, at)| at);
            if !is_below(at, domain) {
                return Err("i= is not below d=");
            }
            signature.identity = identity;
        } else {
            signature.identity = format!("@{domain}");
        }
        Ok(signature)
    }

    /// What DKIM-Signature and ARC-Message-Signature share.
    pub(super) fn of(tags: &Tags<'_>) -> Result<Signature, &'static str> {
        let name = tags.packed("a").ok_or("no a=")?;
        let algorithm = match Algorithm::parse(&name) {
            Some(algorithm) => algorithm,
            None if name.eq_ignore_ascii_case("rsa-sha1") => return Err(SHA1),
            None => return Err(UNKNOWN),
        };
        let mark = tags.packed("b").ok_or("no b=")?;
        let octets = |tag| tags.packed(tag).and_then(|text| decode(&text));
        let (header, body) = canons(tags.packed("c").as_deref()).ok_or("bad c=")?;
        let name = |tag| tags.packed(tag).map(|name| name.to_ascii_lowercase());
        let domain = name("d").filter(|d| is_domain(d)).ok_or("bad d=")?;
        let fit = |s: &String| !s.is_empty() && s.len() + domain.len() < 240;
        let selector = name("s").filter(fit).ok_or("bad s=")?;
        let fields = words(&tags.packed("h").ok_or("no h=")?);
        if !fields.iter().any(|field| field == "from") {
            return Err("From is not signed");
        }
        if tags
            .packed("q")
            .is_some_and(|q| !words(&q).iter().any(|w| w == "dns/txt"))
        {
            return Err("unknown q=");
        }
        let number = |tag, why| match tags.packed(tag) {
            Some(text) => text.parse::<u64>().map(Some).map_err(|_| why),
            None => Ok(None),
        };
        let (time, expires) = (number("t", "bad t=")?, number("x", "bad x=")?);
        if expires.zip(time).is_some_and(|(x, t)| x < t) {
            return Err("x= is before t=");
        }
        Ok(Signature {
            at: 0,
            algorithm,
            signature: octets("b").ok_or("bad b=")?,
            mark: mark.chars().take(8).collect(),
            hash: octets("bh").filter(|h| h.len() == 32).ok_or("bad bh=")?,
            header,
            body,
            domain,
            selector,
            identity: String::new(),
            fields,
            length: number("l", "bad l=")?,
            time,
            expires,
        })
    }

    /// The same at this place among the header's fields.
    pub fn at(mut self, at: usize) -> Signature {
        self.at = at;
        self
    }

    /// How the body is to be hashed.
    pub fn body_hash(&self) -> BodyHash {
        BodyHash {
            canon: self.body,
            limit: self.length,
        }
    }

    /// What was signed (§3.7): the fields of `h=`, from the bottom up, and the signature's own field
    /// without its `b=`.
    pub fn signed(&self, fields: &[Field<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut used = vec![false; fields.len()];
        for name in self.fields.iter().take(limits::DKIM_FIELDS) {
            let found = fields.iter().enumerate().rev().find(|(at, field)| {
                *at != self.at && !used.get(*at).copied().unwrap_or(true) && field.is(name)
            });
            if let Some((at, field)) = found {
                if let Some(used) = used.get_mut(at) {
                    *used = true;
                }
                self.header.field(field.raw, &mut out);
                out.extend_from_slice(b"\r\n");
            }
        }
        if let Some(own) = fields.get(self.at) {
            self.header.field(&without_signature(own.raw), &mut out);
        }
        out
    }
}

impl Bad {
    pub(super) fn of(why: &'static str, tags: Option<&Tags<'_>>) -> Bad {
        let name = |tag| {
            let name = tags.and_then(|tags| tags.packed(tag));
            name.filter(|name| is_domain(name))
                .map(|name| name.to_ascii_lowercase())
        };
        Bad {
            why,
            outcome: match why {
                SHA1 | UNKNOWN => Outcome::Neutral,
                _ => Outcome::PermError,
            },
            domain: name("d"),
            selector: name("s"),
        }
    }
}

/// `c=` (§3.5): header/body, both simple unless said.
fn canons(text: Option<&str>) -> Option<(Canon, Canon)> {
    let canon = |word: &str| match word.to_ascii_lowercase().as_str() {
        "simple" => Some(Canon::Simple),
        "relaxed" => Some(Canon::Relaxed),
        _ => None,
    };
    match text {
        None => Some((Canon::Simple, Canon::Simple)),
        Some(text) => match text.split_once('/') {
            Some((header, body)) => Some((canon(header)?, canon(body)?)),
            None => Some((canon(text)?, Canon::Simple)),
        },
    }
}

/// Whether `name` is `domain` or below it.
pub fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.as_bytes(), domain.as_bytes());
    match name.len().checked_sub(domain.len()) {
        Some(0) => name.eq_ignore_ascii_case(domain),
        Some(over) => {
            name.get(over - 1) == Some(&b'.')
                && name
                    .get(over..)
                    .is_some_and(|tail| tail.eq_ignore_ascii_case(domain))
        }
        None => false,
    }
}

/// A signature's field with nothing behind its `b=`.
pub(super) fn without_signature(field: &[u8]) -> Vec<u8> {
    let colon = field.iter().position(|b| *b == b':').map_or(0, |at| at + 1);
    let (name, value) = field.split_at(colon);
    let mut out = name.to_vec();
    for (number, tag) in value.split(|b| *b == b';').enumerate() {
        if number > 0 {
            out.push(b';');
        }
        let equals = tag.iter().position(|b| *b == b'=');
        let is_b = |at: &usize| tag.get(..*at).is_some_and(|name| name.trim_ascii() == b"b");
        match equals.filter(is_b) {
            Some(at) => out.extend_from_slice(tag.get(..=at).unwrap_or_default()),
            None => out.extend_from_slice(tag),
        }
    }
    out
}

/// A checked signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it came to.
    pub outcome: Outcome,
    /// Why it is no pass, or what is to be said of one.
    pub why: Option<&'static str>,
    /// `d=`.
    pub domain: Option<String>,
    /// `s=`.
    pub selector: Option<String>,
    /// `i=`.
    pub identity: Option<String>,
    /// `a=`.
    pub algorithm: Option<Algorithm>,
    /// See [`Signature::mark`].
    pub mark: Option<String>,
    /// The whole body is signed, not only its beginning (`l=`).
    pub whole: bool,
}

/// Checks every signature of a message; `now` in seconds since 1970, 0 if the clock is not set.
///
/// # Errors
/// The next question.
pub fn check(message: &Scanned, now: u64, answers: &Answers) -> Result<Vec<Checked>, Need> {
    let fields = message.fields();
    let mut checked = Vec::new();
    let mut keys = Vec::new();
    for signature in message.signatures.iter().flatten() {
        keys.push(if message.unfit.is_some() {
            Err((Outcome::Neutral, "unfit header"))
        } else {
            key(signature, answers)?
        });
    }
    let mut keys = keys.into_iter();
    for signature in &message.signatures {
        checked.push(match signature {
            Err(bad) => Checked {
                outcome: bad.outcome,
                why: Some(bad.why),
                domain: bad.domain.clone(),
                selector: bad.selector.clone(),
                identity: None,
                algorithm: None,
                mark: None,
                whole: false,
            },
            Ok(signature) => {
                let key = keys.next().unwrap_or(Err((Outcome::PermError, "no key")));
                verify(message, &fields, signature, key, now)
            }
        });
    }
    Ok(checked)
}

/// The key of a signature (§3.6.2), or why there is none.
pub(super) fn key(
    signature: &Signature,
    answers: &Answers,
) -> Result<Result<Key, (Outcome, &'static str)>, Need> {
    let name = format!("{}._domainkey.{}", signature.selector, signature.domain);
    let Ok(records) = answers.texts(&name)? else {
        return Ok(Err((Outcome::TempError, "no answer from the DNS")));
    };
    let mut last = (Outcome::PermError, "no key");
    // §3.6.2.2: with several records the result is undefined; the first that fits is taken.
    for record in records.iter().take(4) {
        match Key::parse(record, signature.algorithm) {
            Ok(key) => return Ok(Ok(key)),
            Err(bad) => last = (Outcome::PermError, bad.words()),
        }
    }
    Ok(Err(last))
}

fn verify(
    message: &Scanned,
    fields: &[Field<'_>],
    signature: &Signature,
    key: Result<Key, (Outcome, &'static str)>,
    now: u64,
) -> Checked {
    let (outcome, why) = judge(message, fields, signature, &key, now);
    let hashed = message.hash(signature.body_hash());
    Checked {
        outcome,
        why,
        domain: Some(signature.domain.clone()),
        selector: Some(signature.selector.clone()),
        identity: Some(signature.identity.clone()),
        algorithm: Some(signature.algorithm),
        mark: Some(signature.mark.clone()),
        whole: signature
            .length
            .is_none_or(|l| hashed.is_some_and(|hashed| hashed.length <= l)),
    }
}

fn judge(
    message: &Scanned,
    fields: &[Field<'_>],
    signature: &Signature,
    key: &Result<Key, (Outcome, &'static str)>,
    now: u64,
) -> (Outcome, Option<&'static str>) {
    if let Some(unfit) = message.unfit {
        return (Outcome::Neutral, Some(unfit));
    }
    let key = match key {
        Ok(key) => key,
        Err((outcome, why)) => return (*outcome, Some(why)),
    };
    if now > 0 && signature.expires.is_some_and(|expires| expires < now) {
        return (Outcome::Fail, Some("signature expired"));
    }
    let at = signature.identity.rsplit_once('@').map_or("", |(_, at)| at);
    if key.strict && !at.eq_ignore_ascii_case(&signature.domain) {
        return (Outcome::PermError, Some("i= is not at the key's domain"));
    }
    let Some(hashed) = message.hash(signature.body_hash()) else {
        return (Outcome::Neutral, Some("body not hashed"));
    };
    if signature
        .length
        .is_some_and(|length| length > hashed.length)
    {
        return (Outcome::Fail, Some("the body is shorter than l="));
    }
    if hashed.hash != signature.hash {
        return (Outcome::Fail, Some("body hash did not verify"));
    }
    if !key.verifies(&signature.signed(fields), &signature.signature) {
        return (Outcome::Fail, Some("signature did not verify"));
    }
    let partial = signature
        .length
        .is_some_and(|length| length < hashed.length);
    if key.testing {
        return (Outcome::Pass, Some("the domain is testing"));
    }
    (
        Outcome::Pass,
        partial.then_some("only a part of the body is signed"),
    )
}

#[cfg(test)]
mod tests;
