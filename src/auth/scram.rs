//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677): two messages in, two
//! out, no I/O.
//!
//! PLUS ties the log-in to this TLS connection by `tls-exporter` (RFC 9266), the only type there is.
//! Where it is offered, a client that says it saw no offer (`y`) was lied to, and is refused
//! (RFC 5802 §6).
use super::AuthError;
use super::record::{Keys, equal, hmac_sha256, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What channel binding means to this exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// There is none to be had.
    None,
    /// PLUS is offered, and the client chose to do without.
    Offered,
    /// PLUS was chosen; the data of `tls-exporter`.
    Exporter([u8; 32]),
}

/// What a user name may log in by: several secrets under one salt.
pub struct Candidates {
    /// Of all of them.
    pub salt: Vec<u8>,
    /// Of all of them.
    pub iterations: u32,
    pub(super) keys: Vec<Keys>,
}

/// An exchange after the server's first message.
pub struct Server {
    /// `client-first-message-bare,server-first-message,`: the head of AuthMessage.
    auth_message: String,
    /// The GS2 header, and the channel binding data behind it.
    binding: Vec<u8>,
    nonce: String,
    keys: Vec<Keys>,
}

impl Server {
    /// Takes the client's first message. `server_nonce` is printable ASCII without commas;
    /// `lookup` gives the candidates for the user name in it (one that cannot match for a wrong
    /// name, so that the exchange does not tell). Returns the exchange and our first message.
    ///
    /// # Errors
    /// [`AuthError::Malformed`]; [`AuthError::Unsupported`] for another type of channel binding,
    /// another authorization identity or a mandatory extension; [`AuthError::BadCredentials`] when
    /// somebody took our offer of channel binding away.
    pub fn first(
        message: &[u8],
        server_nonce: &str,
        binding: Binding,
        lookup: impl FnOnce(&str) -> Result<Candidates, AuthError>,
    ) -> Result<(Server, String), AuthError> {
        let message = std::str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
        // gs2-header = gs2-cbind-flag "," [ authzid ] ","   (RFC 5802 §7)
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthError::Malformed);
        };
        let data = match (flag, binding) {
            ("n", Binding::None | Binding::Offered) | ("y", Binding::None) => None,
            // RFC 5802 §6: the client would have taken PLUS, had it been told of it.
            ("y", Binding::Offered) => return Err(AuthError::BadCredentials),
            ("p=tls-exporter", Binding::Exporter(data)) => Some(data),
            // RFC 5802 §5.1: PLUS must bind, and only PLUS may.
            ("n" | "y", Binding::Exporter(_)) => return Err(AuthError::Malformed),
            _ if flag.starts_with("p=") => return Err(AuthError::Unsupported),
            _ => return Err(AuthError::Malformed),
        };
        let mut bound = format!("{flag},{authzid},").into_bytes();
        bound.extend(data.into_iter().flatten());
        let mut attributes = bare.split(',');
        let user = attributes.next().unwrap_or_default();
        if user.starts_with("m=") {
            return Err(AuthError::Unsupported); // RFC 5802 §5.1: mandatory extension
        }
        let user = user.strip_prefix("n=").ok_or(AuthError::Malformed)?;
        let user = unescape(user).ok_or(AuthError::Malformed)?;
        match authzid.strip_prefix("a=") {
            None if authzid.is_empty() => {}
            None => return Err(AuthError::Malformed),
            Some(id) => {
                if unescape(id).ok_or(AuthError::Malformed)? != user {
                    return Err(AuthError::Unsupported);
                }
            }
        }
        let client_nonce = attributes
            .next()
            .and_then(|a| a.strip_prefix("r="))
            .ok_or(AuthError::Malformed)?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(AuthError::Malformed);
        }
        let found = lookup(&user)?;
        let nonce = format!("{client_nonce}{server_nonce}");
        let salt = STANDARD.encode(&found.salt);
        let answer = format!("r={nonce},s={salt},i={}", found.iterations);
        let server = Server {
            auth_message: format!("{bare},{answer},"),
            binding: bound,
            nonce,
            keys: found.keys,
        };
        Ok((server, answer))
    }

    /// Takes the client's final message and returns ours, which proves us to the client, with the
    /// number of the candidate that fitted. All are tried, whichever fits.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`] if the proof is not right, [`AuthError::Malformed`].
    pub fn last(self, message: &[u8]) -> Result<(usize, String), AuthError> {
        let message = std::str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(AuthError::Malformed)?;
        let proof = STANDARD.decode(proof).map_err(|_| AuthError::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes
            .next()
            .and_then(|a| a.strip_prefix("c="))
            .ok_or(AuthError::Malformed)?;
        let binding = STANDARD.decode(binding).map_err(|_| AuthError::Malformed)?;
        let nonce = attributes
            .next()
            .and_then(|a| a.strip_prefix("r="))
            .ok_or(AuthError::Malformed)?;
        // The header comes again under the proof, so that nobody in between can have changed the
        // flag (RFC 5802 §6); so does the nonce.
        if !equal(&binding, &self.binding) || nonce != self.nonce {
            return Err(AuthError::BadCredentials);
        }
        let auth_message = self.auth_message + without_proof;
        let mut right = None;
        for (number, keys) in self.keys.iter().enumerate() {
            if fits(keys, &proof, auth_message.as_bytes()) {
                right = Some((number, keys));
            }
        }
        let (number, keys) = right.ok_or(AuthError::BadCredentials)?;
        let verifier = hmac_sha256(&keys.server, auth_message.as_bytes());
        Ok((number, format!("v={}", STANDARD.encode(verifier))))
    }
}

/// Whether the proof was made with the secret behind these keys (RFC 5802 §3).
fn fits(keys: &Keys, proof: &[u8], auth_message: &[u8]) -> bool {
    let signature = hmac_sha256(&keys.stored, auth_message);
    let client_key: Vec<u8> = proof.iter().zip(signature).map(|(p, s)| p ^ s).collect();
    let right = equal(&sha256(&client_key), &keys.stored);
    proof.len() == signature.len() && right
}

/// Undoes `=2C` and `=3D`; any other `=` is an error (RFC 5802 §5.1).
fn unescape(name: &str) -> Option<String> {
    let mut parts = name.split('=');
    let mut out = parts.next()?.to_owned();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        out.push(match code {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        out.push_str(rest);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::record::Record;
    use super::*;
    use std::num::NonZeroU32;

    // RFC 7677 §3.
    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn record(_: &str) -> Result<Candidates, AuthError> {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let rounds = NonZeroU32::new(4096).unwrap();
        let keys = ["other", "pencil", "third"].map(|p| Record::derive(p, &salt, rounds).keys);
        Ok(Candidates {
            salt,
            iterations: 4096,
            keys: keys.to_vec(),
        })
    }

    #[test]
    fn rfc_7677_example() {
        let (server, first) = Server::first(FIRST, NONCE, Binding::None, record).unwrap();
        assert_eq!(
            first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        assert_eq!(
            server.last(LAST.as_bytes()).unwrap(),
            (1, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=".into())
        );
    }

    #[test]
    fn wrong_final_messages() {
        let last = |message: &str| {
            let (server, _) = Server::first(FIRST, NONCE, Binding::None, record).unwrap();
            server.last(message.as_bytes()).unwrap_err()
        };
        assert_eq!(
            last(&LAST.replace("p=dH", "p=eH")),
            AuthError::BadCredentials
        );
        assert_eq!(last(&LAST.replace("k0,", "k1,")), AuthError::BadCredentials);
        // The flag under the proof is not the one sent: a downgrade.
        assert_eq!(
            last(&LAST.replace("c=biws", "c=eSws")),
            AuthError::BadCredentials
        );
        assert_eq!(last("c=biws,r=x,p="), AuthError::BadCredentials);
        for bad in [
            "",
            "c=biws",
            "p=AAAA",
            "r=x,c=biws,p=AAAA",
            "c=biws,r=x,p=!",
        ] {
            assert_eq!(last(bad), AuthError::Malformed, "{bad}");
        }
        let (server, _) = Server::first(FIRST, NONCE, Binding::None, record).unwrap();
        assert!(server.last(b"c=biws,r=\xff,p=AAAA").is_err());
    }

    #[test]
    fn first_messages() {
        let first = |message: &str| {
            Server::first(message.as_bytes(), "s", Binding::None, record).map(|x| x.1)
        };
        assert!(first("y,,n=user,r=abc").is_ok());
        assert!(first("n,a=us=2Cer,n=us=2Cer,r=abc,x=ext").is_ok());
        assert_eq!(
            first("p=tls-exporter,,n=user,r=abc").unwrap_err(),
            AuthError::Unsupported
        );
        assert_eq!(
            first("n,a=root,n=user,r=abc").unwrap_err(),
            AuthError::Unsupported
        );
        assert_eq!(
            first("n,,m=x,n=user,r=abc").unwrap_err(),
            AuthError::Unsupported
        );
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,n=user,r=",
            "n,,n=us=er,r=a",
            "x,,n=u,r=a",
            "n,b=u,n=u,r=a",
            "n,,n=u=2,r=a",
            "n,,r=a,n=u",
            "n,,n=u,r=a b",
        ] {
            assert_eq!(first(bad).unwrap_err(), AuthError::Malformed, "{bad}");
        }
    }

    #[test]
    fn channel_binding() {
        let first = |message: &str, binding| {
            let message = format!("{message},,n=user,r=abc");
            Server::first(message.as_bytes(), "s", binding, record).map(|x| x.0)
        };
        let exporter = Binding::Exporter([7; 32]);
        assert!(first("p=tls-exporter", exporter).is_ok());
        assert!(first("n", Binding::Offered).is_ok());
        // RFC 5802 §6: the offer was taken away on the way.
        let cut = first("y", Binding::Offered).err();
        assert_eq!(cut, Some(AuthError::BadCredentials));
        for flag in ["p=tls-unique", "p=tls-server-end-point", "p="] {
            assert_eq!(first(flag, exporter).err(), Some(AuthError::Unsupported));
        }
        for flag in ["n", "y", "p"] {
            assert_eq!(first(flag, exporter).err(), Some(AuthError::Malformed));
        }
        let early = first("p=tls-exporter", Binding::Offered).err();
        assert_eq!(early, Some(AuthError::Unsupported));
        // The data of another connection, under a proof that is right otherwise.
        let last = |data: &[u8]| {
            let bound = [b"p=tls-exporter,,", data].concat();
            let rest = format!("c={},r=abcs", STANDARD.encode(bound));
            let auth = format!("n=user,r=abc,r=abcs,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,{rest}");
            let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
            let rounds = NonZeroU32::new(4096).unwrap();
            let salted = super::super::record::salted_password("pencil", &salt, rounds);
            let key = hmac_sha256(&salted, b"Client Key");
            let signature = hmac_sha256(&sha256(&key), auth.as_bytes());
            let proof: Vec<u8> = key.iter().zip(signature).map(|(k, s)| k ^ s).collect();
            let server = first("p=tls-exporter", exporter).unwrap();
            server.last(format!("{rest},p={}", STANDARD.encode(proof)).as_bytes())
        };
        assert!(last(&[7; 32]).is_ok());
        for wrong in [&[8; 32][..], &[7; 31], &[]] {
            assert_eq!(last(wrong).err(), Some(AuthError::BadCredentials));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(first in proptest::collection::vec(0u8.., 0..80),
                                  last in proptest::collection::vec(0u8.., 0..80)) {
            let _ = Server::first(&first, "s", Binding::None, record);
            let (server, _) = Server::first(b"n,,n=u,r=a", "s", Binding::None, record).unwrap();
            let _ = server.last(&last);
        }
    }
}
