//! CAPA (RFC 2449 §5), UTF8 and LANG (RFC 6856).
use crate::auth::sasl::Mechanism;
use crate::config::Pop3Delete;
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::{Capabilities, Code, Expire};

/// What works on this connection, now.
pub(in crate::pop3) fn capa(session: &mut Session) -> Flow {
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
    session.write(text);
    Flow::Go
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
pub(in crate::pop3) fn utf8(session: &mut Session) -> Flow {
    session.utf8 = true;
    session.go("UTF-8 mode")
}

/// RFC 6856 §3: one language is spoken here.
pub(in crate::pop3) fn lang(session: &mut Session, range: Option<&str>) -> Flow {
    match range {
        None => session.go("languages follow\r\nen English\r\n."),
        Some(range) if range == "*" || range.eq_ignore_ascii_case("en") => {
            session.go("en English it is")
        }
        Some(_) => session.refuse(Code::None, "only en is spoken here"),
    }
}
