//! Several new messages, all or none (RFC 3502): they come in one after another and show in one
//! commit.
//!
//! Memory is bounded however many there are: what is over `limits::APPEND_HELD` is put away as an
//! upload, which no mailbox shows, and is adopted by the last commit. Where that never comes (the
//! client is gone, a power cut), the uploads are swept after `limits::APPEND_KEPT`.

use super::deliver::parked_key;
use super::{
    Added, Commit, EmailId, Error, Mail, MailboxId, NewEmail, Puts, Result, Source, Uid, now,
};
use crate::limits;
use std::sync::Arc;

/// Messages on their way in together.
pub struct Batch {
    mail: Arc<Mail>,
    emails: Vec<NewEmail>,
    /// From here on they are in memory; before they are put away.
    held: usize,
    /// Octets in memory.
    weight: usize,
    /// Octets of what stays in memory anyway.
    heads: usize,
    /// When what was put away expires, and its ids.
    away: Vec<(u32, EmailId)>,
}

impl Batch {
    /// None yet.
    pub fn new(mail: Arc<Mail>) -> Batch {
        Batch {
            mail,
            emails: Vec::new(),
            held: 0,
            weight: 0,
            heads: 0,
            away: Vec::new(),
        }
    }

    /// Adds one.
    ///
    /// Errors: [`Error::Limit`] beyond `limits::APPEND_HEADS`; those of [`Mail::commit`].
    pub async fn push(&mut self, email: NewEmail) -> Result<()> {
        let words: usize = email.keywords.iter().map(|k| k.len() + 24).sum();
        self.heads += size_of::<NewEmail>() + words;
        if self.heads > limits::APPEND_HEADS {
            return Err(Error::Limit(&"too many messages at once"));
        }
        if let Source::Staged(staged) = &email.source {
            self.weight += staged.encoded.len() + staged.row.structure.len();
        }
        self.emails.push(email);
        if self.weight > limits::APPEND_HELD && self.emails.len() > 1 {
            self.put_away().await?;
        }
        Ok(())
    }

    /// Puts what is in memory into the store, in one commit.
    async fn put_away(&mut self) -> Result<()> {
        self.mail.sweep_uploads(now()).await?;
        let expires = now().saturating_add(limits::APPEND_KEPT);
        let mut heads = Vec::new();
        let mut uploads = Vec::new();
        for mut email in self.emails.drain(self.held..) {
            let (mailboxes, keywords) = (
                std::mem::take(&mut email.mailboxes),
                std::mem::take(&mut email.keywords),
            );
            heads.push((mailboxes, email.flags, keywords, email.internaldate));
            uploads.push(NewEmail {
                hold: true,
                ..email
            });
        }
        let owner = self.mail.upload_owner();
        let put: Puts = Box::new(move |added| {
            let keys = added.iter().map(|a| parked_key(expires, a.email));
            keys.map(|key| (key, Some(owner.clone()))).collect()
        });
        let commit = Commit {
            add: uploads,
            put: Some(put),
            ..Commit::default()
        };
        let added = self.mail.file(commit).await?;
        for ((mailboxes, flags, keywords, internaldate), added) in heads.into_iter().zip(added) {
            self.away.push((expires, added.email));
            self.emails.push(NewEmail {
                source: Source::Blob(added.email),
                mailboxes,
                flags,
                keywords,
                internaldate,
                hold: false,
            });
        }
        self.held = self.emails.len();
        self.weight = 0;
        Ok(())
    }

    /// Makes all of them show, and ends the membership `instead`, in one commit.
    ///
    /// Errors: as for [`Mail::commit`]; nothing has changed then.
    pub async fn commit(mut self, instead: Option<(MailboxId, Uid)>) -> Result<Vec<Added>> {
        let away = std::mem::take(&mut self.away);
        let mail = self.mail.clone();
        let done = mail
            .file(Commit {
                add: std::mem::take(&mut self.emails),
                end: instead,
                ..released(&away)
            })
            .await;
        if done.is_err() {
            self.away = away;
            self.cancel().await;
        }
        done
    }

    /// Lets go of all of them at once. Without it they go when their time is over.
    pub async fn cancel(mut self) {
        let away = std::mem::take(&mut self.away);
        if !away.is_empty()
            && let Err(error) = self.mail.file(released(&away)).await
        {
            log::warn!("messages of a cancelled APPEND stay until they are swept: {error}");
        }
    }
}

/// Gives the holds of uploads back.
fn released(away: &[(u32, EmailId)]) -> Commit {
    if away.is_empty() {
        return Commit::default();
    }
    let keys: Vec<Vec<u8>> = away.iter().map(|(e, id)| parked_key(*e, *id)).collect();
    let put: Puts = Box::new(move |_| keys.into_iter().map(|key| (key, None)).collect());
    Commit {
        release: away.iter().map(|(_, id)| *id).collect(),
        put: Some(put),
        ..Commit::default()
    }
}
