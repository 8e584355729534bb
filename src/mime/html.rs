//! HTML to plain text, streaming and in constant memory: for previews and search, not for display.
//!
//! Tags become spaces or line ends, the insides of style, script, title and template vanish, and
//! character references are resolved. No tree is built; broken HTML gives some text.
use mail_parser::decoders::html::add_html_token;

/// Longest tag name and character reference that are looked at.
const NAME: usize = 16;

/// Elements whose inside is no text.
const RAW: [&str; 5] = ["style", "script", "title", "template", "noembed"];

/// Elements that flow with the text around them; all others end a line.
const INLINE: [&str; 22] = [
    "a", "abbr", "b", "big", "bdi", "bdo", "cite", "code", "em", "font", "i", "img", "ins",
    "label", "mark", "o:p", "q", "s", "small", "span", "strong", "u",
];

/// A streaming stripper of one document.
#[derive(Debug, Default)]
pub struct Stripper {
    state: State,
    name: String,
    /// The raw element we are in.
    raw: Option<&'static str>,
    /// A space or line end waits for text after it.
    gap: Option<char>,
    /// Something has been put out.
    any: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After `<`.
    Open,
    /// In a tag's name.
    Name,
    /// Behind a tag's name; true right after `=`.
    Tag(bool),
    /// In a quoted attribute.
    Quote(char),
    /// After `<!`, up to `>`; becomes a comment after `--`.
    Declaration,
    /// In a comment, with the number of `-` just seen.
    Comment(u8),
    /// After `&`.
    Reference,
    /// In a raw element, having matched this much of its end tag.
    Raw(usize),
}

impl Stripper {
    /// Takes the next piece of the document, appending its text to `out`.
    pub fn push(&mut self, html: &str, out: &mut String) {
        html.chars().for_each(|it| self.step(it, out));
    }

    /// The document has ended.
    pub fn finish(mut self, out: &mut String) {
        match self.state {
            State::Reference => self.reference(out),
            State::Open => self.text('<', out),
            _ => {}
        }
    }

    fn step(&mut self, it: char, out: &mut String) {
        match (self.state, it) {
            (State::Text, '<') => self.state = State::Open,
            (State::Text, '&') => self.enter(State::Reference),
            (State::Text, _) => self.text(it, out),
            (State::Open, _) => self.open(it, out),
            (State::Name, '>') => self.end_tag(),
            (State::Name, _) if it.is_whitespace() => self.state = State::Tag(false),
            (State::Name, _) => self.collect(it),
            (State::Tag(_), '>') => self.end_tag(),
            (State::Tag(true), '"' | '\'') => self.state = State::Quote(it),
            (State::Tag(after), _) => {
                self.state = State::Tag(it == '=' || (after && it.is_whitespace()));
            }
            (State::Quote(quote), _) if quote == it => self.state = State::Tag(false),
            (State::Quote(_), _) => {}
            (State::Declaration, '>') => self.state = State::Text,
            (State::Declaration, '-') => {
                self.collect(it);
                if self.name == "--" {
                    self.state = State::Comment(2);
                }
            }
            (State::Declaration, _) => self.collect(it),
            (State::Comment(2..), '>') => self.state = State::Text,
            (State::Comment(seen), '-') => self.state = State::Comment(seen.saturating_add(1)),
            (State::Comment(_), _) => self.state = State::Comment(0),
            (State::Reference, _) => self.in_reference(it, out),
            (State::Raw(matched), _) => self.in_raw(matched, it),
        }
    }

    fn enter(&mut self, state: State) {
        self.name.clear();
        self.state = state;
    }

    fn collect(&mut self, it: char) {
        if self.name.len() < NAME {
            self.name.push(it.to_ascii_lowercase());
        }
    }

    fn open(&mut self, it: char, out: &mut String) {
        match it {
            '!' | '?' => self.enter(State::Declaration),
            '/' => {
                self.enter(State::Name);
                self.name.push('/');
            }
            _ if it.is_ascii_alphabetic() => {
                self.enter(State::Name);
                self.collect(it);
            }
            _ => {
                self.state = State::Text;
                self.text('<', out);
                self.step(it, out);
            }
        }
    }

    fn end_tag(&mut self) {
        self.state = State::Text;
        if let Some(raw) = RAW.iter().find(|raw| **raw == self.name) {
            self.raw = Some(raw);
            self.state = State::Raw(0);
        }
        let name = self.name.trim_matches('/');
        if !INLINE.contains(&name) {
            let cell = name == "td" || name == "th";
            self.gap = if cell {
                self.gap.or(Some(' '))
            } else {
                Some('\n')
            };
        }
    }

    /// Looks for `</name` in a raw element.
    fn in_raw(&mut self, matched: usize, it: char) {
        let name = self.raw.unwrap_or_default();
        let wanted = match matched {
            0 => Some('<'),
            1 => Some('/'),
            _ => name.chars().nth(matched - 2),
        };
        self.state = if wanted == Some(it.to_ascii_lowercase()) {
            State::Raw(matched + 1)
        } else {
            State::Raw(usize::from(it == '<'))
        };
        if self.state == State::Raw(name.len() + 2) {
            self.enter(State::Tag(false));
        }
    }

    fn in_reference(&mut self, it: char, out: &mut String) {
        let part = it.is_ascii_alphanumeric() || it == '#';
        if part && self.name.len() < NAME {
            self.name.push(it);
            return;
        }
        self.reference(out);
        if it != ';' {
            self.step(it, out);
        }
    }

    /// Puts out the character a reference stands for, or the reference as it is.
    fn reference(&mut self, out: &mut String) {
        self.state = State::Text;
        let mut found = String::new();
        let token = format!("&{};", self.name);
        if !self.name.is_empty() {
            add_html_token(&mut found, token.as_bytes(), false);
        }
        if found.is_empty() || found == token {
            found = format!("&{}", self.name);
        }
        found.chars().for_each(|it| self.text(it, out));
    }

    fn text(&mut self, it: char, out: &mut String) {
        if it.is_whitespace() {
            self.gap = self.gap.or(Some(' '));
            return;
        }
        if let Some(gap) = self.gap.take().filter(|_| self.any) {
            out.push(gap);
        }
        self.any = true;
        out.push(it);
    }
}

/// The text of a whole document.
pub fn to_text(html: &str) -> String {
    let mut out = String::new();
    let mut stripper = Stripper::default();
    stripper.push(html, &mut out);
    stripper.finish(&mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keeps_the_text() {
        let cases = [
            ("<p>Hello <b>wor</b>ld</p>", "Hello world"),
            (
                "<html><head><title>T</title><style>p > a {x: '</p>'}</style></head><body>x",
                "x",
            ),
            ("a<br>b<br/>c", "a\nb\nc"),
            ("<script>if (a<b) { '</scr' }</SCRIPT >x", "x"),
            ("a<!-- > -- b -->c<!---->d", "acd"),
            ("<!DOCTYPE html><td>a</td><td>b</td>", "a b"),
            (
                "caf&eacute; &#233;&#xe9; &amp;amp; &nosuch; & &lt;b&gt;",
                "café éé &amp; &nosuch & <b>",
            ),
            (
                "1 < 2 <a title=\"a > b\" x='>'>ok</a> it's",
                "1 < 2 ok it's",
            ),
            ("<a title=it's>x</a>'y", "x'y"),
            ("a &", "a &"),
            ("<", "<"),
        ];
        for (html, text) in cases {
            assert_eq!(to_text(html), text, "{html:?}");
        }
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(html in "[a<>!/&#;x '\"=-]{0,40}", cut in 0usize..40) {
            let (head, tail) = html.split_at(cut.min(html.len()));
            let mut out = String::new();
            let mut stripper = Stripper::default();
            stripper.push(head, &mut out);
            stripper.push(tail, &mut out);
            stripper.finish(&mut out);
            prop_assert_eq!(out, to_text(&html));
        }
    }
}
