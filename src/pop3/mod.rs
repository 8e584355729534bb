//! POP3 (RFC 1939): INBOX as a maildrop that one session at a time has for itself.
//!
//! * [`wire`]: grammar, pure.
//! * `session`: the loop around one connection; `command/` has one file per command or pair.
//! * [`maildrop`]: what a session sees: the messages at log-in, its marks, its listings.
//! * [`gate`]: the exclusive lock, the pause between log-ins.
//! * [`retention`]: what `--pop3-delete DAYS` remembers.
//!
//! RFCs: 1939, 2449 (CAPA, response codes), 2595 (STLS), 3206 (AUTH and SYS codes), 5034 (SASL),
//! 6856 (UTF8, LANG). Decisions that the RFCs leave open:
//!
//! * The maildrop is INBOX and nothing else. Messages that another protocol marked `\Deleted` and
//!   did not expunge are still there. POP3 reads and sets no flags, `\Seen` included.
//! * The unique-id belongs to the email, see [`wire::response::unique_id_listing`].
//! * The lock keeps other POP3 sessions out, not IMAP and JMAP. What these remove meanwhile keeps
//!   its number, is left out of STAT, LIST and UIDL like a message marked deleted, and RETR, TOP
//!   and DELE answer `-ERR`. New mail shows at the next log-in.
//! * Sizes are those of the stored octets, which is what RETR sends (RFC 1939 §11), but for two
//!   kinds of message that never come in by plain SMTP: one with bare LFs goes out with CRLFs, one
//!   without a last line end gets one. A client that did not say UTF8 gets a header that is
//!   not ASCII as encoded words. In these cases RETR sends more octets than LIST said.
//! * QUIT removes everything in one durable commit and answers after it. RSET takes back the
//!   implicit deletions of `--pop3-delete 0` too: where in doubt, mail stays.
//!
//! Limits: a command line of [`crate::limits::POP3_LINE`] octets, [`crate::limits::POP3_ERRORS`]
//! bad commands in a row. Memory does not grow with the maildrop: a session holds runs of UIDs.
mod command;
pub mod gate;
pub mod maildrop;
pub mod retention;
mod session;
pub mod wire;

pub use gate::Gate;
pub use session::serve;
