//! APPEND (RFC 9051 §6.3.12, RFC 6855 §4). Its message never passes through here: the framer stops
//! at the literal, and this parses what stands before and behind it.

use super::cursor::{Cursor, Parsed};
use super::flag::{self, Flag};
use super::{date, mailbox};

/// What stands before the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    /// The mailbox.
    pub name: String,
    /// The message's flags.
    pub flags: Vec<Flag>,
    /// INTERNALDATE, seconds since 1970.
    pub date: Option<i64>,
    /// `UTF8 (~{n}`: a `)` follows the message.
    pub utf8: bool,
}

/// True if `text`, which a literal's head follows, is an APPEND that has its mailbox already: the
/// literal is the message.
pub fn wants_message(text: &[u8]) -> bool {
    let mut c = Cursor::new(text, true);
    let mut begin = || -> Parsed<bool> {
        c.take_while(|b| b != b' ');
        c.space()?;
        let append = c.eat_word("APPEND ");
        c.astring()?;
        c.space()?;
        Ok(append)
    };
    begin().unwrap_or(false)
}

/// `SP mailbox SP [flag-list SP] [date-time SP] ["UTF8" SP "("]`, up to the literal.
pub fn append(c: &mut Cursor<'_>) -> Parsed<Append> {
    let name = mailbox::only(c)?;
    c.space()?;
    let mut flags = Vec::new();
    if c.peek() == Some(b'(') {
        flags = flag::list(c)?;
        c.space()?;
    }
    let mut date = None;
    if c.peek() == Some(b'"') {
        date = Some(date::date_time(c)?);
        c.space()?;
    }
    let utf8 = c.eat_word("UTF8 (");
    if !c.is_end() {
        return c.fail("the message as a literal");
    }
    Ok(Append {
        name,
        flags,
        date,
        utf8,
    })
}

/// What stands behind the message.
pub fn tail(text: &[u8], utf8: bool) -> Parsed<()> {
    let mut c = Cursor::new(text, true);
    if utf8 {
        c.close()?;
    }
    c.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        assert!(wants_message(b"a APPEND box "));
        assert!(wants_message(
            b"a append {3}\r\nbox (\\Seen) \"17-Jul-1996 02:44:25 -0700\" "
        ));
        assert!(
            !wants_message(b"a APPEND ") && !wants_message(b"a LOGIN x ") && !wants_message(b"")
        );
        let parse = |t: &str| append(&mut Cursor::new(t.as_bytes(), false));
        let found = parse(" box (\\Seen $x) \"17-Jul-1996 02:44:25 -0700\" UTF8 (").unwrap();
        assert!(found.utf8 && found.flags.len() == 2 && found.date == Some(837_596_665));
        assert!(parse(" box ").is_ok());
        assert!(
            parse(" box").is_err() && parse(" box (\\Foo) ").is_err() && parse(" box x").is_err()
        );
        assert!(tail(b")", true).is_ok() && tail(b"", false).is_ok() && tail(b"x", false).is_err());
    }
}
