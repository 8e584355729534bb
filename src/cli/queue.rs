//! `pillarbox queue`: what waits to be sent, and what a person wants done with it.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::server::Failure;
use crate::server::control::Request;
use argh::FromArgs;

/// Look at the mail that waits to be sent; retry, hold or drop it.
#[derive(FromArgs)]
#[argh(subcommand, name = "queue", help_triggers("-h", "--help", "help"))]
pub struct QueueCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    List(List),
    Show(Show),
    Retry(Retry),
    Hold(Hold),
    Drop(Drop),
}

/// List what waits: id/domain, attempts and state, recipients, the last answer.
#[derive(FromArgs)]
#[argh(subcommand, name = "list", help_triggers("-h", "--help", "help"))]
struct List {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
}

/// Show one message that waits.
#[derive(FromArgs)]
#[argh(subcommand, name = "show", help_triggers("-h", "--help", "help"))]
struct Show {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// an id from the list
    #[argh(positional)]
    which: String,
}

/// Try now, and let go what is held.
#[derive(FromArgs)]
#[argh(subcommand, name = "retry", help_triggers("-h", "--help", "help"))]
struct Retry {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// an id or id/domain from the list, or all
    #[argh(positional)]
    which: String,
}

/// Do not try until `retry`.
#[derive(FromArgs)]
#[argh(subcommand, name = "hold", help_triggers("-h", "--help", "help"))]
struct Hold {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// an id or id/domain from the list, or all
    #[argh(positional)]
    which: String,
}

/// Take it out; its sender is told as of any failure.
#[derive(FromArgs)]
#[argh(subcommand, name = "drop", help_triggers("-h", "--help", "help"))]
struct Drop {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// an id or id/domain from the list, or all
    #[argh(positional)]
    which: String,
}

impl QueueCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let order = |order: &str, which: &str| Request::QueueOrder(format!("{order} {which}"));
        let (db, request) = match self.action {
            Action::List(a) => (a.db, Request::QueueList),
            Action::Show(a) => (a.db, Request::QueueShow(a.which)),
            Action::Retry(a) => (a.db, order("retry", &a.which)),
            Action::Hold(a) => (a.db, order("hold", &a.which)),
            Action::Drop(a) => (a.db, order("drop", &a.which)),
        };
        let db = existing_db_path(db.as_deref())?;
        let lines = perform(&db, &request)?;
        match request {
            Request::QueueList if lines.is_empty() => print("Nothing waits.\n"),
            Request::QueueOrder(_) => print(&format!("Ordered for {}.\n", lines.concat())),
            _ => lines.iter().for_each(|line| print(&format!("{line}\n"))),
        }
        Ok(())
    }
}
