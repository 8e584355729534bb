//! `pillarbox init`: makes the store and the account without serving.
use super::create::{Wanted, no_domain};
use super::{db_path, open, print};
use crate::config::Config;
use crate::mail::Options;
use crate::server::account::Account;
use crate::server::{Failure, Kind};
use crate::sys;
use argh::{ArgsInfo, FromArgs};

/// Make the store, the account and a certificate, and print the password once.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "init", help_triggers("-h", "--help", "help"))]
pub struct Init {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// own mail domain; repeat for further ones, the first is the main one (required)
    #[argh(option, arg_name = "DOMAIN")]
    domain: Vec<String>,
    /// log-in name and local part of the first address (default: me)
    #[argh(option, arg_name = "NAME")]
    user: Option<String>,
    /// this server's own name (default: the main domain)
    #[argh(option, arg_name = "HOST")]
    hostname: Option<String>,
    /// further own address, also at another domain; repeatable (default: none)
    #[argh(option, arg_name = "ADDRESS")]
    alias: Vec<String>,
    /// take the password from this file's first line, `-` is standard input (default:
    /// $CREDENTIALS_DIRECTORY/password, else a random one is made and printed once)
    #[argh(option, arg_name = "FILE")]
    password_file: Option<String>,
}

impl Init {
    pub(super) fn run(self) -> Result<(), Failure> {
        sys::log::start(0, 1);
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        let db = db_path(self.db.as_deref());
        let wanted = Wanted {
            user: self.user,
            domains: self.domain,
            hostname: self.hostname,
            aliases: self.alias,
            password_file: self.password_file,
        }
        .check()?;
        if !db.exists() && wanted.domains.is_empty() {
            return Err(no_domain(&db));
        }
        let mut config = Config::new("", "");
        config.db.clone_from(&db);
        let options = Options {
            cache: config.cache,
            message_size: config.max_message_size,
            ..Options::default()
        };
        let mail = open(&db, options)?;
        if Account::recall(&*mail)?.is_some() {
            return Err(Failure::new(
                Kind::Store,
                format!(
                    "{} has an account already; nothing was changed",
                    db.display()
                ),
            ));
        }
        let ready = smol::block_on(async {
            let ready = wanted.settle(config, &mail).await;
            mail.close().await;
            ready
        })?;
        if ready.self_signed {
            print(&format!(
                "certificate SHA-256 {}\n",
                ready.tls.fingerprint()
            ));
        }
        Ok(())
    }
}
