//! SMTP, both ends: the server that receives (RFC 5321) and takes submissions (RFC 6409), and the
//! client that the queue sends with.
pub mod wire;
