//! `pillarbox dkim`: the keys that sign, and new ones in their place.
use super::act::{Action, act, parse};
use crate::server::Failure;
use crate::server::control::{Request, Verb};
use argh::{ArgsInfo, FromArgs};

/// List the DKIM keys, or exchange them: `rotate` makes new ones to publish (`pillarbox dns`), `switch` signs
/// with them once they are published, `retire` forgets the old ones some days later, when nothing that they
/// signed is on its way any more.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "dkim",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} list",
    example = "{command_name} rotate"
)]
pub struct DkimCommand {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// list, rotate, switch or retire
    #[argh(positional)]
    action: Vec<String>,
}

const ACTIONS: [Action; 4] = [("list", ""), ("rotate", ""), ("switch", ""), ("retire", "")];

impl DkimCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (step, _) = parse("dkim", &ACTIONS, self.action)?;
        let done = match step {
            "rotate" => {
                "New keys are made: publish them (`pillarbox dns`), then `pillarbox dkim switch`."
            }
            "switch" => "The new keys sign. Leave the old records published for some days.",
            _ => "The old keys are forgotten: take their records away.",
        };
        act(
            self.db.as_deref(),
            &Request::new(Verb::Dkim, step),
            done,
            str::to_owned,
        )
    }
}
