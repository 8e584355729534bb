//! COMPARATOR (RFC 5255 §4.10).

use super::cursor::{Cursor, Parsed};

/// `*(SP comp-order-quoted)`: comparators by preference; none asks which one is active.
pub fn comparator(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    let mut wanted = Vec::new();
    while c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        wanted.push(c.astring_text()?);
    }
    Ok(wanted)
}

/// Does a collation specification (RFC 4790 §3.2: a name, `*` for any part of it) mean `name`?
pub fn matches(wanted: &str, name: &str) -> bool {
    let mut parts = wanted.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = strip(name, first) else {
        return false;
    };
    let mut open = false;
    for part in parts {
        open = true;
        // The earliest place leaves the most for what follows.
        let Some(tail) = (0..=rest.len()).find_map(|at| strip(rest.get(at..)?, part)) else {
            return false;
        };
        rest = tail;
    }
    let last = wanted.rsplit('*').next().unwrap_or_default();
    rest.is_empty() || (open && ends(name, last) && name.len() >= first.len() + last.len())
}

fn strip<'a>(name: &'a str, head: &str) -> Option<&'a str> {
    let (start, rest) = name.split_at_checked(head.len())?;
    start.eq_ignore_ascii_case(head).then_some(rest)
}

fn ends(name: &str, tail: &str) -> bool {
    let at = name.len().checked_sub(tail.len());
    at.and_then(|at| name.get(at..))
        .is_some_and(|end| end.eq_ignore_ascii_case(tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5255 §4.7.
    #[test]
    fn rfc_example() {
        let parse = |text: &str| comparator(&mut Cursor::new(text.as_bytes(), false));
        assert_eq!(
            parse(" \"cz;*\" i;basic"),
            Ok(vec!["cz;*".into(), "i;basic".into()])
        );
        assert_eq!(parse(""), Ok(vec![]));
        assert!(parse(" (").is_err());
    }

    #[test]
    fn wildcards() {
        let name = "i;unicode-casemap";
        for yes in [
            "i;*",
            "*",
            "I;Unicode-*p",
            name,
            "*casemap",
            "i*-*map",
            "**",
        ] {
            assert!(matches(yes, name), "{yes}");
        }
        for no in [
            "cz;*",
            "i;unicode",
            "",
            "*casemapp",
            "i;*x",
            "casemap",
            "i;unicode-casemap*p",
        ] {
            assert!(!matches(no, name), "{no}");
        }
    }
}
