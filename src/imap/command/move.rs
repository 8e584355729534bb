//! MOVE and UID MOVE (RFC 9051 §6.4.8, RFC 6851).

use super::copy::{copyuid, lost, try_create};
use super::expunge::expunged;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::Numbers;
use crate::imap::wire::copy::Copy;
use crate::mail::Error;

/// MOVE: COPYUID in an untagged OK, then the EXPUNGE responses (RFC 6851 §4.3).
pub async fn run(session: &mut Session, args: &Copy, numbers: Numbers) -> Run {
    let selected = session.writable()?;
    let mailbox = selected.mailbox;
    let uids = selected.resolve(&args.set, numbers).or_else(Answer::stop)?;
    let mail = session.mail();
    let Some(target) = mail.meta().by_path(&args.target).map(|found| found.id) else {
        return try_create();
    };
    if uids.is_empty() {
        return Ok(Answer::ok("MOVE completed"));
    }
    let moving = mail.r#move(mailbox, &uids, target);
    match session.patiently(None, moving).await? {
        Ok(moved) if moved.from.is_empty() => lost(),
        Ok(moved) => {
            session.brought(target, &moved.to);
            session.line(&format!("* OK {}moved", copyuid(&moved)));
            expunged(session, "MOVE completed").await
        }
        Err(Error::NoSuchMailbox) => try_create(),
        Err(error) => Err(error.into()),
    }
}
