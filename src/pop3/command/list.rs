//! STAT, LIST and UIDL (RFC 1939 §5, §7): listings, read page by page.
//!
//! A page is some hundred rows: the reader is gone before the answer goes out.
use super::{refuse, trouble};
use crate::mail::Row;
use crate::net::Error;
use crate::pop3::maildrop::{Maildrop, Refusal};
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::response::{scan_listing, unique_id_listing};

/// One line of a listing: LIST's or UIDL's.
type Listing = fn(&Maildrop, &mut String, u32, &Row);

/// How many messages are left, and their octets.
pub(in crate::pop3) async fn stat(session: &mut Session) -> Flow {
    let State::Transaction(maildrop) = &mut session.state else {
        return Flow::Close;
    };
    match maildrop.octets(&session.ctx.mail).await {
        Ok(octets) => {
            let text = format!("{} {octets}", maildrop.count());
            session.go(&text)
        }
        Err(error) => trouble(session, &error),
    }
}

/// Sizes of all messages, or of one.
pub(in crate::pop3) async fn list(
    session: &mut Session,
    number: Option<u32>,
) -> Result<Flow, Error> {
    let listing: Listing = |_, out, number, row| scan_listing(out, number, u64::from(row.size));
    listed(session, number, listing).await
}

/// Unique-ids of all messages, or of one.
pub(in crate::pop3) async fn uidl(
    session: &mut Session,
    number: Option<u32>,
) -> Result<Flow, Error> {
    let listing: Listing = |maildrop, out, number, row| {
        unique_id_listing(out, number, maildrop.uidvalidity(), row.email.0);
    };
    listed(session, number, listing).await
}

async fn listed(
    session: &mut Session,
    number: Option<u32>,
    listing: Listing,
) -> Result<Flow, Error> {
    match number {
        Some(number) => Ok(one(session, number, listing)),
        None => all(session, listing).await,
    }
}

fn one(session: &mut Session, number: u32, listing: Listing) -> Flow {
    let State::Transaction(maildrop) = &session.state else {
        return Flow::Close;
    };
    let reader = session.ctx.mail.reader().map_err(Refusal::from);
    match reader.and_then(|reader| maildrop.row(&reader, number)) {
        Ok(row) => {
            let mut text = String::from("+OK ");
            listing(maildrop, &mut text, number, &row);
            session.write(text);
            Flow::Go
        }
        Err(refusal) => refuse(session, refusal),
    }
}

async fn all(session: &mut Session, listing: Listing) -> Result<Flow, Error> {
    let mut text = String::from("+OK the list follows\r\n");
    let mut next = Some(1);
    while let Some(from) = next {
        let State::Transaction(maildrop) = &session.state else {
            return Ok(Flow::Close);
        };
        let page = session.ctx.mail.reader().and_then(|reader| {
            maildrop.page(&reader, from, |number, row| {
                listing(maildrop, &mut text, number, row);
            })
        });
        next = match page {
            Ok(next) => next,
            Err(error) if from == 1 => return Ok(trouble(session, &error)),
            // Half a list looks like a whole one: better no connection.
            Err(error) => {
                log::warn!("[{}] pop3: {error}", session.conn.number());
                return Ok(Flow::Close);
            }
        };
        session.conn.write(text.as_bytes()).await?;
        text.clear();
    }
    session.conn.write(b".\r\n").await?;
    Ok(Flow::Go)
}
