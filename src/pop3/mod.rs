//! POP3 (RFC 1939): the INBOX as a maildrop that one session at a time has for itself.
//!
//! * [`wire`]: grammar, pure.
pub mod wire;
