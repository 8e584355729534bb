//! RESETKEY (RFC 4467 §7).

use super::cursor::{Cursor, Parsed};
use super::mailbox;

/// `[SP mailbox *(SP mechanism)]` (RFC 4467 §9).
pub fn resetkey(c: &mut Cursor<'_>) -> Parsed<Option<(String, Vec<String>)>> {
    if c.rest().iter().all(|b| *b == b' ') {
        return Ok(None);
    }
    let name = mailbox::only(c)?;
    let mut mechanisms = Vec::new();
    while c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        mechanisms.push(c.word()?);
    }
    Ok(Some((name, mechanisms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |text: &str| resetkey(&mut Cursor::new(text.as_bytes(), false));
        assert_eq!(parse(""), Ok(None));
        let one = Some(("INBOX".into(), vec!["INTERNAL".into()]));
        assert_eq!(parse(" inbox internal"), Ok(one));
    }
}
