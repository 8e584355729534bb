//! The scanner and mail-parser read the same corpus (`tests/data/mail`, each file with its own line
//! ends and with CRLF) and have to agree on tree, offsets, contents and envelope. Where they do not,
//! the RFC decides: [`DIFFERENCES`] names the file, what differs and why ours stands.
//!
//! `PILLARBOX_CORPUS=DIR` reads the files of another folder as well and prints what differs there.
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use mail_parser::{Addr, Message, MessageParser, MimeHeaders, PartType};
use pillarbox::mime::address::{Mailbox, mailboxes};
use pillarbox::mime::text::Extractor;
use pillarbox::mime::{Address, Part, Scanner, Structure, header, msgid, transfer};

/// File, what differs, reason. `*` stands for every line of the file.
const DIFFERENCES: &[(&str, &str, &str)] = &[
    // They wait for the innermost boundary alone.
    ("malformed-001.eml", "*", OUTER),
    ("malformed-008.eml", "*", OUTER),
    ("malformed-009.eml", "*", OUTER),
    ("malformed-011.eml", "*", OUTER),
    ("malformed-012.eml", "*", OUTER),
    ("malformed-016.eml", "*", OUTER),
    ("malformed-019.eml", "*", OUTER),
    ("thirdparty-015.eml", "*", OUTER),
    ("msg_38.eml", "*", OUTER),
    ("msg_39.eml", "*", OUTER),
    ("msg_42.eml", "*", OUTER),
    // They take `--boundary` in the middle of a line, and what follows it on the line for a part.
    ("malformed-000.eml", "*", LINE),
    ("malformed-004.eml", "*", LINE),
    ("malformed-005.eml", "part 1 span", LINE),
    ("malformed-007.eml", "*", LINE),
    ("thirdparty-005.eml", "part 5", LINE),
    ("msg_37.eml", "*", LINE),
    // What has no part in it is shown as text; they show nothing.
    ("malformed-002.eml", "bodies", NO_PARTS),
    ("malformed-003.eml", "bodies", NO_PARTS),
    ("malformed-006.eml", "bodies", NO_PARTS),
    ("msg_17.eml", "bodies", NO_PARTS),
    ("msg_25.eml", "*", NO_PARTS),
    ("msg_31.eml", "bodies", NO_PARTS),
    ("msg_35.eml", "bodies", NO_PARTS),
    ("msg_41.eml", "*", NO_PARTS),
    // Base64 with junk in it: they give up and show the junk.
    ("000.eml", "*", BASE64),
    ("msg_15.eml", "part 4 content", BASE64),
    ("thirdparty-002.eml", "*", BASE64),
    // No `@`: they call it a name.
    ("001.eml", "*", NO_AT),
    ("004.eml", "*", NO_AT),
    ("msg_05.eml", "*", NO_AT),
    ("msg_15.eml", "to", NO_AT),
    (
        "008.eml",
        "*",
        "RFC 2046 §5.2.1: message/rfc822 in base64 is not allowed, so not looked into",
    ),
    (
        "malformed-017.eml",
        "part 1 file",
        "they want a disposition before its filename",
    ),
    (
        "malformed-022.eml",
        "*",
        "RFC 2046 §5.2.1: a message it is, though one without a header",
    ),
    (
        "msg_04.eml",
        "bodies",
        "RFC 8621 §4.1.4: a name may come from Content-Disposition as well",
    ),
    (
        "msg_14.eml",
        "*",
        "RFC 2045 §5.2: a Content-Type that cannot be read is text/plain",
    ),
    (
        "msg_19.eml",
        "*",
        "the first line is no field: there is no header, and it is not lost",
    ),
    (
        "msg_27.eml",
        "subject",
        "RFC 5322 §2.2.3: unfolding removes the CRLF, not the tab",
    ),
    (
        "thirdparty-005.eml",
        "part 1 content",
        "the CRLF put into UTF-16 breaks a unit: we say so",
    ),
];

const OUTER: &str = "RFC 2046 §5.1.2: outer boundaries count at any level of inner nesting";
const LINE: &str = "RFC 2046 §5.1.1: a delimiter is at the start of a line and takes all of it";
const NO_PARTS: &str = "a multipart without a part is text a person can read";
const BASE64: &str = "RFC 2045 §6.8: octets outside of the alphabet are ignored";
const NO_AT: &str = "RFC 8621 §4.1.2.3: an email may have no @; a name alone is no mailbox";

#[test]
fn agrees_with_mail_parser_on_the_corpus() {
    let mut bad = String::new();
    let mut used = BTreeSet::new();
    let mut count = 0;
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mail")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let raw = std::fs::read(&path).unwrap();
        count += 1;
        for message in [raw.clone(), crlf(&raw)] {
            for difference in differences(&message) {
                let known = DIFFERENCES.iter().position(|(file, what, _)| {
                    *file == name && (*what == "*" || difference.starts_with(what))
                });
                match known {
                    Some(at) => drop(used.insert(at)),
                    None => writeln!(bad, "{name}: {difference}").unwrap(),
                }
            }
        }
    }
    assert!(count > 90, "the corpus is there: {count} files");
    assert!(bad.is_empty(), "they differ:\n{bad}");
    let stale: Vec<_> = (0..DIFFERENCES.len())
        .filter(|at| !used.contains(at))
        .collect();
    assert!(stale.is_empty(), "no difference any more: {stale:?}");
}

#[test]
fn another_corpus_on_request() {
    let Some(folder) = std::env::var_os("PILLARBOX_CORPUS") else {
        return;
    };
    for path in files(Path::new(&folder)) {
        let raw = std::fs::read(&path).unwrap();
        for message in [raw.clone(), crlf(&raw)] {
            for difference in differences(&message) {
                println!("{}: {difference}", path.display());
            }
        }
    }
}

#[test]
fn corpus_structures_are_small_and_come_back() {
    for path in files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/mail")) {
        let raw = std::fs::read(&path).unwrap();
        let whole = scan(&raw, raw.len().max(1));
        for size in [1, 7, 64] {
            assert_eq!(scan(&raw, size), whole, "{}", path.display());
        }
        let mut stored = Vec::new();
        whole.encode(&mut stored);
        assert!(stored.len() < 4096, "{}: {}", path.display(), stored.len());
        stored.extend_from_slice(b"of a later version");
        assert_eq!(
            Structure::decode(&stored),
            Some(whole),
            "{}",
            path.display()
        );
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_none_or(|it| it == "eml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn crlf(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() + raw.len() / 32);
    for (at, octet) in raw.iter().enumerate() {
        if *octet == b'\n' && (at == 0 || raw[at - 1] != b'\r') {
            out.push(b'\r');
        }
        out.push(*octet);
    }
    out
}

fn scan(message: &[u8], size: usize) -> Structure {
    let mut scanner = Scanner::new();
    message.chunks(size).for_each(|it| scanner.push(it));
    scanner.finish()
}

/// What ours and theirs say, as lines with a label each; the differing ones.
fn differences(message: &[u8]) -> Vec<String> {
    let ours = ours(message);
    let theirs = match MessageParser::default().parse(message) {
        Some(parsed) => theirs(&parsed),
        None => return vec!["parse: they refuse it".into()],
    };
    let labels: BTreeSet<_> = ours.iter().chain(&theirs).map(|(label, _)| label).collect();
    let find = |all: &[(String, String)], label: &str| {
        all.iter()
            .find(|(it, _)| it == label)
            .map_or("-".into(), |(_, value)| value.clone())
    };
    let mut found = Vec::new();
    for label in labels {
        let (a, b) = (find(&ours, label), find(&theirs, label));
        if a != b {
            found.push(format!("{label}\n   ours {}\n theirs {}", cut(&a), cut(&b)));
        }
    }
    found
}

fn cut(text: &str) -> String {
    text.chars().take(300).collect()
}

fn ours(message: &[u8]) -> Vec<(String, String)> {
    let found = scan(message, 4096);
    let mut lines = Vec::new();
    for (at, part) in found.parts.iter().enumerate() {
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let span = format!(
            "{} {} {}",
            part.header.offset,
            part.body.offset,
            part.body.end()
        );
        lines.push((format!("part {at} span"), span));
        let media = format!("{}/{} {}", text(&part.main), text(&part.sub), part.children);
        lines.push((format!("part {at} media"), media));
        lines.push((
            format!("part {at} file"),
            part.filename().unwrap_or_default(),
        ));
        let raw = &message[part.body.offset as usize..part.body.end() as usize];
        if part.children == 0 {
            assert_eq!(
                transfer::decode(part.encoding, raw).len(),
                part.decoded as usize
            );
            lines.push((format!("part {at} content"), content(part, raw)));
        }
    }
    let bodies = found.bodies();
    lines.push((
        "bodies".into(),
        format!("{:?} {:?}", bodies.text, bodies.html),
    ));
    let envelope = &found.envelope;
    let subject = envelope
        .subject
        .as_deref()
        .map(header::text)
        .unwrap_or_default();
    lines.push(("subject".into(), subject));
    for (name, list) in [
        ("from", &envelope.from),
        ("to", &envelope.to),
        ("cc", &envelope.cc),
        ("reply-to", &envelope.raw_reply_to),
        ("sender", &envelope.raw_sender),
    ] {
        lines.push((name.into(), show(list)));
    }
    let id = envelope.message_id.as_deref().and_then(msgid::list);
    lines.push((
        "message-id".into(),
        id.unwrap_or_default()
            .into_iter()
            .next()
            .unwrap_or_default(),
    ));
    lines.push((
        "date".into(),
        found
            .facts
            .sent_at
            .map_or(String::new(), |it| it.secs.to_string()),
    ));
    lines
}

fn content(part: &Part, raw: &[u8]) -> String {
    if part.media().0 != b"text" {
        return format!(
            "{:?}",
            String::from_utf8_lossy(&transfer::decode(part.encoding, raw))
        );
    }
    let mut text = String::new();
    let mut extractor = Extractor::new(part);
    extractor.push(raw, &mut text);
    extractor.finish(&mut text);
    format!("{text:?}")
}

fn show(list: &[Address]) -> String {
    let one = |it: Mailbox| format!("{} <{}>", it.name.unwrap_or_default(), it.email);
    mailboxes(list)
        .into_iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(", ")
}

fn theirs(message: &Message) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut numbers = Vec::new();
    walk(message, 0, &mut lines, &mut 0, &mut numbers, true);
    let number = |ids: &[u32]| {
        ids.iter()
            .map(|id| numbers.iter().position(|it| it == id).unwrap_or(999))
            .collect()
    };
    let (text, html): (Vec<usize>, Vec<usize>) =
        (number(&message.text_body), number(&message.html_body));
    lines.push(("bodies".into(), format!("{text:?} {html:?}")));
    lines.push((
        "subject".into(),
        message.subject().unwrap_or_default().into(),
    ));
    for (name, list) in [
        ("from", message.from()),
        ("to", message.to()),
        ("cc", message.cc()),
        ("reply-to", message.reply_to()),
        ("sender", message.sender()),
    ] {
        let one = |it: &Addr| {
            format!(
                "{} <{}>",
                it.name().unwrap_or_default(),
                it.address().unwrap_or_default()
            )
        };
        let list = list.map_or(String::new(), |it| {
            it.iter().map(one).collect::<Vec<_>>().join(", ")
        });
        lines.push((name.into(), list));
    }
    lines.push((
        "message-id".into(),
        message.message_id().unwrap_or_default().into(),
    ));
    let date = message
        .date()
        .filter(|it| it.is_valid())
        .map(|it| it.to_timestamp().to_string());
    lines.push(("date".into(), date.unwrap_or_default()));
    lines
}

/// Numbers the parts in pre-order; `numbers[n]` is the id of the outermost message's part n.
fn walk(
    message: &Message,
    id: u32,
    lines: &mut Vec<(String, String)>,
    next: &mut usize,
    numbers: &mut Vec<u32>,
    outer: bool,
) {
    let Some(part) = message.part(id) else { return };
    let at = *next;
    *next += 1;
    numbers.push(if outer { id } else { u32::MAX });
    let span = format!(
        "{} {} {}",
        part.offset_header, part.offset_body, part.offset_end
    );
    lines.push((format!("part {at} span"), span));
    let (default, children) = match &part.body {
        PartType::Multipart(parts) => ("multipart/?", parts.len()),
        PartType::Message(_) => ("message/rfc822", 1),
        _ => ("text/plain", 0),
    };
    let media = part.content_type().map(|it| {
        format!("{}/{}", it.ctype(), it.subtype().unwrap_or_default()).to_ascii_lowercase()
    });
    let media = media.unwrap_or(default.into());
    lines.push((format!("part {at} media"), format!("{media} {children}")));
    lines.push((
        format!("part {at} file"),
        part.attachment_name().unwrap_or_default().into(),
    ));
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => {
            let text = format!("{:?}", text.replace("\r\n", "\n"));
            lines.push((format!("part {at} content"), text));
        }
        PartType::Binary(octets) | PartType::InlineBinary(octets) => {
            let text = format!("{:?}", String::from_utf8_lossy(octets));
            lines.push((format!("part {at} content"), text));
        }
        PartType::Multipart(parts) => {
            parts
                .iter()
                .for_each(|it| walk(message, *it, lines, next, numbers, outer));
        }
        PartType::Message(inner) => walk(inner, 0, lines, next, numbers, false),
    }
}
