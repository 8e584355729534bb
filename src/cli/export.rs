//! `pillarbox export`: mail to other programs.
use super::{existing_db_path, job};
use crate::keep::Target;
use crate::keep::export::{self, Maildir, Mbox};
use crate::keep::progress::Progress;
use crate::server::Failure;
use argh::{ArgsInfo, FromArgs};
use std::io;
use std::path::Path;

/// Write all mail, or a mailbox, as a Maildir++ or as mbox files, with flags, keywords and dates; whether
/// the server is running or not.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "export",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --to Maildir",
    example = "{command_name} --format mbox --mailbox INBOX --to - >inbox.mbox"
)]
pub struct Export {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// a directory, empty or new; with mbox, `-` is standard output (required)
    #[argh(option, arg_name = "DIR")]
    to: Option<String>,
    /// maildir or mbox (default: maildir)
    #[argh(option, arg_name = "FORMAT")]
    format: Option<String>,
    /// this mailbox alone (default: all)
    #[argh(option, arg_name = "MAILBOX")]
    mailbox: Option<String>,
}

impl Export {
    pub(super) fn run(self) -> Result<(), Failure> {
        let to = self
            .to
            .ok_or_else(|| Failure::usage("say where to: --to DIR"))?;
        let db = existing_db_path(self.db.as_deref())?;
        let path = Path::new(&to);
        let mut target: Box<dyn Target> = match (self.format.as_deref(), to.as_str()) {
            (Some("mbox"), "-") => Box::new(Mbox::stream(Box::new(io::stdout()))),
            (Some("mbox"), _) => Box::new(Mbox::new(path)?),
            (None | Some("maildir"), _) => Box::new(Maildir::new(path)?),
            (Some(other), _) => {
                return Err(Failure::usage(format!("--format {other}: maildir or mbox")));
            }
        };
        let mut progress = Progress::new(&mut *target);
        let only = self.mailbox.as_deref();
        let lines = job::take(
            &db,
            "export",
            only.unwrap_or_default(),
            &mut progress,
            &mut |mail, target| {
                export::run(mail, only, target)?;
                target.finish()
            },
        )?;
        if to != "-" {
            super::print(&(lines.join("\n") + "\n"));
        }
        Ok(())
    }
}
