//! What can end a connection's read or write.
use std::fmt;
use std::io;

/// Why a read or write on a [`Conn`](super::Conn) did not happen. After any of these but
/// [`Error::Shutdown`] the only useful thing left to do with the connection is to drop it;
/// after `Idle`, `Deadline`, `Revoked` and `Shutdown` a last line may still be written.
#[derive(Debug)]
pub enum Error {
    /// The peer closed the connection (end of file, reset, TLS close).
    Closed,
    /// Nothing came for the idle time: say good-bye (SMTP 421, IMAP BYE) and close.
    Idle,
    /// The deadline set by [`Conn::set_deadline`](super::Conn::set_deadline) has passed.
    Deadline,
    /// The peer did not take our bytes for the write time-out.
    WriteStalled,
    /// The server is stopping; told only while waiting for the first byte of a line.
    Shutdown,
    /// What the peer logged in with was revoked ([`Conn::watch_end`](super::Conn::watch_end)).
    Revoked,
    /// The TLS handshake or a TLS record was wrong.
    Tls(String),
    /// The compressed stream makes no sense: say good-bye and close.
    Garbled,
    /// Anything else the system said.
    Io(io::Error),
}

impl Error {
    /// Whether a last line (BYE, 421) may still reach the peer.
    pub fn can_say_goodbye(&self) -> bool {
        matches!(
            self,
            Error::Idle | Error::Deadline | Error::Shutdown | Error::Revoked | Error::Garbled
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Closed => f.write_str("closed by the peer"),
            Error::Idle => f.write_str("idle for too long"),
            Error::Deadline => f.write_str("out of time"),
            Error::WriteStalled => f.write_str("the peer does not read"),
            Error::Shutdown => f.write_str("the server is stopping"),
            Error::Revoked => f.write_str("the app password was revoked"),
            Error::Tls(why) => write!(f, "TLS: {why}"),
            Error::Garbled => f.write_str("the compressed stream makes no sense"),
            Error::Io(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(e: io::Error) -> Error {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionReset, InvalidData, InvalidInput,
            NotConnected, UnexpectedEof,
        };
        match e.kind() {
            ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof | NotConnected => {
                Error::Closed
            }
            InvalidInput => Error::Garbled,
            InvalidData => Error::Tls(e.to_string()),
            _ => Error::Io(e),
        }
    }
}

impl From<Error> for io::Error {
    fn from(e: Error) -> io::Error {
        use io::ErrorKind::{ConnectionReset, InvalidData, TimedOut};
        match e {
            Error::Closed => ConnectionReset.into(),
            Error::Idle | Error::Deadline | Error::WriteStalled => {
                io::Error::new(TimedOut, e.to_string())
            }
            Error::Shutdown | Error::Revoked => io::Error::other(e.to_string()),
            Error::Garbled => io::ErrorKind::InvalidInput.into(),
            Error::Tls(why) => io::Error::new(InvalidData, why),
            Error::Io(e) => e,
        }
    }
}
