//! Canonicalization (RFC 6376 §3.4): of header fields, and of a body while it streams by.
use crate::limits;

/// How to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canon {
    /// As it is, but for empty lines at the end of the body.
    Simple,
    /// White space is made alike.
    Relaxed,
}

impl Canon {
    /// Appends a header field; `field` is its name, colon and value with every CRLF inside but the last.
    pub fn field(self, field: &[u8], out: &mut Vec<u8>) {
        if self == Canon::Simple {
            out.extend_from_slice(field);
            return;
        }
        let colon = field.iter().position(|b| *b == b':').unwrap_or(field.len());
        let (name, value) = field.split_at(colon);
        out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
        out.push(b':');
        let mut blank = false;
        let start = out.len();
        for octet in value.iter().skip(1) {
            match octet {
                b'\r' | b'\n' => {}
                b' ' | b'\t' => blank = true,
                octet => {
                    if blank && out.len() > start {
                        out.push(b' ');
                    }
                    blank = false;
                    out.push(*octet);
                }
            }
        }
    }
}

/// Empties a buffer.
pub type Spill<'a> = &'a mut dyn FnMut(&mut Vec<u8>);

/// A body on its way into a hash. Lines end with CRLF and with nothing else.
#[derive(Debug)]
pub struct BodyCanon {
    canon: Canon,
    /// CRLFs held back: they count only if something follows.
    held: usize,
    /// White space held back (relaxed): it counts only inside a line.
    blank: bool,
    /// A CR that may be half of a CRLF.
    cr: bool,
    /// Something of the current line went out.
    open: bool,
    /// Anything went out at all.
    any: bool,
}

impl BodyCanon {
    /// At the start of a body.
    pub fn new(canon: Canon) -> BodyCanon {
        BodyCanon {
            canon,
            held: 0,
            blank: false,
            cr: false,
            open: false,
            any: false,
        }
    }

    /// Takes the next octets of the body, appends their canonical form. Empty lines count only if something
    /// follows, and all at once then: whenever `out` has [`limits::VERIFY_PIECE`] octets of them, it goes to
    /// `spill`.
    pub fn push(&mut self, input: &[u8], out: &mut Vec<u8>, spill: Spill<'_>) {
        let mut rest = input;
        while let Some((&octet, tail)) = rest.split_first() {
            if std::mem::take(&mut self.cr) {
                if octet == b'\n' {
                    self.blank = false;
                    self.open = false;
                    self.held += 1;
                    rest = tail;
                    continue;
                }
                self.emit(b"\r", out, spill);
            }
            match octet {
                b'\r' => {
                    self.cr = true;
                    rest = tail;
                }
                b' ' | b'\t' if self.canon == Canon::Relaxed => {
                    self.blank = true;
                    rest = tail;
                }
                _ => {
                    let relaxed = self.canon == Canon::Relaxed;
                    let stop = |b: &u8| *b == b'\r' || relaxed && (*b == b' ' || *b == b'\t');
                    let end = rest.iter().position(stop).unwrap_or(rest.len());
                    let (run, tail) = rest.split_at(end);
                    self.emit(run, out, spill);
                    rest = tail;
                }
            }
        }
    }

    fn emit(&mut self, run: &[u8], out: &mut Vec<u8>, spill: Spill<'_>) {
        for _ in 0..std::mem::take(&mut self.held) {
            if out.len() >= limits::VERIFY_PIECE {
                spill(out);
            }
            out.extend_from_slice(b"\r\n");
        }
        if std::mem::take(&mut self.blank) {
            out.push(b' ');
        }
        out.extend_from_slice(run);
        self.open = true;
        self.any = true;
    }

    /// The end of the body (§3.4.3, §3.4.4).
    pub fn finish(&mut self, out: &mut Vec<u8>, spill: Spill<'_>) {
        if std::mem::take(&mut self.cr) {
            self.emit(b"\r", out, spill);
        }
        // Of the empty lines at the end, the CRLF of the last line with text stays; a text without one
        // gets one. An empty body is one CRLF if simple and nothing if relaxed.
        if self.any || self.canon == Canon::Simple {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(canon: Canon, text: &str, chunk: usize) -> String {
        let mut body = BodyCanon::new(canon);
        let mut out = Vec::new();
        for piece in text.as_bytes().chunks(chunk) {
            body.push(piece, &mut out, &mut |_| {});
        }
        body.finish(&mut out, &mut |_| {});
        String::from_utf8(out).unwrap()
    }

    fn field(canon: Canon, text: &str) -> String {
        let mut out = Vec::new();
        canon.field(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    /// RFC 6376 §3.4.5.
    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(field(Canon::Relaxed, "A: X"), "a:X");
        assert_eq!(field(Canon::Relaxed, "B : Y\t\r\n\tZ  "), "b:Y Z");
        assert_eq!(field(Canon::Simple, "B : Y\t\r\n\tZ  "), "B : Y\t\r\n\tZ  ");
        let text = " C \r\nD \t E\r\n\r\n\r\n";
        assert_eq!(body(Canon::Relaxed, text, 99), " C\r\nD E\r\n");
        assert_eq!(body(Canon::Simple, text, 99), " C \r\nD \t E\r\n");
    }

    #[test]
    fn ends() {
        for (text, simple, relaxed) in [
            ("", "\r\n", ""),
            ("\r\n\r\n", "\r\n", ""),
            (" \r\n", " \r\n", ""),
            ("a", "a\r\n", "a\r\n"),
            ("a\r", "a\r\r\n", "a\r\r\n"),
            ("\r\na\r\n", "\r\na\r\n", "\r\na\r\n"),
            ("a\nb \r c\r\n", "a\nb \r c\r\n", "a\nb \r c\r\n"),
        ] {
            assert_eq!(body(Canon::Simple, text, 99), simple, "{text:?}");
            assert_eq!(body(Canon::Relaxed, text, 99), relaxed, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "[ab \t\r\n]{0,30}", chunk in 1usize..6) {
            for canon in [Canon::Simple, Canon::Relaxed] {
                prop_assert_eq!(body(canon, &text, chunk), body(canon, &text, 99));
            }
        }
    }
}
