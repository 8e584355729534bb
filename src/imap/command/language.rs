//! LANGUAGE (RFC 5255 §3): texts are in English, which is the default language as well, so that
//! nothing changes by it. There is no name of a namespace to be translated.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::wire::language::{LANGUAGES, find};

/// LANGUAGE.
pub fn run(session: &mut Session, ranges: &[String]) -> Run {
    if ranges.is_empty() {
        session.line(&format!("* LANGUAGE ({})", LANGUAGES.join(" ")));
        return Ok(Answer::ok("these are the languages"));
    }
    let Some(language) = find(ranges) else {
        return Answer::no("none of these languages is spoken here").stop();
    };
    session.line(&format!("* LANGUAGE ({language})"));
    Ok(Answer::ok("LANGUAGE completed"))
}
