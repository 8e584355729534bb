//! VRFY and EXPN (RFC 5321 §3.5): both would tell a stranger who lives here; RFC 5321 §7.3 lets a
//! server say so without saying who.
use crate::smtp::session::{Next, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Neither confirms nor denies.
pub(super) fn run(session: &mut Session) -> Next {
    session.answer(Reply::new(
        252,
        Enhanced(2, 5, 0),
        "Cannot verify, but RCPT will tell",
    ))
}

/// There are no lists.
pub(super) fn expn(session: &mut Session) -> Next {
    session.fail(Reply::new(
        502,
        Enhanced(5, 5, 1),
        "There are no mailing lists here",
    ))
}
