//! New messages: for JMAP's Email/set, for bounces, for everything else that is written here.
//!
//! RFC 5322 (fields, folding), RFC 2047 and RFC 2231 (what is not ASCII), RFC 2045 and 2046 (parts).
//! Big contents stay where they are: a message comes out as [`Piece`]s, of which some name a source
//! `S` of the caller's (a blob, a file) that it reads in chunks and, where asked, puts through
//! [`super::transfer::Base64`]. Nothing a caller passes can break out of its field: line ends are
//! folded or dropped.
use super::address::{self, Group, Mailbox};
use super::structure::DateTime;
use super::{transfer, words};

/// Columns after which a line is folded (RFC 5322 §2.1.1).
const FOLD: usize = 76;

/// Longest line sent as it is (RFC 5322 §2.1.1).
const LINE: usize = 998;

/// A stretch of a built message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<S> {
    /// These octets.
    Octets(Vec<u8>),
    /// The octets of a source as they are.
    Raw(S),
    /// The octets of a source in base64, lines of 76, line end at the end.
    Base64(S),
}

/// A header block that is being written, without its empty line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    octets: Vec<u8>,
}

/// True where `name` can be a field name (RFC 5322 §2.2).
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_graphic() && it != b':')
}

impl Header {
    /// An empty block.
    pub fn new() -> Header {
        Header::default()
    }

    /// The block so far; every field ends with CRLF.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// True where a field called `name` is in the block.
    pub fn has(&self, name: &str) -> bool {
        super::header::last(&self.octets, name).is_some()
    }

    /// A value as it is (JMAP's Raw form), put after the colon without a space. Line ends that
    /// would end the field become folds. A name that is none is ignored, here and below.
    pub fn raw(&mut self, name: &str, value: &[u8]) {
        if !is_name(name) {
            return;
        }
        self.octets.extend_from_slice(name.as_bytes());
        self.octets.push(b':');
        let value = value.trim_ascii_end();
        for (at, line) in value.split(|it| *it == b'\n').enumerate() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.trim_ascii().is_empty() && at > 0 {
                continue; // A line of white space alone would look like the end (RFC 5322 §3.2.2).
            }
            if at > 0 {
                let folded = matches!(line.first(), Some(b' ' | b'\t'));
                self.octets
                    .extend_from_slice(if folded { b"\r\n" } else { b"\r\n " });
            }
            self.octets
                .extend(line.iter().filter(|it| !matches!(it, b'\r' | 0)));
        }
        self.octets.extend_from_slice(b"\r\n");
    }

    /// Unstructured text (JMAP's Text form): encoded words where it is not plain ASCII.
    pub fn text(&mut self, name: &str, value: &str) {
        let plain = value.bytes().all(|it| matches!(it, b' '..=b'~')) && !value.contains("=?");
        let short = value.split(' ').all(|word| word.len() < LINE - 80);
        // Runs of spaces could leave a folded line of white space alone.
        let runs = value.contains("  ") || value.starts_with(' ') || value.ends_with(' ');
        let words: Vec<String> = if plain && short && !(runs && value.len() > 60) {
            value.split(' ').map(str::to_owned).collect()
        } else {
            words::encode(value, name.len() + 2)
        };
        self.words(name, &words);
    }

    /// Words a space apart, folded where a line gets long.
    fn words<T: AsRef<str>>(&mut self, name: &str, words: &[T]) {
        let mut line = String::new();
        let mut column = name.len() + 1;
        for word in words.iter().map(AsRef::as_ref) {
            if column + 1 + word.len() > FOLD && !line.is_empty() {
                line.push_str("\r\n");
                column = 0;
            }
            line.push(' ');
            line.push_str(word);
            column += 1 + word.len();
        }
        self.raw(name, line.as_bytes());
    }

    /// An address list (JMAP's Addresses form).
    pub fn addresses(&mut self, name: &str, list: &[Mailbox]) {
        let mut words = Vec::new();
        mailboxes(list, name.len() + 2, &mut words);
        self.words(name, &words);
    }

    /// An address list with groups (JMAP's GroupedAddresses form).
    pub fn groups(&mut self, name: &str, list: &[Group]) {
        let mut words: Vec<String> = Vec::new();
        for (at, group) in list.iter().enumerate() {
            if let Some(title) = &group.name {
                words.extend(phrase(title, name.len() + 2));
                append(&mut words, ":");
            }
            mailboxes(&group.addresses, name.len() + 2, &mut words);
            if group.name.is_some() {
                append(&mut words, ";");
            }
            if at + 1 < list.len() {
                append(&mut words, ",");
            }
        }
        self.words(name, &words);
    }

    /// Message ids given without their angle brackets.
    pub fn message_ids<T: AsRef<str>>(&mut self, name: &str, ids: &[T]) {
        let ids = ids.iter().map(|id| format!("<{}>", bare(id.as_ref())));
        self.words(name, &ids.collect::<Vec<_>>());
    }

    /// URLs (RFC 2369), given without their angle brackets.
    pub fn urls<T: AsRef<str>>(&mut self, name: &str, urls: &[T]) {
        let urls = urls.iter().map(|url| format!("<{}>", bare(url.as_ref())));
        self.words(
            name,
            &urls
                .collect::<Vec<_>>()
                .join(", ")
                .split(' ')
                .collect::<Vec<_>>(),
        );
    }

    /// A date (RFC 5322 §3.3).
    pub fn date(&mut self, name: &str, date: DateTime) {
        self.raw(name, format!(" {}", date.mail()).as_bytes());
    }

    /// A value with parameters: Content-Type, Content-Disposition. Parameter values are written as
    /// tokens or quoted strings, and by RFC 2231 where they are not ASCII or long.
    pub fn parameters(&mut self, name: &str, value: &str, params: &[(&str, &str)]) {
        let mut words = vec![bare(value)];
        for (param, value) in params.iter().filter(|(param, _)| is_token(param)) {
            append(&mut words, ";");
            let pieces = parameter(param, value);
            let last = pieces.len().saturating_sub(1);
            for (at, piece) in pieces.into_iter().enumerate() {
                words.push(if at < last { piece + ";" } else { piece });
            }
        }
        self.words(name, &words);
    }
}

fn append(words: &mut Vec<String>, mark: &str) {
    match words.last_mut() {
        Some(last) => last.push_str(mark),
        None => words.push(mark.to_owned()),
    }
}

/// Removes what would end an id, an address or a value early.
fn bare(text: &str) -> String {
    text.chars()
        .filter(|it| !it.is_control() && !matches!(it, '<' | '>' | ' '))
        .collect()
}

fn mailboxes(list: &[Mailbox], column: usize, words: &mut Vec<String>) {
    for (at, mailbox) in list.iter().enumerate() {
        let email: String = mailbox
            .email
            .chars()
            .filter(|it| !it.is_control() && !matches!(it, '<' | '>'))
            .collect();
        match mailbox.name.as_deref().filter(|it| !it.trim().is_empty()) {
            Some(name) => {
                words.extend(phrase(name, column));
                words.push(format!("<{email}>"));
            }
            None if email.contains([' ', ',', ';', ':']) => words.push(format!("<{email}>")),
            None => words.push(email),
        }
        if at + 1 < list.len() {
            append(words, ",");
        }
    }
}

/// A display name as a phrase (RFC 5322 §3.2.5): atoms, one quoted string, or encoded words.
fn phrase(name: &str, column: usize) -> Vec<String> {
    let ascii = name.bytes().all(|it| matches!(it, b' '..=b'~')) && !name.contains("=?");
    if !ascii || name.len() > 70 {
        return words::encode(name, column);
    }
    let atoms = name
        .split(' ')
        .all(|it| !it.is_empty() && it.bytes().all(address::is_atext));
    if atoms {
        name.split(' ').map(str::to_owned).collect()
    } else {
        vec![address::quote(name)]
    }
}

/// RFC 2045 §5.1 token.
fn is_token(text: &str) -> bool {
    let special = |it: u8| b"()<>@,;:\\\"/[]?=".contains(&it);
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_graphic() && !special(it))
}

/// One parameter, in several pieces where RFC 2231 §3 has to cut it.
fn parameter(name: &str, value: &str) -> Vec<String> {
    let ascii = value.bytes().all(|it| matches!(it, b' '..=b'~'));
    if ascii && value.len() <= 60 {
        let value = if is_token(value) {
            value.to_owned()
        } else {
            address::quote(value)
        };
        return vec![format!("{name}={value}")];
    }
    let room = FOLD.saturating_sub(name.len() + 8).max(16);
    let mut pieces = vec![String::from("utf-8''")];
    for character in value.chars().filter(|it| !it.is_control()) {
        let mut buffer = [0; 4];
        let escaped: String = character
            .encode_utf8(&mut buffer)
            .bytes()
            .map(
                |it| match it.is_ascii_alphanumeric() || matches!(it, b'.' | b'-' | b'_') {
                    true => char::from(it).to_string(),
                    false => format!("%{it:02X}"),
                },
            )
            .collect();
        match pieces
            .last_mut()
            .filter(|it| it.len() + escaped.len() <= room)
        {
            Some(piece) => piece.push_str(&escaped),
            None => pieces.push(escaped),
        }
    }
    if let [whole] = pieces.as_slice() {
        return vec![format!("{name}*={whole}")];
    }
    pieces
        .iter()
        .enumerate()
        .map(|(at, piece)| format!("{name}*{at}*={piece}"))
        .collect()
}

/// A part that is being built: its Content-* fields, which may be added to, and its content.
#[derive(Clone, Debug)]
pub struct Part<S> {
    /// The fields; those of the content are there already.
    pub header: Header,
    content: Content<S>,
}

#[derive(Clone, Debug)]
enum Content<S> {
    Octets(Vec<u8>),
    Raw(S),
    Base64(S),
    /// Subtype, further parameters, parts. Its Content-Type waits for the boundary.
    Multipart(String, Vec<(String, String)>, Vec<Part<S>>),
}

impl<S> Part<S> {
    fn new(content: Content<S>) -> Part<S> {
        Part {
            header: Header::new(),
            content,
        }
    }

    /// `text/sub` in UTF-8: as it is where it may be, else quoted-printable or base64. Line ends
    /// become CRLF.
    pub fn text(sub: &str, text: &str) -> Part<S> {
        Part::text_with(sub, &[], text)
    }

    /// The same with further parameters (`format=flowed`).
    pub fn text_with(sub: &str, params: &[(&str, &str)], text: &str) -> Part<S> {
        let mut all = vec![("charset", "utf-8")];
        all.extend(
            params
                .iter()
                .filter(|(name, _)| !name.eq_ignore_ascii_case("charset")),
        );
        let lines: Vec<&str> = text
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
            .collect();
        let text = lines.join("\r\n");
        let (encoding, octets) = encode_text(&text);
        let mut part = Part::new(Content::Octets(octets));
        part.header
            .parameters("Content-Type", &format!("text/{sub}"), &all);
        part.header.raw(
            "Content-Transfer-Encoding",
            format!(" {encoding}").as_bytes(),
        );
        part
    }

    /// Anything from a source, in base64. `media` is `type/subtype`.
    pub fn base64(media: &str, params: &[(&str, &str)], source: S) -> Part<S> {
        let mut part = Part::new(Content::Base64(source));
        part.header.parameters("Content-Type", media, params);
        part.header.raw("Content-Transfer-Encoding", b" base64");
        part
    }

    /// Anything from a source whose octets go out as they are: messages (`message/rfc822`), and
    /// parts that are encoded already. `encoding` is written as Content-Transfer-Encoding; the
    /// source must fit it.
    pub fn raw(media: &str, params: &[(&str, &str)], encoding: &str, source: S) -> Part<S> {
        let mut part = Part::new(Content::Raw(source));
        part.header.parameters("Content-Type", media, params);
        part.header.raw(
            "Content-Transfer-Encoding",
            format!(" {}", bare(encoding)).as_bytes(),
        );
        part
    }

    /// Octets at hand that fit 7bit: `message/delivery-status`, `text/rfc822-headers`.
    pub fn plain(media: &str, octets: Vec<u8>) -> Part<S> {
        let mut part = Part::new(Content::Octets(octets));
        part.header.parameters("Content-Type", media, &[]);
        part
    }

    /// `multipart/sub`.
    pub fn multipart(sub: &str, params: &[(&str, &str)], parts: Vec<Part<S>>) -> Part<S> {
        let params = params
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        Part::new(Content::Multipart(sub.to_owned(), params.collect(), parts))
    }

    /// Content-Disposition with a file name, if any.
    pub fn disposed(mut self, kind: &str, filename: Option<&str>) -> Part<S> {
        let params: Vec<_> = filename.iter().map(|name| ("filename", *name)).collect();
        self.header.parameters("Content-Disposition", kind, &params);
        self
    }
}

/// The encoding that suits `text`, whose line ends are CRLF, and the text in it.
fn encode_text(text: &str) -> (&'static str, Vec<u8>) {
    let high = text.bytes().filter(|it| !it.is_ascii()).count();
    let clean = !text.bytes().any(|it| it == 0)
        && text
            .split("\r\n")
            .all(|line| line.len() <= LINE && !line.contains(['\r', '\n']));
    if high == 0 && clean {
        return ("7bit", text.as_bytes().to_vec());
    }
    if high * 6 <= text.len() {
        return (
            "quoted-printable",
            transfer::quoted_printable(text.as_bytes()),
        );
    }
    let mut octets = Vec::new();
    let mut encoder = transfer::Base64::default();
    encoder.push(text.as_bytes(), &mut octets);
    encoder.finish(&mut octets);
    ("base64", octets)
}

/// The message with these fields and this content. `random` must be unpredictable: the boundaries
/// are made of it. MIME-Version is added where it is missing.
pub fn message<S>(header: &Header, root: Part<S>, random: u128) -> Vec<Piece<S>> {
    let mut writer = Writer {
        pieces: Vec::new(),
        random,
        boundaries: 0,
    };
    writer.octets(header.octets());
    if !header.has("MIME-Version") {
        writer.octets(b"MIME-Version: 1.0\r\n");
    }
    writer.part(root);
    writer.pieces
}

struct Writer<S> {
    pieces: Vec<Piece<S>>,
    random: u128,
    boundaries: u32,
}

impl<S> Writer<S> {
    fn octets(&mut self, octets: &[u8]) {
        match self.pieces.last_mut() {
            Some(Piece::Octets(last)) => last.extend_from_slice(octets),
            _ => self.pieces.push(Piece::Octets(octets.to_vec())),
        }
    }

    fn part(&mut self, part: Part<S>) {
        let Part {
            mut header,
            content,
        } = part;
        if let Content::Multipart(sub, params, parts) = content {
            // `=_` can stand in no base64 or quoted-printable line (RFC 2045 §6.7).
            let boundary = format!("=_{:032x}_{:04}", self.random, self.boundaries);
            self.boundaries += 1;
            let mut all: Vec<(&str, &str)> = params
                .iter()
                .map(|(name, value)| (&name[..], &value[..]))
                .collect();
            all.retain(|(name, _)| !name.eq_ignore_ascii_case("boundary"));
            all.push(("boundary", &boundary));
            header.parameters("Content-Type", &format!("multipart/{sub}"), &all);
            self.octets(header.octets());
            for part in parts {
                self.octets(format!("\r\n--{boundary}\r\n").as_bytes());
                self.part(part);
            }
            return self.octets(format!("\r\n--{boundary}--\r\n").as_bytes());
        }
        self.octets(header.octets());
        self.octets(b"\r\n");
        match content {
            Content::Octets(octets) => self.octets(&octets),
            Content::Raw(source) => self.pieces.push(Piece::Raw(source)),
            Content::Base64(source) => self.pieces.push(Piece::Base64(source)),
            Content::Multipart(..) => {}
        }
    }
}

/// The octets of pieces whose sources are small and at hand: for bounces and tests.
pub fn concat<S: AsRef<[u8]>>(pieces: &[Piece<S>]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Octets(octets) => out.extend_from_slice(octets),
            Piece::Raw(source) => out.extend_from_slice(source.as_ref()),
            Piece::Base64(source) => {
                let mut encoder = transfer::Base64::default();
                encoder.push(source.as_ref(), &mut out);
                encoder.finish(&mut out);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::{Scanner, Structure, header};
    use proptest::prelude::*;

    fn scan(octets: &[u8]) -> Structure {
        let mut scanner = Scanner::new();
        scanner.push(octets);
        scanner.finish()
    }

    fn mailbox(name: &str, email: &str) -> Mailbox {
        let name = (!name.is_empty()).then(|| name.to_owned());
        Mailbox {
            name,
            email: email.into(),
        }
    }

    #[test]
    fn a_message_with_everything() {
        let mut header = Header::new();
        header.text("Subject", "Grüße aus Köln");
        header.addresses("From", &[mailbox("Jörg, \"Boss\"", "j@x.test")]);
        header.date(
            "Date",
            DateTime {
                secs: 880_127_706,
                offset: -360,
            },
        );
        let image = vec![7u8; 100];
        let message: Vec<Piece<Vec<u8>>> = message(
            &header,
            Part::multipart(
                "mixed",
                &[],
                vec![
                    Part::multipart(
                        "alternative",
                        &[],
                        vec![
                            Part::text("plain", "Hallo\nÄ\n"),
                            Part::text("html", "<p>Hallo</p>"),
                        ],
                    ),
                    Part::base64("image/png", &[("name", "a b.png")], image).disposed(
                        "attachment",
                        Some("Ünïcödé file name that is long enough to be cut.png"),
                    ),
                ],
            ),
            42,
        );
        let octets = concat(&message);
        let found = scan(&octets);
        let media: Vec<_> = found
            .parts
            .iter()
            .map(|it| String::from_utf8_lossy(&it.sub))
            .collect();
        assert_eq!(media, ["mixed", "alternative", "plain", "html", "png"]);
        assert_eq!(found.parts[4].decoded, 100);
        assert_eq!(
            found.parts[4].filename().unwrap(),
            "Ünïcödé file name that is long enough to be cut.png"
        );
        assert_eq!(found.parts[4].param("name").unwrap(), "a b.png");
        assert_eq!(found.preview, "Hallo Ä");
        assert!(found.has_attachment());
        assert_eq!(
            header::text(found.envelope.subject.as_deref().unwrap()),
            "Grüße aus Köln"
        );
        let from = address::mailboxes(&found.envelope.from);
        assert_eq!(from, [mailbox("Jörg, \"Boss\"", "j@x.test")]);
        assert!(octets.split(|it| *it == b'\n').all(|line| line.len() <= 79));
    }

    #[test]
    fn nothing_breaks_out_of_a_field() {
        let mut header = Header::new();
        header.text("Subject", "a\r\nBcc: x@y");
        header.raw("X-Raw", b" a\r\nBcc: x\n\n b\r\n");
        header.raw("Bad Name", b" x");
        header.message_ids("References", &["a@b>\r\nBcc: x"]);
        header.addresses("To", &[mailbox("a\r\nBcc: b", "c@d>\r\nBcc: e")]);
        header.parameters(
            "Content-Type",
            "text/plain\r\nBcc: x",
            &[("name", "a\r\nBcc: y")],
        );
        let names: Vec<_> = header::fields(header.octets())
            .map(|it| it.name.to_vec())
            .collect();
        let expected = ["Subject", "X-Raw", "References", "To", "Content-Type"];
        assert_eq!(names, expected.map(|it| it.as_bytes().to_vec()));
    }

    #[test]
    fn groups_and_urls() {
        let mut header = Header::new();
        let group = |name: Option<&str>, addresses| Group {
            name: name.map(str::to_owned),
            addresses,
        };
        let list = [
            group(None, vec![mailbox("", "a@b")]),
            group(
                Some("My Friends"),
                vec![mailbox("C", "c@d"), mailbox("", "e@f")],
            ),
            group(Some("none"), vec![]),
        ];
        header.groups("To", &list);
        assert_eq!(
            header.octets(),
            b"To: a@b, My Friends: C <c@d>, e@f;, none:;\r\n"
        );
        let value = header::last(header.octets(), "To").unwrap().value;
        assert_eq!(address::groups(&address::parse(value, 9))[..2], list[..2]);
        let mut header = Header::new();
        header.urls("List-Post", &["mailto:a@b", "http://c/"]);
        assert_eq!(header.octets(), b"List-Post: <mailto:a@b>, <http://c/>\r\n");
    }

    proptest! {
        #[test]
        fn text_is_read_back(text in "[^\\p{C}\\p{Z}]{1,80}( [^\\p{C}\\p{Z}]{1,30}){0,9}") {
            let mut header = Header::new();
            header.text("Subject", &text);
            let field = header::fields(header.octets()).next().unwrap();
            prop_assert_eq!(header::text(field.value), crate::mime::nfc::nfc(text));
            prop_assert_eq!(header::fields(header.octets()).count(), 1);
        }

        #[test]
        fn names_are_read_back(name in "[^\\p{C}\\p{Z}]{1,20}( [^\\p{C}\\p{Z}]{1,30}){0,4}") {
            let mut header = Header::new();
            header.addresses("To", &[mailbox(&name, "a@b.test"), mailbox("", "c@d.test")]);
            let value = header::fields(header.octets()).next().unwrap().value;
            let found = address::mailboxes(&address::parse(value, 9));
            prop_assert_eq!(found, [mailbox(&name, "a@b.test"), mailbox("", "c@d.test")]);
        }

        #[test]
        fn parameters_are_read_back(value in "[^\\p{C}]{0,200}") {
            let mut header = Header::new();
            header.parameters("Content-Disposition", "attachment", &[("filename", &value)]);
            let raw = header::fields(header.octets()).next().unwrap().value;
            let params = super::super::params::parse(raw, 99).params;
            let plain = value.contains("=?");
            prop_assume!(!plain);
            prop_assert_eq!(super::super::params::decoded(&params, "filename").unwrap(), value);
        }

        #[test]
        fn bodies_are_read_back(text in "([^\\p{C}]{0,100}\n){0,4}[^\\p{C}]{0,1200}") {
            let part: Part<Vec<u8>> = Part::text("plain", &text);
            let octets = concat(&message(&Header::new(), part, 1));
            let found = scan(&octets);
            let body = &found.parts[0].body;
            let raw = &octets[body.offset as usize..body.end() as usize];
            let mut out = String::new();
            let mut extractor = crate::mime::text::Extractor::new(&found.parts[0]);
            extractor.push(raw, &mut out);
            prop_assert!(!extractor.finish(&mut out));
            prop_assert_eq!(out, text);
        }
    }
}
