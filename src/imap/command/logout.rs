//! LOGOUT (RFC 9051 §6.1.3).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// LOGOUT: says BYE and ends the connection after the answer.
pub fn run(session: &mut Session) -> Run {
    session.selected = None;
    session.over = true;
    session.line("* BYE see you");
    Ok(Answer::ok("LOGOUT completed"))
}
