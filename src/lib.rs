//! # Pillarbox
//!
//! One process, one user, one file. `pillarbox serve` answers SMTP, IMAP, POP3 and JMAP for one
//! person's mail, out of one redb file, on a board with 64-512 MB of memory and flash that wears
//! out.
//!
//! ## The layers
//! ```text
//! cli ── server ─┬─ smtp ─┐            each arrow points down only;
//! (flags)        ├─ imap ─┤            protocols never import each other:
//!                ├─ pop3 ─┤            what two of them need lives in
//!                ├─ jmap ─┤            mail/, mime/, auth/ or net/
//!                └─ queue ┤
//!                        mail   THE mailbox engine: deliver, flags, copy,
//!                         │     expunge, search, thread, changes
//!               auth  mime  store  net
//!                         │
//!                    limits  sys
//! ```
//! * [`store`] knows keys and bytes and no protocol; nothing outside it names redb.
//! * [`mail`] is the only door to the store for protocols. An operation is written once, there,
//!   with its checks, and every protocol calls it.
//! * Grammar is pure: every protocol folder has `wire/` (bytes in, values out; no I/O, clock, log
//!   or store). The session beside it does the I/O.
pub mod auth;
pub mod cli;
pub mod config;
pub mod http;
pub mod imap;
pub mod jmap;
pub mod limits;
pub mod mail;
pub mod mime;
pub mod net;
pub mod pop3;
pub mod queue;
pub mod server;
pub mod smtp;
pub mod store;
pub mod sys;
