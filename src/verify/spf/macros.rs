//! Macros (RFC 7208 §7).
use crate::verify::dkim::is_below;
use crate::verify::iprev::dotted;
use std::fmt::Write;
use std::net::IpAddr;

/// What macros stand for.
pub(super) struct Given<'a> {
    pub ip: IpAddr,
    pub helo: &'a str,
    pub local: &'a str,
    pub domain: &'a str,
    /// Our own name, for explanations.
    pub receiver: &'a str,
    /// Seconds since 1970, for explanations.
    pub now: u64,
}

/// A text with macros in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Macro(Macro),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    /// In lower case.
    letter: char,
    /// It was in upper case: URL-escaped.
    escape: bool,
    /// How many of the right-hand parts; 0 for all.
    parts: usize,
    reverse: bool,
    delimiters: String,
}

impl Spec {
    /// A domain-spec: ends in a macro or in a label that can be a top level.
    pub fn domain(text: &str) -> Option<Spec> {
        let spec = Spec::text(text, false)?;
        let by_macro = text.ends_with('}') && matches!(spec.0.last()?, Piece::Macro(_))
            || ["%%", "%_", "%-"].iter().any(|end| text.ends_with(end)) && ends_in_escape(text);
        (by_macro || ends_in_top_level(text)).then_some(spec)
    }

    /// A macro-string; one that explains has spaces and macros of its own (§7.1).
    pub fn text(text: &str, explains: bool) -> Option<Spec> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let tail = rest.get(c.len_utf8()..)?;
            if c != '%' {
                if !(c.is_ascii_graphic() || explains && c == ' ') {
                    return None;
                }
                plain.push(c);
                rest = tail;
                continue;
            }
            let behind = tail.get(1..);
            match tail.chars().next()? {
                '%' => plain.push('%'),
                '_' => plain.push(' '),
                '-' => plain.push_str("%20"),
                '{' => {
                    let (inner, after) = behind?.split_once('}')?;
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Macro(Macro::parse(inner, explains)?));
                    rest = after;
                    continue;
                }
                _ => return None,
            }
            rest = behind?;
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Some(Spec(pieces))
    }

    /// Whether the peer's name is wanted (`p`).
    pub fn wants_name(&self) -> bool {
        self.0
            .iter()
            .any(|piece| matches!(piece, Piece::Macro(it) if it.letter == 'p'))
    }

    /// The name that comes of it: lower case, no final dot, at most 253 octets by cutting labels off
    /// the left (§7.3).
    pub(super) fn expand(&self, given: &Given<'_>, domain: &str, validated: &[String]) -> String {
        let out = self.fill(given, domain, validated);
        let mut name = out.strip_suffix('.').unwrap_or(&out);
        while name.len() > 253 {
            match name.split_once('.') {
                Some((_, rest)) => name = rest,
                None => break,
            }
        }
        name.to_ascii_lowercase()
    }

    /// The text that comes of it.
    pub(super) fn fill(&self, given: &Given<'_>, domain: &str, validated: &[String]) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Macro(it) => it.expand(given, domain, validated, &mut out),
            }
        }
        out
    }
}

/// The last two characters are an escape and not the end of one: `%%%` ends in no escape.
fn ends_in_escape(text: &str) -> bool {
    let before = text.get(..text.len() - 1).unwrap_or_default();
    let percents = before.bytes().rev().take_while(|b| *b == b'%').count();
    if text.ends_with('%') {
        (percents + 1).is_multiple_of(2)
    } else {
        percents % 2 == 1
    }
}

/// `"." toplabel [ "." ]` (§7.1).
fn ends_in_top_level(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let Some((_, label)) = text.rsplit_once('.') else {
        return false;
    };
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(label.chars().next())
        && ends(label.chars().next_back())
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !label.chars().all(|c| c.is_ascii_digit())
}

impl Macro {
    fn parse(inner: &str, explains: bool) -> Option<Macro> {
        let first = inner.chars().next()?;
        let letter = first.to_ascii_lowercase();
        // c, r and t are for explanations alone (§7.2).
        if !"slodiphvcrt"
            .get(..if explains { 11 } else { 8 })?
            .contains(letter)
        {
            return None;
        }
        let rest = inner.get(1..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        let parts = if number.is_empty() {
            0
        } else {
            number.parse().unwrap_or(usize::MAX)
        };
        if !number.is_empty() && parts == 0 {
            return None;
        }
        let behind = rest.strip_prefix(['r', 'R']);
        let delimiters = behind.unwrap_or(rest);
        delimiters
            .chars()
            .all(|c| ".-+,/_=".contains(c))
            .then(|| Macro {
                letter,
                escape: first.is_ascii_uppercase(),
                parts,
                reverse: behind.is_some(),
                delimiters: if delimiters.is_empty() {
                    ".".into()
                } else {
                    delimiters.into()
                },
            })
    }

    fn expand(&self, given: &Given<'_>, domain: &str, validated: &[String], out: &mut String) {
        let value = match self.letter {
            's' => format!("{}@{}", given.local, given.domain),
            'l' => given.local.to_owned(),
            'o' => given.domain.to_owned(),
            'd' => domain.to_owned(),
            'i' => dotted(given.ip),
            'h' => given.helo.to_owned(),
            'v' if given.ip.is_ipv4() => "in-addr".to_owned(),
            'v' => "ip6".to_owned(),
            'c' => given.ip.to_string(),
            'r' => given.receiver.to_owned(),
            't' => given.now.to_string(),
            _ => best_name(domain, validated).to_owned(),
        };
        let mut parts: Vec<&str> = value.split(|c| self.delimiters.contains(c)).collect();
        if self.reverse {
            parts.reverse();
        }
        let skip = if self.parts == 0 {
            0
        } else {
            parts.len().saturating_sub(self.parts)
        };
        let text = parts.get(skip..).unwrap_or_default().join(".");
        if !self.escape {
            return out.push_str(&text);
        }
        for octet in text.bytes() {
            if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
                out.push(char::from(octet));
            } else {
                // Writing to a String cannot fail.
                let _ = write!(out, "%{octet:02X}");
            }
        }
    }
}

/// `p` (§7.3): the domain itself, a name below it, any other, or `unknown`.
fn best_name<'a>(domain: &str, validated: &'a [String]) -> &'a str {
    let same = validated
        .iter()
        .find(|name| name.eq_ignore_ascii_case(domain));
    let below = || validated.iter().find(|name| is_below(name, domain));
    same.or_else(below)
        .or(validated.first())
        .map_or("unknown", String::as_str)
}
