//! MOVE and UID MOVE (RFC 9051 §6.4.8): the arguments of COPY.

pub use super::copy::copy as r#move;
