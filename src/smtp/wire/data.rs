//! The transparency of DATA (RFC 5321 §4.5.2), both ways, as streams of constant memory.
//!
//! Smuggling is one server seeing the end of a message where the next one sees data. In: **only**
//! `CRLF . CRLF` ends a message, a leading dot is removed only behind CRLF, and a bare CR or LF is
//! data like any other octet (it is stored as it came, since message bytes are never rewritten).
//! Out: nothing is sent that any server could take for an end. [`Encoder`] turns every bare LF into
//! CRLF before it looks for dots and every bare CR into a space, so that what leaves us consists of
//! CRLF lines alone (RFC 5321 §2.3.8) and each dot at any reader's idea of a line start is doubled.
//! A bare CR becomes a space and not a line, lest a header field grow a second one out of it.

/// Where the decoder stands in the octets of DATA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// At the start of the data or behind CRLF.
    #[default]
    LineStart,
    /// Behind a dot at the start of a line; the dot is held back.
    Dot,
    /// Behind such a dot and a CR; both are held back.
    DotCr,
    /// Behind a CR inside a line.
    Cr,
    /// Inside a line.
    Line,
    /// Behind the end of the data.
    End,
}

/// Takes the dots out of DATA and finds its end.
#[derive(Debug, Default)]
pub struct Decoder {
    at: At,
}

impl Decoder {
    /// Decodes from the front of `input` to `out`; returns how many octets were taken. Less than all
    /// are taken only when the end was among them.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> usize {
        let mut rest = input;
        while self.at != At::End {
            if self.at == At::Line {
                // The fast way: everything up to the next CR is data.
                let run = rest.iter().position(|b| *b == b'\r').unwrap_or(rest.len());
                let (data, tail) = rest.split_at(run);
                out.extend_from_slice(data);
                rest = tail;
            }
            let Some((&octet, tail)) = rest.split_first() else {
                break;
            };
            rest = tail;
            self.step(octet, out);
        }
        input.len() - rest.len()
    }

    /// Whether the end of the data was seen.
    pub fn is_done(&self) -> bool {
        self.at == At::End
    }

    fn step(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.at = match (self.at, octet) {
            (At::LineStart, b'.') => At::Dot,
            (At::Dot, b'\r') => At::DotCr,
            (At::DotCr, b'\n') => At::End,
            (At::Cr, b'\n') => {
                out.push(octet);
                At::LineStart
            }
            (at, _) => {
                if at == At::DotCr {
                    // `.CR` without LF: the dot was transparency, the CR is data.
                    out.push(b'\r');
                }
                out.push(octet);
                if octet == b'\r' { At::Cr } else { At::Line }
            }
        };
    }
}

/// Makes clean CRLF lines of anything: bare LF to CRLF, bare CR to a space; with transparency
/// where asked for.
#[derive(Debug)]
pub struct Encoder {
    stuff: bool,
    line_start: bool,
    cr: bool,
}

impl Encoder {
    /// For DATA: dots are doubled, and [`Encoder::finish`] writes the end.
    pub fn dots() -> Encoder {
        Encoder {
            stuff: true,
            line_start: true,
            cr: false,
        }
    }

    /// For what is stored or sent by BDAT: clean lines, and nothing else.
    pub fn lines() -> Encoder {
        Encoder {
            stuff: false,
            line_start: true,
            cr: false,
        }
    }

    /// Encodes `input` to `out`.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while let Some((&octet, tail)) = rest.split_first() {
            if std::mem::take(&mut self.cr) {
                if octet == b'\n' {
                    self.end_line(out);
                    rest = tail;
                    continue;
                }
                out.push(b' ');
                self.line_start = false;
            }
            match octet {
                b'\n' => self.end_line(out),
                b'\r' => self.cr = true,
                _ => {
                    rest = self.run(rest, out);
                    continue;
                }
            }
            rest = tail;
        }
    }

    /// Ends the data: the last line is closed, and for DATA the dot follows.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr) || !self.line_start {
            self.end_line(out);
        }
        if self.stuff {
            out.extend_from_slice(b".\r\n");
        }
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.line_start = true;
    }

    /// Copies up to the next CR or LF.
    fn run<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        if self.stuff && self.line_start && input.first() == Some(&b'.') {
            out.push(b'.');
        }
        let end = input
            .iter()
            .position(|b| matches!(b, b'\r' | b'\n'))
            .unwrap_or(input.len());
        let (data, tail) = input.split_at(end);
        out.extend_from_slice(data);
        self.line_start = false;
        tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What was decoded, and what was left over.
    fn decode(input: &[u8]) -> (Vec<u8>, bool, usize) {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        let taken = decoder.decode(input, &mut out);
        (out, decoder.is_done(), taken)
    }

    fn encode(input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::dots();
        encoder.encode(input, &mut out);
        encoder.finish(&mut out);
        out
    }

    #[test]
    fn ends_at_the_dot() {
        assert_eq!(decode(b".\r\nQUIT\r\n"), (b"".to_vec(), true, 3));
        assert_eq!(decode(b"a\r\n.\r\nQUIT"), (b"a\r\n".to_vec(), true, 6));
        assert_eq!(
            decode(b"a\r\n..\r\n.b\r\n.\r\n"),
            (b"a\r\n.\r\nb\r\n".to_vec(), true, 14)
        );
    }

    #[test]
    fn nothing_else_ends() {
        for spelling in [
            "a\n.\nb",
            "a\n.\r\nb",
            "a\r.\rb",
            "a\r\n.\nb",
            "a\r\n.\rb",
            "a\n\n.\n\nb",
            "a\r\n.\r\r\nb",
            "a\r.\r\nb",
            "a\n.\rb",
            "a\r\r\n.\rb",
            "a\r\n\0.\r\nb",
            "a\r\n.\0\r\nb",
            "a\r\n. \r\nb",
        ] {
            let (_, done, taken) = decode(spelling.as_bytes());
            assert!(!done && taken == spelling.len(), "{spelling:?}");
        }
        assert_eq!(decode(b"a\n.\nb\r\n.\r\n").0, b"a\n.\nb\r\n");
        assert_eq!(decode(b"a\r\n.\rb\r\n.\r\n").0, b"a\r\n\rb\r\n");
        assert_eq!(decode(b"\r\r\n.\r\n").0, b"\r\r\n");
    }

    #[test]
    fn what_leaves_is_clean() {
        assert_eq!(encode(b""), b".\r\n");
        assert_eq!(encode(b"a"), b"a\r\n.\r\n");
        assert_eq!(encode(b"a\r\n.\r\n"), b"a\r\n..\r\n.\r\n");
        assert_eq!(
            encode(b"a\n.\nMAIL FROM:<x@y>\n"),
            b"a\r\n..\r\nMAIL FROM:<x@y>\r\n.\r\n"
        );
        assert_eq!(encode(b"a\r.\rb"), b"a . b\r\n.\r\n");
        assert_eq!(encode(b"a\r\r\nb\r"), b"a \r\nb\r\n.\r\n");
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(input in "[ab.\r\n]{0,40}", cut in 0usize..40) {
            let whole = decode(input.as_bytes());
            let cut = cut.min(input.len());
            let (head, tail) = input.as_bytes().split_at(cut);
            let mut decoder = Decoder::default();
            let mut out = Vec::new();
            let mut taken = decoder.decode(head, &mut out);
            if taken == head.len() {
                taken += decoder.decode(tail, &mut out);
            }
            prop_assert_eq!((out, decoder.is_done(), taken), whole);
        }

        #[test]
        fn done_only_behind_crlf_dot_crlf(input in "[a.\r\n]{0,40}") {
            let framed = format!("\r\n{input}");
            let end = framed.find("\r\n.\r\n").map(|at| at + 3);
            let (_, done, taken) = decode(input.as_bytes());
            prop_assert_eq!(done, end.is_some());
            prop_assert_eq!(taken, end.unwrap_or(input.len()));
        }

        #[test]
        fn encoded_is_one_message_to_every_reader(input in "[a.\r\n]{0,40}") {
            let sent = encode(input.as_bytes());
            let text = String::from_utf8(sent.clone()).unwrap();
            // No bare CR or LF, and the only line that is a lone dot is the last.
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert_eq!(text.split("\r\n").filter(|line| *line == ".").count(), 1);
            prop_assert_eq!(decode(&sent).2, sent.len());
        }

        #[test]
        fn clean_lines_come_back(lines in proptest::collection::vec("[a.]{0,5}", 0..6)) {
            let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            prop_assert_eq!(decode(&encode(text.as_bytes())).0, text.into_bytes());
        }
    }
}
