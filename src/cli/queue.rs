//! `pillarbox queue`: what waits to be sent, and what a person wants done with it.
use super::act::{Action, act, parse};
use crate::server::Failure;
use crate::server::control::{Request, Verb};
use argh::{ArgsInfo, FromArgs};

/// Look at the mail that waits to be sent; retry, hold or drop it. The list shows id/domain, attempts and
/// state, recipients, the last answer. Retry tries now and lets go what is held; hold does not try until
/// then; drop takes it out, and its sender is told as of any failure.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "queue",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} list",
    example = "{command_name} retry all"
)]
pub struct QueueCommand {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// list, show, retry, hold or drop, and which: an id or id/domain from the list, or all
    #[argh(positional)]
    action: Vec<String>,
}

const ACTIONS: [Action; 5] = [
    ("list", ""),
    ("show", "ID"),
    ("retry", "WHICH"),
    ("hold", "WHICH"),
    ("drop", "WHICH"),
];

impl QueueCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = self.db.as_deref();
        match parse("queue", &ACTIONS, self.action)? {
            ("list", _) => act(
                db,
                &Request::new(Verb::QueueList, ""),
                "Nothing waits.",
                str::to_owned,
            ),
            ("show", id) => act(db, &Request::new(Verb::QueueShow, &id), "", str::to_owned),
            (order, which) => {
                let request = Request::new(Verb::QueueOrder, &[order, " ", &which].concat());
                act(db, &request, "", |count| format!("Ordered for {count}."))
            }
        }
    }
}
