//! CREATE (RFC 9051 §6.3.4, RFC 8474 §4.1), also for a special use (RFC 6154 §3).

use super::list::USES;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::create::Create;
use crate::mail::Role;

/// CREATE, with parents that are missing. The answer carries the new mailbox's id.
pub async fn run(session: &mut Session, args: &Create) -> Run {
    let role = match args.uses.as_slice() {
        [] => None,
        [one] => match role(one) {
            Some(role) => Some(role),
            None => return no_use("no mailbox can be made for this use"),
        },
        _ => return no_use("a mailbox has one use"),
    };
    let mail = session.mail();
    let mailbox = mail.create(&args.name, role).await?;
    if session.enabled.rev2 && args.given != mailbox.path {
        session.list_one(&mail.meta(), &mailbox, &args.given);
    }
    session.named(&mailbox.path, None);
    Ok(Answer::ok(format!(
        "[MAILBOXID (m{})] CREATE completed",
        mailbox.id
    )))
}

fn no_use(why: &str) -> Run {
    Answer::no(format!("[USEATTR] {why}")).stop()
}

/// The use with this attribute, if a mailbox of one's own can have it: those that show messages of
/// others, \All and \Flagged, would be a promise that is not kept.
pub(super) fn role(attribute: &str) -> Option<Role> {
    let found = USES
        .iter()
        .find(|(_, name)| name.eq_ignore_ascii_case(attribute))?;
    (!matches!(found.0, Role::All | Role::Flagged)).then_some(found.0)
}
