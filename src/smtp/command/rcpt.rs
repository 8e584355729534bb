//! RCPT (RFC 5321 §4.1.1.3): one more recipient.
use crate::limits;
use crate::smtp::policy::{self, Route};
use crate::smtp::session::{Next, Rcpt, Session};
use crate::smtp::wire::command::Recipient;
use crate::smtp::wire::params::RcptParams;
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Inside a transaction whose message has not begun.
pub(super) fn check(session: &Session) -> Result<(), Reply> {
    if session.transaction.is_none() {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say MAIL first"));
    }
    // RFC 3030 §2: nothing but BDAT, NOOP, QUIT and RSET behind the first chunk.
    if session.chunks.is_some() {
        return Err(Reply::new(
            503,
            Enhanced(5, 5, 1),
            "The message has begun already",
        ));
    }
    Ok(())
}

/// Takes the recipient, or says why not.
pub(super) fn run(session: &mut Session, to: &Recipient, params: RcptParams) -> Next {
    match consider(session, to, params) {
        Ok(reply) => session.answer(reply),
        Err(reply) => session.fail(reply),
    }
}

fn consider(session: &mut Session, to: &Recipient, params: RcptParams) -> Result<Reply, Reply> {
    let rights = session.rights();
    let ctx = session.ctx.clone();
    let Some(transaction) = &mut session.transaction else {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say MAIL first"));
    };
    // RFC 5321 §4.5.3.1.10
    if transaction.recipients.len() >= limits::RECIPIENTS {
        return Err(Reply::new(
            452,
            Enhanced(4, 5, 3),
            "Too many recipients, send the rest separately",
        ));
    }
    let ascii = !matches!(to, Recipient::Mailbox(address) if !address.is_ascii());
    // RFC 6531 §3.5
    if !ascii && !transaction.params.smtputf8 {
        return Err(Reply::new(
            553,
            Enhanced(5, 6, 7),
            "A non-ASCII address needs the SMTPUTF8 parameter",
        ));
    }
    let (address, route) = policy::recipient(&ctx.config, rights, to)?;
    let known = |to: &Rcpt| to.route == Route::Remote && to.address == address;
    if transaction.recipients.iter().any(known) {
        // Given twice: sent once, with what the first asked for.
        return Ok(OK);
    }
    transaction.recipients.push(Rcpt {
        address,
        params,
        route,
    });
    Ok(OK)
}

const OK: Reply = Reply::new(250, Enhanced(2, 1, 5), "Recipient ok");
