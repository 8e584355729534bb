//! `pillarbox salvage`: what is left in a damaged file.
use super::{existing_db_path, print};
use crate::keep::export::Maildir;
use crate::keep::{Said, Target};
use crate::limits;
use crate::server::{Failure, Kind};
use crate::store;
use argh::{ArgsInfo, FromArgs};
use std::path::Path;

/// Write every message that can still be read in a damaged store to a Maildir++, which `import` takes. The
/// damaged file is only read. Mail that was deleted lately may come to light, too: under Salvaged.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "salvage",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} --db damaged.redb --to found"
)]
pub struct Salvage {
    /// the damaged store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// a directory, empty or new, better on another disk (required)
    #[argh(option, arg_name = "DIR")]
    to: Option<String>,
}

impl Salvage {
    pub(super) fn run(self) -> Result<(), Failure> {
        let to = self
            .to
            .ok_or_else(|| Failure::usage("say where to: --to DIR"))?;
        let db = existing_db_path(self.db.as_deref())?;
        let mut target = Maildir::new(Path::new(&to))?;
        let (mut failed, mut broken) = (None, 0);
        let done = store::salvage(&db, limits::SALVAGE, &mut |found, octets| {
            let done = match octets {
                [] => {
                    broken += u64::from(!found.whole);
                    target.end(&Said {
                        mailboxes: vec![found.mailbox.clone()],
                        flags: found.flags,
                        keywords: found.keywords.clone(),
                        date: Some(found.date),
                        origin: format!("{}.salvaged", found.email),
                        wished: false,
                    })
                }
                octets => target.octets(octets),
            };
            failed = done.err();
            match failed {
                None => Ok(()),
                Some(_) => Err(store::Error::Closed),
            }
        });
        if let Some(failure) = failed {
            return Err(failure);
        }
        done.map_err(|e| Failure::of_store(&db, &e))?;
        let lines = target.finish()?.concat();
        if broken > 0 {
            let text = format!("{lines}, {broken} of them are cut off");
            return Err(Failure::new(Kind::Damaged, text));
        }
        print(&(lines + "\n"));
        Ok(())
    }
}
