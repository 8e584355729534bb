//! DELE and RSET (RFC 1939 §5): marks that mean nothing until QUIT.
use super::refuse;
use crate::mail::Rights;
use crate::pop3::maildrop::Refusal;
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::Code;

/// Marks a message deleted.
pub(in crate::pop3) fn dele(session: &mut Session, number: u32) -> Flow {
    let State::Transaction(maildrop) = &mut session.state else {
        return Flow::Close;
    };
    // What could not be removed at QUIT is not marked either.
    let rights = session.ctx.mail.rights(maildrop.mailbox());
    if !rights.has(Rights::REMOVE) {
        let text = "this app password may not delete messages";
        return session.refuse(Code::Auth, text);
    }
    let reader = session.ctx.mail.reader().map_err(Refusal::from);
    match reader.and_then(|reader| maildrop.row(&reader, number)) {
        Ok(row) => {
            maildrop.mark(&row);
            session.go("marked deleted")
        }
        Err(refusal) => refuse(session, refusal),
    }
}

/// Takes all marks back.
pub(in crate::pop3) fn rset(session: &mut Session) -> Flow {
    if let State::Transaction(maildrop) = &mut session.state {
        maildrop.reset();
    }
    session.go("nothing is marked deleted")
}
