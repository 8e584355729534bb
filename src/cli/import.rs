//! `pillarbox import`: mail from elsewhere.
use super::{existing_db_path, job};
use crate::keep::intake::Intake;
use crate::keep::progress::Progress;
use crate::keep::source::{self, Options};
use crate::server::{Failure, Kind};
use argh::FromArgs;
use std::path::Path;

/// Take in mail from mbox files (also Google Takeout's, with its labels), Maildirs with their folders,
/// .eml files, and directories of any of these; whether the server is running or not. What is there
/// already is not taken twice: run it again after an interruption, and it goes on.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "import",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} ~/Maildir",
    example = "{command_name} --into Old 'All mail Including Spam and Trash.mbox'",
    note = "`-` is an mbox file on standard input: tar xzOf takeout.tgz | {command_name} -"
)]
pub struct Import {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// put everything below this mailbox (default: folders go where their names say, all else to INBOX)
    #[argh(option, arg_name = "MAILBOX")]
    into: Option<String>,
    /// mark everything as read
    #[argh(switch)]
    seen: bool,
    /// files and directories
    #[argh(positional)]
    path: Vec<String>,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.path.is_empty() {
            return Err(Failure::usage(
                "say what to import: a file, a directory, or - for an mbox on standard input",
            ));
        }
        let db = existing_db_path(self.db.as_deref())?;
        let (paths, options) = (
            self.path,
            Options {
                into: self.into,
                seen: self.seen,
            },
        );
        let lines = job::give(
            &db,
            &mut |mail| Box::new(Intake::new(mail)),
            &mut |target| {
                let mut progress = Progress::new(target);
                progress.expect(|| {
                    paths
                        .iter()
                        .map(|path| source::weigh(Path::new(path), 0))
                        .sum()
                });
                for path in &paths {
                    source::read(Path::new(path), &options, &mut progress)?;
                }
                crate::keep::Target::finish(&mut progress)
            },
        )?;
        let refused = lines
            .last()
            .is_some_and(|line| !line.ends_with(" 0 refused"));
        let text = lines.join("\n");
        if refused {
            return Err(Failure::new(Kind::Other, text));
        }
        super::print(&(text + "\n"));
        Ok(())
    }
}
