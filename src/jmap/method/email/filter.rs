//! The FilterCondition of an Email (RFC 8621 §4.4.1), as a query of the engine's.
use serde_json::Value;

use super::keyword;
use crate::jmap::context::Context;
use crate::jmap::wire::args::MAX_INT;
use crate::jmap::wire::date;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{Filter, Tree};
use crate::jmap::wire::id;
use crate::mail::{Field, Flags, Keywords, MailboxId, Needle, Query};

/// A filter, understood.
pub struct EmailFilter {
    /// The mailbox that everything must be in, if the filter says so at the top.
    pub mailbox: Option<MailboxId>,
    /// Everything else.
    pub query: Query,
    /// Other emails of a thread decide about one.
    pub threads: bool,
    /// Something that can change decides.
    pub mutable: bool,
}

/// Conditions in one filter.
const CONDITIONS: usize = 200;
/// Words of one text condition.
const WORDS: usize = 16;

/// One condition.
struct Condition {
    query: Query,
    mailbox: Option<MailboxId>,
    threads: bool,
    mutable: bool,
}

/// Reads a filter argument.
pub fn parse(
    context: &Context,
    keywords: &Keywords,
    value: Value,
) -> Result<EmailFilter, MethodError> {
    let mut count = 0;
    let filter = Filter::parse(value, &mut |name, value| {
        count += 1;
        if count > CONDITIONS {
            return Err(MethodError::new("unsupportedFilter").because("too many conditions"));
        }
        condition(context, keywords, name, value)
    })?;
    let Filter {
        tree,
        mut conditions,
    } = filter;
    let threads = conditions.iter().any(|it| it.threads);
    let mutable = conditions.iter().any(|it| it.mutable);
    let (mailbox, rest) = split(tree, &conditions);
    Ok(EmailFilter {
        mailbox,
        query: translate(rest, &mut conditions),
        threads,
        mutable,
    })
}

/// Takes one mailbox out of an AND at the top: what is left is asked of its rows alone.
fn split(tree: Tree, conditions: &[Condition]) -> (Option<MailboxId>, Tree) {
    match tree {
        Tree::Is(at) => match conditions.get(at).and_then(|it| it.mailbox) {
            None => (None, tree),
            mailbox => (mailbox, Tree::And(Vec::new())),
        },
        Tree::And(all) => {
            let (mut mailbox, mut rest) = (None, Vec::new());
            for tree in all {
                if mailbox.is_some() {
                    rest.push(tree);
                    continue;
                }
                let (found, left) = split(tree, conditions);
                mailbox = found;
                if !matches!(&left, Tree::And(all) if all.is_empty()) {
                    rest.push(left);
                }
            }
            (mailbox, Tree::And(rest))
        }
        other => (None, other),
    }
}

/// The query that a tree is; takes those of its conditions.
fn translate(tree: Tree, conditions: &mut [Condition]) -> Query {
    let mut each = |all: Vec<Tree>| {
        let mut queries = Vec::new();
        for tree in all {
            queries.push(translate(tree, conditions));
        }
        queries
    };
    match tree {
        Tree::And(all) => Query::All(each(all)),
        Tree::Or(any) => Query::Any(each(any)),
        Tree::Not(none) => Query::Not(Box::new(Query::Any(each(none)))),
        Tree::Is(at) => match conditions.get_mut(at) {
            Some(condition) => std::mem::replace(&mut condition.query, Query::nothing()),
            None => Query::nothing(),
        },
    }
}

fn condition(
    context: &Context,
    keywords: &Keywords,
    name: &str,
    value: Value,
) -> Result<Condition, MethodError> {
    let wrong = || MethodError::invalid(&format!("filter {name} has a wrong type"));
    let mut made = Condition {
        query: Query::nothing(),
        mailbox: None,
        threads: name.contains("InThread"),
        mutable: name.starts_with("inMailbox") || name.ends_with("Keyword"),
    };
    made.query = match name {
        "inMailbox" => {
            let text = value.as_str().ok_or_else(wrong)?;
            made.mailbox = id::to_mailbox(context.resolve(text));
            made.mailbox.map_or_else(Query::nothing, Query::In)
        }
        "inMailboxOtherThan" => {
            let ids = value
                .as_array()
                .ok_or_else(wrong)?
                .iter()
                .map(Value::as_str);
            let ids = ids.collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
            let ids = ids
                .into_iter()
                .filter_map(|id| id::to_mailbox(context.resolve(id)));
            Query::InOtherThan(ids.collect())
        }
        "before" | "after" | "minSize" | "maxSize" => range(name, &value).ok_or_else(wrong)?,
        "hasAttachment" => match value.as_bool().ok_or_else(wrong)? {
            true => Query::Flags(Flags::ATTACHMENT),
            false => Query::Not(Box::new(Query::Flags(Flags::ATTACHMENT))),
        },
        "header" => header(value.as_array().ok_or_else(wrong)?).ok_or_else(wrong)?,
        _ if name.ends_with("Keyword") => {
            let flag = flag(value.as_str().ok_or_else(wrong)?, keywords)?;
            by_keyword(name, flag).ok_or_else(|| unsupported(name))?
        }
        _ => {
            let query = in_text(name).ok_or_else(|| unsupported(name))?;
            words(value.as_str().ok_or_else(wrong)?, &query)?
        }
    };
    Ok(made)
}

fn unsupported(name: &str) -> MethodError {
    MethodError::new("unsupportedFilter").because(&format!("{name:?}"))
}

/// The conditions on date and size.
fn range(name: &str, value: &Value) -> Option<Query> {
    let seconds = || value.as_str().and_then(date::parse_utc);
    let size = || value.as_u64().filter(|n| *n <= MAX_INT as u64);
    Some(match name {
        "before" => Query::Received(i64::MIN..seconds()?),
        "after" => Query::Received(seconds()?..i64::MAX),
        "minSize" => Query::Size(size()?..u64::MAX),
        _ => Query::Size(0..size()?),
    })
}

/// Where a text condition looks.
fn in_text(name: &str) -> Option<fn(Needle) -> Query> {
    Some(match name {
        "text" => Query::Text,
        "body" => Query::Body,
        "from" => |needle| Query::Envelope(Field::From, needle),
        "to" => |needle| Query::Envelope(Field::To, needle),
        "cc" => |needle| Query::Envelope(Field::Cc, needle),
        "bcc" => |needle| Query::Envelope(Field::Bcc, needle),
        "subject" => |needle| Query::Envelope(Field::Subject, needle),
        _ => return None,
    })
}

/// A keyword's flag; no flag at all when no email ever had it.
pub fn flag(name: &str, keywords: &Keywords) -> Result<Flags, MethodError> {
    if !keyword::is_keyword(name) {
        return Err(MethodError::invalid(&format!("{name:?} is no keyword")));
    }
    Ok(keyword::flag(name, keywords).unwrap_or_default())
}

/// The conditions on keywords; a keyword that no email ever had has no flag.
fn by_keyword(name: &str, flag: Flags) -> Option<Query> {
    let known = |query: fn(Flags) -> Query| match flag.0 {
        0 => Query::nothing(),
        _ => query(flag),
    };
    Some(match name {
        "hasKeyword" => known(Query::Flags),
        "notKeyword" => Query::Not(Box::new(known(Query::Flags))),
        "allInThreadHaveKeyword" => known(Query::AllInThread),
        "someInThreadHaveKeyword" => known(Query::SomeInThread),
        "noneInThreadHaveKeyword" => Query::Not(Box::new(known(Query::SomeInThread))),
        _ => return None,
    })
}

/// `[name]` or `[name, text]`.
fn header(value: &[Value]) -> Option<Query> {
    let name = value.first()?.as_str()?;
    match value.get(1) {
        None => Some(Query::Header(name.to_owned(), Needle::new(""))),
        Some(text) if value.len() == 2 => words(text.as_str()?, &|needle| {
            Query::Header(name.to_owned(), needle)
        })
        .ok(),
        Some(_) => None,
    }
}

/// A text to look for: words that must all be there, phrases in quotes (RFC 8621 §4.4.1).
fn words(text: &str, query: &dyn Fn(Needle) -> Query) -> Result<Query, MethodError> {
    let words = tokens(text);
    if words.len() > WORDS {
        return Err(MethodError::new("unsupportedFilter").because("too many words"));
    }
    let mut queries: Vec<Query> = words.iter().map(|word| query(Needle::new(word))).collect();
    Ok(match queries.len() {
        1 => queries.remove(0),
        _ => Query::All(queries),
    })
}

/// The words and phrases of a text to look for.
pub fn tokens(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') if chars.peek().is_some_and(|c| "'\"\\".contains(*c)) => {
                word.extend(chars.next());
            }
            (Some(open), _) if c == open => {
                quote = None;
                out.push(std::mem::take(&mut word));
            }
            (Some(_), _) => word.push(c),
            // A quote opens a phrase at the start of a word, and only if it is closed again.
            (None, '"' | '\'') if word.is_empty() && chars.clone().any(|later| later == c) => {
                quote = Some(c);
            }
            (None, _) if c.is_whitespace() => out.push(std::mem::take(&mut word)),
            (None, _) => word.push(c),
        }
    }
    out.push(word);
    out.retain(|word| !word.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_phrases() {
        assert_eq!(tokens("a  bc"), ["a", "bc"]);
        assert_eq!(tokens(r#"x "two words" y"#), ["x", "two words", "y"]);
        assert_eq!(tokens(r#""say \"hi\"" 'it\'s'"#), [r#"say "hi""#, "it's"]);
        assert_eq!(tokens("don't"), ["don't"]);
        assert_eq!(tokens("'tis the"), ["'tis", "the"]);
        assert!(tokens("  ").is_empty());
    }
}
