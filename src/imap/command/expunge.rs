//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::Numbers;
use crate::imap::wire::set::Set;

/// EXPUNGE: messages with \Deleted go; with a set only those of these UIDs. The EXPUNGE responses
/// are what every command tells at its end.
pub async fn run(session: &mut Session, set: Option<&Set>) -> Run {
    let selected = session.writable()?;
    let uids = match set {
        Some(set) => match selected.resolve(set, Numbers::Uid) {
            Ok(uids) => Some(uids),
            Err(answer) => return answer.stop(),
        },
        None => None,
    };
    let mailbox = selected.mailbox;
    session.mail().expunge(mailbox, uids.as_ref()).await?;
    Ok(Answer::ok("EXPUNGE completed"))
}
