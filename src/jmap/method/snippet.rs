//! SearchSnippet (RFC 8621 §5): where a search matched, marked.
use serde_json::{Map, Value, json};

use super::Answer;
use super::email::{filter, visible};
use super::get::unique;
use crate::jmap::blob::Bytes;
use crate::jmap::context::{Context, account};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{Filter, Tree};
use crate::jmap::wire::id::{self, ACCOUNT};
use crate::jmap::wire::json::{list_or_null, put};
use crate::mail::{Mail, Message, Result};
use crate::mime::Part;
use crate::mime::casemap::{self, fold};
use crate::mime::header;
use crate::mime::text::{Extractor, is_searchable};

/// Octets of a preview (RFC 8621 §5).
const PREVIEW: usize = 255;
/// Octets shown before a match.
const BEFORE: usize = 40;
/// Octets of a text that are looked through at a time.
const WINDOW: usize = 16 * 1024;

/// SearchSnippet/get (RFC 8621 §5.1).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let wanted = args.value("filter");
    let ids = args.ids("emailIds")?;
    args.finish()?;
    let ids = unique(context, ids)?;
    let meta = context.mail.meta();
    // What Email/query would refuse is refused here.
    filter::parse(context, &meta.keywords, wanted.clone())?;
    let needles = Needles::of(wanted)?;
    let (mut list, mut missing) = (Vec::new(), Vec::new());
    for text in ids {
        let Some(message) = message(context, &text)? else {
            missing.push(Value::from(text));
            continue;
        };
        let (subject, preview) = snippet(&context.mail, &message, &needles)?;
        let object = json!({ "emailId": text, "subject": subject, "preview": preview });
        context.spend_on(&object)?;
        list.push(object);
        smol::future::yield_now().await;
    }
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "list", list);
    put(&mut map, "notFound", list_or_null(missing));
    Ok(map)
}

fn message(context: &Context, text: &str) -> std::result::Result<Option<Message>, MethodError> {
    let Some(email) = id::to_email(text) else {
        return Ok(None);
    };
    let reader = context.mail.reader()?;
    if visible(&reader, email)?.is_empty() {
        return Ok(None);
    }
    Ok(reader.message(email)?)
}

/// The words to mark, folded as the search folds them.
#[derive(Default)]
struct Needles {
    subject: Vec<String>,
    body: Vec<String>,
}

impl Needles {
    /// The words of a filter that has been checked. Those under a NOT cannot have matched.
    fn of(value: Value) -> std::result::Result<Needles, MethodError> {
        let filter = Filter::parse(value, &mut |name, value| Ok((name.to_owned(), value)))?;
        let mut needles = Needles::default();
        needles.collect(&filter.tree, &filter.conditions);
        Ok(needles)
    }

    fn collect(&mut self, tree: &Tree, conditions: &[(String, Value)]) {
        match tree {
            Tree::And(inner) | Tree::Or(inner) => {
                inner.iter().for_each(|it| self.collect(it, conditions));
            }
            Tree::Not(_) => {}
            Tree::Is(at) => {
                let Some((name, value)) = conditions.get(*at) else {
                    return;
                };
                let words = value.as_str().map(filter::tokens).unwrap_or_default();
                for word in words.iter().map(|word| fold(word)) {
                    if matches!(name.as_str(), "text" | "subject") {
                        self.subject.push(word.clone());
                    }
                    if matches!(name.as_str(), "text" | "body") {
                        self.body.push(word);
                    }
                }
            }
        }
    }
}

fn snippet(
    mail: &Mail,
    message: &Message,
    needles: &Needles,
) -> Result<(Option<String>, Option<String>)> {
    let structure = message.structure();
    let subject = structure.envelope.subject.as_deref();
    let subject = subject.map(header::text).unwrap_or_default();
    let hits = matches(&subject, &needles.subject);
    let subject = (!hits.is_empty()).then(|| mark(&subject, &hits, 0, usize::MAX));
    if needles.body.is_empty() {
        return Ok((subject, None));
    }
    let bytes = Bytes::whole(message);
    for part in structure.parts.iter().filter(|part| is_searchable(part)) {
        let raw = bytes.run(part.body.offset, part.body.len);
        let found = part_of(mail, raw, part, &needles.body)?;
        if found.is_some() {
            return Ok((subject, found));
        }
    }
    Ok((subject, None))
}

/// Where a part's text matches first. It is looked through a window at a time, to its end.
fn part_of(mail: &Mail, mut raw: Bytes, part: &Part, needles: &[String]) -> Result<Option<String>> {
    let mut extractor = Extractor::readable(part);
    let longest = needles.iter().map(String::len).max().unwrap_or(0);
    let (mut piece, mut text, mut begun) = (Vec::new(), String::new(), false);
    loop {
        let more = raw.next(mail, &mut piece)?;
        extractor.push(&piece, &mut text);
        piece.clear();
        if more && text.len() < WINDOW {
            continue;
        }
        if !more {
            std::mem::replace(&mut extractor, Extractor::readable(part)).finish(&mut text);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let window = words.join(" ");
        let hits = matches(&window, needles);
        if let Some((at, _)) = hits.first() {
            let start = start(&window, *at, begun);
            return Ok(Some(mark(&window, &hits, start, PREVIEW)));
        }
        if !more {
            return Ok(None);
        }
        // A match may have begun, and wants what stands in front of it.
        let mut keep = window.len().saturating_sub(2 * longest + BEFORE);
        while !window.is_char_boundary(keep) {
            keep -= 1;
        }
        text = window.get(keep..).unwrap_or_default().to_owned();
        begun |= keep > 0;
    }
}

/// Where the text matches, in order and apart: from which octet to which.
fn matches(text: &str, needles: &[String]) -> Vec<(usize, usize)> {
    // The folded text, and for each character where it ends there and in the text.
    let (mut folded, mut ends) = (String::with_capacity(text.len()), Vec::new());
    let mut at = 0;
    for c in text.chars() {
        at += c.len_utf8();
        casemap::push(c.encode_utf8(&mut [0; 4]), &mut folded);
        ends.push((folded.len(), at));
    }
    // The character that an octet of the folded text belongs to.
    let of = |octet: usize| ends.partition_point(|(end, _)| *end <= octet);
    let mut found: Vec<(usize, usize)> = Vec::new();
    for needle in needles.iter().filter(|needle| !needle.is_empty()) {
        for hit in memchr::memmem::find_iter(folded.as_bytes(), needle.as_bytes()) {
            let (first, last) = (of(hit), of(hit + needle.len() - 1));
            let begin = first.checked_sub(1).and_then(|before| ends.get(before));
            let end = ends.get(last).map_or(text.len(), |(_, end)| *end);
            found.push((begin.map_or(0, |(_, end)| *end), end));
        }
    }
    found.sort_unstable();
    let mut apart: Vec<(usize, usize)> = Vec::new();
    for (begin, end) in found {
        match apart.last_mut() {
            Some(last) if begin <= last.1 => last.1 = last.1.max(end),
            _ => apart.push((begin, end)),
        }
    }
    apart
}

/// Where to begin, so that some words stand in front of a match. `begun`: the text has no beginning.
fn start(text: &str, at: usize, begun: bool) -> usize {
    let mut start = at.saturating_sub(BEFORE);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    if start == 0 && !begun {
        return 0;
    }
    let before = text.get(start..at).unwrap_or_default();
    before.find(' ').map_or(at, |space| start + space + 1)
}

/// The text from `start` on as HTML with the matches in `<mark>`, of at most `max` octets.
fn mark(text: &str, mut hits: &[(usize, usize)], start: usize, max: usize) -> String {
    let mut out = String::new();
    if start > 0 {
        out.push_str("...");
    }
    let room = max.saturating_sub("</mark>...".len());
    let (mut at, mut open) = (start, false);
    let rest = text.get(start..).unwrap_or_default();
    for c in rest.chars() {
        while hits.first().is_some_and(|(_, end)| *end <= at) {
            hits = hits.get(1..).unwrap_or_default();
        }
        let inside = hits.first().is_some_and(|(begin, _)| *begin <= at);
        if inside != open {
            if out.len() + "<mark>".len() > room {
                break;
            }
            out.push_str(if inside { "<mark>" } else { "</mark>" });
            open = inside;
        }
        let mut octets = [0; 4];
        let shown = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            c => c.encode_utf8(&mut octets),
        };
        if out.len() + shown.len() > room {
            break;
        }
        out.push_str(shown);
        at += c.len_utf8();
    }
    if open {
        out.push_str("</mark>");
    }
    if at < text.len() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        let needles = ["foo", "ü", "cafe\u{301}"].map(fold);
        let of = |text: &str, max| mark(text, &matches(text, &needles), 0, max);
        let all = |text: &str| of(text, usize::MAX);
        assert_eq!(all("The Foosball"), "The <mark>Foo</mark>sball");
        assert_eq!(all("a<b & Ü"), "a&lt;b &amp; <mark>Ü</mark>");
        assert_eq!(all("Le CAFÉ 1"), "Le <mark>CAFÉ</mark> 1");
        assert_eq!(all("fofoofoo"), "fo<mark>foofoo</mark>");
        assert_eq!(of("ab cd ef", 13), "ab ...");
        for max in 20..60 {
            let cut = of(&"x foo & ".repeat(20), max);
            assert!(cut.len() <= max && cut.ends_with("..."), "{cut}");
            assert_eq!(
                cut.matches("<mark>").count(),
                cut.matches("</mark>").count()
            );
        }
    }

    #[test]
    fn begins_with_a_word() {
        let text = "one two three four five six seven eight nine ten foo";
        let at = text.find("foo").unwrap();
        assert_eq!(
            &text[start(text, at, false)..],
            "four five six seven eight nine ten foo"
        );
        assert_eq!(start("two foo", 4, false), 0);
        assert_eq!(start("two foo", 4, true), 4);
    }
}
