//! STARTTLS (RFC 9051 §6.2.1).

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::{Enabled, Session};
use log::warn;

/// STARTTLS. The answer goes out in the clear, whatever came behind the command is thrown away
/// (it may be somebody else's), and nothing that was agreed on before counts any more.
pub async fn run(session: &mut Session, tag: &str) -> Run {
    if session.conn.is_tls() {
        return Answer::bad("TLS is on already").stop();
    }
    let Some(acceptor) = session.ctx.tls.clone() else {
        return Answer::no("[UNAVAILABLE] TLS is switched off").stop();
    };
    session.tagged(Some(tag), &Answer::ok("begin TLS negotiation"));
    session.conn.flush().await?;
    let started = session.conn.start_tls(&acceptor).await?;
    if started.dropped > 0 {
        let number = session.conn.number();
        warn!(
            "[{number}] imap: {} octets behind STARTTLS thrown away",
            started.dropped
        );
    }
    session.framer.reset();
    session.enabled = Enabled::default();
    // The tagged answer is out already.
    Err(Stop::Done)
}
