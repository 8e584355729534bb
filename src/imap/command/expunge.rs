//! EXPUNGE and UID EXPUNGE (RFC 9051 §6.4.3, §6.4.9, RFC 7162 §3.2.7).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::{Expunges, Session};
use crate::imap::wire::Numbers;
use crate::imap::wire::set::Set;

/// EXPUNGE: messages with \Deleted go; with a set only those of these UIDs.
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
    let mail = session.mail();
    let expunging = mail.expunge(mailbox, uids.as_ref());
    let ended = session.patiently(None, expunging).await??;
    if ended.is_empty() {
        return Ok(Answer::ok("EXPUNGE completed"));
    }
    expunged(session, "EXPUNGE completed").await
}

/// Tells what is gone; with QRESYNC the answer says up to where the client knows everything
/// (RFC 7162 §3.2.7, §3.2.9).
pub async fn expunged(session: &mut Session, text: &'static str) -> Run {
    match session.wants().messages {
        true => session.tell(Expunges::Tell).await?,
        false => session.tell_gone().await?,
    }
    if !session.enabled.qresync {
        return Ok(Answer::ok(text));
    }
    let modseq = session.selected()?.settled();
    Ok(Answer::ok(format!("[HIGHESTMODSEQ {modseq}] {text}")))
}
