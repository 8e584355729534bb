//! Replies of RFC 5321 §4.2 with the enhanced codes of RFC 2034 and RFC 3463: written by our
//! server, parsed by our client.
use std::borrow::Cow;
use std::fmt;

use crate::limits;

/// An enhanced status code: class, subject, detail (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Enhanced {
    /// The code at the start of a reply's text, where its class fits the reply (RFC 2034 §4).
    pub fn parse_prefix(text: &str) -> Option<Enhanced> {
        let word = text.split(' ').next()?;
        let mut numbers = word.split('.');
        let class = numbers.next()?;
        let code = Enhanced(
            digits(class, 1)? as u8,
            digits(numbers.next()?, 3)?,
            digits(numbers.next()?, 3)?,
        );
        let known = matches!(code.0, 2 | 4 | 5);
        if known && numbers.next().is_none() {
            Some(code)
        } else {
            None
        }
    }
}

fn digits(text: &str, most: usize) -> Option<u16> {
    let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// A reply of our server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// None for the greeting, EHLO, HELO and 3yz (RFC 2034 §4).
    pub enhanced: Option<Enhanced>,
    /// One or more lines, with `\n` between them.
    pub text: Cow<'static, str>,
}

impl Reply {
    /// A reply of constant text.
    pub const fn new(code: u16, enhanced: Enhanced, text: &'static str) -> Reply {
        Reply {
            code,
            enhanced: Some(enhanced),
            text: Cow::Borrowed(text),
        }
    }

    /// A reply with text made for it.
    pub fn of(code: u16, enhanced: Enhanced, text: String) -> Reply {
        Reply {
            code,
            enhanced: Some(enhanced),
            text: Cow::Owned(text),
        }
    }

    /// A reply that carries no enhanced code.
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply {
            code,
            enhanced: None,
            text: text.into(),
        }
    }

    /// Whether the client is told that something went wrong.
    pub fn is_error(&self) -> bool {
        self.code >= 400
    }

    /// Appends the reply. Every line carries the enhanced code (RFC 2034 §3); what is no printable
    /// ASCII is replaced (RFC 6531 §3.7.4), so text that came from a peer cannot break the line.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let more = if lines.peek().is_some() { '-' } else { ' ' };
            out.extend_from_slice(format!("{:03}{more}", self.code).as_bytes());
            if let Some(enhanced) = self.enhanced {
                out.extend_from_slice(format!("{enhanced} ").as_bytes());
            }
            let printable = |b: u8| if (b' '..=b'~').contains(&b) { b } else { b'?' };
            out.extend(line.bytes().take(limits::REPLY_TEXT).map(printable));
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// What a reply means for whoever sent the command (RFC 5321 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// 2yz
    Done,
    /// 3yz
    Continue,
    /// 4yz
    Transient,
    /// 5yz
    Permanent,
}

/// A whole reply of a server that we speak to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReply {
    /// 200 to 599.
    pub code: u16,
    /// The text of each line, control characters and non-ASCII replaced.
    pub lines: Vec<String>,
}

impl ServerReply {
    /// The meaning of the first digit.
    pub fn class(&self) -> Class {
        match self.code / 100 {
            2 => Class::Done,
            3 => Class::Continue,
            4 => Class::Transient,
            _ => Class::Permanent,
        }
    }

    /// The enhanced code of the first line, if its class is the reply's own.
    pub fn enhanced(&self) -> Option<Enhanced> {
        let code = Enhanced::parse_prefix(self.lines.first()?)?;
        if u16::from(code.0) == self.code / 100 {
            Some(code)
        } else {
            None
        }
    }
}

/// As the peer said it, in one line: for logs and for the diagnostic of a bounce.
impl fmt::Display for ServerReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        self.lines.iter().try_for_each(|line| write!(f, " {line}"))
    }
}

/// The server does not speak SMTP, or says too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadReply {
    /// No three digits, or a code outside 200 to 599.
    Malformed,
    /// The lines of one reply carry different codes.
    Mixed,
    /// More than [`limits::REPLY_LINES`] lines.
    TooLong,
}

/// Gathers the lines of a reply.
#[derive(Debug, Default)]
pub struct Parser {
    code: u16,
    lines: Vec<String>,
}

impl Parser {
    /// Takes a line without its CRLF; gives the reply when it was the last line.
    pub fn line(&mut self, line: &[u8]) -> Result<Option<ServerReply>, BadReply> {
        let (code, more, text) = split(line).ok_or(BadReply::Malformed)?;
        if !self.lines.is_empty() && code != self.code {
            return Err(BadReply::Mixed);
        }
        if self.lines.len() >= limits::REPLY_LINES {
            return Err(BadReply::TooLong);
        }
        self.code = code;
        self.lines.push(text);
        if more {
            return Ok(None);
        }
        Ok(Some(ServerReply {
            code,
            lines: std::mem::take(&mut self.lines),
        }))
    }
}

/// `250-text`, `250 text` or a bare `250`, which RFC 5321 §4.2 tells clients to accept.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let code = std::str::from_utf8(line.get(..3)?).ok()?;
    let code = digits(code, 3).filter(|code| (200..600).contains(code))?;
    let (more, text) = match line.get(3) {
        None => (false, &[][..]),
        Some(b'-') => (true, line.get(4..)?),
        Some(b' ') => (false, line.get(4..)?),
        Some(_) => return None,
    };
    let clean = |&b: &u8| {
        if (b' '..=b'~').contains(&b) {
            char::from(b)
        } else {
            '?'
        }
    };
    Some((
        code,
        more,
        text.iter().take(limits::REPLY_TEXT).map(clean).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn writes_lines() {
        assert_eq!(
            written(&Reply::new(250, Enhanced(2, 1, 0), "Ok")),
            "250 2.1.0 Ok\r\n"
        );
        assert_eq!(written(&Reply::plain(250, "a\nb")), "250-a\r\n250 b\r\n");
        let reply = Reply::of(550, Enhanced(5, 1, 1), "no\r1\nü".into());
        assert_eq!(written(&reply), "550-5.1.1 no?1\r\n550 5.1.1 ??\r\n");
    }

    #[test]
    fn parses_lines() {
        let mut parser = Parser::default();
        assert_eq!(parser.line(b"250-mx.example"), Ok(None));
        let reply = parser.line(b"250 SIZE 100").unwrap().unwrap();
        assert_eq!(reply.lines, ["mx.example", "SIZE 100"]);
        assert_eq!(reply.class(), Class::Done);
        let reply = parser.line(b"450 4.2.1 later\x07").unwrap().unwrap();
        assert_eq!(reply.enhanced(), Some(Enhanced(4, 2, 1)));
        assert_eq!(reply.to_string(), "450 4.2.1 later?");
        assert_eq!(
            parser.line(b"354").unwrap().unwrap().class(),
            Class::Continue
        );
        assert_eq!(
            parser.line(b"250 5.0.0 liar").unwrap().unwrap().enhanced(),
            None
        );
    }

    #[test]
    fn refuses_nonsense() {
        for line in [
            &b""[..],
            b"25",
            b"2x0 a",
            b"150 a",
            b"600 a",
            b"250_a",
            b"HTTP/1.1 200",
            b"+50 x",
        ] {
            assert_eq!(
                Parser::default().line(line),
                Err(BadReply::Malformed),
                "{line:?}"
            );
        }
        let mut parser = Parser::default();
        parser.line(b"250-a").unwrap();
        assert_eq!(parser.line(b"550 b"), Err(BadReply::Mixed));
        let mut parser = Parser::default();
        let end = (0..=limits::REPLY_LINES).find_map(|_| parser.line(b"250-x").err());
        assert_eq!(end, Some(BadReply::TooLong));
    }

    #[test]
    fn enhanced_codes() {
        assert_eq!(Enhanced::parse_prefix("2.1.5 ok"), Some(Enhanced(2, 1, 5)));
        for bad in [
            "", "2.1", "3.0.0", "2.1.5.6", "a.b.c", "2.1000.0", "2..1", "250",
        ] {
            assert_eq!(Enhanced::parse_prefix(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let mut parser = Parser::default();
            for line in lines {
                let _ = parser.line(&line);
            }
        }

        #[test]
        fn what_we_write_we_read(code in 200u16..600, text in "[ -~]{0,30}(\n[ -~]{0,30}){0,3}") {
            let mut out = Vec::new();
            Reply::plain(code, text.clone()).write_to(&mut out);
            let mut parser = Parser::default();
            let mut reply = None;
            for line in out.split_inclusive(|b| *b == b'\n') {
                reply = parser.line(line.strip_suffix(b"\r\n").unwrap()).unwrap();
            }
            prop_assert_eq!(reply.unwrap().lines.join("\n"), text);
        }
    }
}
