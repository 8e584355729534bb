//! Names (RFC 1035 §3.1) and their compression (§4.1.4).
use crate::limits;

/// Appends a name. False, with nothing appended, if the text is no name: an empty or overlong
/// label, or more than 255 octets in all. Each letter whose bit in `case` is set goes out in upper
/// case, so that an answer has to know the case to be believed.
pub fn write(name: &str, case: u64, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let mut bit = 0u32;
    for label in name.split('.').filter(|_| !name.is_empty()) {
        let Some(length) = u8::try_from(label.len())
            .ok()
            .filter(|n| (1..=63).contains(n))
        else {
            out.truncate(start);
            return false;
        };
        out.push(length);
        for octet in label.bytes() {
            let raised = octet.is_ascii_alphabetic() && case >> (bit % 64) & 1 == 1;
            bit += u32::from(octet.is_ascii_alphabetic());
            out.push(if raised {
                octet.to_ascii_uppercase()
            } else {
                octet.to_ascii_lowercase()
            });
        }
    }
    out.push(0);
    if out.len() - start > limits::DOMAIN {
        out.truncate(start);
        return false;
    }
    true
}

/// Reads a name at `at`: its text, if it can be text, and where the record goes on. `None` when it
/// is damaged. Pointers lead backwards only, so that there can be no loop.
pub fn read(message: &[u8], at: usize) -> Option<(Option<String>, usize)> {
    let mut text = String::new();
    let mut usable = true;
    let (mut at, mut floor) = (at, at);
    let mut end = None;
    loop {
        let length = *message.get(at)?;
        match length {
            0 => return Some((usable.then_some(text), end.unwrap_or(at + 1))),
            1..=63 => {
                let label = message.get(at + 1..at + 1 + usize::from(length))?;
                if text.len() + label.len() > limits::DOMAIN {
                    return None;
                }
                if !text.is_empty() {
                    text.push('.');
                }
                for octet in label {
                    usable &= octet.is_ascii_graphic() && *octet != b'.';
                    text.push(char::from(octet.to_ascii_lowercase()));
                }
                at += 1 + label.len();
            }
            192.. => {
                let to = usize::from(length & 63) << 8 | usize::from(*message.get(at + 1)?);
                if to >= floor {
                    return None;
                }
                end.get_or_insert(at + 2);
                (at, floor) = (to, to);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names() {
        let mut out = Vec::new();
        assert!(write("Mail.Example", 0, &mut out));
        assert_eq!(out, b"\x04mail\x07example\0");
        assert_eq!(read(&out, 0), Some((Some("mail.example".into()), 14)));
        let mut raised = Vec::new();
        assert!(write("mail.example", u64::MAX, &mut raised));
        assert_eq!(raised, b"\x04MAIL\x07EXAMPLE\0");
        let mut root = Vec::new();
        assert!(write("", 0, &mut root));
        assert_eq!(read(&root, 0), Some((Some(String::new()), 1)));
        for bad in ["a..b", ".a", "a.", &"a".repeat(64), &"a.".repeat(127)] {
            let mut out = vec![1];
            assert!(!write(bad, 0, &mut out), "{bad}");
            assert_eq!(out, [1]);
        }
    }

    #[test]
    fn pointers_lead_back() {
        // x at 0, a pointer to it behind "y", a pointer to itself.
        let message = b"\x01x\0\x01y\xc0\x00\xc0\x07";
        assert_eq!(read(message, 3), Some((Some("y.x".into()), 7)));
        assert_eq!(read(message, 7), None);
        assert_eq!(read(b"\xc0\x02\xc0\x00", 0), None);
        assert_eq!(read(b"\x01a\xc0\x00", 0), None);
        assert_eq!(read(b"\x01.\0", 0), Some((None, 3)));
    }

    proptest! {
        #[test]
        fn round_trip(name in "([a-z0-9_-]{1,20}(\\.[a-z0-9_-]{1,20}){0,5})?", case: u64) {
            let mut out = Vec::new();
            prop_assert!(write(&name, case, &mut out));
            prop_assert_eq!(read(&out, 0), Some((Some(name), out.len())));
        }

        #[test]
        fn octets_do_not_panic(octets in proptest::collection::vec(any::<u8>(), 0..80), at in 0usize..80) {
            if let Some((_, end)) = read(&octets, at) {
                prop_assert!(end <= octets.len());
            }
        }
    }
}
