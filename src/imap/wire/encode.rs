//! Strings on their way out: quoted where that is possible, a literal where it is not
//! (RFC 9051 §4.3, §9).

use super::cursor::is_atom;
use std::fmt::{self, Write};

/// Longest string sent in quotes; clients split their lines at a few kilobytes.
const QUOTED: usize = 1024;

/// Writes a string. `utf8`: octets above 127 may stand in quotes (IMAP4rev2, UTF8=ACCEPT).
/// NUL cannot be said in any string (RFC 9051 §9) and is left out.
pub fn string(out: &mut Vec<u8>, text: &[u8], utf8: bool) {
    if text.contains(&0) {
        let without: Vec<u8> = text.iter().copied().filter(|b| *b != 0).collect();
        return string(out, &without, utf8);
    }
    let quotable = text.len() <= QUOTED
        && text
            .iter()
            .all(|b| !matches!(b, b'\r' | b'\n') && (utf8 || *b < 0x80))
        && (!utf8 || std::str::from_utf8(text).is_ok());
    if quotable {
        quoted(out, text)
    } else {
        literal(out, text)
    }
}

/// Writes a string or NIL.
pub fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>, utf8: bool) {
    match text {
        Some(text) => string(out, text, utf8),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Writes an atom if the text is one, a string otherwise.
pub fn astring(out: &mut Vec<u8>, text: &[u8], utf8: bool) {
    let nil = text.eq_ignore_ascii_case(b"NIL");
    if !text.is_empty() && !nil && text.iter().all(|b| is_atom(*b)) {
        out.extend_from_slice(text);
    } else {
        string(out, text, utf8);
    }
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for b in text {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*b);
    }
    out.push(b'"');
}

fn literal(out: &mut Vec<u8>, text: &[u8]) {
    literal_head(out, text.len() as u64, false);
    out.extend_from_slice(text);
}

/// Writes the head of a literal; its `size` octets follow. `binary`: a literal8.
pub fn literal_head(out: &mut Vec<u8>, size: u64, binary: bool) {
    let tilde = if binary { "~" } else { "" };
    formatted(out, format_args!("{tilde}{{{size}}}\r\n"));
}

/// Writes what `format_args!` makes.
pub fn formatted(out: &mut Vec<u8>, text: fmt::Arguments<'_>) {
    struct Sink<'a>(&'a mut Vec<u8>);
    impl Write for Sink<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    let _ = Sink(out).write_fmt(text);
}

/// Writes a number. Digit by digit: half of what formatting costs, and sets are made of them.
pub fn number(out: &mut Vec<u8>, n: impl Into<u64>) {
    let mut rest = n.into();
    let from = out.len();
    loop {
        out.push(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(from..) {
        digits.reverse();
    }
}

/// Writes items with spaces between them, in parentheses.
pub fn list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'(');
    for (i, value) in items.into_iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        item(out, value);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::*;
    use proptest::prelude::*;

    fn written(text: &[u8], utf8: bool) -> String {
        let mut out = Vec::new();
        string(&mut out, text, utf8);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn forms() {
        assert_eq!(written(b"a \"b\\", false), r#""a \"b\\""#);
        assert_eq!(written(b"a\r\nb", false), "{4}\r\na\r\nb");
        assert_eq!(written("\u{fc}".as_bytes(), false), "{2}\r\n\u{fc}");
        assert_eq!(written("\u{fc}".as_bytes(), true), "\"\u{fc}\"");
        assert_eq!(written(b"a\0b", true), "\"ab\"");
    }

    proptest! {
        #[test]
        fn round_trip(text in proptest::collection::vec(1u8.., 0..50), utf8: bool) {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            string(&mut a, &text, utf8);
            astring(&mut b, &text, utf8);
            prop_assert_eq!(Cursor::new(&a, utf8).string().unwrap().into_owned(), &text[..]);
            prop_assert_eq!(Cursor::new(&b, utf8).astring().unwrap().into_owned(), &text[..]);
        }
    }
}
