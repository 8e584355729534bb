//! STLS (RFC 2595 §4).
use crate::net::Error;
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::Code;

/// Starts TLS. Whatever came in the clear behind the command is thrown away, and whatever was said
/// before it is forgotten: none of it can be trusted.
pub(in crate::pop3) async fn stls(session: &mut Session) -> Result<Flow, Error> {
    if session.conn.is_tls() {
        return Ok(session.refuse(Code::None, "TLS is active already"));
    }
    let Some(tls) = session.ctx.tls.clone() else {
        return Ok(session.refuse(Code::None, "there is no TLS here"));
    };
    session.ok("begin TLS");
    session.conn.flush().await?;
    let started = session.conn.start_tls(&tls).await?;
    if started.dropped > 0 {
        let (number, dropped) = (session.conn.number(), started.dropped);
        log::warn!("[{number}] pop3: {dropped} octets behind STLS were thrown away");
    }
    session.state = State::Authorization(None);
    session.utf8 = false;
    Ok(Flow::Go)
}
