//! The cursor that all parsers walk with: RFC 9051 §9's primitives (atom, astring, string, number).
//!
//! Nothing here panics, whatever the bytes; errors carry the position and what was expected there.

use std::borrow::Cow;

/// Where a command stopped making sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Octets from the start of the command, counted from 0.
    pub at: usize,
    /// What was expected there, for the client's log.
    pub wanted: &'static &'static str,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} at position {}", self.wanted, self.at)
    }
}

/// A parser's answer.
pub type Parsed<T> = Result<T, Error>;

/// A place in a command.
#[derive(Clone, Debug)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Names and strings are UTF-8: IMAP4rev2 or UTF8=ACCEPT is enabled.
    pub utf8: bool,
    /// Words of the grammar, in upper case, that shall not exist.
    off: &'a [&'a str],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of a command's text.
    pub fn new(bytes: &'a [u8], utf8: bool) -> Self {
        Cursor::without(bytes, utf8, &[])
    }

    /// The same, for a grammar without some of its words.
    pub fn without(bytes: &'a [u8], utf8: bool, off: &'a [&'a str]) -> Self {
        let at = 0;
        Cursor {
            bytes,
            at,
            utf8,
            off,
        }
    }

    /// Whether the grammar has this word, given in upper case.
    pub fn knows(&self, word: &[u8]) -> bool {
        !self.off.iter().any(|off| off.as_bytes() == word)
    }

    /// An error at this place.
    pub fn fail<T>(&self, wanted: &'static &'static str) -> Parsed<T> {
        Err(Error {
            at: self.at,
            wanted,
        })
    }

    /// Octets before this place.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The octet here.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// All that follows.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Nothing follows.
    pub fn is_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Steps over `byte` if it is here.
    pub fn eat(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Steps over `byte`.
    pub fn must(&mut self, byte: u8, wanted: &'static &'static str) -> Parsed<()> {
        if self.eat(byte) {
            Ok(())
        } else {
            self.fail(wanted)
        }
    }

    /// One space.
    pub fn space(&mut self) -> Parsed<()> {
        self.must(b' ', &"a space")
    }

    /// `(`.
    pub fn open(&mut self) -> Parsed<()> {
        self.must(b'(', &"'('")
    }

    /// `)`.
    pub fn close(&mut self) -> Parsed<()> {
        self.must(b')', &"')'")
    }

    /// The command's end. Spaces before it are forgiven: some clients send them.
    pub fn end(&mut self) -> Parsed<()> {
        while self.eat(b' ') {}
        if self.is_end() {
            Ok(())
        } else {
            self.fail(&"the end of the command")
        }
    }

    /// The octets from here on that satisfy `is`.
    pub fn take_while(&mut self, is: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let n = rest.iter().position(|b| !is(*b)).unwrap_or(rest.len());
        self.at += n;
        rest.get(..n).unwrap_or_default()
    }

    /// Steps over `word`, in any case, if it is here. Says nothing about what follows it.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let here = self
            .rest()
            .get(..word.len())
            .is_some_and(|b| b.eq_ignore_ascii_case(word.as_bytes()))
            && self.knows(word.trim_matches([' ', '(']).as_bytes());
        self.at += if here { word.len() } else { 0 };
        here
    }

    /// `1*ATOM-CHAR`.
    pub fn atom(&mut self) -> Parsed<&'a [u8]> {
        match self.take_while(is_atom) {
            [] => self.fail(&"an atom"),
            atom => Ok(atom),
        }
    }

    /// An atom in upper case, for comparing with the words of the grammar.
    pub fn word(&mut self) -> Parsed<String> {
        let at = self.at;
        let word = String::from_utf8_lossy(self.atom()?).to_ascii_uppercase();
        match self.knows(word.as_bytes()) {
            true => Ok(word),
            false => Err(Error {
                at,
                wanted: &"a word that exists",
            }),
        }
    }

    /// An atom as text.
    pub fn atom_text(&mut self) -> Parsed<String> {
        Ok(String::from_utf8_lossy(self.atom()?).into_owned())
    }

    /// A number of at most 32 bits.
    pub fn number(&mut self) -> Parsed<u32> {
        let at = self.at;
        let wanted = &"a number below 4294967296";
        u32::try_from(self.number64()?).map_err(|_| Error { at, wanted })
    }

    /// A number of at most 63 bits.
    pub fn number64(&mut self) -> Parsed<u64> {
        let at = self.at;
        let text = self.take_while(|b| b.is_ascii_digit());
        digits(text).ok_or(Error {
            at,
            wanted: &"a number",
        })
    }

    /// A number of at most 32 bits that is not 0.
    pub fn nz_number(&mut self) -> Parsed<u32> {
        let at = self.at;
        match self.number()? {
            0 => Err(Error {
                at,
                wanted: &"a number above 0",
            }),
            n => Ok(n),
        }
    }

    /// `quoted / literal`.
    pub fn string(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal().map(Cow::Borrowed),
            _ => self.fail(&"a string"),
        }
    }

    /// `string / NIL`.
    pub fn nstring(&mut self) -> Parsed<Option<Cow<'a, [u8]>>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string().map(Some),
            _ if self.eat_word("NIL") => Ok(None),
            _ => self.fail(&"a string or NIL"),
        }
    }

    /// `1*ASTRING-CHAR / string`. Octets above 127 are let through in the bare form as well.
    pub fn astring(&mut self) -> Parsed<Cow<'a, [u8]>> {
        match self.peek() {
            Some(b'"' | b'{') => self.string(),
            _ => match self.take_while(is_astring) {
                [] => self.fail(&"a string or an atom"),
                text => Ok(Cow::Borrowed(text)),
            },
        }
    }

    /// An astring as text; octets that are no UTF-8 are replaced.
    pub fn astring_text(&mut self) -> Parsed<String> {
        Ok(String::from_utf8_lossy(&self.astring()?).into_owned())
    }

    /// Where UTF-8 was agreed on, anything else in quotes is an error (RFC 6855 §3).
    fn quoted(&mut self) -> Parsed<Cow<'a, [u8]>> {
        let start = self.clone();
        let text = self.quoted_octets()?;
        if self.utf8 && std::str::from_utf8(&text).is_err() {
            return start.fail(&"UTF-8 in quotes");
        }
        Ok(text)
    }

    fn quoted_octets(&mut self) -> Parsed<Cow<'a, [u8]>> {
        self.must(b'"', &"a quoted string")?;
        let plain = self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.eat(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(b @ (b'"' | b'\\')) => text.push(b),
                        _ => return self.fail(&"'\"' or '\\' behind a backslash"),
                    }
                    self.at += 1;
                }
                Some(b) if !matches!(b, b'\r' | b'\n' | 0) => {
                    text.push(b);
                    self.at += 1;
                }
                _ => return self.fail(&"a closing '\"'"),
            }
        }
    }

    fn literal(&mut self) -> Parsed<&'a [u8]> {
        let octets = self.octets()?;
        // RFC 9051 §9: NUL is allowed in a literal8 only.
        if octets.contains(&0) {
            return self.fail(&"a literal without NUL");
        }
        self.at += octets.len();
        Ok(octets)
    }

    /// The octets of a literal, behind its head.
    fn octets(&mut self) -> Parsed<&'a [u8]> {
        self.must(b'{', &"a literal")?;
        let size = self.number64()?;
        self.eat(b'+');
        self.must(b'}', &"'}'")?;
        self.eat(b'\r');
        self.must(b'\n', &"a line end behind the literal's length")?;
        let octets = usize::try_from(size)
            .ok()
            .and_then(|n| self.rest().get(..n));
        octets.map_or_else(|| self.fail(&"a literal's octets"), Ok)
    }

    /// `"~{" number ["+"] "}" CRLF *OCTET`
    pub fn literal8(&mut self) -> Parsed<&'a [u8]> {
        self.must(b'~', &"a literal8")?;
        let octets = self.octets()?;
        self.at += octets.len();
        Ok(octets)
    }

    /// `"(" item *(SP item) ")"`; empty only if `empty` says so.
    pub fn list<T>(
        &mut self,
        empty: bool,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.open()?;
        let mut items = Vec::new();
        if empty && self.eat(b')') {
            return Ok(items);
        }
        loop {
            items.push(item(self)?);
            if self.eat(b')') {
                return Ok(items);
            }
            self.space()?;
        }
    }
}

/// Decimal digits, at least one, of at most 63 bits.
pub(super) fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let n: u64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    (n <= i64::MAX as u64).then_some(n)
}

/// `ATOM-CHAR` (RFC 9051 §9).
pub fn is_atom(b: u8) -> bool {
    (0x21..0x7f).contains(&b)
        && !matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`, and octets above 127.
pub fn is_astring(b: u8) -> bool {
    is_atom(b) || b == b']' || b >= 0x80
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Cursor<'_> {
        Cursor::new(text.as_bytes(), false)
    }

    #[test]
    fn strings() {
        assert_eq!(
            cursor(r#""a \"b\\" x"#).string().unwrap().as_ref(),
            br#"a "b\"#
        );
        assert_eq!(cursor("{3}\r\nabc").astring().unwrap().as_ref(), b"abc");
        assert_eq!(
            cursor("{3+}\r\na\r\n").astring().unwrap().as_ref(),
            b"a\r\n"
        );
        assert_eq!(cursor("a]b c").astring().unwrap().as_ref(), b"a]b");
        assert_eq!(cursor("nil").nstring().unwrap(), None);
        assert!(Cursor::new(b"\"\xff\"", true).string().is_err());
        assert!(Cursor::new(b"\"\xff\"", false).string().is_ok());
        for bad in [
            "\"",
            "\"a",
            "\"\\a\"",
            "{4}\r\nabc",
            "{9999999999999999999}\r\n",
            "",
            "(",
        ] {
            assert!(cursor(bad).astring().is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(cursor("4294967295").number(), Ok(u32::MAX));
        assert!(cursor("4294967296").number().is_err());
        assert_eq!(
            cursor("9223372036854775807").number64(),
            Ok(i64::MAX as u64)
        );
        assert!(cursor("9223372036854775808").number64().is_err());
        assert!(cursor("0").nz_number().is_err());
        assert_eq!(
            cursor("x").number(),
            Err(Error {
                at: 0,
                wanted: &"a number"
            })
        );
    }
}
