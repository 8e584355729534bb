//! `pillarbox restore`: a store out of backups.
use super::{behind_links, db_path, print};
use crate::keep::progress::{Bar, Counted};
use crate::keep::{backup, restore, unusable};
use crate::mail::Mail;
use crate::mail::outbound::Order;
use crate::queue::order;
use crate::server::{Failure, Kind};
use crate::store::{Files, Folder, Rebuild};
use argh::{ArgsInfo, FromArgs};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

/// Make a store out of a backup, and the increments that were made after it, in their order. It appears
/// when it is whole and checked; until then nothing is changed.
#[derive(FromArgs, ArgsInfo)]
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
    /// replace a store that is there: what it has and the backup has not is lost, but for passwords,
    /// tokens and DKIM keys
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
        let db = behind_links(db_path(self.db.as_deref()));
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
        let folder: Arc<dyn Folder> = Arc::new(Files);
        let mut fill = |rebuild: &mut Rebuild| read_all(&self.file, rebuild);
        let hold = |mail: &Mail| {
            let held = smol::block_on(order::give(mail, Order::Hold, "all"));
            held.map_err(|e| Failure::new(Kind::Store, e.to_string()))
        };
        let done = restore::run(&folder, &db, &mut fill, &hold)?;
        print(&format!("restored to {}\n", db.display()));
        print(match done.kept {
            true => KEPT,
            false => OLD,
        });
        if done.held > 0 {
            // What waited to be sent when the backup was made does not go out twice unless a person says so.
            print(&format!(
                "{} in the queue may have been sent since the backup and are held: look with `pillarbox queue list`, \
                 then `pillarbox queue retry` or `drop`\n",
                done.held
            ));
        }
        Ok(())
    }
}

const KEPT: &str = "passwords, tokens and DKIM keys are those of the store that was replaced\n";
const OLD: &str = "passwords, tokens and DKIM keys are the backup's: what was revoked since then works again; look \
                   with `pillarbox app-password list`, `token list` and `dkim list`\n";

/// The backups, in their order.
fn read_all(files: &[String], rebuild: &mut Rebuild) -> Result<(), Failure> {
    let last = Cell::new(0);
    for file in files {
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
        last.set(backup::read(&mut input, &expect, Some(rebuild))?);
    }
    Ok(())
}

/// A backup, which shows how far it was read.
pub(super) fn open(file: &str) -> Result<Box<dyn Read>, Failure> {
    if file == "/dev/stdin" {
        return Ok(counted(io::stdin(), 0));
    }
    let path = Path::new(file);
    let opened = File::open(path).map_err(|e| unusable(path, &e))?;
    let total = opened.metadata().map_or(0, |about| about.len());
    Ok(counted(opened, total))
}

fn counted(file: impl Read + 'static, total: u64) -> Box<dyn Read> {
    let bar = Bar::new(total);
    Box::new(BufReader::with_capacity(128 * 1024, Counted { file, bar }))
}
