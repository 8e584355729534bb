//! What `pillarbox alias` asks for: further own addresses, made, switched off and on, removed. What is
//! answered is on the disk, and holds for the next RCPT.
use super::account::Account;
use crate::config::{Alias, Config};
use crate::limits;
use crate::mail::{Mail, address::Address};

/// Does it: `list`, or `add`, `off`, `on`, `remove` and an address; without a domain it is one at the
/// main domain. The list is a line each, `on ADDRESS` or `off ADDRESS`.
///
/// # Errors
/// A sentence.
pub async fn order(config: &Config, mail: &Mail, text: &str) -> Result<Vec<String>, String> {
    let (verb, name) = text.split_once(' ').unwrap_or((text, ""));
    let mut list = config.aliases.list();
    if verb == "list" {
        let state = |on| if on { "on" } else { "off" };
        let lines = list.iter();
        return Ok(lines
            .map(|alias| format!("{} {}", state(alias.on), alias.address))
            .collect());
    }
    let address = whole(config, name)?;
    let at = list.iter().position(|alias| alias.address == address);
    match (verb, at) {
        ("add", Some(_)) => return Err(format!("{address} exists already")),
        ("add", None) if list.len() >= limits::ALIASES => {
            return Err(format!("there are {} aliases already", limits::ALIASES));
        }
        ("add" | "off" | "remove", _) if lasts(config, &address) => {
            return Err(format!("{address} is always yours"));
        }
        ("remove", Some(at)) => drop(list.remove(at)),
        ("on" | "off", Some(at)) => {
            if let Some(alias) = list.get_mut(at) {
                alias.on = verb == "on";
            }
        }
        // One that a detail or the catch-all takes can be switched off, too.
        ("add" | "off", None)
            if verb == "add" || config.owns(&address) || own(config, &address) =>
        {
            let on = verb == "add";
            list.push(Alias { address, on });
        }
        _ => return Err(format!("there is no alias {address}")),
    }
    let mut account = Account::recall(mail)
        .map_err(super::Failure::message)?
        .unwrap_or_default();
    account.aliases.clone_from(&list);
    account
        .remember(mail)
        .await
        .map_err(super::Failure::message)?;
    config.aliases.set(list);
    // The alias holds, whatever becomes of this: the next that asks for identities mends them.
    if let Err(error) = crate::jmap::settle_identities(mail, config).await {
        log::warn!("the identities do not show it yet: {error}");
    }
    Ok(Vec::new())
}

/// The address as it is kept.
fn whole(config: &Config, name: &str) -> Result<String, String> {
    let main = config.domains.first().map_or("", String::as_str);
    let parsed = match Address::parse(name) {
        Ok(address) => Some(address),
        Err(_) if name.contains('@') => None,
        Err(_) => Address::new(name, main),
    };
    match parsed.filter(|address| address.domain().is_ascii()) {
        Some(address) => Ok(format!("{}@{}", address.local(), address.domain()).to_lowercase()),
        None => Err(format!(
            "{name} is no address: give one like shop@example.org, or shop for shop@{main}"
        )),
    }
}

fn own(config: &Config, address: &str) -> bool {
    let domain = address.rsplit_once('@').map(|(_, domain)| domain);
    domain.is_some_and(|domain| config.is_own_domain(domain))
}

/// The user's own name at each domain, and postmaster (RFC 5321 §4.5.1), are no aliases.
fn lasts(config: &Config, address: &str) -> bool {
    let (local, _) = address.rsplit_once('@').unwrap_or_default();
    let user = config.user.to_lowercase();
    let user = user.split('@').next();
    address == config.address().to_lowercase()
        || own(config, address) && (local == "postmaster" || Some(local) == user)
}
