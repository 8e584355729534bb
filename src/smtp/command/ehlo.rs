//! EHLO and HELO (RFC 5321 §4.1.1.1): the greeting, and what the server can do.
use crate::auth::sasl::Mechanism;
use crate::limits;
use crate::mime::DateTime;
use crate::smtp::session::{Hello, Next, Session};
use crate::smtp::wire::reply::Reply;
use crate::sys::clock;

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
    if session.conn.is_tls() {
        // RFC 8689 §2
        text.push_str("\nREQUIRETLS");
    }
    if session.is_submission() {
        // RFC 4865 §4.2: nowhere else.
        let delay = limits::SEND_DELAY;
        let latest = DateTime::utc(i64::from(clock::now()) + i64::from(delay)).rfc3339();
        text.push_str(&format!("\nFUTURERELEASE {delay} {latest}"));
        text.push_str("\nMT-PRIORITY");
        // RFC 4468 §3.1: without an argument until there is a user whose URLs they could be.
        text.push_str("\nBURL");
        if session.user.is_some() {
            text.push_str(" imap");
        }
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
