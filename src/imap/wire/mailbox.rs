//! Mailbox names on the wire, and the commands that are a name and little else: CREATE, DELETE,
//! RENAME, SUBSCRIBE, UNSUBSCRIBE (RFC 9051 §5.1, §6.3.4-6.3.8).
//!
//! In memory a name is UTF-8 with `/` between its levels. On the wire it is modified UTF-7 for an
//! IMAP4rev1 client and UTF-8 once IMAP4rev2 or UTF8=ACCEPT is enabled.

use super::cursor::{Cursor, Parsed};
use super::{encode, utf7};

/// The hierarchy separator.
pub const SEPARATOR: char = '/';

/// A name as `mailbox` in the grammar; any spelling of INBOX becomes `INBOX`.
pub fn name(c: &mut Cursor<'_>) -> Parsed<String> {
    given(c).map(inbox)
}

/// The same, spelled as it is.
pub fn given(c: &mut Cursor<'_>) -> Parsed<String> {
    let at = c.clone();
    let bytes = c.astring()?;
    decode(&bytes, c.utf8).map_or_else(|| at.fail("a mailbox name in the encoding agreed on"), Ok)
}

/// A name or pattern from its octets. A client that never learned modified UTF-7 and sends `R&D`
/// or plain UTF-8 is understood too.
pub fn decode(bytes: &[u8], utf8: bool) -> Option<String> {
    let plain = || std::str::from_utf8(bytes).ok().map(str::to_owned);
    let name = if utf8 {
        plain()
    } else {
        utf7::decode(bytes).or_else(plain)
    }?;
    (!name.contains('\0')).then_some(name)
}

/// `INBOX` for any spelling of it, alone or as the first level (RFC 9051 §5.1).
pub fn inbox(name: String) -> String {
    let Some((head, rest)) = name.split_at_checked(5) else {
        return name;
    };
    let first_level = rest.is_empty() || rest.starts_with(SEPARATOR);
    if first_level && head.eq_ignore_ascii_case("INBOX") {
        return format!("INBOX{rest}");
    }
    name
}

/// Writes a name as `mailbox`.
pub fn write(out: &mut Vec<u8>, name: &str, utf8: bool) {
    if utf8 {
        encode::astring(out, name.as_bytes(), true);
    } else {
        encode::astring(out, utf7::encode(name).as_bytes(), false);
    }
}

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
    let mut given = given(c)?;
    if given.len() > 1 && given.ends_with(SEPARATOR) {
        given.pop();
    }
    let mut uses = Vec::new();
    if c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        c.list(false, |c| {
            let start = c.clone();
            if c.word()? != "USE" {
                return start.fail("USE");
            }
            c.space()?;
            uses = c.list(true, |c| {
                c.must(b'\\', "a special-use attribute")?;
                Ok(format!("\\{}", c.atom_text()?))
            })?;
            Ok(())
        })?;
    }
    Ok(Create {
        name: inbox(given.clone()),
        given,
        uses,
    })
}

/// `SP mailbox`, for DELETE, SUBSCRIBE and UNSUBSCRIBE.
pub fn only(c: &mut Cursor<'_>) -> Parsed<String> {
    c.space()?;
    name(c)
}

/// `SP mailbox SP mailbox`.
pub fn rename(c: &mut Cursor<'_>) -> Parsed<(String, String)> {
    Ok((only(c)?, only(c)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &[u8], utf8: bool) -> Option<String> {
        name(&mut Cursor::new(text, utf8)).ok()
    }

    #[test]
    fn names() {
        assert_eq!(parse(b"iNbOx", false).as_deref(), Some("INBOX"));
        assert_eq!(parse(b"inbox/a", false).as_deref(), Some("INBOX/a"));
        assert_eq!(parse(b"inboxes", false).as_deref(), Some("inboxes"));
        assert_eq!(
            parse(b"Entw&APw-rfe", false).as_deref(),
            Some("Entw\u{fc}rfe")
        );
        assert_eq!(
            parse(b"Entw&APw-rfe", true).as_deref(),
            Some("Entw&APw-rfe")
        );
        assert_eq!(parse(b"\"R&D\"", false).as_deref(), Some("R&D"));
        assert_eq!(
            parse("\"Entw\u{fc}rfe\"".as_bytes(), true).as_deref(),
            Some("Entw\u{fc}rfe")
        );
        assert_eq!(parse(b"\"\xff\"", true), None);
        assert_eq!(
            create(&mut Cursor::new(b" a/b/", false)).unwrap().name,
            "a/b"
        );
        let made = create(&mut Cursor::new(b" inbox/b (USE (\\Sent \\x))", false)).unwrap();
        assert_eq!(
            (made.name.as_str(), made.given.as_str()),
            ("INBOX/b", "inbox/b")
        );
        assert_eq!(made.uses, ["\\Sent", "\\x"]);
        for bad in [" a (USE)", " a (FOO (\\Sent))", " a (USE (Sent))", " a ()"] {
            assert!(
                create(&mut Cursor::new(bad.as_bytes(), false)).is_err(),
                "{bad}"
            );
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in "[a-zA-Z/&\" \u{e0}-\u{ff}\u{4e00}-\u{4e10}]{1,30}", utf8: bool) {
            let mut out = Vec::new();
            write(&mut out, &text, utf8);
            prop_assert_eq!(parse(&out, utf8), Some(inbox(text)));
        }
    }
}
