//! Header fields of a raw header block, and the forms JMAP reads them in.
//!
//! RFC 5322 §2.2 (fields, folding), RFC 8621 §4.1.2 (Raw, Text, Addresses, GroupedAddresses,
//! MessageIds, Date, URLs). Nothing is copied until asked for. A line that is no field and no
//! continuation is skipped, as the mbox `From ` line is.
use std::borrow::Cow;

use memchr::memchr;

use super::nfc::nfc;
use super::words;

/// One field of a header block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// As written, without white space before the colon (RFC 5322 §4.5 allows it).
    pub name: &'a [u8],
    /// From behind the colon up to the line end that closes the field, folds included.
    pub value: &'a [u8],
    /// Offset in the block of the first octet of the name.
    pub offset: usize,
    /// Octets of the whole field, the closing line end included.
    pub len: usize,
}

impl Field<'_> {
    /// True where the field is called `name`, letter case ignored.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of `block` in order, up to its empty line or its end.
pub fn fields(block: &[u8]) -> Fields<'_> {
    Fields { block, at: 0 }
}

/// The last field called `name`: the one that counts where there are several (RFC 8621 §4.1.3).
pub fn last<'a>(block: &'a [u8], name: &str) -> Option<Field<'a>> {
    fields(block).filter(|field| field.is(name)).last()
}

/// Iterator of [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    block: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Length of the line at `at`, its line feed included; 0 at the end.
    fn line(&self, at: usize) -> usize {
        let rest = self.block.get(at..).unwrap_or_default();
        memchr(b'\n', rest).map_or(rest.len(), |end| end + 1)
    }

    /// Octets of the field at `at` with its continuation lines.
    fn field(&self, at: usize) -> usize {
        let mut end = at + self.line(at);
        while matches!(self.block.get(end), Some(b' ' | b'\t')) {
            end += self.line(end);
        }
        end - at
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let offset = self.at;
            let len = self.field(offset);
            let whole = self.block.get(offset..offset + len)?;
            if whole.is_empty() || whole.starts_with(b"\n") || whole.starts_with(b"\r\n") {
                return None;
            }
            self.at += len;
            if let Some((name, value)) = split(whole) {
                return Some(Field {
                    name,
                    value: trim_end_of_line(value),
                    offset,
                    len,
                });
            }
        }
    }
}

/// Splits a field at its colon. `None` where it has no valid name (RFC 5322 §2.2: printable ASCII).
pub(super) fn split(field: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', field)?;
    let (name, value) = field.split_at_checked(colon)?;
    let end = name.iter().rposition(|it| !matches!(it, b' ' | b'\t'))? + 1;
    let name = name.get(..end)?;
    name.iter()
        .all(u8::is_ascii_graphic)
        .then(|| (name, value.get(1..).unwrap_or_default()))
}

fn trim_end_of_line(value: &[u8]) -> &[u8] {
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    value.strip_suffix(b"\r").unwrap_or(value)
}

/// Removes the line ends of folding (RFC 5322 §2.2.3), white space at both ends, and NULs.
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    let value = value.trim_ascii();
    if value.iter().any(|it| matches!(it, b'\r' | b'\n' | 0)) {
        let kept = value.iter().filter(|it| !matches!(it, b'\r' | b'\n' | 0));
        return Cow::Owned(kept.copied().collect());
    }
    Cow::Borrowed(value)
}

/// JMAP's Raw form (RFC 8621 §4.1.2.1): NULs dropped, octets that are no UTF-8 replaced.
pub fn raw(value: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(value).into_owned();
    text.retain(|it| it != '\0');
    text
}

/// JMAP's Text form (RFC 8621 §4.1.2.2): unfolded, encoded words decoded, in Normalization Form C.
pub fn text(value: &[u8]) -> String {
    nfc(words::decode(&unfold(value)))
}

/// JMAP's URLs form (RFC 8621 §4.1.2.7, RFC 2369 §2): what stands in angle brackets, comments
/// aside. `None` where there is none.
pub fn urls(value: &[u8]) -> Option<Vec<String>> {
    let found: Vec<String> = super::msgid::bracketed(value)
        .map(|url| String::from_utf8_lossy(&url).into_owned())
        .collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_fields_with_folds_and_junk() {
        let block =
            b"From x@y Sat Nov 21\r\nSubject: a\r\n b\r\nno colon here\r\nX-Y : z\n\r\nbody: no";
        let found: Vec<_> = fields(block)
            .map(|it| (it.name, it.value, it.offset))
            .collect();
        let expected: [(&[u8], &[u8], usize); 2] =
            [(b"Subject", b" a\r\n b", 21), (b"X-Y", b" z", 52)];
        assert_eq!(found, expected);
        let subject = fields(block).next().unwrap();
        assert_eq!(
            &block[subject.offset..subject.offset + subject.len],
            b"Subject: a\r\n b\r\n"
        );
        assert_eq!(&*unfold(subject.value), b"a b");
    }

    #[test]
    fn the_last_field_counts() {
        let block = b"To: a\r\nTo: b\r\n";
        assert_eq!(last(block, "to").unwrap().value, b" b");
        assert_eq!(fields(b"").count(), 0);
        assert_eq!(fields(b"\r\n").count(), 0);
        assert_eq!(fields(b"a").count(), 0);
    }

    #[test]
    fn reads_urls_as_rfc_2369() {
        let value =
            b" <ftp://ftp.host.com/list.txt> (FTP),\r\n <mailto:list@host.com?subject=help>";
        let expected = [
            "ftp://ftp.host.com/list.txt",
            "mailto:list@host.com?subject=help",
        ];
        assert_eq!(urls(value).unwrap(), expected);
        assert_eq!(urls(b" NO (posting not allowed on this list)"), None);
    }
}
