//! Status lines and their response codes, CAPA's list, listings, unique-ids.
//!
//! RFC 1939 §3: `+OK` and `-ERR` in upper case, a line of at most 512 octets. All text here is
//! ours and short; nothing that a client sent is sent back.
use std::fmt::Write;

/// RFC 2449 §8, RFC 3206: why a command failed, for the client's program to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No code: the text says it all.
    None,
    /// RFC 2449 §8.1.1: the last log-in is too fresh.
    LoginDelay,
    /// RFC 2449 §8.1.2: another session has the maildrop.
    InUse,
    /// RFC 3206 §4: it may work later.
    SysTemp,
    /// RFC 3206 §4: somebody has to look after it.
    SysPerm,
    /// RFC 3206 §5: the name or the password.
    Auth,
}

impl Code {
    /// As it stands at the start of the text, a space behind it.
    fn prefix(self) -> &'static str {
        match self {
            Code::None => "",
            Code::LoginDelay => "[LOGIN-DELAY] ",
            Code::InUse => "[IN-USE] ",
            Code::SysTemp => "[SYS/TEMP] ",
            Code::SysPerm => "[SYS/PERM] ",
            Code::Auth => "[AUTH] ",
        }
    }
}

/// A negative status line.
pub fn err(code: Code, text: &str) -> String {
    format!("-ERR {}{text}\r\n", code.prefix())
}

/// A positive status line.
pub fn ok(text: &str) -> String {
    format!("+OK {text}\r\n")
}

/// What happens to mail that was downloaded and left on the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expire {
    /// It stays until the client deletes it.
    #[default]
    Never,
    /// Whatever RETR sent is removed at QUIT.
    AtQuit,
    /// It is removed at the first QUIT that comes this many days or more after its download.
    Days(u16),
}

/// What CAPA depends on (RFC 2449 §5).
#[derive(Clone, Copy, Debug)]
pub struct Capabilities<'a> {
    /// USER and PASS are let through on this connection.
    pub user: bool,
    /// SASL mechanisms, separated by spaces.
    pub sasl: &'a str,
    /// STLS is possible and not done yet, and nobody is logged in (RFC 2595 §8).
    pub stls: bool,
    /// RFC 2449 §6.7.
    pub expire: Expire,
    /// Seconds between log-ins; 0 announces nothing (RFC 2449 §6.5).
    pub login_delay: u32,
}

impl Capabilities<'_> {
    /// The whole response to CAPA.
    pub fn response(&self) -> String {
        let mut out = String::from(
            "+OK capabilities follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUTF8\r\nLANG\r\n",
        );
        if self.user {
            out.push_str("USER\r\n");
        }
        if !self.sasl.is_empty() {
            let _ = write!(out, "SASL {}\r\n", self.sasl);
        }
        if self.stls {
            out.push_str("STLS\r\n");
        }
        if self.login_delay > 0 {
            let _ = write!(out, "LOGIN-DELAY {}\r\n", self.login_delay);
        }
        let _ = match self.expire {
            Expire::Never => write!(out, "EXPIRE NEVER\r\n"),
            Expire::AtQuit => write!(out, "EXPIRE 0\r\n"),
            Expire::Days(days) => write!(out, "EXPIRE {days}\r\n"),
        };
        out.push_str("IMPLEMENTATION Pillarbox\r\n.\r\n");
        out
    }
}

/// One line of LIST (RFC 1939 §5: a scan listing), without status.
pub fn scan_listing(out: &mut String, number: u32, octets: u64) {
    let _ = write!(out, "{number} {octets}\r\n");
}

/// One line of UIDL (RFC 1939 §7), without status.
///
/// The unique-id is the maildrop's UIDVALIDITY and the email's id, each in hexadecimal: at most 26
/// octets. The id belongs to the email and not to its place, so that a message which was moved
/// away and back is not downloaded twice; UIDVALIDITY tells two stores apart, so that a new one
/// never repeats the unique-ids of its forerunner. Two copies of one email in the maildrop share
/// their unique-id, as RFC 1939 §7 foresees.
pub fn unique_id_listing(out: &mut String, number: u32, uidvalidity: u32, email: u64) {
    let _ = write!(out, "{number} {uidvalidity:08x}-{email:x}\r\n");
}

/// The time stamp of a greeting (RFC 1939 §7), unlike any other: a message-id of random octets.
pub fn time_stamp(random: u128, host: &str) -> String {
    format!("<{random:032x}@{host}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Capabilities<'_> = Capabilities {
        user: false,
        sasl: "SCRAM-SHA-256",
        stls: true,
        expire: Expire::Never,
        login_delay: 0,
    };

    #[test]
    fn capabilities_follow_the_connection() {
        let before = PLAIN.response();
        assert!(before.ends_with("\r\n.\r\n"));
        assert!(before.contains("\r\nSTLS\r\n") && before.contains("\r\nEXPIRE NEVER\r\n"));
        assert!(!before.contains("\r\nUSER\r\n") && !before.contains("LOGIN-DELAY"));
        let after = Capabilities {
            user: true,
            stls: false,
            expire: Expire::Days(30),
            login_delay: 60,
            ..PLAIN
        };
        let after = after.response();
        assert!(after.contains("\r\nUSER\r\n") && !after.contains("STLS"));
        assert!(after.contains("\r\nEXPIRE 30\r\n") && after.contains("\r\nLOGIN-DELAY 60\r\n"));
    }

    #[test]
    fn codes_lead_the_text() {
        assert_eq!(err(Code::InUse, "busy"), "-ERR [IN-USE] busy\r\n");
        assert_eq!(err(Code::None, "no"), "-ERR no\r\n");
    }

    #[test]
    fn unique_ids_keep_to_their_range() {
        let mut line = String::new();
        unique_id_listing(&mut line, u32::MAX, u32::MAX, u64::MAX);
        let id = line.trim_end().split(' ').nth(1).unwrap();
        assert!(id.len() <= 70 && id.bytes().all(|b| (0x21..=0x7e).contains(&b)));
    }

    #[test]
    fn time_stamps_are_message_ids() {
        assert_eq!(
            time_stamp(1, "mx.example.org"),
            format!("<{:032x}@mx.example.org>", 1)
        );
    }
}
