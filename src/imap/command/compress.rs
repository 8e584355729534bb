//! COMPRESS (RFC 4978 §3).

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;

/// COMPRESS DEFLATE: the tagged answer is the last that goes out as it is.
pub async fn run(session: &mut Session, tag: &str) -> Run {
    if session.conn.is_compressed() {
        return Answer::bad("[COMPRESSIONACTIVE] DEFLATE is active already, by COMPRESS").stop();
    }
    if session.selected.is_some() {
        session.tell(crate::imap::session::Expunges::Tell).await?;
    }
    session.tagged(Some(tag), &Answer::ok("DEFLATE active"));
    session.conn.compress().await?;
    // The tagged answer is out already.
    Err(Stop::Done)
}
