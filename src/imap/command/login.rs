//! LOGIN (RFC 9051 §6.2.3), and what every successful log-in does.

use crate::auth::{Grant, Protocol};
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::login::Login;
use crate::server::Ctx;
use log::info;

/// LOGIN.
pub async fn run(session: &mut Session, args: &Login) -> Run {
    if !session.ctx.may_show_password(&session.conn) {
        return no_password();
    }
    let auth = session.ctx.auth.clone();
    let client = session.ctx.client(&session.conn, Protocol::Imap);
    match auth.login_plain(&args.user, &args.password, client).await {
        Ok(grant) => Ok(session.logged_in(&grant)),
        Err(error) => refused(session, error),
    }
}

/// RFC 9051 §6.2.3, RFC 5530: the password was on the wire; say why it was not even looked at.
pub fn no_password() -> Run {
    Answer::no("[PRIVACYREQUIRED] use STARTTLS first: no password in the clear").stop()
}

/// Logs and answers a log-in that failed.
pub fn refused(session: &mut Session, error: crate::auth::AuthError) -> Run {
    info!(
        "[{}] imap: log-in from {}: {error}",
        session.conn.number(),
        session.conn.peer_ip()
    );
    session.login_failed();
    Answer::from(error).stop()
}

impl Session {
    /// Enters the authenticated state.
    pub(in crate::imap) fn logged_in(&mut self, grant: &Grant) -> Answer {
        info!("[{}] imap: {} logged in", self.conn.number(), grant.who());
        self.logged_in = true;
        self.ctx = self.ctx.granted(grant);
        Ctx::admit(&mut self.conn, grant);
        Answer::ok(format!("[CAPABILITY {}] logged in", self.capabilities()))
    }
}
