//! The command line: one file per command, argh for the flags.
mod act;
mod alias;
mod app_password;
mod args;
mod backup;
mod client_config;
mod compact;
mod create;
mod dkim;
mod dns;
mod doctor;
mod export;
mod import;
mod init;
mod job;
#[cfg(test)]
mod manual;
mod passwd;
mod qr;
mod queue;
mod restore;
mod salvage;
mod serve;
mod status;
mod token;
mod verify;

use crate::config::Config;
use crate::limits;
use crate::mail::{Mail, Options};
use crate::server::account::Account;
use crate::server::{Failure, Kind};
use crate::{auth::Auth, sys};
use argh::{ArgsInfo, FromArgs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// An embedded single-user mail server: SMTP, IMAP, POP3 and JMAP out of one file.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    help_triggers("-h", "--help", "help"),
    example = "{command_name} serve --try --domain example.test",
    example = "{command_name} serve --domain example.org --hostname mail.example.org",
    note = "`{command_name} COMMAND --help` lists the flags of a command. Secrets are never given as \
            a flag's value: use a file, `-` for standard input, or systemd credentials.",
    error_code(1, "anything else"),
    error_code(2, "wrong flags"),
    error_code(3, "another process has the store open"),
    error_code(4, "the store cannot be opened, read or written"),
    error_code(5, "the store was written by a newer version, or one too old"),
    error_code(6, "the certificate or its key cannot be used"),
    error_code(7, "a port is in use or not permitted"),
    error_code(8, "a secret file cannot be read, or others can read it"),
    error_code(9, "the store is damaged"),
    error_code(10, "the running server did not answer or refused"),
    error_code(11, "doctor found something wrong")
)]
struct Top {
    /// print the version and exit
    #[argh(switch, short = 'V')]
    version: bool,
    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum Command {
    Serve(Serve),
    Init(init::Init),
    Passwd(passwd::Passwd),
    Token(token::TokenCommand),
    AppPassword(app_password::AppPassword),
    Alias(alias::AliasCommand),
    Queue(queue::QueueCommand),
    Dns(dns::Dns),
    ClientConfig(client_config::ClientConfig),
    Dkim(dkim::DkimCommand),
    Import(import::Import),
    Export(export::Export),
    Doctor(doctor::Doctor),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Verify(verify::Verify),
    Compact(compact::Compact),
    Salvage(salvage::Salvage),
    Status(status::Status),
}

/// It has more flags than all others together.
type Serve = Box<serve::Serve>;

impl ArgsInfo for Serve {
    fn get_args_info() -> argh::CommandInfoWithArgs {
        serve::Serve::get_args_info()
    }
}

/// The whole program: arguments to a run, a run to an exit code.
pub fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("pillarbox: {failure}");
            ExitCode::from(failure.kind() as u8)
        }
    }
}

fn run() -> Result<ExitCode, Failure> {
    let args = args::prepare(std::env::args_os().skip(1))?;
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let top = match Top::from_args(&["pillarbox"], &args) {
        Ok(top) => top,
        Err(exit) if exit.status.is_ok() => {
            print(&exit.output);
            return Ok(ExitCode::SUCCESS);
        }
        Err(exit) => {
            let output = exit.output.trim_end();
            return Err(Failure::usage(format!("{output}\nSee `pillarbox --help`.")));
        }
    };
    if top.version {
        print(concat!(
            "pillarbox ",
            env!("CARGO_PKG_VERSION"),
            " (",
            env!("PILLARBOX_BUILD"),
            ")\n"
        ));
        return Ok(ExitCode::SUCCESS);
    }
    match top.command {
        Some(Command::Serve(command)) => command.run()?,
        Some(Command::Init(command)) => command.run()?,
        Some(Command::Passwd(command)) => command.run()?,
        Some(Command::Token(command)) => command.run()?,
        Some(Command::AppPassword(command)) => command.run()?,
        Some(Command::Alias(command)) => command.run()?,
        Some(Command::Queue(command)) => command.run()?,
        Some(Command::Dns(command)) => command.run()?,
        Some(Command::ClientConfig(command)) => command.run()?,
        Some(Command::Dkim(command)) => command.run()?,
        Some(Command::Import(command)) => command.run()?,
        Some(Command::Export(command)) => command.run()?,
        Some(Command::Doctor(command)) => command.run()?,
        Some(Command::Backup(command)) => command.run()?,
        Some(Command::Restore(command)) => command.run()?,
        Some(Command::Verify(command)) => command.run()?,
        Some(Command::Compact(command)) => command.run()?,
        Some(Command::Salvage(command)) => command.run()?,
        Some(Command::Status(command)) => command.run()?,
        None => {
            return Err(Failure::usage(
                "no command given: `pillarbox serve --try --domain example.test` starts a server to \
                 look at, `pillarbox --help` lists the commands",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints to standard output; a reader that has gone (`| head`) is no error.
fn print(text: &str) {
    use std::io::Write;
    let _ = std::io::stdout().write_all(text.as_bytes());
}

/// The store's path: as flagged, else in the state directory systemd gives, else here.
fn db_path(flag: Option<&str>) -> PathBuf {
    match (flag, std::env::var_os("STATE_DIRECTORY")) {
        (Some(path), _) => path.into(),
        (None, Some(dir)) if !dir.is_empty() => PathBuf::from(dir).join("mail.redb"),
        _ => "mail.redb".into(),
    }
}

/// Where the packaged service keeps its store.
const PACKAGED: &str = "/var/lib/pillarbox/mail.redb";

/// The same for commands about a store that is there: without a flag, also the packaged one.
fn existing_db_path(flag: Option<&str>) -> Result<PathBuf, Failure> {
    let here = db_path(flag);
    let packaged = PathBuf::from(PACKAGED);
    if here.exists() {
        Ok(here)
    } else if flag.is_none() && packaged.exists() {
        Ok(packaged)
    } else {
        Err(no_store(&here))
    }
}

/// Where the file is that is to be replaced: not the link that leads to it.
fn behind_links(db: PathBuf) -> PathBuf {
    std::fs::canonicalize(&db).unwrap_or(db)
}

/// Opens a store.
fn open(db: &Path, options: Options) -> Result<Arc<Mail>, Failure> {
    Mail::open(db, options).map_err(|e| Failure::of_store(db, &e))
}

/// Opens a store that must be there, with its account, for a short command.
fn open_existing(db: &Path) -> Result<(Arc<Mail>, Arc<Auth>), Failure> {
    let mut config = Config::new("", "");
    db.clone_into(&mut config.db);
    let options = Options {
        message_size: limits::IMPORT_SIZE,
        ..Options::default()
    };
    let mail = open(db, options)?;
    let Some(account) = Account::recall(&*mail)? else {
        return Err(Failure::new(
            Kind::Store,
            format!(
                "{} has no account yet: run `pillarbox init --domain DOMAIN`",
                db.display()
            ),
        ));
    };
    account.fill(&mut config);
    let auth =
        Auth::open(Arc::new(config), mail.clone()).map_err(|e| Failure::new(Kind::Store, e))?;
    Ok((mail, Arc::new(auth)))
}

fn no_store(db: &Path) -> Failure {
    Failure::new(
        Kind::Store,
        format!(
            "there is no store at {}: make one with `pillarbox init --domain DOMAIN`, or name another \
             with --db",
            db.display()
        ),
    )
}

/// Checks a value of `--password-file` and the like, and reads it.
fn secret(file: &str) -> Result<String, Failure> {
    sys::secret::read(Path::new(file)).map_err(|e| Failure::new(Kind::Secret, e))
}
