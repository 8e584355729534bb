//! ESEARCH: a search of several mailboxes (RFC 7377).
//!
//! One mailbox after the other, each told as soon as it is searched: what is held is the result of
//! one. A mailbox that does not exist, or may not be read, is passed over in silence.

use super::criteria::{Program, Scope};
use super::found::{Found, Head, esearch};
use super::search::{highest, look, or_unsaved, relevancy, save};
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::wire::Numbers;
use crate::imap::wire::esearch::{Esearch, Source};
use crate::imap::wire::search::Options;
use crate::mail::{
    Error, Mailbox, MailboxId, Meta, Query, Reached, Rights, Uid, UidSet, same_path,
};
use std::sync::Arc;

/// ESEARCH.
pub async fn run(session: &mut Session, tag: &str, args: &Esearch) -> Run {
    let only_selected = args.sources.iter().all(|it| *it == Source::Selected);
    let selected = only_selected || args.sources.contains(&Source::Selected);
    let options = args.search.options.unwrap_or(Options::ALL);
    if selected && session.selected.is_none() {
        return Answer::bad("no mailbox is selected").stop();
    }
    // RFC 7377 §2.2: what is saved or updated belongs to the selected mailbox.
    if !only_selected && (options.save || options.update) {
        return Answer::bad("SAVE and UPDATE are for the selected mailbox alone").stop();
    }
    session.check_context(tag, args.search.options)?;
    // RFC 7377 §2: no result option means ALL. CONTEXT and UPDATE ask for no data.
    let meta = session.mail().meta();
    if only_selected {
        let looked = look(session, &args.search).await;
        let (program, query, set) = or_unsaved(session, &args.search, looked)?;
        let id = session.selected()?.mailbox;
        let mailbox = meta.mailbox(id).ok_or(Error::NoSuchMailbox)?.clone();
        let found = Found::Set(set);
        if !options.is_silent() {
            tell(session, tag, &mailbox, &found, options, &program, query).await?;
        }
        if options.save {
            save(session, found.returned(options))?;
        }
        if options.update {
            let fetch = &args.search.fetch;
            session.keep_context(tag, Numbers::Uid, program, fetch, None, found)?;
        }
        return Ok(Answer::ok("ESEARCH completed"));
    }
    let program = Program::new(session, &args.search)?;
    let here = session.selected.as_ref().map(|selected| selected.mailbox);
    for mailbox in chosen(&meta, &args.sources, here) {
        let Some((query, within)) = query(session, &program, &mailbox)? else {
            continue;
        };
        let mail = session.mail();
        let reached = Reached::default();
        let looking = mail.search(mailbox.id, &within, query.clone(), &reached);
        // Not counted: each mailbox would be another goal.
        match session.patiently(None, looking).await? {
            Ok(set) => {
                let found = Found::Set(set);
                tell(session, tag, &mailbox, &found, options, &program, query).await?;
            }
            // Others may delete it meanwhile.
            Err(Error::NoSuchMailbox | Error::NoPermission) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Answer::ok("ESEARCH completed"))
}

/// The query for a mailbox, and its messages; `None` where it is gone.
fn query(
    session: &Session,
    program: &Program,
    mailbox: &Mailbox,
) -> Result<Option<(Query, UidSet)>, Stop> {
    if let Some(selected) = &session.selected
        && selected.mailbox == mailbox.id
    {
        return Ok(Some((
            program.of_selected(session)?,
            selected.uids().clone(),
        )));
    }
    let mail = session.mail();
    let (view, recent) = match (mail.view(mailbox.id), mail.peek_recent(mailbox.id)) {
        (Ok(view), Ok(recent)) => (view, recent),
        (Err(Error::NoSuchMailbox | Error::NoPermission), _)
        | (_, Err(Error::NoSuchMailbox | Error::NoPermission)) => return Ok(None),
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    };
    let scope = Scope {
        uids: &view.uids,
        // `$` is of the selected mailbox.
        saved: &UidSet::new(),
        recent: &view.uids.and(&UidSet::range(recent.max(1), Uid::MAX)),
    };
    Ok(Some((program.query(&scope)?, view.uids.clone())))
}

/// One ESEARCH response, if there is anything to tell (RFC 7377 §2.1).
async fn tell(
    session: &mut Session,
    tag: &str,
    mailbox: &Mailbox,
    found: &Found,
    options: Options,
    program: &Program,
    query: Query,
) -> Result<(), Stop> {
    if found.len() == 0 {
        return Ok(());
    }
    let modseq = match program.key.uses_modseq() {
        true => highest(session, mailbox.id, &found.returned(options))?,
        false => None,
    };
    let scores = match options.relevancy {
        true => relevancy(session, mailbox.id, found, query).await?,
        false => Vec::new(),
    };
    let head = Head {
        tag,
        mailbox: Some((&mailbox.path, mailbox.uidvalidity)),
        uid: true,
    };
    esearch(session, &head, found, options, modseq, &scores).await
}

/// The mailboxes that sources name, each once. Those that are not named themselves need `l`, all
/// need `r` (RFC 7377 §2.2).
fn chosen(meta: &Meta, sources: &[Source], here: Option<MailboxId>) -> Vec<Arc<Mailbox>> {
    let named = |mailbox: &Mailbox, names: &[String]| {
        names.iter().any(|name| same_path(&mailbox.path, name))
    };
    let below = |mailbox: &Mailbox, names: &[String], levels: usize| {
        let mut above = Some(mailbox.clone());
        for _ in 0..=levels {
            let Some(at) = above else {
                return false;
            };
            if named(&at, names) {
                return true;
            }
            above = at
                .parent
                .and_then(|id| meta.mailbox(id))
                .map(|m| Mailbox::clone(m));
        }
        false
    };
    let listed = |mailbox: &Mailbox| mailbox.rights.has(Rights::LOOKUP);
    let is_in = |mailbox: &Mailbox, source: &Source| match source {
        Source::Selected => here == Some(mailbox.id),
        // RFC 5465 §6.3: the same where it is not known where mail is delivered to.
        Source::Inboxes | Source::Personal => listed(mailbox),
        Source::Subscribed => mailbox.subscribed && listed(mailbox),
        Source::Mailboxes(names) => named(mailbox, names),
        Source::Subtree(names) => {
            named(mailbox, names)
                || listed(mailbox) && below(mailbox, names, crate::limits::MAILBOX_DEPTH)
        }
        Source::SubtreeOne(names) => {
            named(mailbox, names) || listed(mailbox) && below(mailbox, names, 1)
        }
    };
    let readable = meta
        .mailboxes
        .iter()
        .filter(|it| it.rights.has(Rights::READ));
    let chosen = readable.filter(|it| sources.iter().any(|source| is_in(it, source)));
    chosen.cloned().collect()
}
