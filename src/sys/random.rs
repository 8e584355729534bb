//! Random octets from the system.
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;

/// The system has no randomness to give (a kernel without getrandom(2) and /dev/urandom).
#[derive(Debug, Clone, Copy)]
pub struct NoRandom;

impl fmt::Display for NoRandom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the system gives no random numbers")
    }
}

/// `N` random octets, fit for keys.
///
/// # Errors
/// [`NoRandom`].
pub fn octets<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut out = [0; N];
    SystemRandom::new().fill(&mut out).map_err(|_| NoRandom)?;
    Ok(out)
}

/// A random password of 26 characters (130 bits), easy to read out and to type: no capitals, no
/// `0`, `1`, `l`, `o`.
///
/// # Errors
/// [`NoRandom`].
pub fn password() -> Result<String, NoRandom> {
    // 32 letters, so that five bits of an octet are one letter without bias.
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let bits: [u8; 26] = octets()?;
    Ok(bits
        .iter()
        .map(|b| char::from(LETTERS[usize::from(b & 31)]))
        .collect())
}
