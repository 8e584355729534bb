//! DKIM signatures of our own (RFC 6376 §5): rsa-sha256 and ed25519-sha256, relaxed/relaxed.
use super::canon::Canon;
use super::dkim::Signature;
use super::header::Field;
use super::key::Algorithm;
use super::rsa;
use super::scan::{BodyHash, Scanned};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use ring::{digest, rand};
use std::fmt::Write;

/// How a body is hashed for our signatures.
pub const BODY: BodyHash = BodyHash {
    canon: Canon::Relaxed,
    limit: None,
};

/// What is signed where it is there (§5.4.1 with what forgers like to add).
const FIELDS: [&str; 24] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Resent-From",
    "Resent-To",
    "Resent-Date",
    "Resent-Message-ID",
    "List-Id",
    "List-Post",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
];

/// What must not be added later either: signed once more than it is there (§5.4, oversigning).
const OVERSIGNED: [&str; 9] = [
    "From",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
];

enum Secret {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// A key with its selector.
pub struct Signer {
    selector: String,
    secret: Secret,
}

impl Signer {
    /// Makes a key, in the form in which it is kept. RSA takes a second or some.
    ///
    /// # Errors
    /// A sentence.
    pub fn generate(algorithm: Algorithm) -> Result<Vec<u8>, String> {
        match algorithm {
            Algorithm::RsaSha256 => rsa::generate().map_err(|e| e.to_string()),
            Algorithm::Ed25519Sha256 => Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
                .map(|key| key.as_ref().to_vec())
                .map_err(|_| rand_failed()),
        }
    }

    /// A kept key; `None` if it is damaged.
    pub fn new(selector: &str, algorithm: Algorithm, kept: &[u8]) -> Option<Signer> {
        let secret = match algorithm {
            Algorithm::RsaSha256 => Secret::Rsa(Box::new(RsaKeyPair::from_der(kept).ok()?)),
            Algorithm::Ed25519Sha256 => Secret::Ed25519(Ed25519KeyPair::from_pkcs8(kept).ok()?),
        };
        Some(Signer {
            selector: selector.to_owned(),
            secret,
        })
    }

    /// Its selector.
    pub fn selector(&self) -> &str {
        &self.selector
    }

    /// The record to publish at `<selector>._domainkey.<domain>` (§3.6.1).
    pub fn record(&self) -> String {
        match &self.secret {
            Secret::Rsa(key) => {
                let info = rsa::public_info(key.public_key().as_ref());
                format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(info))
            }
            Secret::Ed25519(key) => {
                format!(
                    "v=DKIM1; k=ed25519; p={}",
                    STANDARD.encode(key.public_key().as_ref())
                )
            }
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::Rsa(_) => Algorithm::RsaSha256,
            Secret::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The DKIM-Signature field of a message whose body was hashed by [`BODY`], with its CRLF. `now` in
    /// seconds since 1970; 0 leaves `t=` out.
    ///
    /// # Errors
    /// A sentence.
    pub fn sign(&self, message: &Scanned, domain: &str, now: u64) -> Result<String, String> {
        let fields = message.fields();
        let hashed = message.hash(BODY).ok_or("the body was not hashed")?;
        let names = signed_names(&fields);
        let mut field = format!(
            "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n\td={domain}; s={};",
            self.algorithm().name(),
            self.selector
        );
        if now > 0 {
            // Writing to a String cannot fail.
            let _ = write!(field, " t={now};");
        }
        folded(&mut field, "h=", names.split_inclusive(':'), ";");
        let _ = write!(field, "\r\n\tbh={};", STANDARD.encode(&hashed.hash));
        field.push_str("\r\n\tb=");
        let own = Field {
            raw: field.as_bytes(),
        };
        let signature = Signature {
            at: fields.len(),
            algorithm: self.algorithm(),
            signature: Vec::new(),
            mark: String::new(),
            hash: Vec::new(),
            header: Canon::Relaxed,
            body: Canon::Relaxed,
            domain: domain.to_owned(),
            selector: self.selector.clone(),
            identity: String::new(),
            fields: super::tags::words(&names),
            length: None,
            time: None,
            expires: None,
        };
        let mut all = fields.clone();
        all.push(own);
        let data = signature.signed(&all);
        let octets = STANDARD.encode(self.octets(&data)?);
        let mut rest = octets.as_str();
        while let Some((line, more)) = rest
            .split_at_checked(72.min(rest.len()))
            .filter(|(l, _)| !l.is_empty())
        {
            field.push_str(line);
            if !more.is_empty() {
                field.push_str("\r\n\t");
            }
            rest = more;
        }
        field.push_str("\r\n");
        Ok(field)
    }

    fn octets(&self, data: &[u8]) -> Result<Vec<u8>, String> {
        match &self.secret {
            Secret::Rsa(key) => {
                let mut out = vec![0; key.public().modulus_len()];
                let random: &dyn rand::SecureRandom = &SystemRandom::new();
                key.sign(&RSA_PKCS1_SHA256, random, data, &mut out)
                    .map_err(|_| rand_failed())?;
                Ok(out)
            }
            // RFC 8463 §3: what is signed is the hash.
            Secret::Ed25519(key) => {
                let hash = digest::digest(&digest::SHA256, data);
                Ok(key.sign(hash.as_ref()).as_ref().to_vec())
            }
        }
    }
}

fn rand_failed() -> String {
    "the system gives no random numbers".to_owned()
}

/// `h=`: every instance that is there, and one more of those that must not be added.
fn signed_names(fields: &[Field<'_>]) -> String {
    let mut names = Vec::new();
    for name in FIELDS {
        let there = fields.iter().filter(|field| field.is(name)).count();
        let more = usize::from(OVERSIGNED.contains(&name));
        names.extend(std::iter::repeat_n(name, there.min(64) + more));
    }
    names.join(":")
}

/// Appends a tag whose value may be folded between its words.
fn folded<'a>(out: &mut String, tag: &str, words: impl Iterator<Item = &'a str>, end: &str) {
    out.push_str("\r\n\t");
    out.push_str(tag);
    let mut column = 8 + tag.len();
    for word in words {
        if column + word.len() > 76 {
            out.push_str("\r\n\t ");
            column = 9;
        }
        out.push_str(word);
        column += word.len();
    }
    out.push_str(end);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{Answer, Data, Found, Kind, Question};
    use crate::verify::{Answers, Scan, dkim};

    #[test]
    fn our_signatures_verify() {
        let text = "From: a@x.test\r\nTo: b@y.test,\r\n c@z.test\r\nSubject:  x \r\nList-Id: <l>\r\n\r\nbody \r\n\r\n";
        let mut scan = Scan::hashing(&[BODY]);
        scan.push(text.as_bytes());
        let message = scan.finish();
        for algorithm in [Algorithm::RsaSha256, Algorithm::Ed25519Sha256] {
            let kept = Signer::generate(algorithm).unwrap();
            let signer = Signer::new("s", algorithm, &kept).unwrap();
            let field = signer.sign(&message, "x.test", 5).unwrap();
            assert!(field.split("\r\n").all(|line| line.len() <= 80), "{field}");
            let mut answers = Answers::default();
            let record = Data::Txt(signer.record().into_bytes());
            let answer = Answer {
                found: Found::Records(vec![record]),
                secure: false,
            };
            answers.put(Question::new("s._domainkey.x.test", Kind::Txt), answer);
            let outcome = |text: &str| {
                let mut scan = Scan::default();
                scan.push(text.as_bytes());
                dkim::check(&scan.finish(), 0, &answers).unwrap()[0].outcome
            };
            assert_eq!(
                outcome(&format!("{field}{text}")),
                dkim::Outcome::Pass,
                "{field}"
            );
            let added = format!("{field}Subject: y\r\n{text}");
            assert_eq!(outcome(&added), dkim::Outcome::Fail);
        }
    }
}
