//! URLFETCH (RFC 4467 §7, RFC 5524).

use super::cursor::{Cursor, Parsed};

/// What URLFETCH wants of one URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The URL as written.
    pub url: String,
    /// `BODYPARTSTRUCTURE`
    pub structure: bool,
    /// `BODY`
    pub body: bool,
    /// `BINARY`
    pub binary: bool,
}

/// `1*(SP url-fetch-arg)` (RFC 5524 §5).
pub fn urlfetch(c: &mut Cursor<'_>) -> Parsed<Vec<Wanted>> {
    let mut all = Vec::new();
    loop {
        c.space()?;
        let mut wanted = Wanted::default();
        let listed = c.eat(b'(');
        wanted.url = c.astring_text()?;
        if listed {
            parameters(c, &mut wanted)?;
        }
        all.push(wanted);
        if c.rest().iter().all(|b| *b == b' ') {
            return Ok(all);
        }
    }
}

/// RFC 5524 §3.1: each at most once, BODY and BINARY not both.
fn parameters(c: &mut Cursor<'_>, wanted: &mut Wanted) -> Parsed<()> {
    while !c.eat(b')') {
        c.space()?;
        let here = c.clone();
        let word = c.word()?;
        let Wanted {
            structure,
            body,
            binary,
            ..
        } = wanted;
        let again = match word.as_str() {
            "BODYPARTSTRUCTURE" => std::mem::replace(structure, true),
            "BODY" => *binary || std::mem::replace(body, true),
            "BINARY" => *body || std::mem::replace(binary, true),
            _ => true,
        };
        if again {
            return here.fail(&"BODYPARTSTRUCTURE, and either BODY or BINARY, once");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |text: &str| urlfetch(&mut Cursor::new(text.as_bytes(), false));
        let found = parse(" a (b BINARY BODYPARTSTRUCTURE) (c)").unwrap();
        assert!(found.len() == 3 && found[1].binary && found[1].structure && !found[2].body);
        for bad in ["", " (a BODY BINARY)", " (a BODY BODY)", " (a X)", " (a"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
