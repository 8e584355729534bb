//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1; RFC 7162 §3.1.2, RFC 8474 §4.2).

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::view::Selected;
use crate::imap::wire::select::Select;
use crate::imap::wire::{encode, mailbox};
use crate::mail::{Mailbox, Uid, UidSet};

/// SELECT, or EXAMINE if `read_only`.
pub async fn run(session: &mut Session, args: Select, read_only: bool) -> Run {
    if args.condstore {
        session.enabled.condstore = true;
    }
    // RFC 9051 §6.3.2: the old mailbox is closed even if the new one cannot be opened.
    if session.selected.take().is_some() {
        session.line("* OK [CLOSED] the previous mailbox is closed");
    }
    let mail = session.mail();
    // The snapshot first, the view after it: what is told is never newer than what is shown.
    let meta = mail.meta();
    let Some(mailbox) = meta.by_path(&args.name).cloned() else {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    };
    let from = match read_only {
        true => mail.peek_recent(mailbox.id)?,
        false => mail.take_recent(mailbox.id)?,
    };
    let view = mail.view(mailbox.id)?;
    let above = view.uids.last().map_or(1, |last| last.saturating_add(1));
    let uidnext = view.uidnext.max(above);
    let mut selected = Selected::new(mailbox.id, read_only, view);
    selected.recent = selected.uids().and(&UidSet::range(from.max(1), Uid::MAX));
    selected.keywords = meta.keywords.clone();
    session.flags_lines(&meta, read_only);
    describe(session, &selected, &mailbox, uidnext);
    session.selected = Some(selected);
    session.conn.spill().await?;
    Ok(Answer::ok(match read_only {
        true => "[READ-ONLY] EXAMINE completed",
        false => "[READ-WRITE] SELECT completed",
    }))
}

fn describe(session: &mut Session, selected: &Selected, mailbox: &Mailbox, uidnext: Uid) {
    let (exists, recent) = (selected.exists(), selected.recent.len());
    session.line(&format!("* {exists} EXISTS"));
    if !session.enabled.rev2 {
        session.line(&format!("* {recent} RECENT"));
    }
    session.line(&format!(
        "* OK [UIDVALIDITY {}] UIDs are valid",
        mailbox.uidvalidity
    ));
    session.line(&format!("* OK [UIDNEXT {uidnext}] the next UID"));
    let modseq = mailbox.counters.highest_modseq.max(1);
    session.line(&format!("* OK [HIGHESTMODSEQ {modseq}] the highest"));
    session.line(&format!(
        "* OK [MAILBOXID (m{})] the mailbox's id",
        mailbox.id
    ));
    // RFC 9051 §6.3.2: a LIST response is part of the answer.
    if session.enabled.rev2 {
        let out = session.conn.out();
        out.extend_from_slice(b"* LIST () \"/\" ");
        mailbox::write(out, &mailbox.path, true);
        encode::formatted(out, format_args!("\r\n"));
    }
}

/// UNSELECT and CLOSE: back to the authenticated state.
pub fn leave(session: &mut Session) -> Result<Selected, Stop> {
    session
        .selected
        .take()
        .map_or_else(|| Answer::bad("no mailbox is selected").stop(), Ok)
}
