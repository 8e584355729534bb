//! LSUB (RFC 3501 §6.3.9).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::list::{List, joined, matches};
use crate::imap::wire::mailbox;
use std::collections::BTreeSet;

/// LSUB: subscribed names. A pattern with `%` that stops above a subscribed name gives that level as
/// \Noselect (ibid.).
pub async fn run(session: &mut Session, args: &List) -> Run {
    let utf8 = session.enabled.utf8;
    let meta = session.mail().meta();
    let mut above = BTreeSet::new();
    for pattern in args.patterns.iter().map(|p| joined(&args.reference, p)) {
        for found in meta.mailboxes.iter().filter(|found| found.subscribed) {
            if matches(&pattern, &found.path) {
                line(session, "()", &found.path, utf8);
            } else if pattern.contains('%') {
                let levels = found.path.match_indices(mailbox::SEPARATOR);
                let levels = levels.filter_map(|(at, _)| found.path.get(..at));
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
        if !meta.by_path(&name).is_some_and(|found| found.subscribed) {
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
