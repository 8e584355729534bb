//! BODY and BODYSTRUCTURE (RFC 9051 §7.5.2), written from the part tree stored at arrival, and the
//! way from a section's part numbers to a part (RFC 9051 §6.4.5).

use super::{encode, envelope};
use crate::mime::{Envelope, Kind, Param, Part, children};

/// Writes the structure of `parts[index]`; `extended` adds the extension data of BODYSTRUCTURE.
/// The tree's depth is bounded by the scanner.
pub fn write(out: &mut Vec<u8>, parts: &[Part], index: usize, extended: bool, utf8: bool) {
    let Some(part) = parts.get(index) else {
        return out.extend_from_slice(b"NIL");
    };
    let w = Writer {
        parts,
        extended,
        utf8,
    };
    out.push(b'(');
    match part.kind {
        Kind::Multipart => w.multipart(out, index, part),
        Kind::Leaf | Kind::Message => w.single(out, index, part),
    }
    out.push(b')');
}

struct Writer<'a> {
    parts: &'a [Part],
    extended: bool,
    utf8: bool,
}

impl Writer<'_> {
    fn multipart(&self, out: &mut Vec<u8>, index: usize, part: &Part) {
        for child in children(self.parts, index) {
            write(out, self.parts, child, self.extended, self.utf8);
        }
        out.push(b' ');
        self.name(out, &part.sub);
        if self.extended {
            out.push(b' ');
            self.params(out, &part.params);
            self.tail(out, part);
        }
    }

    fn single(&self, out: &mut Vec<u8>, index: usize, part: &Part) {
        let (main, sub) = part.media();
        self.name(out, main);
        out.push(b' ');
        self.name(out, sub);
        out.push(b' ');
        self.params(out, &part.params);
        out.push(b' ');
        self.text(out, part.id.as_deref());
        out.push(b' ');
        self.text(out, part.description.as_deref());
        out.push(b' ');
        // RFC 9051 §9 body-fld-enc: 7BIT where the part names none.
        self.name(
            out,
            part.encoding_raw
                .as_deref()
                .filter(|e| !e.is_empty())
                .unwrap_or(b"7bit"),
        );
        out.push(b' ');
        encode::number(out, part.body.len);
        if part.kind == Kind::Message {
            self.message(out, index, part);
        } else if main == b"text" {
            out.push(b' ');
            encode::number(out, part.lines);
        }
        if self.extended {
            out.push(b' ');
            self.text(out, part.md5.as_deref());
            self.tail(out, part);
        }
    }

    /// What a message/rfc822 part has beside a basic one.
    fn message(&self, out: &mut Vec<u8>, index: usize, part: &Part) {
        let none = Envelope::default();
        out.push(b' ');
        envelope::write(out, part.envelope.as_deref().unwrap_or(&none), self.utf8);
        out.push(b' ');
        write(out, self.parts, index + 1, self.extended, self.utf8);
        out.push(b' ');
        encode::number(out, part.lines);
    }

    /// Disposition, language, location: what single parts and multiparts share.
    fn tail(&self, out: &mut Vec<u8>, part: &Part) {
        out.push(b' ');
        match &part.disposition {
            Some(disposition) => {
                out.push(b'(');
                self.name(out, &disposition.kind);
                out.push(b' ');
                self.params(out, &disposition.params);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        match &part.language[..] {
            [] => out.extend_from_slice(b"NIL"),
            [one] => self.text(out, Some(one)),
            many => encode::list(out, many, |out, tag| self.text(out, Some(tag))),
        }
        out.push(b' ');
        self.text(out, part.location.as_deref());
    }

    fn params(&self, out: &mut Vec<u8>, params: &[Param]) {
        if params.is_empty() {
            return out.extend_from_slice(b"NIL");
        }
        encode::list(out, params, |out, param| {
            self.name(out, &param.name);
            out.push(b' ');
            self.text(out, Some(&param.value));
        });
    }

    /// A word of MIME, in upper case: the form that the RFCs' examples and all servers use.
    fn name(&self, out: &mut Vec<u8>, word: &[u8]) {
        encode::string(out, &word.to_ascii_uppercase(), self.utf8);
    }

    fn text(&self, out: &mut Vec<u8>, text: Option<&[u8]>) {
        encode::nstring(out, text, self.utf8);
    }
}

/// The part that the numbers lead to: for a multipart its n-th part, for a message/rfc822 part the
/// parts of the message inside, for anything else 1 is itself (RFC 9051 §6.4.5).
pub fn find(parts: &[Part], path: &[u32]) -> Option<usize> {
    let mut index = 0;
    let mut whole_message = true;
    for number in path {
        let mut part = parts.get(index)?;
        if !whole_message && part.kind == Kind::Message {
            index += 1;
            part = parts.get(index)?;
            whole_message = true;
        }
        if part.kind == Kind::Multipart {
            let nth = usize::try_from(*number).ok()?.checked_sub(1)?;
            index = children(parts, index).nth(nth)?;
        } else if *number != 1 || !whole_message {
            return None;
        }
        whole_message = false;
    }
    Some(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::{Disposition, Span};

    fn part(depth: u8, children: u16, kind: Kind, main: &str, sub: &str) -> Part {
        let (main, sub) = (main.into(), sub.into());
        let body = Span { offset: 0, len: 10 };
        Part {
            depth,
            children,
            kind,
            main,
            sub,
            body,
            lines: 2,
            ..Part::default()
        }
    }

    /// The tree of RFC 9051 §6.4.5's example: `1`, `2`, `3` (a message with parts), `4`.
    fn tree() -> Vec<Part> {
        use Kind::{Leaf, Message, Multipart};
        vec![
            part(0, 4, Multipart, "multipart", "mixed"),
            part(1, 0, Leaf, "text", "plain"),
            part(1, 0, Leaf, "application", "octet-stream"),
            part(1, 1, Message, "message", "rfc822"),
            part(2, 2, Multipart, "multipart", "mixed"),
            part(3, 0, Leaf, "text", "plain"),
            part(3, 0, Leaf, "application", "octet-stream"),
            part(1, 2, Multipart, "multipart", "mixed"),
            part(2, 0, Leaf, "image", "gif"),
            part(2, 1, Message, "message", "rfc822"),
            part(3, 2, Multipart, "multipart", "mixed"),
            part(4, 0, Leaf, "text", "plain"),
            part(4, 2, Multipart, "multipart", "alternative"),
            part(5, 0, Leaf, "text", "plain"),
            part(5, 0, Leaf, "text", "richtext"),
        ]
    }

    #[test]
    fn part_numbers() {
        let tree = tree();
        let numbers: &[(&[u32], usize)] = &[
            (&[], 0),
            (&[1], 1),
            (&[2], 2),
            (&[3], 3),
            (&[3, 1], 5),
            (&[3, 2], 6),
            (&[4], 7),
            (&[4, 1], 8),
            (&[4, 2], 9),
            (&[4, 2, 1], 11),
            (&[4, 2, 2], 12),
            (&[4, 2, 2, 1], 13),
            (&[4, 2, 2, 2], 14),
        ];
        for (path, index) in numbers {
            assert_eq!(find(&tree, path), Some(*index), "{path:?}");
        }
        for none in [&[5][..], &[1, 1], &[3, 3], &[1, 1, 1]] {
            assert_eq!(find(&tree, none), None, "{none:?}");
        }
        let single = [part(0, 0, Kind::Leaf, "text", "plain")];
        assert_eq!(find(&single, &[1]), Some(0));
        assert_eq!(find(&single, &[2]), None);
        // A message whose only part is a message: 1 is it, 1.1 the text inside.
        let nested = [
            part(0, 1, Kind::Message, "message", "rfc822"),
            part(1, 0, Kind::Leaf, "text", "plain"),
        ];
        assert_eq!(find(&nested, &[1]), Some(0));
        assert_eq!(find(&nested, &[1, 1]), Some(1));
    }

    #[test]
    fn forms() {
        let mut leaf = part(0, 0, Kind::Leaf, "text", "plain");
        leaf.params = vec![Param {
            name: b"charset".to_vec(),
            value: b"us-ascii".to_vec(),
        }];
        let text = |parts: &[Part], extended| {
            let mut out = Vec::new();
            write(&mut out, parts, 0, extended, false);
            String::from_utf8(out).unwrap()
        };
        let basic = "(\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"7BIT\" 10 2";
        assert_eq!(text(&[leaf.clone()], false), format!("{basic})"));
        leaf.disposition = Some(Disposition {
            kind: b"inline".to_vec(),
            params: vec![],
        });
        leaf.language = vec![b"en".to_vec(), b"de".to_vec()];
        let ext = " NIL (\"INLINE\" NIL) (\"en\" \"de\") NIL)";
        assert_eq!(text(&[leaf.clone()], true), format!("{basic}{ext}"));
        let tree = text(&tree(), false);
        assert!(
            tree.starts_with("((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 10 2)(\"APPLICATION\"")
        );
        assert!(tree.contains("(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 10 (NIL NIL NIL"));
    }
}
