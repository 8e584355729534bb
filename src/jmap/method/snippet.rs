//! SearchSnippet (RFC 8621 §5): where a search matched, marked.
use serde_json::{Map, Value, json};

use super::Answer;
use super::email::{filter, visible};
use super::get::unique;
use crate::jmap::blob::Bytes;
use crate::jmap::context::{Context, account, method_error};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::Filter;
use crate::jmap::wire::id::{self, ACCOUNT};
use crate::limits;
use crate::mail::{Mail, Message, Result};
use crate::mime::header;
use crate::mime::text::{Extractor, is_searchable};

/// Octets of a preview (RFC 8621 §5).
const PREVIEW: usize = 255;
/// Characters shown before a match.
const BEFORE: usize = 40;

/// SearchSnippet/get (RFC 8621 §5.1).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let wanted = args.value("filter");
    let ids = args.texts("emailIds")?;
    let ids = ids.ok_or_else(|| MethodError::invalid("emailIds must be an array of ids"))?;
    args.finish()?;
    let ids = unique(context, ids);
    if ids.len() > limits::JMAP_GET {
        return Err(MethodError::new("requestTooLarge").because("more ids than maxObjectsInGet"));
    }
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
        let (subject, preview) =
            snippet(&context.mail, &message, &needles).map_err(method_error)?;
        let object = json!({ "emailId": text, "subject": subject, "preview": preview });
        context.spend_on(&object)?;
        list.push(object);
        smol::future::yield_now().await;
    }
    let mut map = Map::new();
    map.insert("accountId".into(), ACCOUNT.into());
    map.insert("list".into(), list.into());
    let missing = if missing.is_empty() {
        Value::Null
    } else {
        missing.into()
    };
    map.insert("notFound".into(), missing);
    Ok(map)
}

fn message(context: &Context, text: &str) -> std::result::Result<Option<Message>, MethodError> {
    let Some(email) = id::to_email(text) else {
        return Ok(None);
    };
    let reader = context.mail.reader().map_err(method_error)?;
    if visible(&reader, email)?.is_empty() {
        return Ok(None);
    }
    reader.message(email).map_err(method_error)
}

/// The words to mark, in lower case.
#[derive(Default)]
struct Needles {
    subject: Vec<Vec<char>>,
    body: Vec<Vec<char>>,
}

impl Needles {
    /// The words of a filter that has been checked. Those under a NOT cannot have matched.
    fn of(value: Value) -> std::result::Result<Needles, MethodError> {
        let filter = Filter::parse(value, &mut |name, value| Ok((name.to_owned(), value)))?;
        let mut needles = Needles::default();
        needles.collect(&filter);
        Ok(needles)
    }

    fn collect(&mut self, filter: &Filter<(String, Value)>) {
        match filter {
            Filter::And(inner) | Filter::Or(inner) => inner.iter().for_each(|f| self.collect(f)),
            Filter::Not(_) => {}
            Filter::Is((name, value)) => {
                let words = value.as_str().map(filter::tokens).unwrap_or_default();
                let words: Vec<Vec<char>> = words
                    .iter()
                    .map(|word| word.chars().map(lower).collect())
                    .collect();
                if matches!(name.as_str(), "text" | "subject") {
                    self.subject.extend(words.iter().cloned());
                }
                if matches!(name.as_str(), "text" | "body") {
                    self.body.extend(words);
                }
            }
        }
    }
}

/// One character for one, so that places in the text stay the same.
fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn snippet(
    mail: &Mail,
    message: &Message,
    needles: &Needles,
) -> Result<(Option<String>, Option<String>)> {
    let structure = message.structure();
    let subject = structure
        .envelope
        .subject
        .as_deref()
        .map(header::text)
        .unwrap_or_default();
    let subject = find(&subject, &needles.subject, 0).map(|_| {
        mark(
            &subject.chars().collect::<Vec<_>>(),
            &needles.subject,
            usize::MAX,
        )
    });
    if needles.body.is_empty() {
        return Ok((subject, None));
    }
    let bytes = Bytes::whole(message);
    for part in structure.parts.iter().filter(|part| is_searchable(part)) {
        let mut extractor = Extractor::readable(part);
        let mut raw = bytes.run(part.body.offset, part.body.len);
        let (mut piece, mut text) = (Vec::new(), String::new());
        while text.len() < limits::JMAP_SNIPPET && raw.next(mail, &mut piece)? {
            extractor.push(&piece, &mut text);
            piece.clear();
        }
        extractor.finish(&mut text);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(at) = find(&text, &needles.body, 0) {
            let start = at.saturating_sub(BEFORE);
            let shown: Vec<char> = text.chars().skip(start).take(PREVIEW).collect();
            return Ok((subject, Some(mark(&shown, &needles.body, PREVIEW))));
        }
    }
    Ok((subject, None))
}

/// Where the first match begins, in characters.
fn find(text: &str, needles: &[Vec<char>], from: usize) -> Option<usize> {
    let folded: Vec<char> = text.chars().map(lower).collect();
    (from..folded.len()).find(|at| match_at(&folded, *at, needles) > 0)
}

/// The length of the longest match that begins here.
fn match_at(folded: &[char], at: usize, needles: &[Vec<char>]) -> usize {
    let rest = folded.get(at..).unwrap_or_default();
    let lengths = needles.iter().filter(|n| rest.starts_with(n)).map(Vec::len);
    lengths.max().unwrap_or(0)
}

/// The text as HTML with the matches in `<mark>`, of at most `max` octets.
fn mark(text: &[char], needles: &[Vec<char>], max: usize) -> String {
    let folded: Vec<char> = text.iter().copied().map(lower).collect();
    let mut out = String::new();
    let mut at = 0;
    while at < text.len() {
        let length = match_at(&folded, at, needles);
        let mut piece = String::new();
        for c in text.get(at..at + length.max(1)).unwrap_or_default() {
            match c {
                '&' => piece.push_str("&amp;"),
                '<' => piece.push_str("&lt;"),
                '>' => piece.push_str("&gt;"),
                c => piece.push(*c),
            }
        }
        if length > 0 {
            piece = format!("<mark>{piece}</mark>");
        }
        if out.len() + piece.len() > max {
            break;
        }
        out.push_str(&piece);
        at += length.max(1);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks() {
        let needles = [vec!['f', 'o', 'o'], vec!['ü']];
        let of = |text: &str, max| mark(&text.chars().collect::<Vec<_>>(), &needles, max);
        assert_eq!(of("The Foosball", 999), "The <mark>Foo</mark>sball");
        assert_eq!(of("a<b & Ü", 999), "a&lt;b &amp; <mark>Ü</mark>");
        assert_eq!(of("ab foo", 5), "ab ");
        assert_eq!(find("xx FOO", &needles, 0), Some(3));
    }
}
