//! Modified UTF-7, the mailbox names of IMAP4rev1 (RFC 3501 §5.1.3).

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// The name that `text` encodes; `None` if it is not modified UTF-7.
pub fn decode(text: &[u8]) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((&b, after)) = rest.split_first() {
        rest = after;
        match b {
            b'&' => {
                let end = rest.iter().position(|b| *b == b'-')?;
                let (coded, after) = rest.split_at_checked(end)?;
                rest = after.get(1..)?;
                if coded.is_empty() {
                    name.push('&')
                } else {
                    shifted(coded, &mut name)?
                }
            }
            0x20..=0x7e => name.push(char::from(b)),
            _ => return None,
        }
    }
    Some(name)
}

/// One base64 run: UTF-16 in big-endian order, padded with zero bits.
fn shifted(coded: &[u8], name: &mut String) -> Option<()> {
    let (mut bits, mut have, mut units) = (0u32, 0u32, Vec::new());
    for b in coded {
        let value = ALPHABET.iter().position(|a| a == b)?;
        bits = (bits << 6) | u32::try_from(value).ok()?;
        have += 6;
        if have >= 16 {
            have -= 16;
            units.push(u16::try_from((bits >> have) & 0xffff).ok()?);
            bits &= (1 << have) - 1;
        }
    }
    if have >= 6 || bits != 0 || units.is_empty() {
        return None;
    }
    for c in char::decode_utf16(units) {
        name.push(c.ok()?);
    }
    Some(())
}

/// `name` in modified UTF-7.
pub fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut pending: Vec<u16> = Vec::new();
    for c in name.chars() {
        if (' '..='~').contains(&c) {
            flush(&mut pending, &mut text);
            text.push(c);
            if c == '&' {
                text.push('-');
            }
        } else {
            pending.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
    }
    flush(&mut pending, &mut text);
    text
}

fn flush(pending: &mut Vec<u16>, text: &mut String) {
    if pending.is_empty() {
        return;
    }
    text.push('&');
    let (mut bits, mut have) = (0u32, 0u32);
    let mut digit = |value: u32| {
        text.push(char::from(
            ALPHABET.get((value & 63) as usize).copied().unwrap_or(b'A'),
        ));
    };
    for unit in pending.drain(..) {
        bits = (bits << 16) | u32::from(unit);
        have += 16;
        while have >= 6 {
            have -= 6;
            digit(bits >> have);
            bits &= (1 << have) - 1;
        }
    }
    if have > 0 {
        digit(bits << (6 - have));
    }
    text.push('-');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_examples() {
        let name = "~peter/mail/\u{53f0}\u{5317}/\u{65e5}\u{672c}\u{8a9e}";
        assert_eq!(encode(name), "~peter/mail/&U,BTFw-/&ZeVnLIqe-");
        assert_eq!(
            decode(b"~peter/mail/&U,BTFw-/&ZeVnLIqe-").as_deref(),
            Some(name)
        );
        assert_eq!(encode("R&D"), "R&-D");
        assert_eq!(encode("Entw\u{fc}rfe"), "Entw&APw-rfe");
        for bad in [&b"&"[..], b"&Jjo", b"a&!-", b"\xc3\xbc", b"&A-", b"&AAAAA-"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(name in "\\PC{0,40}") {
            let coded = encode(&name);
            prop_assert!(coded.bytes().all(|b| (0x20..=0x7e).contains(&b)));
            prop_assert_eq!(decode(coded.as_bytes()), Some(name));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
