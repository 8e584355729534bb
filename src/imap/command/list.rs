//! LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3348, RFC 9590).

use super::subscribe;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::list::{List, Select, joined, matches};
use crate::imap::wire::mailbox;
use crate::mail::{Mailbox, Meta, Rights, Role};
use smol::future::yield_now;
use std::collections::BTreeSet;

/// A name that may be listed: of a mailbox, of a level above one that cannot be seen, or a
/// subscription without a mailbox.
struct Name<'a> {
    path: &'a str,
    mailbox: Option<&'a Mailbox>,
    subscribed: bool,
    /// It matches a pattern.
    matches: bool,
}

/// LIST.
pub async fn run(session: &mut Session, args: &List) -> Run {
    // RFC 9051 §6.3.9: an empty name asks for the separator.
    if !args.extended && args.patterns.iter().all(String::is_empty) {
        session.line("* LIST (\\Noselect) \"/\" \"\"");
        return Ok(Answer::ok("LIST completed"));
    }
    let patterns = args.patterns.iter().map(|p| joined(&args.reference, p));
    let patterns: Vec<_> = patterns.collect();
    let mail = session.mail();
    let meta = mail.meta();
    let orphans = match args.select.subscribed {
        true => subscribe::orphans(&mail)?,
        false => Vec::new(),
    };
    let levels = levels(&meta, &orphans);
    let mut names = names(&meta, &orphans, &levels);
    for (i, name) in names.iter_mut().enumerate() {
        // A pattern may be as long as a command.
        if i % 16 == 15 {
            yield_now().await;
        }
        name.matches = patterns.iter().any(|pattern| matches(pattern, name.path));
    }
    let wild = patterns.iter().any(|pattern| pattern.contains('%'));
    for (i, name) in names.iter().enumerate().filter(|(_, name)| name.matches) {
        if i % 16 == 15 {
            yield_now().await;
        }
        let chosen = is_chosen(args, name, wild);
        // A parent that is not chosen is told for the sake of what is not listed itself
        // (RFC 5258 §3.5); one that is says whether there is something at all.
        let inside = args.select.recursive
            && below(&names, name).any(|n| is_chosen(args, n, false) && (chosen || !n.matches));
        if !chosen && !inside {
            continue;
        }
        response(session, args, &names, name, inside);
        if let Some(found) = name.mailbox.filter(|_| chosen) {
            if args.returns.my_rights {
                session.my_rights(found);
            }
            // RFC 5819 §2: what cannot be opened has no STATUS.
            if !args.returns.status.is_empty() && found.rights.has(Rights::READ) {
                session.status_response(found, &args.returns.status)?;
            }
            if !args.returns.metadata.is_empty() {
                session.list_metadata(found, &args.returns.metadata)?;
            }
        }
        session.conn.spill().await?;
    }
    Ok(Answer::ok("LIST completed"))
}

/// Levels of names that are no mailboxes themselves, or none that may be seen.
fn levels<'a>(meta: &'a Meta, orphans: &'a [String]) -> BTreeSet<&'a str> {
    let mut levels = BTreeSet::new();
    let hidden = meta.mailboxes.iter().filter(|m| m.parent.is_none());
    let hidden = hidden.map(|m| m.path.as_str());
    for path in hidden.chain(orphans.iter().map(String::as_str)) {
        let cuts = path.match_indices(mailbox::SEPARATOR);
        levels.extend(cuts.filter_map(|(at, _)| path.get(..at)));
    }
    levels.retain(|level| {
        let known = |name: &str| name == *level;
        !meta.mailboxes.iter().any(|m| known(&m.path)) && !orphans.iter().any(|o| known(o))
    });
    levels
}

fn names<'a>(meta: &'a Meta, orphans: &'a [String], levels: &BTreeSet<&'a str>) -> Vec<Name<'a>> {
    let name = |path, mailbox, subscribed| Name {
        path,
        mailbox,
        subscribed,
        matches: false,
    };
    let there = meta.mailboxes.iter();
    let there = there.map(|m| name(m.path.as_str(), Some(&**m), m.subscribed));
    let levels = levels.iter().map(|level| name(level, None, false));
    let orphans = orphans.iter().map(|path| name(path.as_str(), None, true));
    there.chain(levels).chain(orphans).collect()
}

/// Do the selection options want this one? Without any, a level that is no mailbox is told where `%`
/// stops at it (RFC 9051 §6.3.9).
fn is_chosen(args: &List, name: &Name<'_>, wild: bool) -> bool {
    let Select {
        subscribed,
        special_use,
        ..
    } = args.select;
    if !subscribed && !special_use {
        return name.mailbox.is_some() || wild;
    }
    (!subscribed || name.subscribed) && (!special_use || name.mailbox.and_then(use_of).is_some())
}

/// What is below a name.
fn below<'a, 'n>(names: &'a [Name<'n>], above: &'a Name<'n>) -> impl Iterator<Item = &'a Name<'n>> {
    names.iter().filter(move |name| {
        let rest = name.path.strip_prefix(above.path);
        rest.is_some_and(|rest| rest.starts_with(mailbox::SEPARATOR))
    })
}

fn response(session: &mut Session, args: &List, names: &[Name<'_>], name: &Name<'_>, inside: bool) {
    let mut attributes = Vec::new();
    if name.mailbox.is_none() {
        // RFC 3501 knows no \NonExistent.
        attributes.push(match args.extended {
            true => "\\NonExistent",
            false => "\\Noselect",
        });
    }
    let children = below(names, name).any(|n| n.mailbox.is_some());
    attributes.push(match children {
        true => "\\HasChildren",
        false => "\\HasNoChildren",
    });
    if (args.returns.subscribed || args.select.subscribed) && name.subscribed {
        attributes.push("\\Subscribed");
    }
    attributes.extend(name.mailbox.and_then(use_of));
    let mut extended = String::new();
    if inside {
        let options = [
            (args.select.subscribed, "\"SUBSCRIBED\""),
            (args.select.special_use, "\"SPECIAL-USE\""),
        ];
        let given = options.iter().filter(|(given, _)| *given);
        let given: Vec<_> = given.map(|(_, name)| *name).collect();
        extended = format!(" (\"CHILDINFO\" ({}))", given.join(" "));
    }
    session.list_line(name.path, &attributes, &extended);
}

impl Session {
    /// `* LIST (attributes) "/" name`, and extended data behind it.
    pub(in crate::imap) fn list_line(&mut self, path: &str, attributes: &[&str], extended: &str) {
        let utf8 = self.enabled.utf8;
        let out = self.conn.out();
        out.extend_from_slice(b"* LIST (");
        out.extend_from_slice(attributes.join(" ").as_bytes());
        out.extend_from_slice(b") \"/\" ");
        mailbox::write(out, path, utf8);
        out.extend_from_slice(extended.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The LIST response of one mailbox that nobody asked for: SELECT's (RFC 9051 §6.3.2), and those
    /// that tell a name in another spelling than the client's (ibid. §6.3.9.7).
    pub(in crate::imap) fn list_one(&mut self, meta: &Meta, found: &Mailbox, given: &str) {
        let mut attributes = vec![match meta.has_children(found.id) {
            true => "\\HasChildren",
            false => "\\HasNoChildren",
        }];
        if found.subscribed {
            attributes.push("\\Subscribed");
        }
        attributes.extend(use_of(found));
        let mut old = Vec::new();
        if given != found.path {
            old.extend_from_slice(b" (\"OLDNAME\" (");
            mailbox::write(&mut old, given, self.enabled.utf8);
            old.extend_from_slice(b"))");
        }
        self.list_line(&found.path, &attributes, &String::from_utf8_lossy(&old));
    }
}

/// RFC 6154 §2, RFC 8457: told in every LIST, which RFC 6154 §2 allows and clients expect.
pub fn use_of(found: &Mailbox) -> Option<&'static str> {
    USES.iter()
        .find(|(role, _)| Some(*role) == found.role)
        .map(|(_, name)| *name)
}

/// The special uses by their attributes.
pub(super) const USES: [(Role, &str); 8] = [
    (Role::Drafts, "\\Drafts"),
    (Role::Sent, "\\Sent"),
    (Role::Junk, "\\Junk"),
    (Role::Trash, "\\Trash"),
    (Role::Archive, "\\Archive"),
    (Role::All, "\\All"),
    (Role::Flagged, "\\Flagged"),
    (Role::Important, "\\Important"),
];
