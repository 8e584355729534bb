//! THREAD and UID THREAD (RFC 5256 §3).

use super::search::look;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::thread::{By, Thread};
use crate::imap::wire::{Numbers, encode};
use crate::mail::{Algorithm, Token};

/// THREAD.
pub async fn run(session: &mut Session, args: &Thread, numbers: Numbers) -> Run {
    let algorithm = match args.by {
        By::OrderedSubject => Algorithm::OrderedSubject,
        By::References => Algorithm::References,
        By::Refs => Algorithm::Refs,
    };
    let (_, _, set) = look(session, &args.search).await?;
    let mailbox = session.selected()?.mailbox;
    let mail = session.mail();
    let threading = mail.threads(mailbox, &set, algorithm);
    let mut threads = session.patiently(None, threading).await??;
    session.conn.out().extend_from_slice(b"* THREAD");
    if !set.is_empty() {
        session.conn.out().push(b' ');
    }
    loop {
        // The numbers do not change while the command runs (RFC 9051 §7.5.1).
        let (selected, out) = session.writing()?;
        let more = threads.tell(|token| match token {
            Token::Open => out.push(b'('),
            Token::Close => out.push(b')'),
            Token::Space => out.push(b' '),
            Token::Message(uid) => {
                let number = match numbers {
                    Numbers::Uid => uid,
                    Numbers::Sequence => selected.number(uid).unwrap_or(uid),
                };
                encode::number(out, number);
            }
        });
        if !more {
            break;
        }
        session.conn.spill().await?;
    }
    session.line("");
    Ok(Answer::ok("THREAD completed"))
}
