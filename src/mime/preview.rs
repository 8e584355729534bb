//! The preview of a message (RFC 8970 §3.1): its first readable text, white space collapsed.
use super::structure::Part;
use super::text::Extractor;
use crate::limits::{MIME_PREVIEW, MIME_PREVIEW_SEARCH};

/// Collects the preview of one text part.
pub(super) struct Preview {
    extractor: Extractor,
    /// Raw octets that may still be read.
    left: usize,
    text: String,
    out: String,
    gap: bool,
    done: bool,
}

impl Preview {
    /// For a part that a person reads at once; `None` for any other.
    pub(super) fn of(part: &Part) -> Option<Preview> {
        let shown = part.media() == (b"text", b"plain")
            || part.is("text", "html")
            || part.is("text", "enriched")
            || part.main == b"multipart";
        (shown && !part.is_disposed("attachment")).then(|| Preview {
            extractor: Extractor::readable(part),
            left: MIME_PREVIEW_SEARCH,
            text: String::new(),
            out: String::new(),
            gap: false,
            done: false,
        })
    }

    /// Takes the next raw octets of the part's body.
    pub(super) fn push(&mut self, octets: &[u8]) {
        if self.done {
            return;
        }
        let octets = octets.get(..self.left).unwrap_or(octets);
        self.left -= octets.len();
        // Small steps, so that a large push does not decode what nobody will see.
        for piece in octets.chunks(512) {
            self.extractor.push(piece, &mut self.text);
            self.collapse();
            if self.done {
                return;
            }
        }
        self.done = self.left == 0;
    }

    /// The preview of the part; empty where it has no text.
    pub(super) fn finish(mut self) -> String {
        if self.out.len() < MIME_PREVIEW && !self.done {
            let extractor =
                std::mem::replace(&mut self.extractor, Extractor::new(&Part::default()));
            extractor.finish(&mut self.text);
            self.collapse();
        }
        self.out
    }

    fn collapse(&mut self) {
        for it in self.text.chars() {
            if it.is_whitespace() {
                self.gap = true;
                continue;
            }
            if it.is_control() || is_invisible(it) {
                continue;
            }
            let gap = self.gap && !self.out.is_empty();
            if self.out.len() + usize::from(gap) + it.len_utf8() > MIME_PREVIEW {
                self.done = true;
                break;
            }
            if gap {
                self.out.push(' ');
            }
            self.gap = false;
            self.out.push(it);
        }
        self.text.clear();
    }
}

/// What newsletters fill a preview with so that nothing else shows.
fn is_invisible(it: char) -> bool {
    matches!(
        it,
        '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}
