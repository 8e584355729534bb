//! Ids as clients see them (RFC 8620 §1.2): a letter for the type, then the engine's number, so that
//! an id of one type is never taken for another, and none is digits alone or begins with a dash.
use crate::mail::{EmailId, MailboxId, ThreadId};

/// The one account.
pub const ACCOUNT: &str = "a1";

/// Parts inside parts inside a blob id.
const NESTING: usize = 8;

/// A letter and a number.
pub fn show(letter: char, number: u64) -> String {
    let mut text = number.to_string();
    text.insert(0, letter);
    text
}

/// Reads what [`show`] writes.
pub fn read(letter: char, text: &str) -> Option<u64> {
    number(text.strip_prefix(letter)?)
}

/// `m5`
pub fn mailbox(id: MailboxId) -> String {
    show('m', id.0.into())
}

/// `e17`
pub fn email(id: EmailId) -> String {
    show('e', id.0)
}

/// `t17`
pub fn thread(id: ThreadId) -> String {
    show('t', id.0.into())
}

/// Reads the id of a mailbox.
pub fn to_mailbox(text: &str) -> Option<MailboxId> {
    Some(MailboxId(read('m', text)?.try_into().ok()?))
}

/// Reads the id of an email.
pub fn to_email(text: &str) -> Option<EmailId> {
    Some(EmailId(read('e', text)?))
}

/// Reads the id of a thread.
pub fn to_thread(text: &str) -> Option<ThreadId> {
    Some(ThreadId(read('t', text)?.try_into().ok()?))
}

/// `i9`
pub fn identity(id: u64) -> String {
    show('i', id)
}

/// Reads the id of an identity.
pub fn to_identity(text: &str) -> Option<u64> {
    read('i', text)
}

/// `s9`
pub fn submission(id: u64) -> String {
    show('s', id)
}

/// Reads the id of a submission.
pub fn to_submission(text: &str) -> Option<u64> {
    read('s', text)
}

/// `p9`
pub fn subscription(id: u64) -> String {
    show('p', id)
}

/// Reads the id of a push subscription.
pub fn to_subscription(text: &str) -> Option<u64> {
    read('p', text)
}

/// A number in its one spelling: an object has one id.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// Names octets that never change: a message or an upload, or a part inside, decoded; or a part of
/// the message that this part is, and so on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BlobId {
    /// The message or upload.
    pub root: EmailId,
    /// The index of a part in the structure of what stands to its left.
    pub parts: Vec<u16>,
}

impl BlobId {
    /// A whole message or upload.
    pub fn whole(root: EmailId) -> BlobId {
        BlobId {
            root,
            parts: Vec::new(),
        }
    }

    /// A part of this blob.
    pub fn part(&self, index: usize) -> Option<BlobId> {
        let index = u16::try_from(index).ok()?;
        if self.parts.len() >= NESTING {
            return None;
        }
        let mut parts = self.parts.clone();
        parts.push(index);
        Some(BlobId {
            root: self.root,
            parts,
        })
    }

    /// Reads `b17` or `b17-2-1`.
    pub fn parse(text: &str) -> Option<BlobId> {
        let mut numbers = text.strip_prefix('b')?.split('-').map(number);
        let root = EmailId(numbers.next()??);
        let parts = numbers
            .map(|n| n.and_then(|n| u16::try_from(n).ok()))
            .collect::<Option<Vec<u16>>>()?;
        (parts.len() <= NESTING).then_some(BlobId { root, parts })
    }
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b{}", self.root.0)?;
        self.parts.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        assert_eq!(to_email("e17"), Some(EmailId(17)));
        for bad in [
            "",
            "e",
            "17",
            "m17",
            "e017",
            "e+1",
            "e-1",
            "e99999999999999999999999",
        ] {
            assert_eq!(to_email(bad), None, "{bad}");
        }
        let blob = BlobId::whole(EmailId(3)).part(2).and_then(|b| b.part(0));
        assert_eq!(
            blob.as_ref().map(ToString::to_string).as_deref(),
            Some("b3-2-0")
        );
        assert_eq!(BlobId::parse("b3-2-0"), blob);
        for bad in [
            "b",
            "b1-",
            "b1-x",
            "b1-70000",
            "b1-1-1-1-1-1-1-1-1-1",
            "b1--1",
        ] {
            assert_eq!(BlobId::parse(bad), None, "{bad}");
        }
    }
}
