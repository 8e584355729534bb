//! The keys that authorized URLs are signed with, one a mailbox (RFC 4467 §2.2). They are kept by the
//! mailbox's id: a mailbox made anew under an old name has another key, and no old URL reaches it.

use super::fail::Done;
use super::{Error, Mail, MailboxId, Result, Rights};
use crate::store::Txn;
use crate::sys::lock;

/// Octets of a key: as many as HMAC-SHA256 makes use of.
pub const URL_KEY: usize = 32;

const PREFIX: &[u8] = b"urlkey/";

fn key_of(mailbox: MailboxId) -> Vec<u8> {
    [PREFIX, &mailbox.0.to_be_bytes()].concat()
}

impl Mail {
    /// The key of a mailbox, if it has one. It opens what is in there, so it is for those who read it.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoPermission`] without `r`.
    pub fn url_key(&self, mailbox: MailboxId) -> Result<Option<Vec<u8>>> {
        self.need(mailbox, Rights::READ)?;
        self.get(&key_of(mailbox))
    }

    /// The key of a mailbox; `fresh` becomes it where there is none.
    ///
    /// Errors: [`Error::NoPermission`] for all but the owner.
    pub async fn url_key_or(&self, mailbox: MailboxId, fresh: [u8; URL_KEY]) -> Result<Vec<u8>> {
        if let Some(key) = self.url_key(mailbox)? {
            return Ok(key);
        }
        self.write(0, move |txn| {
            if let Some(key) = txn.misc(&key_of(mailbox))? {
                return Ok(key);
            }
            put(txn, mailbox, &fresh)?;
            Ok(fresh.to_vec())
        })
        .await
    }

    /// Gives a mailbox a new key: every URL signed with the old one is void.
    ///
    /// Errors: [`Error::NoSuchMailbox`]; [`Error::NoPermission`] for all but the owner.
    pub async fn reset_url_key(&self, mailbox: MailboxId, fresh: [u8; URL_KEY]) -> Result<()> {
        self.write(0, move |txn| put(txn, mailbox, &fresh)).await?;
        *lock(&self.shared.url_resets).entry(mailbox).or_default() += 1;
        // Whoever idles in there hears of it (RFC 4467 §7).
        self.shared.hub.bump(self.shared.hub.modseq());
        Ok(())
    }

    /// Takes all keys away: every signed URL is void.
    ///
    /// Errors: [`Error::NoPermission`] for all but the owner.
    pub async fn reset_url_keys(&self) -> Result<()> {
        self.write(0, |txn| {
            loop {
                let keys = txn.misc_keys(PREFIX, 100)?;
                if keys.is_empty() {
                    return Ok(());
                }
                for key in keys {
                    txn.put_misc(&key, None)?;
                }
            }
        })
        .await
    }

    /// How often the key of a mailbox was reset since the start.
    pub fn url_resets(&self, mailbox: MailboxId) -> u32 {
        let resets = lock(&self.shared.url_resets);
        resets.get(&mailbox).copied().unwrap_or(0)
    }
}

fn put(txn: &mut Txn<'_>, mailbox: MailboxId, fresh: &[u8]) -> Done<()> {
    if !txn.state.mailboxes.contains_key(&mailbox.0) {
        return Err(Error::NoSuchMailbox.into());
    }
    Ok(txn.put_misc(&key_of(mailbox), Some(fresh))?)
}
