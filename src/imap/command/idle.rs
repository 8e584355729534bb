//! IDLE (RFC 9051 §6.3.13): whatever changes the mailbox is told at once.

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::{Expunges, Session};
use crate::imap::wire::frame::Event;
use smol::future::FutureExt;

/// IDLE, until DONE. Listens first and looks then, so that nothing falls between.
pub async fn run(session: &mut Session) -> Run {
    session.line("+ idling");
    loop {
        let mail = session.mail();
        let changed = mail.hub().listen();
        session.tell_news(Expunges::Tell).await?;
        session.conn.flush().await?;
        let done = async { session_line(session).await.map(Some) };
        let woken = async {
            changed.await;
            Ok(None)
        };
        match done.or(woken).await? {
            Some(true) => return Ok(Answer::ok("IDLE terminated")),
            Some(false) => return Answer::bad("expected DONE").stop(),
            None => {}
        }
    }
}

/// Waits for a line: is it DONE? Safe to drop: what has come stays in the framer.
async fn session_line(session: &mut Session) -> Result<bool, Stop> {
    match session.next_event().await? {
        Event::Command => Ok(session.framer.command().eq_ignore_ascii_case(b"DONE")),
        Event::Refused(_) => Ok(false),
        // A literal comes next, or so the client says: what it sends from here on is no command.
        _ => Err(Stop::Bye(&"expected DONE")),
    }
}
