//! A header section as fields, as DKIM sees it: CRLF ends a line, white space continues a field.

/// One field of a header section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Name, colon, value; without its last CRLF.
    pub raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// The name, as it is written.
    pub fn name(&self) -> &'a [u8] {
        let colon = self
            .raw
            .iter()
            .position(|b| *b == b':')
            .unwrap_or(self.raw.len());
        self.raw.get(..colon).unwrap_or_default().trim_ascii_end()
    }

    /// Whether the name is this one, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name().eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value behind the colon, folded as it came.
    pub fn value(&self) -> &'a [u8] {
        let colon = self.raw.iter().position(|b| *b == b':');
        colon
            .and_then(|at| self.raw.get(at + 1..))
            .unwrap_or_default()
    }

    /// The value as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value()).into_owned()
    }
}

/// The fields of a header section, top to bottom.
pub fn fields(header: &[u8]) -> Vec<Field<'_>> {
    let mut found = Vec::new();
    let mut start = 0;
    let mut at = 0;
    while let Some(end) = header
        .get(at..)
        .and_then(|rest| rest.windows(2).position(|w| w == b"\r\n"))
    {
        let end = at + end;
        at = end + 2;
        if matches!(header.get(at), Some(b' ' | b'\t')) {
            continue;
        }
        if end > start {
            found.push(Field {
                raw: header.get(start..end).unwrap_or_default(),
            });
        }
        start = at;
    }
    if start < header.len() {
        found.push(Field {
            raw: header.get(start..).unwrap_or_default(),
        });
    }
    found
}

/// Whether a CR or LF stands alone: readers disagree about what follows.
pub fn has_stray_line_end(header: &[u8]) -> bool {
    let mut before = 0;
    for octet in header.iter().chain([&b' ']) {
        if (*octet == b'\n') != (before == b'\r') {
            return true;
        }
        before = *octet;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_fields() {
        let text = b"A: b\r\n c\r\nD : e\r\nF:";
        let all = fields(text);
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].raw, b"A: b\r\n c");
        assert!(all[1].is("d"));
        assert_eq!(all[1].text(), " e");
        assert_eq!(all[2].value(), b"");
        assert!(fields(b"").is_empty());
    }

    #[test]
    fn stray() {
        assert!(!has_stray_line_end(b"a\r\nb\r\n"));
        for bad in [&b"a\nb"[..], b"a\rb", b"a\r", b"\n", b"\r\r\n", b"\r\n\n"] {
            assert!(has_stray_line_end(bad), "{bad:?}");
        }
    }
}
