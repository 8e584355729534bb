//! `pillarbox backup`: the whole store as one file, while it serves.
use super::{existing_db_path, job};
use crate::keep::progress::Progress;
use crate::keep::{Done, Said, Target, backup, unusable};
use crate::server::Failure;
use crate::store::Files;
use argh::{ArgsInfo, FromArgs};
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

/// Write a backup of everything: mail, account, keys, queue; of one moment, while the server runs or not.
/// Whoever has it has the mail and the keys: keep it safe.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "backup",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --to /mnt/usb/mail.backup",
    example = "{command_name} --to - | ssh nas 'cat >mail.backup'",
    example = "{command_name} --since 4711 --to monday.backup"
)]
pub struct Backup {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// the file, or `-` for standard output (required)
    #[argh(option, arg_name = "FILE")]
    to: Option<String>,
    /// only messages that came after the backup which ended with this number (default: 0, everything)
    #[argh(option, arg_name = "MODSEQ", default = "0")]
    since: u64,
}

impl Backup {
    pub(super) fn run(self) -> Result<(), Failure> {
        let to = self
            .to
            .ok_or_else(|| Failure::usage("say where to: --to FILE"))?;
        let db = existing_db_path(self.db.as_deref())?;
        let file: Box<dyn Target> = match to.as_str() {
            "-" => Box::new(Stdout),
            to => Box::new(backup::Output::new(Arc::new(Files), Path::new(to))?),
        };
        let mut output = Counted {
            to: file,
            octets: 0,
            tail: Vec::new(),
        };
        let since = self.since;
        job::take(
            &db,
            "backup",
            &since.to_string(),
            &mut Progress::new(&mut output),
            &mut |mail, target| {
                backup::run(mail, since, target)?;
                target.finish()
            },
        )?;
        let modseq = output
            .tail
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        eprintln!(
            "{} octets; for the next increment: --since {modseq}",
            output.octets
        );
        Ok(())
    }
}

/// Counts what passes, and keeps the last octets.
struct Counted {
    to: Box<dyn Target>,
    octets: u64,
    tail: Vec<u8>,
}

impl Target for Counted {
    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        self.octets += octets.len() as u64;
        self.tail.extend_from_slice(octets);
        let over = self.tail.len().saturating_sub(backup::TAIL);
        self.tail.drain(..over);
        self.to.octets(octets)
    }

    fn end(&mut self, said: &Said) -> Done<()> {
        self.to.end(said)
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        self.to.finish()
    }
}

/// Standard output.
struct Stdout;

impl Target for Stdout {
    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        let written = io::stdout().write_all(octets);
        written.map_err(|e| unusable(Path::new("standard output"), &e))
    }

    fn end(&mut self, _said: &Said) -> Done<()> {
        Ok(())
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        let done = io::stdout().flush();
        done.map_err(|e| unusable(Path::new("standard output"), &e))?;
        Ok(Vec::new())
    }
}
