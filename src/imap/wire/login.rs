//! LOGIN (RFC 9051 §6.2.3).

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
    }
}
