//! xtext (RFC 3461 §4): how ENVID, ORCPT and AUTH carry octets that a parameter cannot.
use std::fmt::Write;

/// Decodes `+XX`. `None` where a `+` is not followed by two upper-case hexadecimal digits, for a
/// character that must have been encoded, and for octets that are no UTF-8 (RFC 6533 §3 wants
/// text). Control characters are refused: nothing that was hidden in xtext may break a line later.
pub fn decode(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(b) = rest.next() {
        octets.push(match b {
            b'+' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            b'=' => return None,
            33..=126 | 128..=255 => b,
            _ => return None,
        });
    }
    let text = String::from_utf8(octets).ok()?;
    if text.chars().any(char::is_control) {
        None
    } else {
        Some(text)
    }
}

/// Encodes everything outside `xchar`; what comes out is printable ASCII without `+` or `=` alone.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b'+' | b'=' | 0..=32 | 127..=255 => {
                // Writing to a String cannot fail.
                let _ = write!(out, "+{b:02X}");
            }
            _ => out.push(char::from(b)),
        }
    }
    out
}

fn hex(b: u8) -> Option<u8> {
    // Lower case is not in the grammar, but harmless and seen.
    char::from(b)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cases() {
        assert_eq!(decode("QQ314159"), Some("QQ314159".into()));
        assert_eq!(decode("a+2Bb+3Dc+20d"), Some("a+b=c d".into()));
        assert_eq!(decode("+C3+BC"), Some("ü".into()));
        for bad in ["+", "+4", "+4g", "a=b", "a b", "+0D+0A", "+FF"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in "[^\\p{Cc}]{0,40}") {
            let coded = encode(&text);
            prop_assert!(coded.bytes().all(|b| (33..=126).contains(&b) && b != b'='));
            prop_assert_eq!(decode(&coded), Some(text));
        }

        #[test]
        fn never_panics(text in "\\PC{0,40}") {
            let _ = decode(&text);
        }
    }
}
