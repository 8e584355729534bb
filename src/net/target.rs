//! URLs that others name, for us to send something there.
use crate::config::is_public;
use std::net::{IpAddr, SocketAddr};

/// An `https:` URL, in parts.
#[derive(Clone)]
pub struct Target {
    /// A name, an address, or an IPv6 address in brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
}

impl Target {
    /// Reads an `https:` URL; None for anything else, and for what has a user or control characters.
    pub fn parse(url: &str) -> Option<Target> {
        let rest = url.strip_prefix("https://")?;
        let plain = rest.bytes().all(|b| b.is_ascii_graphic());
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let colon = authority
            .rfind(':')
            .filter(|at| !authority.get(*at..).is_some_and(|s| s.contains(']')));
        let (host, port) = match colon {
            Some(at) => (authority.get(..at)?, authority.get(at + 1..)?.parse().ok()?),
            None => (authority, 443),
        };
        let good = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        if !plain || host.is_empty() || !host.bytes().all(good) || port == 0 {
            return None;
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Some(Target {
            host: host.to_ascii_lowercase(),
            port,
            path: format!("{slash}{path}"),
        })
    }

    /// The address that stands for a name in it.
    pub fn literal(&self) -> Option<IpAddr> {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host.parse().ok()
    }

    /// Where to connect to, of a name's addresses. Whoever names a URL could otherwise have us ask what
    /// only we can reach (RFC 8620 §8.6); `private`: the owner permits that.
    ///
    /// # Errors
    /// A sentence.
    pub fn choose(&self, all: &[IpAddr], private: bool) -> Result<SocketAddr, &'static str> {
        let address = all.iter().find(|ip| private || is_far(**ip)).copied();
        let why = match all.is_empty() {
            true => "the name has no address",
            false => "the address is private (--push-private permits that)",
        };
        Ok(SocketAddr::new(address.ok_or(why)?, self.port))
    }

    /// As Host has it.
    pub fn authority(&self) -> String {
        match self.port {
            443 => self.host.clone(),
            port => format!("{}:{port}", self.host),
        }
    }

    /// As a VAPID token has it (RFC 8292 §2).
    pub fn origin(&self) -> String {
        format!("https://{}", self.authority())
    }
}

/// Whether an address is out in the Internet, also where it has an IPv4 address in it that a gateway on
/// our way would go on to (NAT64, 6to4), and is one machine's.
pub fn is_far(address: IpAddr) -> bool {
    let inner = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_far(IpAddr::from([a, b, c, d]))
    };
    let special = match address.to_canonical() {
        IpAddr::V4(v4) => matches!(
            v4.octets(),
            [0 | 224.., ..] | [192, 0, 0, _] | [198, 18 | 19, ..]
        ),
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => !inner(high, low),
            [0x2002, high, low, ..] => !inner(high, low),
            // ::/96, NAT64 of one's own, what once was site-local, multicast.
            [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] | [0xfec0..=0xfeff | 0xff00.., ..] => {
                true
            }
            _ => false,
        },
    };
    is_public(address) && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let of = |url: &str| Target::parse(url).map(|it| (it.origin(), it.path));
        let is = |url: &str, origin: &str, path: &str| {
            assert_eq!(of(url), Some((origin.into(), path.into())), "{url}");
        };
        is(
            "https://Push.Example/x?y=1#z",
            "https://push.example",
            "/x?y=1",
        );
        is(
            "https://push.example:8443",
            "https://push.example:8443",
            "/",
        );
        is("https://[::1]:9?a", "https://[::1]:9", "/?a");
        is("https://[fe80::1]/", "https://[fe80::1]", "/");
        for bad in [
            "http://push.example/",
            "https://",
            "https:///x",
            "https://a@b/",
            "https://a:b@c/",
            "https://a:0/",
            "https://a:99999/",
            "https://a/ b",
            "https://a/\r\nX: y",
            "https://ä/",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn far_addresses() {
        let far = |text: &str| is_far(text.parse().unwrap());
        for yes in [
            "192.0.2.1",
            "8.8.8.8",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(far(yes), "{yes}");
        }
        for no in [
            "0.0.0.0",
            "0.1.2.3",
            "127.1.2.3",
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fd00::1",
            "fec0::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::808:808",
            "2002:c0a8:101::1",
        ] {
            assert!(!far(no), "{no}");
        }
    }
}
