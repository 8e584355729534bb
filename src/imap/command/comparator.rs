//! COMPARATOR (RFC 5255 §4.7). There is one: i;unicode-casemap, by which every text is compared.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::comparator::matches;

/// The active comparator, which is the default one.
const ACTIVE: &str = "i;unicode-casemap";

/// COMPARATOR: says which one is active; asked for another it has none (RFC 5255 §4.9).
pub fn run(session: &mut Session, wanted: &[String]) -> Run {
    let is_active = |name: &String| name.eq_ignore_ascii_case("default") || matches(name, ACTIVE);
    if !wanted.is_empty() && !wanted.iter().any(is_active) {
        return Answer::no(format!("[BADCOMPARATOR] there is {ACTIVE} only")).stop();
    }
    session.line(&format!("* COMPARATOR {ACTIVE}"));
    Ok(Answer::ok("COMPARATOR completed"))
}
