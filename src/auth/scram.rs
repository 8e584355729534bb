//! SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677): two messages in, two out, no I/O.
//!
//! Without channel binding: clients that could (`y`) or could not (`n`) are served alike, since
//! SCRAM-SHA-256-PLUS is not announced; a `p=` flag belongs to PLUS and is refused.
use super::AuthError;
use super::record::{Record, equal, hmac_sha256, sha256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An exchange after the server's first message.
pub struct Server {
    /// `client-first-message-bare,server-first-message,`: the head of AuthMessage.
    auth_message: String,
    gs2_header: String,
    nonce: String,
    record: Record,
}

impl Server {
    /// Takes the client's first message. `server_nonce` is printable ASCII without commas;
    /// `lookup` gives the record for the user name in it (one that cannot match for a wrong
    /// name, so that the exchange does not tell). Returns the exchange and our first message.
    ///
    /// # Errors
    /// [`AuthError::Malformed`], or [`AuthError::Unsupported`] for channel binding, another
    /// authorization identity or a mandatory extension.
    pub fn first(
        message: &[u8],
        server_nonce: &str,
        lookup: impl FnOnce(&str) -> Result<Record, AuthError>,
    ) -> Result<(Server, String), AuthError> {
        let message = std::str::from_utf8(message).map_err(|_| AuthError::Malformed)?;
        // gs2-header = gs2-cbind-flag "," [ authzid ] ","   (RFC 5802 §7)
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(AuthError::Malformed);
        };
        match flag {
            "n" | "y" => {}
            _ if flag.starts_with("p=") => return Err(AuthError::Unsupported),
            _ => return Err(AuthError::Malformed),
        }
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
        let record = lookup(&user)?;
        let nonce = format!("{client_nonce}{server_nonce}");
        let salt = STANDARD.encode(&record.salt);
        let answer = format!("r={nonce},s={salt},i={}", record.iterations);
        let server = Server {
            auth_message: format!("{bare},{answer},"),
            gs2_header: format!("{flag},{authzid},"),
            nonce,
            record,
        };
        Ok((server, answer))
    }

    /// Takes the client's final message and returns ours, which proves us to the client.
    ///
    /// # Errors
    /// [`AuthError::BadCredentials`] if the proof is not right, [`AuthError::Malformed`].
    pub fn last(self, message: &[u8]) -> Result<String, AuthError> {
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
        if binding != self.gs2_header.as_bytes() || nonce != self.nonce {
            return Err(AuthError::BadCredentials);
        }
        let auth_message = self.auth_message + without_proof;
        let signature = hmac_sha256(&self.record.stored_key, auth_message.as_bytes());
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(p, s)| p ^ s).collect();
        let right = equal(&sha256(&client_key), &self.record.stored_key);
        if proof.len() != signature.len() || !right {
            return Err(AuthError::BadCredentials);
        }
        let verifier = hmac_sha256(&self.record.server_key, auth_message.as_bytes());
        Ok(format!("v={}", STANDARD.encode(verifier)))
    }
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
    use super::*;
    use std::num::NonZeroU32;

    // RFC 7677 §3.
    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    const LAST: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    fn record(_: &str) -> Result<Record, AuthError> {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        Ok(Record::derive(
            "pencil",
            &salt,
            NonZeroU32::new(4096).unwrap(),
        ))
    }

    #[test]
    fn rfc_7677_example() {
        let (server, first) = Server::first(FIRST, NONCE, record).unwrap();
        assert_eq!(
            first,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        assert_eq!(
            server.last(LAST.as_bytes()).unwrap(),
            "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn wrong_final_messages() {
        let last = |message: &str| {
            let (server, _) = Server::first(FIRST, NONCE, record).unwrap();
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
        let (server, _) = Server::first(FIRST, NONCE, record).unwrap();
        assert!(server.last(b"c=biws,r=\xff,p=AAAA").is_err());
    }

    #[test]
    fn first_messages() {
        let first = |message: &str| Server::first(message.as_bytes(), "s", record).map(|x| x.1);
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

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered(first in proptest::collection::vec(0u8.., 0..80),
                                  last in proptest::collection::vec(0u8.., 0..80)) {
            let _ = Server::first(&first, "s", record);
            let (server, _) = Server::first(b"n,,n=u,r=a", "s", record).unwrap();
            let _ = server.last(&last);
        }
    }
}
