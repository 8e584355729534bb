//! AUTHENTICATE (RFC 9051 §6.2.2) with an initial response (RFC 4959): SCRAM-SHA-256 (and
//! -PLUS), PLAIN, and the LOGIN of old clients, which is not announced.

use super::login::{no_password, refused};
use crate::auth::Protocol;
use crate::auth::sasl::{Mechanism, Step};
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::authenticate::Authenticate;
use crate::limits;
use crate::net::Line;

/// AUTHENTICATE.
pub async fn run(session: &mut Session, args: &mut Authenticate) -> Run {
    let Some(mechanism) = Mechanism::find(args.mechanism.as_bytes()) else {
        return Answer::no("[CANNOT] no such mechanism").stop();
    };
    if !session.offers(&format!("AUTH={}", args.mechanism)) {
        return Answer::no("[CANNOT] this mechanism is switched off").stop();
    }
    if args.initial.is_some() && !session.offers("SASL-IR") {
        return Answer::bad("expected no initial response").stop();
    }
    if mechanism.shows_password() && !session.ctx.may_show_password(&session.conn) {
        return no_password();
    }
    let mut client = session.ctx.client(&session.conn, Protocol::Imap);
    if !session.offers("AUTH=SCRAM-SHA-256-PLUS") {
        client.binding = None;
    }
    if mechanism == Mechanism::ScramSha256Plus && client.binding.is_none() {
        return Answer::no("[CANNOT] channel binding needs TLS 1.3").stop();
    }
    let mut exchange = session.ctx.auth.sasl(mechanism, client);
    let mut response = args.initial.take().map(String::into_bytes);
    loop {
        match exchange.step(response.as_deref()).await {
            Ok(Step::Done(grant)) => return Ok(session.logged_in(&grant)),
            Ok(Step::Challenge(challenge)) => session.line(&format!("+ {challenge}")),
            Err(error) => return refused(session, error),
        }
        session.conn.flush().await?;
        let mut line = Vec::new();
        if session
            .conn
            .read_line(&mut line, limits::IMAP_COMMAND_BEFORE_LOGIN)
            .await?
            == Line::TooLong
        {
            return Err(crate::imap::answer::Stop::Bye(
                &"[LIMIT] the response is too long",
            ));
        }
        response = Some(line);
    }
}
