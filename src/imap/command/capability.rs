//! CAPABILITY (RFC 9051 §6.1.1), and the list that greeting and log-in carry as well, which saves
//! clients a round trip.
//!
//! [`TABLE`] is the one place that says what is announced and when; a line is added by the change
//! that makes its extension whole. `--imap-without` takes lines away, with their commands.

use crate::config::Config;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire;

/// One capability.
pub struct Capability {
    /// As announced, without a value.
    pub name: &'static str,
    /// The RFC that defines it, or last did.
    pub rfc: u16,
    when: When,
    /// Commands that exist with it only, as `MOVE` and `UID MOVE`, and words inside commands, as
    /// `FETCH PREVIEW`. `KEY` stands for the criteria of all commands that search.
    commands: &'static [&'static str],
}

/// When a capability is announced.
enum When {
    Always,
    /// Before log-in.
    Before,
    /// After log-in.
    After,
    /// When this is true.
    If(fn(&Session) -> bool),
    /// After log-in, with what this gives behind the name: `=512`.
    Value(fn(&Session) -> String),
}

const fn row(
    name: &'static str,
    rfc: u16,
    when: When,
    commands: &'static [&'static str],
) -> Capability {
    Capability {
        name,
        rfc,
        when,
        commands,
    }
}

use When::{After, Always, Before, If, Value};

/// What CONDSTORE brings into other commands.
const CONDSTORE: &[&str] = &[
    "SELECT CONDSTORE",
    "EXAMINE CONDSTORE",
    "FETCH MODSEQ",
    "FETCH CHANGEDSINCE",
    "STORE UNCHANGEDSINCE",
    "STATUS HIGHESTMODSEQ",
    "LIST HIGHESTMODSEQ",
    "KEY MODSEQ",
];

/// What there is, one line each: first what a client looks for first, then by name.
#[rustfmt::skip]
pub const TABLE: &[Capability] = &[
    row("IMAP4rev1", 3501, Always, &[]),
    row("IMAP4rev2", 9051, Always, &[]),
    row("STARTTLS", 9051, If(may_start_tls), &["STARTTLS"]),
    row("LOGINDISABLED", 9051, If(no_password), &[]),
    row("SASL-IR", 4959, Always, &[]),
    row("AUTH=SCRAM-SHA-256-PLUS", 7677, If(binds), &[]),
    row("AUTH=SCRAM-SHA-256", 7677, Before, &[]),
    row("AUTH=PLAIN", 4616, If(password), &[]),
    // Both lines, or neither: RIGHTS= is a part of ACL (RFC 4314 §2.2).
    row("ACL", 4314, After, &["SETACL", "DELETEACL", "GETACL", "LISTRIGHTS", "MYRIGHTS"]),
    row("APPENDLIMIT", 7889, Value(append_limit), &["STATUS APPENDLIMIT", "LIST APPENDLIMIT"]),
    row("BINARY", 3516, After, &["FETCH BINARY", "FETCH BINARY.PEEK", "FETCH BINARY.SIZE"]),
    row("CATENATE", 4469, After, &[]),
    row("CHILDREN", 3348, After, &[]),
    row("COMPRESS=DEFLATE", 4978, If(may_compress), &["COMPRESS"]),
    row("CONDSTORE", 7162, After, CONDSTORE),
    row("CONTEXT=SEARCH", 5267, After, &["CANCELUPDATE", "SEARCH CONTEXT", "SEARCH UPDATE", "ESEARCH CONTEXT", "ESEARCH UPDATE", "SEARCH PARTIAL"]),
    row("CONTEXT=SORT", 5267, After, &["CANCELUPDATE", "SORT CONTEXT", "SORT UPDATE", "SORT PARTIAL"]),
    row("CREATE-SPECIAL-USE", 6154, After, &["CREATE USE"]),
    row("ENABLE", 5161, Always, &["ENABLE"]),
    row("ESEARCH", 4731, After, &["SEARCH RETURN"]),
    row("ESORT", 5267, After, &["SORT RETURN"]),
    row("FILTERS", 5466, After, &["KEY FILTER"]),
    row("I18NLEVEL=2", 5255, After, &["COMPARATOR"]),
    row("ID", 2971, Always, &["ID"]),
    row("IDLE", 2177, After, &["IDLE"]),
    row("INPROGRESS", 9585, After, &[]),
    row("JMAPACCESS", 9698, If(has_jmap), &["GETJMAPACCESS"]),
    row("LANGUAGE", 5255, Always, &["LANGUAGE"]),
    row("LIST-EXTENDED", 5258, After, &["LIST RETURN", "LIST SUBSCRIBED", "LIST RECURSIVEMATCH", "LIST REMOTE"]),
    row("LIST-MYRIGHTS", 8440, After, &["LIST MYRIGHTS"]),
    row("LIST-STATUS", 5819, After, &["LIST STATUS"]),
    row("LIST-METADATA", 9590, After, &["LIST METADATA"]),
    // LITERAL+ (RFC 7888) is kept for those we know.
    row("LITERAL+", 7888, After, &[]),
    row("LITERAL-", 7888, Before, &[]),
    row("METADATA", 5464, After, &["GETMETADATA", "SETMETADATA"]),
    row("MOVE", 6851, After, &["MOVE", "UID MOVE"]),
    row("MULTIAPPEND", 3502, After, &[]),
    row("MULTISEARCH", 7377, After, &["ESEARCH", "UID ESEARCH"]),
    row("NAMESPACE", 2342, After, &["NAMESPACE"]),
    row("NOTIFY", 5465, After, &["NOTIFY"]),
    row("OBJECTID", 8474, After, &["FETCH EMAILID", "FETCH THREADID", "STATUS MAILBOXID", "LIST MAILBOXID", "KEY EMAILID", "KEY THREADID"]),
    row("PARTIAL", 9394, After, &["FETCH PARTIAL", "SEARCH PARTIAL", "SORT PARTIAL", "ESEARCH PARTIAL"]),
    row("PREVIEW", 8970, After, &["FETCH PREVIEW"]),
    row("QRESYNC", 7162, After, &["SELECT QRESYNC", "EXAMINE QRESYNC", "FETCH VANISHED"]),
    row("QUOTA", 9208, After, &["GETQUOTA", "GETQUOTAROOT", "SETQUOTA"]),
    row("QUOTA=RES-MESSAGE", 9208, After, &[]),
    row("QUOTA=RES-STORAGE", 9208, After, &["STATUS DELETED-STORAGE", "LIST DELETED-STORAGE"]),
    row("REPLACE", 8508, After, &["REPLACE", "UID REPLACE"]),
    row("RIGHTS=kxte", 4314, If(has_acl), &[]),
    row("SAVEDATE", 8514, After, &["FETCH SAVEDATE", "KEY SAVEDBEFORE", "KEY SAVEDON", "KEY SAVEDSINCE", "KEY SAVEDATESUPPORTED"]),
    row("SEARCH=FUZZY", 6203, After, &["KEY FUZZY", "KEY RELEVANCY"]),
    row("SEARCHRES", 5182, After, &["KEY SAVE"]),
    row("SORT", 5256, After, &["SORT", "UID SORT"]),
    row("SORT=DISPLAY", 5957, After, &["SORT DISPLAYFROM", "SORT DISPLAYTO"]),
    row("SPECIAL-USE", 6154, After, &["LIST SPECIAL-USE"]),
    row("STATUS=SIZE", 8438, After, &["STATUS SIZE", "LIST SIZE"]),
    // The draft behind REFS never became an RFC; this is the one that it changes.
    row("THREAD=ORDEREDSUBJECT", 5256, After, &["THREAD ORDEREDSUBJECT"]),
    row("THREAD=REFERENCES", 5256, After, &["THREAD REFERENCES"]),
    row("THREAD=REFS", 5256, After, &["THREAD REFS"]),
    row("UIDONLY", 9586, After, &[]),
    row("UIDPLUS", 4315, After, &["UID EXPUNGE"]),
    row("UNAUTHENTICATE", 8437, After, &["UNAUTHENTICATE"]),
    row("UNSELECT", 3691, After, &["UNSELECT"]),
    row("URL-PARTIAL", 5550, After, &[]),
    row("URLAUTH", 4467, After, &["RESETKEY", "GENURLAUTH", "URLFETCH"]),
    row("URLAUTH=BINARY", 5524, After, &["URLFETCH BINARY", "URLFETCH BODY", "URLFETCH BODYPARTSTRUCTURE"]),
    row("UTF8=ACCEPT", 6855, After, &[]),
    row("WITHIN", 5032, After, &["KEY OLDER", "KEY YOUNGER"]),
];

/// Only before log-in, where TLS is there and not begun.
fn may_start_tls(session: &Session) -> bool {
    !session.logged_in && !session.conn.is_tls() && session.ctx.tls.is_some()
}

/// RFC 9266: TLS 1.3 gives what a log-in can be bound to.
fn binds(session: &Session) -> bool {
    !session.logged_in && session.conn.tls_exporter().is_some()
}

/// Once a connection.
fn may_compress(session: &Session) -> bool {
    session.logged_in && !session.conn.is_compressed()
}

fn has_acl(session: &Session) -> bool {
    session.logged_in && session.offers("ACL")
}

/// RFC 7889 §2: the same for all mailboxes.
fn append_limit(session: &Session) -> String {
    format!("={}", session.ctx.mail.message_size())
}

fn has_jmap(session: &Session) -> bool {
    session.jmap_url().is_some()
}

fn password(session: &Session) -> bool {
    !session.logged_in && session.ctx.may_show_password(&session.conn)
}

/// RFC 9051 §6.2.3: no password in the clear.
fn no_password(session: &Session) -> bool {
    !session.logged_in && !session.ctx.may_show_password(&session.conn)
}

/// CAPABILITY.
pub fn run(session: &mut Session) -> Run {
    let capabilities = session.capabilities();
    session.line(&format!("* CAPABILITY {capabilities}"));
    Ok(Answer::ok("CAPABILITY completed"))
}

/// The name as [`TABLE`] writes it, for `--imap-without`.
///
/// # Errors
/// A sentence with the names that there are. LOGINDISABLED is none of them: it says what is so.
pub fn switchable(name: &str) -> Result<&'static str, String> {
    let names = || {
        let names = TABLE.iter().map(|row| row.name);
        names.filter(|name| *name != "LOGINDISABLED")
    };
    let found = names().find(|known| known.eq_ignore_ascii_case(name));
    found.ok_or_else(|| format!("there are {}", Vec::from_iter(names()).join(" ")))
}

fn is_off(config: &Config, name: &str) -> bool {
    let off = &config.imap_without;
    off.iter().any(|off| off.eq_ignore_ascii_case(name))
}

impl Session {
    /// What is true now, on this connection.
    pub(in crate::imap) fn capabilities(&self) -> String {
        let mut list = String::with_capacity(512);
        let config = &self.ctx.config;
        for row in TABLE.iter().filter(|row| !is_off(config, row.name)) {
            let here = match row.when {
                When::Always => true,
                When::Before => !self.logged_in,
                When::After | When::Value(_) => self.logged_in,
                When::If(so) => so(self),
            };
            if !here {
                continue;
            }
            if !list.is_empty() {
                list.push(' ');
            }
            list.push_str(row.name);
            if let When::Value(value) = row.when {
                list.push_str(&value(self));
            }
        }
        list
    }

    /// Whether a capability has not been switched off: what ENABLE, AUTHENTICATE and options inside
    /// commands ask. Any case.
    pub(in crate::imap) fn offers(&self, name: &str) -> bool {
        !is_off(&self.ctx.config, name)
    }

    /// Whether a command (`MOVE`, `UID MOVE`) went with the capabilities that are switched off.
    pub(in crate::imap) fn is_command_off(&self, command: &str) -> bool {
        let mut rows = TABLE.iter().filter(|row| row.commands.contains(&command));
        let first = rows.next();
        first
            .into_iter()
            .chain(rows)
            .all(|row| !self.offers(row.name))
            && first.is_some()
    }

    /// The words that the command in the framer does not have, because all capabilities that they
    /// belong to are switched off.
    pub(in crate::imap) fn words_off(&self) -> Vec<&'static str> {
        let mut off = Vec::new();
        if self.ctx.config.imap_without.is_empty() {
            return off;
        }
        let name = wire::name_of(self.framer.command()).unwrap_or_default();
        let name = name.strip_prefix("UID ").unwrap_or(&name);
        let searches = ["SEARCH", "SORT", "THREAD", "ESEARCH"].contains(&name);
        for entry in TABLE.iter().flat_map(|row| row.commands) {
            if let Some((command, word)) = entry.split_once(' ')
                && (command == name || command == "KEY" && searches)
                && self.is_command_off(entry)
            {
                off.push(word);
            }
        }
        off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(switchable("move"), Ok("MOVE"));
        assert!(switchable("LOGINDISABLED").is_err());
        assert!(switchable("X").unwrap_err().contains(" MOVE "));
        for (at, row) in TABLE.iter().enumerate() {
            assert!(
                TABLE.iter().skip(at + 1).all(|o| o.name != row.name),
                "{}",
                row.name
            );
        }
    }
}
