//! Start order, threads, drain and reload.
//!
//! 1. [`bind`]: every socket (the service manager may have bound it), before anything else, so that a wrong port is told at once and
//!    privileges can be dropped before the store is opened.
//! 2. The store, the account, the certificate ([`account`]).
//! 3. [`Server::start`]: one thread per socket; then ready.
//! 4. [`Server::stop`]: no new connections, sessions say good-bye, a bounded wait, the store is sealed.
pub mod account;
mod aliases;
pub mod clients;
pub mod control;
pub mod doctor;
mod failure;
pub mod job;
pub mod notify;
pub mod status;
mod watch;
pub mod zone;

/// Signed URLs of own messages: IMAP's, and submission reads them, too (RFC 4468).
pub use crate::imap::{
    url::{Closed, Submitted},
    wire::url::Url,
};

use crate::auth::sasl::Mechanism;
use crate::auth::{Auth, Client, Grant, Protocol};
use crate::config::{Config, Listen, Role};
use crate::dns::Resolver;
use crate::limits;
use crate::mail::{Mail, Uid};
use crate::net::census::Census;
use crate::net::listener::{self, Handler, Shared};
use crate::net::tls::Tls;
use crate::net::{Conn, Shutdown, TlsAcceptor};
use crate::sys::{self, aside};
use async_io::Timer;
pub use failure::{Failure, Kind};
use smol::future::FutureExt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// What every session is given. One per listener thread, shared by its sessions in an `Rc`.
#[derive(Clone)]
pub struct Ctx {
    /// The mailbox engine.
    pub mail: Arc<Mail>,
    /// Who may in.
    pub auth: Arc<Auth>,
    /// The flags.
    pub config: Arc<Config>,
    /// For STARTTLS and STLS; `None` only when TLS is switched off.
    pub tls: Option<TlsAcceptor>,
    /// The maildrop's lock: one for all POP3 listeners of the process, so cloned, never made twice
    /// (`Arc::default()` makes it).
    pub pop3: Arc<crate::pop3::Gate>,
    /// What all JMAP listeners share: turns at the API and at uploads (`Arc::default()` makes it).
    pub jmap: Arc<crate::jmap::Gate>,
    /// What strangers' mail has to pass: one for all listeners (`Arc::default()` makes it).
    pub gate: Arc<crate::smtp::gate::Gate>,
    /// Asks the DNS.
    pub dns: Arc<Resolver>,
    /// Thrown when the server stops.
    pub shutdown: Shutdown,
}

impl Ctx {
    /// Whether a password may cross this connection: TLS, loopback, or allowed by flag. Only
    /// then are PLAIN, LOGIN and USER announced and accepted.
    pub fn may_show_password(&self, conn: &Conn) -> bool {
        conn.is_private() || self.config.allow_plain_auth
    }

    /// What `auth` has to know of who is at the other end.
    pub fn client(&self, conn: &Conn, protocol: Protocol) -> Client {
        Client {
            ip: conn.peer_ip(),
            protocol,
            binding: conn.tls_exporter(),
        }
    }

    /// The SASL mechanisms that work on this connection, best first.
    pub fn mechanisms(&self, conn: &Conn) -> impl Iterator<Item = Mechanism> + use<> {
        let bound = conn.tls_exporter().is_some();
        Mechanism::offered(bound, self.may_show_password(conn))
    }

    /// The same for whoever logged in: the engine's handle is theirs from here on.
    pub fn granted(self: &Rc<Self>, grant: &Grant) -> Rc<Ctx> {
        match &grant.app {
            None => self.clone(),
            Some(app) => Rc::new(Ctx {
                mail: self.mail.of(Some(&app.principal)),
                ..Ctx::clone(self)
            }),
        }
    }

    /// Lets a connection last as long as its log-in does: the time to log in is over, an app password
    /// may expire or be revoked.
    pub fn admit(conn: &mut Conn, grant: &Grant) {
        conn.set_deadline(grant.deadline());
        if let Some(app) = &grant.app {
            conn.watch_end(app.gone.clone());
        }
    }
}

/// A socket that is bound and not yet served.
pub struct Bound {
    role: Role,
    address: SocketAddr,
    socket: TcpListener,
}

/// Where sockets really are, with the ports that the system chose.
pub fn listening(bound: &[Bound]) -> Vec<Listen> {
    let listen = |one: &Bound| Listen {
        role: one.role,
        address: one.address,
    };
    bound.iter().map(listen).collect()
}

/// Binds every socket of a configuration.
///
/// # Errors
/// [`Kind::Port`], naming the address, the flag and what to do.
pub fn bind(listen: &[Listen]) -> Result<Vec<Bound>, Failure> {
    let mut handed = sys::activation::sockets();
    let bound = listen
        .iter()
        .map(|one| {
            let Listen { role, address } = *one;
            // [::] takes IPv4 too, unless this port has an IPv4 socket of its own.
            let v6only = listen
                .iter()
                .any(|other| other.address.is_ipv4() && other.address.port() == address.port());
            let socket = match handed.iter().position(|socket| fits(socket, address)) {
                Some(at) => handed.swap_remove(at),
                None => listener::bind(address, v6only).map_err(|e| port_failure(*one, &e))?,
            };
            let address = socket.local_addr().map_err(|e| port_failure(*one, &e))?;
            Ok(Bound {
                role,
                address,
                socket,
            })
        })
        .collect();
    for socket in &handed {
        log::warn!("a socket of the service manager is not used: {socket:?}");
    }
    bound
}

/// Whether a socket of the service manager is one that a listener wants: its port, and its address
/// unless any will do.
fn fits(socket: &TcpListener, wanted: SocketAddr) -> bool {
    let any = wanted.ip().is_unspecified();
    let same = |has: SocketAddr| has.port() == wanted.port() && (any || has.ip() == wanted.ip());
    socket.local_addr().is_ok_and(same)
}

fn port_failure(listen: Listen, e: &io::Error) -> Failure {
    let Listen { role, address } = listen;
    let flag = role.name();
    let message = match e.kind() {
        io::ErrorKind::AddrInUse => format!(
            "port {} is in use ({flag} on {address}): stop the other program, or use --{flag} \
             ADDR:PORT or --{flag} off",
            address.port()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "binding {flag} on {address} is not permitted: ports below 1024 need root or \
             CAP_NET_BIND_SERVICE; use --{flag} ADDR:{} or --{flag} off",
            role.try_port()
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "this machine has no address {} (--{flag} {address}): use one it has, or [::] for all",
            address.ip()
        ),
        _ => format!("cannot bind {flag} on {address}: {e}"),
    };
    Failure::new(Kind::Port, message)
}

/// A running server.
pub struct Server {
    ctx: Ctx,
    tls: Option<Tls>,
    shared: Shared,
    threads: Vec<JoinHandle<()>>,
    addresses: Vec<(Role, SocketAddr)>,
}

/// What a peer hears who is one too many. Behind TLS nothing can be said before the handshake.
fn no_place(role: Role) -> &'static str {
    match role {
        // RFC 5321 §3.8
        Role::Smtp | Role::LanSmtp | Role::Submission => {
            "421 4.7.0 Too many connections, try again later\r\n"
        }
        // RFC 9051 §7.1.5
        Role::Imap => "* BYE Too many connections, try again later\r\n",
        // RFC 3206 §4
        Role::Pop3 => "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
        Role::Http | Role::Metrics => {
            "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        }
        Role::Submissions | Role::Imaps | Role::Pop3s | Role::Https => "",
    }
}

impl Server {
    /// Serves the bound sockets, each on its own thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        bound: Vec<Bound>,
        config: Arc<Config>,
        mail: Arc<Mail>,
        auth: Arc<Auth>,
        tls: Option<Tls>,
    ) -> Result<Server, Failure> {
        let shared = Shared {
            census: Census::new(config.max_connections, config.max_connections_per_address),
            shutdown: Shutdown::new(),
            halt: Shutdown::new(),
        };
        let acceptor = tls.as_ref().map(|tls| tls.mail().clone());
        let shutdown = shared.shutdown.clone();
        let dns = Arc::new(Resolver::new(config.dns.clone()).trusting(config.dns_trusted));
        let gate = Arc::new(crate::smtp::gate::Gate::open(&mail));
        let ctx = Ctx {
            mail,
            auth,
            config,
            tls: acceptor,
            pop3: Arc::default(),
            jmap: Arc::default(),
            gate,
            dns,
            shutdown,
        };
        ctx.jmap.open(&ctx.mail);
        if !sys::clock::is_set() {
            sys::clock::not_before(newest(&ctx));
        }
        status::started();
        let mut server = Server {
            ctx,
            tls,
            shared,
            threads: Vec::new(),
            addresses: Vec::new(),
        };
        for Bound {
            role,
            address,
            socket,
        } in bound
        {
            let ctx = server.ctx.clone();
            let tls = server.tls.clone();
            let started = listener::spawn(
                role.name(),
                socket,
                server.shared.clone(),
                no_place(role),
                move || handler(role, ctx, tls),
            );
            let thread = started.map_err(|e| no_thread(&e))?;
            log::info!("{} on {address}", role.name());
            if role == Role::Metrics && !address.ip().is_loopback() {
                log::warn!(
                    "{address} shows the numbers to everybody who reaches it: there is no log-in"
                );
            }
            server.threads.push(thread);
            server.addresses.push((role, address));
        }
        server.threads.push(server.start_queue()?);
        Ok(server)
    }

    /// The thread of the outbound queue, of web push, of notifications and of who looks after all. It ends
    /// with the sessions; whatever it is at then is tried again at the next start.
    fn start_queue(&self) -> Result<JoinHandle<()>, Failure> {
        let (ctx, halt) = (self.ctx.clone(), self.shared.halt.clone());
        let tls = self.tls.clone();
        // Not when its thread comes to it: mail may have come by then.
        let told = notify::Told::now(&ctx.mail);
        let thread = Builder::new()
            .name("queue".into())
            .stack_size(limits::THREAD_STACK);
        let run = move || {
            let ctx = Rc::new(ctx);
            let queue = crate::queue::run(ctx.clone()).or(crate::jmap::push(ctx.clone()));
            let telling = notify::run(ctx.clone(), told).or(watch::run(ctx, tls));
            smol::block_on(queue.or(telling).or(halt.wait()));
        };
        thread.spawn(run).map_err(|e| no_thread(&e))
    }

    /// Where it listens, with the ports that the system chose.
    pub fn addresses(&self) -> &[(Role, SocketAddr)] {
        &self.addresses
    }

    /// What its sessions are given.
    pub fn ctx(&self) -> &Ctx {
        &self.ctx
    }

    /// The certificate in use.
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.shared.census.count()
    }

    /// Reads the certificate files again. Old sessions go on; if the files are wrong, the
    /// certificate in use stays.
    ///
    /// # Errors
    /// A sentence.
    pub fn reload(&self) -> Result<(), String> {
        if let (Some(tls), Some((cert, key))) = (&self.tls, &self.ctx.config.cert) {
            tls.replace(crate::net::tls::load(cert, key)?);
        }
        Ok(())
    }

    /// Stops: no new connections, sessions say good-bye between two commands, and after `patience`
    /// (or when `hurry` resolves) whoever is left is cut off. Then the store is sealed.
    pub async fn stop(self, patience: Duration, hurry: impl Future<Output = ()>) {
        self.shared.shutdown.throw();
        let drained = async {
            self.shared.census.empty().await;
            true
        };
        let late = async {
            Timer::after(patience).await;
            false
        };
        let hurried = async {
            hurry.await;
            false
        };
        if !drained.or(late).or(hurried).await {
            log::warn!(
                "cutting off {} connections that did not end",
                self.connections()
            );
        }
        self.shared.halt.throw();
        self.ctx.auth.remember_use().await;
        self.ctx.gate.remember(&self.ctx.mail, true).await;
        let threads = self.threads;
        aside(move || threads.into_iter().for_each(|thread| drop(thread.join()))).await;
        self.ctx.mail.close().await;
    }
}

/// The newest time that the store knows: what ended before it has ended, whatever the clock shows.
fn newest(ctx: &Ctx) -> u32 {
    let used = ctx.auth.apps().iter().map(|app| app.used()).max();
    let mut newest = used.unwrap_or(0);
    // A store that cannot be read is told of elsewhere.
    if let Ok(reader) = ctx.mail.reader() {
        for mailbox in &ctx.mail.meta().mailboxes {
            let _ = reader.rows_back(mailbox.id, 1, Uid::MAX, |row| {
                newest = newest.max(row.saved);
                false
            });
        }
    }
    newest
}

fn no_thread(e: &io::Error) -> Failure {
    Failure::new(Kind::Other, format!("cannot start a thread: {e}"))
}

/// What serves a role's connections, on its listener's thread.
fn handler(role: Role, ctx: Ctx, tls: Option<Tls>) -> Handler {
    let ctx = Rc::new(ctx);
    Box::new(move |conn| Box::pin(session(role, conn, ctx.clone(), tls.clone())))
}

/// One connection: TLS first where the role wants it, then the protocol.
async fn session(role: Role, mut conn: Conn, ctx: Rc<Ctx>, tls: Option<Tls>) {
    let _counted = sys::count::Open::new(role as usize);
    // HTTP has no idle time here, flag or not: it keeps its own, and event streams stay silent.
    conn.set_idle(role.idle().map(|usual| ctx.config.idle.unwrap_or(usual)));
    if role.wants_login() {
        conn.set_deadline(Some(Instant::now() + ctx.config.login_time));
    } else if role == Role::Smtp {
        conn.set_deadline(Some(Instant::now() + ctx.config.smtp_session));
    }
    let peer = conn.peer_ip();
    if ctx.config.proxies.iter().any(|proxy| proxy.has(peer)) {
        let number = conn.number();
        if let Err(e) = conn.read_proxy().await {
            log::warn!(
                "[{number}] {}: {peer} is to speak for others and does not: {e}",
                role.name()
            );
            return;
        }
        if !conn.takes_its_place() {
            log::warn!(
                "[{number}] refused {}: too many from there (--max-connections-per-address)",
                conn.peer()
            );
            conn.out().extend_from_slice(no_place(role).as_bytes());
            conn.close().await;
            return;
        }
    }
    if role.is_tls() {
        let Some(tls) = tls else { return };
        let acceptor = if role == Role::Https {
            tls.http()
        } else {
            tls.mail()
        };
        if let Err(e) = conn.start_tls(acceptor).await {
            log::info!(
                "[{}] {}: {} did not start TLS: {e}",
                conn.number(),
                role.name(),
                conn.peer_ip()
            );
            return;
        }
    }
    match role {
        Role::Smtp | Role::LanSmtp | Role::Submission | Role::Submissions => {
            Box::pin(crate::smtp::serve(conn, ctx, role)).await;
        }
        Role::Imap | Role::Imaps => Box::pin(crate::imap::serve(conn, ctx)).await,
        Role::Pop3 | Role::Pop3s => Box::pin(crate::pop3::serve(conn, ctx)).await,
        Role::Http | Role::Https | Role::Metrics => {
            Box::pin(crate::jmap::serve(conn, ctx, role)).await;
        }
    }
}

/// How long [`Server::stop`] usually waits.
pub const PATIENCE: Duration = limits::DRAIN;
