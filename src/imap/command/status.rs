//! STATUS (RFC 9051 §6.3.11), also for LIST-STATUS (RFC 5819).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::status::Item;
use crate::imap::wire::{encode, mailbox};
use crate::mail::{Error, Flags, Mailbox, Rights, Uid};

/// STATUS.
pub fn run(session: &mut Session, name: &str, items: &[Item]) -> Run {
    if items.contains(&Item::HighestModSeq) {
        session.condstore();
    }
    let meta = session.mail().meta();
    let Some(mailbox) = meta.by_path(name) else {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    };
    if !mailbox.rights.has(Rights::READ) {
        return Answer::no("[NOPERM] no right to read this mailbox").stop();
    }
    session.status_response(mailbox, items)?;
    Ok(Answer::ok("STATUS completed"))
}

impl Session {
    /// `* STATUS name (...)`: counters that are kept, nothing is counted.
    pub(in crate::imap) fn status_response(
        &mut self,
        mailbox: &Mailbox,
        items: &[Item],
    ) -> Result<(), Error> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push((item.name(), self.status_value(mailbox, *item)?));
        }
        let utf8 = self.enabled.utf8;
        let out = self.conn.out();
        out.extend_from_slice(b"* STATUS ");
        mailbox::write(out, &mailbox.path, utf8);
        out.push(b' ');
        encode::list(out, values, |out, (name, value)| match name {
            "MAILBOXID" => encode::formatted(out, format_args!("{name} (m{value})")),
            _ => encode::formatted(out, format_args!("{name} {value}")),
        });
        out.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// Octets that EXPUNGE would free (RFC 9208 §4.1.4): one pass over the rows, if any is \Deleted. A
    /// message that other mailboxes show as well frees nothing.
    fn deleted_storage(&self, mailbox: &Mailbox) -> Result<u64, Error> {
        let mut octets = 0;
        if mailbox.counters.deleted > 0 {
            let reader = self.mail().reader()?;
            reader.rows(mailbox.id, 1, Uid::MAX, |row| {
                if row.flags.has(Flags::DELETED) && !row.flags.has(Flags::SHARED) {
                    octets += u64::from(row.size);
                }
                true
            })?;
        }
        Ok(octets)
    }

    fn status_value(&self, mailbox: &Mailbox, item: Item) -> Result<u64, Error> {
        let counters = &mailbox.counters;
        Ok(match item {
            Item::Messages => counters.total.into(),
            Item::Recent => match self.ctx.mail.peek_recent(mailbox.id)? {
                from if from >= counters.uidnext => 0,
                from => {
                    let view = self.ctx.mail.view(mailbox.id)?;
                    (view.uids.len() - view.uids.rank(from)).into()
                }
            },
            Item::UidNext => counters.uidnext.into(),
            Item::UidValidity => mailbox.uidvalidity.into(),
            Item::Unseen => counters.unseen.into(),
            Item::Deleted => counters.deleted.into(),
            Item::DeletedStorage => self.deleted_storage(mailbox)?,
            Item::Size => counters.size,
            Item::HighestModSeq => counters.highest_modseq.max(1),
            Item::MailboxId => mailbox.id.0.into(),
            Item::AppendLimit => self.ctx.mail.message_size(),
        })
    }
}
