//! JMAP over HTTP (RFC 8620) for mail (RFC 8621).
//!
//! * `wire/`: the grammar, pure.
//! * `routes`: the one table of addresses; `session`, `request`, `blob`, `push` answer them.
//! * `method/`: one file per type; what all types share (get, changes, query, set) is written once.
//!
//! Nothing about mailboxes or messages is decided here: the engine does the work, and its errors
//! are mapped in one place (`context`). States are the engine's modseq at the snapshot that a call
//! read, so a state is never newer than the data told with it.
//!
//! Limits: `JMAP_*` in [`crate::limits`], announced in the session.
mod autoconfig;
mod blob;
mod capability;
mod context;
mod method;
mod metrics;
mod push;
mod request;
mod routes;
mod session;
mod site;
mod sts;
mod websocket;
pub mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use crate::config::Role;
use crate::http;
use crate::net::Conn;
use crate::server::Ctx;

pub use method::settle_identities;
pub use push::run as push;
pub use site::{Gate, Site, policy};

/// Serves one HTTP connection until it ends or the server stops.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>, role: Role) {
    let origin = http::Origin {
        peer: conn.peer(),
        secure: conn.is_tls(),
    };
    let number = conn.number();
    let site = site(&ctx, role);
    let stop = ctx.shutdown.clone();
    if let Err(error) = http::serve(conn, origin, site, async move { stop.wait().await }).await {
        log::debug!("#{number} http: {error}");
    }
}

thread_local! {
    /// The site of this thread's listener, made at its first connection.
    static SITE: RefCell<Option<Rc<Site>>> = const { RefCell::new(None) };
}

fn site(ctx: &Rc<Ctx>, role: Role) -> Rc<Site> {
    SITE.with_borrow_mut(|site| match site {
        Some(site) if Rc::ptr_eq(&site.ctx, ctx) => Rc::clone(site),
        _ => Rc::clone(site.insert(Rc::new(Site::new(Rc::clone(ctx), role)))),
    })
}
