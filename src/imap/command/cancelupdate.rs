//! CANCELUPDATE (RFC 5267 §4.3.5).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// CANCELUPDATE: these searches are not updated any longer.
pub fn run(session: &mut Session, tags: &[String]) -> Run {
    let contexts = &mut session.selected_mut()?.contexts;
    let known = |tag: &String| contexts.iter().any(|context| context.tag() == tag);
    if !tags.iter().all(known) {
        return Answer::bad("no search with this tag is being updated").stop();
    }
    contexts.retain(|context| !tags.iter().any(|tag| context.tag() == tag));
    Ok(Answer::ok("CANCELUPDATE completed"))
}
