//! STARTTLS (RFC 3207).
use crate::smtp::session::{Done, Next, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// When there is TLS and it is not on yet, and outside a transaction.
pub(super) fn check(session: &Session) -> Result<(), Reply> {
    if session.conn.is_tls() {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "TLS is on already"));
    }
    if session.ctx.tls.is_none() {
        return Err(Reply::new(454, Enhanced(4, 7, 0), "TLS is not available"));
    }
    Ok(())
}

/// Shakes hands. Everything known of the client is forgotten, and what it sent in the clear behind
/// the command is thrown away unread (RFC 3207 §4.2): a man in the middle may have put it there.
pub(super) async fn run(session: &mut Session) -> Done {
    let Some(acceptor) = session.ctx.tls.clone() else {
        return Ok(Next::Go);
    };
    session.reply(&Reply::new(220, Enhanced(2, 0, 0), "Ready to start TLS"));
    let start = session.conn.start_tls(&acceptor).await?;
    if start.dropped > 0 {
        log::warn!(
            "[{}] sent {} octets in the clear behind STARTTLS: dropped",
            session.conn.number(),
            start.dropped
        );
    }
    session.reset();
    session.hello = None;
    session.user = None;
    Ok(Next::Go)
}
