//! JMAP over HTTP (RFC 8620, RFC 8621).
pub mod wire;

use crate::net::Conn;
use crate::server::Ctx;
use std::rc::Rc;

/// Serves one HTTP connection.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>) {
    let _ = ctx;
    conn.close().await;
}
