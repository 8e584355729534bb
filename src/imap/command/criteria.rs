//! From what a client wants to find to the engine's query; what SEARCH, SORT, THREAD and ESEARCH
//! share (RFC 9051 §6.4.4).

use crate::imap::answer::{Answer, Stop};
use crate::imap::session::Session;
use crate::imap::view::{self, Selected};
use crate::imap::wire::cursor::{Cursor, is_atom};
use crate::imap::wire::flag::Flag;
use crate::imap::wire::search::{Key, Search, criteria};
use crate::imap::wire::set::{End, Set};
use crate::imap::wire::{Numbers, encode};
use crate::limits;
use crate::mail::{EmailId, Field, Flags, Mail, Meta, Needle, Query, ThreadId, UidSet};
use crate::mime::charset;
use crate::sys::clock;
use std::sync::Arc;

const DAY: i64 = 86_400;

/// The mailbox that criteria are about, as the client knows it.
pub struct Scope<'a> {
    /// Its messages.
    pub uids: &'a UidSet,
    /// What `$` stands for.
    pub saved: &'a UidSet,
    /// What is \Recent.
    pub recent: &'a UidSet,
}

/// A search made ready: charset known, filters put in.
#[derive(Clone, Debug)]
pub struct Program {
    /// What has to hold.
    pub key: Key,
    charset: String,
    meta: Arc<Meta>,
    now: i64,
}

impl Program {
    /// Of a command's arguments.
    pub fn new(session: &mut Session, search: &Search) -> Result<Program, Stop> {
        let charset = search.charset.clone().unwrap_or_default();
        let utf8 = ["", "UTF-8", "US-ASCII"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&charset));
        let known = "UTF-8 US-ASCII ISO-8859-1 ISO-8859-15 WINDOWS-1252 KOI8-R";
        if !utf8 && !charset::is_known(&charset) {
            return Answer::no(format!("[BADCHARSET ({known})] this charset is not known")).stop();
        }
        let mut key = search.key.clone();
        if key.uses_filters() {
            // RFC 5466 §3.1: filters are UTF-8, and so must the rest be.
            if !utf8 {
                let text = "[BADCHARSET (UTF-8 US-ASCII)] a search with FILTER is in UTF-8";
                return Answer::bad(text).stop();
            }
            key = insert_filters(&session.mail(), &key, limits::IMAP_FILTER_DEPTH)?;
        }
        if session.enabled.uid_only && key.uses_numbers() {
            return Answer::bad("[UIDREQUIRED] a filter names message numbers").stop();
        }
        if key.uses_modseq() {
            session.condstore();
        }
        let charset = if utf8 { String::new() } else { charset };
        let (meta, now) = (session.mail().meta(), clock::now().into());
        Ok(Program {
            key,
            charset,
            meta,
            now,
        })
    }

    /// Looks at things as they are now.
    pub fn refresh(&mut self, mail: &Mail) {
        (self.meta, self.now) = (mail.meta(), clock::now().into());
    }

    /// Message numbers and `$` become what they stand for now.
    pub fn freeze(&mut self, selected: &Selected) {
        freeze(&mut self.key, selected);
    }

    /// The query for the selected mailbox.
    pub fn of_selected(&self, session: &Session) -> Result<Query, Stop> {
        let selected = session.selected()?;
        self.query(&Scope {
            uids: selected.uids(),
            saved: &selected.saved,
            recent: &selected.recent,
        })
    }

    /// The query for a mailbox.
    pub fn query(&self, scope: &Scope<'_>) -> Result<Query, Stop> {
        self.part(scope, &self.key, false)
    }

    /// The query for one criterion. Nesting is bounded by the parser and by the depth of filters.
    fn part(&self, scope: &Scope<'_>, key: &Key, fuzzy: bool) -> Result<Query, Stop> {
        let part = |key: &Key| self.part(scope, key, fuzzy);
        let text = |octets: &[u8]| {
            let (text, _) = charset::decode(octets, &self.charset);
            match fuzzy {
                true => Needle::fuzzy(&text),
                false => Needle::new(&text),
            }
        };
        Ok(match key {
            Key::And(keys) => Query::All(keys.iter().map(part).collect::<Result<_, _>>()?),
            Key::Or(both) => Query::Any(vec![part(&both.0)?, part(&both.1)?]),
            // What is nearly there is not absent: NOT asks for the exact text.
            Key::Not(key) => Query::Not(Box::new(self.part(scope, key, false)?)),
            Key::Fuzzy(key) => self.part(scope, key, true)?,
            Key::Filter(name) => return undefined(name),
            Key::Flag(flag) => self.flag(scope, flag),
            Key::New => Query::All(vec![
                Query::Uids(scope.recent.clone()),
                Query::Not(Box::new(Query::Flags(Flags::SEEN))),
            ]),
            Key::Sequence(set) => numbered(scope, set, Numbers::Sequence),
            Key::Uid(set) => numbered(scope, set, Numbers::Uid),
            // RFC 9051 §6.4.4: time and time zone do not count; INTERNALDATE is told in UTC.
            Key::Before(day) => Query::Received(i64::MIN..day * DAY),
            Key::On(day) => Query::Received(day * DAY..(day + 1) * DAY),
            Key::Since(day) => Query::Received(day * DAY..i64::MAX),
            Key::SavedBefore(day) => Query::Saved(i64::MIN..day * DAY),
            Key::SavedOn(day) => Query::Saved(day * DAY..(day + 1) * DAY),
            Key::SavedSince(day) => Query::Saved(day * DAY..i64::MAX),
            // RFC 5032 §2: both include the moment itself.
            Key::Older(secs) => Query::Received(i64::MIN..self.now - i64::from(*secs) + 1),
            Key::Younger(secs) => Query::Received(self.now - i64::from(*secs)..i64::MAX),
            Key::SentBefore(day) => Query::SentDay(i64::MIN..*day),
            Key::SentOn(day) => Query::SentDay(*day..day + 1),
            Key::SentSince(day) => Query::SentDay(*day..i64::MAX),
            Key::Larger(size) => Query::Size(size.saturating_add(1)..u64::MAX),
            Key::Smaller(size) => Query::Size(0..*size),
            Key::Envelope(name, octets) => Query::Envelope(field(name), text(octets)),
            Key::Header(name, octets) => Query::Header(name.clone(), text(octets)),
            Key::Body(octets) => Query::Body(text(octets)),
            Key::Text(octets) => Query::Text(text(octets)),
            Key::ModSeq(modseq) => Query::Modseq(*modseq),
            Key::EmailId(id) => {
                object(id, 'e').map_or_else(Query::nothing, |n| Query::Email(EmailId(n)))
            }
            Key::ThreadId(id) => object(id, 't')
                .and_then(|n| u32::try_from(n).ok())
                .map_or_else(Query::nothing, |n| Query::Thread(ThreadId(n))),
        })
    }

    fn flag(&self, scope: &Scope<'_>, flag: &Flag) -> Query {
        Query::Flags(match flag {
            Flag::Seen => Flags::SEEN,
            Flag::Answered => Flags::ANSWERED,
            Flag::Flagged => Flags::FLAGGED,
            Flag::Deleted => Flags::DELETED,
            Flag::Draft => Flags::DRAFT,
            Flag::Recent => return Query::Uids(scope.recent.clone()),
            Flag::Keyword(word) => match self.meta.keywords.flag(word) {
                Some(flag) => flag,
                None => return Query::nothing(),
            },
        })
    }
}

fn freeze(key: &mut Key, selected: &Selected) {
    match key {
        Key::And(keys) => keys.iter_mut().for_each(|key| freeze(key, selected)),
        Key::Or(both) => {
            freeze(&mut both.0, selected);
            freeze(&mut both.1, selected);
        }
        Key::Not(inner) | Key::Fuzzy(inner) => freeze(inner, selected),
        Key::Sequence(set) | Key::Uid(set @ Set::Saved) => {
            let uids = match set {
                Set::Saved => selected.saved.clone(),
                Set::Ranges(ranges) => view::existing(ranges, selected.uids(), Numbers::Sequence),
            };
            let number = |n: u32| End::Number(n);
            let ranges = uids.runs().map(|(a, b)| (number(a), number(b))).collect();
            *key = Key::Uid(Set::Ranges(ranges));
        }
        _ => {}
    }
}

/// RFC 7377 §2: numbers beyond the mailbox are no error in a search.
fn numbered(scope: &Scope<'_>, set: &Set, numbers: Numbers) -> Query {
    Query::Uids(match set {
        Set::Saved => scope.saved.clone(),
        Set::Ranges(ranges) => view::existing(ranges, scope.uids, numbers),
    })
}

fn field(name: &str) -> Field {
    match name {
        "from" => Field::From,
        "to" => Field::To,
        "cc" => Field::Cc,
        "bcc" => Field::Bcc,
        _ => Field::Subject,
    }
}

/// The number in an object id (RFC 8474 §4).
fn object(id: &str, letter: char) -> Option<u64> {
    id.strip_prefix(letter)?.parse().ok()
}

/// Puts in what filters stand for (RFC 5466 §3.1), each as one criterion.
fn insert_filters(mail: &Mail, key: &Key, depth: usize) -> Result<Key, Stop> {
    let inner = |key: &Key| insert_filters(mail, key, depth);
    Ok(match key {
        Key::And(keys) => Key::And(keys.iter().map(inner).collect::<Result<_, _>>()?),
        Key::Or(both) => Key::Or(Box::new((inner(&both.0)?, inner(&both.1)?))),
        Key::Not(key) => Key::Not(Box::new(inner(key)?)),
        Key::Fuzzy(key) => Key::Fuzzy(Box::new(inner(key)?)),
        Key::Filter(name) => {
            let text = filter(mail, name)?;
            let Some(text) = text.filter(|_| depth > 0) else {
                return undefined(name);
            };
            let mut c = Cursor::new(&text, true);
            let parsed = criteria(&mut c).and_then(|key| c.end().map(|()| key));
            match parsed {
                Ok(key) => insert_filters(mail, &key, depth - 1)?,
                Err(_) => return undefined(name),
            }
        }
        other => other.clone(),
    })
}

fn undefined<T>(name: &str) -> Result<T, Stop> {
    let mut text = b"[UNDEFINED-FILTER ".to_vec();
    encode::astring(&mut text, name.as_bytes(), false);
    text.extend_from_slice(b"] there is no such filter, or it makes no sense");
    Answer::no(String::from_utf8_lossy(&text).into_owned()).stop()
}

/// Would this entry of the server be a filter that makes no sense (RFC 5466 §3.2)?
pub fn is_broken_filter(entry: &str, value: &[u8]) -> bool {
    let roots = ["/private/filters/values/", "/shared/filters/values/"];
    let Some(name) = roots.iter().find_map(|root| entry.strip_prefix(root)) else {
        return false;
    };
    let mut c = Cursor::new(value, true);
    let whole = criteria(&mut c).and_then(|_| c.end()).is_ok();
    let plain = !name.is_empty() && name.bytes().all(|b| is_atom(b) && b != b'/');
    !whole || !plain
}

/// The value of a filter: the private one, or else the shared one (RFC 5466 §3.1). Entries' names
/// have no case (RFC 5464 §3.2).
fn filter(mail: &Mail, name: &str) -> Result<Option<Vec<u8>>, Stop> {
    let name = name.to_ascii_lowercase();
    for root in ["/private", "/shared"] {
        let found = mail.annotation(None, &format!("{root}/filters/values/{name}"))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
