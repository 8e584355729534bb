//! AUTH (RFC 4954), on the submission listeners.
use crate::auth::sasl::{Mechanism, Step};
use crate::auth::{AuthError, Grant, Protocol};
use crate::limits;
use crate::net::Line;
use crate::server::Ctx;
use crate::smtp::session::{Done, Next, Session};
use crate::smtp::wire::reply::{Enhanced, Reply};

/// Behind EHLO, once, outside a transaction, and where nobody listens (RFC 4954 §4, §6).
pub(super) fn check(session: &Session) -> Result<(), Reply> {
    if !session.is_submission() {
        return Err(Reply::new(
            502,
            Enhanced(5, 5, 1),
            "No AUTH here: submit on port 465 or 587",
        ));
    }
    if session.user.is_some() {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Authenticated already"));
    }
    if session.transaction.is_some() {
        return Err(Reply::new(
            503,
            Enhanced(5, 5, 1),
            "Not during a transaction",
        ));
    }
    if !session.may_login() {
        return Err(Reply::new(
            538,
            Enhanced(5, 7, 11),
            "Encryption required: say STARTTLS first",
        ));
    }
    if session.hello.is_none() {
        return Err(Reply::new(503, Enhanced(5, 5, 1), "Say EHLO first"));
    }
    Ok(())
}

/// The exchange, to its end.
pub(super) async fn run(session: &mut Session, mechanism: &str, initial: Option<&str>) -> Done {
    let Some(mechanism) = Mechanism::find(mechanism.as_bytes()) else {
        return Ok(session.fail(Reply::new(
            504,
            Enhanced(5, 5, 4),
            "Unrecognized mechanism, see EHLO",
        )));
    };
    let mut client = session.ctx.client(&session.conn, Protocol::Smtp);
    // EHLO does not tell of channel binding (see there): a client that says so is right.
    if mechanism != Mechanism::ScramSha256Plus {
        client.binding = None;
    }
    let mut exchange = session.ctx.auth.sasl(mechanism, client);
    let mut line = Vec::new();
    // An empty initial response is `=` on the wire (RFC 4954 §4).
    let mut response = initial.map(|text| {
        if text.is_empty() {
            &b"="[..]
        } else {
            text.as_bytes()
        }
    });
    loop {
        let challenge = match exchange.step(response).await {
            Ok(Step::Challenge(challenge)) => challenge,
            Ok(Step::Done(grant)) => return Ok(granted(session, grant)),
            Err(error) => return Ok(refused(session, &error)),
        };
        session.reply(&Reply::plain(334, challenge));
        session.flush_if_waiting().await?;
        match session
            .conn
            .read_line(&mut line, limits::COMMAND_LINE)
            .await?
        {
            Line::Crlf => response = Some(&line),
            Line::Lf => return Ok(refused(session, &AuthError::Malformed)),
            Line::TooLong => {
                let ended = session.conn.drain_line(limits::COMMAND_LINE_DRAIN).await?;
                let next = session.fail(Reply::new(
                    500,
                    Enhanced(5, 5, 6),
                    "Authentication exchange line is too long",
                ));
                return Ok(if ended { next } else { Next::Close });
            }
        }
    }
}

/// The engine's handle stays the server's own: what is submitted is the queue's to file, and whether
/// this log-in may submit is what its protocols say.
fn granted(session: &mut Session, grant: Grant) -> Next {
    log::info!("[{}] {} logged in", session.conn.number(), grant.who());
    Ctx::admit(&mut session.conn, &grant);
    session.user = Some(grant.user);
    session.answer(Reply::new(
        235,
        Enhanced(2, 7, 0),
        "Authentication succeeded",
    ))
}

/// RFC 4954 §6. The codes say no more than the client has to know.
fn refused(session: &mut Session, error: &AuthError) -> Next {
    log::info!(
        "[{}] log-in from {} failed: {error}",
        session.conn.number(),
        session.conn.peer_ip()
    );
    let reply = match error {
        AuthError::BadCredentials => {
            Reply::new(535, Enhanced(5, 7, 8), "Wrong user name or password")
        }
        AuthError::NotHere(_) => Reply::new(
            535,
            Enhanced(5, 7, 1),
            "This app password is not for sending",
        ),
        AuthError::Expired => Reply::new(535, Enhanced(5, 7, 8), "This app password has expired"),
        AuthError::Throttled(_) => Reply::new(
            454,
            Enhanced(4, 7, 0),
            "Too many failed log-ins from your address, try again later",
        ),
        AuthError::Unavailable => {
            Reply::new(454, Enhanced(4, 7, 0), "Temporary authentication failure")
        }
        AuthError::Malformed => {
            Reply::new(501, Enhanced(5, 5, 2), "Malformed authentication exchange")
        }
        AuthError::Cancelled => Reply::new(501, Enhanced(5, 7, 0), "Authentication cancelled"),
        AuthError::Unsupported => Reply::new(
            535,
            Enhanced(5, 7, 8),
            "Another authorization identity or channel binding: not supported",
        ),
    };
    if matches!(error, AuthError::BadCredentials | AuthError::Throttled(_)) {
        session.login_failures += 1;
    }
    let next = session.fail(reply);
    if session.login_failures >= limits::LOGIN_FAILURES_PER_CONNECTION && next == Next::Go {
        return session.bye("Too many failed log-ins, closing");
    }
    next
}
