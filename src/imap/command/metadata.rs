//! GETMETADATA and SETMETADATA (RFC 5464), METADATA responses for LIST (RFC 9590), and those that
//! nobody asked for (RFC 5464 §4.4.2).

use super::{create, criteria, list};
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::mailbox;
use crate::imap::wire::metadata::{self, Depth, Get, Set};
use crate::mail::{Error, MailboxId, MailboxUpdate, Modseq};

/// The server's entry that nobody can change (RFC 5464 §3.2.1.1).
const ADMIN: &str = "/shared/admin";

/// The mailbox's special use, in the form that LIST has it in (RFC 6154 §4).
const USE: &str = "/private/specialuse";

/// What the client knows of annotations, once it has asked to be told with ENABLE.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Changes up to here; `None`: it has not asked.
    until: Option<Modseq>,
    /// Its own last change.
    own: Option<Modseq>,
}

impl Told {
    /// It has asked.
    pub fn is_on(&self) -> bool {
        self.until.is_some()
    }
}

/// GETMETADATA.
pub async fn get(session: &mut Session, args: &Get) -> Run {
    let place = session.place(args.mailbox.as_deref())?;
    let all = session.annotations(place)?;
    let mut too_long = None;
    let found = chosen(&all, &args.entries, args.depth);
    let fits = |value: &Option<&[u8]>| {
        let size = value.map_or(0, <[u8]>::len);
        args.max_size.is_none_or(|most| size <= most as usize)
    };
    let (short, long): (Vec<_>, Vec<_>) = found.into_iter().partition(|(_, value)| fits(value));
    for (_, value) in long {
        too_long = too_long.max(value.map(<[u8]>::len));
    }
    let name = args.mailbox.as_deref().unwrap_or_default();
    for (entry, value) in short {
        session.metadata_response(name, &[(entry, value)]);
        session.conn.spill().await?;
    }
    Ok(Answer::ok(match too_long {
        Some(size) => format!("[METADATA LONGENTRIES {size}] GETMETADATA completed"),
        None => "GETMETADATA completed".into(),
    }))
}

/// The entries asked for and those below them. One that is not there is NIL, unless there is
/// something below it.
fn chosen<'a>(
    all: &'a [(String, Vec<u8>)],
    wanted: &'a [String],
    depth: Depth,
) -> Vec<(&'a str, Option<&'a [u8]>)> {
    let mut found: Vec<(&str, Option<&[u8]>)> = Vec::new();
    for name in wanted {
        let before = found.len();
        for (entry, value) in all {
            let (head, rest) = entry
                .split_at_checked(name.len())
                .unwrap_or(("", entry.as_str()));
            let below = rest.strip_prefix('/');
            let here = head.eq_ignore_ascii_case(name)
                && match depth {
                    Depth::Entry => rest.is_empty(),
                    Depth::Children => {
                        rest.is_empty() || below.is_some_and(|rest| !rest.contains('/'))
                    }
                    Depth::All => rest.is_empty() || below.is_some(),
                };
            if here {
                let shown = if rest.is_empty() { name } else { entry };
                found.push((shown, Some(value)));
            }
        }
        if found.len() == before {
            found.push((name, None));
        }
    }
    found
}

/// SETMETADATA.
pub async fn set(session: &mut Session, args: &mut Set) -> Run {
    let place = session.place(args.mailbox.as_deref())?;
    if place.is_none() && args.entries.iter().any(|(entry, _)| entry == ADMIN) {
        return Answer::no("[NOPERM] /shared/admin cannot be changed").stop();
    }
    if let Some(id) = place
        && args.entries.iter().any(|(entry, _)| entry == USE)
    {
        return set_use(session, id, &args.entries).await;
    }
    let broken = |(entry, value): &(String, Option<Vec<u8>>)| {
        let value = value.as_deref();
        value.is_some_and(|value| criteria::is_broken_filter(entry, value))
    };
    if place.is_none() && args.entries.iter().any(broken) {
        let text = "[CANNOT] a filter has to be a whole search criterion, under a plain name";
        return Answer::no(text).stop();
    }
    let own = session
        .mail()
        .annotate(place, std::mem::take(&mut args.entries))
        .await?;
    session.told.own = own.or(session.told.own);
    session.annotated(own);
    Ok(Answer::ok("SETMETADATA completed"))
}

/// `/private/specialuse` is the mailbox's role, which the engine keeps: it is set by itself.
async fn set_use(
    session: &mut Session,
    id: MailboxId,
    entries: &[(String, Option<Vec<u8>>)],
) -> Run {
    let value = match entries {
        [(_, value)] => value,
        _ => return Answer::no("[CANNOT] set /private/specialuse by itself").stop(),
    };
    let role = match value {
        None => None,
        Some(value) => match create::role(&String::from_utf8_lossy(value)) {
            Some(role) => Some(role),
            None => return Answer::no("[USEATTR] not a use that a mailbox can have").stop(),
        },
    };
    let update = MailboxUpdate {
        role: Some(role),
        ..MailboxUpdate::default()
    };
    session.mail().update_mailbox(id, update).await?;
    Ok(Answer::ok("SETMETADATA completed"))
}

impl Session {
    /// The mailbox of this name, or `None` for the server.
    fn place(&self, name: Option<&str>) -> Result<Option<MailboxId>, Error> {
        let Some(name) = name else { return Ok(None) };
        let meta = self.mail().meta();
        let found = meta.by_path(name).ok_or(Error::NoSuchMailbox)?;
        Ok(Some(found.id))
    }

    /// What is stored, and what the server says of itself.
    fn annotations(&self, place: Option<MailboxId>) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mail = self.mail();
        let mut all = mail.annotations(place)?;
        let meta = mail.meta();
        let used = place
            .and_then(|id| meta.mailbox(id))
            .and_then(|m| list::use_of(m));
        if let Some(used) = used.filter(|_| mail.principal().is_none_or(|who| who.everywhere)) {
            all.push((USE.to_owned(), used.as_bytes().to_vec()));
        }
        if place.is_none() {
            let domain = self.ctx.config.domains.first();
            let admin = domain.map(|domain| format!("mailto:postmaster@{domain}"));
            all.extend(admin.map(|admin| (ADMIN.to_owned(), admin.into_bytes())));
        }
        Ok(all)
    }

    /// The METADATA response of one mailbox, for LIST (RFC 9590 §3).
    pub(in crate::imap) fn list_metadata(
        &mut self,
        mailbox: &crate::mail::Mailbox,
        entries: &[String],
    ) -> Result<(), Error> {
        let all = match self.annotations(Some(mailbox.id)) {
            Ok(all) => all,
            // RFC 9590 §3: what cannot be looked up is left out.
            Err(Error::NoPermission | Error::NoSuchMailbox) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.metadata_response(&mailbox.path, &chosen(&all, entries, Depth::Entry));
        Ok(())
    }

    fn metadata_response(&mut self, name: &str, entries: &[(&str, Option<&[u8]>)]) {
        let utf8 = self.enabled.utf8;
        let out = self.conn.out();
        out.extend_from_slice(b"* METADATA ");
        mailbox::write(out, name, utf8);
        out.push(b' ');
        crate::imap::wire::encode::list(out, entries, |out, (entry, value)| {
            crate::imap::wire::encode::astring(out, entry.as_bytes(), false);
            out.push(b' ');
            metadata::value(out, *value, utf8);
        });
        out.extend_from_slice(b"\r\n");
    }

    /// ENABLE METADATA: from now on changes are told.
    pub(in crate::imap) fn tell_annotations_from_now(&mut self) {
        if self.told.until.is_none() {
            self.told.until = Some(self.mail().meta().annotated);
        }
    }

    /// METADATA responses without values, for what others changed (RFC 5464 §4.4.2).
    pub(in crate::imap) fn tell_annotations(&mut self) -> Result<(), Error> {
        let mail = self.mail();
        let now = mail.meta().annotated;
        let Some(since) = self.told.until.filter(|until| *until < now) else {
            return Ok(());
        };
        let own = self.told.own;
        let changes = mail.annotation_changes(since, |modseq| Some(modseq) == own)?;
        let meta = mail.meta();
        for (place, entries) in changes {
            let mailbox = place.map(|id| meta.mailbox(id).map(|mailbox| mailbox.path.as_str()));
            // It was deleted meanwhile.
            let Some(name) = mailbox.unwrap_or(Some("")) else {
                continue;
            };
            let utf8 = self.enabled.utf8;
            let out = self.conn.out();
            out.extend_from_slice(b"* METADATA ");
            mailbox::write(out, name, utf8);
            for entry in entries {
                out.push(b' ');
                crate::imap::wire::encode::astring(out, entry.as_bytes(), false);
            }
            out.extend_from_slice(b"\r\n");
        }
        self.told.until = Some(now);
        Ok(())
    }
}
