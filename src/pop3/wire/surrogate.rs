//! Header fields outside ASCII, for a client that never said UTF8 (RFC 6856 §2.1).
//!
//! Without UTF-8 mode the server must send "a surrogate message that complies with unextended POP"
//! or fail. A client that fails on one message often fails on the whole maildrop, and most never
//! learn UTF8; so the header goes out with each word that is not ASCII as an encoded word
//! (RFC 2047), which every client shows as it was meant. The stored message stays as it is.
//!
//! * Words are cut at white space and at the specials of RFC 5322, so that addresses keep their
//!   form: `jürgen@example.org` becomes `=?utf-8?Q?j=C3=BCrgen?=@example.org`, still an atom.
//! * Octets that are not UTF-8 are sent as charset `unknown-8bit` (RFC 1428 §3).
//! * A header that is ASCII passes untouched, and so does every body (RFC 6152 is what all do).
//! * Memory: one word of at most `WORD` octets, whatever the header's size.

/// Longest run taken as one word; a longer one is cut into several encoded words.
const WORD: usize = 256;

/// Octets of one encoded word, delimiters included: RFC 2047 §2.
const ENCODED: usize = 75;

/// The state between two pieces of one message.
#[derive(Debug)]
pub struct Surrogate {
    /// The header is not over yet.
    header: bool,
    /// The line so far is empty, or one CR.
    empty: bool,
    /// The word being read.
    word: Vec<u8>,
    /// White space in front of it (folds included), held back until it is known what follows.
    space: Vec<u8>,
    /// What came before that white space was an encoded word.
    after_encoded: bool,
}

impl Default for Surrogate {
    fn default() -> Self {
        Self {
            header: true,
            empty: true,
            word: Vec::new(),
            space: Vec::new(),
            after_encoded: false,
        }
    }
}

impl Surrogate {
    /// False once the header is over: from there on octets pass as they are.
    pub fn is_active(&self) -> bool {
        self.header
    }

    /// Appends the next piece of the message to `out`, with an ASCII header.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        for (at, &octet) in piece.iter().enumerate() {
            if !self.header {
                return out.extend_from_slice(piece.get(at..).unwrap_or_default());
            }
            self.octet(octet, out);
        }
    }

    /// The message is over: what was held back goes out.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.end_word(out);
        out.append(&mut self.space);
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        match octet {
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.end_word(out);
                self.blank(octet, out);
            }
            b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'\\' | b'"' | b'.' | b'['
            | b']' => {
                self.end_word(out);
                out.append(&mut self.space);
                out.push(octet);
                self.after_encoded = false;
                self.empty = false;
            }
            _ => {
                self.empty = false;
                if self.word.len() == WORD {
                    self.cut(out);
                }
                self.word.push(octet);
            }
        }
    }

    fn blank(&mut self, octet: u8, out: &mut Vec<u8>) {
        self.space.push(octet);
        match octet {
            b'\n' if self.empty => {
                self.header = false;
                out.append(&mut self.space);
            }
            b'\n' => self.empty = true,
            b'\r' => {}
            _ => self.empty = false,
        }
        // White space without end is nobody's fold: it goes out as it comes.
        if self.space.len() > WORD {
            out.append(&mut self.space);
            self.after_encoded = false;
        }
    }

    /// Writes the word that is complete now, in the form that the white space before it asks for.
    fn end_word(&mut self, out: &mut Vec<u8>) {
        if self.word.is_empty() {
            return;
        }
        let glued = self.after_encoded && !self.space.is_empty() && !self.starts_field();
        out.append(&mut self.space);
        if self.word.is_ascii() {
            out.append(&mut self.word);
            self.after_encoded = false;
            return;
        }
        // RFC 2047 §6.2: white space between encoded words is not shown, so it goes inside.
        encode(if glued { b" " } else { b"" }, &self.word, out);
        self.word.clear();
        self.after_encoded = true;
    }

    /// The held white space ends a field: what follows it is the next field's name.
    fn starts_field(&self) -> bool {
        self.space.last() == Some(&b'\n')
    }

    /// The word is longer than is held: the part up to the last whole character goes out.
    fn cut(&mut self, out: &mut Vec<u8>) {
        let whole = match std::str::from_utf8(&self.word) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => self.word.len(),
        };
        let tail = self.word.split_off(whole.max(1));
        self.end_word(out);
        if self.after_encoded {
            // Two encoded words of one word: white space that is not shown.
            out.extend_from_slice(b"\r\n ");
            self.after_encoded = false;
        }
        self.word = tail;
    }
}

/// Writes one word as encoded words of at most [`ENCODED`] octets, folded between them.
fn encode(lead: &[u8], word: &[u8], out: &mut Vec<u8>) {
    let charset = if std::str::from_utf8(word).is_ok() {
        "utf-8"
    } else {
        "unknown-8bit"
    };
    let room = ENCODED - "=??Q??=".len() - charset.len();
    let mut used = usize::MAX;
    for unit in lead.chunks(1).chain(units(word)) {
        let mut octets = [0; 12];
        let quoted = quote(unit, &mut octets);
        if used.saturating_add(quoted.len()) > room {
            if used != usize::MAX {
                out.extend_from_slice(b"?=\r\n ");
            }
            out.extend_from_slice(b"=?");
            out.extend_from_slice(charset.as_bytes());
            out.extend_from_slice(b"?Q?");
            used = 0;
        }
        out.extend_from_slice(quoted);
        used += quoted.len();
    }
    out.extend_from_slice(b"?=");
}

/// The characters of a word, none cut: RFC 2047 §5 wants each encoded word whole.
fn units(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let tail = rest
            .iter()
            .skip(1)
            .take(3)
            .take_while(|&&b| b & 0xC0 == 0x80)
            .count();
        let (unit, behind) = rest.split_at_checked(1 + tail)?;
        rest = behind;
        Some(unit)
    })
}

/// One character in RFC 2047's Q: letters and digits stand for themselves (§5 rule 3, the strictest).
fn quote<'a>(unit: &[u8], octets: &'a mut [u8; 12]) -> &'a [u8] {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut len = 0;
    let mut put = |octet: u8| {
        if let Some(slot) = octets.get_mut(len) {
            *slot = octet;
            len += 1;
        }
    };
    for &octet in unit {
        match octet {
            b' ' => put(b'_'),
            _ if octet.is_ascii_alphanumeric() => put(octet),
            _ => {
                put(b'=');
                put(HEX[usize::from(octet >> 4)]);
                put(HEX[usize::from(octet & 15)]);
            }
        }
    }
    octets.get(..len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn surrogate(message: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut state = Surrogate::default();
        for piece in message.chunks(size) {
            state.push(piece, &mut out);
        }
        state.finish(&mut out);
        out
    }

    fn of(message: &str) -> String {
        String::from_utf8(surrogate(message.as_bytes(), 5)).unwrap()
    }

    fn subject(message: &[u8]) -> String {
        let parser = mail_parser::MessageParser::default();
        parser
            .parse(message)
            .and_then(|m| m.subject().map(str::to_owned))
            .unwrap_or_default()
    }

    #[test]
    fn ascii_passes() {
        let message = "Subject: a  b\r\n\tc\r\nX:\r\n \r\nFrom: \"a\" <b@c>\r\n\r\nb\u{f6}dy\r\n";
        assert_eq!(of(message), message);
    }

    #[test]
    fn words_are_encoded() {
        assert_eq!(
            of("Subject: Gr\u{fc}\u{df}e aus K\u{f6}ln\r\n\r\n"),
            "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?Q?K=C3=B6ln?=\r\n\r\n"
        );
        assert_eq!(
            of("From: j\u{fc}rgen@example.org\r\n\r\n"),
            "From: =?utf-8?Q?j=C3=BCrgen?=@example.org\r\n\r\n"
        );
        assert_eq!(
            surrogate(b"Subject: caf\xe9\r\n\r\n", 99),
            b"Subject: =?unknown-8bit?Q?caf=E9?=\r\n\r\n"
        );
    }

    #[test]
    fn fields_are_not_glued() {
        let sent = of("Subject: \u{e9}\r\n\u{e9}: b\r\n\r\n");
        assert_eq!(
            sent,
            "Subject: =?utf-8?Q?=C3=A9?=\r\n=?utf-8?Q?=C3=A9?=: b\r\n\r\n"
        );
    }

    #[test]
    fn clients_read_what_was_meant() {
        for text in [
            "\u{e9}t\u{e9} \u{e0} la mer",
            "\u{65e5}\u{672c} \u{8a9e}",
            "one \u{fc} two \u{fc}\u{fc}  three",
            "\u{fc}".repeat(200).as_str(),
        ] {
            let sent = of(&format!("Subject: {text}\r\n\r\nbody"));
            let single = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(
                subject(sent.as_bytes())
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" "),
                single
            );
        }
    }

    proptest! {
        #[test]
        fn header_is_ascii(header in prop::collection::vec(any::<u8>(), 0..600), size in 1usize..99) {
            let sent = surrogate(&header, size);
            let plain = sent.windows(2).position(|w| w == b"\n\n")
                .into_iter()
                .chain(sent.windows(3).position(|w| w == b"\n\r\n"))
                .min()
                .unwrap_or(sent.len());
            if !header.starts_with(b"\n") && !header.starts_with(b"\r") {
                prop_assert!(sent[..plain].is_ascii());
            }
            prop_assert_eq!(surrogate(&header, 1), sent, "any cut");
        }

        #[test]
        fn ascii_is_not_touched(header in "[ -~\t\r\n]{0,400}") {
            prop_assert_eq!(surrogate(header.as_bytes(), 7), header.as_bytes());
        }

        #[test]
        fn subjects_survive(text in "[a-z\u{e0}-\u{ff}]{1,12}( [a-z\u{e0}-\u{ff}]{1,12}){0,9}") {
            let sent = of(&format!("Subject: {text}\r\n\r\n"));
            prop_assert_eq!(subject(sent.as_bytes()), text);
        }
    }
}
