//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5).

use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::tell::batch;
use crate::imap::wire::flag::Flag;
use crate::imap::wire::search::{Key, Options, Search};
use crate::imap::wire::{Numbers, encode, set};
use crate::limits;
use crate::mail::{EmailId, Field, Flags, Meta, Modseq, Needle, Query, ThreadId, UidSet};

const DAY: i64 = 86_400;

/// SEARCH.
pub async fn run(session: &mut Session, tag: &str, args: Search, numbers: Numbers) -> Run {
    let save = args.options.is_some_and(|options| options.save);
    let found = look(session, &args).await;
    // RFC 9051 §6.4.4.1: a SEARCH with SAVE that fails leaves nothing saved.
    if save && found.is_err() {
        session.selected_mut()?.saved = UidSet::new();
    }
    let found = found?;
    let modseq = match args.key.uses_modseq() {
        true => highest(session, &found, args.options, numbers)?,
        false => None,
    };
    let text = match numbers {
        Numbers::Uid => found.clone(),
        Numbers::Sequence => session.selected()?.numbers(&found),
    };
    let options = match args.options {
        // RFC 9051 §6.4.4: rev2 has no other answer.
        None if session.enabled.rev2 => Some(Options {
            all: true,
            ..Options::default()
        }),
        options => options,
    };
    match options {
        // RFC 9051 §6.4.4: SAVE alone suppresses the response.
        Some(options) if options.is_silent() => {}
        Some(options) => extended(session, tag, &text, options, numbers, modseq),
        None => plain(session, &text, modseq).await?,
    }
    if let Some(options) = args.options.filter(|options| options.save) {
        save_result(session, found, options)?;
    }
    Ok(Answer::ok("SEARCH completed"))
}

async fn look(session: &mut Session, args: &Search) -> Result<UidSet, Stop> {
    if let Some(charset) = &args.charset {
        let known = ["UTF-8", "US-ASCII"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(charset));
        if !known {
            return Answer::no("[BADCHARSET (US-ASCII UTF-8)] this charset is not known").stop();
        }
    }
    if args.key.uses_modseq() {
        session.condstore();
    }
    let meta = session.mail().meta();
    let query = query(session, &meta, &args.key)?;
    let selected = session.selected()?;
    let (mailbox, within) = (selected.mailbox, selected.uids().clone());
    Ok(session.mail().search(mailbox, &within, query).await?)
}

/// The engine's query for a criterion. Nesting is bounded by the parser.
fn query(session: &Session, meta: &Meta, key: &Key) -> Result<Query, Stop> {
    let text = |octets: &[u8]| Needle::new(&String::from_utf8_lossy(octets));
    let selected = session.selected()?;
    Ok(match key {
        Key::And(keys) => {
            let all: Result<_, _> = keys.iter().map(|key| query(session, meta, key)).collect();
            Query::All(all?)
        }
        Key::Or(both) => Query::Any(vec![
            query(session, meta, &both.0)?,
            query(session, meta, &both.1)?,
        ]),
        Key::Not(key) => Query::Not(Box::new(query(session, meta, key)?)),
        Key::Flag(flag) => flag_query(session, meta, flag)?,
        Key::New => Query::All(vec![
            Query::Uids(selected.recent.clone()),
            Query::Not(Box::new(Query::Flags(Flags::SEEN))),
        ]),
        Key::Sequence(set) => Query::Uids(
            selected
                .resolve(set, Numbers::Sequence)
                .or_else(Answer::stop)?,
        ),
        Key::Uid(set) => Query::Uids(selected.resolve(set, Numbers::Uid).or_else(Answer::stop)?),
        // RFC 9051 §6.4.4: time and time zone do not count; INTERNALDATE is told in UTC.
        Key::Before(day) => Query::Received(i64::MIN..day * DAY),
        Key::On(day) => Query::Received(day * DAY..(day + 1) * DAY),
        Key::Since(day) => Query::Received(day * DAY..i64::MAX),
        Key::SentBefore(day) => Query::SentDay(i64::MIN..*day),
        Key::SentOn(day) => Query::SentDay(*day..day + 1),
        Key::SentSince(day) => Query::SentDay(*day..i64::MAX),
        Key::Larger(size) => Query::Size(size.saturating_add(1)..u64::MAX),
        Key::Smaller(size) => Query::Size(0..*size),
        Key::Header(name, octets) => header_query(name, text(octets)),
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

/// The number in an object id (RFC 8474 §4).
fn object(id: &str, letter: char) -> Option<u64> {
    id.strip_prefix(letter)?.parse().ok()
}

fn flag_query(session: &Session, meta: &Meta, flag: &Flag) -> Result<Query, Stop> {
    Ok(Query::Flags(match flag {
        Flag::Seen => Flags::SEEN,
        Flag::Answered => Flags::ANSWERED,
        Flag::Flagged => Flags::FLAGGED,
        Flag::Deleted => Flags::DELETED,
        Flag::Draft => Flags::DRAFT,
        Flag::Recent => return Ok(Query::Uids(session.selected()?.recent.clone())),
        Flag::Keyword(word) => match meta.keywords.flag(word) {
            Some(flag) => flag,
            None => return Ok(Query::nothing()),
        },
    }))
}

fn header_query(name: &str, needle: Needle) -> Query {
    let field = match name.to_ascii_lowercase().as_str() {
        "from" => Field::From,
        "to" => Field::To,
        "cc" => Field::Cc,
        "bcc" => Field::Bcc,
        "subject" => Field::Subject,
        _ => return Query::Header(name.to_owned(), needle),
    };
    Query::Envelope(field, needle)
}

/// `* SEARCH 2 3 6 (MODSEQ 7)`
async fn plain(session: &mut Session, found: &UidSet, modseq: Option<Modseq>) -> Result<(), Stop> {
    session.conn.out().extend_from_slice(b"* SEARCH");
    for (i, n) in found.iter().enumerate() {
        encode::formatted(session.conn.out(), format_args!(" {n}"));
        if i % 1024 == 1023 {
            session.conn.spill().await?;
        }
    }
    if let Some(modseq) = modseq {
        encode::formatted(session.conn.out(), format_args!(" (MODSEQ {modseq})"));
    }
    session.line("");
    Ok(())
}

/// `* ESEARCH (TAG "a") UID MIN 2 ALL 2:3,6` (RFC 9051 §7.3.4).
fn extended(
    session: &mut Session,
    tag: &str,
    found: &UidSet,
    options: Options,
    numbers: Numbers,
    modseq: Option<Modseq>,
) {
    let out = session.conn.out();
    out.extend_from_slice(b"* ESEARCH (TAG ");
    encode::string(out, tag.as_bytes(), false);
    out.push(b')');
    if numbers == Numbers::Uid {
        out.extend_from_slice(b" UID");
    }
    if let (Some(first), Some(last)) = (found.first(), found.last()) {
        if options.min {
            encode::formatted(out, format_args!(" MIN {first}"));
        }
        if options.max {
            encode::formatted(out, format_args!(" MAX {last}"));
        }
        if options.all {
            out.extend_from_slice(b" ALL ");
            set::write(out, found.runs());
        }
    }
    if options.count {
        encode::formatted(out, format_args!(" COUNT {}", found.len()));
    }
    if let Some(modseq) = modseq {
        encode::formatted(out, format_args!(" MODSEQ {modseq}"));
    }
    out.extend_from_slice(b"\r\n");
}

/// The highest modification sequence of what is returned (RFC 7162 §3.1.5, §3.1.6); none if
/// nothing is.
fn highest(
    session: &Session,
    found: &UidSet,
    options: Option<Options>,
    _numbers: Numbers,
) -> Result<Option<Modseq>, Stop> {
    let ends_only = options.is_some_and(|o| (o.min || o.max) && !o.all && !o.count);
    let told = match options {
        Some(options) if ends_only => ends(found, options),
        _ => found.clone(),
    };
    let mail = session.mail();
    let mailbox = session.selected()?.mailbox;
    let mut highest = None;
    let mut from = told.first();
    while let Some(first) = from {
        let (rows, next) = batch(&mail, mailbox, &told, first)?;
        highest = rows.iter().map(|row| row.modseq).chain(highest).max();
        from = next;
    }
    Ok(highest)
}

/// The first and the last, as far as they were asked for.
fn ends(found: &UidSet, options: Options) -> UidSet {
    let mut ends = UidSet::new();
    if let Some(first) = found.first().filter(|_| options.min) {
        ends.insert(first);
    }
    if let Some(last) = found.last().filter(|_| options.max) {
        ends.insert(last);
    }
    ends
}

/// `$` from here on (RFC 9051 §6.4.4.1): with MIN or MAX alone only those.
fn save_result(session: &mut Session, found: UidSet, options: Options) -> Result<(), Stop> {
    let all = options.all || options.count || !(options.min || options.max);
    let saved = if all { found } else { ends(&found, options) };
    if saved.runs().len() > limits::IMAP_SAVED_RUNS {
        session.selected_mut()?.saved = UidSet::new();
        return Answer::no("[NOTSAVED] the result has too many gaps to be kept").stop();
    }
    session.selected_mut()?.saved = saved;
    Ok(())
}
