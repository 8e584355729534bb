//! ESEARCH: a search of several mailboxes (RFC 7377 §4), named as for NOTIFY (RFC 5465 §6, §8).

use super::cursor::{Cursor, Error, Parsed};
use super::mailbox;
use super::search::{Search, program, returns};

/// The arguments of ESEARCH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Esearch {
    /// Where to search; empty: in the selected mailbox.
    pub sources: Vec<Source>,
    /// What to search for.
    pub search: Search,
}

/// Some mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `selected`
    Selected,
    /// `inboxes`
    Inboxes,
    /// `personal`
    Personal,
    /// `subscribed`
    Subscribed,
    /// `subtree`: these and all below them.
    Subtree(Vec<String>),
    /// `subtree-one`: these and their children.
    SubtreeOne(Vec<String>),
    /// `mailboxes`: these.
    Mailboxes(Vec<String>),
}

/// `["IN" SP "(" 1*source ")"] [return options] SP search-program`, after `ESEARCH`.
pub fn esearch(c: &mut Cursor<'_>) -> Parsed<Esearch> {
    let mut sources = Vec::new();
    if c.eat_word(" IN ") {
        let mut first = true;
        sources = c.list(false, |c| {
            // RFC 7377 §4: scope options, of which there are none.
            if c.peek() == Some(b'(') && !first {
                return c.fail(&"no scope options, for none are known");
            }
            first = false;
            source(c)
        })?;
    }
    let returns = returns(c)?;
    c.space()?;
    let search = program(c, returns)?;
    Ok(Esearch { sources, search })
}

fn source(c: &mut Cursor<'_>) -> Parsed<Source> {
    let at = c.position();
    Ok(match c.word()?.as_str() {
        "SELECTED" => Source::Selected,
        "INBOXES" => Source::Inboxes,
        "PERSONAL" => Source::Personal,
        "SUBSCRIBED" => Source::Subscribed,
        "SUBTREE" => Source::Subtree(names(c)?),
        "SUBTREE-ONE" => Source::SubtreeOne(names(c)?),
        "MAILBOXES" => Source::Mailboxes(names(c)?),
        _ => {
            let wanted = &"mailboxes to search in";
            return Err(Error { at, wanted });
        }
    })
}

/// `SP (mailbox / "(" mailbox *(SP mailbox) ")")`
fn names(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    c.space()?;
    match c.peek() {
        Some(b'(') => c.list(false, mailbox::name),
        _ => Ok(vec![mailbox::name(c)?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Esearch> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = esearch(&mut c)?;
        c.end()?;
        Ok(found)
    }

    /// RFC 7377 §2 and §3.
    #[test]
    fn rfc_examples() {
        let found = parse(" IN (mailboxes \"folder1\" subtree \"folder2\") unseen").unwrap();
        let (one, two) = (vec!["folder1".into()], vec!["folder2".into()]);
        assert_eq!(
            found.sources,
            [Source::Mailboxes(one), Source::Subtree(two)]
        );
        let found =
            parse(" IN (mailboxes \"folder1\" subtree-one \"folder2\") subject \"chad\"").unwrap();
        assert_eq!(found.sources.len(), 2);
        assert!(parse(" FROM \"frobozz\" 1:100").unwrap().sources.is_empty());
        let found = parse(" IN (selected personal) RETURN (COUNT) CHARSET UTF-8 ALL").unwrap();
        assert!(found.search.options.is_some_and(|options| options.count));
        assert!(parse(" in (mailboxes (a b \"c d\") inboxes subscribed) all").is_ok());
        for bad in [
            "",
            " IN () ALL",
            " IN (selected-delayed) ALL",
            " IN (mailboxes) ALL",
            " IN (mailboxes ()) ALL",
            " IN (foo) ALL",
            " IN (selected (x y)) ALL",
            " IN (selected)",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
