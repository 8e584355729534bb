//! EHLO and HELO (RFC 5321 §4.1.1.1): the greeting, and what the server can do.
use crate::auth::sasl::Mechanism;
use crate::smtp::session::{Hello, Next, Session};
use crate::smtp::wire::reply::Reply;

/// EHLO. Lists only what holds here and now (RFC 3207 §4.2, RFC 4954 §4).
pub(super) fn run(session: &mut Session, name: String) -> Next {
    session.reset();
    let config = &session.ctx.config;
    let mut text = format!(
        "{} greets you\nPIPELINING\nSIZE {}\n8BITMIME\nSMTPUTF8\nENHANCEDSTATUSCODES\nCHUNKING\nBINARYMIME\nDSN\nLIMITS RCPTMAX={}",
        config.hostname,
        session.ctx.mail.message_size(),
        // RFC 9422 §4
        config.max_recipients,
    );
    if session.may_start_tls() {
        text.push_str("\nSTARTTLS");
    }
    if session.may_login() && session.user.is_none() {
        text.push_str("\nAUTH");
        let mechanisms = session.ctx.mechanisms(&session.conn);
        // Not told of: mutt with GNU SASL takes it, cannot do it, and tries nothing else.
        for mechanism in mechanisms.filter(|m| *m != Mechanism::ScramSha256Plus) {
            text.push(' ');
            text.push_str(mechanism.name());
        }
    }
    session.hello = Some(Hello { name, esmtp: true });
    session.answer(Reply::plain(250, text))
}

/// HELO: the same without extensions.
pub(super) fn helo(session: &mut Session, name: String) -> Next {
    session.reset();
    session.hello = Some(Hello { name, esmtp: false });
    let text = session.ctx.config.hostname.clone();
    session.answer(Reply::plain(250, text))
}
