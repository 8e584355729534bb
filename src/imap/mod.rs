//! imap

use crate::net::Conn;
use crate::server::Ctx;
use std::rc::Rc;

/// Serves one connection.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>) {
    let _ = ctx;
    conn.close().await;
}
