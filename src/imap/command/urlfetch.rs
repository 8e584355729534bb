//! URLFETCH (RFC 4467 §7, RFC 5524): the octets that signed URLs name.
//!
//! A URL counts for what its signature says, not for who is logged in: it is read as the owner who
//! signed it. Whoever asks must be the one it is meant for. `submit+` opens nothing here:
//! submission reads by itself (RFC 4468).

use super::body::{self, Form};
use super::fetch::{Look, in_response, spill};
use super::url::{find, is_me, is_open};
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::wire::encode;
use crate::imap::wire::url::{Access, Url};
use crate::imap::wire::urlfetch::Wanted;
use crate::mail::{Mail, Row};
use smol::future::yield_now;
use std::sync::Arc;

/// URLFETCH.
pub async fn run(session: &mut Session, all: &[Wanted]) -> Run {
    let owner = session.mail().owner();
    session.conn.out().extend_from_slice(b"* URLFETCH");
    for wanted in all {
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
    let config = &session.ctx.config;
    let may = |access: &Access| match access {
        Access::Submit(_) => false,
        // An app password is not its owner.
        Access::User(user) => session.mail().principal().is_none() && is_me(config, user),
        Access::AuthUser | Access::Anonymous => true,
    };
    if !is_open(config, owner, &url, text, may)? {
        return Ok(None);
    }
    Ok(find(look, &url)?.map(|row| (row, url)))
}
