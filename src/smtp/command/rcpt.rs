//! RCPT (RFC 5321 §4.1.1.3): one more recipient.
use crate::config::{Role, Verify};
use crate::limits;
use crate::smtp::gate::{self, Rate};
use crate::smtp::policy::{self, Route};
use crate::smtp::session::{Listed, Next, Rcpt, Session};
use crate::smtp::wire::command::Recipient;
use crate::smtp::wire::params::RcptParams;
use crate::smtp::wire::reply::{Enhanced, Reply};
use async_io::Timer;

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
pub(super) async fn run(session: &mut Session, to: &Recipient, params: RcptParams) -> Next {
    if session.role == Role::Smtp
        && let Err(reply) = pass(session, to).await
    {
        return session.fail(reply);
    }
    match consider(session, to, params) {
        Ok(reply) => session.answer(reply),
        Err(reply) => {
            if reply.enhanced == Some(Enhanced(5, 1, 1)) {
                tarpit(session).await;
            }
            session.fail(reply)
        }
    }
}

/// What strangers have to pass.
async fn pass(session: &mut Session, to: &Recipient) -> Result<(), Reply> {
    let ctx = session.ctx.clone();
    let (config, ip) = (&ctx.config, session.conn.peer_ip());
    if session.listed.is_none() {
        let all = config.verify == Verify::All;
        // Those that vouch for peers come first, and what they say counts.
        let zones = [config.dnswl.as_slice(), &config.dnsbl].concat();
        session.listed = Some(match gate::listed(&ctx.dns, &zones, ip, all).await {
            Some(zone) if config.dnswl.contains(&zone) => Listed::Good,
            Some(zone) => Listed::Bad(zone),
            None => Listed::Nowhere,
        });
    }
    match &session.listed {
        Some(Listed::Good) => return Ok(()),
        Some(Listed::Bad(zone)) => {
            let text = format!("Your address {ip} is listed at {zone}");
            return Err(Reply::of(550, Enhanced(5, 7, 1), text));
        }
        _ => {}
    }
    // Nobody waits for an address that is not here: RFC 6647 §5.
    let (Some(delay), Recipient::Mailbox(address)) = (config.greylist, to) else {
        return Ok(());
    };
    if !config.verifies(ip) || !policy::owns(config, address) {
        return Ok(());
    }
    let transaction = session.transaction.as_ref();
    let sender = transaction
        .and_then(|it| it.sender.as_ref())
        .map(ToString::to_string);
    let sender = sender.unwrap_or_default();
    let recipient = address.to_string();
    ctx.gate.greylist(delay, ip, &sender, &recipient)?;
    ctx.gate.remember(&ctx.mail, false).await;
    Ok(())
}

/// Who guesses addresses waits longer for each answer, in another session, too.
async fn tarpit(session: &mut Session) {
    session.strangers += 1;
    let mut strangers = session.strangers;
    if session.role == Role::Smtp && !session.conn.is_loopback() {
        let ip = session.conn.peer_ip();
        strangers = strangers.max(session.ctx.gate.count(Rate::Strangers, ip));
    }
    let over = strangers.saturating_sub(limits::TARPIT_FREE);
    let delay = session.ctx.config.tarpit * over;
    if !delay.is_zero() {
        Timer::after(delay.min(limits::TARPIT_MOST)).await;
    }
}

fn consider(session: &mut Session, to: &Recipient, params: RcptParams) -> Result<Reply, Reply> {
    let rights = session.rights();
    let ctx = session.ctx.clone();
    let Some(transaction) = &mut session.transaction else {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say MAIL first"));
    };
    // RFC 5321 §4.5.3.1.10
    if transaction.recipients.len() >= ctx.config.max_recipients {
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
    if session.role == Role::LanSmtp && route == Route::Remote && !ctx.config.lan_any_sender {
        policy::device(&ctx.config, transaction.sender.as_ref())?;
    }
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
