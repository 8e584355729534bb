//! Which parts a person reads, and their text.
//!
//! RFC 8621 §4.1.4: the split into textBody, htmlBody and attachments.
use super::structure::{Kind, Part, children};

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
