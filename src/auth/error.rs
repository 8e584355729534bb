//! Why a log-in did not happen.
use std::fmt;
use std::time::Duration;

/// What a protocol tells the client. Never says whether the name or the password was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthError {
    /// Wrong name, password, token or proof (IMAP AUTHENTICATIONFAILED, SMTP 535 5.7.8).
    BadCredentials,
    /// Too many failures from this address; nothing was checked. Try again after this long
    /// (IMAP UNAVAILABLE, SMTP 454 4.7.0, POP3 SYS/TEMP, HTTP 429).
    Throttled(Duration),
    /// The app password is right, and not for this protocol, which is named (IMAP AUTHORIZATIONFAILED,
    /// SMTP 535 5.7.1, POP3 AUTH).
    NotHere(&'static str),
    /// The app password is right, and its time is over (IMAP EXPIRED).
    Expired,
    /// The exchange was not well-formed (SMTP 501 5.5.2, IMAP BAD).
    Malformed,
    /// The client asked for something that this mechanism has and we have not: another
    /// authorization identity, channel binding.
    Unsupported,
    /// The client cancelled the exchange with `*` (SMTP 501 5.7.0, IMAP BAD).
    Cancelled,
    /// The account could not be read; not the client's fault (SMTP 454 4.7.0).
    Unavailable,
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AuthError::BadCredentials => f.write_str("wrong user name or password"),
            AuthError::Throttled(wait) => {
                write!(
                    f,
                    "too many failed log-ins, try again in {} s",
                    wait.as_secs().max(1)
                )
            }
            AuthError::NotHere(name) => write!(f, "this app password is not for {name}"),
            AuthError::Expired => f.write_str("this app password has expired"),
            AuthError::Malformed => f.write_str("malformed authentication exchange"),
            AuthError::Unsupported => f.write_str("not supported by this server"),
            AuthError::Cancelled => f.write_str("authentication cancelled"),
            AuthError::Unavailable => f.write_str("authentication is temporarily unavailable"),
        }
    }
}

impl std::error::Error for AuthError {}
