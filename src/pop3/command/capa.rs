//! CAPA (RFC 2449 §5), UTF8 and LANG (RFC 6856).
use crate::auth::sasl::Mechanism;
use crate::config::Pop3Delete;
use crate::net::Error;
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::{Capabilities, Code, Expire};

/// What works on this connection, now.
pub(in crate::pop3) async fn capa(session: &mut Session) -> Result<Flow, Error> {
    let before = matches!(session.state, State::Authorization(_));
    let config = &session.ctx.config.pop3;
    let capabilities = Capabilities {
        user: session.ctx.may_show_password(&session.conn),
        sasl: &mechanisms(session).join(" "),
        // RFC 2595 §8: announced in the AUTHORIZATION state only.
        stls: before && session.ctx.tls.is_some() && !session.conn.is_tls(),
        expire: expire(config.delete),
        login_delay: u32::try_from(config.login_delay.as_secs()).unwrap_or(u32::MAX),
    };
    let text = capabilities.response();
    session.conn.write(text.as_bytes()).await?;
    Ok(Flow::Go)
}

/// The SASL mechanisms that may be used here: none that shows the password to others (RFC 5034
/// §4: PLAIN only under TLS, by default).
pub(super) fn mechanisms(session: &Session) -> Vec<&'static str> {
    let offered = session.ctx.mechanisms(&session.conn);
    offered.map(Mechanism::name).collect()
}

fn expire(delete: Pop3Delete) -> Expire {
    match delete {
        Pop3Delete::Never => Expire::Never,
        Pop3Delete::AtOnce | Pop3Delete::Days(0) => Expire::AtQuit,
        Pop3Delete::Days(days) => Expire::Days(days),
    }
}

/// RFC 6856 §2.1: from now on headers go out as they are stored.
pub(in crate::pop3) async fn utf8(session: &mut Session) -> Result<Flow, Error> {
    session.utf8 = true;
    session.go("UTF-8 mode").await
}

/// RFC 6856 §3: one language is spoken here.
pub(in crate::pop3) async fn lang(
    session: &mut Session,
    range: Option<&str>,
) -> Result<Flow, Error> {
    match range {
        None => {
            session
                .conn
                .write(b"+OK languages follow\r\nen English\r\n.\r\n")
                .await?;
            Ok(Flow::Go)
        }
        Some(range) if range == "*" || range.eq_ignore_ascii_case("en") => {
            session.go("en English it is").await
        }
        Some(_) => session.refuse(Code::None, "only en is spoken here").await,
    }
}
