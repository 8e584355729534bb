//! `/etc/resolv.conf`: whom the system asks. Read again now and then: a router's changes with its line.
use crate::limits;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

#[derive(Default)]
pub(super) struct System {
    read: Option<Instant>,
    servers: Vec<SocketAddr>,
}

impl System {
    pub fn servers(&mut self) -> Vec<SocketAddr> {
        if self.read.is_none_or(|at| at.elapsed() >= limits::DNS_CONF) {
            let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
            self.servers = parse(&text);
            self.read = Some(Instant::now());
        }
        self.servers.clone()
    }
}

/// resolv.conf(5): up to three `nameserver` lines; this machine if there is none.
fn parse(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            words.next().filter(|word| *word == "nameserver")?;
            words.next()?.parse::<IpAddr>().ok()
        })
        .take(3)
        .map(|ip| SocketAddr::new(ip, 53))
        .collect();
    if servers.is_empty() {
        servers.push((Ipv4Addr::LOCALHOST, 53).into());
    }
    servers
}

#[cfg(test)]
mod tests {
    #[test]
    fn conf() {
        let text =
            "# c\nsearch lan\nnameserver 192.0.2.1\nnameserver\t::1\noptions edns0\nnameserver x\n";
        let servers: Vec<String> = super::parse(text).iter().map(ToString::to_string).collect();
        assert_eq!(servers, ["192.0.2.1:53", "[::1]:53"]);
        assert_eq!(super::parse("").len(), 1);
    }
}
