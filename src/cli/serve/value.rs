//! What flags' values say, checked; what is wrong with one is a sentence that names the flag.

use super::super::secret;
use crate::config::*;
use crate::imap::capability;
use crate::server::{Failure, Kind};
use crate::sys::network::Network;
use std::net::SocketAddr;
use std::time::Duration;

/// `ADDR:PORT`, `PORT` (all addresses, of metrics loopback), `localhost:PORT`.
pub(super) fn socket_address(role: Role, value: &str) -> Result<SocketAddr, Failure> {
    let port_only = value.strip_prefix(':').unwrap_or(value);
    if let Ok(port) = port_only.parse::<u16>() {
        // There is no log-in: others see it only if that is asked for.
        if role == Role::Metrics {
            return Ok(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        return Ok(SocketAddr::from(([0u16; 8], port)));
    }
    let numeric = value
        .replace("localhost:", "127.0.0.1:")
        .replace("*:", "[::]:");
    numeric.parse().map_err(|_| {
        Failure::usage(format!(
            "--{} {value}: give ADDR:PORT with a numeric address, like 192.0.2.1:{port} or \
             [::]:{port}, or off",
            role.name(),
            port = role.port()
        ))
    })
}

/// `DOMAIN=direct`, `DOMAIN=HOST`, `DOMAIN=HOST:PORT`.
pub(super) fn routes(flag: &str, values: &[String]) -> Result<Vec<DomainRoute>, Failure> {
    values.iter().map(|value| route(flag, value)).collect()
}

pub(super) fn route(flag: &str, value: &str) -> Result<DomainRoute, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "{flag} {value}: give DOMAIN=direct or DOMAIN=HOST:PORT"
        ))
    };
    let (domain, way) = value.split_once('=').ok_or_else(wrong)?;
    let domain = domain.to_lowercase();
    if domain.trim_start_matches('.').is_empty() {
        return Err(wrong());
    }
    if way == "direct" {
        return Ok(DomainRoute { domain, host: None });
    }
    let (host, port) = host_port(flag, way)?;
    let tls = match port {
        Some(465) => SmarthostTls::Tls,
        Some(587) => SmarthostTls::StartTls,
        _ => SmarthostTls::None,
    };
    let host = Smarthost {
        host,
        port: port.unwrap_or(25),
        tls,
        login: None,
        token: None,
        ca: None,
    };
    Ok(DomainRoute {
        domain,
        host: Some(host),
    })
}

pub(super) fn zones(values: &[String]) -> Vec<String> {
    let zone = |value: &String| value.trim_matches('.').to_lowercase();
    values.iter().map(zone).collect()
}

/// `HOST=FILE`: for every route to that host.
pub(super) fn log_in(value: &str, config: &mut Config) -> Result<(), Failure> {
    let wrong = |why: &str| Failure::usage(format!("--route-login {value}: {why}"));
    let (host, file) = value
        .split_once('=')
        .ok_or_else(|| wrong("give HOST=FILE"))?;
    let host = crate::dns::ascii(host);
    let login = name_and_password(file)?;
    let mut known = false;
    for route in config.routes.iter_mut().chain(&mut config.sender_routes) {
        if let Some(to) = route.host.as_mut().filter(|to| to.host == host) {
            known = true;
            to.login = Some(login.clone());
            // No password in the clear.
            if to.tls == SmarthostTls::None {
                to.tls = SmarthostTls::StartTls;
            }
        }
    }
    match known {
        true => Ok(()),
        false => Err(wrong("no --route and no --sender-route names this host")),
    }
}

/// A file's first line: `NAME PASSWORD`.
pub(super) fn name_and_password(file: &str) -> Result<(String, String), Failure> {
    let line = secret(file)?;
    let (name, password) = line.split_once([' ', '\t']).ok_or_else(|| {
        Failure::new(
            Kind::Secret,
            format!("{file}: its first line is to be NAME PASSWORD"),
        )
    })?;
    Ok((name.to_owned(), password.trim().to_owned()))
}

/// `ADDR`, `ADDR/BITS`, each.
pub(super) fn networks(flag: &str, values: &[String]) -> Result<Vec<Network>, Failure> {
    let network = |value: &String| {
        Network::parse(value).ok_or_else(|| {
            Failure::usage(format!(
                "{flag} {value}: give ADDR or ADDR/BITS, like 192.0.2.0/24"
            ))
        })
    };
    values.iter().map(network).collect()
}

/// `ADDR`, `ADDR:PORT`, `[V6]:PORT`.
pub(in crate::cli) fn resolver(value: &str) -> Result<SocketAddr, Failure> {
    let address = value
        .parse()
        .map(|ip: std::net::IpAddr| SocketAddr::new(ip, 53));
    address.or_else(|_| value.parse()).map_err(|_| {
        Failure::usage(format!(
            "--dns {value}: give a numeric address, like 192.0.2.53 or [2001:db8::53]:53"
        ))
    })
}

/// `HOST`, `HOST:PORT`, `[V6]:PORT`.
pub(in crate::cli) fn host_port(flag: &str, value: &str) -> Result<(String, Option<u16>), Failure> {
    let wrong = || Failure::usage(format!("{flag} {value}: give HOST or HOST:PORT"));
    let (host, port) = match value.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or_else(wrong)?;
            (host, rest.strip_prefix(':'))
        }
        None => match value.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (value, None),
        },
    };
    let port = port
        .map(|port| port.parse::<u16>().map_err(|_| wrong()))
        .transpose()?;
    // RFC 5891 §5.5: what is looked up is in A-labels.
    let host = crate::dns::ascii(host);
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '/' || !c.is_ascii();
    if host.is_empty() || host.contains(odd) || port == Some(0) {
        return Err(wrong());
    }
    Ok((host, port))
}

pub(super) fn pop3_delete(value: &str) -> Result<Pop3Delete, Failure> {
    match value {
        "never" => return Ok(Pop3Delete::Never),
        "at-once" => return Ok(Pop3Delete::AtOnce),
        _ => {}
    }
    let days = value
        .strip_suffix("-days")
        .or_else(|| value.strip_suffix("-day"));
    match days.and_then(|days| days.parse::<u16>().ok()) {
        Some(days) if days > 0 => Ok(Pop3Delete::Days(days)),
        _ => Err(Failure::usage(format!(
            "--pop3-delete {value}: it is never, at-once or a number of days like 30-days"
        ))),
    }
}

pub(super) fn imap_without(names: &[String]) -> Result<Vec<&'static str>, Failure> {
    let known = |name: &String| {
        capability::switchable(name).map_err(|e| {
            let e = format!("--imap-without {name}: no such IMAP capability, {e}");
            Failure::usage(e)
        })
    };
    let off = names.iter().map(known).collect::<Result<Vec<_>, _>>()?;
    if off.contains(&"IMAP4rev1") && off.contains(&"IMAP4rev2") {
        let why = "--imap-without IMAP4rev1 and IMAP4rev2: leave one of them, or use --imap off";
        return Err(Failure::usage(why));
    }
    Ok(off)
}

/// RFC 9110 §5: a token, a colon, visible characters.
pub(super) fn header_field(field: &str) -> Result<(String, String), Failure> {
    let parts = field
        .split_once(':')
        .map(|(name, value)| (name, value.trim()));
    let token = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    match parts {
        Some((name, value))
            if token(name) && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) =>
        {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(Failure::usage(format!(
            "--http-header {field}: give it as 'Name: value'"
        ))),
    }
}

pub(super) fn mebibytes(flag: &str, value: u64, least: u64, most: u64) -> Result<u64, Failure> {
    within(flag, value, (least, most), " MiB").map(|mib| mib << 20)
}

pub(super) fn seconds(flag: &str, value: u64) -> Result<Duration, Failure> {
    within(flag, value, (1, 86_400), " seconds").map(Duration::from_secs)
}

pub(super) fn at_least_one(flag: &str, value: usize) -> Result<usize, Failure> {
    within(flag, value as u64, (1, u64::MAX), "").map(|_| value)
}

/// A number of these.
pub(super) fn within(
    flag: &str,
    value: u64,
    (least, most): (u64, u64),
    unit: &str,
) -> Result<u64, Failure> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let range = match most {
        u64::MAX => format!("at least {least}"),
        _ => format!("between {least} and {most}{unit}"),
    };
    Err(Failure::usage(format!("{flag} {value}: it is {range}")))
}

/// One of these words.
pub(super) fn word(flag: &str, value: &str, words: &[&str]) -> Result<usize, Failure> {
    words.iter().position(|it| *it == value).ok_or_else(|| {
        let (last, first) = words.split_last().unwrap_or((&"", &[]));
        let first = first.join(", ");
        Failure::usage(format!("{flag} {value}: it is {first} or {last}"))
    })
}

/// `on` or `off`.
pub(super) fn switch(flag: &str, value: &str) -> Result<bool, Failure> {
    word(flag, value, &["on", "off"]).map(|at| at == 0)
}
