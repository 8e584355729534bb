//! Which parts a person reads, and their text.
//!
//! RFC 8621 §4.1.4: the split into textBody, htmlBody and attachments.
use super::structure::{Kind, Part, children};
use super::{charset, html, transfer};

/// The parts of a message by what a client does with them, as indexes into its part list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bodies {
    /// To display, plain text preferred.
    pub text: Vec<usize>,
    /// To display, HTML preferred.
    pub html: Vec<usize>,
    /// To offer as downloads.
    pub attachments: Vec<usize>,
}

impl Bodies {
    /// Sorts a part tree as RFC 8621 §4.1.4 does.
    pub fn of(parts: &[Part]) -> Bodies {
        let mut bodies = Bodies::default();
        let mut walk = Walk {
            parts,
            bodies: &mut bodies,
        };
        walk.visit(
            0,
            Place {
                first: true,
                parent: "mixed",
                ..Place::default()
            },
        );
        bodies
    }

    /// RFC 8621 §4.1.4 hasAttachment: something is attached that is not inline, not an image the
    /// HTML shows by its Content-ID, and not a signature, which clients handle themselves.
    pub fn has_attachment(&self, parts: &[Part]) -> bool {
        self.attachments
            .iter()
            .filter_map(|at| parts.get(*at))
            .any(|part| {
                let embedded =
                    part.id.is_some() && is_media(part) && !part.is_disposed("attachment");
                let signature = part.is("application", "pgp-signature")
                    || part.is("application", "pkcs7-signature")
                    || part.is("application", "x-pkcs7-signature");
                !part.is_disposed("inline") && !embedded && !signature
            })
    }
}

/// Where a part stands: its place in the parent and what the ancestors have settled.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    first: bool,
    parent: &'a str,
    alternative: bool,
    no_text: bool,
    no_html: bool,
}

struct Walk<'a> {
    parts: &'a [Part],
    bodies: &'a mut Bodies,
}

impl Walk<'_> {
    /// Returns whether (text, html) are closed for the siblings that follow.
    fn visit(&mut self, at: usize, place: Place) -> (bool, bool) {
        let Some(part) = self.parts.get(at) else {
            return (place.no_text, place.no_html);
        };
        if part.kind == Kind::Multipart {
            self.container(at, part, place);
            return (place.no_text, place.no_html);
        }
        if !is_inline(part, place) {
            self.bodies.attachments.push(at);
            return (place.no_text, place.no_html);
        }
        self.inline(at, part, place)
    }

    fn container(&mut self, at: usize, part: &Part, place: Place) {
        let parent = std::str::from_utf8(&part.sub).unwrap_or_default();
        let (texts, htmls) = (self.bodies.text.len(), self.bodies.html.len());
        let mut inner = Place {
            parent,
            first: true,
            ..place
        };
        inner.alternative |= parent == "alternative";
        for child in children(self.parts, at) {
            (inner.no_text, inner.no_html) = self.visit(child, inner);
            inner.first = false;
        }
        if parent != "alternative" || inner.no_text || inner.no_html {
            return;
        }
        let bodies = &mut *self.bodies;
        let (more_text, more_html) = (bodies.text.len() > texts, bodies.html.len() > htmls);
        if more_html && !more_text {
            bodies
                .text
                .extend_from_slice(bodies.html.get(htmls..).unwrap_or_default());
        } else if more_text && !more_html {
            bodies
                .html
                .extend_from_slice(bodies.text.get(texts..).unwrap_or_default());
        }
    }

    fn inline(&mut self, at: usize, part: &Part, place: Place) -> (bool, bool) {
        let (plain, html) = (is_plain(part), part.is("text", "html"));
        if place.parent == "alternative" {
            match (plain, html) {
                (true, _) if !place.no_text => self.bodies.text.push(at),
                (_, true) if !place.no_html => self.bodies.html.push(at),
                _ => self.bodies.attachments.push(at),
            }
            return (place.no_text, place.no_html);
        }
        let no_html = place.no_html || (place.alternative && plain);
        let no_text = place.no_text || (place.alternative && html);
        if !no_text {
            self.bodies.text.push(at);
        }
        if !no_html {
            self.bodies.html.push(at);
        }
        if (no_text || no_html) && is_media(part) {
            self.bodies.attachments.push(at);
        }
        (no_text, no_html)
    }
}

fn is_plain(part: &Part) -> bool {
    part.media() == (b"text", b"plain")
}

fn is_media(part: &Part) -> bool {
    matches!(part.main.as_slice(), b"image" | b"audio" | b"video")
}

fn is_inline(part: &Part, place: Place) -> bool {
    let shown = is_plain(part) || part.is("text", "html") || is_media(part);
    let placed =
        place.first || (place.parent != "related" && (is_media(part) || part.filename().is_none()));
    shown && placed && !part.is_disposed("attachment")
}

/// Decodes a text part piece by piece: transfer encoding, charset, CRLF to LF (RFC 8621 §4.1.4
/// bodyValues). Memory is constant.
pub struct Extractor {
    transfer: transfer::Decoder,
    charset: charset::Decoder,
    html: Option<html::Stripper>,
    octets: Vec<u8>,
    piece: String,
    carriage_return: bool,
}

impl Extractor {
    /// For the text of `part` as it stands; HTML stays HTML.
    pub fn new(part: &Part) -> Extractor {
        Extractor {
            transfer: transfer::Decoder::new(part.encoding),
            charset: charset::Decoder::new(&part.charset().unwrap_or_default()),
            html: None,
            octets: Vec::new(),
            piece: String::new(),
            carriage_return: false,
        }
    }

    /// For what a person reads: HTML loses its tags.
    pub fn readable(part: &Part) -> Extractor {
        let html = part.is("text", "html") || part.is("text", "enriched");
        Extractor {
            html: html.then(html::Stripper::default),
            ..Extractor::new(part)
        }
    }

    /// Takes the next octets of the part's raw body, appending text to `out`.
    pub fn push(&mut self, octets: &[u8], out: &mut String) {
        for piece in octets.chunks(4096) {
            self.octets.clear();
            self.transfer.push(piece, &mut self.octets);
            self.piece.clear();
            self.charset.push(&self.octets, &mut self.piece);
            self.write(out);
        }
    }

    /// The body has ended. True where something was malformed or unknown (isEncodingProblem).
    pub fn finish(mut self, out: &mut String) -> bool {
        self.octets.clear();
        let transfer = std::mem::replace(&mut self.transfer, transfer::Decoder::Identity);
        transfer.finish(&mut self.octets);
        self.piece.clear();
        self.charset.push(&self.octets, &mut self.piece);
        let charset = std::mem::replace(&mut self.charset, charset::Decoder::new(""));
        let problem = charset.finish(&mut self.piece);
        self.write(out);
        if std::mem::take(&mut self.carriage_return) {
            out.push('\r');
        }
        if let Some(html) = self.html.take() {
            html.finish(out);
        }
        problem
    }

    fn write(&mut self, out: &mut String) {
        if let Some(html) = &mut self.html {
            return html.push(&self.piece, out);
        }
        for line in self.piece.split_inclusive('\n') {
            if std::mem::take(&mut self.carriage_return) && line != "\n" {
                out.push('\r');
            }
            if let Some(text) = line.strip_suffix("\r\n") {
                out.push_str(text);
                out.push('\n');
            } else if let Some(text) = line.strip_suffix('\r') {
                out.push_str(text);
                self.carriage_return = true;
            } else {
                out.push_str(line);
            }
        }
    }
}

/// The readable text of a part whose whole raw body is at hand.
pub fn readable(part: &Part, body: &[u8]) -> String {
    let mut out = String::new();
    let mut extractor = Extractor::readable(part);
    extractor.push(body, &mut out);
    extractor.finish(&mut out);
    out
}

/// True for parts whose text is worth searching: all text but style sheets.
pub fn is_searchable(part: &Part) -> bool {
    part.media().0 == b"text" && !part.is("text", "css")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::structure::{Disposition, Encoding, Param};

    fn part(depth: u8, children: u16, media: &str, disposition: &str) -> Part {
        let (main, sub) = media.split_once('/').unwrap();
        let kind = if main == "multipart" {
            Kind::Multipart
        } else {
            Kind::Leaf
        };
        let disposition = (!disposition.is_empty()).then(|| Disposition {
            kind: disposition.into(),
            params: Vec::new(),
        });
        let (main, sub) = (main.into(), sub.into());
        Part {
            depth,
            children,
            kind,
            main,
            sub,
            disposition,
            ..Part::default()
        }
    }

    #[test]
    fn sorts_the_example_of_rfc_8621() {
        let parts = [
            part(0, 3, "multipart/mixed", ""),
            part(1, 0, "text/plain", "inline"),      // 1 A
            part(1, 5, "multipart/mixed", ""),       // 2
            part(2, 2, "multipart/alternative", ""), // 3
            part(3, 3, "multipart/mixed", ""),       // 4
            part(4, 0, "text/plain", "inline"),      // 5 B
            part(4, 0, "image/jpeg", "inline"),      // 6 C
            part(4, 0, "text/plain", "inline"),      // 7 D
            part(3, 2, "multipart/related", ""),     // 8
            part(4, 0, "text/html", ""),             // 9 E
            part(4, 0, "image/jpeg", ""),            // 10 F
            part(2, 0, "image/jpeg", "attachment"),  // 11 G
            part(2, 0, "application/x-excel", ""),   // 12 H
            part(2, 0, "message/rfc822", ""),        // 13 J
            part(1, 0, "text/plain", "inline"),      // 14 K
        ];
        let bodies = Bodies::of(&parts);
        assert_eq!(bodies.text, [1, 5, 6, 7, 14]);
        assert_eq!(bodies.html, [1, 9, 14]);
        assert_eq!(bodies.attachments, [6, 10, 11, 12, 13]);
        assert!(bodies.has_attachment(&parts));
        let alone = [part(0, 0, "text/html", "")];
        let expected = Bodies {
            text: vec![0],
            html: vec![0],
            attachments: vec![],
        };
        assert_eq!(Bodies::of(&alone), expected);
    }

    #[test]
    fn one_sided_alternatives_serve_both() {
        let parts = [
            part(0, 1, "multipart/alternative", ""),
            part(1, 0, "text/plain", ""),
        ];
        let expected = Bodies {
            text: vec![1],
            html: vec![1],
            attachments: vec![],
        };
        assert_eq!(Bodies::of(&parts), expected);
    }

    #[test]
    fn reads_text_through_both_layers() {
        let mut part = part(0, 0, "text/html", "");
        part.encoding = Encoding::QuotedPrintable;
        part.params = vec![Param {
            name: "charset".into(),
            value: "iso-8859-1".into(),
        }];
        let body = b"<p>caf=E9</p>\r\n<p>b=\r\nar</p>";
        assert_eq!(readable(&part, body), "caf\u{e9}\nbar");
        let mut out = String::new();
        let mut extractor = Extractor::new(&part);
        body.chunks(1).for_each(|it| extractor.push(it, &mut out));
        assert!(!extractor.finish(&mut out));
        assert_eq!(out, "<p>caf\u{e9}</p>\n<p>bar</p>");
    }
}
