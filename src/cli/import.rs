//! `pillarbox import`: mail from elsewhere.
use super::{existing_db_path, job, secret};
use crate::http::url;
use crate::keep::imap::{self, Origin};
use crate::keep::intake::Intake;
use crate::keep::progress::Progress;
use crate::keep::source::{self, Options};
use crate::server::{Failure, Kind};
use crate::sys;
use argh::{ArgsInfo, FromArgs};
use std::path::PathBuf;

/// Take in mail from mbox files (also Google Takeout's, with its labels), Maildirs with their folders,
/// .eml files, directories of any of these, and from another IMAP server; whether the server here is running
/// or not. What is there already is not taken twice: run it again after an interruption, and it goes on.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "import",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} ~/Maildir",
    example = "{command_name} --into Old 'All mail Including Spam and Trash.mbox'",
    example = "{command_name} imaps://anna%40example.net@imap.example.net",
    note = "`-` is an mbox file on standard input: tar xzOf takeout.tgz | {command_name} -",
    note = "imaps:// is TLS from the start (port 993), imap:// TLS by STARTTLS (port 143). The password is asked \
            for. Gmail and others want an app password."
)]
pub struct Import {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// put everything below this mailbox (default: folders go where their names say, all else to INBOX)
    #[argh(option, arg_name = "MAILBOX")]
    into: Option<String>,
    /// mark everything as read
    #[argh(switch)]
    seen: bool,
    /// password at another IMAP server: this file's first line, `-` is standard input (default: ask on the
    /// terminal)
    #[argh(option, arg_name = "FILE")]
    password_file: Option<String>,
    /// access token of OAuth 2 at another IMAP server instead of a password (XOAUTH2), as outlook.com wants it:
    /// this file's first line
    #[argh(option, arg_name = "FILE")]
    token_file: Option<String>,
    /// further trusted certificates in PEM for another IMAP server (default: the system's only, or those in
    /// $SSL_CERT_FILE)
    #[argh(option, arg_name = "FILE")]
    ca: Option<PathBuf>,
    /// do without TLS at imap://: others may read the password and all mail
    #[argh(switch)]
    insecure: bool,
    /// fetch also what an earlier import from that IMAP server fetched, like mail deleted here since
    #[argh(switch)]
    again: bool,
    /// files, directories, and imaps://USER@HOST
    #[argh(positional)]
    path: Vec<String>,
}

/// One thing to import.
enum Source {
    Path(PathBuf),
    Server(Origin),
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        if self.path.is_empty() {
            return Err(Failure::usage(
                "say what to import: a file, a directory, imaps://USER@HOST, or - for an mbox on standard \
                 input",
            ));
        }
        let is_server =
            |path: &&String| path.starts_with("imaps://") || path.starts_with("imap://");
        let given = self.password_file.is_some() || self.token_file.is_some();
        if given && self.path.iter().filter(is_server).count() > 1 {
            return Err(Failure::usage(
                "--password-file and --token-file are for one server: another one should not see them; import \
                 from one after the other",
            ));
        }
        let db = existing_db_path(self.db.as_deref())?;
        let sources = self.path.iter().map(|path| self.source(path));
        let sources = sources.collect::<Result<Vec<_>, _>>()?;
        let (options, again) = (
            Options {
                into: self.into,
                seen: self.seen,
            },
            self.again,
        );
        let mut missed = 0;
        let lines = job::give(
            &db,
            &mut |mail| Box::new(Intake::new(mail)),
            &mut |target| {
                let mut progress = Progress::new(target);
                progress.expect(|| {
                    let weight = |source: &Source| match source {
                        Source::Path(path) => source::weigh(path, 0),
                        Source::Server(_) => 0,
                    };
                    sources.iter().map(weight).sum()
                });
                for source in &sources {
                    match source {
                        Source::Path(path) => source::read(path, &options, &mut progress)?,
                        Source::Server(origin) => {
                            let job = imap::Job {
                                origin,
                                options: &options,
                                again,
                            };
                            missed += imap::read(&job, &mut progress)?;
                        }
                    }
                }
                crate::keep::Target::finish(&mut progress)
            },
        )?;
        let refused = lines
            .last()
            .is_some_and(|line| !line.ends_with(" 0 refused"))
            || missed > 0;
        let text = lines.join("\n");
        if refused {
            return Err(Failure::new(Kind::Other, text));
        }
        super::print(&(text + "\n"));
        Ok(())
    }

    fn source(&self, path: &str) -> Result<Source, Failure> {
        let (tls, rest) = match path.split_once("://") {
            Some(("imaps", rest)) => (true, rest),
            Some(("imap", rest)) => (false, rest),
            _ => return Ok(Source::Path(PathBuf::from(path))),
        };
        let wrong = |why: &str| Failure::usage([path, ": ", why].concat());
        let form = "give imaps://USER@HOST or imaps://USER@HOST:PORT, and no mailbox";
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, server) = rest.rsplit_once('@').ok_or_else(|| wrong(form))?;
        if user.contains(':') {
            return Err(Failure::usage(
                "no password in the URL: others see it; it is asked for, or use --password-file",
            ));
        }
        let user = url::decode(user).filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| wrong(form))?;
        let (host, port) = super::serve::host_port("import", server)?;
        if self.insecure && tls {
            return Err(Failure::usage("--insecure goes with imap:// only"));
        }
        let password = match (&self.password_file, &self.token_file) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "--password-file and --token-file exclude each other",
                ));
            }
            (Some(file), None) | (None, Some(file)) => secret(file)?,
            (None, None) => {
                sys::secret::prompt_once(&[&user, " at ", &host, ", password"].concat())
                    .map_err(|e| Failure::new(Kind::Secret, e))?
            }
        };
        Ok(Source::Server(Origin {
            host,
            port: port.unwrap_or(if tls { 993 } else { 143 }),
            tls,
            insecure: self.insecure,
            ca: self.ca.clone(),
            user,
            password,
            token: self.token_file.is_some(),
        }))
    }
}
