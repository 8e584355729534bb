//! ENABLE (RFC 9051 §6.3.1, RFC 7162 §3.2.3, RFC 9586 §3.1).

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::imap::view::Selected;

/// ENABLE: what is not known is passed over in silence.
pub fn run(session: &mut Session, words: &[String]) -> Run {
    let mut done = Vec::new();
    for word in words {
        if !session.offers(word) {
            continue;
        }
        let known = match word.as_str() {
            "IMAP4REV2" => {
                session.enabled.rev2 = true;
                session.enabled.utf8 = true;
                "IMAP4rev2"
            }
            "UTF8=ACCEPT" => {
                session.enabled.utf8 = true;
                "UTF8=ACCEPT"
            }
            "CONDSTORE" => {
                session.condstore();
                "CONDSTORE"
            }
            // RFC 7162 §3.2.3: "ENABLE QRESYNC" is a CONDSTORE enabling command.
            "QRESYNC" => {
                session.enabled.qresync = true;
                session.condstore();
                "QRESYNC"
            }
            "UIDONLY" => {
                session.enabled.uid_only = true;
                "UIDONLY"
            }
            "METADATA" => {
                session.tell_annotations_from_now();
                "METADATA"
            }
            _ => continue,
        };
        if !done.contains(&known) {
            done.push(known);
        }
    }
    let list: String = done.iter().flat_map(|word| [" ", *word]).collect();
    session.line(&format!("* ENABLED{list}"));
    Ok(Answer::ok("ENABLE completed"))
}

impl Session {
    /// Switches CONDSTORE on; with a mailbox selected the client is told where it stands
    /// (RFC 7162 §3.1.2).
    pub(in crate::imap) fn condstore(&mut self) {
        if std::mem::replace(&mut self.enabled.condstore, true) {
            return;
        }
        if let Some(modseq) = self.selected.as_ref().map(Selected::settled) {
            self.line(&format!("* OK [HIGHESTMODSEQ {modseq}] CONDSTORE is on"));
        }
    }
}
