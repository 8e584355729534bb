//! SORT and UID SORT (RFC 5256 §3, RFC 5267 §3, RFC 5957, RFC 6203 §6).

use super::found::Found;
use super::search::{Told, look, or_unsaved, tell};
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::Numbers;
use crate::imap::wire::sort::{By, Sort};
use crate::mail::{Criterion, Order};

/// SORT.
pub async fn run(session: &mut Session, tag: &str, args: &Sort, numbers: Numbers) -> Run {
    let search = &args.search;
    session.check_context(tag, search.options)?;
    let looked = look(session, search).await;
    let (program, query, set) = or_unsaved(session, search, looked)?;
    let by = args
        .by
        .iter()
        .map(|(by, reverse)| (criterion(*by), *reverse));
    let order = Order::new(by.collect(), Some(query.clone()));
    let mailbox = session.selected()?.mailbox;
    let mail = session.mail();
    let sorting = mail.sorted(mailbox, &set, order.clone());
    let list = session.patiently(None, sorting).await??;
    let answer = Told {
        tag,
        name: "SORT",
        numbers,
        program: &program,
        query,
    };
    let kept = search.options.filter(|options| options.update);
    let kept = kept.map(|_| Found::List(list.clone()));
    tell(session, answer, search.options, Found::List(list)).await?;
    if let Some(results) = kept {
        let fetch = &search.fetch;
        session.keep_context(tag, numbers, program, fetch, Some(order), results)?;
    }
    Ok(Answer::ok("SORT completed"))
}

fn criterion(by: By) -> Criterion {
    match by {
        By::Arrival => Criterion::Arrival,
        By::Cc => Criterion::Cc,
        By::Date => Criterion::Date,
        By::From => Criterion::From,
        By::Size => Criterion::Size,
        By::Subject => Criterion::Subject,
        By::To => Criterion::To,
        By::DisplayFrom => Criterion::DisplayFrom,
        By::DisplayTo => Criterion::DisplayTo,
        By::Relevancy => Criterion::Relevancy,
    }
}
