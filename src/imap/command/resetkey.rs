//! RESETKEY (RFC 4467 §7): makes every URL void that was signed with a key.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;
use crate::sys::random;

/// RESETKEY: of one mailbox, or of all.
pub async fn run(session: &mut Session, args: Option<&(String, Vec<String>)>) -> Run {
    let mail = session.mail();
    let Some((name, mechanisms)) = args else {
        mail.reset_url_keys().await?;
        return Ok(Answer::ok("all keys removed"));
    };
    if mechanisms.iter().any(|name| name != "INTERNAL") {
        return Answer::no("[CANNOT] INTERNAL is the only mechanism").stop();
    }
    let Some(mailbox) = mail.meta().by_path(name).map(|found| found.id) else {
        return Answer::no("[NONEXISTENT] no such mailbox").stop();
    };
    let Ok(fresh) = random::octets() else {
        return Answer::no("[UNAVAILABLE] the system gives no random octets").stop();
    };
    mail.reset_url_key(mailbox, fresh).await?;
    session.url_key_seen();
    Ok(Answer::ok(match session.conn.is_private() {
        true => "[URLMECH INTERNAL] RESETKEY completed",
        false => "RESETKEY completed",
    }))
}

impl Session {
    /// The selected mailbox's key as it is now needs no telling any more.
    fn url_key_seen(&mut self) {
        let selected = self.selected.as_ref().map(|selected| selected.mailbox);
        self.url_resets = selected.map(|mailbox| (mailbox, self.mail().url_resets(mailbox)));
    }

    /// RFC 4467 §7: whoever has a mailbox selected is told that its key was reset, and by SELECT which
    /// mechanisms there are; on a connection that nobody can listen to (§10).
    pub(in crate::imap) fn tell_url_key(&mut self) {
        let Some(mailbox) = self.selected.as_ref().map(|selected| selected.mailbox) else {
            return;
        };
        let now = (mailbox, self.mail().url_resets(mailbox));
        if self.url_resets.replace(now) != Some(now)
            && self.conn.is_private()
            && self.offers("URLAUTH")
        {
            self.line("* OK [URLMECH INTERNAL] URLs of this mailbox can be signed");
        }
    }
}
