//! GENURLAUTH (RFC 4467 §7): signs URLs of own messages.

use super::url::is_me;
use crate::auth;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::encode;
use crate::imap::wire::url::{Access, Url};
use crate::mail::MailboxId;
use crate::sys::random;

/// GENURLAUTH: all of them, or BAD with what is wrong with one.
pub async fn run(session: &mut Session, pairs: &[(String, String)]) -> Run {
    let mail = session.mail();
    let mut signed = Vec::with_capacity(pairs.len());
    for (text, mechanism) in pairs {
        if mechanism != "INTERNAL" {
            return Answer::bad("INTERNAL is the only mechanism").stop();
        }
        let mailbox = check(session, text).or_else(Answer::stop)?;
        let Ok(fresh) = random::octets() else {
            return Answer::no("[UNAVAILABLE] the system gives no random octets").stop();
        };
        let key = mail.url_key_or(mailbox, fresh).await?;
        let token = auth::url::token(&key, text);
        signed.push(format!("{text}:internal:{token}"));
    }
    let utf8 = session.enabled.utf8;
    let out = session.conn.out();
    out.extend_from_slice(b"* GENURLAUTH");
    for url in signed {
        out.push(b' ');
        encode::string(out, url.as_bytes(), utf8);
    }
    out.extend_from_slice(b"\r\n");
    Ok(Answer::ok("GENURLAUTH completed"))
}

/// What RFC 4467 §7 wants looked at. Returns the mailbox whose key signs.
fn check(session: &Session, text: &str) -> Result<MailboxId, Answer> {
    let Some(url) = Url::parse(text) else {
        return Err(Answer::bad("this is no URL of a message or part"));
    };
    let Some(auth) = url.auth.filter(|auth| auth.token.is_none()) else {
        return Err(Answer::bad(
            "the URL does not end in an access identifier: ;URLAUTH=authuser",
        ));
    };
    let Some(user) = url.server.and_then(|server| server.user) else {
        return Err(Answer::bad("the URL has no user: imap://user@host/"));
    };
    if !is_me(&session.ctx.config, &user) {
        return Err(Answer::bad("the URL is not one of this user's"));
    }
    if let Access::User(user) | Access::Submit(user) = &auth.access
        && !is_me(&session.ctx.config, user)
    {
        return Err(Answer::bad("the access identifier names nobody here"));
    }
    let meta = session.mail().meta();
    match meta.by_path(&url.mailbox) {
        Some(mailbox) => Ok(mailbox.id),
        None => Err(Answer::bad("the URL's mailbox does not exist")),
    }
}
