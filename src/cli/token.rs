//! `pillarbox token`: bearer tokens for JMAP clients and scripts.
use super::act::{Action, act, parse};
use super::app_password::date;
use crate::server::Failure;
use crate::server::control::{Request, Verb};
use argh::{ArgsInfo, FromArgs};

/// Make, list and revoke bearer tokens for JMAP clients. A token is printed once and cannot be shown again;
/// the list says when each was made (UTC). Whoever uses a revoked one is out at the next request.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "token",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} add phone",
    example = "{command_name} list",
    example = "{command_name} revoke phone"
)]
pub struct TokenCommand {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// add, list or revoke, and the name: for instance of the device it is for
    #[argh(positional)]
    action: Vec<String>,
}

const ACTIONS: [Action; 3] = [("add", "NAME"), ("list", ""), ("revoke", "NAME")];

impl TokenCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = self.db.as_deref();
        match parse("token", &ACTIONS, self.action)? {
            ("add", name) => act(db, &Request::new(Verb::TokenAdd, &name), "", str::to_owned),
            ("revoke", name) => act(
                db,
                &Request::new(Verb::TokenRevoke, &name),
                "Revoked.",
                str::to_owned,
            ),
            _ => act(db, &Request::new(Verb::TokenList, ""), "", row),
        }
    }
}

/// `seconds name` as people read it.
fn row(line: &str) -> String {
    let (seconds, name) = line.split_once(' ').unwrap_or(("0", line));
    date(seconds) + "  " + name
}
