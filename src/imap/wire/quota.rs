//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208 §7).

use super::cursor::{Cursor, Parsed};
use super::mailbox;

/// `SP quota-root-name`
pub fn get(c: &mut Cursor<'_>) -> Parsed<String> {
    c.space()?;
    c.astring_text()
}

/// `SP mailbox`
pub fn root(c: &mut Cursor<'_>) -> Parsed<String> {
    mailbox::only(c)
}

/// `SP quota-root-name SP "(" [resource-name SP resource-limit ...] ")"`: the root and what to set.
pub fn set(c: &mut Cursor<'_>) -> Parsed<(String, Vec<(String, u64)>)> {
    let root = get(c)?;
    c.space()?;
    let limits = c.list(true, |c| {
        let name = c.word()?;
        c.space()?;
        Ok((name, c.number64()?))
    })?;
    Ok((root, limits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |text: &str| set(&mut Cursor::new(text.as_bytes(), false));
        assert_eq!(
            parse(" \"#user/alice\" (STORAGE 510)"),
            Ok(("#user/alice".into(), vec![("STORAGE".into(), 510)]))
        );
        assert_eq!(parse(" \"\" ()"), Ok((String::new(), vec![])));
        assert!(parse(" \"\" (STORAGE)").is_err() && parse(" \"\"").is_err());
    }
}
