//! `pillarbox status`: how the server is.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::server::Failure;
use crate::server::control::{Request, is_served};
use argh::FromArgs;

/// Show how much mail there is, what waits in the queue, the store's size, the room that is left on its disk,
/// and the server's memory.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "status",
    help_triggers("-h", "--help", "help"),
    example = "{command_name}",
    example = "{command_name} --metrics >/var/lib/node_exporter/pillarbox.prom"
)]
pub struct Status {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// as Prometheus reads it
    #[argh(switch)]
    metrics: bool,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = existing_db_path(self.db.as_deref())?;
        let up = is_served(&db);
        let mut lines = vec![String::from(if up { "up 1" } else { "up 0" })];
        lines.extend(perform(&db, &Request::Status)?);
        let mut text = String::new();
        for line in &lines {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            // Without the server the process is this one.
            if !up && matches!(name, "memory_octets" | "threads") {
                continue;
            }
            if self.metrics {
                text += &[
                    "# TYPE pillarbox_",
                    name,
                    " gauge\npillarbox_",
                    name,
                    " ",
                    value,
                    "\n",
                ]
                .concat();
            } else {
                text += &format!("{value:>16}  {}\n", name.replace('_', " "));
            }
        }
        print(&text);
        Ok(())
    }
}
