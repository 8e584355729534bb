//! SELECT and EXAMINE (RFC 9051 §6.3.2, RFC 7162 §3.1.8).

use super::cursor::{Cursor, Parsed};
use super::mailbox;

/// The arguments of SELECT and EXAMINE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The mailbox.
    pub name: String,
    /// `(CONDSTORE)`
    pub condstore: bool,
}

/// `SP mailbox [SP "(" parameters ")"]`
pub fn select(c: &mut Cursor<'_>) -> Parsed<Select> {
    let name = mailbox::only(c)?;
    let mut condstore = false;
    if c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        c.list(false, |c| {
            condstore = c.eat_word("CONDSTORE");
            if condstore {
                Ok(())
            } else {
                c.fail("CONDSTORE")
            }
        })?;
    }
    Ok(Select { name, condstore })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |t: &str| select(&mut Cursor::new(t.as_bytes(), false));
        assert_eq!(
            parse(" inbox (condstore)"),
            Ok(Select {
                name: "INBOX".into(),
                condstore: true
            })
        );
        assert_eq!(
            parse(" \"a b\""),
            Ok(Select {
                name: "a b".into(),
                condstore: false
            })
        );
        assert!(parse(" a (FOO)").is_err() && parse("").is_err() && parse(" a ()").is_err());
    }
}
