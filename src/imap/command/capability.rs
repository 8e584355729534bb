//! CAPABILITY (RFC 9051 §6.1.1), and the list that greeting and log-in carry as well, which saves
//! clients a round trip.

use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// In every state.
const ALWAYS: &str = "IMAP4rev1 IMAP4rev2 SASL-IR ID ENABLE";

/// After log-in. LITERAL+ (RFC 7888) is kept for those we know; before it is LITERAL-.
const LOGGED_IN: &str = "LITERAL+ NAMESPACE CHILDREN UNSELECT UIDPLUS IDLE MOVE SPECIAL-USE \
     CONDSTORE ESEARCH SEARCHRES LIST-EXTENDED LIST-STATUS STATUS=SIZE BINARY UTF8=ACCEPT OBJECTID PREVIEW";

/// CAPABILITY.
pub fn run(session: &mut Session) -> Run {
    let capabilities = session.capabilities();
    session.line(&format!("* CAPABILITY {capabilities}"));
    Ok(Answer::ok("CAPABILITY completed"))
}

impl Session {
    /// What is true now, on this connection.
    pub(in crate::imap) fn capabilities(&self) -> String {
        if self.logged_in {
            return format!("{ALWAYS} {LOGGED_IN}");
        }
        let mut list = format!("{ALWAYS} LITERAL-");
        if !self.conn.is_tls() && self.ctx.tls.is_some() {
            list.push_str(" STARTTLS");
        }
        list.push_str(" AUTH=SCRAM-SHA-256");
        // RFC 9051 §6.2.3: no password in the clear.
        let open = self.ctx.may_show_password(&self.conn);
        list.push_str(if open {
            " AUTH=PLAIN"
        } else {
            " LOGINDISABLED"
        });
        list
    }
}
