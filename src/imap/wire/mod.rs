//! The IMAP grammar: bytes in, values out; no I/O, no clock, no log, no store.
//!
//! [`frame`] finds a command's end, [`command`] parses it; [`encode`] and the `write` functions
//! beside each parser make the answers. RFC 9051 §9 and RFC 3501 §9, with the extensions named in
//! the files. Recursion is bounded by `limits::IMAP_SEARCH_DEPTH`, lists by the framer's limit on a
//! command's text.

pub mod acl;
pub mod append;
pub mod authenticate;
pub mod cancelupdate;
pub mod comparator;
pub mod compress;
pub mod copy;
pub mod create;
pub mod cursor;
pub mod date;
pub mod delete;
pub mod enable;
pub mod encode;
pub mod envelope;
pub mod esearch;
pub mod expunge;
pub mod fetch;
pub mod fields;
pub mod flag;
pub mod frame;
pub mod genurlauth;
pub mod id;
pub mod language;
pub mod list;
pub mod login;
pub mod lsub;
pub mod mailbox;
pub mod metadata;
pub mod r#move;
pub mod notify;
pub mod quota;
pub mod rename;
pub mod resetkey;
pub mod search;
pub mod section;
pub mod select;
pub mod set;
pub mod sort;
pub mod status;
pub mod store;
pub mod structure;
pub mod subscribe;
pub mod thread;
pub mod url;
pub mod urlfetch;
pub use crate::mime::utf7;

use cursor::{Cursor, Error, Parsed};
use set::Set;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Command {
    Capability,
    Noop,
    Logout,
    Id(id::Fields),
    StartTls,
    Authenticate(authenticate::Authenticate),
    Login(login::Login),
    Enable(Vec<String>),
    Select(select::Select),
    Examine(select::Select),
    Create(create::Create),
    Delete(String),
    Rename(String, String),
    Subscribe(String),
    Unsubscribe(String),
    List(list::List),
    Lsub(list::List),
    Namespace,
    Acl(acl::Acl),
    Status(String, Vec<status::Item>),
    /// RESETKEY: mailbox and mechanisms, or all.
    ResetKey(Option<(String, Vec<String>)>),
    /// GENURLAUTH: URLs and mechanisms.
    GenUrlAuth(Vec<(String, String)>),
    UrlFetch(Vec<urlfetch::Wanted>),
    /// COMPRESS DEFLATE.
    Compress,
    /// APPEND or REPLACE.
    GetJmapAccess,
    Language(Vec<String>),
    GetQuota(String),
    GetQuotaRoot(String),
    SetQuota,
    GetMetadata(metadata::Get),
    SetMetadata(metadata::Set),
    Append(append::Append),
    Idle,
    Notify(notify::Notify),
    Check,
    Close,
    Unselect,
    Unauthenticate,
    Expunge(Option<Set>),
    Search(search::Search, Numbers),
    CancelUpdate(Vec<String>),
    Comparator(Vec<String>),
    Esearch(esearch::Esearch),
    Sort(sort::Sort, Numbers),
    Thread(thread::Thread, Numbers),
    Fetch(fetch::Fetch, Numbers),
    Store(store::Store, Numbers),
    Copy(copy::Copy, Numbers),
    Move(copy::Copy, Numbers),
}

/// What the numbers in a command and its answers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Message sequence numbers.
    Sequence,
    /// UIDs: the command was given with the prefix `UID`.
    Uid,
}

/// A command with its tag, or what was wrong. The tag is there whenever it could be read.
pub fn command(text: &[u8], utf8: bool) -> (Option<String>, Parsed<Command>) {
    command_without(text, utf8, &[])
}

/// The same in a grammar without some of its words, given in upper case.
pub fn command_without(text: &[u8], utf8: bool, off: &[&str]) -> (Option<String>, Parsed<Command>) {
    let mut c = Cursor::without(text, utf8, off);
    let tag = match tag(&mut c) {
        Ok(tag) => tag,
        Err(error) => return (None, Err(error)),
    };
    let parsed = c.space().and_then(|()| body(&mut c));
    (Some(tag), parsed)
}

/// The tag that a command's text starts with.
pub fn tag_of(text: &[u8]) -> Option<String> {
    tag(&mut Cursor::new(text, true)).ok()
}

/// The name of a command, with its `UID`, for the log: never an argument, which may be a secret.
pub fn name_of(text: &[u8]) -> Option<String> {
    let mut c = Cursor::new(text, true);
    tag(&mut c).ok()?;
    c.space().ok()?;
    let word = c.word().ok()?;
    if word != "UID" {
        return Some(word);
    }
    c.space().ok()?;
    Some(format!("UID {}", c.word().ok()?))
}

/// `1*<any ASTRING-CHAR except "+">`
fn tag(c: &mut Cursor<'_>) -> Parsed<String> {
    match c.take_while(|b| cursor::is_astring(b) && b != b'+' && b < 0x80) {
        [] => c.fail(&"a tag"),
        tag => Ok(String::from_utf8_lossy(tag).into_owned()),
    }
}

fn body(c: &mut Cursor<'_>) -> Parsed<Command> {
    let start = c.position();
    let word = c.word()?;
    let parsed = match word.as_str() {
        "UID" => uid(c)?,
        "SEARCH" | "SORT" | "THREAD" | "FETCH" | "STORE" | "COPY" | "MOVE" => {
            with_numbers(c, word.as_str(), Numbers::Sequence)?
        }
        word => any_state(c, word, start)?,
    };
    c.end()?;
    Ok(parsed)
}

fn any_state(c: &mut Cursor<'_>, word: &str, start: usize) -> Parsed<Command> {
    Ok(match word {
        "CAPABILITY" => Command::Capability,
        "NOOP" => Command::Noop,
        "LOGOUT" => Command::Logout,
        "ID" => Command::Id(id::id(c)?),
        "STARTTLS" => Command::StartTls,
        "AUTHENTICATE" => Command::Authenticate(authenticate::authenticate(c)?),
        "LOGIN" => Command::Login(login::login(c)?),
        "ENABLE" => Command::Enable(enable::enable(c)?),
        "SELECT" => Command::Select(select::select(c)?),
        "EXAMINE" => Command::Examine(select::select(c)?),
        "CREATE" => Command::Create(create::create(c)?),
        "DELETE" => Command::Delete(delete::delete(c)?),
        "RENAME" => {
            let (from, to) = rename::rename(c)?;
            Command::Rename(from, to)
        }
        "SUBSCRIBE" => Command::Subscribe(subscribe::subscribe(c)?),
        "UNSUBSCRIBE" => Command::Unsubscribe(subscribe::subscribe(c)?),
        "LIST" => Command::List(list::list(c)?),
        "LSUB" => Command::Lsub(lsub::lsub(c)?),
        "NAMESPACE" => Command::Namespace,
        "STATUS" => {
            let (name, items) = status::status(c)?;
            Command::Status(name, items)
        }
        "APPEND" => Command::Append(append::append(c)?),
        "REPLACE" => Command::Append(append::replace(c, Numbers::Sequence)?),
        "COMPRESS" => {
            compress::compress(c)?;
            Command::Compress
        }
        "GETJMAPACCESS" => Command::GetJmapAccess,
        "LANGUAGE" => Command::Language(language::language(c)?),
        "GETQUOTA" => Command::GetQuota(quota::get(c)?),
        "GETQUOTAROOT" => Command::GetQuotaRoot(quota::root(c)?),
        "SETQUOTA" => {
            quota::set(c)?;
            Command::SetQuota
        }
        "GETMETADATA" => Command::GetMetadata(metadata::get(c)?),
        "SETMETADATA" => Command::SetMetadata(metadata::set(c)?),
        "RESETKEY" => Command::ResetKey(resetkey::resetkey(c)?),
        "GENURLAUTH" => Command::GenUrlAuth(genurlauth::genurlauth(c)?),
        "URLFETCH" => Command::UrlFetch(urlfetch::urlfetch(c)?),
        "IDLE" => Command::Idle,
        "NOTIFY" => Command::Notify(notify::notify(c)?),
        "CHECK" => Command::Check,
        "CLOSE" => Command::Close,
        "UNSELECT" => Command::Unselect,
        "ESEARCH" => Command::Esearch(esearch::esearch(c)?),
        "COMPARATOR" => Command::Comparator(comparator::comparator(c)?),
        "UNAUTHENTICATE" => Command::Unauthenticate,
        "CANCELUPDATE" => Command::CancelUpdate(cancelupdate::cancelupdate(c)?),
        "EXPUNGE" => Command::Expunge(None),
        _ => match acl::acl(c, word)? {
            Some(acl) => Command::Acl(acl),
            None => {
                return Err(Error {
                    at: start,
                    wanted: &"a command that exists",
                });
            }
        },
    })
}

/// `SP (COPY / FETCH / ... / EXPUNGE SP sequence-set)` (RFC 9051 §6.4.9).
fn uid(c: &mut Cursor<'_>) -> Parsed<Command> {
    c.space()?;
    let word = c.word()?;
    if word == "EXPUNGE" {
        return Ok(Command::Expunge(Some(expunge::expunge(c)?)));
    }
    if word == "REPLACE" {
        return Ok(Command::Append(append::replace(c, Numbers::Uid)?));
    }
    // RFC 7377 §2 writes it so in an example; its answers are UIDs anyway.
    if word == "ESEARCH" {
        return Ok(Command::Esearch(esearch::esearch(c)?));
    }
    with_numbers(c, &word, Numbers::Uid)
}

fn with_numbers(c: &mut Cursor<'_>, word: &str, numbers: Numbers) -> Parsed<Command> {
    match word {
        "SEARCH" => Ok(Command::Search(search::search(c)?, numbers)),
        "SORT" => Ok(Command::Sort(sort::sort(c)?, numbers)),
        "THREAD" => Ok(Command::Thread(thread::thread(c)?, numbers)),
        "FETCH" => Ok(Command::Fetch(fetch::fetch(c)?, numbers)),
        "STORE" => Ok(Command::Store(store::store(c)?, numbers)),
        "COPY" => Ok(Command::Copy(copy::copy(c)?, numbers)),
        "MOVE" => Ok(Command::Move(r#move::r#move(c)?, numbers)),
        _ => {
            c.fail(&"SEARCH, SORT, THREAD, FETCH, STORE, COPY, MOVE, REPLACE or EXPUNGE behind UID")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_for_the_log() {
        assert_eq!(name_of(b"a login me secret").as_deref(), Some("LOGIN"));
        assert_eq!(
            name_of(b"a uid fetch 1 FLAGS").as_deref(),
            Some("UID FETCH")
        );
        assert_eq!(name_of(b"a"), None);
        assert_eq!(name_of(b""), None);
    }
    use proptest::prelude::*;

    fn parse(text: &str) -> Parsed<Command> {
        command(text.as_bytes(), false).1
    }

    #[test]
    fn commands() {
        assert_eq!(parse("a noop"), Ok(Command::Noop));
        assert_eq!(parse("a NOOP "), Ok(Command::Noop));
        assert_eq!(
            parse("a enable imap4rev2 X"),
            Ok(Command::Enable(vec!["IMAP4REV2".into(), "X".into()]))
        );
        assert!(parse("a UID EXPUNGE 3:5").is_ok());
        assert!(matches!(
            parse("a uid fetch 1:* flags"),
            Ok(Command::Fetch(_, Numbers::Uid))
        ));
        let at = |text: &str| parse(text).unwrap_err().at;
        assert_eq!(at("a FOO"), 2);
        assert_eq!(at("a NOOP x"), 7);
        assert_eq!(at("a"), 1);
        assert_eq!(command(b"+ NOOP", false).0, None);
        assert_eq!(command(b"", false).0, None);
        assert_eq!(
            parse("a FETCH 1 FLAGZ").unwrap_err().to_string(),
            "expected a FETCH item at position 10"
        );
    }

    /// Every command line of RFC 9051's examples parses.
    #[test]
    fn rfc9051_examples() {
        for line in include_str!("examples.txt")
            .lines()
            .filter(|l| !l.is_empty())
        {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), utf8: bool) {
            let _ = command(&bytes, utf8);
        }

        #[test]
        fn never_panics_on_near_misses(words in proptest::collection::vec(prop_oneof![
            Just("a"), Just(" "), Just("FETCH"), Just("UID"), Just("SEARCH"), Just("("), Just(")"),
            Just("1:*"), Just("BODY["), Just("]"), Just("<0."), Just("{3}\r\n"), Just("\""),
            Just("NOT"), Just("OR"), Just("LIST"), Just("RETURN"), Just("STORE"), Just("+FLAGS"),
            Just("HEADER"), Just("HEADER.FIELDS"), Just("SORT"), Just("THREAD"), Just("ESEARCH"),
            Just("IN"), Just("PARTIAL"), Just("UPDATE"), Just("FUZZY"), Just("REFERENCES"), Just("STATUS"), Just("\\Seen"), Just("\\"),
        ], 0..30), utf8: bool) {
            let _ = command(words.concat().as_bytes(), utf8);
        }
    }
}
