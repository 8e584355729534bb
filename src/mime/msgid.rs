//! Message ids: reading lists of them, and the stable hash that stands for one in the store.
//!
//! RFC 5322 §3.6.4 and §4.5.4 (obsolete forms with phrases between the ids).
use ring::digest;
use std::borrow::Cow;

/// The ids of a Message-ID, In-Reply-To or References value, without angle brackets (RFC 8621
/// §4.1.2.5). `None` where there is none.
pub fn list(value: &[u8]) -> Option<Vec<String>> {
    let found: Vec<String> = bracketed(value)
        .map(|id| String::from_utf8_lossy(&id).into_owned())
        .collect();
    (!found.is_empty()).then_some(found)
}

/// The hash of the first id in `value`; a value without brackets counts as one id.
pub fn first_hash(value: &[u8]) -> Option<u64> {
    let bare = || {
        let bare = value.trim_ascii();
        (!bare.is_empty() && !bare.iter().any(u8::is_ascii_whitespace)).then(|| hash(bare))
    };
    bracketed(value)
        .next()
        .map(|id| hash(&normal(&id)))
        .or_else(bare)
}

/// The hash of an id given without angle brackets: the first 8 octets of its SHA-256, big-endian.
/// Stored in files: it never changes.
pub fn hash(id: &[u8]) -> u64 {
    let digest = digest::digest(&digest::SHA256, id);
    digest
        .as_ref()
        .iter()
        .take(8)
        .fold(0, |hash, octet| hash << 8 | u64::from(*octet))
}

/// An id as it is compared: quotes that its left side need not have are gone (RFC 5256 §3:
/// `"01KF8JCEOCBS0045PS"@xxx.yyy.com` is the same id without them).
pub fn normal(id: &[u8]) -> Cow<'_, [u8]> {
    if !id.starts_with(b"\"") {
        return Cow::Borrowed(id);
    }
    let mut out = Vec::with_capacity(id.len());
    let mut octets = id.iter().skip(1);
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => out.extend(octets.next()),
            b'"' => {
                out.extend(octets);
                return Cow::Owned(out);
            }
            _ => out.push(*octet),
        }
    }
    Cow::Borrowed(id)
}

/// What stands between `<` and `>`, white space removed; comments and quoted strings outside are
/// skipped, an unclosed bracket ends the list.
pub fn bracketed(value: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut rest = value;
    let mut comments = true;
    std::iter::from_fn(move || {
        loop {
            let (first, tail) = rest.split_first()?;
            rest = tail;
            match first {
                b'(' if comments => match after_comment(tail) {
                    Some(after) => rest = after,
                    None => comments = false,
                },
                b'<' => {
                    let end = tail.iter().position(|it| *it == b'>')?;
                    let (inside, after) = tail.split_at_checked(end)?;
                    rest = after;
                    let id: Vec<u8> = inside
                        .iter()
                        .copied()
                        .filter(|it| !it.is_ascii_whitespace())
                        .collect();
                    if !id.is_empty() {
                        return Some(id);
                    }
                }
                _ => {}
            }
        }
    })
}

/// What follows the comment whose opening parenthesis has been read (RFC 5322 §3.2.2). `None` where
/// it is never closed: it is no comment then, nor is any after it looked for (the time is linear).
fn after_comment(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 1u32;
    let mut octets = text.iter().enumerate();
    while let Some((at, octet)) = octets.next() {
        match octet {
            b'(' => depth += 1,
            b')' if depth == 1 => return text.get(at + 1..),
            b')' => depth -= 1,
            b'\\' => {
                octets.next();
            }
            _ => {}
        }
    }
    None
}

/// A new Message-ID with its angle brackets: `random` must be unpredictable enough never to repeat.
pub fn generate(random: u128, host: &str) -> String {
    format!("<{random:032x}@{host}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ids_with_folds_comments_and_phrases() {
        let value = b" <1234@local.machine.example> (a <b> \\) c)\r\n\t<3456@ example.net>";
        assert_eq!(
            list(value).unwrap(),
            ["1234@local.machine.example", "3456@example.net"]
        );
        assert_eq!(
            list(b"Your message of Monday <a@b> (unclosed").unwrap(),
            ["a@b"]
        );
        assert_eq!(list(b" no ids"), None);
        assert_eq!(list(b"<unclosed"), None);
        assert_eq!(first_hash(b" bare@id "), Some(hash(b"bare@id")));
    }

    #[test]
    fn quotes_make_no_difference() {
        let plain = first_hash(b"<01KF8JCEOCBS0045PS@xxx.yyy.com>");
        assert_eq!(first_hash(b"<\"01KF8JCEOCBS0045PS\"@xxx.yyy.com>"), plain);
        assert_eq!(&*normal(b"\"a\\\"b\"@c"), b"a\"b@c");
        assert_eq!(&*normal(b"\"open@c"), b"\"open@c");
    }

    #[test]
    fn the_hash_is_sha_256_cut_short() {
        assert_eq!(hash(b"abc"), 0xba78_16bf_8f01_cfea);
    }
}
