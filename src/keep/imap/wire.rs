//! What an IMAP server says (RFC 9051 §7), as far as a mover listens. Octets in, values out.
use crate::mail::Flags;
use crate::mime::date;

/// A word of a response. Literals were made quoted strings before.
#[derive(Debug, PartialEq, Eq)]
pub enum Word {
    /// `(`
    Open,
    /// `)`
    Close,
    /// Anything without quotes.
    Atom(String),
    /// What was between quotes.
    Text(Vec<u8>),
}

/// Reads the words of a line.
pub struct Words<'a>(pub &'a [u8]);

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        let line = self.0.trim_ascii_start();
        let (first, mut rest) = line.split_first()?;
        let word = match first {
            b'(' => Word::Open,
            b')' => Word::Close,
            b'"' => {
                let mut text = Vec::new();
                while let Some((octet, after)) = rest.split_first() {
                    rest = after;
                    match (octet, after.split_first()) {
                        (b'"', _) => break,
                        (b'\\', Some((escaped, after))) => {
                            text.push(*escaped);
                            rest = after;
                        }
                        _ => text.push(*octet),
                    }
                }
                Word::Text(text)
            }
            _ => {
                let end = line.iter().position(|b| b" ()\"".contains(b));
                let (atom, after) = line.split_at(end.unwrap_or(line.len()));
                rest = after;
                Word::Atom(String::from_utf8_lossy(atom).into_owned())
            }
        };
        self.0 = rest;
        Some(word)
    }
}

/// A text as a quoted string.
pub fn quoted(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for octet in text {
        if b"\"\\".contains(octet) {
            out.push(b'\\');
        }
        out.push(*octet);
    }
    out.push(b'"');
}

/// A literal of more octets than there can be.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// The octets of the literal that a line ends with: `{12}`, `{12+}`, `~{12}`.
///
/// # Errors
/// [`TooLarge`].
pub fn literal(line: &[u8]) -> Result<Option<(usize, u32)>, TooLarge> {
    let open = line.iter().rposition(|b| *b == b'{');
    let Some((open, inner)) = open.zip(line.strip_suffix(b"}")) else {
        return Ok(None);
    };
    let digits = inner.get(open + 1..).unwrap_or_default();
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let size = std::str::from_utf8(digits).map_err(|_| TooLarge)?.parse();
    let start = if line.get(..open).is_some_and(|head| head.ends_with(b"~")) {
        open - 1
    } else {
        open
    };
    Ok(Some((start, size.map_err(|_| TooLarge)?)))
}

/// A mailbox that LIST tells.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its attributes, in lower case.
    pub attributes: Vec<String>,
    /// What separates levels of its name.
    pub separator: Option<char>,
    /// Its name, as it was said.
    pub name: Vec<u8>,
}

/// `LIST (\HasNoChildren) "/" name`
pub fn listed(line: &[u8]) -> Option<Listed> {
    let mut words = Words(line);
    let is_list = matches!(words.next()?, Word::Atom(atom) if atom.eq_ignore_ascii_case("LIST"));
    if !is_list || words.next()? != Word::Open {
        return None;
    }
    let mut attributes = Vec::new();
    loop {
        match words.next()? {
            Word::Close => break,
            Word::Atom(atom) => attributes.push(atom.to_ascii_lowercase()),
            _ => return None,
        }
    }
    let separator = match words.next()? {
        Word::Text(text) => String::from_utf8_lossy(&text).chars().next(),
        Word::Atom(atom) if atom.eq_ignore_ascii_case("NIL") => None,
        _ => return None,
    };
    let name = match words.next()? {
        Word::Text(text) => text,
        Word::Atom(_) => {
            // Servers forget quotes: the rest of the line is the name.
            let at = line.len() - words.0.len();
            let head = line.get(..at)?;
            let start = head.iter().rposition(|b| *b == b' ')? + 1;
            line.get(start..)?.to_vec()
        }
        _ => return None,
    };
    Some(Listed {
        attributes,
        separator,
        name,
    })
}

/// The number in a response code: `OK [UIDVALIDITY 3857529045] UIDs valid`.
pub fn code(line: &[u8], name: &str) -> Option<u32> {
    let text = String::from_utf8_lossy(line);
    let (_, rest) = text.split_once('[')?;
    let (code, _) = rest.split_once(']')?;
    let (word, value) = code.split_once(' ')?;
    let is_it = word.eq_ignore_ascii_case(name);
    value.trim().parse().ok().filter(|_| is_it)
}

/// What a FETCH says of a message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The UID; 0 if it was not said.
    pub uid: u32,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// Seconds since 1970.
    pub date: Option<u32>,
    /// RFC822.SIZE.
    pub size: u32,
    /// X-GM-LABELS.
    pub labels: Option<Vec<String>>,
    /// BODY[], where it was no literal; empty for NIL. `None`: nothing was said of it.
    pub body: Option<Vec<u8>>,
}

/// `12 FETCH (UID 7 FLAGS (\Seen) BODY[] "...")`
pub fn fetched(line: &[u8]) -> Option<Fetched> {
    let mut words = Words(line);
    let Word::Atom(number) = words.next()? else {
        return None;
    };
    number.parse::<u32>().ok()?;
    let is_fetch = matches!(words.next()?, Word::Atom(atom) if atom.eq_ignore_ascii_case("FETCH"));
    if !is_fetch || words.next()? != Word::Open {
        return None;
    }
    let mut said = Fetched::default();
    while let Word::Atom(item) = words.next()? {
        let mut list = Vec::new();
        let mut depth = 0u32;
        loop {
            let word = words.next()?;
            match word {
                Word::Open => depth += 1,
                Word::Close => depth = depth.checked_sub(1)?,
                word => list.push(word),
            }
            if depth == 0 {
                break;
            }
        }
        said.take(&item.to_ascii_uppercase(), list);
    }
    Some(said)
}

impl Fetched {
    fn take(&mut self, item: &str, mut list: Vec<Word>) {
        let strings = |list: Vec<Word>| {
            list.into_iter().filter_map(|word| match word {
                Word::Atom(atom) => Some(atom),
                Word::Text(text) => Some(String::from_utf8_lossy(&text).into_owned()),
                _ => None,
            })
        };
        let number = |list| strings(list).next().and_then(|it| it.parse().ok());
        match item {
            "UID" => self.uid = number(list).unwrap_or(0),
            "RFC822.SIZE" => self.size = number(list).unwrap_or(0),
            "INTERNALDATE" => {
                let date = strings(list).next().and_then(|it| date::parse_imap(&it));
                self.date = date.and_then(|it| u32::try_from(it.secs).ok());
            }
            "X-GM-LABELS" => self.labels = Some(strings(list).collect()),
            "BODY[]" => {
                self.body = match list.pop() {
                    Some(Word::Text(text)) => Some(text),
                    _ => Some(Vec::new()),
                }
            }
            "FLAGS" => {
                for flag in strings(list) {
                    let known = FLAGS
                        .iter()
                        .find(|(name, _)| flag.eq_ignore_ascii_case(name));
                    match known {
                        Some((_, flag)) => self.flags = self.flags.with(*flag),
                        None if flag.starts_with('\\') => {}
                        None => self.keywords.push(flag),
                    }
                }
            }
            _ => {}
        }
    }
}

const FLAGS: [(&str, Flags); 5] = [
    ("\\Seen", Flags::SEEN),
    ("\\Answered", Flags::ANSWERED),
    ("\\Flagged", Flags::FLAGGED),
    ("\\Deleted", Flags::DELETED),
    ("\\Draft", Flags::DRAFT),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals() {
        assert_eq!(literal(b"a BODY[] {12}"), Ok(Some((9, 12))));
        assert_eq!(literal(b"a ~{3+}"), Ok(Some((2, 3))));
        for none in [&b"a"[..], b"{}", b"{x}", b"{1} ", b"}", b"{-1}", b"{+}"] {
            assert_eq!(literal(none), Ok(None), "{none:?}");
        }
        assert_eq!(literal(b"{4294967296}"), Err(TooLarge));
    }

    #[test]
    fn lists() {
        let found = listed(b"LIST (\\HasNoChildren \\Sent) \"/\" \"Sent \\\"1\\\"\"").unwrap();
        assert_eq!(found.attributes, ["\\hasnochildren", "\\sent"]);
        assert_eq!(
            (found.separator, found.name.as_slice()),
            (Some('/'), &b"Sent \"1\""[..])
        );
        let found = listed(b"list () NIL Inbox (old)").unwrap();
        assert_eq!(
            (found.separator, found.name),
            (None, b"Inbox (old)".to_vec())
        );
        for bad in [
            &b"LIST"[..],
            b"LIST ()",
            b"LIST () \".\"",
            b"LIST ((",
            b"LSUB () NIL x",
        ] {
            assert_eq!(listed(bad), None);
        }
    }

    #[test]
    fn fetches() {
        let line = b"3 FETCH (FLAGS (\\Seen $x \\Recent) UID 7 INTERNALDATE \" 1-Jan-2024 00:00:00 +0000\" \
                     RFC822.SIZE 9 X-GM-LABELS (\\Inbox \"a b\") BODY[] \"q\\\"\")";
        let said = fetched(line).unwrap();
        assert_eq!((said.uid, said.size, said.flags), (7, 9, Flags::SEEN));
        assert_eq!(said.keywords, ["$x"]);
        assert_eq!(said.date, Some(1_704_067_200));
        assert_eq!(said.labels.unwrap(), ["\\Inbox", "a b"]);
        assert_eq!(said.body.unwrap(), b"q\"");
        let said = fetched(b"3 FETCH (UID 7 BODY[] NIL)").unwrap();
        assert_eq!((said.uid, said.body), (7, Some(Vec::new())));
        assert_eq!(fetched(b"3 FETCH (UID 7)").unwrap().body, None);
        assert_eq!(code(b"OK [UIDNEXT 12] x", "uidnext"), Some(12));
        assert_eq!(code(b"OK [UIDNEXT 12] x", "UIDVALIDITY"), None);
        for bad in [
            &b"3 FETCH"[..],
            b"3 FETCH (UID",
            b"x FETCH (UID 1)",
            b"3 FETCH (UID )",
        ] {
            assert_eq!(fetched(bad), None);
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(line in proptest::collection::vec(proptest::sample::select(
            b"(){}\"\\ 12+~FETCHUIDLIST[]".as_slice()), 0..60)) {
            let _ = (literal(&line), listed(&line), fetched(&line), code(&line, "UIDNEXT"));
            let mut out = Vec::new();
            quoted(&line, &mut out);
            prop_assert_eq!(Words(&out).next(), Some(Word::Text(line)));
        }
    }
}
