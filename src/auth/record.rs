//! The stored form of a password: SCRAM-SHA-256 keys (RFC 5802 §3, RFC 7677, RFC 5803).
//!
//! The password itself is never stored, and a stolen store gives no log-in: SCRAM wants
//! the ClientKey, of which StoredKey is the hash.
use crate::limits;
use crate::mime::nfkc::nfkc;
use crate::sys::random::{self, NoRandom};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;
use std::time::Instant;

/// Octets of SHA-256.
const KEY: usize = 32;

/// Octets of a stored key.
pub(super) const STORED: usize = KEY;

/// What is kept of one password (RFC 5802 §3: StoredKey, ServerKey).
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Keys {
    pub stored: [u8; KEY],
    pub server: [u8; KEY],
}

/// Shows no key.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// SCRAM keys of one password, and how they were made.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: NonZeroU32,
    pub(super) keys: Keys,
}

impl Record {
    /// Derives the keys. Takes as long as the iterations say.
    pub fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Record {
        let salted = salted_password(password, salt, iterations);
        let client_key = hmac_sha256(&salted, b"Client Key");
        Record {
            salt: salt.to_vec(),
            iterations,
            keys: Keys {
                stored: sha256(&client_key),
                server: hmac_sha256(&salted, b"Server Key"),
            },
        }
    }

    /// A record for a password a person chose: as many iterations as this machine does in
    /// 250 ms, within 4,096 (RFC 7677 §4) and 65,536.
    ///
    /// # Errors
    /// When the system gives no random salt.
    pub fn calibrated(password: &str) -> Result<Record, NoRandom> {
        Record::within(password, limits::PBKDF2_MAX)
    }

    fn within(password: &str, most: u32) -> Result<Record, NoRandom> {
        const PROBE: NonZeroU32 = NonZeroU32::new(2000).expect("not zero");
        let salt: [u8; 16] = random::octets()?;
        let start = Instant::now();
        let _ = salted_password("probe", &salt, PROBE);
        let spent = start.elapsed().as_nanos().max(1);
        let fit = limits::PBKDF2_TIME.as_nanos() * u128::from(PROBE.get()) / spent;
        let fit = u32::try_from(fit).unwrap_or(u32::MAX);
        let bounded = fit.clamp(limits::PBKDF2_MIN, most);
        Ok(Record::derive(
            password,
            &salt,
            NonZeroU32::new(bounded).unwrap_or(PROBE),
        ))
    }

    /// A record for a generated password of 128 random bits or more: guessing it is hopeless
    /// at any speed, so few iterations will do and log-ins are quick.
    ///
    /// # Errors
    /// When the system gives no random salt.
    pub fn for_random(password: &str) -> Result<Record, NoRandom> {
        Record::within(password, limits::PBKDF2_GENERATED)
    }

    /// What would be kept of another password of the same account. Takes as long as the iterations
    /// say.
    pub(super) fn keys_of(&self, password: &str) -> Keys {
        Record::derive(password, &self.salt, self.iterations).keys
    }

    /// Whether this is the password. Takes as long as the iterations say.
    pub fn matches(&self, password: &str) -> bool {
        equal(&self.keys_of(password).stored, &self.keys.stored)
    }

    /// As text: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey` (RFC 5803 §2).
    pub fn encode(&self) -> String {
        format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.keys.stored),
            STANDARD.encode(self.keys.server)
        )
    }

    /// Reads [`encode`](Record::encode)'s text; `None` if it is anything else.
    pub fn decode(text: &[u8]) -> Option<Record> {
        let text = std::str::from_utf8(text)
            .ok()?
            .strip_prefix("SCRAM-SHA-256$")?;
        let (info, keys) = text.split_once('$')?;
        let (iterations, salt) = info.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        Some(Record {
            salt: STANDARD.decode(salt).ok()?,
            iterations: iterations.parse().ok()?,
            keys: Keys {
                stored: STANDARD.decode(stored).ok()?.try_into().ok()?,
                server: STANDARD.decode(server).ok()?.try_into().ok()?,
            },
        })
    }
}

/// RFC 5802 §3: `Hi(Normalize(password), salt, i)`.
pub(super) fn salted_password(password: &str, salt: &[u8], iterations: NonZeroU32) -> [u8; KEY] {
    let mut out = [0; KEY];
    let password = prepare(password);
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        salt,
        password.as_bytes(),
        &mut out,
    );
    out
}

/// SASLprep (RFC 4013 §2.1, §2.2): spaces of all kinds become the ASCII space, characters commonly mapped
/// to nothing go, the rest is normalized as [`nfkc`] does it. Nothing is refused: what §2.3 and §2.4
/// prohibit matches itself.
pub fn prepare(text: &str) -> std::borrow::Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mapped: String = text
        .chars()
        .filter_map(|c| match c {
            '\u{a0}'
            | '\u{1680}'
            | '\u{2000}'..='\u{200a}'
            | '\u{202f}'
            | '\u{205f}'
            | '\u{3000}' => Some(' '),
            '\u{ad}'
            | '\u{34f}'
            | '\u{1806}'
            | '\u{180b}'..='\u{180d}'
            | '\u{200b}'..='\u{200d}'
            | '\u{2060}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' => None,
            other => Some(other),
        })
        .collect();
    nfkc(&mapped).into()
}

pub(super) fn hmac_sha256(key: &[u8], data: &[u8]) -> [u8; KEY] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
    let mut out = [0; KEY];
    out.copy_from_slice(tag.as_ref());
    out
}

pub(super) fn sha256(data: &[u8]) -> [u8; KEY] {
    let mut out = [0; KEY];
    out.copy_from_slice(digest::digest(&digest::SHA256, data).as_ref());
    out
}

/// Compares without telling by the time taken where the first difference is.
pub(super) fn equal(a: &[u8], b: &[u8]) -> bool {
    let differ = a.iter().zip(b).fold(0, |differ, (x, y)| differ | (x ^ y));
    a.len() == b.len() && std::hint::black_box(differ) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_checks() {
        let record = Record::for_random("korrekt pferd").unwrap();
        let again = Record::decode(record.encode().as_bytes()).unwrap();
        assert!(again == record);
        assert!(again.matches("korrekt pferd"));
        assert!(again.matches("korrekt\u{a0}pferd"));
        assert!(!again.matches("korrekt pferd ") && !again.matches(""));
        assert!(Record::decode(b"").is_none());
        assert!(Record::decode(b"SCRAM-SHA-256$0:AA==$AA==:AA==").is_none());
    }

    /// RFC 4013 §3, and passwords as keyboards of several systems send them.
    #[test]
    fn prepared() {
        for (text, want) in [
            ("I\u{ad}X", "IX"),
            ("user", "user"),
            ("USER", "USER"),
            ("\u{aa}", "a"),
            ("\u{2168}", "IX"),
            ("gru\u{308}n\u{3000}\u{ff11}", "gr\u{fc}n 1"),
            ("\u{200b}\u{fb01}\u{2003}\u{b2}", "fi 2"),
        ] {
            assert_eq!(prepare(text), want);
        }
        let record = Record::for_random("caf\u{e9} \u{b2}").unwrap();
        assert!(record.matches("cafe\u{301}\u{a0}2"));
        assert!(!record.matches("cafe 2"));
    }

    #[test]
    fn calibration_stays_in_bounds() {
        let n = Record::calibrated("x").unwrap().iterations.get();
        assert!((limits::PBKDF2_MIN..=limits::PBKDF2_MAX).contains(&n));
        assert!(n <= 0x1_0000, "Cyrus SASL does not compute more");
    }

    #[test]
    fn comparing() {
        assert!(equal(b"", b"") && equal(b"ab", b"ab"));
        assert!(!equal(b"ab", b"a") && !equal(b"a", b"ab") && !equal(b"ab", b"aB"));
    }
}
