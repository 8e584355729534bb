//! Start order, threads, drain and reload.
use crate::auth::Auth;
use crate::config::Config;
use crate::mail::Mail;
use crate::net::{Conn, Shutdown, TlsAcceptor};
use std::sync::Arc;

/// What every session is given. One per listener thread, shared by its sessions in an `Rc`.
#[derive(Clone)]
pub struct Ctx {
    /// The mailboxes.
    pub mail: Arc<Mail>,
    /// Who may in.
    pub auth: Arc<Auth>,
    /// The flags.
    pub config: Arc<Config>,
    /// For STARTTLS and STLS; `None` only when TLS is switched off.
    pub tls: Option<TlsAcceptor>,
    /// Thrown when the server stops.
    pub shutdown: Shutdown,
}

impl Ctx {
    /// Whether a password may cross this connection: TLS, loopback, or allowed by flag. Only
    /// then are PLAIN, LOGIN and USER announced and accepted.
    pub fn may_show_password(&self, conn: &Conn) -> bool {
        conn.is_private() || self.config.allow_plain_auth
    }
}
