//! SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3), and MYRIGHTS in LIST (RFC 8440).
//!
//! Identifiers are the owner, under any name that logs in, and the names of app passwords. The
//! owner's rights are all of them, always. An app password made without a list of mailboxes has all
//! of them too until something else is set. There is no `anyone`, since there is nobody else, and
//! there are no negative rights (RFC 4314 §2 leaves them to the server).

use crate::auth;
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::wire::acl::{Acl, Change, What};
use crate::imap::wire::{encode, mailbox};
use crate::mail::{Mailbox, Rights};
use std::sync::Arc;

/// One of the five.
pub async fn run(session: &mut Session, args: &Acl) -> Run {
    let mail = session.mail();
    // RFC 4314 §6: what may not be listed does not exist, as far as these commands tell.
    let any = Rights::parse("lrikxa").unwrap_or_default();
    let meta = mail.meta();
    let found = meta.by_path(&args.mailbox);
    let Some(found) = found.filter(|found| found.rights.any(any)).cloned() else {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    };
    if args.what == What::Mine {
        session.my_rights(&found);
        return Ok(Answer::ok("MYRIGHTS completed"));
    }
    if !found.rights.has(Rights::ADMIN) {
        return Answer::no("[NOPERM] this needs the right to administer the mailbox").stop();
    }
    match &args.what {
        What::Set(identifier, change) => {
            set(session, &found, identifier, Some(*change)).await?;
            Ok(Answer::ok("SETACL completed"))
        }
        What::Delete(identifier) => {
            set(session, &found, identifier, None).await?;
            Ok(Answer::ok("DELETEACL completed"))
        }
        What::Get => get(session, &found),
        What::List(identifier) => list(session, &found, identifier),
        What::Mine => Ok(Answer::ok("MYRIGHTS completed")),
    }
}

/// Whom an identifier stands for.
enum Who {
    Owner,
    App(Arc<auth::App>),
}

fn who(session: &Session, identifier: &str) -> Result<Who, Stop> {
    let name = auth::prepare(identifier);
    if session.ctx.config.is_user(&name) {
        return Ok(Who::Owner);
    }
    let apps = session.ctx.auth.apps();
    if let Some(app) = apps.iter().find(|app| app.name() == name) {
        return Ok(Who::App(app.clone()));
    }
    Answer::no(if name.starts_with('-') {
        "[CANNOT] there are no negative rights here: take rights away instead"
    } else {
        "[CANNOT] identifiers are the owner and the names of app passwords"
    })
    .stop()
}

/// SETACL, or DELETEACL without a change.
async fn set(
    session: &mut Session,
    found: &Mailbox,
    identifier: &str,
    change: Option<Change>,
) -> Result<(), Stop> {
    let app = match who(session, identifier)? {
        Who::App(app) => app,
        // The owner's rights stay: to grant some of them changes nothing.
        Who::Owner => match change {
            Some(Change::Add(_) | Change::Replace(Rights::ALL)) => return Ok(()),
            _ => return Answer::no("[CANNOT] the owner has all rights").stop(),
        },
    };
    let everywhere = app.principal.everywhere;
    let change = move |old: Option<Rights>| {
        let usual = if everywhere {
            Rights::ALL
        } else {
            Rights::NONE
        };
        let now = old.unwrap_or(usual);
        let new = match change {
            Some(Change::Add(more)) => now.with(more),
            Some(Change::Remove(less)) => now.without(less),
            Some(Change::Replace(these)) => these,
            None => Rights::NONE,
        };
        (new != usual).then_some(new)
    };
    let mail = session.mail();
    Ok(mail.set_acl(found.id, app.name(), change).await?)
}

/// GETACL: the owner, then everybody who has any right.
fn get(session: &mut Session, found: &Mailbox) -> Run {
    let listed = session.mail().acl(found.id)?;
    let mut all = vec![(session.ctx.config.user.clone(), Rights::ALL)];
    for app in session.ctx.auth.apps() {
        let entry = listed.iter().find(|(name, _)| name == app.name());
        let rights = match entry {
            Some((_, rights)) => *rights,
            None if app.principal.everywhere => Rights::ALL,
            None => Rights::NONE,
        };
        if !rights.is_empty() {
            all.push((app.name().to_owned(), rights));
        }
    }
    let utf8 = session.enabled.utf8;
    let out = session.conn.out();
    out.extend_from_slice(b"* ACL ");
    mailbox::write(out, &found.path, utf8);
    for (name, rights) in all {
        out.push(b' ');
        encode::astring(out, name.as_bytes(), utf8);
        out.push(b' ');
        out.extend_from_slice(rights.with_obsolete().as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    Ok(Answer::ok("GETACL completed"))
}

/// LISTRIGHTS: the owner has all, whatever is set; others may be given each right by itself. The
/// identifier comes back as it was written (RFC 4314 §3.4).
fn list(session: &mut Session, found: &Mailbox, identifier: &str) -> Run {
    let rights = match who(session, identifier)? {
        Who::Owner => Rights::ALL.with_obsolete(),
        Who::App(_) => {
            let letters = Rights::ALL.with_obsolete();
            letters.chars().fold("\"\"".to_owned(), |mut all, letter| {
                all.push(' ');
                all.push(letter);
                all
            })
        }
    };
    let utf8 = session.enabled.utf8;
    let out = session.conn.out();
    out.extend_from_slice(b"* LISTRIGHTS ");
    mailbox::write(out, &found.path, utf8);
    out.push(b' ');
    encode::astring(out, identifier.as_bytes(), utf8);
    encode::formatted(out, format_args!(" {rights}\r\n"));
    Ok(Answer::ok("LISTRIGHTS completed"))
}

impl Session {
    /// `* MYRIGHTS name rights`
    pub(in crate::imap) fn my_rights(&mut self, found: &Mailbox) {
        let utf8 = self.enabled.utf8;
        let rights = found.rights.with_obsolete();
        let out = self.conn.out();
        out.extend_from_slice(b"* MYRIGHTS ");
        mailbox::write(out, &found.path, utf8);
        encode::formatted(out, format_args!(" {rights}\r\n"));
    }
}
