//! Sockets to listen on, and the loop that turns what arrives there into connection tasks.
use super::census::{Census, Full};
use super::{Conn, Shutdown};
use crate::limits;
use crate::sys::task;
use async_io::{Async, Timer};
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use smol::LocalExecutor;
use smol::future::FutureExt;
use std::future::Future;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// What serves a connection; made and used on the listener's thread.
pub type Handler = Box<dyn Fn(Conn) -> Pin<Box<dyn Future<Output = ()>>>>;

/// What all listeners of a server share.
#[derive(Clone)]
pub struct Shared {
    /// Who is connected.
    pub census: Census,
    /// No new connections; sessions say good-bye.
    pub shutdown: Shutdown,
    /// The threads end, whoever is still connected.
    pub halt: Shutdown,
}

/// Binds a socket. An IPv6 wildcard also takes IPv4 unless `v6only`, whatever the system's
/// default is. Where the kernel has no IPv6, `[::]` becomes `0.0.0.0`.
///
/// # Errors
/// The system's.
pub fn bind(address: SocketAddr, v6only: bool) -> io::Result<TcpListener> {
    match bind_exactly(address, v6only) {
        Err(e)
            if e.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
                && address.is_ipv6()
                && address.ip().is_unspecified() =>
        {
            bind_exactly(SocketAddr::from(([0, 0, 0, 0], address.port())), false)
        }
        other => other,
    }
}

fn bind_exactly(address: SocketAddr, v6only: bool) -> io::Result<TcpListener> {
    let family = if address.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, v6only)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 128)?;
    Ok(TcpListener::from(socket))
}

/// Starts a listener's thread: one executor, on which it accepts and all its sessions run.
/// `handler` is called on that thread, once. `full` is what a peer hears for whom there is no
/// place, before it is closed.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(
    name: &str,
    socket: TcpListener,
    shared: Shared,
    full: &'static str,
    handler: impl FnOnce() -> Handler + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let name = name.to_owned();
    Builder::new()
        .name(name.clone())
        .stack_size(limits::THREAD_STACK)
        .spawn(move || {
            let executor = Rc::new(LocalExecutor::new());
            let handler = Rc::new(handler());
            let run = async {
                match Async::new(socket) {
                    Ok(listener) => {
                        let accepting =
                            accept(&name, &listener, &shared, full, &executor, &handler);
                        accepting.or(shared.shutdown.wait()).await;
                    }
                    Err(e) => log::error!("{name}: cannot listen: {e}"),
                }
                // The socket is closed now; sessions go on until they end or must.
                shared.census.empty().or(shared.halt.wait()).await;
            };
            smol::block_on(executor.run(run));
        })
}

async fn accept(
    name: &str,
    listener: &Async<TcpListener>,
    shared: &Shared,
    full: &str,
    executor: &LocalExecutor<'static>,
    handler: &Rc<Handler>,
) {
    let mut complaints = Complaints::default();
    loop {
        match listener.accept().await {
            Ok((socket, peer)) => match admit(socket, peer, shared, full) {
                Ok(conn) => {
                    let session = attend(name.into(), conn, handler.clone());
                    task::spawn(executor, Box::pin(session));
                }
                Err(why) => complaints.say(name, &why),
            },
            Err(e) if is_passing(&e) => {}
            Err(e) => {
                // No descriptors or no memory: the connection stays in the backlog. Others
                // have to end first, so wait instead of spinning.
                complaints.say(name, &format!("cannot accept: {e}"));
                Timer::after(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Errors of accept(2) that concern the one connection that was coming.
fn is_passing(e: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(
        e.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | TimedOut | WouldBlock
    )
}

fn admit(
    socket: Async<TcpStream>,
    peer: SocketAddr,
    shared: &Shared,
    full: &str,
) -> Result<Conn, String> {
    let place = match shared.census.enter(peer.ip()) {
        Ok(place) => place,
        Err(limit) => {
            // One write that never waits: what a fresh socket does not take is not said.
            let _ = socket.get_ref().write(full.as_bytes());
            return Err(match limit {
                Full::All => format!("refused {peer}: too many connections (--max-connections)"),
                Full::Address => {
                    format!("refused {peer}: too many from there (--max-connections-per-address)")
                }
            });
        }
    };
    let mut conn = Conn::new(socket).map_err(|e| format!("lost {peer}: {e}"))?;
    conn.hold(place);
    conn.watch_shutdown(shared.shutdown.clone());
    Ok(conn)
}

/// Runs one session. A panic ends it and nothing else.
async fn attend(name: Rc<str>, conn: Conn, handler: Rc<Handler>) {
    let number = conn.number();
    let since = Instant::now();
    log::debug!("[{number}] {name}: connection from {}", conn.peer());
    let session = AssertUnwindSafe(handler(conn));
    if session.catch_unwind().await.is_err() {
        log::error!("[{number}] {name}: the session failed inside the server and was closed");
    }
    log::debug!(
        "[{number}] {name}: ended after {:.1} s",
        since.elapsed().as_secs_f32()
    );
}

/// Says things that can come by the thousand once in ten seconds.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    unsaid: u32,
}

impl Complaints {
    fn say(&mut self, name: &str, what: &str) {
        if self
            .last
            .is_some_and(|last| last.elapsed() < Duration::from_secs(10))
        {
            self.unsaid = self.unsaid.saturating_add(1);
            return;
        }
        match self.unsaid {
            0 => log::warn!("{name}: {what}"),
            n => log::warn!("{name}: {what} ({n} more like this)"),
        }
        self.last = Some(Instant::now());
        self.unsaid = 0;
    }
}
