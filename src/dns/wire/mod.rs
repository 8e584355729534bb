//! DNS messages (RFC 1035 §4): a question to octets, a hostile answer to values.
//!
//! Names are text, in lower case and without the final dot; the root is empty. A name with octets
//! that are no visible ASCII, or with a dot inside a label, makes its record unusable and is left out.
pub mod message;
pub mod name;
mod punycode;

pub use message::{Answer, Bad, Data, Found, Kind, Question, Response, Tlsa, parse, query};
pub use punycode::ascii;
