//! One file per command, or per pair that is one thing; each answers and says what comes after.
mod capa;
mod dele;
mod list;
mod login;
mod quit;
mod retr;
mod stls;

pub(super) use capa::{capa, lang, utf8};
pub(super) use dele::{dele, rset};
pub(super) use list::{list, stat, uidl};
pub(super) use login::{apop, auth, pass, user};
pub(super) use quit::quit;
pub(super) use retr::{retr, top};
pub(super) use stls::stls;

use super::maildrop::{Missing, Refusal};
use super::session::{Flow, Session};
use super::wire::Code;
use crate::mail;

/// No message to answer with: what the client is told.
fn refuse(session: &mut Session, refusal: Refusal) -> Flow {
    match refusal {
        Refusal::Missing(Missing::Beyond(0)) => {
            session.refuse(Code::None, "no such message, the maildrop is empty")
        }
        Refusal::Missing(Missing::Beyond(count)) => {
            let text = format!("no such message, only {count} in the maildrop");
            session.refuse(Code::None, &text)
        }
        Refusal::Missing(Missing::Marked) => {
            session.refuse(Code::None, "that message is marked deleted")
        }
        Refusal::Missing(Missing::Gone) => {
            session.refuse(Code::None, "that message was removed by another session")
        }
        Refusal::Engine(error) => trouble(session, &error),
    }
}

/// The engine refused: what the client is told, and the log where it may help.
fn trouble(session: &mut Session, error: &mail::Error) -> Flow {
    log::warn!("[{}] pop3: {error}", session.conn.number());
    let (code, text) = answer(error);
    session.refuse(code, text)
}

/// RFC 3206 §4: what may work later is SYS/TEMP, what cannot is SYS/PERM.
fn answer(error: &mail::Error) -> (Code, &'static str) {
    use mail::Error as E;
    match error {
        E::NoSuchEmail => (Code::None, "that message was removed by another session"),
        E::DiskFull => (Code::SysTemp, "the disk is full, try again later"),
        E::OverQuota => (Code::SysTemp, "the quota is used up"),
        E::Unavailable => (Code::SysTemp, "the store is not available, try again later"),
        // RFC 3206 §5: it is the credentials that do not permit it.
        E::NoPermission => (Code::Auth, "this app password does not permit it"),
        // Nothing that POP3 asks of the engine can end in these.
        E::NoSuchMailbox
        | E::MailboxExists
        | E::MailboxHasChildren
        | E::MailboxNotEmpty
        | E::InboxStays
        | E::BadName(_)
        | E::RoleTaken
        | E::ParentLoop
        | E::NoMailboxes
        | E::TooLarge(_)
        | E::TooManyKeywords
        | E::BadKeyword
        | E::Limit(_)
        | E::StateMismatch
        | E::NotAnnotated(_)
        | E::CannotCalculate => (Code::SysPerm, "internal error, see the server's log"),
    }
}
