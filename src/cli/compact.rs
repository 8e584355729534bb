//! `pillarbox compact`: gives the space back that deleted mail left in the file.
use super::{existing_db_path, open_existing, print};
use crate::server::{Failure, Kind, control};
use crate::store::Files;
use argh::{ArgsInfo, FromArgs};
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

/// Write the store anew, without the space that deleted mail left. Says first what that gains and needs.
/// The server must be down. The new file takes the old one's place when it is whole: a power cut leaves
/// one or the other.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "compact", help_triggers("-h", "--help", "help"))]
pub struct Compact {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
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
        let (mail, _) = open_existing(&db)?;
        let done = self.compact(&db, &mail);
        smol::block_on(mail.close());
        done
    }

    fn compact(&self, db: &std::path::Path, mail: &crate::mail::Mail) -> Result<(), Failure> {
        let failed = |e| Failure::of_store(db, &e);
        let store = mail
            .store()
            .map_err(|e| Failure::new(Kind::Store, e.to_string()))?;
        let on_disk = || std::fs::metadata(db).map_or(0, |about| about.blocks() * 512);
        let (before, used) = (on_disk(), store.used().map_err(failed)?);
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
            return Ok(());
        }
        if free < used {
            return Err(Failure::new(
                Kind::Store,
                "there is not enough room for the new file",
            ));
        }
        store.compact(Arc::new(Files), db).map_err(failed)?;
        print(&format!("now {} KiB on disk\n", kib(on_disk())));
        Ok(())
    }
}
