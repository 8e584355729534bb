//! The messages that URLs name (RFC 4469 §3, RFC 4467 §7), for submission's BURL, too (RFC 4468).

use super::body::Octets;
use super::fetch::Look;
use crate::auth;
use crate::config::Config;
use crate::imap::answer::Stop;
use crate::imap::wire::url::{Access, Auth, Url};
use crate::mail::{Mail, Row};
use crate::sys::clock;
use std::sync::Arc;

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
pub fn is_me(config: &Config, user: &str) -> bool {
    user.eq_ignore_ascii_case(&config.user) || config.owns(user)
}

/// Is a URL signed by its owner, in time, and meant for whom `may` says?
pub fn is_open(
    config: &Config,
    owner: &Mail,
    url: &Url,
    text: &str,
    may: impl FnOnce(&Access) -> bool,
) -> Result<bool, Stop> {
    let Some(auth) = &url.auth else {
        return Ok(false);
    };
    let signed = is_signed(owner, url, auth, text)?;
    let user = url.server.as_ref().and_then(|server| server.user.as_ref());
    let ours = user.is_some_and(|user| is_me(config, user));
    let in_time = url
        .expire
        .is_none_or(|until| i64::from(clock::now()) <= until);
    Ok(signed && ours && in_time && may(&auth.access))
}

/// A mailbox that does not exist takes as long as one that does (RFC 4467 §6).
fn is_signed(owner: &Mail, url: &Url, auth: &Auth, text: &str) -> Result<bool, Stop> {
    let mailbox = owner.meta().by_path(&url.mailbox).map(|found| found.id);
    let key = match mailbox {
        Some(mailbox) => owner.url_key(mailbox)?,
        None => None,
    };
    let rump = text.get(..auth.rump).unwrap_or_default();
    let (mechanism, token) = match &auth.token {
        Some((mechanism, token)) => (mechanism.as_str(), token.as_str()),
        None => ("", ""),
    };
    let fits = auth::url::verify(key.as_deref().unwrap_or(&[0; 32]), rump, token);
    Ok(fits && key.is_some() && mechanism == "INTERNAL")
}

/// What submission cannot have.
pub enum Closed {
    /// It is not signed, or for somebody else, or too old.
    Denied,
    /// There is no such message or part.
    Missing,
    /// The store, now.
    Unavailable,
}

impl From<Stop> for Closed {
    fn from(_: Stop) -> Closed {
        Closed::Unavailable
    }
}

/// What a URL names, on its way into a message that is submitted.
pub struct Submitted<'u> {
    look: Look,
    octets: Octets<'u>,
}

impl<'u> Submitted<'u> {
    /// RFC 4468 §3.3: `submit+` is for this user alone; what is for a user's own IMAP sessions (`user+`)
    /// is not for a submission server.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn open(
        config: &Config,
        owner: &Arc<Mail>,
        url: &'u Url,
        text: &str,
    ) -> Result<Submitted<'u>, Closed> {
        let may = |access: &Access| match access {
            Access::Submit(user) => is_me(config, user),
            Access::User(_) => false,
            Access::AuthUser | Access::Anonymous => true,
        };
        if !is_open(config, owner, url, text, may)? {
            return Err(Closed::Denied);
        }
        let mut look = Look::new(owner.clone());
        let row = find(&mut look, url)?.ok_or(Closed::Missing)?;
        let octets = Octets::open(&mut look, &row, &url.section, url.partial)?;
        let octets = octets.ok_or(Closed::Missing)?;
        Ok(Submitted { look, octets })
    }

    /// Appends the next piece; false when there are no more. Nothing is held of the store behind it.
    ///
    /// # Errors
    /// [`Closed::Unavailable`].
    pub fn next(&mut self, out: &mut Vec<u8>) -> Result<bool, Closed> {
        let more = self.octets.next(&mut self.look, out);
        self.look.close();
        Ok(more?)
    }
}
