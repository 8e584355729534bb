//! Message disposition notifications, "read receipts" (RFC 9007, RFC 8098).
mod parse;
mod send;

pub use parse::parse;
pub use send::send;

use super::Answer;

/// Values of a Disposition object (RFC 9007 §2), as RFC 8098 §3.2.6 has them.
const ACTIONS: [&str; 2] = ["manual-action", "automatic-action"];
const SENDINGS: [&str; 2] = ["mdn-sent-manually", "mdn-sent-automatically"];
const TYPES: [&str; 4] = ["deleted", "dispatched", "displayed", "processed"];
