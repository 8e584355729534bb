//! STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use super::cursor::{Cursor, Error, Parsed};
use super::flag::{self, Flag};
use super::set::Set;

/// The arguments of STORE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The messages.
    pub set: Set,
    /// Only messages not changed since this modification sequence.
    pub unchanged_since: Option<u64>,
    /// How the flags change.
    pub how: How,
    /// `.SILENT`: the client does not want to be told.
    pub silent: bool,
    /// The flags.
    pub flags: Vec<Flag>,
}

/// How flags change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

/// `SP sequence-set [SP "(" modifiers ")"] SP store-att-flags`
pub fn store(c: &mut Cursor<'_>) -> Parsed<Store> {
    c.space()?;
    let set = Set::parse(c)?;
    c.space()?;
    let mut unchanged_since = None;
    if c.peek() == Some(b'(') {
        let at = c.position();
        let found = c.list(true, modifier)?;
        // RFC 7162 §7: "Only a single UNCHANGEDSINCE may be specified".
        if found.len() > 1 {
            let wanted = &"UNCHANGEDSINCE once";
            return Err(Error { at, wanted });
        }
        unchanged_since = found.last().copied();
        c.space()?;
    }
    let how = match c.peek() {
        Some(b'+') => How::Add,
        Some(b'-') => How::Remove,
        _ => How::Replace,
    };
    c.eat(if how == How::Add { b'+' } else { b'-' });
    if !c.eat_word("FLAGS") {
        return c.fail(&"FLAGS, +FLAGS or -FLAGS");
    }
    let silent = c.eat_word(".SILENT");
    c.space()?;
    let flags = flag::list_or_bare(c)?;
    Ok(Store {
        set,
        unchanged_since,
        how,
        silent,
        flags,
    })
}

fn modifier(c: &mut Cursor<'_>) -> Parsed<u64> {
    if !c.eat_word("UNCHANGEDSINCE") {
        return c.fail(&"UNCHANGEDSINCE");
    }
    c.space()?;
    c.number64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Store> {
        store(&mut Cursor::new(text.as_bytes(), false))
    }

    #[test]
    fn forms() {
        let found = parse(" 2:4 +FLAGS.SILENT (\\Deleted)").unwrap();
        assert_eq!(
            (found.how, found.silent, found.flags),
            (How::Add, true, vec![Flag::Deleted])
        );
        assert_eq!(parse(" 1 flags \\Seen $x").unwrap().flags.len(), 2);
        assert_eq!(parse(" 1 -FLAGS ()").unwrap().how, How::Remove);
        assert_eq!(
            parse(" 7 (UNCHANGEDSINCE 320162338) +FLAGS (a)")
                .unwrap()
                .unchanged_since,
            Some(320_162_338)
        );
        assert!(parse(" 1 FLAGS").is_err() && parse(" 1 +FOO (a)").is_err());
    }
}
