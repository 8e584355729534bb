//! POP3's grammar, pure: bytes in, values out. No I/O, clock, log or store.
//!
//! * [`command`]: one line to one [`Command`] (RFC 1939, 2449, 2595, 5034, 6856);
//! * [`response`]: status lines, response codes, CAPA, listings, unique-ids;
//! * [`lines`]: a stored message to the lines of a multi-line response, byte-stuffed;
//! * [`surrogate`]: header fields outside ASCII for a client that never said UTF8;
//! * [`md5`]: the digest APOP is made of, and nothing else is.
pub mod command;
pub mod lines;
pub mod md5;
pub mod response;
pub mod surrogate;

pub use command::{Command, Secret, Trouble, When};
pub use lines::Lines;
pub use response::{Capabilities, Code, Expire};
pub use surrogate::Surrogate;
