//! NAMESPACE (RFC 9051 §6.3.10).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// NAMESPACE: one, personal; there is nobody else.
pub fn run(session: &mut Session) -> Run {
    session.line("* NAMESPACE ((\"\" \"/\")) NIL NIL");
    Ok(Answer::ok("NAMESPACE completed"))
}
