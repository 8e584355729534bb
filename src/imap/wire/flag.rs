//! Flags and keywords (RFC 9051 §2.3.2).

use super::cursor::{Cursor, Parsed, is_atom};

/// A flag as a client names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// `\Seen`
    Seen,
    /// `\Answered`
    Answered,
    /// `\Flagged`
    Flagged,
    /// `\Deleted`
    Deleted,
    /// `\Draft`
    Draft,
    /// `\Recent`, which no client can set (RFC 3501 §2.3.2).
    Recent,
    /// A keyword, in the spelling the client used.
    Keyword(String),
}

const SYSTEM: [(&str, Flag); 6] = [
    ("Seen", Flag::Seen),
    ("Answered", Flag::Answered),
    ("Flagged", Flag::Flagged),
    ("Deleted", Flag::Deleted),
    ("Draft", Flag::Draft),
    ("Recent", Flag::Recent),
];

/// `flag`. An unknown `\Name` is refused: there are no others to store (RFC 9051 §2.3.2).
pub fn flag(c: &mut Cursor<'_>) -> Parsed<Flag> {
    if c.peek() != Some(b'\\') {
        return keyword(c).map(Flag::Keyword);
    }
    let start = c.clone();
    c.eat(b'\\');
    let word = c.atom_text()?;
    let known = SYSTEM
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(&word));
    match known {
        Some((_, flag)) => Ok(flag),
        None => start.fail(&"one of \\Seen \\Answered \\Flagged \\Deleted \\Draft"),
    }
}

/// `flag-keyword`. Clients that send `]` inside one are forgiven.
pub fn keyword(c: &mut Cursor<'_>) -> Parsed<String> {
    match c.take_while(|b| is_atom(b) || b == b']') {
        [] => c.fail(&"a flag"),
        atom => Ok(String::from_utf8_lossy(atom).into_owned()),
    }
}

/// `flag-list`.
pub fn list(c: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    c.list(true, flag)
}

/// `flag-list / (flag *(SP flag))`, as STORE takes them.
pub fn list_or_bare(c: &mut Cursor<'_>) -> Parsed<Vec<Flag>> {
    if c.peek() == Some(b'(') {
        return list(c);
    }
    let mut flags = vec![flag(c)?];
    while c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        flags.push(flag(c)?);
    }
    Ok(flags)
}

/// Writes a flag.
pub fn write(out: &mut Vec<u8>, flag: &Flag) {
    if let Flag::Keyword(word) = flag {
        return out.extend_from_slice(word.as_bytes());
    }
    if let Some((name, _)) = SYSTEM.iter().find(|(_, known)| known == flag) {
        out.push(b'\\');
        out.extend_from_slice(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags() {
        let mut c = Cursor::new(b"(\\seen $Forwarded \\FLAGGED)", false);
        let flags = list(&mut c).unwrap();
        assert_eq!(
            flags,
            [
                Flag::Seen,
                Flag::Keyword("$Forwarded".into()),
                Flag::Flagged
            ]
        );
        let mut out = Vec::new();
        flags.iter().for_each(|f| write(&mut out, f));
        assert_eq!(out, b"\\Seen$Forwarded\\Flagged");
        assert_eq!(list(&mut Cursor::new(b"()", false)).unwrap(), []);
        assert_eq!(
            list_or_bare(&mut Cursor::new(b"\\Seen a", false))
                .unwrap()
                .len(),
            2
        );
        assert!(list(&mut Cursor::new(b"(\\Foo)", false)).is_err());
        assert!(list(&mut Cursor::new(b"(a", false)).is_err());
    }
}
