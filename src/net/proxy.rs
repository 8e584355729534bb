//! The PROXY protocol, versions 1 and 2, as HAProxy defined it: whose connection it is that a proxy
//! hands on. Believed only from peers that a flag names.
//!
//! What it tells is an address for logs, limits and SPF, and never a reason for trust: a proxied peer is
//! neither loopback nor of the local network, whatever the header says.
use super::Error;
use smol::io::{AsyncRead, AsyncReadExt};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The start of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, CRLF included.
const LINE: usize = 107;

/// The longest rest of a header of version 2 that is read: addresses and some additions.
const REST: usize = 2048;

/// Reads a header and not one octet more: what follows belongs to TLS or the protocol. `None`: the proxy
/// speaks for itself (a health check).
///
/// # Errors
/// [`Error::Garbled`] for what is no header.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, Error> {
    let mut head = [0; 13];
    stream.read_exact(&mut head).await.map_err(Error::Io)?;
    if head.starts_with(SIGNATURE) {
        let mut more = [0; 3];
        stream.read_exact(&mut more).await.map_err(Error::Io)?;
        let [family, high, low] = more;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > REST {
            return Err(Error::Garbled);
        }
        let mut rest = vec![0; length];
        stream.read_exact(&mut rest).await.map_err(Error::Io)?;
        return version_2(head[12], family, &rest).ok_or(Error::Garbled);
    }
    let mut line = head.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE {
            return Err(Error::Garbled);
        }
        let mut octet = [0];
        stream.read_exact(&mut octet).await.map_err(Error::Io)?;
        line.extend(octet);
    }
    version_1(&line).ok_or(Error::Garbled)
}

/// `PROXY TCP4 source destination port port`. The outer `None` is no header.
fn version_1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", "TCP4" | "TCP6", source, _, port, _] => {
            let ip = source.parse::<IpAddr>().ok()?;
            Some(Some(SocketAddr::new(ip, port.parse().ok()?)))
        }
        _ => None,
    }
}

fn version_2(command: u8, family: u8, rest: &[u8]) -> Option<Option<SocketAddr>> {
    match (command, family) {
        // LOCAL.
        (0x20, _) => Some(None),
        // PROXY: TCP over IPv4, over IPv6; of other families nothing is said.
        (0x21, 0x11) => {
            let ip = <[u8; 4]>::try_from(rest.get(..4)?).ok()?;
            let port = <[u8; 2]>::try_from(rest.get(8..10)?).ok()?;
            Some(Some(SocketAddr::from((ip, u16::from_be_bytes(port)))))
        }
        (0x21, 0x21) => {
            let ip = <[u8; 16]>::try_from(rest.get(..16)?).ok()?;
            let port = <[u8; 2]>::try_from(rest.get(32..34)?).ok()?;
            let ip = IpAddr::V6(Ipv6Addr::from(ip));
            Some(Some(SocketAddr::new(ip, u16::from_be_bytes(port))))
        }
        (0x21, _) => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(octets: &[u8]) -> (Result<Option<SocketAddr>, ()>, usize) {
        let mut rest = octets;
        let read = smol::block_on(read(&mut rest)).map_err(drop);
        (read, rest.len())
    }

    #[test]
    fn headers() {
        let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 25\r\nEHLO x\r\n";
        assert_eq!(parse(v1), (Ok(Some("192.0.2.1:56324".parse().unwrap())), 8));
        let v1 = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\n";
        assert_eq!(parse(v1), (Ok(Some("[2001:db8::1]:1".parse().unwrap())), 0));
        assert_eq!(parse(b"PROXY UNKNOWN\r\nx"), (Ok(None), 1));
        let v2 = [
            &SIGNATURE[..],
            b"\x21\x11\0\x0c\xc0\0\x02\x01\x7f\0\0\x01\x01\0\0\x19x",
        ]
        .concat();
        assert_eq!(parse(&v2), (Ok(Some("192.0.2.1:256".parse().unwrap())), 1));
        let local = [&SIGNATURE[..], b"\x20\0\0\0"].concat();
        assert_eq!(parse(&local), (Ok(None), 0));
        for bad in [
            &b"EHLO client.example\r\n"[..],
            b"PROXY TCP4 x 198.51.100.1 1 25\r\n",
            b"PROXY TCP4 192.0.2.1\r\n",
            &[b'x'; 200],
            &[&SIGNATURE[..], b"\x31\x11\0\0"].concat(),
            &[&SIGNATURE[..], b"\x21\x11\0\x04abcd"].concat(),
            &[&SIGNATURE[..], b"\x21\x11\xff\xff"].concat(),
        ] {
            assert_eq!(parse(bad).0, Err(()), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn octets_do_not_panic(tail in proptest::collection::vec(any::<u8>(), 0..80), two: bool) {
            let head: &[u8] = if two { SIGNATURE } else { b"PROXY " };
            let _ = parse(&[head, &tail].concat());
        }
    }
}
