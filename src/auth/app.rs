//! App passwords: one per device or program, named, limited, revocable one by one.
//!
//! A generated secret, stored as SCRAM keys over the account's own salt and iterations: SCRAM's first
//! answer names one salt, before the client has shown which secret it has, and so one answer fits all of
//! them and any client gets in with the plain user name.
use super::record::{Keys, STORED};
use crate::limits;
use crate::mail::Principal;
use crate::net::Shutdown;
use crate::sys::clock;
use crate::sys::random::{self, NoRandom};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What somebody logs in to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// IMAP.
    Imap,
    /// POP3.
    Pop3,
    /// SMTP submission.
    Smtp,
    /// JMAP, over HTTP.
    Jmap,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 4] = [
        Protocol::Imap,
        Protocol::Pop3,
        Protocol::Smtp,
        Protocol::Jmap,
    ];

    /// As flags and messages name it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Imap => "imap",
            Protocol::Pop3 => "pop3",
            Protocol::Smtp => "smtp",
            Protocol::Jmap => "jmap",
        }
    }
}

/// A set of protocols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols(u8);

impl Protocols {
    /// Every one.
    pub const ALL: Protocols = Protocols(0b1111);

    /// Is it among them?
    pub fn has(self, protocol: Protocol) -> bool {
        self.0 & (1 << protocol as u8) != 0
    }

    /// Reads `imap,smtp`.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str) -> Result<Protocols, String> {
        let mut all = Protocols(0);
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let found = Protocol::ALL
                .into_iter()
                .find(|p| p.name().eq_ignore_ascii_case(name));
            let found = found
                .ok_or_else(|| format!("{name} is no protocol: use imap, pop3, smtp and jmap"))?;
            all.0 |= 1 << found as u8;
        }
        match all.0 {
            0 => Err("name one protocol at least: imap, pop3, smtp, jmap".into()),
            _ => Ok(all),
        }
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Protocol::ALL.into_iter().filter(|p| self.has(*p));
        f.write_str(&names.map(Protocol::name).collect::<Vec<_>>().join(","))
    }
}

/// What a new app password shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApp {
    /// What the owner calls it; its identifier in access control lists.
    pub name: String,
    /// Where it works.
    pub protocols: Protocols,
    /// Every mailbox, where no list says otherwise; else only what lists say.
    pub everywhere: bool,
    /// From this second since 1970 on it does not work.
    pub expires: Option<u32>,
}

/// An app password as it is stored; the secret was shown once, when it was made.
pub struct App {
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Where it works.
    pub protocols: Protocols,
    /// Who it makes of its bearer, to the engine.
    pub principal: Arc<Principal>,
    /// Thrown when it is revoked: ends the connections that came in by it.
    pub gone: Shutdown,
    pub(super) keys: Keys,
    /// When it was last used, in seconds since 1970; 0 for never.
    used: AtomicU32,
    /// The same as the store has it.
    stored: AtomicU32,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "App({:?})", self.name())
    }
}

impl PartialEq for App {
    fn eq(&self, other: &App) -> bool {
        self.name() == other.name() && self.keys == other.keys
    }
}

impl Eq for App {}

impl App {
    pub(super) fn new(new: &NewApp, keys: Keys, created: i64) -> App {
        App {
            created,
            protocols: new.protocols,
            principal: Arc::new(Principal::new(&new.name, new.everywhere, new.expires)),
            gone: Shutdown::new(),
            keys,
            used: AtomicU32::new(0),
            stored: AtomicU32::new(0),
        }
    }

    /// What the owner calls it.
    pub fn name(&self) -> &str {
        &self.principal.name
    }

    /// When it was last used, in seconds since 1970; 0 for never. Reaches the store once a day and
    /// when the server stops: it is not worth a write of its own.
    pub fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    /// Notes a use, if the clock is set. Returns whether the stored time is a day old.
    pub(super) fn note_used(&self, now: i64) -> bool {
        let now = u32::try_from(now).unwrap_or(0);
        if !clock::is_real(now) {
            return false;
        }
        self.used.store(now, Ordering::Relaxed);
        now.saturating_sub(self.stored.load(Ordering::Relaxed)) >= limits::LAST_USED
    }

    /// Whether the store does not know of its last use.
    pub(super) fn is_unsaved(&self) -> bool {
        self.used() != self.stored.load(Ordering::Relaxed)
    }

    pub(super) fn revoke(&self) {
        self.principal.end();
        self.gone.throw();
    }

    /// One line, without its end.
    fn encode(&self) -> String {
        let used = self.used();
        let expires = self.principal.expires.map_or("-".into(), |e| e.to_string());
        format!(
            "{} {expires} {} {} {used} {} {} {}",
            self.created,
            self.protocols,
            u8::from(self.principal.everywhere),
            STANDARD.encode(self.keys.stored),
            STANDARD.encode(self.keys.server),
            self.name(),
        )
    }

    fn decode(line: &str) -> Option<App> {
        let mut parts = line.splitn(8, ' ');
        let created = parts.next()?.parse().ok()?;
        let expires = match parts.next()? {
            "-" => None,
            text => Some(text.parse().ok()?),
        };
        let protocols = Protocols::parse(parts.next()?).ok()?;
        let everywhere = parts.next()? == "1";
        let used: u32 = parts.next()?.parse().ok()?;
        let mut key = || -> Option<[u8; STORED]> {
            let text = parts.next()?;
            STANDARD.decode(text).ok()?.try_into().ok()
        };
        let keys = Keys {
            stored: key()?,
            server: key()?,
        };
        let new = NewApp {
            name: parts.next()?.to_owned(),
            protocols,
            everywhere,
            expires,
        };
        let app = App::new(&new, keys, created);
        app.used.store(used, Ordering::Relaxed);
        app.stored.store(used, Ordering::Relaxed);
        Some(app)
    }
}

/// One line per app password.
pub(super) fn encode(apps: &[Arc<App>]) -> Vec<u8> {
    let lines = apps.iter().map(|app| app.encode() + "\n");
    lines.collect::<String>().into_bytes()
}

/// Notes that [`encode`]'s lines are stored.
pub(super) fn stored(apps: &[Arc<App>]) {
    for app in apps {
        app.stored.store(app.used(), Ordering::Relaxed);
    }
}

/// Reads [`encode`]'s lines, leaving out what is none.
pub(super) fn decode(bytes: &[u8]) -> Vec<Arc<App>> {
    String::from_utf8_lossy(bytes)
        .lines()
        .filter_map(App::decode)
        .map(Arc::new)
        .collect()
}

/// Letters between two dashes.
const GROUP: usize = 4;
/// Letters in all: 100 bits.
const LENGTH: usize = 20;

/// A new secret, in groups that can be typed: `abcd-efgh-ijkm-npqr-stuv`.
pub(super) fn secret() -> Result<String, NoRandom> {
    let letters = random::password()?;
    Ok(grouped(letters.chars().take(LENGTH)))
}

fn grouped(letters: impl Iterator<Item = char>) -> String {
    let mut out = String::new();
    for (i, letter) in letters.enumerate() {
        if i > 0 && i % GROUP == 0 {
            out.push('-');
        }
        out.push(letter);
    }
    out
}

/// The form in which a secret was made, if what was typed can be one: capitals, spaces and missing
/// dashes are forgiven where the password itself arrives.
pub(super) fn canonical(typed: &str) -> Option<String> {
    let letters = || typed.chars().filter(|c| !matches!(c, '-' | ' '));
    let fits = letters().count() == LENGTH && letters().all(|c| c.is_ascii_alphanumeric());
    fits.then(|| grouped(letters().map(|c| c.to_ascii_lowercase())))
}

/// Whether a name is fit: 1 to 64 printable characters, and nothing that an access control list
/// would read as something else (RFC 4314 §2: `-` in front, `anyone`).
pub(super) fn is_name(name: &str) -> bool {
    super::token::is_name(name)
        && name.trim() == name
        && !name.starts_with('-')
        && !name.eq_ignore_ascii_case("anyone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_round_trip() {
        let new = NewApp {
            name: "the scanner".into(),
            protocols: Protocols::parse("SMTP, imap").unwrap(),
            everywhere: false,
            expires: Some(77),
        };
        let keys = Keys {
            stored: [1; 32],
            server: [2; 32],
        };
        let app = Arc::new(App::new(&new, keys, 17));
        app.note_used(100);
        assert_eq!(app.used(), 0);
        app.note_used(1_800_000_000);
        let again = decode(&encode(std::slice::from_ref(&app)));
        assert_eq!(again, [app]);
        let again = again.first().unwrap();
        assert_eq!(again.protocols.to_string(), "imap,smtp");
        assert_eq!((again.used(), again.created), (1_800_000_000, 17));
        assert_eq!(again.principal.expires, Some(77));
        assert!(!again.principal.everywhere && !again.is_unsaved());
        assert!(decode(b"\nx\n1 - imap 1 0 AA== AA== n\n\xff").is_empty());
    }

    #[test]
    fn secrets_can_be_typed() {
        let made = secret().unwrap();
        assert_eq!((made.len(), made.matches('-').count()), (24, 4));
        let sloppy = made.replace('-', " ").to_uppercase();
        assert_eq!(canonical(&sloppy).as_ref(), Some(&made));
        assert_eq!(canonical(&made.replace('-', "")).as_ref(), Some(&made));
        assert_eq!(canonical("short"), None);
        assert_eq!(canonical(&"é".repeat(20)), None);
    }

    #[test]
    fn names_and_protocols() {
        assert!(is_name("child's tablet") && is_name("ü"));
        for bad in ["", "-x", "Anyone", " x", "a\nb"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(Protocols::parse("imap,gopher").is_err() && Protocols::parse(",").is_err());
        assert!(!Protocols::parse("imap").unwrap().has(Protocol::Jmap));
    }
}
