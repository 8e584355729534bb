//! ID (RFC 2971): who we are, and a log line about who they are.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::id::Fields;
use log::debug;

/// ID.
pub fn run(session: &mut Session, fields: &Fields) -> Run {
    let of = |name: &str| {
        let found = fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.and_then(|(_, value)| value.as_deref()).unwrap_or("-")
    };
    debug!(
        "[{}] imap: client {:.60?} {:.60?}",
        session.conn.number(),
        of("name"),
        of("version")
    );
    let version = env!("CARGO_PKG_VERSION");
    session.line(&format!(
        "* ID (\"name\" \"Pillarbox\" \"version\" \"{version}\")"
    ));
    Ok(Answer::ok("ID completed"))
}
