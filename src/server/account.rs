//! The account and the certificate that live in the store beside the mail: made once, then found.
use super::failure::{Failure, Kind};
use crate::auth::Settings;
use crate::config::{Alias, Config};
use crate::mail::Mail;
use crate::net::tls::{self, SelfSigned, Tls};
use std::future::Future;
use std::pin::Pin;

const KEY_ACCOUNT: &str = "account";
const KEY_CERT: &str = "tls.cert";
const KEY_KEY: &str = "tls.key";
const KEY_NAMES: &str = "tls.names";

impl Settings for Mail {
    fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        let reader = self.reader().map_err(|e| e.to_string())?;
        reader.get(key.as_bytes()).map_err(|e| e.to_string())
    }

    fn set_setting<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>> {
        Box::pin(async move {
            let put = vec![(key.as_bytes().to_vec(), Some(value))];
            self.put(put).await.map_err(|e| e.to_string())
        })
    }
}

/// What was said when the account was made, so that a later start needs no flags for it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Log-in name.
    pub user: String,
    /// Domains, the main one first.
    pub domains: Vec<String>,
    /// Host name.
    pub hostname: String,
    /// Further addresses.
    pub aliases: Vec<Alias>,
}

impl Account {
    /// The stored account, if there is one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn recall(settings: &dyn Settings) -> Result<Option<Account>, Failure> {
        let stored = settings
            .setting(KEY_ACCOUNT)
            .map_err(|e| Failure::new(Kind::Store, e))?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        let mut account = Account::default();
        for line in String::from_utf8_lossy(&stored).lines() {
            match line.split_once(' ') {
                Some(("user", value)) => account.user = value.into(),
                Some(("domain", value)) => account.domains.push(value.into()),
                Some(("hostname", value)) => account.hostname = value.into(),
                Some((word @ ("alias" | "off"), value)) => account.aliases.push(Alias {
                    address: value.into(),
                    on: word == "alias",
                }),
                _ => {}
            }
        }
        Ok(Some(account))
    }

    /// Puts it into a configuration.
    pub fn fill(&self, config: &mut Config) {
        config.user.clone_from(&self.user);
        config.domains.clone_from(&self.domains);
        config.hostname.clone_from(&self.hostname);
        config.aliases.set(self.aliases.clone());
    }

    /// Stores the account, durably.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn remember(&self, settings: &dyn Settings) -> Result<(), Failure> {
        let mut text = format!("user {}\nhostname {}\n", self.user, self.hostname);
        for domain in &self.domains {
            text.push_str(&format!("domain {domain}\n"));
        }
        for alias in &self.aliases {
            let word = if alias.on { "alias" } else { "off" };
            text.push_str(&format!("{word} {}\n", alias.address));
        }
        let stored = settings.set_setting(KEY_ACCOUNT, text.into_bytes()).await;
        stored.map_err(|e| Failure::new(Kind::Store, e))
    }
}

/// The certificate of this configuration: from its files, or the stored self-made one, or a new one
/// when there is none for these names. The flag says whether it is self-made.
///
/// # Errors
/// [`Kind::Certificate`] or [`Kind::Store`].
pub async fn certificate(config: &Config, settings: &dyn Settings) -> Result<(Tls, bool), Failure> {
    let cert_failure = |e: String| Failure::new(Kind::Certificate, e);
    if let Some((cert, key)) = &config.cert {
        let certified = tls::load(cert, key).map_err(cert_failure)?;
        return Ok((Tls::new(certified).map_err(cert_failure)?, false));
    }
    let store_failure = |e: String| Failure::new(Kind::Store, e);
    let names = names(config);
    let wanted = names.join("\n").into_bytes();
    let stored = settings.setting(KEY_NAMES).map_err(store_failure)?;
    if stored.as_deref() == Some(&*wanted) {
        let cert = settings.setting(KEY_CERT).map_err(store_failure)?;
        let key = settings.setting(KEY_KEY).map_err(store_failure)?;
        if let (Some(cert), Some(key)) = (cert, key) {
            let kept = SelfSigned { cert, key }.certified().and_then(Tls::new);
            match kept {
                Ok(tls) => return Ok((tls, true)),
                // A power cut while another was written.
                Err(error) => log::warn!("the self-signed certificate is made anew: {error}"),
            }
        }
    } else if stored.is_some() {
        log::warn!("the names of this server changed: a new self-signed certificate is made");
    }
    let made = tls::self_signed(&names).map_err(cert_failure)?;
    for (key, value) in [
        (KEY_CERT, &made.cert),
        (KEY_KEY, &made.key),
        (KEY_NAMES, &wanted),
    ] {
        settings
            .set_setting(key, value.clone())
            .await
            .map_err(store_failure)?;
    }
    let certified = made.certified().map_err(cert_failure)?;
    Ok((Tls::new(certified).map_err(cert_failure)?, true))
}

/// The certificate of this configuration in DER, as far as there is one, and whether it is self-made.
///
/// # Errors
/// A sentence.
pub fn shown(config: &Config, settings: &dyn Settings) -> Result<(Vec<u8>, bool), String> {
    match &config.cert {
        Some((cert, key)) => {
            let certified = tls::load(cert, key)?;
            Ok((
                certified.cert.first().map_or(Vec::new(), |it| it.to_vec()),
                false,
            ))
        }
        None => Ok((settings.setting(KEY_CERT)?.unwrap_or_default(), true)),
    }
}

/// The names of a self-made certificate.
fn names(config: &Config) -> Vec<String> {
    let mut names = vec![config.hostname.clone()];
    names.extend(config.domains.iter().cloned());
    names.extend(["localhost".into(), "127.0.0.1".into(), "::1".into()]);
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| !name.is_empty() && seen.insert(name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::tests::MemorySettings;
    use crate::sys::lock;

    #[test]
    fn a_certificate_without_its_key_is_made_anew() {
        let (kept, config) = (MemorySettings::default(), Config::new("me", "example.org"));
        let start = || smol::block_on(certificate(&config, &kept)).map(|_| ());
        assert!(start().is_ok());
        // The power went while another pair was written.
        let other = tls::self_signed(&names(&config)).unwrap();
        lock(&kept.0).insert(KEY_KEY.to_owned(), other.key.clone());
        assert!(start().is_ok());
        let key = || kept.setting(KEY_KEY).unwrap();
        let made = key();
        assert_ne!(made, Some(other.key));
        assert!(start().is_ok());
        assert_eq!(key(), made, "this one stays");
    }
}
