//! Tokens of authorized URLs: the INTERNAL mechanism (RFC 4467 §2.4.1) is HMAC-SHA256 over the URL with
//! the mailbox's key.

use ring::hmac;

/// What a token begins with: the algorithm, so that another one can follow some day.
const ALGORITHM: &str = "01";

/// The token of a URL that ends with its access identifier.
pub fn token(key: &[u8], rump: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, rump.as_bytes());
    let mut text = String::from(ALGORITHM);
    for b in tag.as_ref() {
        text.push_str(&format!("{b:02x}"));
    }
    text
}

/// Is it the token of this URL? Takes the same time for every wrong one.
pub fn verify(key: &[u8], rump: &str, token: &str) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let digits = token.strip_prefix(ALGORITHM).unwrap_or_default().as_bytes();
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let tag: Option<Vec<u8>> = digits
        .chunks(2)
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect();
    // What is no token at all is compared as well.
    let tag = tag.unwrap_or_default();
    hmac::verify(&key, rump.as_bytes(), &tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens() {
        let url = "imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred";
        let made = token(&[7; 32], url);
        assert_eq!(made.len(), 66);
        assert!(verify(&[7; 32], url, &made) && verify(&[7; 32], url, &made.to_uppercase()));
        assert!(!verify(&[8; 32], url, &made) && !verify(&[7; 32], &url[1..], &made));
        for wrong in ["", "01", "0", "01zz", &made[..64], &made[2..]] {
            assert!(!verify(&[7; 32], url, wrong), "{wrong}");
        }
    }
}
