//! Blobs as objects (RFC 9404), and Blob/copy (RFC 8620 §6.3).
mod copy;
mod get;
mod lookup;
mod upload;

pub use copy::copy;
pub use get::get;
pub use lookup::lookup;
pub use upload::upload;

use super::Answer;

/// The digests that Blob/get calculates, best first (RFC 9404 §3.1).
pub const DIGESTS: [(&str, &ring::digest::Algorithm); 3] = [
    ("sha-256", &ring::digest::SHA256),
    ("sha-512", &ring::digest::SHA512),
    ("sha", &ring::digest::SHA1_FOR_LEGACY_USE_ONLY),
];

/// The types that Blob/lookup looks through.
pub const TYPES: [&str; 3] = ["Mailbox", "Thread", "Email"];
