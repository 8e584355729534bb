//! Section specifications: `BODY[1.2.HEADER.FIELDS (Subject)]<0.100>` (RFC 9051 §6.4.5, §9).

use super::cursor::{Cursor, Error, Parsed};
use super::encode;
use crate::limits;

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Part numbers from the outside in; empty for the message itself.
    pub path: Vec<u32>,
    /// What of that part.
    pub text: Text,
}

/// What of a part is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// The part's body, or the whole message if the path is empty.
    All,
    /// The header of the message, or of the message in a message/rfc822 part.
    Header,
    /// The header fields of these names, or (`not`) all others.
    Fields {
        /// `HEADER.FIELDS.NOT`
        not: bool,
        /// Field names as the client wrote them.
        names: Vec<String>,
    },
    /// The body without the header, of the same.
    Text,
    /// The MIME header of the part.
    Mime,
}

/// `<offset.length>`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partial {
    /// First octet, from 0.
    pub offset: u64,
    /// Most octets wanted.
    pub length: u64,
}

/// `section`, from its `[`.
pub fn section(c: &mut Cursor<'_>) -> Parsed<Section> {
    c.must(b'[', &"'['")?;
    let (path, more) = path(c)?;
    let text = match c.peek() {
        Some(b']') if !more => Text::All,
        _ if path.is_empty() || more => text(c, &path)?,
        _ => return c.fail(&"'.' or ']'"),
    };
    c.must(b']', &"']'")?;
    Ok(Section { path, text })
}

/// `section-binary`: part numbers only.
pub fn binary(c: &mut Cursor<'_>) -> Parsed<Vec<u32>> {
    c.must(b'[', &"'['")?;
    let (path, more) = path(c)?;
    if more {
        return c.fail(&"a part number");
    }
    c.must(b']', &"']'")?;
    Ok(path)
}

/// Part numbers; true if a dot and something else than a number follow.
fn path(c: &mut Cursor<'_>) -> Parsed<(Vec<u32>, bool)> {
    let mut path = Vec::new();
    while matches!(c.peek(), Some(b'0'..=b'9')) {
        if path.len() >= limits::IMAP_PART_DEPTH {
            return c.fail(&"fewer part numbers");
        }
        path.push(c.nz_number()?);
        if !c.eat(b'.') {
            return Ok((path, false));
        }
    }
    let more = !path.is_empty();
    Ok((path, more))
}

fn text(c: &mut Cursor<'_>, path: &[u32]) -> Parsed<Text> {
    let at = c.position();
    let wanted = &"HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or (behind a part number) MIME";
    match c.word()?.as_str() {
        "HEADER" => Ok(Text::Header),
        "TEXT" => Ok(Text::Text),
        "MIME" if !path.is_empty() => Ok(Text::Mime),
        word @ ("HEADER.FIELDS" | "HEADER.FIELDS.NOT") => {
            c.space()?;
            let names = c.list(false, Cursor::astring_text)?;
            Ok(Text::Fields {
                not: word.ends_with(".NOT"),
                names,
            })
        }
        _ => Err(Error { at, wanted }),
    }
}

/// `partial`, if one follows.
pub fn partial(c: &mut Cursor<'_>) -> Parsed<Option<Partial>> {
    if !c.eat(b'<') {
        return Ok(None);
    }
    let offset = c.number64()?;
    c.must(b'.', &"'.'")?;
    let at = c.position();
    let length = c.number64()?;
    if length == 0 {
        return Err(Error {
            at,
            wanted: &"a length above 0",
        });
    }
    c.must(b'>', &"'>'")?;
    Ok(Some(Partial { offset, length }))
}

/// Writes `[1.2.MIME]`.
pub fn write(out: &mut Vec<u8>, section: &Section, utf8: bool) {
    out.push(b'[');
    write_path(out, &section.path);
    if !section.path.is_empty() && section.text != Text::All {
        out.push(b'.');
    }
    match &section.text {
        Text::All => {}
        Text::Header => out.extend_from_slice(b"HEADER"),
        Text::Text => out.extend_from_slice(b"TEXT"),
        Text::Mime => out.extend_from_slice(b"MIME"),
        Text::Fields { not, names } => {
            out.extend_from_slice(if *not {
                b"HEADER.FIELDS.NOT "
            } else {
                b"HEADER.FIELDS "
            });
            encode::list(out, names, |out, name| {
                encode::astring(out, name.as_bytes(), utf8)
            });
        }
    }
    out.push(b']');
}

/// Writes `1.2`.
pub fn write_path(out: &mut Vec<u8>, path: &[u32]) {
    for (i, n) in path.iter().enumerate() {
        if i > 0 {
            out.push(b'.');
        }
        encode::number(out, *n);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Parsed<Section> {
        section(&mut Cursor::new(text.as_bytes(), false))
    }

    #[test]
    fn sections() {
        assert_eq!(
            parse("[]"),
            Ok(Section {
                path: vec![],
                text: Text::All
            })
        );
        assert_eq!(
            parse("[1.2]"),
            Ok(Section {
                path: vec![1, 2],
                text: Text::All
            })
        );
        assert_eq!(
            parse("[4.1.mime]"),
            Ok(Section {
                path: vec![4, 1],
                text: Text::Mime
            })
        );
        assert_eq!(
            parse("[3.HEADER]"),
            Ok(Section {
                path: vec![3],
                text: Text::Header
            })
        );
        let names = vec!["Date".into(), "From".into()];
        assert_eq!(
            parse("[HEADER.FIELDS (Date \"From\")]"),
            Ok(Section {
                path: vec![],
                text: Text::Fields { not: false, names }
            })
        );
        for bad in [
            "[MIME]",
            "[1.]",
            "[1HEADER]",
            "[HEADER.FIELDS ()]",
            "[0]",
            "[",
            "[1",
            "[FOO]",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let p = |t: &str| partial(&mut Cursor::new(t.as_bytes(), false));
        assert_eq!(
            p("<0.2048>"),
            Ok(Some(Partial {
                offset: 0,
                length: 2048
            }))
        );
        assert!(p("<0>").is_err() && p("<0.0>").is_err());
        assert!(parse(&format!("[{}1]", "1.".repeat(5000))).is_err());
    }

    fn texts() -> impl Strategy<Value = Text> {
        prop_oneof![
            Just(Text::All),
            Just(Text::Header),
            Just(Text::Text),
            (
                any::<bool>(),
                proptest::collection::vec("[A-Za-z-]{1,10}", 1..4)
            )
                .prop_map(|(not, names)| Text::Fields { not, names })
        ]
    }

    proptest! {
        #[test]
        fn round_trip(path in proptest::collection::vec(1u32.., 0..5), text in texts()) {
            let section = Section { path, text };
            let mut out = Vec::new();
            write(&mut out, &section, false);
            prop_assert_eq!(super::section(&mut Cursor::new(&out, false)), Ok(section));
        }
    }
}
