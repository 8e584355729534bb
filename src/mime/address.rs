//! Address lists (RFC 5322 §3.4) as the wild writes them, the obsolete forms of §4.4 included.
//!
//! One parser: it gives the flat list IMAP shows ([`Address`]); JMAP's Addresses and
//! GroupedAddresses (RFC 8621 §4.1.2.3 and §4.1.2.4) are made from it, so from a stored envelope as
//! well.
use super::structure::Address;
use super::{header, words};

/// JMAP's EmailAddress (RFC 8621 §4.1.2.3), decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// Display name.
    pub name: Option<String>,
    /// `local@domain`, or whatever stood in its place.
    pub email: String,
}

/// JMAP's EmailAddressGroup (RFC 8621 §4.1.2.4), decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// `None` for addresses that are in no group.
    pub name: Option<String>,
    /// Its members.
    pub addresses: Vec<Mailbox>,
}

impl Address {
    /// `local@domain` of a mailbox, the local part quoted where RFC 5322 §3.4.1 wants it; without
    /// the `@` where there is no domain. `None` for group marks.
    pub fn email(&self) -> Option<String> {
        let Address::Mailbox { local, host, .. } = self else {
            return None;
        };
        let (local, host) = (
            String::from_utf8_lossy(local),
            String::from_utf8_lossy(host),
        );
        match host.is_empty() {
            true => Some(local.into_owned()),
            false if is_dot_atom(&local) => Some(format!("{local}@{host}")),
            false => Some(format!("{}@{host}", quote(&local))),
        }
    }
}

/// Every mailbox of the list (RFC 8621 §4.1.2.3).
pub fn mailboxes(list: &[Address]) -> Vec<Mailbox> {
    groups(list)
        .into_iter()
        .flat_map(|group| group.addresses)
        .collect()
}

/// The list by groups (RFC 8621 §4.1.2.4).
pub fn groups(list: &[Address]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut open = false; // the last group takes what follows
    for address in list {
        match address {
            Address::Group(name) => {
                groups.push(Group {
                    name: Some(decode_name(name)),
                    ..Group::default()
                });
                open = true;
            }
            Address::GroupEnd => open = false,
            Address::Mailbox { name, .. } => {
                if !open {
                    groups.push(Group::default());
                    open = true;
                }
                let name = name.as_deref().map(decode_name).filter(|it| !it.is_empty());
                let email = address.email().unwrap_or_default();
                if let Some(group) = groups.last_mut() {
                    group.addresses.push(Mailbox { name, email });
                }
            }
        }
    }
    groups
}

fn decode_name(name: &[u8]) -> String {
    words::decode_anywhere(&header::unfold(name))
        .trim()
        .to_owned()
}

/// True where `text` needs no quotes as a local part (RFC 5322 §3.2.3).
pub fn is_dot_atom(text: &str) -> bool {
    text.split('.')
        .all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

/// RFC 5322 §3.2.3 atext, with the octets of RFC 6532.
pub fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet >= 0x80 || b"!#$%&'*+-/=?^_`{|}~".contains(&octet)
}

/// A quoted string (RFC 5322 §3.2.4).
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars().filter(|it| !matches!(it, '\r' | '\n' | '\0')) {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted + "\""
}

/// Parses a raw field value, keeping at most `max` elements.
pub fn parse(value: &[u8], max: usize) -> Vec<Address> {
    let mut parser = Parser {
        octets: value,
        at: 0,
        list: Vec::new(),
        max,
    };
    let mut in_group = false;
    while parser.list.len() < max && parser.element(&mut in_group) {}
    if in_group {
        parser.list.push(Address::GroupEnd);
    }
    parser.list
}

struct Parser<'a> {
    octets: &'a [u8],
    at: usize,
    list: Vec<Address>,
    max: usize,
}

/// What one element is made of until it is known what it is.
#[derive(Default)]
struct Element {
    /// Words, quotes removed.
    text: Vec<u8>,
    /// Where in `text` the last `@` outside of quotes stands.
    at_sign: Option<usize>,
    /// White space came after the last word.
    space: bool,
    /// The last comment.
    comment: Option<Vec<u8>>,
    /// What stood between angle brackets: local part and host.
    angle: Option<(Vec<u8>, Vec<u8>)>,
    /// Any word or bracket at all.
    any: bool,
}

impl Element {
    fn word(&mut self, word: &[u8]) {
        if self.space && !self.text.is_empty() {
            self.text.push(b' ');
        }
        self.space = false;
        self.any = true;
        if self.angle.is_none() {
            self.text.extend_from_slice(word);
        }
    }

    fn into_address(self) -> Option<Address> {
        if !self.any {
            return None;
        }
        if let Some((local, host)) = self.angle {
            let name = Some(self.text).filter(|it| !it.is_empty()).or(self.comment);
            return Some(Address::Mailbox { name, local, host });
        }
        let (local, host) = split_at_sign(self.text, self.at_sign);
        Some(Address::Mailbox {
            name: self.comment,
            local,
            host,
        })
    }
}

fn split_at_sign(text: Vec<u8>, at_sign: Option<usize>) -> (Vec<u8>, Vec<u8>) {
    match at_sign.and_then(|at| text.split_at_checked(at)) {
        Some((local, host)) => {
            let host = host
                .iter()
                .skip(1)
                .copied()
                .filter(|it| *it != b' ')
                .collect();
            (local.trim_ascii().to_vec(), host)
        }
        None => (text, Vec::new()),
    }
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    /// Reads up to the next `,` `;` or group `:`. False at the end of the value.
    fn element(&mut self, in_group: &mut bool) -> bool {
        let mut element = Element::default();
        loop {
            let Some(octet) = self.peek() else {
                self.keep(element.into_address());
                return false;
            };
            match octet {
                b',' | b';' => {
                    self.at += 1;
                    self.keep(element.into_address());
                    if octet == b';' && std::mem::take(in_group) {
                        self.list.push(Address::GroupEnd);
                    }
                    return true;
                }
                b':' if element.at_sign.is_none() && element.angle.is_none() && !*in_group => {
                    self.at += 1;
                    self.keep(Some(Address::Group(element.text)));
                    *in_group = true;
                    return true;
                }
                _ => self.token(octet, &mut element),
            }
        }
    }

    fn keep(&mut self, address: Option<Address>) {
        if self.list.len() < self.max {
            self.list.extend(address);
        }
    }

    fn token(&mut self, octet: u8, element: &mut Element) {
        self.at += 1;
        match octet {
            b' ' | b'\t' | b'\r' | b'\n' => element.space = true,
            0 => {}
            b'(' => {
                element.comment = Some(self.comment()).filter(|it| !it.is_empty());
                element.space = true;
            }
            b'"' => {
                let word = self.quoted();
                element.word(&word);
            }
            b'<' => {
                element.any = true;
                element.angle = Some(self.angle());
            }
            b'@' => {
                element.space = false;
                element.word(b"@");
                element.at_sign = Some(element.text.len().saturating_sub(1));
            }
            b'[' => {
                let word = self.literal();
                element.word(&word);
            }
            // obs-phrase and obs-local-part: no white space around dots.
            b'.' if element.at_sign.is_some() => {
                element.space = false;
                element.word(b".");
            }
            _ => element.word(&[octet]),
        }
    }

    /// The inside of a comment (RFC 5322 §3.2.2), quoted pairs resolved, nested ones kept.
    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 1u32;
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'(' => depth += 1,
                b')' if depth == 1 => break,
                b')' => depth -= 1,
                b'\\' => {
                    text.extend(self.peek());
                    self.at += 1;
                    continue;
                }
                b'\r' | b'\n' | 0 => continue,
                _ => {}
            }
            text.push(octet);
        }
        text.trim_ascii().to_vec()
    }

    /// The inside of a quoted string (RFC 5322 §3.2.4), quoted pairs resolved.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some(octet) = self.peek() {
            self.at += 1;
            match octet {
                b'"' => break,
                b'\\' => {
                    text.extend(self.peek());
                    self.at += 1;
                }
                b'\r' | b'\n' | 0 => {}
                _ => text.push(octet),
            }
        }
        text
    }

    /// A domain literal with its brackets (RFC 5322 §3.4.1), white space removed.
    fn literal(&mut self) -> Vec<u8> {
        let mut text = vec![b'['];
        while let Some(octet) = self.peek().filter(|it| !matches!(it, b'>' | b',')) {
            self.at += 1;
            if !octet.is_ascii_whitespace() {
                text.push(octet);
            }
            if octet == b']' {
                break;
            }
        }
        text
    }

    /// What stands in angle brackets, as local part and host; a source route before a colon (RFC
    /// 5322 §4.4 obs-route) is dropped.
    fn angle(&mut self) -> (Vec<u8>, Vec<u8>) {
        let mut inside = Element::default();
        while let Some(octet) = self.peek() {
            match octet {
                b'>' => {
                    self.at += 1;
                    break;
                }
                b':' if inside.text.first() == Some(&b'@') => {
                    self.at += 1;
                    inside = Element::default();
                }
                b'<' => self.at += 1,
                b',' | b';' | b':' => {
                    self.at += 1;
                    inside.word(&[octet]);
                }
                _ => self.token(octet, &mut inside),
            }
        }
        split_at_sign(inside.text, inside.at_sign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `name|local|host` each, groups as `name:` and `;`.
    fn flat(value: &str) -> String {
        let show = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let list = parse(value.as_bytes(), 100);
        let shown = list.iter().map(|address| match address {
            Address::Mailbox { name, local, host } => {
                format!(
                    "{}|{}|{}",
                    show(name.as_deref().unwrap_or(b"-")),
                    show(local),
                    show(host)
                )
            }
            Address::Group(name) => show(name) + ":",
            Address::GroupEnd => ";".into(),
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn reads_the_examples_of_rfc_5322() {
        let cases = [
            (
                "John Doe <jdoe@machine.example>",
                "John Doe|jdoe|machine.example",
            ),
            (
                "\"Joe Q. Public\" <john.q.public@example.com>",
                "Joe Q. Public|john.q.public|example.com",
            ),
            (
                "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                "Mary Smith|mary|x.test -|jdoe|example.org Who?|one|y.test",
            ),
            (
                "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                "-|boss|nil.test Giant; \"Big\" Box|sysservices|example.net",
            ),
            (
                "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
                "A Group: Ed Jones|c|a.test -|joe|where.test John|jdoe|one.test ;",
            ),
            ("Undisclosed recipients:;", "Undisclosed recipients: ;"),
            (
                "Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
                "Pete|pete|silly.test",
            ),
            (
                "A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
                "A Group: Chris Jones|c|public.example -|joe|example.org John|jdoe|one.test ;",
            ),
            (
                "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
                "Hidden recipients: ;",
            ),
            (
                "Joe Q. Public <john.q.public@example.com>",
                "Joe Q. Public|john.q.public|example.com",
            ),
            (
                "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                "Mary Smith|mary|example.net -|jdoe|test.example",
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(flat(value), expected, "{value:?}");
        }
    }

    #[test]
    fn is_lenient_with_what_senders_write() {
        let cases = [
            ("", ""),
            (" , ;", ""),
            ("<>", "-||"),
            ("user@host (Real Name)", "Real Name|user|host"),
            ("a@b; c@d", "-|a|b -|c|d"),
            ("\"john doe\"@x.test", "-|john doe|x.test"),
            ("root@[127.0.0.1]", "-|root|[127.0.0.1]"),
            ("a@b <c@d>", "a@b|c|d"),
            ("postmaster", "-|postmaster|"),
            ("Group: a@b", "Group: -|a|b ;"),
            ("<unclosed@x", "-|unclosed|x"),
            ("\"a@b\" <c@d>", "a@b|c|d"),
        ];
        for (value, expected) in cases {
            assert_eq!(flat(value), expected, "{value:?}");
        }
        assert_eq!(parse(b"a@b,c@d,e@f", 2).len(), 2);
    }

    #[test]
    fn gives_the_forms_of_rfc_8621() {
        let value = b"\"  James Smythe\" <james@example.com>, Friends:\r\n  jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n  <john@example.com>;";
        let list = parse(value, 100);
        let mailbox = |name: Option<&str>, email: &str| Mailbox {
            name: name.map(str::to_owned),
            email: email.into(),
        };
        let james = mailbox(Some("James Smythe"), "james@example.com");
        let jane = mailbox(None, "jane@example.com");
        let john = mailbox(Some("John Smîth"), "john@example.com");
        assert_eq!(
            mailboxes(&list),
            [james.clone(), jane.clone(), john.clone()]
        );
        let expected = [
            Group {
                name: None,
                addresses: vec![james],
            },
            Group {
                name: Some("Friends".into()),
                addresses: vec![jane, john],
            },
        ];
        assert_eq!(groups(&list), expected);
        assert_eq!(parse(b"\"a b\"@c", 9)[0].email().unwrap(), "\"a b\"@c");
    }

    proptest! {
        #[test]
        fn no_octets_panic_and_groups_are_closed(value in "[a<>@,;:()\"\\\\ \\[\\].]{0,60}") {
            let list = parse(value.as_bytes(), 20);
            let count = |wanted: fn(&Address) -> bool| list.iter().filter(|it| wanted(it)).count();
            prop_assert_eq!(
                count(|it| matches!(it, Address::Group(_))),
                count(|it| matches!(it, Address::GroupEnd))
            );
            groups(&list);
        }
    }
}
