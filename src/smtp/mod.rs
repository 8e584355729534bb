//! SMTP, both ends: the server that receives (RFC 5321) and takes submissions (RFC 6409), and the
//! client that the queue sends with.
pub mod wire;

use crate::config::Role;
use crate::net::Conn;
use crate::server::Ctx;
use std::rc::Rc;

/// Serves one connection.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>, role: Role) {
    let _ = (ctx, role);
    conn.close().await;
}
