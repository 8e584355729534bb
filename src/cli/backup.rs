//! `pillarbox backup`: the whole store as one file, while it serves.
use super::{existing_db_path, job};
use crate::keep::{Done, Said, Target, backup, unusable};
use crate::server::Failure;
use argh::FromArgs;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Write a backup of everything: mail, account, keys, queue; of one moment, while the server runs or not.
/// Whoever has it has the mail and the keys: keep it safe.
#[derive(FromArgs)]
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
        let mut output = Output::new(&to)?;
        let since = self.since;
        job::take(
            &db,
            "backup",
            &since.to_string(),
            &mut output,
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

/// The file that the backup goes to: it has its name once it is whole.
struct Output {
    out: Box<dyn Write>,
    /// None: standard output.
    path: Option<PathBuf>,
    octets: u64,
    /// The last octets.
    tail: Vec<u8>,
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

impl Output {
    fn new(to: &str) -> Done<Output> {
        let path = (to != "-").then(|| PathBuf::from(to));
        let out: Box<dyn Write> = match &path {
            None => Box::new(io::stdout()),
            Some(path) => {
                let mut options = File::options();
                options.write(true).create(true).truncate(true).mode(0o600);
                Box::new(options.open(part(path)).map_err(|e| unusable(path, &e))?)
            }
        };
        Ok(Output {
            out,
            path,
            octets: 0,
            tail: Vec::new(),
        })
    }
}

impl Target for Output {
    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        self.octets += octets.len() as u64;
        self.tail.extend_from_slice(octets);
        let over = self.tail.len().saturating_sub(backup::TAIL);
        self.tail.drain(..over);
        let path = self.path.as_deref().unwrap_or(Path::new("standard output"));
        self.out.write_all(octets).map_err(|e| unusable(path, &e))
    }

    fn end(&mut self, _said: &Said) -> Done<()> {
        Ok(())
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        let Some(path) = self.path.take() else {
            self.out
                .flush()
                .map_err(|e| unusable(Path::new("standard output"), &e))?;
            return Ok(Vec::new());
        };
        let part = part(&path);
        let done = File::open(&part).and_then(|file| file.sync_all());
        let done = done.and_then(|()| fs::rename(&part, &path));
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let done = done.and_then(|()| File::open(folder)?.sync_all());
        done.map_err(|e| unusable(&path, &e))?;
        Ok(Vec::new())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = fs::remove_file(part(path));
        }
    }
}
