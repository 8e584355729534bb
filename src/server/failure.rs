//! Why the program could not do what it was started for, with its exit code.
use crate::store;
use std::fmt;
use std::path::Path;

/// What kind of failure; the number is the exit code (listed in `pillarbox --help`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Anything without a number of its own.
    Other = 1,
    /// Wrong flags.
    Usage = 2,
    /// Another process has the store open.
    Locked = 3,
    /// The store cannot be opened, read or written.
    Store = 4,
    /// The store was written by a newer version, or by one too old to be read.
    Schema = 5,
    /// The certificate or its key cannot be used.
    Certificate = 6,
    /// A port is in use, or binding it is not permitted.
    Port = 7,
    /// A secret file cannot be read, or others can read it.
    Secret = 8,
    /// The store is damaged.
    Damaged = 9,
    /// The running server did not answer, or refused.
    Control = 10,
    /// `doctor` found something wrong.
    Wrong = 11,
}

impl Kind {
    /// All kinds with what `--help` says about them.
    pub const ALL: [(Kind, &'static str); 11] = [
        (Kind::Other, "anything else"),
        (Kind::Usage, "wrong flags"),
        (Kind::Locked, "another process has the store open"),
        (Kind::Store, "the store cannot be opened, read or written"),
        (
            Kind::Schema,
            "the store was written by a newer version, or one too old",
        ),
        (
            Kind::Certificate,
            "the certificate or its key cannot be used",
        ),
        (Kind::Port, "a port is in use or not permitted"),
        (
            Kind::Secret,
            "a secret file cannot be read, or others can read it",
        ),
        (Kind::Damaged, "the store is damaged"),
        (
            Kind::Control,
            "the running server did not answer or refused",
        ),
        (Kind::Wrong, "doctor found something wrong"),
    ];
}

/// One clear sentence and an exit code.
///
/// A pointer: it is handed on through many hands, and seldom made.
#[derive(Debug)]
pub struct Failure(Box<(Kind, String)>);

impl Failure {
    /// Of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Failure {
        Failure(Box::new((kind, message.into())))
    }

    /// What kind.
    pub fn kind(&self) -> Kind {
        self.0.0
    }

    /// What was wrong, with which flag or file, and what to do.
    pub fn message(self) -> String {
        self.0.1
    }

    /// Wrong flags.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Kind::Usage, message)
    }

    /// Why the store at `path` did not open.
    pub fn of_store(path: &Path, error: &store::Error) -> Failure {
        use std::io::ErrorKind::{
            InvalidData, NotFound, PermissionDenied, ReadOnlyFilesystem, UnexpectedEof,
        };
        let db = path.display();
        match error {
            store::Error::Locked => Failure::new(
                Kind::Locked,
                format!(
                    "{db} is open in another process: stop the other pillarbox, or use another --db"
                ),
            ),
            store::Error::Newer(found, known) => Failure::new(
                Kind::Schema,
                format!(
                    "{db} was written by a newer pillarbox (schema {found}, this one knows {known}): \
                     run the newer version; nothing was changed"
                ),
            ),
            store::Error::Older => Failure::new(
                Kind::Schema,
                format!(
                    "{db} was written by a pillarbox from before its first release, whose format is \
                     no longer read: move it away, and start with a new --db; nothing was changed"
                ),
            ),
            store::Error::Damaged(what) => Failure::new(
                Kind::Damaged,
                format!(
                    "{db} is damaged: {what}; restore it from a backup, or save what can be read with `pillarbox salvage`"
                ),
            ),
            store::Error::Io(e) if matches!(e.kind(), InvalidData | UnexpectedEof) => Failure::new(
                Kind::Damaged,
                format!(
                    "{db} is not a pillarbox store, or is damaged ({e}): use another --db, restore it from a backup, or save what can be read with `pillarbox salvage`"
                ),
            ),
            store::Error::DiskFull => Failure::new(
                Kind::Store,
                format!("{db} cannot be opened: the disk is full; free some space"),
            ),
            store::Error::Io(e) if e.kind() == NotFound && path.is_symlink() => Failure::new(
                Kind::Store,
                format!("{db} is a link to a file that is not there: is its disk mounted?"),
            ),
            store::Error::Io(e) if e.kind() == NotFound => Failure::new(
                Kind::Store,
                format!(
                    "{db} cannot be created: there is no such directory; make it, or use another --db"
                ),
            ),
            store::Error::Io(e) if e.kind() == PermissionDenied => Failure::new(
                Kind::Store,
                format!(
                    "{db} cannot be opened: permission denied; this user needs to write the file and its directory"
                ),
            ),
            store::Error::Io(e) if e.kind() == ReadOnlyFilesystem => Failure::new(
                Kind::Store,
                format!(
                    "{db} is on a read-only file system: remount it writable, or use another --db"
                ),
            ),
            e => Failure::new(Kind::Store, format!("{db} cannot be opened: {e}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.1)
    }
}

impl std::error::Error for Failure {}
