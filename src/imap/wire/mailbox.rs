//! Mailbox names on the wire (RFC 9051 §5.1).
//!
//! In memory a name is UTF-8 with `/` between its levels. On the wire it is modified UTF-7 for an
//! IMAP4rev1 client and UTF-8 once IMAP4rev2 or UTF8=ACCEPT is enabled.

use super::cursor::{Cursor, Parsed};
use super::{encode, utf7};
use crate::mime::nfc::nfc;

/// The hierarchy separator.
pub const SEPARATOR: char = '/';

/// A name as `mailbox` in the grammar; as [`canonical`] has it.
pub fn name(c: &mut Cursor<'_>) -> Parsed<String> {
    given(c).map(canonical)
}

/// The same, spelled as it is.
pub fn given(c: &mut Cursor<'_>) -> Parsed<String> {
    let at = c.clone();
    let bytes = c.astring()?;
    decode(&bytes, c.utf8).map_or_else(|| at.fail(&"a mailbox name in the encoding agreed on"), Ok)
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

/// The name that is meant: `INBOX` for any spelling of it, alone or as the first level, and all of it
/// in Unicode's normal form C (RFC 9051 §5.1).
pub fn canonical(name: String) -> String {
    inbox(nfc(name))
}

/// `INBOX` for any spelling of it.
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

/// `SP mailbox`.
pub fn only(c: &mut Cursor<'_>) -> Parsed<String> {
    c.space()?;
    name(c)
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
    }

    proptest! {
        #[test]
        fn round_trip(text in "[a-zA-Z/&\" \u{e0}-\u{ff}\u{4e00}-\u{4e10}]{1,30}", utf8: bool) {
            let mut out = Vec::new();
            write(&mut out, &text, utf8);
            prop_assert_eq!(parse(&out, utf8), Some(canonical(text)));
        }
    }
}
