//! The counts of a mailbox as JMAP shows them (RFC 8621 §2): emails with `\Deleted` do not exist
//! there (§4.1.1), and threads are counted too.
use super::{Flags, Mail, MailboxId, Result, Uid};

/// Counts of one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `totalEmails`.
    pub emails: u32,
    /// `unreadEmails`: neither `$seen` nor `$draft`.
    pub unread: u32,
    /// `totalThreads`.
    pub threads: u32,
    /// `unreadThreads`: threads of which an unread email is in this mailbox. So the count changes
    /// only when the mailbox does, and trash counts for trash alone.
    pub unread_threads: u32,
}

/// Rows in one look at the store; others have their turn in between.
const SLICE: usize = 4096;

/// Counts a mailbox in one scan of its rows: 4 octets of memory for each.
pub async fn count(mail: &Mail, mailbox: MailboxId) -> Result<Counts> {
    let (mut threads, mut unread) = (Vec::new(), Vec::new());
    let mut next = Some(1);
    while let Some(first) = next.take() {
        let mut looked = 0;
        mail.reader()?.rows(mailbox, first, Uid::MAX, |row| {
            if !row.flags.has(Flags::DELETED) {
                threads.push(row.thread.0);
                if row.flags.only(Flags::SEEN.with(Flags::DRAFT)) == Flags::default() {
                    unread.push(row.thread.0);
                }
            }
            looked += 1;
            if looked == SLICE {
                next = row.uid.checked_add(1);
            }
            looked < SLICE
        })?;
        if next.is_some() {
            smol::future::yield_now().await;
        }
    }
    let (emails, unread_emails) = (threads.len() as u32, unread.len() as u32);
    Ok(Counts {
        emails,
        unread: unread_emails,
        threads: distinct(threads),
        unread_threads: distinct(unread),
    })
}

fn distinct(mut ids: Vec<u32>) -> u32 {
    ids.sort_unstable();
    ids.dedup();
    ids.len() as u32
}
