//! Whose addresses these are: the one place that knows the user's own, for RCPT, for the senders of
//! submissions, for JMAP's identities and for log-in names.
use super::Config;
use crate::sys::lock;
use std::sync::{Arc, Mutex};

/// A further own address.
#[derive(Clone, PartialEq, Eq)]
pub struct Alias {
    /// The whole address, unquoted, in lower case.
    pub address: String,
    /// Whether it is in use. One that is switched off is refused, even where `--catch-all` or a
    /// detail would take it.
    pub on: bool,
}

/// The further own addresses. All clones are one list, which `pillarbox alias` changes while the
/// server runs.
#[derive(Clone, Default)]
pub struct Aliases(Arc<Mutex<Vec<Alias>>>);

impl Aliases {
    /// Adds one that is in use, unless the address is known already.
    pub fn add(&self, address: &str) {
        let address = address.to_lowercase();
        let mut list = lock(&self.0);
        if !list.iter().any(|alias| alias.address == address) {
            list.push(Alias { address, on: true });
        }
    }

    /// All of them, as they are now.
    pub fn list(&self) -> Vec<Alias> {
        lock(&self.0).clone()
    }

    /// Puts another list in its place.
    pub fn set(&self, list: Vec<Alias>) {
        *lock(&self.0) = list;
    }

    /// Whether this one is in use; `None` if it is no alias.
    fn state(&self, local: &str, domain: &str) -> Option<bool> {
        let is = |alias: &&Alias| alias.address.rsplit_once('@') == Some((local, domain));
        lock(&self.0).iter().find(is).map(|alias| alias.on)
    }
}

impl Config {
    /// The user's main address.
    pub fn address(&self) -> String {
        if self.user.contains('@') {
            return self.user.clone();
        }
        format!(
            "{}@{}",
            self.user,
            self.domains.first().map_or("localhost", String::as_str)
        )
    }

    /// All addresses the user may send as by name: the user at each domain, then the aliases in use.
    pub fn addresses(&self) -> Vec<String> {
        let aliases = self.aliases.list();
        let off = |address: &String| {
            let address = address.to_lowercase();
            aliases
                .iter()
                .any(|alias| !alias.on && alias.address == address)
        };
        let local = self.user.split('@').next().unwrap_or_default();
        let mut all = vec![self.address()];
        for domain in &self.domains {
            all.push(format!("{local}@{domain}"));
        }
        all.extend(aliases.iter().map(|alias| alias.address.clone()));
        let mut seen = std::collections::HashSet::new();
        all.retain(|a| seen.insert(a.to_lowercase()) && !off(a));
        all
    }

    /// Whether the domain (any case) is one of ours.
    pub fn is_own_domain(&self, domain: &str) -> bool {
        self.domains
            .iter()
            .any(|own| own.eq_ignore_ascii_case(domain))
    }

    /// Whether mail to this address is for the user: an own address, one with a detail behind a
    /// separator, anything at our domains with `--catch-all`, and `postmaster` (RFC 5321
    /// §4.5.1) and `abuse` (RFC 2142) at our domains. An alias that is switched off is not. Local parts are
    /// compared without case, as people write them.
    pub fn owns(&self, address: &str) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else {
            return address.eq_ignore_ascii_case("postmaster");
        };
        let (local, domain) = (local.to_lowercase(), domain.to_lowercase());
        // All of it first, then what stands before a separator, the longest first: `big-shop-x` is
        // `big-shop` before it is `big`.
        let mut end = Some(local.len());
        while let Some(at) = end {
            let name = local.get(..at).unwrap_or_default();
            if let Some(own) = self.knows(name, &domain).filter(|_| at > 0) {
                return own;
            }
            end = name.rfind(|c| self.detail_separators.contains(c));
        }
        self.is_own_domain(&domain) && (self.catch_all || local == "postmaster" || local == "abuse")
    }

    /// Whether `local@domain`, in lower case, is exactly one of the user's addresses: yes, switched off,
    /// or not known.
    fn knows(&self, local: &str, domain: &str) -> Option<bool> {
        if let Some(on) = self.aliases.state(local, domain) {
            return Some(on);
        }
        let user = self.user.to_lowercase();
        let (own, at) = user.split_once('@').unwrap_or((&user, ""));
        (local == own && (domain == at || self.is_own_domain(domain))).then_some(true)
    }

    /// Whether this log-in name is the user: the name itself or an own address, in any case.
    pub fn is_user(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        name == self.user.to_lowercase()
            || name
                .rsplit_once('@')
                .is_some_and(|(local, domain)| self.knows(local, domain) == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses() {
        let mut c = Config::new("anna", "Example.org");
        c.domains.push("example.net".into());
        c.aliases.add("shop@Else.where");
        for own in [
            "anna@example.org",
            "ANNA@EXAMPLE.NET",
            "anna+list@example.org",
            "anna+a+b@example.org",
            "shop@Else.where",
            "shop+1@else.where",
            "postmaster@example.net",
            "Postmaster",
            "abuse@example.org",
        ] {
            assert!(c.owns(own), "{own}");
        }
        for other in [
            "bob@example.org",
            "anna@else.where",
            "anna",
            "+anna@example.org",
            "anna@example.org.",
            "annax@example.org",
            "anna-x@example.org",
            "@example.org",
            "",
            "postmaster@else.where",
        ] {
            assert!(!c.owns(other), "{other}");
        }
        c.catch_all = true;
        assert!(c.owns("bob@example.org"));
        assert!(!c.owns("bob@else.where"));
        assert!(c.is_user("Anna") && c.is_user("anna@example.net") && c.is_user("shop@else.where"));
        assert!(!c.is_user("anna+x@example.org") && !c.is_user("") && !c.is_user("bob"));
    }

    #[test]
    fn one_is_switched_off_alone() {
        let mut c = Config::new("anna", "example.org");
        c.catch_all = true;
        c.detail_separators = "+-".into();
        c.aliases.set(vec![
            Alias {
                address: "anna+shop@example.org".into(),
                on: false,
            },
            Alias {
                address: "big-shop@example.org".into(),
                on: false,
            },
            Alias {
                address: "big@example.org".into(),
                on: true,
            },
        ]);
        for own in [
            "anna@example.org",
            "anna+other@example.org",
            "anna-shop@example.org",
            "big@example.org",
            "big-x@example.org",
            "-big@example.org",
        ] {
            assert!(c.owns(own), "{own}");
        }
        for off in [
            "Anna+Shop@example.org",
            "anna+shop+x@example.org",
            "anna+shop-x@example.org",
            "big-shop@example.org",
            "big-shop-x@example.org",
        ] {
            assert!(!c.owns(off), "{off}");
        }
        assert_eq!(c.addresses(), ["anna@example.org", "big@example.org"]);
        assert!(!c.is_user("big-shop@example.org"));
    }
}
