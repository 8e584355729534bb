//! The streaming scanner (being filled in).
use super::structure::{Part, Span, Structure};

/// Reads a message of any size once, in constant memory.
#[derive(Debug, Default)]
pub struct Scanner {
    size: u32,
}

impl Scanner {
    /// A scanner at the start of a message.
    pub fn new() -> Scanner {
        Scanner::default()
    }

    /// Takes the next octets; how the message is cut makes no difference.
    pub fn push(&mut self, octets: &[u8]) {
        self.size = self.size.saturating_add(octets.len() as u32);
    }

    /// The message has ended.
    pub fn finish(self) -> Structure {
        let body = Span {
            offset: 0,
            len: self.size,
        };
        let part = Part {
            body,
            main: b"text".into(),
            sub: b"plain".into(),
            ..Part::default()
        };
        Structure {
            parts: vec![part],
            ..Structure::default()
        }
    }
}
