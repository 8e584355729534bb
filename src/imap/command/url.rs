//! The messages that URLs name (RFC 4469 §3, RFC 4467 §7).

use super::fetch::Look;
use crate::imap::answer::Stop;
use crate::imap::session::Session;
use crate::imap::wire::url::Url;
use crate::mail::Row;

/// The row of the message, if the URL is not stale.
pub fn find(look: &mut Look, url: &Url) -> Result<Option<Row>, Stop> {
    let (reader, meta) = look.open()?;
    let Some(mailbox) = meta.by_path(&url.mailbox) else {
        return Ok(None);
    };
    if url.uidvalidity.is_some_and(|v| v != mailbox.uidvalidity) {
        return Ok(None);
    }
    Ok(reader.row(mailbox.id, url.uid)?)
}

/// Is this user the one that everything here belongs to?
pub fn is_me(session: &Session, user: &str) -> bool {
    let config = &session.ctx.config;
    user.eq_ignore_ascii_case(&config.user) || config.owns(user)
}
