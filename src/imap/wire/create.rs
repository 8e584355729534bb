//! CREATE (RFC 9051 §6.3.4), also for a special use (RFC 6154 §3).

use super::cursor::{Cursor, Parsed};
use super::mailbox::{SEPARATOR, canonical, given};

/// The arguments of CREATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// The new mailbox; a trailing separator is taken off (RFC 9051 §6.3.4).
    pub name: String,
    /// The name as the client spells it, without the separator.
    pub given: String,
    /// `USE (...)`: special-use attributes (RFC 6154 §3).
    pub uses: Vec<String>,
}

/// `SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`.
pub fn create(c: &mut Cursor<'_>) -> Parsed<Create> {
    c.space()?;
    let mut name = given(c)?;
    if name.len() > 1 && name.ends_with(SEPARATOR) {
        name.pop();
    }
    let mut uses = Vec::new();
    if c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        c.list(false, |c| {
            let start = c.clone();
            if c.word()? != "USE" {
                return start.fail(&"USE");
            }
            c.space()?;
            uses = c.list(true, |c| {
                c.must(b'\\', &"a special-use attribute")?;
                Ok(format!("\\{}", c.atom_text()?))
            })?;
            Ok(())
        })?;
    }
    Ok(Create {
        name: canonical(name.clone()),
        given: name,
        uses,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |text: &str| create(&mut Cursor::new(text.as_bytes(), false));
        assert_eq!(parse(" a/b/").unwrap().name, "a/b");
        let made = parse(" inbox/b (USE (\\Sent \\x))").unwrap();
        assert_eq!(
            (made.name.as_str(), made.given.as_str()),
            ("INBOX/b", "inbox/b")
        );
        assert_eq!(made.uses, ["\\Sent", "\\x"]);
        for bad in [" a (USE)", " a (FOO (\\Sent))", " a (USE (Sent))", " a ()"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
