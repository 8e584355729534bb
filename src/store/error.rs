//! What can go wrong below the engine.

use std::fmt;

/// Why the store could not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// No space left on the device. The store reopens itself; nothing of the operation is left.
    DiskFull,
    /// Another process has the file open.
    Locked,
    /// The file was written by a newer version: (its schema, what this version knows).
    Newer(u16, u16),
    /// The file is not a store, or damaged; says what was found.
    Damaged(String),
    /// An I/O error of the operating system.
    Io(std::io::Error),
    /// The store is closed or reopening.
    Closed,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::DiskFull => f.write_str("no space left on the device"),
            Error::Locked => f.write_str("another process has the store open"),
            Error::Newer(found, known) => {
                write!(
                    f,
                    "the store has schema {found}, this version knows up to {known}"
                )
            }
            Error::Damaged(what) => write!(f, "the store is damaged: {what}"),
            Error::Io(error) => error.fmt(f),
            Error::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for Error {}
