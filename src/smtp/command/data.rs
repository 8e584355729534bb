//! DATA (RFC 5321 §4.1.1.4): the message, up to CRLF.CRLF and to nothing else.
use super::bdat::{TOO_MUCH, added, begin};
use crate::limits;
use crate::net;
use crate::smtp::incoming::Incoming;
use crate::smtp::session::{Done, Session};
use crate::smtp::wire::data::Decoder;
use crate::smtp::wire::params::Body;
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Behind RCPT, and not beside BDAT (RFC 3030 §2, §3).
pub(super) fn check(session: &Session) -> Result<(), Reply> {
    let Some(transaction) = &session.transaction else {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say MAIL first"));
    };
    if session.chunks.is_some() {
        return Err(Reply::new(
            503,
            Enhanced(5, 5, 1),
            "The message comes by BDAT already",
        ));
    }
    if transaction.params.body == Body::BinaryMime {
        return Err(Reply::new(
            503,
            Enhanced(5, 5, 1),
            "BODY=BINARYMIME goes by BDAT only",
        ));
    }
    if transaction.recipients.is_empty() {
        return Err(Reply::new(554, Enhanced(5, 5, 1), "No valid recipients"));
    }
    Ok(())
}

/// Takes the message.
pub(super) async fn run(session: &mut Session) -> Done {
    let mut incoming = match begin(session).await {
        Ok(incoming) => incoming,
        Err(reply) => {
            session.reset();
            return Ok(session.fail(reply));
        }
    };
    session.reply(&Reply::plain(
        354,
        "Go ahead, end with a dot alone on a line",
    ));
    session.conn.flush().await?;
    if !receive(session, &mut incoming).await? {
        return Ok(session.bye(TOO_MUCH));
    }
    added(session, incoming, None).await
}

/// Reads to the end of the data. False when it has no end in sight.
async fn receive(session: &mut Session, incoming: &mut Incoming) -> Result<bool, net::Error> {
    let mut decoder = Decoder::default();
    let mut octets = Vec::with_capacity(limits::READ_CHUNK);
    while !decoder.is_done() {
        octets.clear();
        let taken = decoder.decode(session.conn.chunk(limits::READ_CHUNK).await?, &mut octets);
        session.conn.consume(taken);
        if !incoming.push(&octets).await {
            return Ok(false);
        }
    }
    Ok(true)
}
