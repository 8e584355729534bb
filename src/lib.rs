//! # Pillarbox
//!
//! One process, one user, one file. `pillarbox serve` answers SMTP, IMAP, POP3 and JMAP for one
//! person's mail, out of one redb file, on a board with 64-512 MB of memory and flash that wears
//! out.
//!
//! ## The layers
//! ```text
//! cli ── server ─┬─ smtp ◄─ queue ─┐    each arrow points down only; protocols
//! (flags)        ├─ imap ──────────┤    never import each other: what two of
//!                ├─ pop3 ──────────┤    them need lives in mail/, mime/, auth/
//!                └─ jmap ── http ──┤    or net/. The queue alone goes sideways:
//!                                  │    it sends with SMTP's client.
//!                                mail   THE mailbox engine: deliver, flags, copy,
//!                                  │    expunge, search, threads, changes
//!                      auth  mime  store  net  dns ◄─ verify
//!                                  │
//!                             limits  sys
//! ```
//! * [`store`] knows keys and bytes and no protocol; nothing outside it names redb.
//! * [`mail`] is the only door to the store for protocols. An operation is written once, there,
//!   with its checks, and every protocol calls it.
//! * Grammar is pure: every protocol folder has `wire/` (bytes in, values out; no I/O, clock, log
//!   or store). So are the checks of [`verify`]: they give a result or the question that they need
//!   answered next. The session beside it does the I/O. One file per command or method, of the same
//!   name in `wire/`, `command/` (or `method/`) and `tests/`.
//! * A test (`tests/tidy.rs`) holds these edges, and the table of RFCs against their citations.
//!
//! ## Threads
//! Each listening socket has a thread with one single-threaded executor; its sessions use `Rc` and
//! `Cell`. The outbound queue has one more, the store's writer is a plain thread, and scans that take
//! long go to a small blocking pool. Three things cross threads: reads of the store, the bounded
//! channel to its writer, and the [`mail::Hub`] that wakes whoever waits. A panic ends one
//! connection.
//!
//! ## Writing
//! A session sends an operation to the writer and awaits its answer. The writer takes what waits
//! (32 operations at most), runs each over one transaction, commits once with one flush, wakes the
//! hub, and only then answers: what was answered is on the disk, and the order of changes is the
//! order of modseqs. A body over 256 KiB streams in while it arrives. After an I/O error the store
//! reopens itself and refuses with a temporary error meanwhile.
//!
//! ## Changes
//! Level-triggered: a waiter wakes, and reads what changed since *its own* modseq. Nothing is
//! queued for it, so nothing can overflow or be missed.
//!
//! ## Rights
//! A [`mail::Mail`] is a handle: the owner's, or that of an app password. A session takes the one of
//! its log-in ([`server::Ctx::granted`]) and asks for nothing more: the engine shows it what it may
//! see and refuses what it may not do, whatever the protocol. `tests/engine/access.rs` knows every
//! operation by name, so that a new one has to say what it is to a stranger.
//!
//! ## A message's way
//! `smtp::session` takes commands one by one; `smtp::command::rcpt` asks `smtp::policy` about each
//! recipient; `smtp::incoming` hands the octets to a [`mail::BodyWriter`], which scans
//! ([`mime::Scanner`]) and encodes ([`store::blob`]) them once; [`mail::Mail::commit`] files it and
//! resolves after the flush; 250 goes out; the hub wakes `imap::command::idle`, which reads the new
//! row and says EXISTS. FETCH later reads that row, the stored structure, or just the octets asked
//! for.
pub mod auth;
pub mod cli;
pub mod config;
pub mod dns;
pub mod http;
pub mod imap;
pub mod jmap;
pub mod keep;
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
pub mod verify;
