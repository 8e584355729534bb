//! NOTIFY (RFC 5465): what the client wants to hear of, also while it says nothing.

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::notify::Watch;
use crate::imap::session::Session;
use crate::imap::wire::notify::{Group, Notify};
use crate::imap::wire::status::Item;

/// RFC 5465 §3.1: all events that there are.
const BAD_EVENT: &str = "[BADEVENT (MessageNew MessageExpunge FlagChange MailboxName \
     SubscriptionChange MailboxMetadataChange ServerMetadataChange)] no such event";

/// NOTIFY. What the selected mailbox has to tell comes at the end, as behind every command.
pub async fn run(session: &mut Session, args: &mut Notify) -> Run {
    let (status, groups) = match args {
        Notify::None => (false, Vec::new()),
        Notify::Set { status, groups } => (*status, std::mem::take(groups)),
    };
    let odd = |group: &Group| group.events.as_ref().is_some_and(|e| e.unsupported);
    if groups.iter().any(odd) {
        return Answer::no(BAD_EVENT).stop();
    }
    let meta = session.mail().meta();
    let watch = Watch::new(groups, meta);
    no_access(session, &watch).await?;
    if status {
        statuses(session, &watch).await?;
    }
    session.notify = Some(Box::new(watch));
    Ok(Answer::ok("NOTIFY completed"))
}

/// Mailboxes that may be listed and not read (RFC 5465 §3.1).
async fn no_access(session: &mut Session, watch: &Watch) -> Result<(), Stop> {
    for mailbox in &watch.seen.mailboxes {
        let wanted = watch.wanted(mailbox, None);
        if !wanted.is_empty() && !Watch::may_read(mailbox) {
            session.list_news(&watch.seen, mailbox, Some("\\NoAccess"), None);
            session.conn.spill().await?;
        }
    }
    Ok(())
}

/// How the other mailboxes stand (RFC 5465 §3.1).
async fn statuses(session: &mut Session, watch: &Watch) -> Result<(), Stop> {
    let selected = session.selected.as_ref().map(|s| s.mailbox);
    for mailbox in &watch.seen.mailboxes {
        let wanted = watch.wanted(mailbox, None);
        if !wanted.messages || Some(mailbox.id) == selected || !Watch::may_read(mailbox) {
            continue;
        }
        let mut items = vec![Item::Messages, Item::UidNext, Item::UidValidity];
        if wanted.flags {
            items.push(Item::HighestModSeq);
        }
        session.status_response(mailbox, &items)?;
        session.conn.spill().await?;
    }
    Ok(())
}
