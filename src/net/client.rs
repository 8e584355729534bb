//! Outgoing connections: straight, from an address of choice, or through a SOCKS5 proxy (RFC 1928, with
//! the log-in of RFC 1929).
use super::{Conn, Error};
use crate::config::{Out, Proxy};
use crate::limits;
use crate::sys::aside;
use crate::sys::task::within;
use async_io::Async;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect as connect_socket};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;

/// Connects to `host:port`, trying each address the system's resolver gives in turn, each for
/// the connect limit. A proxy is told the name.
///
/// # Errors
/// The last address' error.
pub async fn connect(out: &Out, host: &str, port: u16) -> Result<Conn, Error> {
    if out.proxy.is_some() && host.parse::<IpAddr>().is_err() {
        return through(out, Target::Name(host, port)).await;
    }
    let mut last = Error::Io(io::Error::other(format!("{host} has no address")));
    for address in resolve(host, port).await? {
        match connect_to(out, address).await {
            Ok(conn) => return Ok(conn),
            Err(e) => last = e,
        }
    }
    Err(last)
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let name = host.to_owned();
    aside(move || {
        (name.as_str(), port)
            .to_socket_addrs()
            .map(Iterator::collect)
    })
    .await
}

/// Connects to this address, within the connect limit.
///
/// # Errors
/// The system's, or [`Error::Deadline`].
pub async fn connect_to(out: &Out, address: SocketAddr) -> Result<Conn, Error> {
    through(out, Target::Address(address)).await
}

/// Whom to reach.
#[derive(Clone, Copy)]
enum Target<'a> {
    Address(SocketAddr),
    Name(&'a str, u16),
}

async fn through(out: &Out, target: Target<'_>) -> Result<Conn, Error> {
    let mut stream = None;
    let connecting = async {
        stream = Some(match (&out.proxy, target) {
            (Some(proxy), target) => socks(out, proxy, target).await?,
            (None, Target::Address(address)) => straight(out, address).await?,
            (None, Target::Name(..)) => return Err(io::ErrorKind::InvalidInput.into()),
        });
        Ok(())
    };
    let connected = within(Instant::now() + limits::CONNECT, Box::pin(connecting)).await;
    connected.map_err(|e| match e.kind() {
        io::ErrorKind::TimedOut => Error::Deadline,
        _ => Error::Io(e),
    })?;
    Conn::new(stream.ok_or(Error::Closed)?)
}

/// From the source address of the same family, if there is one.
async fn straight(out: &Out, address: SocketAddr) -> io::Result<Async<TcpStream>> {
    let source = out
        .source
        .iter()
        .find(|ip| ip.is_ipv4() == address.is_ipv4());
    let Some(source) = source else {
        return Async::<TcpStream>::connect(address).await;
    };
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddr::new(*source, 0))?;
    match connect_socket(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(e) => return Err(e.into()),
    }
    let stream = Async::new(TcpStream::from(socket))?;
    stream.writable().await?;
    match stream.get_ref().take_error()? {
        Some(e) => Err(e),
        None => Ok(stream),
    }
}

/// The proxy's greeting, log-in and answer. Nothing is read beyond it.
async fn socks(out: &Out, proxy: &Proxy, target: Target<'_>) -> io::Result<Async<TcpStream>> {
    let wrong = |why: &str| io::Error::other(format!("the SOCKS5 proxy {why}"));
    let address = resolve(&proxy.host, proxy.port).await?.into_iter().next();
    let address = address.ok_or_else(|| wrong("has no address"))?;
    let mut stream = straight(out, address).await?;
    let method = if proxy.login.is_some() { 2 } else { 0 };
    stream.write_all(&[5, 1, method]).await?;
    let mut two = [0; 2];
    stream.read_exact(&mut two).await?;
    if two != [5, method] {
        return Err(wrong("wants another log-in"));
    }
    if let Some((user, password)) = &proxy.login {
        let mut login = vec![1];
        for text in [user, password] {
            let length =
                u8::try_from(text.len()).map_err(|_| wrong("takes no such long log-in"))?;
            login.push(length);
            login.extend_from_slice(text.as_bytes());
        }
        stream.write_all(&login).await?;
        stream.read_exact(&mut two).await?;
        if two[1] != 0 {
            return Err(wrong("refuses the log-in"));
        }
    }
    // RFC 1928 §4: CONNECT.
    let mut request = vec![5, 1, 0];
    let port = match target {
        Target::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    request.push(1);
                    request.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    request.push(4);
                    request.extend_from_slice(&ip.octets());
                }
            }
            address.port()
        }
        Target::Name(name, port) => {
            let length = u8::try_from(name.len()).map_err(|_| wrong("takes no such long name"))?;
            request.extend_from_slice(&[3, length]);
            request.extend_from_slice(name.as_bytes());
            port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await?;
    // RFC 1928 §6: the address that comes back is of no use, but has to be read.
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let rest = match head {
        [5, 0, _, 1] => 6,
        [5, 0, _, 4] => 18,
        [5, 0, _, 3] => {
            let mut length = [0];
            stream.read_exact(&mut length).await?;
            usize::from(length[0]) + 2
        }
        [5, 2, ..] => return Err(wrong("does not allow it")),
        [5, 3 | 4, ..] => return Err(wrong("does not reach it")),
        [5, 5, ..] => return Err(wrong("found the port closed")),
        _ => return Err(wrong("failed")),
    };
    let mut bound = vec![0; rest];
    stream.read_exact(&mut bound).await?;
    Ok(stream)
}
