//! QUIT (RFC 5321 §4.1.1.10).
use crate::smtp::session::{Next, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Says good-bye.
pub(super) fn run(session: &mut Session) -> Next {
    session.reply(&Reply::new(221, Enhanced(2, 0, 0), "Bye"));
    Next::Close
}
