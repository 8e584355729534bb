//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208). One root, `""`, for everything in the store; there
//! is none while nothing is limited. The limits are the flags' (`--quota`, `--quota-messages`), so
//! that QUOTASET is not announced and SETQUOTA is refused.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::{encode, mailbox};
use crate::mail::Rights;

/// GETQUOTA.
pub fn get(session: &mut Session, root: &str) -> Run {
    if !session.has_quota_root() || !root.is_empty() {
        return Answer::no("[NONEXISTENT] no such quota root").stop();
    }
    session.quota_response();
    Ok(Answer::ok("GETQUOTA completed"))
}

/// GETQUOTAROOT. The mailbox need not be there (RFC 9208 §4.1.2); where it is, `r` is asked for
/// (ibid. §6).
pub fn root(session: &mut Session, name: &str) -> Run {
    let meta = session.mail().meta();
    if let Some(found) = meta.by_path(name)
        && !found.rights.has(Rights::READ)
    {
        return Answer::no("[NOPERM] this mailbox may not be read").stop();
    }
    let (utf8, limited) = (session.enabled.utf8, session.has_quota_root());
    let out = session.conn.out();
    out.extend_from_slice(b"* QUOTAROOT ");
    mailbox::write(out, name, utf8);
    out.extend_from_slice(if limited { b" \"\"\r\n" } else { b"\r\n" });
    if limited {
        session.quota_response();
    }
    Ok(Answer::ok("GETQUOTAROOT completed"))
}

/// SETQUOTA.
pub fn set() -> Run {
    Answer::no("[NOPERM] quotas are set where the server is started").stop()
}

impl Session {
    /// Whoever does not see everything is not told how much there is (RFC 9208 §8).
    fn has_quota_root(&self) -> bool {
        let mail = self.mail();
        let all = mail.principal().is_none_or(|who| who.everywhere);
        all && (mail.quota() > 0 || mail.message_quota() > 0)
    }

    /// `* QUOTA "" (...)`: STORAGE in units of 1024 octets, and MESSAGE, as far as they are limited.
    /// A message in several mailboxes counts once, as it is stored once.
    fn quota_response(&mut self) {
        let mail = self.mail();
        let meta = mail.meta();
        let all = [
            ("STORAGE", meta.bytes.div_ceil(1024), mail.quota() / 1024),
            ("MESSAGE", meta.emails.into(), mail.message_quota().into()),
        ];
        let limited = all.into_iter().filter(|(_, _, limit)| *limit > 0);
        let out = self.conn.out();
        out.extend_from_slice(b"* QUOTA \"\" ");
        encode::list(out, limited, |out, (name, usage, limit): (_, u64, u64)| {
            encode::formatted(out, format_args!("{name} {usage} {limit}"));
        });
        out.extend_from_slice(b"\r\n");
    }
}
