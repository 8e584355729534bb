//! STATUS (RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 8438, RFC 8474 §4.3).

use super::cursor::{Cursor, Error, Parsed};
use super::mailbox;

/// A figure of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// `MESSAGES`
    Messages,
    /// `RECENT` (RFC 3501)
    Recent,
    /// `UIDNEXT`
    UidNext,
    /// `UIDVALIDITY`
    UidValidity,
    /// `UNSEEN`
    Unseen,
    /// `DELETED`
    Deleted,
    /// `DELETED-STORAGE` (RFC 9208 §4.1.4)
    DeletedStorage,
    /// `SIZE`
    Size,
    /// `HIGHESTMODSEQ`
    HighestModSeq,
    /// `MAILBOXID`
    MailboxId,
    /// `APPENDLIMIT` (RFC 7889 §3)
    AppendLimit,
}

const NAMES: [(&str, Item); 11] = [
    ("MESSAGES", Item::Messages),
    ("RECENT", Item::Recent),
    ("UIDNEXT", Item::UidNext),
    ("UIDVALIDITY", Item::UidValidity),
    ("UNSEEN", Item::Unseen),
    ("DELETED", Item::Deleted),
    ("DELETED-STORAGE", Item::DeletedStorage),
    ("SIZE", Item::Size),
    ("HIGHESTMODSEQ", Item::HighestModSeq),
    ("MAILBOXID", Item::MailboxId),
    ("APPENDLIMIT", Item::AppendLimit),
];

impl Item {
    /// The word for it.
    pub fn name(self) -> &'static str {
        NAMES
            .iter()
            .find(|(_, item)| *item == self)
            .map_or("", |(name, _)| name)
    }
}

/// `SP mailbox SP "(" items ")"`
pub fn status(c: &mut Cursor<'_>) -> Parsed<(String, Vec<Item>)> {
    let name = mailbox::only(c)?;
    c.space()?;
    Ok((name, items(c)?))
}

/// `"(" items ")"`, each at most once.
pub fn items(c: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    let mut items = Vec::new();
    c.list(false, |c| {
        let at = c.position();
        let word = c.word()?;
        let found = NAMES.iter().find(|(name, _)| *name == word);
        let (_, item) = found.ok_or(Error {
            at,
            wanted: &"a STATUS item",
        })?;
        if !items.contains(item) {
            items.push(*item);
        }
        Ok(())
    })?;
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let parse = |t: &str| status(&mut Cursor::new(t.as_bytes(), false));
        let items = vec![Item::UidNext, Item::Messages];
        assert_eq!(
            parse(" blurdybloop (UIDNEXT MESSAGES uidnext)"),
            Ok(("blurdybloop".into(), items))
        );
        assert!(parse(" a ()").is_err() && parse(" a (FOO)").is_err() && parse(" a").is_err());
    }
}
