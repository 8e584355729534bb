//! SEARCH and UID SEARCH (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5,
//! RFC 9394 §3.1).

use super::criteria::Program;
use super::found::{Found, Head, esearch, plain};
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::tell::batch;
use crate::imap::wire::Numbers;
use crate::imap::wire::search::{Options, Search};
use crate::limits;
use crate::mail::{MailboxId, Modseq, Query, Reached, UidSet};
use std::sync::atomic::Ordering;

/// SEARCH.
pub async fn run(session: &mut Session, tag: &str, args: &Search, numbers: Numbers) -> Run {
    session.check_context(tag, args.options)?;
    let looked = look(session, args).await;
    let (program, query, set) = or_unsaved(session, args, looked)?;
    let answer = Told {
        tag,
        name: "SEARCH",
        numbers,
        program: &program,
        query,
    };
    let kept = args.options.filter(|options| options.update);
    let kept = kept.map(|_| Found::Set(set.clone()));
    tell(session, answer, args.options, Found::Set(set)).await?;
    if let Some(results) = kept {
        session.keep_context(tag, numbers, program, &args.fetch, None, results)?;
    }
    Ok(Answer::ok("SEARCH completed"))
}

/// RFC 9051 §6.4.4.1: a search with SAVE that fails leaves nothing saved.
pub fn or_unsaved<T>(
    session: &mut Session,
    args: &Search,
    found: Result<T, Stop>,
) -> Result<T, Stop> {
    if found.is_err() && args.options.is_some_and(|options| options.save) {
        session.selected_mut()?.saved = UidSet::new();
    }
    found
}

/// What the criteria hold for in the selected mailbox.
pub async fn look(session: &mut Session, args: &Search) -> Result<(Program, Query, UidSet), Stop> {
    let program = Program::new(session, args)?;
    let query = program.of_selected(session)?;
    let selected = session.selected()?;
    let (mailbox, within) = (selected.mailbox, selected.uids().clone());
    let mail = session.mail();
    let reached = Reached::default();
    let count = || (within.rank(reached.load(Ordering::Relaxed)), within.len());
    let looking = mail.search(mailbox, &within, query.clone(), &reached);
    let found = session.patiently(Some(&count), looking).await??;
    Ok((program, query, found))
}

/// How the result of a search is told.
pub struct Told<'a> {
    /// The command's tag.
    pub tag: &'a str,
    /// The response's name without return options.
    pub name: &'static str,
    /// What the numbers in it are.
    pub numbers: Numbers,
    /// What was searched for...
    pub program: &'a Program,
    /// ...as a query.
    pub query: Query,
}

/// Tells what was found (UIDs, in order), and saves it where that is asked for.
pub async fn tell(
    session: &mut Session,
    told: Told<'_>,
    options: Option<Options>,
    found: Found,
) -> Result<(), Stop> {
    let asked = options;
    // RFC 9051 §6.4.4: rev2 has no SEARCH response.
    let rev2 = session.enabled.rev2 && told.name == "SEARCH";
    let options = asked.or(rev2.then_some(Options::ALL));
    let returned = match (told.program.key.uses_modseq(), options) {
        (true, Some(options)) => Some(found.returned(options)),
        (true, None) => Some(found.set()),
        (false, _) => None,
    };
    let modseq = match returned {
        Some(returned) => highest(session, session.selected()?.mailbox, &returned)?,
        None => None,
    };
    let scores = match options {
        Some(options) if options.relevancy => {
            let mailbox = session.selected()?.mailbox;
            relevancy(session, mailbox, &found, told.query).await?
        }
        _ => Vec::new(),
    };
    let saved = match asked {
        Some(options) if options.save => Some(found.returned(options)),
        _ => None,
    };
    let uid = told.numbers == Numbers::Uid;
    let found = match told.numbers {
        Numbers::Uid => found,
        Numbers::Sequence => found.numbers(session.selected()?),
    };
    match options {
        // RFC 9051 §6.4.4: SAVE alone suppresses the response.
        Some(options) if options.is_silent() => {}
        Some(options) => {
            let (tag, mailbox) = (told.tag, None);
            let head = Head { tag, mailbox, uid };
            esearch(session, &head, &found, options, modseq, &scores).await?;
        }
        None => plain(session, told.name, &found, modseq).await?,
    }
    match saved {
        Some(saved) => save(session, saved),
        None => Ok(()),
    }
}

/// The scores of what was found, in its order (RFC 6203 §4).
pub async fn relevancy(
    session: &Session,
    mailbox: MailboxId,
    found: &Found,
    query: Query,
) -> Result<Vec<u8>, Stop> {
    let (mail, set) = (session.mail(), found.set());
    let scores = mail.relevance(mailbox, &set, query).await?;
    Ok(match found {
        Found::Set(_) => scores,
        Found::List(list) => {
            let place = |uid: &u32| set.position(*uid).map(|place| place as usize);
            let score = |uid: &u32| place(uid).and_then(|place| scores.get(place)).copied();
            list.iter().map(|uid| score(uid).unwrap_or(1)).collect()
        }
    })
}

/// The highest modification sequence of what is returned (RFC 7162 §3.1.5, §3.1.6); none if
/// nothing is.
pub fn highest(
    session: &Session,
    mailbox: MailboxId,
    told: &UidSet,
) -> Result<Option<Modseq>, Stop> {
    let mail = session.mail();
    let mut highest = None;
    let mut from = told.first();
    while let Some(first) = from {
        let (rows, next) = batch(&mail, mailbox, told, first)?;
        highest = rows.iter().map(|row| row.modseq).chain(highest).max();
        from = next;
    }
    Ok(highest)
}

/// `$` from here on (RFC 9051 §6.4.4.1, RFC 9394 §3.2).
pub fn save(session: &mut Session, saved: UidSet) -> Result<(), Stop> {
    if saved.runs().len() > limits::IMAP_SAVED_RUNS {
        session.selected_mut()?.saved = UidSet::new();
        return Answer::no("[NOTSAVED] the result has too many gaps to be kept").stop();
    }
    session.selected_mut()?.saved = saved;
    Ok(())
}
