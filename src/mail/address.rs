//! Envelope addresses: the `Mailbox` of RFC 5321 §4.1.2, widened by RFC 6531 §3.3.
//!
//! An envelope address is not a header address: no display name, no comments, no folding. It lives
//! here and not with SMTP because JMAP, the queue and bounces carry the same thing. Parsing is pure
//! and bounded by [`limits::LOCAL_PART`] and [`limits::DOMAIN`].
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits;

/// `local-part@domain`. The local part is held unquoted, so that every quoted form compares equal
/// (RFC 5321 §4.1.2); the domain is held as it was written, an address literal with its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    local: String,
    domain: String,
}

/// Why text is no address. A peer is told which side of the `@` is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// The local part: empty, a misplaced dot, a character that wants quoting, a quote left open.
    Local,
    /// The `@`, the domain or the address literal.
    Domain,
    /// Longer than [`limits::LOCAL_PART`] or [`limits::DOMAIN`].
    TooLong,
}

impl Address {
    /// An address of a local part (unquoted) and a domain that are known; `None` if they are none.
    pub fn new(local: &str, domain: &str) -> Option<Address> {
        let address = Address {
            local: local.to_owned(),
            domain: domain.to_owned(),
        };
        Address::parse(&address.to_string()).ok()
    }

    /// The whole of `text` as an address.
    pub fn parse(text: &str) -> Result<Address, AddressError> {
        match Address::parse_prefix(text)? {
            (address, "") => Ok(address),
            _ => Err(AddressError::Domain),
        }
    }

    /// The address at the start of `text`, and what follows it.
    pub fn parse_prefix(text: &str) -> Result<(Address, &str), AddressError> {
        let (local, rest) = local_part(text)?;
        let rest = rest.strip_prefix('@').ok_or(AddressError::Domain)?;
        let (domain, rest) = domain_or_literal(rest)?;
        if local.len() > limits::LOCAL_PART || domain.len() > limits::DOMAIN {
            return Err(AddressError::TooLong);
        }
        Ok((
            Address {
                local,
                domain: domain.to_owned(),
            },
            rest,
        ))
    }

    /// The local part without quotes and backslashes.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain, or the address literal with its brackets. Compare without regard to case.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Whether the domain is an address literal such as `[192.0.2.1]`.
    pub fn is_literal(&self) -> bool {
        self.domain.starts_with('[')
    }

    /// Whether the address can be sent to a peer without SMTPUTF8 (RFC 6531 §3.2).
    pub fn is_ascii(&self) -> bool {
        self.local.is_ascii() && self.domain.is_ascii()
    }
}

/// Written with the least quoting that is valid (RFC 5321 §4.1.2).
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            return write!(f, "{}@{}", self.local, self.domain);
        }
        f.write_str("\"")?;
        for c in self.local.chars() {
            if c == '"' || c == '\\' {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        write!(f, "\"@{}", self.domain)
    }
}

/// `atext` of RFC 5322 §3.2.3 with the non-ASCII of RFC 6531 §3.3.
pub fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control())
}

fn is_dot_string(local: &str) -> bool {
    local
        .split('.')
        .all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

fn local_part(text: &str) -> Result<(String, &str), AddressError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return quoted_string(quoted);
    }
    let end = text
        .find(|c| c != '.' && !is_atext(c))
        .unwrap_or(text.len());
    let (local, rest) = text.split_at(end);
    if is_dot_string(local) {
        Ok((local.to_owned(), rest))
    } else {
        Err(AddressError::Local)
    }
}

/// The inside of a quoted string, up to and with its closing quote.
fn quoted_string(text: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let taken = match c {
            '"' if local.is_empty() => return Err(AddressError::Local),
            '"' => return Ok((local, text.get(at + 1..).unwrap_or(""))),
            '\\' => match chars.next() {
                Some((_, quoted @ ' '..='~')) => quoted,
                _ => return Err(AddressError::Local),
            },
            ' '..='~' => c,
            _ if !c.is_ascii() && !c.is_control() => c,
            _ => return Err(AddressError::Local),
        };
        local.push(taken);
        if local.len() > limits::LOCAL_PART {
            return Err(AddressError::TooLong);
        }
    }
    Err(AddressError::Local)
}

fn domain_or_literal(text: &str) -> Result<(&str, &str), AddressError> {
    let end = if text.starts_with('[') {
        text.find(']')
            .map(|at| at + 1)
            .ok_or(AddressError::Domain)?
    } else {
        text.find(|c: char| !is_domain_char(c))
            .unwrap_or(text.len())
    };
    let (domain, rest) = text.split_at(end);
    let valid = if domain.starts_with('[') {
        is_literal(domain)
    } else {
        is_domain(domain)
    };
    if valid {
        Ok((domain, rest))
    } else {
        Err(AddressError::Domain)
    }
}

fn is_domain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '.' || (!c.is_ascii() && !c.is_control())
}

/// `Domain` of RFC 5321 §4.1.2 with U-labels (RFC 6531 §3.3). No underscore and no trailing dot:
/// §4.1.2 wants 501 for both.
pub fn is_domain(domain: &str) -> bool {
    !domain.is_empty() && domain.len() <= limits::DOMAIN && domain.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    (1..=limits::DOMAIN_LABEL).contains(&label.len())
        && label.chars().all(|c| c != '.' && is_domain_char(c))
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// `address-literal` of RFC 5321 §4.1.3, brackets included.
pub fn is_literal(text: &str) -> bool {
    literal_address(text).is_some() || general_literal(text)
}

/// The IP address inside an address literal.
pub fn literal_address(text: &str) -> Option<std::net::IpAddr> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => {
            inner.get(5..)?.parse::<Ipv6Addr>().ok().map(Into::into)
        }
        _ => inner.parse::<Ipv4Addr>().ok().map(Into::into),
    }
}

fn general_literal(text: &str) -> bool {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let Some((tag, content)) = inner.and_then(|inner| inner.split_once(':')) else {
        return false;
    };
    !tag.eq_ignore_ascii_case("IPv6")
        && is_label(tag)
        && tag.is_ascii()
        && !content.is_empty()
        && content.bytes().all(|b| matches!(b, 33..=90 | 94..=126))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Option<(String, String)> {
        Address::parse(text).ok().map(|a| (a.local, a.domain))
    }

    #[test]
    fn plain_quoted_and_literal_addresses() {
        for (text, local, domain) in [
            ("fred@example.com", "fred", "example.com"),
            (
                "fred.o'hara+list=x@example.com",
                "fred.o'hara+list=x",
                "example.com",
            ),
            ("\"fred\"@example.com", "fred", "example.com"),
            ("\"Joe\\,Smith\"@example.com", "Joe,Smith", "example.com"),
            ("\"a b@c\"@x", "a b@c", "x"),
            ("a@[192.0.2.1]", "a", "[192.0.2.1]"),
            ("a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]"),
            ("a@[tag:content]", "a", "[tag:content]"),
            ("用户@例子.example", "用户", "例子.example"),
            ("\"ü ü\"@x.y", "ü ü", "x.y"),
        ] {
            assert_eq!(parts(text), Some((local.into(), domain.into())), "{text}");
        }
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "@",
            "a",
            "a@",
            "@b",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a b@c",
            "a@b c",
            "a@b.",
            "a@.b",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b_c",
            "a@[1.2.3]",
            "a@[1.2.3.4",
            "a@[IPv6:zz]",
            "a@[]",
            "\"a@b",
            "\"\"@b",
            "\"a\"b@c",
            "\"a\\",
            "\"a\u{7f}\"@b",
            "a\0@b",
            "a@b\r\n",
            "\"a\n\"@b",
            "a@b@c",
            "a\u{85}@b",
        ] {
            assert!(Address::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Address::parse(&format!("{}@x", "a".repeat(400))),
            Err(AddressError::TooLong)
        );
        assert_eq!(
            Address::parse(&format!("\"{}\"@x", "a".repeat(400))),
            Err(AddressError::TooLong)
        );
        assert!(Address::parse(&format!("a@{}", "b".repeat(64))).is_err());
        assert!(Address::parse(&format!("a@{}b", "b.".repeat(200))).is_err());
    }

    #[test]
    fn quoting_is_minimal() {
        for (text, shown) in [
            ("\"fred\"@x", "fred@x"),
            ("\"a b\"@x", "\"a b\"@x"),
            ("\"a\\\"\\\\\"@x", "\"a\\\"\\\\\"@x"),
            ("\"a..b\"@x", "\"a..b\"@x"),
        ] {
            assert_eq!(
                Address::parse(text).map(|a| a.to_string()),
                Ok(shown.into())
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = Address::parse(&text);
        }

        #[test]
        fn shown_and_parsed_again(local in "[ -~ü]{1,20}", domain in "[a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){0,3}") {
            let address = Address { local, domain };
            prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
        }
    }
}
