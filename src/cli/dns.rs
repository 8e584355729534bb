//! `pillarbox dns`: what to publish in the DNS.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::server::Failure;
use crate::server::control::{Request, Verb};
use argh::{ArgsInfo, FromArgs};

/// Print the DNS records to publish, as lines of a zone file: MX, SPF, DKIM, DMARC, MTA-STS, TLS
/// reports, and where clients find the server. The DKIM keys are made if there are none yet.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "dns", help_triggers("-h", "--help", "help"))]
pub struct Dns {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// print type, name and value, as the forms of DNS providers want them, instead of lines of a zone file
    #[argh(switch)]
    form: bool,
}

impl Dns {
    pub(super) fn run(self) -> Result<(), Failure> {
        let form = if self.form { "form" } else { "zone" };
        let db = existing_db_path(self.db.as_deref())?;
        for line in perform(&db, &Request::new(Verb::Zone, form))? {
            print(&format!("{line}\n"));
        }
        Ok(())
    }
}
