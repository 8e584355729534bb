//! BURL (RFC 4468): what a signed URL names becomes a piece of the message, beside those of BDAT. It is
//! read here, out of the own store; no other server is ever asked. A piece that cannot be had ends the
//! transaction (§3.2).
use super::bdat::{added, begin};
use crate::server::{Closed, Submitted, Url};
use crate::smtp::incoming::Incoming;
use crate::smtp::session::{Done, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// RFC 4468 §3.1: submission alone has it.
pub(super) fn check(session: &Session) -> Result<(), Reply> {
    match session.is_submission() {
        true => Ok(()),
        false => Err(Reply::new(502, Enhanced(5, 5, 1), "No BURL here")),
    }
}

/// Adds what the URL names.
pub(super) async fn run(session: &mut Session, text: &str, last: bool) -> Done {
    let incoming = match begin(session).await {
        Ok(incoming) => incoming,
        Err(reply) => {
            session.reset();
            return Ok(session.fail(reply));
        }
    };
    let ctx = session.ctx.clone();
    let url = Url::parse(text);
    let found = match &url {
        Some(url) => Submitted::open(&ctx.config, &ctx.mail, url, text),
        None => Err(Closed::Missing),
    };
    let read = match found {
        Ok(found) => copy(incoming, found).await,
        Err(closed) => Err(closed),
    };
    match read {
        Ok(incoming) => {
            let more = Reply::new(250, Enhanced(2, 5, 0), "Waiting for the rest");
            added(session, incoming, (!last).then_some(more)).await
        }
        Err(closed) => {
            session.reset();
            Ok(session.fail(refusal(&closed)))
        }
    }
}

async fn copy(mut incoming: Incoming, mut found: Submitted<'_>) -> Result<Incoming, Closed> {
    let (mut piece, mut more) = (Vec::new(), true);
    while more {
        piece.clear();
        more = found.next(&mut piece)?;
        // Refused is refused: `added` says so.
        more &= incoming.push(&piece).await;
        smol::future::yield_now().await;
    }
    Ok(incoming)
}

/// RFC 4468 §6.
fn refusal(closed: &Closed) -> Reply {
    match closed {
        Closed::Denied => Reply::new(554, Enhanced(5, 7, 0), "IMAP URL authorization failed"),
        Closed::Missing => Reply::new(554, Enhanced(5, 6, 6), "IMAP URL resolution failed"),
        Closed::Unavailable => Reply::new(451, Enhanced(4, 4, 1), "The store is not available"),
    }
}
