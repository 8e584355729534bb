//! The header section as it streams by, in constant memory.
//!
//! [`Filter::watching`] changes nothing and counts Received fields (loops, RFC 5321 §6.3).
//! [`Filter::mending`] is the submission server's pen (RFC 6409 §8): it takes Bcc, Resent-Bcc
//! (RFC 5322 §3.6.3) and Return-Path (RFC 5321 §4.4) out, folded lines included, and adds the
//! fields that are missing at the end of the header section.
//!
//! Authentication-Results in our name are taken out where they come from others (RFC 8601 §5), the
//! one thing that a watched message loses.
//!
//! A line that is no field ends the header section; a mended message then gets the empty line that
//! it lacks, so that text without any header becomes a body and not a broken header.

use crate::limits;
use crate::verify::results::is_ours;

/// Field names longer than this are no field: nobody has one, and the prefix is held in memory.
const NAME_MAX: usize = 128;

/// A field to add if the message has none of its name.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The field's name, in any case of letters.
    pub name: &'static str,
    /// The whole field, with its CRLF.
    pub field: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the start of a line or inside the part of it that may be a field's name.
    Name,
    /// Behind the colon, inside a field that is kept.
    Keep,
    /// Inside a field that is taken out.
    Drop,
    /// Inside an Authentication-Results field, held until it is known whose it is.
    Hold,
    /// Behind the header section.
    Body,
}

/// Passes a message through.
#[derive(Debug)]
pub struct Filter {
    mend: bool,
    missing: Vec<Missing>,
    at: At,
    /// What the field above was, for its continuation lines. `Name` before the first field.
    above: At,
    /// The start of the line, held until it is known for a field.
    name: Vec<u8>,
    /// In whose name Authentication-Results are taken out.
    host: Option<String>,
    /// Such a field, as far as it has come.
    held: Vec<u8>,
    received: u32,
    /// What TLS-Required says (RFC 8689 §3), as far as that matters; inside it now?
    tls: (Vec<u8>, bool),
    non_ascii: bool,
    /// Whether anything went out, and whether it ended with LF.
    open_line: bool,
}

impl Filter {
    /// Passes everything unchanged.
    pub fn watching() -> Filter {
        Filter::new(false, Vec::new())
    }

    /// Takes out Authentication-Results in the name of `host`, too.
    #[must_use]
    pub fn guarding(mut self, host: &str) -> Filter {
        self.host = Some(host.to_owned());
        self
    }

    /// Takes out what must not travel and adds `missing`.
    pub fn mending(missing: Vec<Missing>) -> Filter {
        Filter::new(true, missing)
    }

    fn new(mend: bool, missing: Vec<Missing>) -> Filter {
        Filter {
            mend,
            missing,
            at: At::Name,
            above: At::Name,
            name: Vec::new(),
            host: None,
            held: Vec::new(),
            received: 0,
            tls: (Vec::new(), false),
            non_ascii: false,
            open_line: false,
        }
    }

    /// Received fields so far.
    pub fn received(&self) -> u32 {
        self.received
    }

    /// Whether the header says `TLS-Required: No`, once (RFC 8689 §3).
    pub fn is_tls_optional(&self) -> bool {
        self.tls.0.trim_ascii().eq_ignore_ascii_case(b"no")
    }

    /// Whether the header has octets above 127 and so wants SMTPUTF8 to travel (RFC 6532).
    pub fn is_international(&self) -> bool {
        self.non_ascii
    }

    /// Passes `input` to `out`.
    pub fn pass(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let mut rest = input;
        while let Some((&octet, tail)) = rest.split_first() {
            match self.at {
                At::Body => {
                    out.extend_from_slice(rest);
                    return;
                }
                At::Name => {
                    rest = tail;
                    self.name_octet(octet, out);
                }
                At::Keep | At::Drop | At::Hold => rest = self.value(rest, out),
            }
        }
    }

    /// The message is over; adds what is missing if its header never ended.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.at == At::Body {
            return;
        }
        if self.above == At::Hold {
            self.release(out);
        }
        let held = std::mem::take(&mut self.name);
        self.end_header(out, !held.is_empty());
        out.extend_from_slice(&held);
    }

    fn name_octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.above == At::Hold && !(self.name.is_empty() && matches!(octet, b' ' | b'\t')) {
            self.release(out);
        }
        match octet {
            b' ' | b'\t' if self.name.is_empty() && self.above != At::Name => {
                self.at = self.above;
                self.emit(&[octet], out);
            }
            b'\n' if self.name.is_empty() || self.name == b"\r" => {
                let mut line = std::mem::take(&mut self.name);
                line.push(octet);
                self.end_header(out, false);
                out.extend_from_slice(&line);
            }
            b':' if self.is_name() => self.field(out),
            b'\r' if self.name.is_empty() => self.name.push(octet),
            // RFC 5322 §2.2; white space before the colon is its obsolete form (§4.5).
            b'!'..=b'~' | b' ' | b'\t' if self.may_grow(octet) => self.name.push(octet),
            _ => self.no_field(octet, out),
        }
    }

    fn is_name(&self) -> bool {
        self.name.first().is_some_and(u8::is_ascii_graphic)
    }

    fn may_grow(&self, octet: u8) -> bool {
        let spaced = self.name.last().is_some_and(|b| matches!(b, b' ' | b'\t'));
        let blank = matches!(octet, b' ' | b'\t');
        let first_ok = !self.name.is_empty() || !blank;
        self.name.len() < NAME_MAX
            && first_ok
            && (!spaced || blank)
            && self.name != b"\r"
            && octet != b':'
    }

    /// The name is complete: decides about its field.
    fn field(&mut self, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.name);
        let name = line.trim_ascii_end();
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("Received") {
            self.received = self.received.saturating_add(1);
        }
        self.tls.1 = is("TLS-Required");
        if self.host.is_some() && is("Authentication-Results") {
            line.push(b':');
            self.held = line;
            self.at = At::Hold;
            self.above = At::Hold;
            return;
        }
        let drop = self.mend && (is("Bcc") || is("Resent-Bcc") || is("Return-Path"));
        self.missing.retain(|missing| !is(missing.name));
        self.at = if drop { At::Drop } else { At::Keep };
        self.above = self.at;
        line.push(b':');
        self.emit(&line, out);
    }

    /// The line is no field: the header ended without its empty line.
    fn no_field(&mut self, octet: u8, out: &mut Vec<u8>) {
        let mut line = std::mem::take(&mut self.name);
        line.push(octet);
        self.end_header(out, true);
        out.extend_from_slice(&line);
    }

    /// The rest of a line inside a field.
    fn value<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let end = input.iter().position(|b| *b == b'\n').map(|at| at + 1);
        let (line, tail) = input.split_at(end.unwrap_or(input.len()));
        self.non_ascii |= matches!(self.at, At::Keep | At::Hold) && !line.is_ascii();
        if self.tls.1 && self.tls.0.len() < 32 {
            let few = line.get(..32).unwrap_or(line);
            self.tls.0.extend_from_slice(few);
        }
        self.emit(line, out);
        if end.is_some() {
            self.at = At::Name;
        }
        tail
    }

    /// The held field is complete, or long enough: out with it, or away.
    fn release(&mut self, out: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        let colon = held.iter().position(|b| *b == b':').map_or(0, |at| at + 1);
        let value = held.get(colon..).unwrap_or_default();
        let ours = self
            .host
            .as_deref()
            .is_some_and(|host| is_ours(value, host));
        self.above = if ours { At::Drop } else { At::Keep };
        if self.at == At::Hold {
            self.at = self.above;
        }
        let at = std::mem::replace(&mut self.at, self.above);
        self.emit(&held, out);
        self.at = at;
    }

    fn emit(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if self.at == At::Hold {
            self.held.extend_from_slice(octets);
            if self.held.len() >= limits::RESULTS_FIELD {
                self.release(out);
            }
            return;
        }
        if self.at != At::Drop {
            out.extend_from_slice(octets);
            self.open_line = octets.last() != Some(&b'\n');
        }
    }

    fn end_header(&mut self, out: &mut Vec<u8>, wants_empty_line: bool) {
        self.at = At::Body;
        if !self.mend {
            return;
        }
        if self.open_line {
            out.extend_from_slice(b"\r\n");
        }
        for missing in std::mem::take(&mut self.missing) {
            out.extend_from_slice(missing.field.as_bytes());
        }
        if wants_empty_line {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mend(input: &str) -> String {
        mend_by(input, usize::MAX)
    }

    fn mend_by(input: &str, chunk: usize) -> String {
        let missing = vec![
            Missing {
                name: "Date",
                field: "Date: now\r\n".into(),
            },
            Missing {
                name: "Message-ID",
                field: "Message-ID: <new>\r\n".into(),
            },
        ];
        let mut filter = Filter::mending(missing);
        let mut out = Vec::new();
        for piece in input.as_bytes().chunks(chunk) {
            filter.pass(piece, &mut out);
        }
        filter.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    const ADDED: &str = "Date: now\r\nMessage-ID: <new>\r\n";

    #[test]
    fn adds_what_is_missing() {
        assert_eq!(mend("A: b\r\n\r\nbody"), format!("A: b\r\n{ADDED}\r\nbody"));
        assert_eq!(
            mend("DATE: x\r\nmessage-id : <y>\r\n\r\n"),
            "DATE: x\r\nmessage-id : <y>\r\n\r\n"
        );
        assert_eq!(mend("A: b\r\n"), format!("A: b\r\n{ADDED}"));
        assert_eq!(mend("A: b"), format!("A: b\r\n{ADDED}"));
        assert_eq!(mend(""), ADDED);
        assert_eq!(mend("\r\nbody"), format!("{ADDED}\r\nbody"));
    }

    #[test]
    fn text_without_header_is_a_body() {
        assert_eq!(
            mend("just words\r\nDate: x\r\n"),
            format!("{ADDED}\r\njust words\r\nDate: x\r\n")
        );
        assert_eq!(mend(" A: b\r\n"), format!("{ADDED}\r\n A: b\r\n"));
        assert_eq!(
            mend("A: b\r\nwords\r\n"),
            format!("A: b\r\n{ADDED}\r\nwords\r\n")
        );
        assert_eq!(mend("words"), format!("{ADDED}\r\nwords"));
        let long = "a".repeat(300);
        assert_eq!(mend(&long), format!("{ADDED}\r\n{long}"));
    }

    #[test]
    fn bcc_does_not_travel() {
        let text = "Date: x\r\nBcc: a@b,\r\n c@d\r\n\t e@f\r\nMessage-ID: <y>\r\nRESENT-BCC: z\r\nbcc : q\r\nReturn-Path: <>\r\n\r\nBcc: stays\r\n";
        assert_eq!(
            mend(text),
            "Date: x\r\nMessage-ID: <y>\r\n\r\nBcc: stays\r\n"
        );
        assert_eq!(mend("Bcc: a"), ADDED);
    }

    #[test]
    fn results_in_our_name_do_not_stay() {
        let text = "Authentication-Results: mx.test; spf=pass\r\n\tx=y\r\nA: b\r\n\
                    authentication-results:\r\n (x;) other.test; a\r\n\
                    AUTHENTICATION-RESULTS :\r\n\tMX.test\r\n\r\nAuthentication-Results: mx.test\r\n";
        let want = "A: b\r\nauthentication-results:\r\n (x;) other.test; a\r\n\r\n\
                    Authentication-Results: mx.test\r\n";
        for chunk in [1, 2, 5, 1000] {
            let mut filter = Filter::watching().guarding("mx.test");
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(chunk) {
                filter.pass(piece, &mut out);
            }
            filter.finish(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
        let mut filter = Filter::watching().guarding("mx.test");
        let mut out = Vec::new();
        filter.pass(b"Authentication-Results: mx.test;", &mut out);
        filter.finish(&mut out);
        assert_eq!(out, b"");
    }

    #[test]
    fn watching_changes_nothing_and_counts() {
        let text = "Received: a\n b\nReceived : c\r\nX: \u{fc}\r\n\r\nReceived: body\r\n";
        let mut filter = Filter::watching();
        let mut out = Vec::new();
        filter.pass(text.as_bytes(), &mut out);
        filter.finish(&mut out);
        assert_eq!(out, text.as_bytes());
        assert_eq!(filter.received(), 2);
        assert!(filter.is_international());
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(text in "([AB]|Bcc|Date)?[ :]{0,2}[a \r\n]{0,6}\r\n(Bcc: x\r\n( y\r\n)?)?[a:\r\n ]{0,20}", chunk in 1usize..8) {
            prop_assert_eq!(mend_by(&text, chunk), mend(&text));
        }

        #[test]
        fn guarding_takes_only_ours(text in "([AB]|Authentication-Results)?[ :]{0,2}[a;( \r\n]{0,6}\r\n(Authentication-Results: y;\r\n( y\r\n)?)?[a:\r\n ]{0,20}", chunk in 1usize..8) {
            let mut filter = Filter::watching().guarding("x");
            let mut out = Vec::new();
            for piece in text.as_bytes().chunks(chunk) {
                filter.pass(piece, &mut out);
            }
            filter.finish(&mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap(), text);
        }

        #[test]
        fn watching_is_the_identity(text in proptest::collection::vec(any::<u8>(), 0..80), chunk in 1usize..9) {
            let mut filter = Filter::watching();
            let mut out = Vec::new();
            for piece in text.chunks(chunk) {
                filter.pass(piece, &mut out);
            }
            filter.finish(&mut out);
            prop_assert_eq!(out, text);
        }
    }
}
