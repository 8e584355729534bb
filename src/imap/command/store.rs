//! STORE and UID STORE (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::tell::batch;
use crate::imap::wire::flag::Flag;
use crate::imap::wire::store::{How, Store};
use crate::imap::wire::{Numbers, encode, set};
use crate::mail::{Changes, FlagChange, FlagMode, Flags, FlagsChanged, UidSet};

/// STORE: one commit, whatever the number of messages.
pub async fn run(session: &mut Session, args: &mut Store, numbers: Numbers) -> Run {
    if args.unchanged_since.is_some() {
        session.condstore();
    }
    let selected = session.writable()?;
    let mailbox = selected.mailbox;
    let uids = selected.resolve(&args.set, numbers).or_else(Answer::stop)?;
    if uids.is_empty() {
        return Ok(Answer::ok("STORE completed"));
    }
    let change = change(args.how, std::mem::take(&mut args.flags));
    let mail = session.mail();
    let before = mail.changes(mailbox, selected.modseq())?;
    let setting = mail.set_flags(mailbox, &uids, change, args.unchanged_since);
    let done = session.patiently(None, setting).await??;
    own(session, &before, &done, args.silent)?;
    report(session, &done, args).await?;
    answer(session, &uids, &done, numbers)
}

/// What this command changed is told by its own responses, not once more at the end. Silence covers
/// only this change: where somebody else's came before it, the client has to hear of that one
/// (RFC 9051 §6.4.6).
pub fn own(
    session: &mut Session,
    before: &Changes,
    done: &FlagsChanged,
    silent: bool,
) -> Result<(), Stop> {
    if done.changed.is_empty() {
        return Ok(());
    }
    let first = done.first;
    let selected = session.selected_mut()?;
    if !silent {
        selected.made(done.changed.clone(), first..=done.modseq);
    } else if before.modseq + 1 == first {
        selected.made(done.changed.minus(&before.changed), first..=done.modseq);
    }
    Ok(())
}

fn change(how: How, wanted: Vec<Flag>) -> FlagChange {
    let mode = match how {
        How::Add => FlagMode::Add,
        How::Remove => FlagMode::Remove,
        How::Replace => FlagMode::Replace,
    };
    let mut flags = Flags::default();
    let mut keywords = Vec::new();
    for flag in wanted {
        match flag {
            Flag::Seen => flags = flags.with(Flags::SEEN),
            Flag::Answered => flags = flags.with(Flags::ANSWERED),
            Flag::Flagged => flags = flags.with(Flags::FLAGGED),
            Flag::Deleted => flags = flags.with(Flags::DELETED),
            Flag::Draft => flags = flags.with(Flags::DRAFT),
            // RFC 3501 §2.3.2: no client can change it.
            Flag::Recent => {}
            Flag::Keyword(word) => keywords.push(word),
        }
    }
    FlagChange {
        mode,
        flags,
        keywords,
    }
}

/// System flags and keywords of a new message.
pub fn split(wanted: Vec<Flag>) -> (Flags, Vec<String>) {
    let change = change(How::Add, wanted);
    (change.flags, change.keywords)
}

/// The new flags, or with `.SILENT` only the new MODSEQ where CONDSTORE is on (RFC 7162 §3.1.3). A
/// conditional STORE tells of every message: of those that failed, why.
async fn report(session: &mut Session, done: &FlagsChanged, args: &Store) -> Result<(), Stop> {
    let conditional = args.unchanged_since.is_some();
    if args.silent && !session.enabled.condstore {
        return Ok(());
    }
    let mail = session.mail();
    let mailbox = session.selected()?.mailbox;
    let told = match args.silent && !conditional {
        true => &done.changed,
        false => &done.done,
    };
    let uids = told.or(&done.modified);
    // Whatever others did up to here to those that failed is told now, and not once more.
    let now = mail.meta().modseq;
    let mut from = uids.first();
    while let Some(first) = from {
        let (rows, next) = batch(&mail, mailbox, &uids, first)?;
        session.tell_keywords(&mail)?;
        let meta = mail.meta();
        for row in &rows {
            if !args.silent || done.modified.contains(row.uid) {
                session.flags_response(&meta, row, true)?;
            } else if session.fetch_head(row.uid)? {
                let uid_only = session.enabled.uid_only;
                let out = session.conn.out();
                if !uid_only {
                    encode::formatted(out, format_args!("UID {} ", row.uid));
                }
                encode::formatted(out, format_args!("MODSEQ ({}))\r\n", row.modseq));
            }
        }
        from = next;
        session.breathe(from.is_some()).await?;
    }
    let selected = session.selected_mut()?;
    selected.made(done.modified.clone(), 0..=now);
    Ok(())
}

fn answer(session: &Session, uids: &UidSet, done: &FlagsChanged, numbers: Numbers) -> Run {
    let selected = session.selected()?;
    if !done.modified.is_empty() {
        let modified = match numbers {
            Numbers::Uid => done.modified.clone(),
            Numbers::Sequence => selected.numbers(&done.modified),
        };
        let mut text = Vec::new();
        set::write(&mut text, modified.runs());
        let list = String::from_utf8_lossy(&text).into_owned();
        return Ok(Answer::ok(format!(
            "[MODIFIED {list}] conditional STORE failed for some"
        )));
    }
    if done.done.len() < uids.len() {
        return Ok(Answer::ok(
            "[EXPUNGEISSUED] STORE completed, some messages are gone",
        ));
    }
    Ok(Answer::ok("STORE completed"))
}
