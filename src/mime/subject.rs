//! The base subject: what a subject is without reply and forward marks (RFC 5256 §2.1).
use super::{header, msgid};

/// A base subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base {
    /// What is left, letter case kept. Empty where nothing is.
    pub text: String,
    /// True where a mark of a reply or forward was removed.
    pub reply: bool,
}

impl Base {
    /// [`msgid::hash`] of the text in lower case; 0 where it is empty.
    pub fn hash(&self) -> u64 {
        if self.text.is_empty() {
            0
        } else {
            msgid::hash(self.text.to_lowercase().as_bytes())
        }
    }
}

/// The base subject of a raw Subject value.
pub fn base(value: &[u8]) -> Base {
    let decoded = header::text(value);
    // Step 1: every run of spaces, tabs and line ends becomes one space.
    let words = decoded.split([' ', '\t', '\r', '\n']);
    let words = words.filter(|word| !word.is_empty());
    let whole = words.collect::<Vec<_>>().join(" ");
    let mut reply = false;
    let mut rest = whole.as_str();
    loop {
        rest = without_trailers(rest, &mut reply);
        rest = without_leaders(rest, &mut reply);
        // Step 6: [fwd: ... ] around all of it.
        match strip_prefix(rest, "[fwd:").and_then(|inner| inner.strip_suffix(']')) {
            Some(inner) => {
                rest = inner;
                reply = true;
            }
            None => {
                return Base {
                    text: rest.to_owned(),
                    reply,
                };
            }
        }
    }
}

/// Step 2: `(fwd)` and white space at the end.
fn without_trailers<'a>(mut rest: &'a str, reply: &mut bool) -> &'a str {
    loop {
        rest = rest.trim_end_matches(' ');
        let cut = rest.len().saturating_sub(5);
        match rest.split_at_checked(cut) {
            Some((head, tail)) if tail.eq_ignore_ascii_case("(fwd)") => {
                rest = head;
                *reply = true;
            }
            _ => return rest,
        }
    }
}

/// Steps 3 to 5: `Re:`, `Fwd [list]:`, `[list] Re:` and blobs that leave something behind.
fn without_leaders<'a>(mut rest: &'a str, reply: &mut bool) -> &'a str {
    loop {
        rest = rest.trim_start_matches(' ');
        match leader(rest) {
            Some(tail) => {
                rest = tail;
                *reply = true;
            }
            None => break,
        }
    }
    // No mark behind these blobs, or it would have been found with them.
    while let Some(tail) = blob(rest).filter(|tail| !tail.is_empty()) {
        rest = tail;
    }
    rest
}

/// `*subj-blob subj-refwd`.
fn leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(tail) = blob(rest) {
        rest = tail;
    }
    let word = ["re", "fwd", "fw"]
        .iter()
        .find_map(|word| strip_prefix(rest, word))?;
    let word = word.trim_start_matches(' ');
    blob(word).unwrap_or(word).strip_prefix(':')
}

/// `"[" *BLOBCHAR "]" *WSP`, where BLOBCHAR is anything but brackets.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner
        .get(end..)?
        .strip_prefix(']')
        .map(|rest| rest.trim_start_matches(' '))
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, tail) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> (String, bool) {
        let base = base(value.as_bytes());
        (base.text, base.reply)
    }

    #[test]
    fn removes_what_rfc_5256_names() {
        let cases = [
            ("hello", "hello", false),
            ("Re: hello", "hello", true),
            ("RE : [list] re[2]: hello (FWD) ", "hello", true),
            ("[list] hello", "hello", false),
            ("[list]", "[list]", false),
            ("Re: [list]", "[list]", true),
            ("[Fwd: Re: hello]", "hello", true),
            ("Fw: [a] [b] Fwd: x  y", "x y", true),
            ("regarding: x", "regarding: x", false),
            ("=?utf-8?Q?Re:_caf=C3=A9?=", "café", true),
            ("", "", false),
            ("Re:", "", true),
            ("Re: [a] [b]", "[b]", true),
            ("\u{a0}Re: x", "\u{a0}Re: x", false),
            ("re\t[x] : y", "y", true),
            ("[fwd: [list] x (fwd)]", "x", true),
            ("Re: [Fwd: y (fwd)] (fwd)", "y", true),
        ];
        for (subject, text, reply) in cases {
            assert_eq!(of(subject), (text.to_owned(), reply), "{subject:?}");
        }
        assert_eq!(base(b"Re: ABC").hash(), base(b"abc").hash());
        assert_eq!(base(b" ").hash(), 0);
    }

    #[test]
    fn many_marks_take_linear_time() {
        assert_eq!(of(&"Re: ".repeat(10_000)).0, "");
        assert!(!of(&"[fwd:".repeat(10_000)).1);
        assert_eq!(of(&"[]".repeat(100_000)).0, "[]");
    }
}
