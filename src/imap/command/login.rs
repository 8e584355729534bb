//! LOGIN (RFC 9051 §6.2.3), and what every successful log-in does.

use crate::auth::Grant;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::login::Login;
use log::info;

/// LOGIN.
pub async fn run(session: &mut Session, args: Login) -> Run {
    if !session.ctx.may_show_password(&session.conn) {
        return no_password();
    }
    let auth = session.ctx.auth.clone();
    let peer = session.conn.peer_ip();
    match auth.login_plain(&args.user, &args.password, peer).await {
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
        info!("[{}] imap: {} logged in", self.conn.number(), grant.user);
        self.logged_in = true;
        self.conn.set_deadline(None);
        Answer::ok(format!("[CAPABILITY {}] logged in", self.capabilities()))
    }
}
