//! LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154), and how its patterns match.

use super::cursor::{Cursor, Error, Parsed, is_astring};
use super::{mailbox, metadata, status};

/// The arguments of LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// Selection options.
    pub select: Select,
    /// The reference name.
    pub reference: String,
    /// The patterns, not yet joined with the reference.
    pub patterns: Vec<String>,
    /// Return options.
    pub returns: Returns,
    /// The command is in the form of RFC 5258: answers may carry extended data.
    pub extended: bool,
}

/// Which mailboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Select {
    /// Subscribed names, whether they exist or not.
    pub subscribed: bool,
    /// Also parents of what matches.
    pub recursive: bool,
    /// Only those with a special use.
    pub special_use: bool,
}

/// What of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Returns {
    /// `\Subscribed`
    pub subscribed: bool,
    /// `\HasChildren`, `\HasNoChildren`
    pub children: bool,
    /// `\Drafts` and its kin
    pub special_use: bool,
    /// A METADATA answer with these entries (RFC 9590).
    pub metadata: Vec<String>,
    /// A STATUS answer with these.
    pub status: Vec<status::Item>,
    /// A MYRIGHTS answer (RFC 8440).
    pub my_rights: bool,
}

/// `[SP select-opts] SP mailbox SP mbox-or-pat [SP return-opts]`
pub fn list(c: &mut Cursor<'_>) -> Parsed<List> {
    c.space()?;
    let mut list = List::default();
    if c.peek() == Some(b'(') {
        list.select = select(c)?;
        list.extended = true;
        c.space()?;
    }
    list.reference = text(c, Cursor::astring)?;
    c.space()?;
    if c.peek() == Some(b'(') {
        list.patterns = c.list(false, |c| text(c, pattern))?;
        list.extended = true;
    } else {
        list.patterns = vec![text(c, pattern)?];
    }
    if c.eat_word(" RETURN ") {
        list.returns = returns(c)?;
        list.extended = true;
    }
    Ok(list)
}

fn select(c: &mut Cursor<'_>) -> Parsed<Select> {
    let at = c.position();
    let mut select = Select::default();
    c.list(true, |c| {
        let at = c.position();
        match c.word()?.as_str() {
            "SUBSCRIBED" => select.subscribed = true,
            "RECURSIVEMATCH" => select.recursive = true,
            "SPECIAL-USE" => select.special_use = true,
            "REMOTE" => {}
            _ => {
                return Err(Error {
                    at,
                    wanted: &"a LIST selection option",
                });
            }
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: RECURSIVEMATCH needs an option that it modifies.
    if select.recursive && !select.subscribed && !select.special_use {
        return Err(Error {
            at,
            wanted: &"an option beside RECURSIVEMATCH",
        });
    }
    Ok(select)
}

fn returns(c: &mut Cursor<'_>) -> Parsed<Returns> {
    let mut returns = Returns::default();
    c.list(true, |c| {
        let at = c.position();
        match c.word()?.as_str() {
            "SUBSCRIBED" => returns.subscribed = true,
            "CHILDREN" => returns.children = true,
            "SPECIAL-USE" => returns.special_use = true,
            "METADATA" => {
                c.space()?;
                returns.metadata = metadata::entries(c)?;
            }
            "MYRIGHTS" => returns.my_rights = true,
            "STATUS" => {
                c.space()?;
                returns.status = status::items(c)?;
            }
            _ => {
                return Err(Error {
                    at,
                    wanted: &"a LIST return option",
                });
            }
        }
        Ok(())
    })?;
    Ok(returns)
}

type Raw<'a> = std::borrow::Cow<'a, [u8]>;

/// `list-mailbox`
pub(super) fn pattern<'a>(c: &mut Cursor<'a>) -> Parsed<Raw<'a>> {
    match c.peek() {
        Some(b'"' | b'{') => c.string(),
        _ => match c.take_while(|b| is_astring(b) || matches!(b, b'%' | b'*')) {
            [] => c.fail(&"a mailbox name or pattern"),
            text => Ok(Raw::Borrowed(text)),
        },
    }
}

/// A name or pattern in the encoding agreed on.
pub(super) fn text<'a>(
    c: &mut Cursor<'a>,
    parse: impl Fn(&mut Cursor<'a>) -> Parsed<Raw<'a>>,
) -> Parsed<String> {
    let start = c.clone();
    let bytes = parse(c)?;
    mailbox::decode(&bytes, c.utf8).map_or_else(|| start.fail(&"a mailbox name or pattern"), Ok)
}

/// The pattern that reference and pattern make together (RFC 9051 §6.3.9): a pattern that starts
/// with the separator stands alone.
pub fn joined(reference: &str, pattern: &str) -> String {
    let whole = match pattern.strip_prefix(mailbox::SEPARATOR) {
        Some(rest) => rest.to_owned(),
        None => format!("{reference}{pattern}"),
    };
    mailbox::canonical(whole)
}

/// Does `name` match `pattern`? `*` stands for anything, `%` for anything without a separator;
/// INBOX in any case. Time is at most the product of the lengths.
pub fn matches(pattern: &str, name: &str) -> bool {
    let inbox = mailbox::inbox;
    wild(
        inbox(pattern.to_owned()).as_bytes(),
        inbox(name.to_owned()).as_bytes(),
    ) || (name == "INBOX" && wild(pattern.to_ascii_uppercase().as_bytes(), b"INBOX"))
}

/// The states of the pattern reachable so far, one bit each, carried over the name.
fn wild(pattern: &[u8], name: &[u8]) -> bool {
    let separator = u8::try_from(mailbox::SEPARATOR).unwrap_or(b'/');
    let mut states = vec![false; pattern.len() + 1];
    if let Some(first) = states.first_mut() {
        *first = true;
    }
    skip_wildcards(&mut states, pattern);
    for b in name {
        let mut next = vec![false; states.len()];
        for (i, p) in pattern.iter().enumerate() {
            if !states.get(i).copied().unwrap_or(false) {
                continue;
            }
            let to = match p {
                b'*' => i,
                b'%' if *b != separator => i,
                p if p == b && *p != b'%' => i + 1,
                _ => continue,
            };
            if let Some(state) = next.get_mut(to) {
                *state = true;
            }
        }
        states = next;
        skip_wildcards(&mut states, pattern);
    }
    states.last().copied().unwrap_or(false)
}

/// A wildcard may stand for nothing.
fn skip_wildcards(states: &mut [bool], pattern: &[u8]) {
    for (i, p) in pattern.iter().enumerate() {
        if matches!(p, b'*' | b'%')
            && states.get(i).copied().unwrap_or(false)
            && let Some(next) = states.get_mut(i + 1)
        {
            *next = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Parsed<List> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = list(&mut c)?;
        c.end()?;
        Ok(found)
    }

    #[test]
    fn forms() {
        assert_eq!(parse(" \"\" *").unwrap().patterns, ["*"]);
        let found = parse(" (subscribed) \"\" \"*\" return (special-use)").unwrap();
        assert!(found.select.subscribed && found.returns.special_use);
        let found = parse(" \"\" (a% \"b/*\") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))").unwrap();
        assert_eq!((found.patterns.len(), found.returns.status.len()), (2, 2));
        assert!(parse(" () \"\" \"\"").unwrap().extended);
        for bad in [
            " (RECURSIVEMATCH) \"\" *",
            " (REMOTE RECURSIVEMATCH) \"\" *",
            " \"\"",
            " (x) a b",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns() {
        assert!(matches("*", "a/b") && !matches("%", "a/b") && matches("%", "a"));
        assert!(matches("inbox", "INBOX") && matches("iNb%", "INBOX") && !matches("inb", "INBOX"));
        assert!(
            matches("a/%/c", "a/b/c") && !matches("a/%/c", "a/b/d/c") && matches("a*c", "a/b/c")
        );
        assert!(matches("%/%", "a/b") && !matches("%/%", "a") && matches("a%", "a"));
        assert_eq!(joined("a/", "%"), "a/%");
        assert_eq!(joined("a", "/b"), "b");
        assert!(!matches(&"*a".repeat(500), &"a".repeat(400)));
    }

    fn slow(p: &[u8], n: &[u8]) -> bool {
        match (p.split_first(), n.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if slow(rest, n) => true,
            (Some((b'*', _)), Some((_, more))) => slow(p, more),
            (Some((b'%', rest)), _) if slow(rest, n) => true,
            (Some((b'%', _)), Some((b, more))) => *b != b'/' && slow(p, more),
            (Some((a, rest)), Some((b, more))) => a == b && slow(rest, more),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn as_the_definition_says(p in "[ab/*%]{0,8}", n in "[ab/]{0,8}") {
            prop_assert_eq!(matches(&p, &n), slow(p.as_bytes(), n.as_bytes()));
        }
    }
}
