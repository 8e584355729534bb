//! `pillarbox token`: bearer tokens for JMAP clients and scripts.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::server::Failure;
use crate::server::control::Request;
use argh::FromArgs;

/// Make, list and revoke bearer tokens for JMAP clients.
#[derive(FromArgs)]
#[argh(subcommand, name = "token", help_triggers("-h", "--help", "help"))]
pub struct TokenCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Make a token and print it; it cannot be shown again.
#[derive(FromArgs)]
#[argh(subcommand, name = "add", help_triggers("-h", "--help", "help"))]
struct Add {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// what to call it, for instance the device it is for
    #[argh(positional)]
    name: String,
}

/// List the tokens: when each was made (UTC), and its name.
#[derive(FromArgs)]
#[argh(subcommand, name = "list", help_triggers("-h", "--help", "help"))]
struct List {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
}

/// Revoke a token; whoever uses it is out at the next request.
#[derive(FromArgs)]
#[argh(subcommand, name = "revoke", help_triggers("-h", "--help", "help"))]
struct Revoke {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// its name
    #[argh(positional)]
    name: String,
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (db, request) = match self.action {
            Action::Add(a) => (a.db, Request::TokenAdd(a.name)),
            Action::List(a) => (a.db, Request::TokenList),
            Action::Revoke(a) => (a.db, Request::TokenRevoke(a.name)),
        };
        let db = existing_db_path(db.as_deref())?;
        let lines = perform(&db, &request)?;
        match request {
            Request::TokenAdd(_) => print(&format!("{}\n", lines.concat())),
            Request::TokenList => lines.iter().for_each(|line| print(&row(line))),
            _ => print("Revoked.\n"),
        }
        Ok(())
    }
}

/// `seconds name` as people read it.
fn row(line: &str) -> String {
    let (seconds, name) = line.split_once(' ').unwrap_or(("0", line));
    let made = seconds.parse().unwrap_or(0);
    let made = time::OffsetDateTime::from_unix_timestamp(made);
    let date = made.map_or_else(|_| "?".into(), |made| made.date().to_string());
    format!("{date}  {name}\n")
}
