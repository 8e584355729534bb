//! GETJMAPACCESS (RFC 9698): where the same mail is to be had by JMAP, with the same ids.
//!
//! Announced where it is certain: to the owner, whose credentials do there too, and with a public
//! address of JMAP, which is `--http-url` or an HTTPS port that other machines can reach.

use crate::config::{Config, Role};
use crate::imap::answer::{Answer, Run};
use crate::imap::session::Session;

/// GETJMAPACCESS.
pub fn run(session: &mut Session) -> Run {
    // RFC 9698 §4: BAD where there is nothing to tell.
    let Some(url) = session.jmap_url() else {
        return Answer::bad("no address of JMAP is known: --http-url says one").stop();
    };
    session.line(&format!("* JMAPACCESS \"{url}\""));
    Ok(Answer::ok("GETJMAPACCESS completed"))
}

impl Session {
    /// The JMAP session's URL.
    pub(in crate::imap) fn jmap_url(&self) -> Option<String> {
        if !self.logged_in || self.mail().principal().is_some() {
            return None;
        }
        Some(format!("{}/.well-known/jmap", base(&self.ctx.config)?))
    }
}

fn base(config: &Config) -> Option<String> {
    let served = |role: Role| config.listen.iter().find(move |listen| listen.role == role);
    if let Some(url) = &config.http.url {
        let there = served(Role::Http).or(served(Role::Https));
        // In a quoted string.
        return there
            .filter(|_| !url.contains(['"', '\\']))
            .map(|_| url.clone());
    }
    let https = served(Role::Https)?;
    let host = &config.hostname;
    match (https.address.ip().is_loopback(), https.address.port()) {
        (true, _) | (_, 0) => None,
        (_, 443) => Some(format!("https://{host}")),
        (_, port) => Some(format!("https://{host}:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Listen;

    #[test]
    fn where_it_is() {
        let mut config = Config::new("anna", "example.org");
        assert_eq!(base(&config), None);
        let mut at = |role, address: &str| {
            let address = address.parse().unwrap();
            config.listen = vec![Listen { role, address }];
            base(&config)
        };
        assert_eq!(at(Role::Http, "[::]:8080"), None);
        assert_eq!(at(Role::Https, "127.0.0.1:8443"), None);
        let found = at(Role::Https, "[::]:443");
        assert_eq!(found.as_deref(), Some("https://example.org"));
        let found = at(Role::Https, "0.0.0.0:8443");
        assert_eq!(found.as_deref(), Some("https://example.org:8443"));
        config.http.url = Some("https://mail.example.org/x".into());
        assert_eq!(base(&config), config.http.url);
        config.listen.clear();
        assert_eq!(base(&config), None);
    }
}
