//! Picks fields out of a header block that passes by in pieces: `HEADER.FIELDS` and
//! `HEADER.FIELDS.NOT` (RFC 9051 §6.4.5). Memory: one field name.

/// Octets of a field's name that are looked at; a longer name is nobody's.
const NAME: usize = 256;

/// The filter.
#[derive(Clone, Debug)]
pub struct Filter {
    names: Vec<Vec<u8>>,
    not: bool,
    at: At,
    /// The name so far, octets as they came.
    pending: Vec<u8>,
    /// The field at hand is wanted.
    keep: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Name,
    Value,
    /// Behind the empty line.
    End,
}

impl Filter {
    /// Passes the fields called so, or (`not`) all others; the empty line always.
    pub fn new(names: &[String], not: bool) -> Filter {
        let names = names
            .iter()
            .map(|name| name.to_ascii_lowercase().into_bytes())
            .collect();
        Filter {
            names,
            not,
            at: At::LineStart,
            pending: Vec::new(),
            keep: false,
        }
    }

    /// Takes the next octets of the block and gives to `out` what passes.
    pub fn push(&mut self, octets: &[u8], out: &mut impl FnMut(&[u8])) {
        for b in octets {
            self.step(*b, out);
        }
    }

    /// The block has ended.
    pub fn finish(&mut self, out: &mut impl FnMut(&[u8])) {
        if self.at == At::Name {
            self.decide(out);
        }
    }

    fn step(&mut self, b: u8, out: &mut impl FnMut(&[u8])) {
        match self.at {
            At::End => {}
            At::LineStart if matches!(b, b' ' | b'\t') => {
                self.at = At::Value;
                self.value(b, out);
            }
            At::LineStart | At::Name => {
                self.pending.push(b);
                self.at = At::Name;
                match b {
                    b'\n' if matches!(self.pending.as_slice(), b"\r\n" | b"\n") => {
                        out(&self.pending);
                        self.pending.clear();
                        self.at = At::End;
                    }
                    b'\n' => {
                        self.decide(out);
                        self.at = At::LineStart;
                    }
                    b':' => self.decide(out),
                    _ if self.pending.len() > NAME => self.decide(out),
                    _ => {}
                }
            }
            At::Value => self.value(b, out),
        }
    }

    fn value(&mut self, b: u8, out: &mut impl FnMut(&[u8])) {
        if self.keep {
            out(&[b]);
        }
        if b == b'\n' {
            self.at = At::LineStart;
        }
    }

    /// The name is known: is the field wanted? A line without a colon is no field of any name.
    fn decide(&mut self, out: &mut impl FnMut(&[u8])) {
        let name = self
            .pending
            .strip_suffix(b":")
            .map(|name| name.trim_ascii_end());
        let named = name.is_some_and(|name| {
            self.names
                .iter()
                .any(|wanted| wanted.eq_ignore_ascii_case(name))
        });
        self.keep = named != self.not;
        if self.keep {
            out(&self.pending);
        }
        self.pending.clear();
        self.at = At::Value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pick(header: &str, names: &[&str], not: bool, piece: usize) -> String {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut filter = Filter::new(&names, not);
        let mut got = Vec::new();
        for piece in header.as_bytes().chunks(piece) {
            filter.push(piece, &mut |octets| got.extend_from_slice(octets));
        }
        filter.finish(&mut |octets| got.extend_from_slice(octets));
        String::from_utf8(got).unwrap()
    }

    const HEADER: &str =
        "From: a\r\nSubject: long\r\n subject\r\nno field\r\nTO : b\r\n\r\nFrom: body\r\n";

    #[test]
    fn picks() {
        assert_eq!(
            pick(HEADER, &["subject"], false, 5),
            "Subject: long\r\n subject\r\n\r\n"
        );
        assert_eq!(
            pick(HEADER, &["to", "from"], false, 1),
            "From: a\r\nTO : b\r\n\r\n"
        );
        assert_eq!(
            pick(HEADER, &["from"], true, 99),
            "Subject: long\r\n subject\r\nno field\r\nTO : b\r\n\r\n"
        );
        assert_eq!(pick("From: x", &["from"], false, 3), "From: x");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(header in "([A-C]{1,2}: [x \r\n]{0,4}\r\n){0,6}(\r\n)?", piece in 1usize..9) {
            let (some, others) = (pick(&header, &["a"], false, piece), pick(&header, &["a"], true, piece));
            prop_assert!(some.len() + others.len() >= pick(&header, &[], true, 1).len());
            prop_assert_eq!(pick(&header, &["a"], false, 1), some);
        }
    }
}
