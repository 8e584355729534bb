//! SMTP, both ends: the server that receives (RFC 5321) and takes submissions (RFC 6409), and the
//! client that the queue sends with.
//!
//! * [`wire`]: the grammar, pure.
//! * [`session`]: one connection to our server: what it knows, the loop over its commands.
//! * `command/`: one file per command: whether it is allowed now, and what it does.
//! * [`policy`]: who may send to whom.
//! * [`gate`]: block lists and greylisting. `origin`: what SPF, DKIM and DMARC say of a message, and what follows.
//! * [`client`]: a session with a server that takes mail from us; [`login`]: how it logs in.
pub mod client;
mod command;
pub mod gate;
mod incoming;
pub mod login;
mod origin;
pub mod policy;
pub mod session;
pub mod wire;

pub use session::serve;
