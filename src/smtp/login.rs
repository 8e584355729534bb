//! The client's side of AUTH (RFC 4954): SCRAM-SHA-256 (RFC 5802, RFC 7677), PLAIN (RFC 4616), LOGIN,
//! and XOAUTH2 where an access token is to be shown.
//!
//! Pure but for randomness: each step takes the server's challenge and gives the response. The
//! server is not trusted: its messages are bounded, its iteration count too, and with SCRAM it has
//! to prove that it knows the password before we believe its 235.
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};

use crate::limits;

/// A mechanism that we can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The password is proved, not shown.
    ScramSha256,
    /// The password in one message.
    Plain,
    /// The password in two.
    Login,
    /// An access token of OAuth 2, as some providers want it.
    Xoauth2,
}

impl Mechanism {
    /// The best of those that the server offers, if any.
    pub fn choose<'a>(offered: impl Iterator<Item = &'a str> + Clone) -> Option<Mechanism> {
        let all = [Mechanism::ScramSha256, Mechanism::Plain, Mechanism::Login];
        all.into_iter().find(|m| {
            offered
                .clone()
                .any(|name| name.eq_ignore_ascii_case(m.name()))
        })
    }

    /// This one, if the server offers it.
    pub fn among<'a>(self, mut offered: impl Iterator<Item = &'a str>) -> Option<Mechanism> {
        let there = offered.any(|name| name.eq_ignore_ascii_case(self.name()));
        there.then_some(self)
    }

    /// The registered name.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::Plain => "PLAIN",
            Mechanism::Login => "LOGIN",
            Mechanism::Xoauth2 => "XOAUTH2",
        }
    }
}

/// The server broke the rules of the exchange, or does not know the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untrusted;

/// One exchange.
pub struct Login {
    user: String,
    password: String,
    state: State,
}

enum State {
    Plain,
    Xoauth2,
    LoginUser,
    LoginPassword,
    ScramFirst { nonce: String },
    ScramFinal { server_signature: Vec<u8> },
    Over,
}

impl Login {
    /// Starts; `nonce` is fresh, random and printable without a comma.
    pub fn new(mechanism: Mechanism, user: &str, password: &str, nonce: String) -> Login {
        let state = match mechanism {
            Mechanism::ScramSha256 => State::ScramFirst { nonce },
            Mechanism::Plain => State::Plain,
            Mechanism::Login => State::LoginUser,
            Mechanism::Xoauth2 => State::Xoauth2,
        };
        Login {
            user: user.to_owned(),
            password: password.to_owned(),
            state,
        }
    }

    /// The initial response for the AUTH line, in base64; None where the server speaks first.
    pub fn initial(&mut self) -> Option<String> {
        match &self.state {
            State::Plain => {
                self.state = State::Over;
                Some(STANDARD.encode(format!("\0{}\0{}", self.user, self.password)))
            }
            State::Xoauth2 => {
                let text = format!(
                    "user={}\x01auth=Bearer {}\x01\x01",
                    self.user, self.password
                );
                Some(STANDARD.encode(text))
            }
            State::ScramFirst { nonce } => {
                Some(STANDARD.encode(format!("n,,{}", first_bare(&self.user, nonce))))
            }
            _ => None,
        }
    }

    /// Answers a challenge, both in base64. Slow for SCRAM (PBKDF2): call it off the executor.
    pub fn answer(&mut self, challenge: &str) -> Result<String, Untrusted> {
        if challenge.len() > limits::COMMAND_LINE {
            return Err(Untrusted);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::LoginUser => {
                self.state = State::LoginPassword;
                Ok(STANDARD.encode(&self.user))
            }
            State::LoginPassword => Ok(STANDARD.encode(&self.password)),
            State::ScramFirst { nonce } => {
                let first = decode(challenge)?;
                let (message, server_signature) =
                    scram(&self.user, &self.password, &nonce, &first)?;
                self.state = State::ScramFinal { server_signature };
                Ok(STANDARD.encode(message))
            }
            State::ScramFinal { server_signature } => {
                let proof = decode(challenge)?;
                let proof = proof.strip_prefix("v=").ok_or(Untrusted)?;
                let proof = STANDARD.decode(proof).map_err(|_| Untrusted)?;
                if proof == server_signature {
                    Ok(String::new())
                } else {
                    Err(Untrusted)
                }
            }
            // What is wrong with the token; the refusal comes behind an empty answer.
            State::Xoauth2 => Ok(String::new()),
            State::Plain | State::Over => Err(Untrusted),
        }
    }

    /// Whether a 235 may be believed now.
    pub fn is_complete(&self) -> bool {
        matches!(self.state, State::Over | State::Xoauth2)
    }
}

fn decode(text: &str) -> Result<String, Untrusted> {
    let octets = STANDARD.decode(text).map_err(|_| Untrusted)?;
    String::from_utf8(octets).map_err(|_| Untrusted)
}

/// `client-first-message-bare` (RFC 5802 §7): `,` and `=` in the name are escaped.
fn first_bare(user: &str, nonce: &str) -> String {
    format!(
        "n={},r={nonce}",
        user.replace('=', "=3D").replace(',', "=2C")
    )
}

/// The client-final-message and the signature that the server has to show (RFC 5802 §3).
fn scram(
    user: &str,
    password: &str,
    nonce: &str,
    first: &str,
) -> Result<(String, Vec<u8>), Untrusted> {
    let mut fields = first.split(',');
    let mut field = |name: &str| {
        fields
            .next()
            .and_then(|text| text.strip_prefix(name))
            .ok_or(Untrusted)
    };
    let (both, salt, rounds) = (field("r=")?, field("s=")?, field("i=")?);
    let rounds: u32 = rounds.parse().map_err(|_| Untrusted)?;
    let salt = STANDARD.decode(salt).map_err(|_| Untrusted)?;
    if !both.starts_with(nonce) || both.len() == nonce.len() || rounds > limits::SCRAM_ROUNDS {
        return Err(Untrusted);
    }
    let rounds = NonZeroU32::new(rounds).ok_or(Untrusted)?;
    let mut salted = [0; digest::SHA256_OUTPUT_LEN];
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        rounds,
        &salt,
        password.as_bytes(),
        &mut salted,
    );
    let client_key = mac(&salted, b"Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let without_proof = format!("c=biws,r={both}");
    let signed = format!("{},{first},{without_proof}", first_bare(user, nonce));
    let signature = mac(stored_key.as_ref(), signed.as_bytes());
    let proof: Vec<u8> = client_key
        .iter()
        .zip(&signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let server_signature = mac(&mac(&salted, b"Server Key"), signed.as_bytes());
    Ok((
        format!("{without_proof},p={}", STANDARD.encode(proof)),
        server_signature,
    ))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
        .as_ref()
        .to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677 §3.
    #[test]
    fn scram_sha_256() {
        let mut login = Login::new(
            Mechanism::ScramSha256,
            "user",
            "pencil",
            "rOprNGfwEbeRWgbNEkqO".into(),
        );
        assert_eq!(
            login.initial().map(|text| decode(&text)),
            Some(Ok("n,,n=user,r=rOprNGfwEbeRWgbNEkqO".into()))
        );
        let first = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let answer = login.answer(&STANDARD.encode(first)).unwrap();
        assert_eq!(
            decode(&answer).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert!(!login.is_complete());
        let last = STANDARD.encode("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        assert_eq!(login.answer(&last), Ok(String::new()));
        assert!(login.is_complete());
    }

    #[test]
    fn a_server_that_does_not_know_the_password() {
        let first = "r=abcX,s=AAAA,i=1";
        let ask = |first: &str| {
            let mut login = Login::new(Mechanism::ScramSha256, "u", "p", "abc".into());
            login.initial();
            login.answer(&STANDARD.encode(first)).map(|_| login)
        };
        let mut login = ask(first).ok().unwrap();
        assert_eq!(login.answer(&STANDARD.encode("v=AAAA")), Err(Untrusted));
        for bad in [
            "",
            "r=abc,s=AAAA,i=1",
            "r=xyz1,s=AAAA,i=1",
            "r=abcX,s=AAAA,i=0",
            "r=abcX,s=AAAA,i=4000000000",
            "r=abcX,s=*,i=1",
            "e=other",
        ] {
            assert!(ask(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plain_and_login() {
        let mut plain = Login::new(Mechanism::Plain, "u", "p", String::new());
        assert_eq!(plain.initial(), Some(STANDARD.encode("\0u\0p")));
        assert!(plain.is_complete() && plain.answer("").is_err());
        let mut login = Login::new(Mechanism::Login, "u", "p", String::new());
        assert_eq!(login.initial(), None);
        assert_eq!(login.answer("VXNlcm5hbWU6"), Ok("dQ==".into()));
        assert_eq!(login.answer("anything"), Ok("cA==".into()));
        assert!(login.is_complete());
        assert_eq!(
            Mechanism::choose("CRAM-MD5 login plain".split(' ')),
            Some(Mechanism::Plain)
        );
        assert_eq!(Mechanism::choose(["GSSAPI"].into_iter()), None);
    }
}
