//! `pillarbox verify`: is everything there, and whole?
use super::{existing_db_path, print, restore};
use crate::keep::backup;
use crate::server::control;
use crate::server::{Failure, Kind, job};
use crate::store::{FileDisk, check};
use argh::{ArgsInfo, FromArgs};
use std::sync::Arc;

/// Look at every row and every octet of the store: structure, references, counters, and whether each
/// message can be read; while the server runs (then without the file's own pages) or not. Or look at
/// backups.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "verify",
    help_triggers("-h", "--help", "help"),
    example = "{command_name}",
    example = "{command_name} mail.backup"
)]
pub struct Verify {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// backups to look at instead; `-` is standard input
    #[argh(positional)]
    file: Vec<String>,
}

impl Verify {
    pub(super) fn run(self) -> Result<(), Failure> {
        for file in &self.file {
            let modseq = backup::read(&mut restore::open(file)?, &|_| Ok(()), None)?;
            print(&format!("{file} is whole; it ends with {modseq}\n"));
        }
        if !self.file.is_empty() {
            return Ok(());
        }
        let db = existing_db_path(self.db.as_deref())?;
        let lines = match control::open(&db, "verify", "")? {
            Some(mut stream) => job::answer(&mut stream)?,
            None => {
                let failed = |e| Failure::of_store(&db, &e);
                let disk = FileDisk::open(&db).map_err(|e| match e.kind() {
                    std::io::ErrorKind::WouldBlock => failed(crate::store::Error::Locked),
                    _ => failed(e.into()),
                })?;
                // On pages that are not what they were, redb panics here and there.
                std::panic::set_hook(Box::new(|_| ()));
                let look = || check(Arc::new(disk), 4 << 20, true);
                let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(look));
                let nonsense = crate::store::Error::damaged(&"its pages make no sense");
                job::report(&found.unwrap_or(Err(nonsense)).map_err(failed)?)
            }
        };
        match lines.as_slice() {
            [fine] => print(&format!("{fine}\n")),
            wrong => return Err(Failure::new(Kind::Damaged, wrong.join("\n"))),
        }
        Ok(())
    }
}
