//! NOTIFY (RFC 5465 §8).
//!
//! Kinder than the grammar in one thing: the parentheses around the events of a group may be left
//! out, as the RFC's own examples do.

use super::cursor::{Cursor, Error, Parsed};
use super::fetch::{self, Item};
use super::mailbox;
use crate::limits;

/// The arguments of NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notify {
    /// `NONE`: nothing, not even of the selected mailbox.
    None,
    /// `SET`: this from now on.
    Set {
        /// `STATUS`: tell first how the other mailboxes stand.
        status: bool,
        /// What of which mailboxes.
        groups: Vec<Group>,
    },
}

/// Events of some mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The mailboxes.
    pub filter: Filter,
    /// The events; `None` for `NONE`.
    pub events: Option<Events>,
}

/// Which mailboxes (RFC 5465 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// `SELECTED`
    Selected,
    /// `SELECTED-DELAYED`
    SelectedDelayed,
    /// `INBOXES`
    Inboxes,
    /// `PERSONAL`
    Personal,
    /// `SUBSCRIBED`
    Subscribed,
    /// `SUBTREE`
    Subtree(Vec<String>),
    /// `MAILBOXES`
    Mailboxes(Vec<String>),
}

impl Filter {
    /// Speaks of the selected mailbox.
    pub fn is_selected(&self) -> bool {
        matches!(self, Filter::Selected | Filter::SelectedDelayed)
    }
}

/// Events (RFC 5465 §5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Events {
    /// `MessageNew` and `MessageExpunge`, which go together.
    pub messages: bool,
    /// What to tell of new messages in the selected mailbox.
    pub fetch: Vec<Item>,
    /// `FlagChange`
    pub flags: bool,
    /// `MailboxName`
    pub names: bool,
    /// `SubscriptionChange`
    pub subscriptions: bool,
    /// `MailboxMetadataChange`
    pub metadata: bool,
    /// `ServerMetadataChange`
    pub server_metadata: bool,
    /// One that this server does not know, or does not have.
    pub unsupported: bool,
}

/// Events as they are named, to be checked together.
#[derive(Default)]
struct Named {
    new: bool,
    expunge: bool,
    annotations: bool,
    /// There is one that is not about messages.
    others: bool,
    events: Events,
}

/// `SP ("SET" [SP "STATUS"] SP event-groups / "NONE")`
pub fn notify(c: &mut Cursor<'_>) -> Parsed<Notify> {
    c.space()?;
    let start = c.clone();
    match c.word()?.as_str() {
        "NONE" => return Ok(Notify::None),
        "SET" => {}
        _ => return start.fail(&"SET or NONE"),
    }
    let status = c.eat_word(" STATUS");
    let mut groups: Vec<Group> = Vec::new();
    while c.peek() == Some(b' ') && c.rest().len() > 1 {
        c.space()?;
        let start = c.clone();
        let group = group(c)?;
        // RFC 5465 §6.1: only one of them.
        if group.filter.is_selected() && groups.iter().any(|g| g.filter.is_selected()) {
            return start.fail(&"SELECTED or SELECTED-DELAYED once");
        }
        groups.push(group);
    }
    if groups.is_empty() {
        return c.fail(&"an event group");
    }
    Ok(Notify::Set { status, groups })
}

fn group(c: &mut Cursor<'_>) -> Parsed<Group> {
    c.open()?;
    let filter = filter(c)?;
    c.space()?;
    let start = c.clone();
    let mut named = Named::default();
    let bare = c.peek() != Some(b'(');
    if bare {
        if c.eat_word("NONE)") {
            return Ok(Group {
                filter,
                events: None,
            });
        }
        while c.peek() != Some(b')') {
            event(c, &mut named)?;
            if c.peek() != Some(b')') {
                c.space()?;
            }
        }
    } else {
        c.list(false, |c| event(c, &mut named))?;
    }
    c.close()?;
    check(&named, &filter).map_or(Ok(()), |wanted| start.fail(wanted))?;
    Ok(Group {
        filter,
        events: Some(named.events),
    })
}

/// What the events of a group must be together (RFC 5465 §5, §6.1, §8), where they are not.
fn check(named: &Named, filter: &Filter) -> Option<&'static &'static str> {
    let Named {
        new,
        expunge,
        events,
        ..
    } = named;
    if new != expunge {
        Some(&"MessageNew and MessageExpunge together")
    } else if (events.flags || named.annotations) && !new {
        Some(&"MessageNew and MessageExpunge with FlagChange or AnnotationChange")
    } else if filter.is_selected() && named.others {
        Some(&"only message events for SELECTED")
    } else if !filter.is_selected() && !events.fetch.is_empty() {
        Some(&"attributes for SELECTED only")
    } else {
        None
    }
}

fn filter(c: &mut Cursor<'_>) -> Parsed<Filter> {
    let start = c.clone();
    Ok(match c.word()?.as_str() {
        "SELECTED" => Filter::Selected,
        "SELECTED-DELAYED" => Filter::SelectedDelayed,
        "INBOXES" => Filter::Inboxes,
        "PERSONAL" => Filter::Personal,
        "SUBSCRIBED" => Filter::Subscribed,
        "SUBTREE" => Filter::Subtree(names(c)?),
        "MAILBOXES" => Filter::Mailboxes(names(c)?),
        _ => return start.fail(&"which mailboxes"),
    })
}

/// `SP (mailbox / "(" mailbox *(SP mailbox) ")")`
fn names(c: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    c.space()?;
    let at = c.position();
    let names = match c.peek() {
        Some(b'(') => c.list(false, mailbox::name)?,
        _ => vec![mailbox::name(c)?],
    };
    if names.len() > limits::IMAP_NOTIFY_NAMES {
        let wanted = &"fewer mailboxes: use SUBTREE or PERSONAL";
        return Err(Error { at, wanted });
    }
    Ok(names)
}

fn event(c: &mut Cursor<'_>, named: &mut Named) -> Parsed<()> {
    let events = &mut named.events;
    match c.word()?.as_str() {
        "MESSAGENEW" => {
            (named.new, events.messages) = (true, true);
            if c.eat_word(" (") {
                loop {
                    events.fetch.push(fetch::item(c)?);
                    if c.eat(b')') {
                        break;
                    }
                    c.space()?;
                }
            }
        }
        "MESSAGEEXPUNGE" => named.expunge = true,
        "FLAGCHANGE" => events.flags = true,
        "ANNOTATIONCHANGE" => (named.annotations, events.unsupported) = (true, true),
        other => {
            named.others = true;
            match other {
                "MAILBOXNAME" => events.names = true,
                "SUBSCRIPTIONCHANGE" => events.subscriptions = true,
                "MAILBOXMETADATACHANGE" => events.metadata = true,
                "SERVERMETADATACHANGE" => events.server_metadata = true,
                _ => {
                    named.others = false;
                    events.unsupported = true;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Notify> {
        let mut c = Cursor::new(text.as_bytes(), false);
        let found = notify(&mut c)?;
        c.end()?;
        Ok(found)
    }

    fn groups(text: &str) -> Vec<Group> {
        match parse(text).unwrap() {
            Notify::Set { groups, .. } => groups,
            Notify::None => panic!("NONE"),
        }
    }

    #[test]
    fn forms() {
        assert_eq!(parse(" none"), Ok(Notify::None));
        let text = " set status (selected (MessageNew (uid body.peek[header.fields (from to \
                    subject)]) MessageExpunge)) (subtree Lists (MessageNew MessageExpunge))";
        let Ok(Notify::Set {
            status: true,
            groups,
        }) = parse(text)
        else {
            panic!("{:?}", parse(text));
        };
        assert_eq!(groups[0].filter, Filter::Selected);
        assert_eq!(groups[0].events.as_ref().unwrap().fetch.len(), 2);
        assert_eq!(groups[1].filter, Filter::Subtree(vec!["Lists".into()]));
        let found = self::groups(
            " SET (mailboxes (inbox \"a b\") (MessageNew MessageExpunge FlagChange MailboxName)) \
             (personal (SubscriptionChange)) (selected-delayed NONE) (subtree x ServerMetadataChange)",
        );
        let names = vec!["INBOX".into(), "a b".into()];
        assert_eq!(found[0].filter, Filter::Mailboxes(names));
        assert_eq!(found[2].events, None);
        assert!(found[3].events.as_ref().unwrap().server_metadata);
        let odd = self::groups(" SET (personal (MessageNew MessageExpunge AnnotationChange))");
        assert!(odd[0].events.as_ref().unwrap().unsupported);
    }

    #[test]
    fn what_does_not_go_together() {
        for bad in [
            "",
            " SET",
            " FOO",
            " SET ()",
            " SET (personal)",
            " SET (personal ())",
            " SET (personal (MessageNew))",
            " SET (personal (MessageExpunge))",
            " SET (personal (FlagChange))",
            " SET (personal (MessageNew MessageExpunge) x)",
            " SET (personal (MessageNew (uid) MessageExpunge))",
            " SET (selected (MailboxName))",
            " SET (selected (MessageNew (foo) MessageExpunge))",
            " SET (selected NONE) (selected-delayed NONE)",
            " SET (mailboxes (MessageNew MessageExpunge))",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
