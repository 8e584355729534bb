//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3, §7).

use super::cursor::{Cursor, Parsed};
use super::mailbox;
use crate::mail::Rights;

/// A command about the rights on a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// The mailbox.
    pub mailbox: String,
    /// What about it.
    pub what: What,
}

/// What is done with an access control list. Identifiers are as the client wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// SETACL: an identifier, and the change of its rights.
    Set(String, Change),
    /// DELETEACL: an identifier.
    Delete(String),
    /// GETACL.
    Get,
    /// LISTRIGHTS: an identifier.
    List(String),
    /// MYRIGHTS.
    Mine,
}

/// `mod-rights`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `+`: as well.
    Add(Rights),
    /// `-`: not any more.
    Remove(Rights),
    /// These and no others.
    Replace(Rights),
}

/// `SP mailbox [SP identifier [SP mod-rights]]` behind the command's name; `None` if that is another
/// command's.
pub fn acl(c: &mut Cursor<'_>, word: &str) -> Parsed<Option<Acl>> {
    if !matches!(
        word,
        "SETACL" | "DELETEACL" | "GETACL" | "LISTRIGHTS" | "MYRIGHTS"
    ) {
        return Ok(None);
    }
    let mailbox = mailbox::only(c)?;
    let what = match word {
        "SETACL" => {
            let identifier = identifier(c)?;
            What::Set(identifier, change(c)?)
        }
        "DELETEACL" => What::Delete(identifier(c)?),
        "LISTRIGHTS" => What::List(identifier(c)?),
        "GETACL" => What::Get,
        _ => What::Mine,
    };
    Ok(Some(Acl { mailbox, what }))
}

/// `SP identifier`; RFC 4314 §3: none that prepares to nothing.
fn identifier(c: &mut Cursor<'_>) -> Parsed<String> {
    c.space()?;
    let start = c.clone();
    match c.astring_text()? {
        text if text.trim().is_empty() => start.fail(&"an identifier"),
        text => Ok(text),
    }
}

/// `SP mod-rights`; what is no right is refused, never left out (RFC 4314 §3.1).
fn change(c: &mut Cursor<'_>) -> Parsed<Change> {
    c.space()?;
    let start = c.clone();
    let text = c.astring_text()?;
    let (sign, letters) = match text.strip_prefix(['+', '-']) {
        Some(rest) => (text.as_bytes().first().copied(), rest),
        None => (None, text.as_str()),
    };
    let Ok(rights) = Rights::parse(letters) else {
        return start.fail(&"rights out of lrswipkxteacd");
    };
    Ok(match sign {
        Some(b'+') => Change::Add(rights),
        Some(_) => Change::Remove(rights),
        None => Change::Replace(rights),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::wire::{Command, command};

    fn parse(text: &str) -> Option<Acl> {
        match command(text.as_bytes(), false).1 {
            Ok(Command::Acl(acl)) => Some(acl),
            _ => None,
        }
    }

    /// The examples of RFC 4314 §3.
    #[test]
    fn rfc4314_examples() {
        let set = parse("A002 SETACL INBOX/Drafts Chris +cda").unwrap();
        let wanted = Rights::parse("kxtea").unwrap();
        assert_eq!(set.mailbox, "INBOX/Drafts");
        assert_eq!(set.what, What::Set("Chris".into(), Change::Add(wanted)));
        assert_eq!(parse("A035 SETACL INBOX/Drafts John lrQswicda"), None);
        assert_eq!(parse("A036 SETACL INBOX/Drafts John lrqswicda"), None);
        assert_eq!(
            parse("B002 DeleteAcl INBOX Fred").map(|acl| acl.what),
            Some(What::Delete("Fred".into()))
        );
        assert_eq!(
            parse("A002 GETACL INBOX").map(|acl| acl.what),
            Some(What::Get)
        );
        assert_eq!(
            parse("a001 LISTRIGHTS ~/Mail/saved smith").map(|acl| acl.what),
            Some(What::List("smith".into()))
        );
        assert_eq!(
            parse("A003 MYRIGHTS INBOX").map(|acl| acl.what),
            Some(What::Mine)
        );
    }

    #[test]
    fn rights_are_added_taken_or_set() {
        let change = |text: &str| parse(text).map(|acl| acl.what);
        let none = Change::Replace(Rights::NONE);
        assert_eq!(
            change("a SETACL x y \"\""),
            Some(What::Set("y".into(), none))
        );
        let less = Change::Remove(Rights::parse("te").unwrap());
        assert_eq!(
            change("a SETACL x \"my phone\" -d"),
            Some(What::Set("my phone".into(), less))
        );
        for bad in [
            "a SETACL x y",
            "a SETACL x \"\" lr",
            "a SETACL x y +-l",
            "a MYRIGHTS",
            "a GETACL x y",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
