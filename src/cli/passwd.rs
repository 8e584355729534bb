//! `pillarbox passwd`: a new password, with the server up or down.
use super::{existing_db_path, open_existing, print, secret};
use crate::server::control::{self, Request, Verb};
use crate::server::{Failure, Kind};
use crate::sys;
use argh::{ArgsInfo, FromArgs};
use std::path::Path;

/// Change the password, whether the server is running or not.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "passwd", help_triggers("-h", "--help", "help"))]
pub struct Passwd {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// read the password from standard input (default: ask on the terminal)
    #[argh(switch)]
    stdin: bool,
    /// read the password from this file's first line; `-` is standard input
    #[argh(option, arg_name = "FILE")]
    password_file: Option<String>,
    /// set the secret of POP3's APOP instead, which is stored readable; only for clients that
    /// can do nothing better
    #[argh(switch)]
    apop: bool,
    /// with --apop: remove the secret
    #[argh(switch)]
    remove: bool,
}

impl Passwd {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = existing_db_path(self.db.as_deref())?;
        let request = match (self.apop, self.remove) {
            (true, true) => Request::new(Verb::Apop, ""),
            (true, false) => Request::new(Verb::Apop, &self.read("New APOP secret")?),
            (false, false) => Request::new(Verb::Password, &self.read("New password")?),
            (false, true) => return Err(Failure::usage("--remove goes with --apop only")),
        };
        perform(&db, &request)?;
        print("Changed.\n");
        Ok(())
    }

    fn read(&self, what: &str) -> Result<String, Failure> {
        let read = match (&self.password_file, self.stdin) {
            (Some(_), true) => {
                return Err(Failure::usage(
                    "--stdin and --password-file exclude each other",
                ));
            }
            (Some(file), false) => return secret(file),
            (None, true) => return secret("-"),
            (None, false) => sys::secret::prompt(what),
        };
        let read = read.map_err(|e| Failure::new(Kind::Secret, e))?;
        if !read.is_ascii() {
            eprintln!(
                "pillarbox: note: type the accents of this password in the same form everywhere; most \
                 keyboards do"
            );
        }
        Ok(read)
    }
}

/// Asks the running server, else opens the store.
pub(super) fn perform(db: &Path, request: &Request) -> Result<Vec<String>, Failure> {
    if let Some(answer) = control::ask(db, request)? {
        return Ok(answer);
    }
    let (mail, auth) = open_existing(db)?;
    let done = smol::block_on(async {
        let done = request.run(&auth, &mail).await;
        mail.close().await;
        done
    });
    done.map_err(|e| Failure::new(Kind::Other, e))
}
