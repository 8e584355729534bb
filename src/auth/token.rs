//! Bearer tokens (RFC 6750): named, random, stored as hashes, revocable one by one.
use super::record::{equal, sha256};
use crate::net::Shutdown;

/// A token as it is stored and listed; the token itself was shown once, when it was made.
#[derive(Clone)]
pub struct Token {
    /// What the owner calls it.
    pub name: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// SHA-256 of the token. Its 130 random bits need no slow hash.
    pub hash: [u8; 32],
    /// Thrown when it is revoked: ends the connections that came in by it.
    pub gone: Shutdown,
}

impl Token {
    pub(super) fn new(name: &str, token: &str, created: i64) -> Token {
        Token {
            name: name.to_owned(),
            created,
            hash: sha256(token.as_bytes()),
            gone: Shutdown::new(),
        }
    }

    pub(super) fn is(&self, token: &str) -> bool {
        equal(&self.hash, &sha256(token.as_bytes()))
    }
}

/// Whether a name is fit: 1 to 64 printable characters.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().count() <= 64 && !name.chars().any(char::is_control)
}

/// One line per token: creation, hash in hex, name.
pub(super) fn encode(tokens: &[Token]) -> Vec<u8> {
    let mut out = String::new();
    for t in tokens {
        let hex: String = t.hash.iter().map(|b| format!("{b:02x}")).collect();
        out.push_str(&format!("{} {hex} {}\n", t.created, t.name));
    }
    out.into_bytes()
}

/// Reads [`encode`]'s lines, leaving out what is none.
pub(super) fn decode(bytes: &[u8]) -> Vec<Token> {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(decode_line)
        .collect()
}

fn decode_line(line: &str) -> Option<Token> {
    let mut parts = line.splitn(3, ' ');
    let created = parts.next()?.parse().ok()?;
    let hex = parts.next()?;
    let name = parts.next()?.to_owned();
    let mut hash = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (i, octet) in hash.iter_mut().enumerate() {
        *octet = u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(Token {
        name,
        created,
        hash,
        gone: Shutdown::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip() {
        let all = vec![
            Token::new("my phone", "secret", 17),
            Token::new("b", "other", -1),
        ];
        let again = decode(&encode(&all));
        assert_eq!(encode(&again), encode(&all));
        assert!(again[0].is("secret") && !again[0].is("secret2"));
        assert!(decode(b"\nx y z\n1 22 \xff\n").is_empty());
    }
}
