//! ID (RFC 2971).

use super::cursor::{Cursor, Parsed};

/// A client's name and version, as far as it gives them.
pub type Fields = Vec<(String, Option<String>)>;

/// Pairs taken from one ID (RFC 2971 §3.3 allows 30).
const PAIRS: usize = 30;

/// `SP ("(" [string SP nstring *(SP string SP nstring)] ")" / NIL)`
pub fn id(c: &mut Cursor<'_>) -> Parsed<Fields> {
    c.space()?;
    if c.eat_word("NIL") {
        return Ok(Vec::new());
    }
    let mut fields = c.list(true, |c| {
        let name = String::from_utf8_lossy(&c.string()?).into_owned();
        c.space()?;
        let value = c
            .nstring()?
            .map(|v| String::from_utf8_lossy(&v).into_owned());
        Ok((name, value))
    })?;
    fields.truncate(PAIRS);
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |t: &str| id(&mut Cursor::new(t.as_bytes(), false));
        assert_eq!(parse(" NIL"), Ok(vec![]));
        assert_eq!(parse(" ()"), Ok(vec![]));
        let found = parse(" (\"name\" \"sodr\" \"version\" NIL)").unwrap();
        assert_eq!(
            found,
            [
                ("name".into(), Some("sodr".into())),
                ("version".into(), None)
            ]
        );
        assert!(parse(" (\"name\")").is_err());
    }
}
