//! JMAP over HTTP (RFC 8620, RFC 8621).
pub mod wire;
