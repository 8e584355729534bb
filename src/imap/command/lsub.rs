//! LSUB (RFC 3501 §6.3.9).

use super::subscribe;
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::list::{List, joined, matches};
use crate::imap::wire::mailbox;
use std::collections::BTreeSet;

/// LSUB: subscribed names. A pattern with `%` that stops above a subscribed name gives that level as
/// \Noselect (ibid.).
pub async fn run(session: &mut Session, args: &List) -> Run {
    let utf8 = session.enabled.utf8;
    let mail = session.mail();
    let meta = mail.meta();
    let orphans = subscribe::orphans(&mail)?;
    let subscribed = meta.mailboxes.iter().filter(|found| found.subscribed);
    let names: Vec<&str> = subscribed
        .map(|found| found.path.as_str())
        .chain(orphans.iter().map(String::as_str))
        .collect();
    let mut above = BTreeSet::new();
    for pattern in args.patterns.iter().map(|p| joined(&args.reference, p)) {
        for name in &names {
            if matches(&pattern, name) {
                line(session, "()", name, utf8);
            } else if pattern.contains('%') {
                let levels = name.match_indices(mailbox::SEPARATOR);
                let levels = levels.filter_map(|(at, _)| name.get(..at));
                above.extend(
                    levels
                        .filter(|level| matches(&pattern, level))
                        .map(str::to_owned),
                );
            }
            session.conn.spill().await?;
        }
    }
    for name in above {
        if !names.contains(&name.as_str()) {
            line(session, "(\\Noselect)", &name, utf8);
        }
    }
    Ok(Answer::ok("LSUB completed"))
}

fn line(session: &mut Session, attributes: &str, name: &str, utf8: bool) {
    let out = session.conn.out();
    out.extend_from_slice(b"* LSUB ");
    out.extend_from_slice(attributes.as_bytes());
    out.extend_from_slice(b" \"/\" ");
    mailbox::write(out, name, utf8);
    out.extend_from_slice(b"\r\n");
}
