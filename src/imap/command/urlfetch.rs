//! URLFETCH (RFC 4467 §7, RFC 5524): the octets that signed URLs name.
//!
//! A URL counts for what its signature says, not for who is logged in: it is read as the owner who
//! signed it. Whoever asks must be the one it is meant for. Nobody here is a submission server, so
//! `submit+` opens nothing.

use super::body::{self, Form};
use super::fetch::{Look, in_response, spill};
use super::url::{find, is_me};
use crate::auth;
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::wire::encode;
use crate::imap::wire::url::{Access, Auth, Url};
use crate::imap::wire::urlfetch::Wanted;
use crate::mail::{Mail, Row};
use crate::sys::clock;
use smol::future::yield_now;
use std::sync::Arc;

/// URLFETCH.
pub async fn run(session: &mut Session, all: Vec<Wanted>) -> Run {
    let owner = session.mail().owner();
    session.conn.out().extend_from_slice(b"* URLFETCH");
    for wanted in &all {
        one(session, &owner, wanted).await.map_err(in_response)?;
        yield_now().await;
    }
    session.conn.out().extend_from_slice(b"\r\n");
    // An encoding that is not known is NIL here and no failure (RFC 5524 §3.2).
    session.take_unknown_cte();
    Ok(Answer::ok("URLFETCH completed"))
}

/// A URL and its data, or NIL.
async fn one(session: &mut Session, owner: &Arc<Mail>, wanted: &Wanted) -> Result<(), Stop> {
    let utf8 = session.enabled.utf8;
    let out = session.conn.out();
    out.push(b' ');
    encode::string(out, wanted.url.as_bytes(), utf8);
    out.push(b' ');
    let mut look = Look::new(owner.clone());
    let Some((row, url)) = valid(session, owner, &mut look, &wanted.url)? else {
        session.conn.out().extend_from_slice(b"NIL");
        return Ok(());
    };
    let there = body::exists(&mut look, &row, &url.section)?;
    let extended = wanted.structure || wanted.body || wanted.binary;
    match (there, extended) {
        (false, true) => session.conn.out().extend_from_slice(b"NIL"),
        // RFC 4467 §8: it should not happen, and is not NIL.
        (false, false) => session.conn.out().extend_from_slice(b"\"\""),
        (true, false) => {
            body::octets(session, &mut look, &row, &url.section, url.partial).await?;
        }
        (true, true) => metadata(session, &mut look, &row, &url, wanted).await?,
    }
    spill(session, &mut look).await
}

/// RFC 5524 §3.2.
async fn metadata(
    session: &mut Session,
    look: &mut Look,
    row: &Row,
    url: &Url,
    wanted: &Wanted,
) -> Result<(), Stop> {
    let form = match wanted.binary {
        true => Form::Decoded,
        false => Form::Raw,
    };
    if wanted.structure {
        session.conn.out().extend_from_slice(b"(BODYPARTSTRUCTURE ");
        body::part_structure(session, look, row, &url.section, form)?;
        session.conn.out().push(b')');
    }
    if !wanted.body && !wanted.binary {
        return Ok(());
    }
    if wanted.structure {
        session.conn.out().push(b' ');
    }
    if wanted.binary {
        session.conn.out().extend_from_slice(b"(BINARY ");
        body::decoded(session, look, row, &url.section, url.partial).await?;
    } else {
        session.conn.out().extend_from_slice(b"(BODY ");
        body::octets(session, look, row, &url.section, url.partial).await?;
    }
    session.conn.out().push(b')');
    Ok(())
}

/// The message of a URL that is signed, not expired, meant for this session, and not stale.
fn valid(
    session: &Session,
    owner: &Arc<Mail>,
    look: &mut Look,
    text: &str,
) -> Result<Option<(Row, Url)>, Stop> {
    let Some(url) = Url::parse(text) else {
        return Ok(None);
    };
    let Some(auth) = &url.auth else {
        return Ok(None);
    };
    let signed = is_signed(owner, &url, auth, text)?;
    let user = url.server.as_ref().and_then(|server| server.user.as_ref());
    let ours = user.is_some_and(|user| is_me(session, user));
    let in_time = url
        .expire
        .is_none_or(|until| i64::from(clock::now()) <= until);
    let may = match &auth.access {
        Access::Submit(_) => false,
        // An app password is not its owner.
        Access::User(user) => session.mail().principal().is_none() && is_me(session, user),
        Access::AuthUser | Access::Anonymous => true,
    };
    if !(signed && ours && in_time && may) {
        return Ok(None);
    }
    Ok(find(look, &url)?.map(|row| (row, url)))
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
