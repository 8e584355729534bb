//! LOGIN and AUTHENTICATE (RFC 9051 §6.2.2, §6.2.3; RFC 4959).

use super::cursor::{Cursor, Parsed};

/// A user name and a password. `Debug` keeps the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// `SP astring SP astring`
pub fn login(c: &mut Cursor<'_>) -> Parsed<Login> {
    c.space()?;
    let user = c.astring_text()?;
    c.space()?;
    let password = c.astring_text()?;
    Ok(Login { user, password })
}

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
        let mut c = Cursor::new(b" SMITH \"se\\\"same\"", false);
        let found = login(&mut c).unwrap();
        assert_eq!(
            (found.user.as_str(), found.password.as_str()),
            ("SMITH", "se\"same")
        );
        assert!(!format!("{found:?}").contains("same"));
        let parse = |t: &str| authenticate(&mut Cursor::new(t.as_bytes(), false));
        assert_eq!(parse(" plain").unwrap().initial, None);
        assert_eq!(parse(" PLAIN =").unwrap().initial.as_deref(), Some("="));
        assert_eq!(
            parse(" PLAIN dGVzdAB=").unwrap().initial.as_deref(),
            Some("dGVzdAB=")
        );
    }
}
