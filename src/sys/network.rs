//! Networks of addresses: `192.0.2.0/24`.
use std::net::IpAddr;

/// An address, and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// `ADDR` or `ADDR/BITS`.
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Network { address, bits })
    }

    /// Whether the address is in it. IPv4 inside IPv6 is IPv4.
    pub fn has(&self, ip: IpAddr) -> bool {
        is_in(ip.to_canonical(), self.address, self.bits)
    }
}

/// Whether the first `bits` of both are the same, and the family.
pub fn is_in(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let same = |a: u128, b: u128, width: u32| {
        let shift = width.saturating_sub(u32::from(bits));
        shift >= width || a >> shift == b >> shift
    };
    match (ip, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            same(u128::from(u32::from(a)), u128::from(u32::from(b)), 32)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => same(a.into(), b.into(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let has =
            |network: &str, ip: &str| Network::parse(network).unwrap().has(ip.parse().unwrap());
        assert!(has("192.0.2.0/24", "192.0.2.255") && !has("192.0.2.0/24", "192.0.3.0"));
        assert!(has("192.0.2.1", "::ffff:192.0.2.1") && has("0.0.0.0/0", "1.2.3.4"));
        assert!(has("2001:db8::/32", "2001:db8:1::1") && !has("::/0", "1.2.3.4"));
        for bad in ["", "1.2.3", "1.2.3.4/33", "::/129", "1.2.3.4/", "x/8"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
    }
}
