//! From an opened store to an account: found, or made with what the flags say.
use super::{print, secret};
use crate::auth::Auth;
use crate::config::Config;
use crate::mail::Mail;
use crate::net::tls::Tls;
use crate::server::account::{self, Account};
use crate::server::{Failure, Kind};
use crate::sys;
use std::path::Path;
use std::sync::Arc;

/// What the flags say about the account.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) user: Option<String>,
    pub(super) domains: Vec<String>,
    pub(super) hostname: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) password_file: Option<String>,
}

/// The log-in name of an account made without `--user`.
const DEFAULT_USER: &str = "me";

/// An account ready for use.
pub(super) struct Ready {
    pub(super) config: Arc<Config>,
    pub(super) auth: Arc<Auth>,
    pub(super) tls: Tls,
    pub(super) self_signed: bool,
}

impl Wanted {
    /// Checks names and addresses and brings them into one form.
    pub(super) fn check(mut self) -> Result<Wanted, Failure> {
        for domain in &mut self.domains {
            *domain = host_name("--domain", domain)?;
        }
        if let Some(name) = &mut self.hostname {
            *name = host_name("--hostname", name)?;
        }
        if let Some(user) = &self.user {
            let odd = |c: char| c.is_control() || c.is_whitespace() || ":\"(),;<>[]\\".contains(c);
            if user.is_empty() || user.len() > 64 || user.contains(odd) {
                return Err(Failure::usage(format!(
                    "--user {user}: a user name has 1 to 64 letters, digits, dots and the like, no spaces"
                )));
            }
        }
        for alias in &mut self.aliases {
            let Some((local, domain)) = alias.rsplit_once('@').filter(|(l, _)| !l.is_empty())
            else {
                return Err(Failure::usage(format!(
                    "--alias {alias}: give a whole address, like shop@example.org"
                )));
            };
            *alias = format!("{}@{}", local.to_lowercase(), host_name("--alias", domain)?);
        }
        Ok(self)
    }

    /// Finds the account or makes it; flags win over what was remembered and are remembered.
    pub(super) async fn settle(
        self,
        mut config: Config,
        mail: &Arc<Mail>,
    ) -> Result<Ready, Failure> {
        let known = Account::recall(&**mail)?;
        let mut account = known.clone().unwrap_or_default();
        if !self.domains.is_empty() {
            account.domains = self.domains;
        }
        let Some(main) = account.domains.first().cloned() else {
            return Err(no_domain(&config.db));
        };
        if let Some(user) = self.user {
            account.user = user;
        } else if account.user.is_empty() {
            account.user = DEFAULT_USER.into();
        }
        if let Some(hostname) = self.hostname {
            account.hostname = hostname;
        } else if account.hostname.is_empty() {
            account.hostname = main;
        }
        account.fill(&mut config);
        for alias in &self.aliases {
            config.aliases.add(alias);
        }
        account.aliases = config.aliases.list();
        let config = Arc::new(config);
        let (tls, self_signed) = account::certificate(&config, &**mail).await?;
        let auth =
            Auth::open(config.clone(), mail.clone()).map_err(|e| Failure::new(Kind::Store, e))?;
        if !auth.has_password() {
            make_password(&auth, &config, self.password_file.as_deref()).await?;
        }
        if known.as_ref() != Some(&account) {
            account.remember(&**mail).await?;
        }
        Ok(Ready {
            config,
            auth: Arc::new(auth),
            tls,
            self_signed,
        })
    }
}

/// Sets the first password: from the file, from systemd, or a random one that is shown once.
async fn make_password(auth: &Auth, config: &Config, file: Option<&str>) -> Result<(), Failure> {
    let given = match (file, sys::secret::credential("password")) {
        (Some(file), _) => Some(secret(file)?),
        (None, Some(path)) => {
            Some(sys::secret::read(&path).map_err(|e| Failure::new(Kind::Secret, e))?)
        }
        (None, None) => None,
    };
    let generated = given.is_none();
    let password = match given {
        Some(password) => password,
        None => sys::random::password().map_err(|e| Failure::new(Kind::Other, e.to_string()))?,
    };
    let set = auth.set_password(&password, generated).await;
    set.map_err(|e| Failure::new(Kind::Store, e))?;
    let shown = if generated {
        password.as_str()
    } else {
        "(the one you gave)"
    };
    print(&welcome(config, shown));
    Ok(())
}

/// The box that shows the password once.
fn welcome(config: &Config, password: &str) -> String {
    let lines = [
        "A new mailbox. Write this down, it is not shown again:".to_owned(),
        String::new(),
        format!("  user      {}   (or {})", config.user, config.address()),
        format!("  password  {password}"),
        String::new(),
        format!("Change it: pillarbox passwd --db {}", config.db.display()),
    ];
    let width = lines
        .iter()
        .map(|line| line.chars().count())
        .max()
        .unwrap_or(0);
    let edge = format!("+{}+\n", "-".repeat(width + 2));
    let body: String = lines
        .iter()
        .map(|line| format!("| {line:width$} |\n"))
        .collect();
    format!("{edge}{body}{edge}")
}

/// A store without an account, and no flag to make one.
pub(super) fn no_domain(db: &Path) -> Failure {
    Failure::usage(format!(
        "there is no mailbox at {} yet. To make one, say which domain it is for:\n  \
         pillarbox serve --domain example.org\nor, only to look around on this machine:\n  \
         pillarbox serve --try --domain example.test",
        db.display()
    ))
}

/// A host or domain name in ASCII, in lower case, without the final dot.
fn host_name(flag: &str, name: &str) -> Result<String, Failure> {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    let label_is_fit = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if lower.len() <= 253 && lower.split('.').all(label_is_fit) {
        return Ok(lower);
    }
    let hint = if name.is_ascii() {
        ""
    } else {
        "; write it in its ASCII form (xn--...)"
    };
    Err(Failure::usage(format!(
        "{flag} {name}: this is not a domain name{hint}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            host_name("--domain", "Mail.Example.ORG.").unwrap(),
            "mail.example.org"
        );
        assert!(host_name("--domain", "lan").is_ok());
        for bad in [
            "",
            ".",
            "a..b",
            "-a.b",
            "a b",
            "a/b",
            "bücher.example",
            "me@x",
        ] {
            assert!(host_name("--domain", bad).is_err(), "{bad}");
        }
        let wanted = |user: &str, alias: &str| {
            let aliases = vec![alias.to_owned()];
            Wanted {
                user: Some(user.into()),
                aliases,
                ..Wanted::default()
            }
            .check()
        };
        assert_eq!(
            wanted("anna", "Shop@Example.Org").unwrap().aliases,
            ["shop@example.org"]
        );
        for (user, alias) in [
            ("", "a@b"),
            ("a b", "a@b"),
            ("a:b", "a@b"),
            ("a", "b"),
            ("a", "@b"),
        ] {
            assert!(wanted(user, alias).is_err());
        }
    }

    #[test]
    fn the_box_is_square() {
        let shown = welcome(&Config::new("anna", "example.org"), "pässword");
        let widths: Vec<usize> = shown.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|w| *w == widths[0]));
        assert!(shown.contains("anna@example.org"));
    }
}
