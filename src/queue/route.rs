//! Which hosts take mail for a domain (RFC 5321 §5.1): its MX records in order, or itself.
use crate::dns::{Data, Found, Kind, Question, Resolver};
use crate::limits;
use crate::mail::address::literal_address;
use crate::smtp::wire::reply::Enhanced;
use crate::sys::random;
use std::net::IpAddr;

/// A host to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// DNSSEC proves the address.
    pub proved: bool,
    /// DNSSEC proves that it is this domain's.
    pub proved_mx: bool,
}

/// What the DNS says about a domain's mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hosts {
    /// To be tried in this order; at least one.
    Some(Vec<Host>),
    /// It takes none, ever.
    Never(Enhanced, String),
    /// Nothing is known now.
    Unknown(String),
}

/// Finds the hosts of a domain. `own` is our name: we never send to ourselves, nor to who comes after
/// us (RFC 5321 §5.1).
pub async fn hosts(dns: &Resolver, domain: &str, own: &str) -> Hosts {
    if domain.starts_with('[') {
        return match literal_address(domain) {
            Some(address) => Hosts::Some(vec![Host {
                name: domain.to_owned(),
                address,
                proved: false,
                proved_mx: false,
            }]),
            None => Hosts::Never(Enhanced(5, 1, 2), format!("{domain} is no address")),
        };
    }
    let (mut names, proved_mx) = match names(dns, domain, own).await {
        Ok(names) => names,
        Err(hosts) => return hosts,
    };
    let mut found = Vec::new();
    let mut known = true;
    names.truncate(limits::MX_HOSTS);
    let all = dns.all_addresses(&names).await;
    for (name, addresses) in names.into_iter().zip(all) {
        known &= addresses.known;
        let proved = addresses.secure;
        let usable = addresses.found.into_iter().take(limits::MX_ADDRESSES);
        found.extend(usable.map(|address| Host {
            name: name.clone(),
            address,
            proved,
            proved_mx,
        }));
    }
    match (found.is_empty(), known) {
        (false, _) => Hosts::Some(found),
        (true, false) => Hosts::Unknown(format!("the DNS does not answer for {domain}")),
        (true, true) => Hosts::Never(
            Enhanced(5, 4, 4),
            format!("the mail hosts of {domain} have no address"),
        ),
    }
}

async fn names(dns: &Resolver, domain: &str, own: &str) -> Result<(Vec<String>, bool), Hosts> {
    let answer = dns.ask(&Question::new(domain, Kind::Mx)).await;
    match answer.found {
        Found::Failed => Err(Hosts::Unknown(format!(
            "the DNS does not answer for {domain}"
        ))),
        Found::NoName => Err(Hosts::Never(
            Enhanced(5, 1, 2),
            format!("there is no domain {domain}"),
        )),
        // The implicit MX.
        Found::NoData => Ok((vec![domain.to_owned()], answer.secure)),
        Found::Records(records) => match order(&records, own) {
            Ok(names) => Ok((names, answer.secure)),
            Err((status, why)) => Err(Hosts::Never(status, format!("{domain} {why}"))),
        },
    }
}

/// Names by preference, equals in random order.
fn order(records: &[Data], own: &str) -> Result<Vec<String>, (Enhanced, &'static str)> {
    let mut all: Vec<(u16, u8, &str)> = Vec::new();
    for data in records {
        if let Data::Mx(preference, host) = data {
            let dice = random::octets::<1>().map_or(0, |[octet]| octet);
            all.push((*preference, dice, host));
        }
    }
    // RFC 7505 §3
    if all.iter().all(|(.., host)| host.is_empty()) {
        return Err((Enhanced(5, 1, 10), "takes no mail (null MX)"));
    }
    all.retain(|(.., host)| !host.is_empty());
    all.sort_unstable();
    let ours = all
        .iter()
        .find(|(.., host)| host.eq_ignore_ascii_case(own))
        .map(|it| it.0);
    if let Some(ours) = ours {
        all.retain(|(preference, ..)| *preference < ours);
    }
    if all.is_empty() {
        return Err((Enhanced(5, 4, 6), "leads back to this server"));
    }
    Ok(all.into_iter().map(|(.., host)| host.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_and_never_back() {
        let mx = |list: &[(u16, &str)]| -> Vec<Data> {
            list.iter()
                .map(|(n, host)| Data::Mx(*n, (*host).into()))
                .collect()
        };
        let names = |list: &[(u16, &str)]| order(&mx(list), "me.test");
        assert_eq!(
            names(&[(20, "b"), (10, "a"), (30, "c")]).unwrap(),
            ["a", "b", "c"]
        );
        assert_eq!(
            names(&[(20, "Me.test"), (10, "a"), (20, "d"), (30, "c")]).unwrap(),
            ["a"]
        );
        assert_eq!(
            names(&[(10, "me.test"), (20, "b")]).unwrap_err().0,
            Enhanced(5, 4, 6)
        );
        assert_eq!(names(&[(0, "")]).unwrap_err().0, Enhanced(5, 1, 10));
        assert_eq!(names(&[(0, ""), (5, "a")]).unwrap(), ["a"]);
        let firsts: std::collections::HashSet<String> = (0..200)
            .map(|_| names(&[(1, "a"), (1, "b")]).unwrap().remove(0))
            .collect();
        assert_eq!(firsts.len(), 2);
    }
}
