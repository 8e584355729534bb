//! A stored message to the lines of a multi-line response (RFC 1939 §3).
//!
//! Works on pieces of any size, so that memory does not grow with the message. Octets pass as they
//! are stored, with three exceptions that a response of lines asks for:
//! * a line that begins with `.` gets one more in front;
//! * a LF without CR becomes CRLF. Every line of a response ends in CRLF, and half of the clients
//!   read up to LF: for them a stored `LF . CRLF` would end the response, and whatever follows in
//!   the message would pass for the server's next answers;
//! * a message that does not end in a line end gets one, so that the final `.` stands alone.
//!
//! A lone CR is no line end, here or in any client known, and passes.

/// The state between two pieces of one message.
#[derive(Debug)]
pub struct Lines {
    /// Lines of the body still to be sent; `u32::MAX` for all of them.
    body: u32,
    part: Part,
    line: Line,
}

/// Where in the message the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Header,
    Body,
    /// TOP has got what it asked for.
    Over,
}

/// What the current line holds so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Nothing,
    /// One CR: an empty line, if LF follows.
    Cr,
    Text,
    TextCr,
}

impl Line {
    /// The same line with more text, which has no LF.
    fn with(self, text: &[u8]) -> Self {
        match (self, text) {
            (_, []) => self,
            (Line::Nothing, [b'\r']) => Line::Cr,
            (_, [.., b'\r']) => Line::TextCr,
            _ => Line::Text,
        }
    }
}

impl Lines {
    /// All lines of a message: RETR.
    pub fn all() -> Self {
        Self::top(u32::MAX)
    }

    /// The header, the empty line and `body` lines behind it: TOP (RFC 1939 §7). `top(0)` sends
    /// the header and the empty line alone; a message without an empty line is all header.
    pub fn top(body: u32) -> Self {
        Self {
            body,
            part: Part::Header,
            line: Line::Nothing,
        }
    }

    /// True once nothing more of the message is wanted.
    pub fn is_over(&self) -> bool {
        self.part == Part::Over
    }

    /// Appends the next piece of the message to `out`, as it goes over the wire: at most twice
    /// its length. What lies behind the last wanted line is dropped.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while !rest.is_empty() && !self.is_over() {
            // RFC 1939 §3: byte-stuffing.
            if self.line == Line::Nothing && rest.first() == Some(&b'.') {
                out.push(b'.');
            }
            let Some(end) = rest.iter().position(|&b| b == b'\n') else {
                self.line = self.line.with(rest);
                return out.extend_from_slice(rest);
            };
            let (text, behind) = rest.split_at(end);
            out.extend_from_slice(text);
            self.end_line(self.line.with(text), out);
            rest = behind.get(1..).unwrap_or_default();
        }
    }

    /// Ends the response: the last line's end if it has none, then the lone dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        match self.line {
            Line::Nothing => {}
            Line::Cr | Line::TextCr => out.push(b'\n'),
            Line::Text => out.extend_from_slice(b"\r\n"),
        }
        out.extend_from_slice(b".\r\n");
    }

    /// LF has come behind `line`.
    fn end_line(&mut self, line: Line, out: &mut Vec<u8>) {
        let (empty, end) = match line {
            Line::Nothing => (true, &b"\r\n"[..]),
            Line::Cr => (true, &b"\n"[..]),
            Line::Text => (false, &b"\r\n"[..]),
            Line::TextCr => (false, &b"\n"[..]),
        };
        out.extend_from_slice(end);
        self.line = Line::Nothing;
        match self.part {
            Part::Header if empty && self.body == 0 => self.part = Part::Over,
            Part::Header if empty => self.part = Part::Body,
            Part::Body if self.body == 1 => self.part = Part::Over,
            Part::Body if self.body < u32::MAX => self.body -= 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message in pieces of `size` octets, as a response.
    fn sent(mut lines: Lines, message: &[u8], size: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in message.chunks(size) {
            lines.push(piece, &mut out);
        }
        lines.finish(&mut out);
        out
    }

    fn retr(message: &str) -> String {
        String::from_utf8(sent(Lines::all(), message.as_bytes(), 7)).unwrap()
    }

    fn top(message: &str, body: u32) -> String {
        String::from_utf8(sent(Lines::top(body), message.as_bytes(), 3)).unwrap()
    }

    #[test]
    fn dots_are_stuffed() {
        assert_eq!(
            retr("a: b\r\n\r\n.\r\n..x\r\ny.\r\n"),
            "a: b\r\n\r\n..\r\n...x\r\ny.\r\n.\r\n"
        );
    }

    #[test]
    fn bare_line_feeds_cannot_end_the_response() {
        assert_eq!(retr("a: b\n\n.\r\n+OK"), "a: b\r\n\r\n..\r\n+OK\r\n.\r\n");
        assert_eq!(retr("a: b\n\n.\n"), "a: b\r\n\r\n..\r\n.\r\n");
    }

    #[test]
    fn last_line_is_ended() {
        assert_eq!(retr(""), ".\r\n");
        assert_eq!(retr("a"), "a\r\n.\r\n");
        assert_eq!(retr("a\r"), "a\r\n.\r\n");
        assert_eq!(retr("\r"), "\r\n.\r\n");
    }

    #[test]
    fn top_counts_lines_of_the_body() {
        let message = "a: b\r\n c\r\n\r\n1\r\n.2\r\n3\r\n";
        assert_eq!(top(message, 0), "a: b\r\n c\r\n\r\n.\r\n");
        assert_eq!(top(message, 1), "a: b\r\n c\r\n\r\n1\r\n.\r\n");
        assert_eq!(top(message, 2), "a: b\r\n c\r\n\r\n1\r\n..2\r\n.\r\n");
        assert_eq!(top(message, 3), retr(message));
        assert_eq!(top(message, u32::MAX), retr(message));
        assert_eq!(top("a: b\n\n1\n2\n", 1), "a: b\r\n\r\n1\r\n.\r\n");
        assert_eq!(top("a: b\r\n", 0), "a: b\r\n.\r\n", "all header");
    }

    /// What a client gets out of a response that ends in the lone dot.
    fn unstuffed(response: &[u8]) -> Vec<u8> {
        let body = response.strip_suffix(b".\r\n").unwrap();
        let mut out = Vec::new();
        for line in body.split_inclusive(|&b| b == b'\n') {
            assert_ne!(line, b".\r\n", "ends too early");
            out.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        }
        out
    }

    proptest! {
        #[test]
        fn clients_get_the_message(message in "([a.\r\n]|\r\n){0,40}", size in 1usize..9) {
            let response = sent(Lines::all(), message.as_bytes(), size);
            let mut lines = message.replace("\r\n", "\n").replace('\n', "\r\n");
            if lines.ends_with('\r') {
                lines.push('\n');
            } else if !lines.is_empty() && !lines.ends_with('\n') {
                lines.push_str("\r\n");
            }
            prop_assert_eq!(String::from_utf8(unstuffed(&response)).unwrap(), lines);
            prop_assert_eq!(sent(Lines::all(), message.as_bytes(), 1), response, "any cut");
        }

        #[test]
        fn top_is_a_beginning(message in "([a.\n]|\r\n){0,40}", body in 0u32..6, size in 1usize..9) {
            let all = sent(Lines::all(), message.as_bytes(), size);
            let top = sent(Lines::top(body), message.as_bytes(), size);
            let start = top.strip_suffix(b".\r\n").unwrap();
            prop_assert!(all.starts_with(start));
        }
    }
}
