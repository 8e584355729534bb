//! BDAT (RFC 3030 §2): the message in chunks of announced length.
//!
//! The octets of a chunk are read whatever becomes of it. A chunk that fails ends the message: RFC
//! 3030 §2 leaves only RSET then, so the transaction is gone and every further chunk is answered 503.
use crate::limits;
use crate::net;
use crate::smtp::incoming::Incoming;
use crate::smtp::session::{Done, Next, Session};
use crate::smtp::wire::bdat::Chunk;
use crate::smtp::wire::reply::{Enhanced, Reply};

/// What ends a session that goes on sending what was refused.
pub(super) const TOO_MUCH: &str = "Too much data, closing";

/// Takes one chunk.
pub(super) async fn run(session: &mut Session, size: u64, last: bool) -> Done {
    let mut incoming = match begin(session).await {
        Ok(incoming) => incoming,
        Err(reply) => return refuse(session, size, reply).await,
    };
    if !receive(session, &mut incoming, size).await? {
        return Ok(session.bye(TOO_MUCH));
    }
    let more = Reply::of(250, Enhanced(2, 0, 0), format!("{size} octets received"));
    added(session, incoming, (!last).then_some(more)).await
}

/// A piece of the message has come. What cannot be stored is refused with the piece that was too much
/// (RFC 3030 §2), the complete message is filed. `more`: it is not complete, and this is the answer.
pub(super) async fn added(
    session: &mut Session,
    mut incoming: Incoming,
    more: Option<Reply>,
) -> Done {
    if let Some(reply) = incoming.take_refusal() {
        session.reset();
        return Ok(session.fail(reply));
    }
    if let Some(reply) = more {
        session.chunks = Some(incoming);
        return Ok(session.answer(reply));
    }
    let Some(transaction) = session.transaction.take() else {
        return Ok(Next::Go);
    };
    let reply = incoming.finish(session, transaction).await;
    Ok(session.answer(reply))
}

/// The message so far; for the first chunk: is there a transaction to fill?
pub(super) async fn begin(session: &mut Session) -> Result<Incoming, Reply> {
    if let Some(incoming) = session.chunks.take() {
        return Ok(incoming);
    }
    let Some(transaction) = &session.transaction else {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say MAIL first"));
    };
    if transaction.recipients.is_empty() {
        return Err(Reply::new(554, Enhanced(5, 5, 1), "No valid recipients"));
    }
    Incoming::new(session).await
}

/// Reads a refused chunk away, then says so. A size that nobody could mean ends the session.
async fn refuse(session: &mut Session, size: u64, reply: Reply) -> Done {
    session.reset();
    if size > limits::DRAIN_OCTETS {
        session.reply(&reply);
        return Ok(Next::Close);
    }
    // What was answered before must not wait for the chunk (the client may).
    session.conn.flush().await?;
    session.conn.discard(size).await?;
    Ok(session.fail(reply))
}

async fn receive(
    session: &mut Session,
    incoming: &mut Incoming,
    size: u64,
) -> Result<bool, net::Error> {
    let mut chunk = Chunk::new(size);
    session.conn.flush().await?;
    while !chunk.is_done() {
        let octets = chunk.take(session.conn.chunk(limits::READ_CHUNK).await?);
        let taken = octets.len();
        let go_on = incoming.push(octets).await;
        session.conn.consume(taken);
        if !go_on {
            return Ok(false);
        }
    }
    Ok(true)
}
