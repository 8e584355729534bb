//! Who may send to whom: the one place that decides it, so that this never is an open relay.
//!
//! Anybody may write to the user's own addresses. Only the user, logged in to a submission
//! listener, may write to others (with `--lan-relay` devices of the local network, too), and only when there is a way for it: a smarthost, or `--direct`. Nothing in an
//! address can change that: `user%other@ours` is an unknown local part, a source route was dropped
//! by the parser, quoted local parts are compared unquoted, and an address literal is ours only if
//! it names the address that the client is connected to.
use std::net::IpAddr;

use super::wire::command::Recipient;
use super::wire::reply::{Enhanced, Reply};
use crate::config::Config;
use crate::mail::address::{Address, literal_address};

/// Where an accepted recipient's mail goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Into the mailbox.
    Local,
    /// Into the queue.
    Remote,
}

/// What the session is, as far as relaying goes.
#[derive(Clone, Copy, Debug)]
pub struct Rights {
    /// The user has logged in to a submission listener, or a device of the local network may send as far
    /// as the user (`--lan-relay`).
    pub user: bool,
    /// Our own address on this connection.
    pub local: IpAddr,
}

/// Decides about a recipient. The address that comes back is the one to deliver to: with a domain,
/// and never an address literal of our own.
pub fn recipient(
    config: &Config,
    rights: Rights,
    to: &Recipient,
) -> Result<(Address, Route), Reply> {
    let address = match to {
        Recipient::Mailbox(address) => own_literal(config, rights.local, address),
        Recipient::Postmaster => at_main_domain(config, "postmaster"),
    };
    let Some(address) = address else {
        return Err(UNKNOWN);
    };
    if owns(config, &address) {
        return Ok((address, Route::Local));
    }
    if config.is_own_domain(address.domain()) {
        return Err(UNKNOWN);
    }
    match (rights.user, config.has_way(address.domain())) {
        (true, true) => Ok((address, Route::Remote)),
        (true, false) => Err(NO_ROUTE),
        (false, _) => Err(RELAY),
    }
}

/// Decides about the sender of a submission (RFC 6409 §6.1). The null reverse-path is allowed: a
/// client that answers a request for a read receipt must use it (RFC 8098 §3). The From field is
/// not compared: RFC 6409 asks for rights over the envelope, and a person forwards and resends.
pub fn sender(config: &Config, sender: Option<&Address>) -> Result<(), Reply> {
    match sender {
        None => Ok(()),
        Some(address) if owns(config, address) => Ok(()),
        Some(_) => Err(NOT_YOURS),
    }
}

/// Decides about the sender of a device that writes to others: any name at an own domain, since what
/// printers call themselves is no address of the user's; reports to it come into INBOX.
pub fn device(config: &Config, sender: Option<&Address>) -> Result<(), Reply> {
    let own = |address: &Address| config.is_own_domain(address.domain()) || owns(config, address);
    match sender.is_none_or(own) {
        true => Ok(()),
        false => Err(NOT_OURS),
    }
}

/// Whether mail to the address is the user's.
pub fn owns(config: &Config, address: &Address) -> bool {
    config.owns(&format!("{}@{}", address.local(), address.domain()))
}

/// `user@[our address]` is mail for the main domain (RFC 1123 §5.2.17).
fn own_literal(config: &Config, local: IpAddr, address: &Address) -> Option<Address> {
    match literal_address(address.domain()) {
        Some(ip) if ip.to_canonical() == local => at_main_domain(config, address.local()),
        _ => Some(address.clone()),
    }
}

fn at_main_domain(config: &Config, local: &str) -> Option<Address> {
    Address::new(local, config.domains.first()?)
}

const UNKNOWN: Reply = Reply::new(550, Enhanced(5, 1, 1), "No such mailbox here");
const RELAY: Reply = Reply::new(
    550,
    Enhanced(5, 7, 1),
    "Relaying denied: this server takes mail for its own addresses only",
);
const NO_ROUTE: Reply = Reply::new(
    550,
    Enhanced(5, 7, 1),
    "Mail to other domains needs a smarthost: start the server with --smarthost HOST:PORT, or --direct",
);
const NOT_OURS: Reply = Reply::new(
    550,
    Enhanced(5, 7, 1),
    "Mail to others needs a sender address at this server's domain: set one in the device, or start the server with --lan-any-sender",
);
const NOT_YOURS: Reply = Reply::new(
    550,
    Enhanced(5, 7, 1),
    "The sender address is not yours: use one of your own, or add it with --alias",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(config: &Config, user: bool, to: &str) -> Result<(String, Route), u16> {
        let rights = Rights {
            user,
            local: "192.0.2.25".parse().unwrap(),
        };
        let to = match Address::parse(to) {
            Ok(address) => Recipient::Mailbox(address),
            Err(_) => Recipient::Postmaster,
        };
        match recipient(config, rights, &to) {
            Ok((address, route)) => Ok((address.to_string(), route)),
            Err(reply) => Err(reply.enhanced.map_or(0, |e| e.1 * 10 + e.2)),
        }
    }

    #[test]
    fn strangers_reach_the_user_and_nobody_else() {
        let config = Config::new("anna", "example.org");
        for own in [
            "anna@example.org",
            "Anna+x@EXAMPLE.org",
            "\"anna\"@example.org",
            "postmaster@example.org",
        ] {
            assert_eq!(
                ask(&config, false, own).map(|to| to.1),
                Ok(Route::Local),
                "{own}"
            );
        }
        assert_eq!(
            ask(&config, false, "postmaster"),
            Ok(("postmaster@example.org".into(), Route::Local))
        );
        assert_eq!(
            ask(&config, false, "anna@[192.0.2.25]"),
            Ok(("anna@example.org".into(), Route::Local))
        );
        for unknown in [
            "bob@example.org",
            "anna%else.where@example.org",
            "\"anna@else.where\"@example.org",
            "else.where!anna@example.org",
        ] {
            assert_eq!(ask(&config, false, unknown), Err(11), "{unknown}");
        }
        for other in [
            "a@else.where",
            "anna@[192.0.2.26]",
            "a@[127.0.0.1]",
            "anna@example.org.else.where",
            "\"anna@example.org\"@else.where",
        ] {
            assert_eq!(ask(&config, false, other), Err(71), "{other}");
        }
    }

    #[test]
    fn the_user_reaches_all_by_smarthost() {
        let mut config = Config::new("anna", "example.org");
        assert_eq!(ask(&config, true, "a@else.where"), Err(71));
        config.smarthost = Some(crate::config::Smarthost {
            host: "relay".into(),
            port: 465,
            tls: crate::config::SmarthostTls::Tls,
            login: None,
            token: None,
            ca: None,
        });
        assert_eq!(
            ask(&config, true, "a@else.where").map(|to| to.1),
            Ok(Route::Remote)
        );
        assert_eq!(ask(&config, false, "a@else.where"), Err(71));
        assert_eq!(ask(&config, true, "bob@example.org"), Err(11));
    }

    #[test]
    fn senders() {
        let config = Config::new("anna", "example.org");
        let ok = |text: &str| sender(&config, Address::parse(text).ok().as_ref()).is_ok();
        assert!(ok("anna@example.org") && ok("anna+shop@example.org") && ok(""));
        assert!(!ok("bob@example.org") && !ok("anna@else.where"));
    }
}
