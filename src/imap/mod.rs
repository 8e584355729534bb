//! The IMAP server: IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051).
pub mod wire;

use crate::net::Conn;
use crate::server::Ctx;
use std::rc::Rc;

/// Serves one connection.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>) {
    let _ = ctx;
    conn.close().await;
}
