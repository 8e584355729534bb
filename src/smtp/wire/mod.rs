//! The grammar of SMTP, for both ends of a connection: bytes in, values out.
//!
//! Nothing here does I/O, reads a clock, logs or knows the store. Every input is hostile; every
//! function is bounded by its input or by `limits`.
//!
//! * [`command`]: what a client says, parsed (RFC 5321 §4.1), with the parameters of [`params`].
//! * [`reply`]: what a server says, written and parsed (RFC 5321 §4.2, RFC 2034).
//! * [`data`]: the dot transparency of DATA in both directions (RFC 5321 §4.5.2).
//! * [`bdat`]: how much of a BDAT chunk is still to come (RFC 3030 §2).
//! * [`trace`]: Return-Path and Received (RFC 5321 §4.4).
//! * [`header`]: the header as it streams by: counted for loops, mended for submission (RFC 6409 §8).
pub mod bdat;
pub mod command;
pub mod data;
pub mod header;
pub mod params;
pub mod reply;
pub mod trace;
pub mod xtext;
