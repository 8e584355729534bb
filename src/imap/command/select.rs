//! SELECT and EXAMINE (RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1; RFC 7162 §3.1.2, §3.2.5, RFC 8474
//! §4.2).

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::view::Selected;
use crate::imap::wire::select::{Qresync, Select};
use crate::limits;
use crate::mail::{Flags, Mailbox, Modseq, Rights, Uid, UidSet};

/// SELECT, or EXAMINE if `examine`.
pub async fn run(session: &mut Session, args: &mut Select, examine: bool) -> Run {
    // RFC 7162 §3.2.5: before anything is opened or closed.
    if args.qresync.is_some() && !session.enabled.qresync {
        return Answer::bad("QRESYNC was not enabled: ENABLE QRESYNC first").stop();
    }
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
    let view = mail.view(mailbox.id)?;
    // RFC 4314 §5.2: whoever may change nothing has opened it read-only, however it was asked for.
    let changes = Rights::parse("iswte").unwrap_or_default();
    let read_only = examine || !mailbox.rights.any(changes);
    let above = view.uids.last().map_or(1, |last| last.saturating_add(1));
    let uidnext = view.uidnext.max(above);
    // Up to the view, and no further: what arrives in this instant is recent to whoever shows it.
    let from = match read_only {
        true => mail.peek_recent(mailbox.id)?,
        false => mail.take_recent(mailbox.id, uidnext)?,
    };
    let highest = mailbox.counters.highest_modseq.max(1);
    let mut selected = Selected::new(mailbox.id, examine, view, highest);
    selected.recent = selected.uids().and(&UidSet::range(from.max(1), Uid::MAX));
    selected.keywords = meta.keywords.clone();
    let described = (selected.exists(), selected.recent.len());
    session.selected = Some(selected);
    session.flags_lines(&meta)?;
    describe(session, described, &mailbox, uidnext);
    if session.enabled.rev2 {
        // RFC 9051 §6.3.2: a LIST response is part of the answer.
        session.list_one(&meta, &mailbox, &args.given);
    } else if mailbox.counters.unseen > 0 {
        first_unseen(session)?;
    }
    session.conn.spill().await?;
    // RFC 7162 §3.2.5: a mailbox of another UIDVALIDITY is another mailbox.
    if let Some(known) = &mut args.qresync
        && known.uidvalidity == mailbox.uidvalidity
    {
        resync(session, known, uidnext).await?;
    }
    Ok(Answer::ok(match (examine, read_only) {
        (true, _) => "[READ-ONLY] EXAMINE completed",
        (false, true) => "[READ-ONLY] SELECT completed",
        (false, false) => "[READ-WRITE] SELECT completed",
    }))
}

/// What happened since the client was here last (RFC 7162 §3.2.5.1).
async fn resync(session: &mut Session, known: &mut Qresync, uidnext: Uid) -> Result<(), Stop> {
    let all = UidSet::range(1, uidnext.saturating_sub(1));
    let wanted = match &mut known.known {
        Some(ranges) => union(ranges).and(&all),
        None => all,
    };
    let selected = session.selected()?;
    let matched = selected.matched(&known.matches);
    let unsure = wanted.and(&UidSet::range(matched.saturating_add(1), Uid::MAX));
    let changed = session.vanished_earlier(&unsure, known.modseq).await?;
    let changed = changed.and(&wanted).and(session.selected()?.uids());
    session.tell_flags(&changed, known.modseq).await
}

/// Sorted first, so that a hostile order costs nothing.
fn union(ranges: &mut [(u32, u32)]) -> UidSet {
    ranges.sort_unstable();
    let mut set = UidSet::new();
    for (first, last) in ranges {
        set.insert_range(*first, *last);
    }
    set
}

impl Session {
    /// `VANISHED (EARLIER)`: which of `wanted` ended after `since`, or, where that is forgotten, are
    /// not there (RFC 7162 §3.2.6). Returns what may have changed otherwise.
    pub(in crate::imap) async fn vanished_earlier(
        &mut self,
        wanted: &UidSet,
        since: Modseq,
    ) -> Result<UidSet, Stop> {
        let selected = self.selected()?;
        let changes = self.mail().changes(selected.mailbox, since)?;
        let ended = match &changes.vanished {
            Some(vanished) => vanished.and(wanted),
            None => wanted.clone(),
        };
        // What the client has in its view is told as it always is, when it may be.
        let ended = ended.minus(selected.uids());
        self.vanished("(EARLIER) ", &ended).await?;
        Ok(changes.changed)
    }
}

fn describe(session: &mut Session, (exists, recent): (u32, u32), mailbox: &Mailbox, uidnext: Uid) {
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
}

/// `[UNSEEN n]` (RFC 3501 §6.3.1), left out where it is far from the start: a large mailbox is not
/// gone through at each SELECT.
fn first_unseen(session: &mut Session) -> Result<(), Stop> {
    let mailbox = session.selected()?.mailbox;
    let (mut first, mut looked) = (None, 0);
    let reader = session.mail().reader()?;
    reader.rows(mailbox, 1, Uid::MAX, |row| {
        looked += 1;
        if !row.flags.has(Flags::SEEN) {
            first = Some(row.uid);
        }
        first.is_none() && looked < limits::IMAP_UNSEEN
    })?;
    if let Some(number) = first.and_then(|uid| session.selected.as_ref()?.number(uid)) {
        session.line(&format!("* OK [UNSEEN {number}] the first one unseen"));
    }
    Ok(())
}

/// UNSELECT and CLOSE: back to the authenticated state.
pub fn leave(session: &mut Session) -> Result<Selected, Stop> {
    session
        .selected
        .take()
        .map_or_else(|| Answer::bad("no mailbox is selected").stop(), Ok)
}
