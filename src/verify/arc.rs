//! ARC (RFC 8617): the chain of those who forwarded a message, checked (§5.2).
use super::canon::Canon;
use super::dkim::{self, Outcome, Signature, without_signature};
use super::header::Field;
use super::key::{Algorithm, Key, decode};
use super::scan::{BodyHash, Scanned};
use super::tags::Tags;
use super::{Answers, Need};
use crate::limits;

/// The chain as the header shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// There is none.
    None,
    /// There is one, and it is broken.
    Broken(&'static str),
    /// Its sets, the oldest first.
    Sets(Vec<Set>),
}

/// One forwarder's three fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// Place of ARC-Authentication-Results among the fields.
    results: usize,
    /// Place of ARC-Message-Signature.
    message_at: usize,
    /// What it says; only the newest counts.
    message: Result<Signature, dkim::Bad>,
    /// Place of ARC-Seal.
    seal_at: usize,
    seal: Seal,
}

/// ARC-Seal (§4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seal {
    algorithm: Algorithm,
    signature: Vec<u8>,
    domain: String,
    selector: String,
    passed: String,
}

/// What a chain came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is none.
    None,
    /// Unbroken.
    Pass,
    /// Broken.
    Fail,
}

impl Status {
    /// The word of §4.4.
    pub fn word(self) -> &'static str {
        match self {
            Status::None => "none",
            Status::Pass => "pass",
            Status::Fail => "fail",
        }
    }
}

/// A checked chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What it came to.
    pub status: Status,
    /// Why it is broken.
    pub why: Option<&'static str>,
    /// `d=` of the newest seal.
    pub domain: Option<String>,
    /// Sets.
    pub length: usize,
}

/// The three fields of a set that is being collected.
#[derive(Default)]
struct Three {
    results: Option<usize>,
    message: Option<usize>,
    seal: Option<usize>,
}

impl Chain {
    /// Finds the chain in a header.
    pub fn read(fields: &[Field<'_>]) -> Chain {
        let mut sets: Vec<Three> = Vec::new();
        for (at, field) in fields.iter().enumerate() {
            let place: fn(&mut Three) -> &mut Option<usize> = if field.is("ARC-Seal") {
                |three| &mut three.seal
            } else if field.is("ARC-Message-Signature") {
                |three| &mut three.message
            } else if field.is("ARC-Authentication-Results") {
                |three| &mut three.results
            } else {
                continue;
            };
            let Some(instance) = instance(&field.text(), field.is("ARC-Authentication-Results"))
            else {
                return Chain::Broken("bad instance");
            };
            while sets.len() < instance {
                sets.push(Three::default());
            }
            let Some(three) = sets.get_mut(instance - 1) else {
                return Chain::Broken("bad instance");
            };
            if place(three).replace(at).is_some() {
                return Chain::Broken("a field twice");
            }
        }
        if sets.is_empty() {
            return Chain::None;
        }
        let mut whole = Vec::with_capacity(sets.len());
        for (n, three) in sets.iter().enumerate() {
            match three.set(n, fields) {
                Ok(set) => whole.push(set),
                Err(why) => return Chain::Broken(why),
            }
        }
        Chain::Sets(whole)
    }

    /// How the newest set hashes the body.
    pub fn body_hash(&self) -> Option<BodyHash> {
        match self {
            Chain::Sets(sets) => Some(sets.last()?.message.as_ref().ok()?.body_hash()),
            _ => None,
        }
    }
}

impl Three {
    fn set(&self, number: usize, fields: &[Field<'_>]) -> Result<Set, &'static str> {
        let (Some(results), Some(message_at), Some(seal_at)) =
            (self.results, self.message, self.seal)
        else {
            return Err("a set is not complete");
        };
        let text = |at: usize| fields.get(at).map(Field::text).unwrap_or_default();
        let seal = Seal::parse(&text(seal_at)).ok_or("bad seal")?;
        // §5.2 step 3 C
        if seal.passed != if number == 0 { "none" } else { "pass" } {
            return Err("the chain was broken before");
        }
        let value = text(message_at);
        let tags = Tags::parse(&value).ok_or("bad message signature")?;
        let message = match Signature::of(&tags) {
            Ok(signature) => Ok(signature.at(message_at)),
            Err(why) => Err(dkim::Bad::of(why, Some(&tags))),
        };
        Ok(Set {
            results,
            message_at,
            message,
            seal_at,
            seal,
        })
    }
}

/// `i=`: in ARC-Authentication-Results it comes first (§4.1.1), in the others it is a tag like any.
fn instance(text: &str, first: bool) -> Option<usize> {
    let value = if first {
        let (name, value) = text.split_once(';')?.0.split_once('=')?;
        (name.trim() == "i").then_some(value.trim())?
    } else {
        Tags::parse(text)?.get("i")?
    };
    value
        .parse()
        .ok()
        .filter(|n| (1..=limits::ARC_SETS).contains(n))
}

impl Seal {
    fn parse(text: &str) -> Option<Seal> {
        let tags = Tags::parse(text)?;
        // §4.1.3: h= makes it fail.
        if tags.get("h").is_some() {
            return None;
        }
        Some(Seal {
            algorithm: Algorithm::parse(&tags.packed("a")?)?,
            signature: decode(&tags.packed("b")?)?,
            domain: tags.packed("d")?.to_ascii_lowercase(),
            selector: tags.packed("s")?.to_ascii_lowercase(),
            passed: tags.packed("cv")?.to_ascii_lowercase(),
        })
    }

    fn key(&self, answers: &Answers) -> Result<Option<Key>, Need> {
        let name = format!("{}._domainkey.{}", self.selector, self.domain);
        let Ok(records) = answers.texts(&name)? else {
            return Ok(None);
        };
        Ok(records
            .iter()
            .find_map(|record| Key::parse(record, self.algorithm).ok()))
    }
}

/// Checks the chain (§5.2).
///
/// # Errors
/// The next question.
pub fn check(message: &Scanned, answers: &Answers) -> Result<Checked, Need> {
    let status = |status, why| Checked {
        status,
        why,
        domain: None,
        length: 0,
    };
    let sets = match &message.chain {
        Chain::None => return Ok(status(Status::None, None)),
        Chain::Broken(why) => return Ok(status(Status::Fail, Some(why))),
        Chain::Sets(sets) => sets,
    };
    let Some(newest) = sets.last() else {
        return Ok(status(Status::None, None));
    };
    let done = |status, why| Checked {
        status,
        why,
        domain: Some(newest.seal.domain.clone()),
        length: sets.len(),
    };
    if let Some(unfit) = message.unfit {
        return Ok(done(Status::Fail, Some(unfit)));
    }
    // All keys first, so that nothing is computed twice.
    let Ok(signature) = &newest.message else {
        return Ok(done(Status::Fail, Some("bad message signature")));
    };
    let message_key = dkim::key(signature, answers)?;
    let keys: Vec<_> = sets
        .iter()
        .map(|set| set.seal.key(answers))
        .collect::<Result<_, _>>()?;
    let fields = message.fields();
    let hashed = message.hash(signature.body_hash());
    let signed = |key: &Key| key.verifies(&signature.signed(&fields), &signature.signature);
    let intact = hashed.is_some_and(|hashed| hashed.hash == signature.hash)
        && message_key.as_ref().is_ok_and(signed);
    if !intact {
        let why = match message_key {
            Err((Outcome::TempError, why)) => why,
            _ => "the message was changed on the way",
        };
        return Ok(done(Status::Fail, Some(why)));
    }
    for (number, key) in keys.iter().enumerate().rev() {
        let Some(set) = sets.get(number) else {
            continue;
        };
        let sealed = sealed(&fields, sets.get(..=number).unwrap_or_default());
        if !key
            .as_ref()
            .is_some_and(|key| key.verifies(&sealed, &set.seal.signature))
        {
            return Ok(done(Status::Fail, Some("a seal did not verify")));
        }
    }
    Ok(done(Status::Pass, None))
}

/// What a seal covers (§5.1.1): every set up to its own, relaxed.
fn sealed(fields: &[Field<'_>], sets: &[Set]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut add = |at: usize, last: bool| {
        let Some(field) = fields.get(at) else { return };
        if last {
            Canon::Relaxed.field(&without_signature(field.raw), &mut out);
        } else {
            Canon::Relaxed.field(field.raw, &mut out);
            out.extend_from_slice(b"\r\n");
        }
    };
    for (number, set) in sets.iter().enumerate() {
        add(set.results, false);
        add(set.message_at, false);
        add(set.seal_at, number + 1 == sets.len());
    }
    out
}
