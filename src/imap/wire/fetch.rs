//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 8474 §5.3, RFC 8514 §4.2, RFC 8970 §6).

use super::cursor::{Cursor, Error, Parsed};
use super::search::Partial as Page;
use super::section::{self, Partial, Section, Text};
use super::set::Set;

/// The arguments of FETCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The messages.
    pub set: Set,
    /// What of each.
    pub items: Vec<Item>,
    /// Only messages changed since this modification sequence.
    pub changed_since: Option<u64>,
    /// `VANISHED`: tell of those that are gone since, too (RFC 7162 §3.2.6).
    pub vanished: bool,
    /// `PARTIAL`: only these of the set, counted from its start or its end (RFC 9394 §3.3).
    pub partial: Option<Page>,
}

/// One data item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// `FLAGS`
    Flags,
    /// `UID`
    Uid,
    /// `INTERNALDATE`
    InternalDate,
    /// `RFC822.SIZE`
    Size,
    /// `ENVELOPE`
    Envelope,
    /// `BODYSTRUCTURE`, or `BODY` without its extension data.
    Structure {
        /// With extension data.
        extended: bool,
    },
    /// `MODSEQ`
    ModSeq,
    /// `EMAILID`
    EmailId,
    /// `THREADID`
    ThreadId,
    /// `SAVEDATE`: when it came into this mailbox.
    SaveDate,
    /// `PREVIEW`, with `LAZY` or without: it is stored.
    Preview,
    /// `BODY[...]`, `RFC822` and its kin.
    Body(Body),
    /// `BINARY[...]`: the part decoded.
    Binary {
        /// Part numbers; none for the whole message.
        path: Vec<u32>,
        /// A slice of it.
        partial: Option<Partial>,
        /// Leaves \Seen alone.
        peek: bool,
    },
    /// `BINARY.SIZE[...]`
    BinarySize(Vec<u32>),
}

/// Octets of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// Which.
    pub section: Section,
    /// A slice of them.
    pub partial: Option<Partial>,
    /// Leaves \Seen alone.
    pub peek: bool,
    /// The name it goes by in the answer, if it is not `BODY[...]`: RFC 3501's `RFC822` items.
    pub alias: Option<&'static str>,
}

impl Item {
    /// Fetching this sets \Seen (RFC 9051 §6.4.5).
    pub fn sets_seen(&self) -> bool {
        match self {
            Item::Body(body) => !body.peek,
            Item::Binary { peek, .. } => !peek,
            _ => false,
        }
    }
}

/// `SP sequence-set SP items [SP "(" modifiers ")"]`
pub fn fetch(c: &mut Cursor<'_>) -> Parsed<Fetch> {
    c.space()?;
    let set = Set::parse(c)?;
    c.space()?;
    let items = items(c)?;
    let mut fetch = Fetch {
        set,
        items,
        changed_since: None,
        vanished: false,
        partial: None,
    };
    if c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        c.list(false, |c| modifier(c, &mut fetch))?;
    }
    Ok(fetch)
}

/// Each at most once.
fn modifier(c: &mut Cursor<'_>, fetch: &mut Fetch) -> Parsed<()> {
    let start = c.clone();
    match c.word()?.as_str() {
        "CHANGEDSINCE" if fetch.changed_since.is_none() => {
            c.space()?;
            fetch.changed_since = Some(c.number64()?);
        }
        "VANISHED" if !fetch.vanished => fetch.vanished = true,
        "PARTIAL" if fetch.partial.is_none() => {
            c.space()?;
            fetch.partial = Some(Page::parse(c)?);
        }
        _ => return start.fail(&"CHANGEDSINCE, VANISHED or PARTIAL"),
    }
    Ok(())
}

fn items(c: &mut Cursor<'_>) -> Parsed<Vec<Item>> {
    if c.peek() == Some(b'(') {
        return c.list(false, item);
    }
    let start = c.clone();
    let word = c
        .take_while(|b| b.is_ascii_alphabetic())
        .to_ascii_uppercase();
    let fast = [Item::Flags, Item::InternalDate, Item::Size];
    match word.as_slice() {
        b"FAST" => Ok(fast.to_vec()),
        b"ALL" => Ok(fast.into_iter().chain([Item::Envelope]).collect()),
        b"FULL" => Ok(fast
            .into_iter()
            .chain([Item::Envelope, Item::Structure { extended: false }])
            .collect()),
        _ => {
            *c = start;
            Ok(vec![item(c)?])
        }
    }
}

/// One data item, for NOTIFY too.
pub fn item(c: &mut Cursor<'_>) -> Parsed<Item> {
    let at = c.position();
    let word = c
        .take_while(|b| b.is_ascii_alphanumeric() || b == b'.')
        .to_ascii_uppercase();
    let section_follows = c.peek() == Some(b'[');
    let wanted = &"a FETCH item";
    if !c.knows(&word) {
        return Err(Error { at, wanted });
    }
    Ok(match (word.as_slice(), section_follows) {
        (b"FLAGS", false) => Item::Flags,
        (b"UID", false) => Item::Uid,
        (b"INTERNALDATE", false) => Item::InternalDate,
        (b"RFC822.SIZE", false) => Item::Size,
        (b"ENVELOPE", false) => Item::Envelope,
        (b"BODYSTRUCTURE", false) => Item::Structure { extended: true },
        (b"BODY", false) => Item::Structure { extended: false },
        (b"MODSEQ", false) => Item::ModSeq,
        (b"EMAILID", false) => Item::EmailId,
        (b"THREADID", false) => Item::ThreadId,
        (b"SAVEDATE", false) => Item::SaveDate,
        (b"PREVIEW", false) => preview(c)?,
        (b"RFC822", false) => alias("RFC822", Text::All, false),
        (b"RFC822.HEADER", false) => alias("RFC822.HEADER", Text::Header, true),
        (b"RFC822.TEXT", false) => alias("RFC822.TEXT", Text::Text, false),
        (b"BODY", true) => body(c, false)?,
        (b"BODY.PEEK", true) => body(c, true)?,
        (b"BINARY", true) => binary(c, false)?,
        (b"BINARY.PEEK", true) => binary(c, true)?,
        (b"BINARY.SIZE", true) => Item::BinarySize(section::binary(c)?),
        _ => return Err(Error { at, wanted }),
    })
}

/// `[SP "(" "LAZY" *(SP "LAZY") ")"]`. Behind a lone `PREVIEW` the parenthesis may as well begin the
/// modifiers of FETCH.
fn preview(c: &mut Cursor<'_>) -> Parsed<Item> {
    let start = c.clone();
    if c.eat_word(" (LAZY") {
        *c = start;
        c.space()?;
        c.list(false, |c| match c.eat_word("LAZY") {
            true => Ok(()),
            false => c.fail(&"LAZY"),
        })?;
    }
    Ok(Item::Preview)
}

fn alias(name: &'static str, text: Text, peek: bool) -> Item {
    let section = Section {
        path: Vec::new(),
        text,
    };
    Item::Body(Body {
        section,
        partial: None,
        peek,
        alias: Some(name),
    })
}

fn body(c: &mut Cursor<'_>, peek: bool) -> Parsed<Item> {
    let section = section::section(c)?;
    let partial = section::partial(c)?;
    Ok(Item::Body(Body {
        section,
        partial,
        peek,
        alias: None,
    }))
}

fn binary(c: &mut Cursor<'_>, peek: bool) -> Parsed<Item> {
    let path = section::binary(c)?;
    let partial = section::partial(c)?;
    Ok(Item::Binary {
        path,
        partial,
        peek,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Fetch> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = fetch(&mut c)?;
        c.end()?;
        Ok(found)
    }

    #[test]
    fn items() {
        let found = parse(" 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])").unwrap();
        assert_eq!(found.items.len(), 2);
        assert!(found.items[1].sets_seen());
        assert_eq!(parse(" 1 all").unwrap().items.len(), 4);
        assert_eq!(parse(" 1 FULL").unwrap().items.len(), 5);
        assert_eq!(
            parse(" 1 (UID RFC822.SIZE BODY.PEEK[]<0.20> BODYSTRUCTURE)")
                .unwrap()
                .items
                .len(),
            4
        );
        assert_eq!(
            parse(" 1 BODY").unwrap().items,
            [Item::Structure { extended: false }]
        );
        assert_eq!(
            parse(" 1 BINARY.SIZE[1.2]").unwrap().items,
            [Item::BinarySize(vec![1, 2])]
        );
        assert_eq!(
            parse(" 1:* (FLAGS) (CHANGEDSINCE 12345)")
                .unwrap()
                .changed_since,
            Some(12345)
        );
        for text in [" 1 PREVIEW", " 1 PREVIEW (LAZY)", " 1 (preview (lazy))"] {
            assert_eq!(parse(text).unwrap().items, [Item::Preview], "{text}");
        }
        let found = parse(" 1 PREVIEW (LAZY) (CHANGEDSINCE 5)").unwrap();
        assert_eq!(found.changed_since, Some(5));
        assert_eq!(parse(" 1 PREVIEW (CHANGEDSINCE 5)").unwrap(), found);
        assert_eq!(
            parse(" 1 (PREVIEW (LAZY) SAVEDATE)").unwrap().items.len(),
            2
        );
        assert!(!parse(" 1 RFC822.HEADER").unwrap().items[0].sets_seen());
        assert!(parse(" 1 RFC822.TEXT").unwrap().items[0].sets_seen());
        for bad in [
            "",
            " 1",
            " 1 ()",
            " 1 FOO",
            " 1 (FLAGS",
            " 1 FLAGS UID",
            " 1 (ALL)",
            " x FLAGS",
            " 1 (PREVIEW (LAZY FOO))",
            " 1 (PREVIEW ())",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
