//! UNSELECT (RFC 9051 §6.4.2).

use super::select;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// UNSELECT: leaves the mailbox and removes nothing.
pub fn run(session: &mut Session) -> Run {
    select::leave(session)?;
    Ok(Answer::ok("UNSELECT completed"))
}
