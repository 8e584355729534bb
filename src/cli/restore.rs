//! `pillarbox restore`: a store out of backups.
use super::{db_path, print};
use crate::keep::{backup, unusable};
use crate::mail::Options;
use crate::mail::outbound::Order;
use crate::queue::order;
use crate::server::{Failure, Kind};
use crate::store::{FileDisk, Rebuild};
use argh::FromArgs;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

/// Make a store out of a backup, and the increments that were made after it, in their order. It appears
/// when it is whole and checked; until then nothing is changed.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "restore",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --db /mnt/new/mail.redb mail.backup monday.backup"
)]
pub struct Restore {
    /// the store to make (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// replace a store that is there: what it has and the backup has not is lost
    #[argh(switch)]
    replace: bool,
    /// the backups, the whole one first; `-` is standard input
    #[argh(positional)]
    file: Vec<String>,
}

impl Restore {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.file.is_empty() {
            return Err(Failure::usage(
                "say which backup: a file, or - for standard input",
            ));
        }
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let db = db_path(self.db.as_deref());
        let there = db.exists();
        if there && !self.replace {
            return Err(Failure::new(
                Kind::Store,
                format!(
                    "there is a store at {}: restore beside it with --db, or give --replace to lose what is in it",
                    db.display()
                ),
            ));
        }
        // Held until the end, so that no server opens it meanwhile.
        let failed = |e| Failure::of_store(&db, &e);
        let _lock = match there {
            true => Some(FileDisk::open(&db).map_err(|e| match e.kind() {
                io::ErrorKind::WouldBlock => failed(crate::store::Error::Locked),
                _ => failed(e.into()),
            })?),
            false => None,
        };
        let mut rebuild = Rebuild::create(&db, true).map_err(failed)?;
        let last = Cell::new(0);
        for file in &self.file {
            let mut input = open(file)?;
            let expect = |heading: &backup::Heading| {
                if heading.since == last.get() {
                    return Ok(());
                }
                Err(Failure::usage(format!(
                    "{file} goes on after {}, what was given before it ends with {}: give the whole backup, then its increments in their order",
                    heading.since,
                    last.get()
                )))
            };
            last.set(backup::read(&mut input, &expect, Some(&mut rebuild))?);
        }
        rebuild.finish().map_err(failed)?;
        print(&format!("restored to {}\n", db.display()));
        hold(&db)
    }
}

/// What waited to be sent when the backup was made may have been sent since: it does not go out twice
/// unless a person says so.
fn hold(db: &Path) -> Result<(), Failure> {
    let mail = super::open(db, Options::default())?;
    let held = smol::block_on(order::give(&mail, Order::Hold, "all"));
    smol::block_on(mail.close());
    let held = held.map_err(|e| Failure::new(Kind::Store, e.to_string()))?;
    if held > 0 {
        print(&format!(
            "{held} in the queue may have been sent since the backup and are held: look with `pillarbox queue list`, \
             then `pillarbox queue retry` or `drop`\n"
        ));
    }
    Ok(())
}

pub(super) fn open(file: &str) -> Result<Box<dyn Read>, Failure> {
    if file == "/dev/stdin" {
        return Ok(Box::new(io::stdin().lock()));
    }
    let path = Path::new(file);
    let opened = File::open(path).map_err(|e| unusable(path, &e))?;
    Ok(Box::new(BufReader::with_capacity(128 * 1024, opened)))
}
