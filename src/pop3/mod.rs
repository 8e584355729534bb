//! POP3 (RFC 1939): the INBOX as a maildrop that one session at a time has for itself.
//!
//! * [`wire`]: grammar, pure.
pub mod wire;

use crate::net::Conn;
use crate::server::Ctx;
use std::rc::Rc;

/// Serves one connection.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>) {
    let _ = ctx;
    conn.close().await;
}
