//! LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154, RFC 3348).

use super::subscribe;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::list::{List, joined, matches};
use crate::imap::wire::mailbox;
use crate::mail::{Mailbox, Meta, Rights, Role};
use smol::future::yield_now;

/// LIST.
pub async fn run(session: &mut Session, args: &List) -> Run {
    // RFC 9051 §6.3.9: an empty name asks for the separator.
    if !args.extended && args.patterns.iter().all(String::is_empty) {
        session.line("* LIST (\\Noselect) \"/\" \"\"");
        return Ok(Answer::ok("LIST completed"));
    }
    let patterns: Vec<_> = args
        .patterns
        .iter()
        .map(|p| joined(&args.reference, p))
        .collect();
    let meta = session.mail().meta();
    for (i, found) in meta.mailboxes.iter().enumerate() {
        // A pattern may be as long as a command.
        if i % 16 == 15 {
            yield_now().await;
        }
        if !patterns.iter().any(|pattern| matches(pattern, &found.path)) {
            continue;
        }
        let chosen = is_chosen(args, found);
        let inside = args.select.recursive && chosen_below(args, &meta, found);
        if !chosen && !inside {
            continue;
        }
        response(session, args, &meta, found, inside);
        if chosen && args.returns.my_rights {
            session.my_rights(found);
        }
        // RFC 5819 §2: what cannot be opened has no STATUS.
        if chosen && !args.returns.status.is_empty() && found.rights.has(Rights::READ) {
            session.status_response(found, &args.returns.status)?;
        }
        if chosen && !args.returns.metadata.is_empty() {
            session.list_metadata(found, &args.returns.metadata)?;
        }
        session.conn.spill().await?;
    }
    // RFC 9051 §6.3.9.4: subscribed names are listed whether they exist or not.
    if args.select.subscribed && !args.select.special_use {
        for name in subscribe::orphans(&session.mail())? {
            if patterns.iter().any(|pattern| matches(pattern, &name)) {
                let utf8 = session.enabled.utf8;
                let out = session.conn.out();
                out.extend_from_slice(b"* LIST (\\Subscribed \\NonExistent) \"/\" ");
                mailbox::write(out, &name, utf8);
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    Ok(Answer::ok("LIST completed"))
}

/// Do the selection options want this one?
fn is_chosen(args: &List, found: &Mailbox) -> bool {
    (!args.select.subscribed || found.subscribed)
        && (!args.select.special_use || use_of(found).is_some())
}

/// Do the selection options want one below it? (RFC 5258 §3.5)
fn chosen_below(args: &List, meta: &Meta, found: &Mailbox) -> bool {
    let below = |other: &Mailbox| {
        let rest = other.path.strip_prefix(&found.path);
        rest.is_some_and(|rest| rest.starts_with(mailbox::SEPARATOR))
    };
    meta.mailboxes
        .iter()
        .any(|other| below(other) && is_chosen(args, other))
}

fn response(session: &mut Session, args: &List, meta: &Meta, found: &Mailbox, inside: bool) {
    let utf8 = session.enabled.utf8;
    let subscribed = args.returns.subscribed || args.select.subscribed;
    let out = session.conn.out();
    out.extend_from_slice(b"* LIST (");
    let children = meta.has_children(found.id);
    out.extend_from_slice(if children {
        b"\\HasChildren"
    } else {
        b"\\HasNoChildren"
    });
    if subscribed && found.subscribed {
        out.extend_from_slice(b" \\Subscribed");
    }
    if let Some(name) = use_of(found) {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b") \"/\" ");
    mailbox::write(out, &found.path, utf8);
    if inside {
        let mut what = Vec::new();
        if args.select.subscribed {
            what.push("\"SUBSCRIBED\"");
        }
        if args.select.special_use {
            what.push("\"SPECIAL-USE\"");
        }
        out.extend_from_slice(format!(" (\"CHILDINFO\" ({}))", what.join(" ")).as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 6154 §2, RFC 8457: told in every LIST, which RFC 6154 §2 allows and clients expect.
fn use_of(found: &Mailbox) -> Option<&'static str> {
    Some(match found.role? {
        Role::Inbox => return None,
        Role::Drafts => "\\Drafts",
        Role::Sent => "\\Sent",
        Role::Junk => "\\Junk",
        Role::Trash => "\\Trash",
        Role::Archive => "\\Archive",
        Role::All => "\\All",
        Role::Flagged => "\\Flagged",
        Role::Important => "\\Important",
    })
}
