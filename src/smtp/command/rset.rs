//! RSET and NOOP (RFC 5321 §4.1.1.5, §4.1.1.9).
use crate::smtp::session::{Next, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Forgets the transaction.
pub(super) fn run(session: &mut Session) -> Next {
    session.reset();
    session.answer(Reply::new(250, Enhanced(2, 0, 0), "Ok"))
}

/// Does nothing.
pub(super) fn noop(session: &mut Session) -> Next {
    session.answer(Reply::new(250, Enhanced(2, 0, 0), "Ok"))
}
