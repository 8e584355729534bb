//! Outgoing connections.
use super::{Conn, Error};
use crate::limits;
use async_io::{Async, Timer};
use smol::future::FutureExt;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

/// Connects to `host:port`, trying each address the system's resolver gives in turn, each for
/// the connect limit.
///
/// # Errors
/// The last address' error.
pub async fn connect(host: &str, port: u16) -> Result<Conn, Error> {
    let name = host.to_owned();
    let addresses: Vec<_> =
        smol::unblock(move || (name.as_str(), port).to_socket_addrs().map(|a| a.collect())).await?;
    let mut last = Error::Io(std::io::Error::other(format!("{host} has no address")));
    for address in addresses {
        match connect_to(address).await {
            Ok(conn) => return Ok(conn),
            Err(e) => last = e,
        }
    }
    Err(last)
}

/// Connects to this address, within the connect limit.
///
/// # Errors
/// The system's, or [`Error::Deadline`].
pub async fn connect_to(address: SocketAddr) -> Result<Conn, Error> {
    let connecting = async {
        Async::<TcpStream>::connect(address)
            .await
            .map_err(Error::Io)
    };
    let late = async {
        Timer::after(limits::CONNECT).await;
        Err(Error::Deadline)
    };
    Conn::new(connecting.or(late).await?)
}
