//! Public keys of DKIM and ARC: the record (RFC 6376 §3.6.1, RFC 8463 §4) and the check.
use super::tags::{Tags, words};
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ring::{digest, signature};

/// A signature's algorithm. rsa-sha1 is none (RFC 8301 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA with SHA-256.
    RsaSha256,
    /// Ed25519 over the SHA-256 hash (RFC 8463).
    Ed25519Sha256,
}

impl Algorithm {
    /// By its name.
    pub fn parse(name: &str) -> Option<Algorithm> {
        match name.to_ascii_lowercase().as_str() {
            "rsa-sha256" => Some(Algorithm::RsaSha256),
            "ed25519-sha256" => Some(Algorithm::Ed25519Sha256),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::RsaSha256 => "rsa-sha256",
            Algorithm::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

/// A published key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    algorithm: Algorithm,
    octets: Vec<u8>,
    /// `t=s`: the signature's `i=` must be at exactly this domain.
    pub strict: bool,
    /// `t=y`: the domain is testing.
    pub testing: bool,
}

/// Why a key record is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadKey {
    /// It is no key record, or not for mail.
    Syntax,
    /// `p=` is empty.
    Revoked,
    /// For another algorithm.
    Other,
    /// RSA with less than 1024 bits (RFC 8301 §3.2).
    Small,
}

impl BadKey {
    /// In words, for a comment.
    pub fn words(self) -> &'static str {
        match self {
            BadKey::Syntax => "bad key record",
            BadKey::Revoked => "key revoked",
            BadKey::Other => "key for another algorithm",
            BadKey::Small => "key too small",
        }
    }
}

impl Key {
    /// Reads a record.
    ///
    /// # Errors
    /// [`BadKey`].
    pub fn parse(record: &str, algorithm: Algorithm) -> Result<Key, BadKey> {
        let tags = Tags::parse(record).ok_or(BadKey::Syntax)?;
        // RFC 6376 §3.6.1: v= is optional, but if there it is first.
        match (tags.get("v"), tags.first()) {
            (None, _) | (Some("DKIM1"), Some(("v", _))) => {}
            _ => return Err(BadKey::Syntax),
        }
        let allows = |tag, wanted: &str| {
            tags.get(tag)
                .is_none_or(|value| words(value).iter().any(|w| w == wanted || w == "*"))
        };
        let kind = tags.get("k").unwrap_or("rsa").to_ascii_lowercase();
        let fits = match algorithm {
            Algorithm::RsaSha256 => kind == "rsa",
            Algorithm::Ed25519Sha256 => kind == "ed25519",
        };
        if !fits || !allows("h", "sha256") {
            return Err(BadKey::Other);
        }
        if !allows("s", "email") {
            return Err(BadKey::Syntax);
        }
        let packed = tags.packed("p").ok_or(BadKey::Syntax)?;
        if packed.is_empty() {
            return Err(BadKey::Revoked);
        }
        let mut octets = decode(&packed).ok_or(BadKey::Syntax)?;
        if algorithm == Algorithm::RsaSha256 {
            octets = rsa_public_key(&octets).ok_or(BadKey::Syntax)?.to_vec();
            if modulus_bits(&octets).ok_or(BadKey::Syntax)? < 1024 {
                return Err(BadKey::Small);
            }
        }
        let flags = words(tags.get("t").unwrap_or_default());
        Ok(Key {
            algorithm,
            octets,
            strict: flags.iter().any(|flag| flag == "s"),
            testing: flags.iter().any(|flag| flag == "y"),
        })
    }

    /// Whether `signature` is this key's over `data`.
    pub fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            Algorithm::RsaSha256 => {
                let kind = &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
                signature::UnparsedPublicKey::new(kind, &self.octets)
                    .verify(data, signature)
                    .is_ok()
            }
            Algorithm::Ed25519Sha256 => {
                let hash = digest::digest(&digest::SHA256, data);
                signature::UnparsedPublicKey::new(&signature::ED25519, &self.octets)
                    .verify(hash.as_ref(), signature)
                    .is_ok()
            }
        }
    }
}

/// Base64, with or without its padding.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&base64::alphabet::STANDARD, config)
        .decode(text)
        .ok()
}

/// The RSAPublicKey inside a SubjectPublicKeyInfo, or the octets themselves if they are one
/// (RFC 6376 §3.6.1 with its erratum: both are published).
fn rsa_public_key(der: &[u8]) -> Option<&[u8]> {
    let (0x30, inner, _) = element(der)? else {
        return None;
    };
    let (first, _, rest) = element(inner)?;
    if first == 0x02 {
        return Some(der);
    }
    let (0x03, bits, _) = element(rest)? else {
        return None;
    };
    bits.strip_prefix(&[0])
}

fn modulus_bits(key: &[u8]) -> Option<usize> {
    let (0x30, inner, _) = element(key)? else {
        return None;
    };
    let (0x02, modulus, _) = element(inner)? else {
        return None;
    };
    let first = modulus.iter().position(|octet| *octet != 0)?;
    let top = modulus.get(first)?.leading_zeros() as usize;
    Some((modulus.len() - first) * 8 - top)
}

/// The first element of DER: its tag, its content, what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, mut rest) = rest.split_first()?;
    let mut length = usize::from(short);
    if short & 0x80 != 0 {
        let (long, tail) = rest.split_at_checked(usize::from(short & 0x7f))?;
        if long.len() > 3 {
            return None;
        }
        length = long
            .iter()
            .fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        rest = tail;
    }
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn records() {
        let ed = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = Key::parse(ed, Algorithm::Ed25519Sha256).unwrap();
        assert_eq!(key.octets.len(), 32);
        assert_eq!(Key::parse(ed, Algorithm::RsaSha256), Err(BadKey::Other));
        let with = |record| Key::parse(record, Algorithm::RsaSha256).unwrap_err();
        assert_eq!(with("p="), BadKey::Revoked);
        assert_eq!(with("p=AAAA"), BadKey::Syntax);
        assert_eq!(with("v=DKIM2; p=AAAA"), BadKey::Syntax);
        assert_eq!(with("p=AAAA; v=DKIM1"), BadKey::Syntax);
        assert_eq!(with("h=sha1; p=AAAA"), BadKey::Other);
        assert_eq!(with("s=tlsrpt; p=AAAA"), BadKey::Syntax);
        assert_eq!(with("v=DKIM1"), BadKey::Syntax);
    }

    proptest! {
        #[test]
        fn octets_do_not_panic(der in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = rsa_public_key(&der);
            let _ = modulus_bits(&der);
        }
    }
}
