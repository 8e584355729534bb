//! Telling the client what others did to the selected mailbox: EXPUNGE or VANISHED, EXISTS, RECENT,
//! FETCH or UIDFETCH (RFC 9051 §5.2, §7.4, §7.5; RFC 7162 §3.2.10; RFC 9586 §3.6).

use super::answer::Stop;
use super::command::fetch;
use super::session::{Enabled, Expunges, Session};
use super::wire::{encode, set};
use crate::limits;
use crate::mail::{Changes, Error, Flags, Mail, MailboxId, Meta, Modseq, Rights, Row, Uid, UidSet};
use smol::future::yield_now;
use std::sync::Arc;

impl Session {
    /// Brings the client's view up to date, as far as `expunges` allows.
    pub(super) async fn tell(&mut self, expunges: Expunges) -> Result<(), Stop> {
        let wants = self.wants();
        if !wants.messages {
            return Ok(());
        }
        let now = match expunges {
            Expunges::Tell => true,
            Expunges::Hold => false,
            Expunges::Later => !wants.delayed,
        };
        let mail = self.mail();
        let changes = self.changes(&mail)?;
        let selected = self.selected_mut()?;
        let mailbox = selected.mailbox;
        let news = selected.take(changes, || mail.view(mailbox))?;
        self.tell_contexts_gone().await?;
        if now && self.selected()?.has_gone() {
            self.tell_expunged().await?;
        }
        if !news.fresh.is_empty() {
            self.tell_new(&mail, &news.fresh)?;
        }
        self.tell_keywords(&mail)?;
        let (unheard, since) = self.selected()?.unheard();
        let flags = wants.flags && !unheard.is_empty();
        if flags {
            self.tell_flags(&unheard, since).await?;
        }
        self.tell_contexts(&unheard, &news.fresh).await?;
        // RFC 5465 §5.2: behind the contexts.
        let (uids, items) = self.unasked(&news.fresh);
        if !uids.is_empty() {
            Box::pin(fetch::unasked(self, &uids, items)).await?;
        }
        let selected = self.selected_mut()?;
        if wants.flags {
            selected.hear();
        }
        let shared = selected
            .is_apart()
            .then(|| mail.view(mailbox).ok())
            .flatten();
        selected.settle(shared);
        // Between commands only if there was something with a modification sequence.
        match expunges == Expunges::Later && !flags && news.fresh.is_empty() {
            true => Ok(()),
            false => self.tell_highest(),
        }
    }

    /// Tells what is gone, and nothing else: the client has asked for it to go.
    pub(super) async fn tell_gone(&mut self) -> Result<(), Stop> {
        let mail = self.mail();
        let changes = self.changes(&mail)?;
        let selected = self.selected_mut()?;
        let mailbox = selected.mailbox;
        selected.lose(&changes, || mail.view(mailbox))?;
        self.tell_contexts_gone().await?;
        self.tell_expunged().await
    }

    /// What happened since the client was told last.
    fn changes(&self, mail: &Mail) -> Result<Changes, Stop> {
        let selected = self.selected()?;
        match mail.changes(selected.mailbox, selected.modseq()) {
            // Others may delete a mailbox in use; no response says so but this one (RFC 2180 §3).
            Err(Error::NoSuchMailbox) => Err(Stop::Bye(&"the selected mailbox was deleted")),
            // RFC 4314 §5.1.1: nor one for rights that were taken away.
            Err(Error::NoPermission) => Err(Stop::Bye(&"no right to read the selected mailbox")),
            changes => Ok(changes?),
        }
    }

    /// Whoever keeps modification sequences must not keep one above an expunge that it was not told
    /// of (RFC 7162 §3.2, §6).
    fn tell_highest(&mut self) -> Result<(), Stop> {
        let condstore = self.enabled.condstore;
        let selected = self.selected_mut()?;
        let waits = condstore && selected.has_gone();
        if waits || selected.lowered {
            selected.lowered = waits;
            let modseq = selected.settled();
            let why = if waits {
                "expunges wait"
            } else {
                "all is told"
            };
            self.line(&format!("* OK [HIGHESTMODSEQ {modseq}] {why}"));
        }
        Ok(())
    }

    async fn tell_expunged(&mut self) -> Result<(), Stop> {
        let (gone, numbers) = self.selected_mut()?.expunge();
        if self.enabled.vanished() {
            return self.vanished("", &gone).await;
        }
        for (number, count) in numbers {
            for _ in 0..count {
                encode::formatted(self.conn.out(), format_args!("* {number} EXPUNGE\r\n"));
                self.conn.spill().await?;
            }
        }
        Ok(())
    }

    /// `* VANISHED 1:3,5`, in as many responses as it takes. `earlier`: `(EARLIER) ` or nothing.
    pub(super) async fn vanished(&mut self, earlier: &str, uids: &UidSet) -> Result<(), Stop> {
        let mut runs = uids.runs().peekable();
        while runs.peek().is_some() {
            let out = self.conn.out();
            encode::formatted(out, format_args!("* VANISHED {earlier}"));
            set::write(out, runs.by_ref().take(limits::IMAP_VANISHED_RUNS));
            out.extend_from_slice(b"\r\n");
            self.conn.spill().await?;
        }
        Ok(())
    }

    fn tell_new(&mut self, mail: &Mail, fresh: &UidSet) -> Result<(), Stop> {
        let rev2 = self.enabled.rev2;
        let selected = self.selected_mut()?;
        let from = if selected.read_only {
            mail.peek_recent(selected.mailbox)?
        } else {
            let below = fresh.last().map_or(1, |last| last.saturating_add(1));
            mail.take_recent(selected.mailbox, below)?
        };
        selected.recent = selected
            .recent
            .or(&fresh.and(&UidSet::range(from.max(1), Uid::MAX)));
        let (exists, recent) = (selected.exists(), selected.recent.len());
        self.line(&format!("* {exists} EXISTS"));
        // RFC 9051 appendix E: rev2 has no \Recent.
        if !rev2 {
            self.line(&format!("* {recent} RECENT"));
        }
        Ok(())
    }

    /// A keyword that the client has not seen yet is announced before it turns up.
    pub(super) fn tell_keywords(&mut self, mail: &Mail) -> Result<(), Stop> {
        let meta = mail.meta();
        let selected = self.selected_mut()?;
        if !Arc::ptr_eq(&meta.keywords, &selected.keywords)
            && !meta.keywords.all().eq(selected.keywords.all())
        {
            selected.keywords = meta.keywords.clone();
            return self.flags_lines(&meta);
        }
        // RFC 4314 §5.1.1: and so are rights that changed.
        let rights = meta.mailbox(selected.mailbox).map(|found| found.rights);
        if rights.is_some_and(|rights| rights != selected.rights) {
            return self.flags_lines(&meta);
        }
        Ok(())
    }

    /// `FLAGS` and `PERMANENTFLAGS` (RFC 9051 §6.3.2).
    /// The latter are those that the rights let change (RFC 4314 §5.1.1).
    pub(super) fn flags_lines(&mut self, meta: &Meta) -> Result<(), Stop> {
        let selected = self.selected_mut()?;
        let found = meta.mailbox(selected.mailbox);
        selected.rights = found.map_or(Rights::NONE, |found| found.rights);
        let (rights, read_only) = (selected.rights, selected.read_only);
        let mut flags = String::from("\\Answered \\Flagged \\Deleted \\Seen \\Draft");
        for keyword in meta.keywords.all() {
            flags.push(' ');
            flags.push_str(keyword);
        }
        self.line(&format!("* FLAGS ({flags})"));
        if read_only {
            self.line("* OK [PERMANENTFLAGS ()] read-only");
            return Ok(());
        }
        let mut kept = Vec::new();
        if rights.has(Rights::TRASH) {
            kept.push("\\Deleted");
        }
        if rights.has(Rights::SEEN) {
            kept.push("\\Seen");
        }
        if rights.has(Rights::WRITE) {
            kept.extend(["\\Answered", "\\Flagged", "\\Draft"]);
            kept.extend(meta.keywords.all());
            kept.push("\\*");
        }
        let kept = kept.join(" ");
        self.line(&format!("* OK [PERMANENTFLAGS ({kept})] flags are kept"));
        Ok(())
    }

    /// FETCH responses with the flags of those messages that changed after `since`, but for changes
    /// that this session made.
    pub(super) async fn tell_flags(&mut self, uids: &UidSet, since: Modseq) -> Result<(), Stop> {
        let mail = self.mail();
        let mailbox = self.selected()?.mailbox;
        let say_uid = self.says_uid_unasked();
        let mut from = uids.first();
        while let Some(first) = from {
            let (rows, next) = batch(&mail, mailbox, uids, first)?;
            self.tell_keywords(&mail)?;
            let meta = mail.meta();
            for row in rows.iter().filter(|row| row.modseq > since) {
                if !self.selected()?.is_own(row.uid, row.modseq) {
                    self.flags_response(&meta, row, say_uid)?;
                }
            }
            from = next;
            self.breathe(from.is_some()).await?;
        }
        Ok(())
    }

    /// Do FETCH responses that nobody asked for say the UID? RFC 9051 §7.5.2, RFC 7162 §3.2.4 and
    /// RFC 5465 §5.1 want it. RFC 3501 does not, and its clients are better off without: Thunderbird
    /// takes the highest UID it ever read for the last message it knows of, asks for what lies above
    /// it, and does not show those below that it was told of by EXISTS alone.
    fn says_uid_unasked(&self) -> bool {
        self.enabled.rev2 || self.enabled.condstore || self.notify.is_some()
    }

    /// Between the pieces of something long: the output leaves, and others have their turn.
    pub(super) async fn breathe(&mut self, more: bool) -> Result<(), Stop> {
        self.conn.spill().await?;
        if more {
            yield_now().await;
        }
        Ok(())
    }

    /// `* 3 FETCH (`, or with UIDONLY `* 7 UIDFETCH (` (RFC 9586 §3.3). False: the client does not
    /// know the message, nothing is written.
    pub(super) fn fetch_head(&mut self, uid: Uid) -> Result<bool, Stop> {
        let Some(number) = self.selected()?.number(uid) else {
            return Ok(false);
        };
        let uid_only = self.enabled.uid_only;
        let out = self.conn.out();
        match uid_only {
            true => encode::formatted(out, format_args!("* {uid} UIDFETCH (")),
            false => encode::formatted(out, format_args!("* {number} FETCH (")),
        }
        Ok(true)
    }

    /// `* 3 FETCH (UID 7 FLAGS (...))`, with MODSEQ where CONDSTORE is on (RFC 7162 §3.2.4).
    pub(super) fn flags_response(
        &mut self,
        meta: &Meta,
        row: &Row,
        say_uid: bool,
    ) -> Result<(), Stop> {
        if !self.fetch_head(row.uid)? {
            return Ok(());
        }
        let Enabled {
            condstore,
            rev2,
            uid_only,
            ..
        } = self.enabled;
        let recent = !rev2 && self.selected()?.recent.contains(row.uid);
        let out = self.conn.out();
        if say_uid && !uid_only {
            encode::formatted(out, format_args!("UID {} ", row.uid));
        }
        out.extend_from_slice(b"FLAGS ");
        flags(out, meta, row.flags, recent);
        if condstore {
            encode::formatted(out, format_args!(" MODSEQ ({})", row.modseq));
        }
        out.extend_from_slice(b")\r\n");
        Ok(())
    }
}

/// Writes a flag list.
pub fn flags(out: &mut Vec<u8>, meta: &Meta, flags: Flags, recent: bool) {
    const NAMES: [(Flags, &str); 5] = [
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::SEEN, "\\Seen"),
        (Flags::DRAFT, "\\Draft"),
    ];
    let system = NAMES
        .iter()
        .filter(|(flag, _)| flags.has(*flag))
        .map(|(_, name)| *name);
    let recent = recent.then_some("\\Recent");
    let all = system.chain(recent).chain(meta.keywords.names(flags));
    encode::list(out, all, |out, name| out.extend_from_slice(name.as_bytes()));
}

/// The next rows of `uids` from `first` on: a bounded number, and the UID to go on with.
pub fn batch(
    mail: &Mail,
    mailbox: MailboxId,
    uids: &UidSet,
    first: Uid,
) -> Result<(Vec<Row>, Option<Uid>), Error> {
    let reader = mail.reader()?;
    let mut rows = Vec::new();
    let mut next = None;
    // A run without rows costs a look-up too.
    for (i, (start, end)) in uids.runs_from(first).enumerate() {
        if i >= limits::IMAP_ROWS {
            next = Some(start);
        }
        if next.is_some() {
            break;
        }
        reader.rows(mailbox, start, end, |row| {
            if rows.len() >= limits::IMAP_ROWS {
                next = Some(row.uid);
                return false;
            }
            rows.push(*row);
            true
        })?;
    }
    Ok((rows, next))
}
