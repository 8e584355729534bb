//! Picks fields out of a header block that passes by in pieces: `HEADER.FIELDS` and
//! `HEADER.FIELDS.NOT` (RFC 9051 §6.4.5). Memory: one field name.

use memchr::{memchr, memchr2};

/// Octets of a field's name that are looked at; a longer name is nobody's.
const NAME: usize = 256;

/// The filter.
#[derive(Clone, Debug)]
pub struct Filter<'n> {
    names: &'n [String],
    not: bool,
    at: At,
    /// The start of a name that the last piece broke off in.
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

impl<'n> Filter<'n> {
    /// Passes the fields called so, or (`not`) all others; the empty line always.
    pub fn new(names: &'n [String], not: bool) -> Filter<'n> {
        Filter {
            names,
            not,
            at: At::LineStart,
            pending: Vec::new(),
            keep: false,
        }
    }

    /// Takes the next octets of the block and gives to `out` what passes.
    pub fn push(&mut self, mut octets: &[u8], out: &mut impl FnMut(&[u8])) {
        while let Some(first) = octets.first() {
            octets = match self.at {
                At::End => return,
                At::LineStart if matches!(first, b' ' | b'\t') => self.value(octets, out),
                At::LineStart | At::Name => self.name(octets, out),
                At::Value => self.value(octets, out),
            };
        }
    }

    /// The block has ended.
    pub fn finish(&mut self, out: &mut impl FnMut(&[u8])) {
        if self.at == At::Name {
            let name = std::mem::take(&mut self.pending);
            self.decide(&name, out);
        }
    }

    /// The rest of a line, or as much of it as there is. Returns what is behind it.
    fn value<'a>(&mut self, octets: &'a [u8], out: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let end = memchr(b'\n', octets);
        self.at = end.map_or(At::Value, |_| At::LineStart);
        let (line, rest) = octets.split_at(end.map_or(octets.len(), |at| at + 1));
        if self.keep {
            out(line);
        }
        rest
    }

    /// The same of a field's name with its colon, or of a line that has none.
    fn name<'a>(&mut self, octets: &'a [u8], out: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let room = NAME.saturating_sub(self.pending.len()) + 1;
        let looked = octets.get(..room).unwrap_or(octets);
        let Some(at) = memchr2(b':', b'\n', looked).or(looked.len().checked_sub(1)) else {
            return octets;
        };
        let (name, rest) = octets.split_at(at + 1);
        let ends = matches!(name.last(), Some(b':' | b'\n')) || looked.len() == room;
        if !ends {
            self.pending.extend_from_slice(name);
            self.at = At::Name;
        } else if self.pending.is_empty() {
            self.decide(name, out);
        } else {
            self.pending.extend_from_slice(name);
            let name = std::mem::take(&mut self.pending);
            self.decide(&name, out);
        }
        rest
    }

    /// The name is known: is the field wanted? A line without a colon is no field of any name.
    fn decide(&mut self, line: &[u8], out: &mut impl FnMut(&[u8])) {
        if matches!(line, b"\r\n" | b"\n") {
            self.at = At::End;
            return out(line);
        }
        let name = line.strip_suffix(b":").map(<[u8]>::trim_ascii_end);
        let named = name.is_some_and(|name| {
            let mut names = self.names.iter();
            names.any(|wanted| wanted.as_bytes().eq_ignore_ascii_case(name))
        });
        self.keep = named != self.not;
        if self.keep {
            out(line);
        }
        self.at = match line.last() {
            Some(b'\n') => At::LineStart,
            _ => At::Value,
        };
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
