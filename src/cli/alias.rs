//! `pillarbox alias`: further own addresses, one per shop.
use super::act::{Action, act, parse};
use crate::server::Failure;
use crate::server::control::{Request, Verb};
use argh::{ArgsInfo, FromArgs};

/// Make, list, switch off and on, and remove further own addresses: one per shop, each switched off alone.
/// It holds from the next message on, and you may send as every one that is on. An address that is switched
/// off is refused even where --catch-all or a detail (me+shop) would take it.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "alias",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} add shop",
    example = "{command_name} add shop@example.net",
    example = "{command_name} off me+shop",
    example = "{command_name} list"
)]
pub struct AliasCommand {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// add, list, off, on or remove, and the address; without a domain it is at the main one
    #[argh(positional)]
    action: Vec<String>,
}

const ACTIONS: [Action; 5] = [
    ("add", "ADDRESS"),
    ("list", ""),
    ("off", "ADDRESS"),
    ("on", "ADDRESS"),
    ("remove", "ADDRESS"),
];

impl AliasCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (verb, address) = parse("alias", &ACTIONS, self.action)?;
        let done = if verb == "list" {
            "No aliases."
        } else {
            "Changed."
        };
        let request = Request::new(Verb::Alias, &[verb, " ", &address].concat());
        act(self.db.as_deref(), &request, done, |line| {
            line.replacen("on ", "on   ", 1)
                .replacen("off ", "off  ", 1)
        })
    }
}
