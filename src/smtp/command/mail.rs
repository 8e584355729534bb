//! MAIL (RFC 5321 §4.1.1.2): opens a transaction.
use crate::config::Role;
use crate::limits;
use crate::mail::{self, address::Address};
use crate::smtp::gate::Rate;
use crate::smtp::incoming::{TOO_LARGE, refusal};
use crate::smtp::policy;
use crate::smtp::session::{Next, Session, Transaction};
use crate::smtp::wire::params::{Hold, MailParams};
use crate::smtp::wire::reply::{Enhanced, Reply};
use crate::sys::clock;

/// Behind EHLO, outside a transaction, and on a submission listener behind AUTH (RFC 6409 §4.3).
pub(super) fn check(session: &Session) -> Result<(), Reply> {
    if session.hello.is_none() {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say EHLO first"));
    }
    if session.is_submission() && session.user.is_none() {
        if !session.may_login() {
            return Err(Reply::new(
                530,
                Enhanced(5, 7, 0),
                "Must issue a STARTTLS command first",
            ));
        }
        return Err(Reply::new(
            530,
            Enhanced(5, 7, 0),
            "Authentication required",
        ));
    }
    if session.transaction.is_some() {
        return Err(Reply::new(
            503,
            Enhanced(5, 5, 1),
            "A transaction is open already, RSET ends it",
        ));
    }
    Ok(())
}

/// Opens the transaction.
pub(super) fn run(session: &mut Session, sender: Option<Address>, params: MailParams) -> Next {
    if let Err(reply) = consider(session, sender.as_ref(), &params) {
        return session.fail(reply);
    }
    session.transaction = Some(Transaction {
        sender,
        params,
        recipients: Vec::new(),
    });
    session.answer(Reply::new(250, Enhanced(2, 1, 0), "Sender ok"))
}

/// The second at which a message is released; what has passed is now. `None`: too far away.
pub(in crate::smtp) fn release(hold: &Hold) -> Option<u32> {
    let now = clock::now();
    let at = match hold {
        Hold::For(seconds) => i64::from(now) + i64::from(*seconds),
        Hold::Until(second, _) => (*second).max(i64::from(now)),
    };
    let latest = i64::from(now) + i64::from(limits::SEND_DELAY);
    u32::try_from(at).ok().filter(|_| at <= latest)
}

fn consider(session: &Session, sender: Option<&Address>, params: &MailParams) -> Result<(), Reply> {
    // RFC 6531 §3.5
    if !params.smtputf8 && sender.is_some_and(|sender| !sender.is_ascii()) {
        return Err(Reply::new(
            550,
            Enhanced(5, 6, 7),
            "A non-ASCII address needs the SMTPUTF8 parameter",
        ));
    }
    // RFC 8689 §2
    if params.requiretls && !session.conn.is_tls() {
        return Err(Reply::new(
            530,
            Enhanced(5, 7, 10),
            "REQUIRETLS needs a session under TLS",
        ));
    }
    if let Some(hold) = &params.hold {
        // RFC 4865 §4.2
        if !session.is_submission() {
            return Err(Reply::new(
                555,
                Enhanced(5, 5, 4),
                "Parameter not recognized",
            ));
        }
        if release(hold).is_none() {
            return Err(Reply::new(
                501,
                Enhanced(5, 5, 4),
                "Later than FUTURERELEASE allows",
            ));
        }
    }
    // RFC 6710 §4.1: nobody is trusted with it but who has logged in.
    if params.priority.is_some() && !session.is_submission() {
        return Err(Reply::new(
            555,
            Enhanced(5, 5, 4),
            "Parameter not recognized",
        ));
    }
    if session.is_submission() {
        policy::sender(&session.ctx.config, sender)?;
    }
    // RFC 1870 §6.1
    if params
        .size
        .is_some_and(|size| size > session.ctx.mail.message_size())
    {
        return Err(TOO_LARGE);
    }
    if session.role == Role::Smtp && !session.conn.is_loopback() {
        in_measure(session)?;
    }
    let mail = &session.ctx.mail;
    let full = mail.quota() > 0
        && mail.meta().bytes.saturating_add(params.size.unwrap_or(0)) > mail.quota();
    // Better told now than behind the message (RFC 1870 §6.1).
    if full {
        Err(refusal(&mail::Error::OverQuota))
    } else {
        Ok(())
    }
}

/// What one address, or its network, may send in an hour.
fn in_measure(session: &Session) -> Result<(), Reply> {
    let (config, gate) = (&session.ctx.config, &session.ctx.gate);
    let ip = session.conn.peer_ip();
    for (rate, most) in [
        (Rate::Address, config.rate_address),
        (Rate::Network, config.rate_network),
    ] {
        if most > 0 && gate.count(rate, ip) > most {
            return Err(Reply::new(
                451,
                Enhanced(4, 7, 1),
                "Too many messages from there in an hour, try again later",
            ));
        }
    }
    Ok(())
}
