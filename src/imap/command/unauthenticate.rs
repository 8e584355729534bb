//! UNAUTHENTICATE (RFC 8437): back to where the connection was behind its greeting, but for TLS.

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use log::info;

/// UNAUTHENTICATE. The answer is the last that is compressed (RFC 8437 §4.1), and nothing that the last
/// user agreed on, selected or was told of is left for the next one.
pub async fn run(session: &mut Session, tag: &str) -> Run {
    info!("[{}] imap: unauthenticated", session.conn.number());
    session.tagged(Some(tag), &Answer::ok("UNAUTHENTICATE completed"));
    session.conn.flush().await?;
    if session.conn.is_compressed() {
        session.conn.decompress().await?;
    }
    session.forget();
    // The tagged answer is out already.
    Err(Stop::Done)
}
