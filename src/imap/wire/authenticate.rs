//! AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959).

use super::cursor::{Cursor, Parsed};

/// A SASL mechanism and perhaps its first message. `Debug` keeps the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Authenticate {
    /// The mechanism, in upper case.
    pub mechanism: String,
    /// The initial response in base64, or `=` for an empty one (RFC 4959 §3).
    pub initial: Option<String>,
}

impl std::fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authenticate")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

/// `SP auth-type [SP initial-resp]`
pub fn authenticate(c: &mut Cursor<'_>) -> Parsed<Authenticate> {
    c.space()?;
    let mechanism = c.word()?;
    let mut initial = None;
    if c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        let text = c.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
        initial = Some(String::from_utf8_lossy(text).into_owned());
    }
    Ok(Authenticate { mechanism, initial })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |t: &str| authenticate(&mut Cursor::new(t.as_bytes(), false)).unwrap();
        assert_eq!(parse(" plain").initial, None);
        assert_eq!(parse(" PLAIN =").initial.as_deref(), Some("="));
        let found = parse(" PLAIN dGVzdAB=");
        assert_eq!(found.initial.as_deref(), Some("dGVzdAB="));
        assert!(!format!("{found:?}").contains("dGV"));
    }
}
