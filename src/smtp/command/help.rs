//! HELP (RFC 5321 §4.1.1.8).
use crate::smtp::session::{Next, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Lists the commands.
pub(super) fn run(session: &mut Session) -> Next {
    session.answer(Reply::new(
        214,
        Enhanced(2, 0, 0),
        "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT STARTTLS AUTH",
    ))
}
