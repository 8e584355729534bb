//! COPY and UID COPY (RFC 9051 §6.4.7, RFC 4315 §3).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::copy::Copy;
use crate::imap::wire::{Numbers, set};
use crate::mail::{Copied, Error};

/// COPY.
pub async fn run(session: &mut Session, args: &Copy, numbers: Numbers) -> Run {
    let selected = session.selected()?;
    let mailbox = selected.mailbox;
    let uids = selected.resolve(&args.set, numbers).or_else(Answer::stop)?;
    let mail = session.mail();
    let Some(target) = mail.meta().by_path(&args.target).map(|found| found.id) else {
        return try_create();
    };
    if uids.is_empty() {
        return Ok(Answer::ok("COPY completed"));
    }
    let copying = mail.copy(mailbox, &uids, target);
    match session.patiently(None, copying).await? {
        Ok(copied) if copied.from.is_empty() => lost(),
        Ok(copied) => {
            session.brought(target, &copied.to);
            Ok(Answer::ok(format!("{}COPY completed", copyuid(&copied))))
        }
        Err(Error::NoSuchMailbox) => try_create(),
        Err(error) => Err(error.into()),
    }
}

/// RFC 9051 §6.4.7: the client may make the mailbox and try again.
pub fn try_create() -> Run {
    Answer::no("[TRYCREATE] no such mailbox").stop()
}

/// All messages have been expunged by others.
pub fn lost() -> Run {
    Answer::no("[EXPUNGEISSUED] the messages are gone").stop()
}

/// `[COPYUID validity from to] ` (RFC 9051 §7.1).
pub fn copyuid(copied: &Copied) -> String {
    // RFC 4315 §3: nothing is told of a mailbox that may not be opened.
    if copied.uidvalidity == 0 {
        return String::new();
    }
    let mut text = format!("[COPYUID {} ", copied.uidvalidity).into_bytes();
    set::write(&mut text, copied.from.runs());
    text.push(b' ');
    set::write(&mut text, copied.to.runs());
    text.extend_from_slice(b"] ");
    String::from_utf8_lossy(&text).into_owned()
}
