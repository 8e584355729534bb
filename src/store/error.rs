//! What can go wrong below the engine.

use std::{fmt, io};

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
    /// The file was written by a version from before this one's oldest schema.
    Older,
    /// The file is not a store, or damaged; says what was found. Boxed, so that the error is two words.
    Damaged(Box<String>),
    /// An I/O error of the operating system.
    Io(io::Error),
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
            Error::Older => f.write_str("the store has a schema that is no longer read"),
            Error::Damaged(what) => write!(f, "the store is damaged: {what}"),
            Error::Io(error) => error.fmt(f),
            Error::Closed => f.write_str("the store is closed"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// The file is not a store, or damaged.
    pub fn damaged(what: &dyn fmt::Display) -> Error {
        Error::Damaged(Box::new(what.to_string()))
    }

    /// The same error for another waiter of the same commit.
    pub(super) fn again(&self) -> Error {
        match self {
            Error::DiskFull => Error::DiskFull,
            Error::Locked => Error::Locked,
            Error::Newer(found, known) => Error::Newer(*found, *known),
            Error::Older => Error::Older,
            Error::Damaged(what) => Error::Damaged(what.clone()),
            Error::Io(error) => Error::Io(error.kind().into()),
            Error::Closed => Error::Closed,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Error::DiskFull,
            _ => Error::Io(error),
        }
    }
}

impl From<redb::StorageError> for Error {
    fn from(error: redb::StorageError) -> Error {
        match error {
            redb::StorageError::Io(error) => error.into(),
            redb::StorageError::Corrupted(what) => Error::damaged(&what),
            redb::StorageError::PreviousIo | redb::StorageError::DatabaseClosed => Error::Closed,
            other => Error::damaged(&other),
        }
    }
}

impl From<redb::TableError> for Error {
    fn from(error: redb::TableError) -> Error {
        match error {
            redb::TableError::Storage(error) => error.into(),
            // Until schema 2 each table had types of its own.
            redb::TableError::TableTypeMismatch { .. } => Error::Older,
            other => Error::damaged(&other),
        }
    }
}

impl From<redb::TransactionError> for Error {
    fn from(error: redb::TransactionError) -> Error {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            other => Error::damaged(&other),
        }
    }
}

impl From<redb::CommitError> for Error {
    fn from(error: redb::CommitError) -> Error {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            other => Error::damaged(&other),
        }
    }
}

impl From<redb::DatabaseError> for Error {
    fn from(error: redb::DatabaseError) -> Error {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            redb::DatabaseError::DatabaseAlreadyOpen => Error::Locked,
            other => Error::damaged(&other),
        }
    }
}
