//! GETMETADATA and SETMETADATA (RFC 5464), and the METADATA return option of LIST (RFC 9590).

use super::cursor::{Cursor, Error, Parsed};
use super::{encode, mailbox};
use std::borrow::Cow;

/// Octets of an entry's name.
const NAME: usize = 255;
/// Entries named in one command.
const ENTRIES: usize = 256;

/// The arguments of GETMETADATA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Get {
    /// The mailbox, `None` for the server.
    pub mailbox: Option<String>,
    /// Larger values are not wanted.
    pub max_size: Option<u32>,
    /// What is wanted below the entries.
    pub depth: Depth,
    /// Names as the client spells them.
    pub entries: Vec<String>,
}

/// How far below an entry (RFC 5464 §4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// `0`
    #[default]
    Entry,
    /// `1`
    Children,
    /// `infinity`
    All,
}

/// Entries in lower case, each with its value or NIL.
pub type Entries = Vec<(String, Option<Vec<u8>>)>;

/// The arguments of SETMETADATA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    /// The mailbox, `None` for the server.
    pub mailbox: Option<String>,
    /// What to set.
    pub entries: Entries,
}

/// `[SP options] SP mailbox SP entries`. The RFC's grammar has the options first, its examples have
/// them behind the mailbox, and leave out the parentheses around several entries: all are taken.
pub fn get(c: &mut Cursor<'_>) -> Parsed<Get> {
    let mut get = Get::default();
    c.space()?;
    if c.peek() == Some(b'(') {
        options(c, &mut get)?;
        c.space()?;
    }
    get.mailbox = place(c)?;
    c.space()?;
    if c.peek() == Some(b'(') && !matches!(c.rest().get(1), Some(b'/' | b'"' | b'{')) {
        options(c, &mut get)?;
        c.space()?;
    }
    if c.peek() == Some(b'(') {
        get.entries = entries(c)?;
        return Ok(get);
    }
    get.entries.push(wanted(c)?);
    while c.peek() == Some(b' ') && c.rest().len() > 1 && get.entries.len() < ENTRIES {
        c.space()?;
        get.entries.push(wanted(c)?);
    }
    Ok(get)
}

/// `"(" entry *(SP entry) ")"`
pub fn entries(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let at = c.position();
    let entries = c.list(false, wanted)?;
    if entries.len() > ENTRIES {
        let wanted = &"at most 256 entries";
        return Err(Error { at, wanted });
    }
    Ok(entries)
}

fn options(c: &mut Cursor<'_>, get: &mut Get) -> Parsed<()> {
    c.list(false, |c| {
        let at = c.position();
        let word = c.word()?;
        c.space()?;
        match word.as_str() {
            "MAXSIZE" => get.max_size = Some(c.number()?),
            "DEPTH" => {
                let at = c.position();
                get.depth = match c.word()?.as_str() {
                    "0" => Depth::Entry,
                    "1" => Depth::Children,
                    "INFINITY" => Depth::All,
                    _ => {
                        let wanted = &"0, 1 or infinity";
                        return Err(Error { at, wanted });
                    }
                };
            }
            _ => {
                let wanted = &"MAXSIZE or DEPTH";
                return Err(Error { at, wanted });
            }
        }
        Ok(())
    })
    .map(drop)
}

/// A mailbox; the empty name is the server.
fn place(c: &mut Cursor<'_>) -> Parsed<Option<String>> {
    let name = mailbox::name(c)?;
    Ok((!name.is_empty()).then_some(name))
}

/// `SP mailbox SP "(" entry SP value *(SP entry SP value) ")"`
pub fn set(c: &mut Cursor<'_>) -> Parsed<Set> {
    c.space()?;
    let mailbox = place(c)?;
    c.space()?;
    let at = c.position();
    let entries = c.list(false, |c| {
        let at = c.position();
        let name = name(c)?.to_ascii_lowercase();
        if !is_whole(&name) {
            let wanted = &"an entry with all of its components";
            return Err(Error { at, wanted });
        }
        c.space()?;
        let value = match c.peek() {
            Some(b'~') => Some(Cow::Borrowed(c.literal8()?)),
            _ => c.nstring()?,
        };
        Ok((name, value.map(Cow::into_owned)))
    })?;
    if entries.len() > ENTRIES {
        let wanted = &"at most 256 entries";
        return Err(Error { at, wanted });
    }
    Ok(Set { mailbox, entries })
}

/// An entry to be read: also a name that others hang on, for DEPTH.
fn wanted(c: &mut Cursor<'_>) -> Parsed<String> {
    name(c)
}

/// RFC 5464 §3.2: slashes part components that are not empty, ASCII, no wildcards, a known scope.
fn name(c: &mut Cursor<'_>) -> Parsed<String> {
    let at = c.position();
    let bytes = c.astring()?;
    let fail = |wanted| Err(Error { at, wanted });
    let text = String::from_utf8_lossy(&bytes);
    if text.len() > NAME {
        return fail(&"an entry of at most 255 octets");
    }
    let fine = |b: u8| (0x20..0x7f).contains(&b) && !matches!(b, b'*' | b'%');
    if !text.bytes().all(fine) || text.contains("//") || text.ends_with('/') {
        return fail(&"an entry's name");
    }
    let scope = text.split('/').nth(1).unwrap_or_default();
    let known = scope.eq_ignore_ascii_case("shared") || scope.eq_ignore_ascii_case("private");
    match text.starts_with('/') && known {
        true => Ok(text.into_owned()),
        false => fail(&"an entry below /shared or /private"),
    }
}

/// Two components, below `vendor` four (RFC 5464 §3.2).
fn is_whole(name: &str) -> bool {
    let mut parts = name.split('/').skip(2);
    let first = parts.next();
    first.is_some() && (first != Some("vendor") || parts.count() >= 2)
}

/// Writes an entry's value: a string, or a literal8 where no string can say it.
pub fn value(out: &mut Vec<u8>, value: Option<&[u8]>, utf8: bool) {
    match value {
        Some(octets) if octets.contains(&0) => {
            encode::literal_head(out, octets.len() as u64, true);
            out.extend_from_slice(octets);
        }
        other => encode::nstring(out, other, utf8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T>(text: &str, with: fn(&mut Cursor<'_>) -> Parsed<T>) -> Parsed<T> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = with(&mut c)?;
        c.end()?;
        Ok(found)
    }

    #[test]
    fn reading() {
        let found = parse(" \"\" /shared/comment", get).unwrap();
        assert_eq!(
            (found.mailbox, found.entries),
            (None, vec!["/shared/comment".into()])
        );
        for both in [
            " (MAXSIZE 10 depth infinity) inbox (/shared/a \"/private/b\")",
            " inbox (MAXSIZE 10 depth infinity) (/shared/a \"/private/b\")",
            " inbox (MAXSIZE 10 depth infinity) /shared/a {10}\r\n/private/b",
        ] {
            let found = parse(both, get).unwrap();
            assert_eq!(found.mailbox.as_deref(), Some("INBOX"));
            assert_eq!((found.max_size, found.depth), (Some(10), Depth::All));
            assert_eq!(found.entries, ["/shared/a", "/private/b"]);
        }
        assert!(parse(" a /Shared", get).is_ok());
        for bad in [
            " a comment",
            " a /other/x",
            " a /shared/",
            " a /shared//x",
            " a \"/shared/*\"",
            " a \"/shared/\u{fc}\"",
            " a (DEPTH 2) /shared/x",
            " a (FOO 2) /shared/x",
            " a ()",
            " a",
            " a shared",
        ] {
            assert!(parse(bad, get).is_err(), "{bad}");
        }
    }

    #[test]
    fn setting() {
        let found = parse(" a (/Shared/A NIL /private/b ~{2}\r\n\0x)", set).unwrap();
        assert_eq!(found.entries[0], ("/shared/a".into(), None));
        assert_eq!(
            found.entries[1],
            ("/private/b".into(), Some(b"\0x".to_vec()))
        );
        assert!(parse(" a (/shared/vendor/cmu/x \"\")", set).is_ok());
        for bad in [
            " a (/shared NIL)",
            " a (/shared/vendor/cmu NIL)",
            " a /shared/a NIL",
            " a (/shared/a)",
            " a ()",
            " a (/shared/a {1}\r\n\0)",
        ] {
            assert!(parse(bad, set).is_err(), "{bad}");
        }
    }
}
