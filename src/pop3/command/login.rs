//! USER and PASS, APOP (RFC 1939 §7), AUTH (RFC 5034): who is there, and may the maildrop be had?
use super::capa::mechanisms;
use super::trouble;
use crate::auth::sasl::{Mechanism, Step};
use crate::auth::{AuthError, Grant, Protocol};
use crate::limits;
use crate::mail;
use crate::net::{Error, Line};
use crate::pop3::gate::Refused;
use crate::pop3::maildrop::Maildrop;
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::md5::md5;
use crate::pop3::wire::{Code, Secret};
use crate::server::Ctx;
use log::info;

/// Takes any name: RFC 1939 §13, the answer must not tell which ones exist.
pub(in crate::pop3) fn user(session: &mut Session, name: &str) -> Flow {
    if !session.ctx.may_show_password(&session.conn) {
        return no_plaintext(session);
    }
    session.state = State::Authorization(Some(name.to_owned()));
    session.go("now the password")
}

/// The password for the name that USER gave.
pub(in crate::pop3) async fn pass(session: &mut Session, Secret(password): Secret<'_>) -> Flow {
    if !session.ctx.may_show_password(&session.conn) {
        return no_plaintext(session);
    }
    let State::Authorization(name) = &mut session.state else {
        return Flow::Close;
    };
    // RFC 1939 §7: good for one try.
    let Some(name) = name.take() else {
        return session.refuse(Code::None, "say USER first");
    };
    let client = session.ctx.client(&session.conn, Protocol::Pop3);
    let auth = session.ctx.auth.clone();
    let answer = auth.login_plain(&name, password, client).await;
    enter(session, answer).await
}

/// A digest over the greeting's time stamp and the secret that was set for it.
pub(in crate::pop3) async fn apop(session: &mut Session, name: &str, digest: &str) -> Flow {
    let Some(stamp) = session.stamp.clone() else {
        return session.refuse(Code::None, "APOP is switched off");
    };
    let auth = session.ctx.auth.clone();
    let peer = session.conn.peer_ip();
    let answer = auth
        .apop(name, |secret| is_digest(digest, &stamp, secret), peer)
        .await;
    enter(session, answer).await
}

/// RFC 1939 §7: MD5 over the time stamp, its brackets included, and the secret.
fn is_digest(digest: &str, stamp: &str, secret: &str) -> bool {
    let right = md5(&[stamp.as_bytes(), secret.as_bytes()]);
    let hex: String = right.iter().map(|octet| format!("{octet:02x}")).collect();
    digest.eq_ignore_ascii_case(&hex)
}

/// A SASL exchange; without a mechanism, the list of them, as clients older than CAPA ask for it.
pub(in crate::pop3) async fn auth(
    session: &mut Session,
    mechanism: Option<&str>,
    initial: Option<Secret<'_>>,
) -> Result<Flow, Error> {
    let offered = mechanisms(session);
    let Some(name) = mechanism else {
        let mut text = String::from("+OK mechanisms follow\r\n");
        offered.iter().for_each(|name| text.extend([name, "\r\n"]));
        text.push_str(".\r\n");
        session.write(text);
        return Ok(Flow::Go);
    };
    let Some(mechanism) = Mechanism::find(name.as_bytes()) else {
        return Ok(session.refuse(Code::None, "no such mechanism"));
    };
    if !offered.contains(&mechanism.name()) {
        return Ok(no_plaintext(session));
    }
    let answer = exchange(session, mechanism, initial).await?;
    Ok(enter(session, answer).await)
}

/// RFC 5034 §4: challenges behind `+ `, responses as bare lines, both in base64.
async fn exchange(
    session: &mut Session,
    mechanism: Mechanism,
    initial: Option<Secret<'_>>,
) -> Result<Result<Grant, AuthError>, Error> {
    let client = session.ctx.client(&session.conn, Protocol::Pop3);
    let mut exchange = session.ctx.auth.sasl(mechanism, client);
    let mut line = Vec::new();
    let mut step = exchange.step(initial.map(|it| it.0.as_bytes())).await;
    loop {
        let challenge = match step {
            Ok(Step::Challenge(challenge)) => challenge,
            Ok(Step::Done(grant)) => return Ok(Ok(grant)),
            Err(error) => return Ok(Err(error)),
        };
        session.write(format!("+ {challenge}\r\n"));
        session.conn.flush().await?;
        let most = 2 * limits::CREDENTIAL;
        if session.conn.read_line(&mut line, most).await? == Line::TooLong {
            return Err(Error::Closed);
        }
        step = exchange.step(Some(&line)).await;
    }
}

/// What becomes of a log-in: the maildrop, or a word why not.
async fn enter(session: &mut Session, answer: Result<Grant, AuthError>) -> Flow {
    let grant = match answer {
        Ok(grant) => grant,
        Err(error) => return failed(session, &error),
    };
    let delay = session.ctx.config.pop3.login_delay;
    let gate = session.ctx.pop3.clone();
    let pass = match gate.enter(delay).await {
        Ok(pass) => pass,
        Err(Refused::InUse) => {
            let text = "another POP3 session has the maildrop; try again when it has ended";
            return session.refuse(Code::InUse, text);
        }
        Err(Refused::TooSoon(wait)) => {
            let text = format!("log in again in {} s", wait.as_secs().max(1));
            return session.refuse(Code::LoginDelay, &text);
        }
    };
    let ctx = session.ctx.granted(&grant);
    let maildrop = match Maildrop::open(&ctx.mail, pass) {
        Ok(maildrop) => maildrop,
        // The maildrop is INBOX, and this app password is for other mailboxes (RFC 3206 §5).
        Err(mail::Error::NoSuchMailbox | mail::Error::NoPermission) if grant.app.is_some() => {
            let text = "this app password is not for INBOX";
            return session.refuse(Code::Auth, text);
        }
        Err(error) => return trouble(session, &error),
    };
    let (number, count) = (session.conn.number(), maildrop.count());
    info!(
        "[{number}] pop3: {} logged in, {count} messages",
        grant.who()
    );
    session.ctx = ctx;
    Ctx::admit(&mut session.conn, &grant);
    session.state = State::Transaction(Box::new(maildrop));
    session.go(&format!("{count} messages"))
}

/// RFC 3206 §5: AUTH for wrong credentials and nothing else.
fn failed(session: &mut Session, error: &AuthError) -> Flow {
    let code = match error {
        AuthError::BadCredentials | AuthError::NotHere(_) | AuthError::Expired => Code::Auth,
        AuthError::Throttled(_) | AuthError::Unavailable => Code::SysTemp,
        AuthError::Malformed | AuthError::Unsupported | AuthError::Cancelled => Code::None,
    };
    info!(
        "[{}] pop3: log-in from {}: {error}",
        session.conn.number(),
        session.conn.peer_ip()
    );
    session.err(code, &error.to_string());
    session.failures += 1;
    Flow::close_if(session.failures >= limits::LOGIN_FAILURES_PER_CONNECTION)
}

fn no_plaintext(session: &mut Session) -> Flow {
    let text = "no password over plain TCP: use STLS or the TLS port";
    session.refuse(Code::None, text)
}
