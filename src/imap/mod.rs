//! The IMAP server: IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051), for one person's mailboxes.
//!
//! * [`wire`]: the grammar, pure. One file per command, where it has arguments.
//! * [`session`]: reads commands, runs them in order, answers. `command`: one file per command.
//! * [`view`]: sequence numbers and UIDs of the selected mailbox; `tell`: what others changed;
//!   `notify`: the same for whoever asked for more, also of other mailboxes.
//! * `progress`: that something long goes on.
//! * [`answer`]: OK, NO and BAD; errors of the engine in one exhaustive match.
//!
//! Announced before and behind the base: see [`capability`]. Nothing is announced that is not whole.
//!
//! Limits: `limits::IMAP_*`. Output leaves in pieces of 16 KiB that the client has to take before
//! more is read from the store; no read transaction is held while it waits.
pub mod answer;
mod command;
mod context;
mod notify;
mod progress;
pub mod session;
mod tell;
pub mod view;
pub mod wire;

pub use command::{capability, url};

use crate::net::Conn;
use crate::server::Ctx;
use std::rc::Rc;

/// Serves one connection.
pub async fn serve(conn: Conn, ctx: Rc<Ctx>) {
    session::Session::new(conn, ctx).serve().await;
}
