//! Telling the client what others did to the selected mailbox: EXPUNGE, EXISTS, RECENT, FETCH
//! (RFC 9051 §5.2, §7.4, §7.5).

use super::answer::Stop;
use super::session::{Expunges, Session};
use super::wire::encode;
use crate::limits;
use crate::mail::{Error, Flags, Mail, MailboxId, Meta, Row, Uid, UidSet};
use std::sync::Arc;

impl Session {
    /// Brings the client's view up to date, as far as `expunges` allows.
    pub(super) async fn tell(&mut self, expunges: Expunges) -> Result<(), Stop> {
        let mail = self.mail();
        let selected = self.selected_mut()?;
        let mailbox = selected.mailbox;
        let changes = match mail.changes(mailbox, selected.modseq()) {
            Ok(changes) => changes,
            // Others may delete a mailbox in use; no response says so but this one (RFC 2180 §3).
            Err(Error::NoSuchMailbox) => return Err(Stop::Bye("the selected mailbox was deleted")),
            Err(error) => return Err(error.into()),
        };
        let news = selected.take(changes, || mail.view(mailbox))?;
        if expunges == Expunges::Tell && selected.has_gone() {
            self.tell_expunged().await?;
        }
        if !news.fresh.is_empty() {
            self.tell_new(&mail, &news.fresh)?;
        }
        self.tell_keywords(&mail)?;
        if !news.flags.is_empty() {
            self.tell_flags(&news.flags).await?;
        }
        let selected = self.selected_mut()?;
        let shared = selected
            .is_apart()
            .then(|| mail.view(mailbox).ok())
            .flatten();
        selected.settle(shared);
        Ok(())
    }

    async fn tell_expunged(&mut self) -> Result<(), Stop> {
        for (number, count) in self.selected_mut()?.expunge() {
            for _ in 0..count {
                encode::formatted(self.conn.out(), format_args!("* {number} EXPUNGE\r\n"));
                self.conn.spill().await?;
            }
        }
        Ok(())
    }

    fn tell_new(&mut self, mail: &Mail, fresh: &UidSet) -> Result<(), Stop> {
        let rev2 = self.enabled.rev2;
        let selected = self.selected_mut()?;
        let from = if selected.read_only {
            let meta = mail.meta();
            meta.mailbox(selected.mailbox)
                .map_or(Uid::MAX, |m| m.counters.recent_from)
        } else {
            mail.take_recent(selected.mailbox)?
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
            let read_only = selected.read_only;
            self.flags_lines(&meta, read_only);
        }
        Ok(())
    }

    /// `FLAGS` and `PERMANENTFLAGS` (RFC 9051 §6.3.2).
    pub(super) fn flags_lines(&mut self, meta: &Meta, read_only: bool) {
        let mut flags = String::from("\\Answered \\Flagged \\Deleted \\Seen \\Draft");
        for keyword in meta.keywords.all() {
            flags.push(' ');
            flags.push_str(keyword);
        }
        self.line(&format!("* FLAGS ({flags})"));
        if read_only {
            self.line("* OK [PERMANENTFLAGS ()] read-only");
        } else {
            self.line(&format!(
                "* OK [PERMANENTFLAGS ({flags} \\*)] flags are kept"
            ));
        }
    }

    /// FETCH responses with the flags of messages, but for changes that this session made.
    pub(super) async fn tell_flags(&mut self, uids: &UidSet) -> Result<(), Stop> {
        let mail = self.mail();
        let mailbox = self.selected()?.mailbox;
        let mut from = uids.first();
        while let Some(first) = from {
            let (rows, next) = batch(&mail, mailbox, uids, first)?;
            let meta = mail.meta();
            for row in &rows {
                if !self.selected()?.is_own(row.uid, row.modseq) {
                    self.flags_response(&meta, row)?;
                }
            }
            self.conn.spill().await?;
            from = next;
        }
        Ok(())
    }

    /// `* 3 FETCH (UID 7 FLAGS (...))`, with MODSEQ where CONDSTORE is on (RFC 7162 §3.2).
    pub(super) fn flags_response(&mut self, meta: &Meta, row: &Row) -> Result<(), Stop> {
        let (condstore, rev2) = (self.enabled.condstore, self.enabled.rev2);
        let selected = self.selected()?;
        let Some(number) = selected.number(row.uid) else {
            return Ok(());
        };
        let recent = !rev2 && selected.recent.contains(row.uid);
        let out = self.conn.out();
        encode::formatted(
            out,
            format_args!("* {number} FETCH (UID {} FLAGS ", row.uid),
        );
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
    let rest = uids.and(&UidSet::range(first, Uid::MAX));
    // A run without rows costs a look-up too.
    for (i, (start, end)) in rest.runs().enumerate() {
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
