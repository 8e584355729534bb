//! Parameters of Content-Type and Content-Disposition: `value *(";" name "=" value)`.
//!
//! RFC 2045 §5.1, RFC 2183 §2, RFC 2231 (continuations, charsets). Lenient as real senders need
//! it: unquoted values may hold spaces and specials, quotes may be missing at the end, encoded words
//! may stand where RFC 2047 §5 forbids them.
use super::structure::Param;
use super::{charset, words};

/// A parsed field: the value before the first `;` and the parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// `text/plain`, `attachment`: comments and white space removed, letter case kept.
    pub value: Vec<u8>,
    /// In order, at most the number asked for.
    pub params: Vec<Param>,
    /// True where a parameter was left out for the bound.
    pub truncated: bool,
}

/// Parses a field's raw value (folded or not), keeping at most `max` parameters.
pub fn parse(raw: &[u8], max: usize) -> Parsed {
    let mut input = Input { octets: raw, at: 0 };
    let mut parsed = Parsed {
        value: input.first(),
        ..Parsed::default()
    };
    while input.skip_separator() {
        let name = input.bare(b"=;", true).to_ascii_lowercase();
        if !input.eat(b'=') {
            continue;
        }
        let value = input.value();
        if name.is_empty() {
            continue;
        }
        if parsed.params.len() >= max {
            parsed.truncated = true;
            break;
        }
        parsed.params.push(Param { name, value });
    }
    parsed
}

/// The decoded value of the parameter `name` (lower case): RFC 2231 continuations joined and
/// percent-decoded, else RFC 2047 encoded words decoded, else UTF-8 read leniently.
pub fn decoded(params: &[Param], name: &str) -> Option<String> {
    extended(params, name).or_else(|| {
        let plain = params.iter().find(|it| it.name == name.as_bytes())?;
        Some(words::decode_anywhere(&plain.value))
    })
}

/// RFC 2231 §3 and §4: `name*`, `name*0`, `name*0*`, ...
fn extended(params: &[Param], name: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut label = Vec::new();
    let mut any = false;
    if let Some(param) = find(params, &format!("{name}*")) {
        any = true;
        percent(charset_prefix(&param.value, &mut label), &mut octets);
    } else {
        for number in 0..params.len() {
            let encoded = find(params, &format!("{name}*{number}*"));
            match (encoded, find(params, &format!("{name}*{number}"))) {
                (Some(param), _) if number == 0 => {
                    percent(charset_prefix(&param.value, &mut label), &mut octets);
                }
                (Some(param), _) => percent(&param.value, &mut octets),
                (None, Some(param)) => octets.extend_from_slice(&param.value),
                (None, None) => break,
            }
            any = true;
        }
    }
    any.then(|| charset::decode(&octets, &String::from_utf8_lossy(&label)).0)
}

fn find<'a>(params: &'a [Param], name: &str) -> Option<&'a Param> {
    params.iter().find(|it| it.name == name.as_bytes())
}

/// Splits `charset'language'rest`, putting the charset into `label`.
fn charset_prefix<'a>(value: &'a [u8], label: &mut Vec<u8>) -> &'a [u8] {
    let mut pieces = value.splitn(3, |octet| *octet == b'\'');
    match (pieces.next(), pieces.next(), pieces.next()) {
        (Some(name), Some(_), Some(rest)) => {
            label.extend_from_slice(name);
            rest
        }
        _ => value,
    }
}

fn percent(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some((first, tail)) = rest.split_first() {
        let octet = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)).map(|(h, l)| h << 4 | l),
            _ => None,
        };
        out.push(octet.unwrap_or(*first));
        rest = if octet.is_some() {
            tail.get(2..).unwrap_or_default()
        } else {
            tail
        };
    }
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

struct Input<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn eat(&mut self, octet: u8) -> bool {
        let found = self.peek() == Some(octet);
        self.at += usize::from(found);
        found
    }

    /// Moves behind the next `;` and what is empty after it. False at the end.
    fn skip_separator(&mut self) -> bool {
        while let Some(octet) = self.peek() {
            if octet == b';' || is_space(octet) {
                self.at += 1;
            } else if octet == b'(' {
                self.comment();
            } else {
                return true;
            }
        }
        false
    }

    /// The value before the parameters. Some senders leave out the `;` after a media type: white
    /// space ends it where another word follows.
    fn first(&mut self) -> Vec<u8> {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|it| *it == b';').unwrap_or(rest.len());
        let head = rest.get(..end).unwrap_or_default();
        let media = head.trim_ascii_start();
        let word = media
            .iter()
            .position(|it| is_space(*it))
            .unwrap_or(media.len());
        let (word, after) = media.split_at_checked(word).unwrap_or((media, &[]));
        let whole = word
            .iter()
            .position(|it| *it == b'/')
            .is_some_and(|at| at + 1 < word.len());
        if whole && !word.contains(&b'(') && after.contains(&b'=') {
            self.at += head.len() - after.len();
            return word.to_vec();
        }
        self.bare(b";", true)
    }

    /// Octets up to one of `stops`, white space at both ends and comments removed; white space
    /// inside is removed too where `tight`.
    fn bare(&mut self, stops: &[u8], tight: bool) -> Vec<u8> {
        let mut found = Vec::new();
        while let Some(octet) = self.peek() {
            if stops.contains(&octet) {
                break;
            }
            if octet == b'(' {
                self.comment();
                continue;
            }
            self.at += 1;
            match octet {
                b'\r' | b'\n' | 0 => {}
                b' ' | b'\t' if tight || found.is_empty() => {}
                _ => found.push(octet),
            }
        }
        let end = found
            .iter()
            .rposition(|it| !is_space(*it))
            .map_or(0, |at| at + 1);
        found.truncate(end);
        found
    }

    fn value(&mut self) -> Vec<u8> {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        if self.eat(b'"') {
            self.quoted()
        } else {
            self.bare(b";", false)
        }
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut found = Vec::new();
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'"' => break,
                b'\\' => {
                    found.extend(self.peek());
                    self.at += 1;
                }
                b'\r' | b'\n' | 0 => {}
                _ => found.push(octet),
            }
        }
        self.bare(b";", true);
        found
    }

    /// Skips a comment (RFC 5322 §3.2.2), nested ones included.
    fn comment(&mut self) {
        let mut depth = 0u32;
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'(' => depth += 1,
                b')' if depth <= 1 => break,
                b')' => depth -= 1,
                b'\\' => self.at += 1,
                _ => {}
            }
        }
    }
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(raw: &str, name: &str) -> Option<String> {
        decoded(&parse(raw.as_bytes(), 50).params, name)
    }

    #[test]
    fn reads_the_examples_of_rfc_2045_and_2183() {
        let parsed = parse(b" text/plain; charset=us-ascii (Plain text)", 50);
        assert_eq!(parsed.value, b"text/plain");
        assert_eq!(
            get("text/plain; charset=us-ascii (Plain text)", "charset").unwrap(),
            "us-ascii"
        );
        assert_eq!(
            get("text/plain; charset=\"us-ascii\"", "charset").unwrap(),
            "us-ascii"
        );
        let raw = "attachment; filename=genome.jpeg;\r\n modification-date=\"Wed, 12 Feb 1997 16:29:51 -0500\";";
        assert_eq!(get(raw, "filename").unwrap(), "genome.jpeg");
        assert_eq!(
            get(raw, "modification-date").unwrap(),
            "Wed, 12 Feb 1997 16:29:51 -0500"
        );
    }

    #[test]
    fn joins_the_continuations_of_rfc_2231() {
        let raw = "message/external-body; access-type=URL;\r\n URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"";
        assert_eq!(
            get(raw, "url").unwrap(),
            "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"
        );
        let raw = "application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A";
        assert_eq!(get(raw, "title").unwrap(), "This is ***fun***");
        let raw = "application/x-stuff\r\n title*0*=us-ascii'en'This%20is%20even%20more%20;\r\n title*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n title*2=\"isn't it!\"";
        let raw = raw.replace("x-stuff\r\n", "x-stuff;\r\n");
        assert_eq!(
            get(&raw, "title").unwrap(),
            "This is even more ***fun*** isn't it!"
        );
    }

    #[test]
    fn is_lenient_with_what_senders_write() {
        assert_eq!(get("a/b; name=my file.pdf", "name").unwrap(), "my file.pdf");
        assert_eq!(
            get("a/b; name=\"unterminated", "name").unwrap(),
            "unterminated"
        );
        assert_eq!(get("a/b;name=\"a\\\"b\" junk; x=y", "x").unwrap(), "y");
        assert_eq!(parse(b"a/b x=y; z=1", 9).value, b"a/b");
        assert_eq!(get("a/b x=y; z=1", "x").unwrap(), "y");
        assert_eq!(parse(b"a / b (x=y)", 9).value, b"a/b");
        assert_eq!(
            get("a/b; name=\"=?utf-8?Q?caf=C3=A9?=\"", "name").unwrap(),
            "café"
        );
        assert_eq!(get("a/b; =x; y; name=", "name").unwrap(), "");
        assert_eq!(parse(b"", 5), Parsed::default());
        assert!(parse(b"a/b;a=1;b=2", 1).truncated);
    }
}
