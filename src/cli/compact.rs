//! `pillarbox compact`: gives the space back that deleted mail left in the file.
use super::{behind_links, existing_db_path, open_existing, print};
use crate::server::{Failure, Kind, control};
use crate::store::{self, FileSource, Files};
use argh::{ArgsInfo, FromArgs};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

/// Write the store anew, without the space that deleted mail left. Says first what that gains and needs.
/// The server must be down. The new file takes the old one's place when it is whole: a power cut leaves
/// one or the other. On a disk without room for it, things are moved within the file.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "compact", help_triggers("-h", "--help", "help"))]
pub struct Compact {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// move things within the file: slower, and needs no room beside it (done anyway where there is not enough)
    #[argh(switch)]
    in_place: bool,
    /// only say what it would gain
    #[argh(switch)]
    dry_run: bool,
}

impl Compact {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = existing_db_path(self.db.as_deref())?;
        if control::is_served(&db) {
            return Err(Failure::new(
                Kind::Locked,
                format!("a server has {} open: stop it first", db.display()),
            ));
        }
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let db = behind_links(db);
        let (mail, _) = open_existing(&db)?;
        let done = self.compact(&db, &mail);
        smol::block_on(mail.close());
        if done? {
            let source = FileSource(db.clone());
            store::squeeze(&source).map_err(|e| Failure::of_store(&db, &e))?;
        }
        if !self.dry_run {
            print(&format!("now {} KiB on disk\n", on_disk(&db) >> 10));
        }
        Ok(())
    }

    /// Says what it takes, and does it unless it has to be done in place.
    fn compact(&self, db: &Path, mail: &crate::mail::Mail) -> Result<bool, Failure> {
        let failed = |e| Failure::of_store(db, &e);
        let store = mail
            .store()
            .map_err(|e| Failure::new(Kind::Store, e.to_string()))?;
        let (before, used) = (on_disk(db), store.used().map_err(failed)?);
        let free =
            rustix::fs::statvfs(db).map_or(u64::MAX, |s| s.f_bavail.saturating_mul(s.f_frsize));
        let kib = |octets: u64| octets >> 10;
        print(&format!(
            "{} KiB on disk, {} KiB in use: gains about {} KiB; needs {} KiB beside it, {} KiB are free\n",
            kib(before),
            kib(used),
            kib(before.saturating_sub(used)),
            kib(used),
            kib(free)
        ));
        if self.dry_run {
            return Ok(false);
        }
        if self.in_place || free < used {
            print("in place: this takes longer, and may be stopped at any time\n");
            return Ok(true);
        }
        store.compact(Arc::new(Files), db).map_err(failed)?;
        Ok(false)
    }
}

fn on_disk(db: &Path) -> u64 {
    std::fs::metadata(db).map_or(0, |about| about.blocks() * 512)
}
