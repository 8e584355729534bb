//! The real server inside the test process, and a client that speaks lines to it.
//!
//! ```ignore
//! let server = Server::start();
//! let mut c = server.client(Role::Imap);
//! c.expect("* OK");
//! c.send("a login anna secret");
//! c.expect("a OK");
//! ```
//! Every server has its own directory, store and ports; it stops and is swept away on drop.
#![allow(dead_code)]
mod client;
pub mod dns;

pub use client::Client;
use pillarbox::auth::Auth;
use pillarbox::config::{Config, Listen, Role};
use pillarbox::mail::{Mail, Options};
use pillarbox::server::{self, account};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The user of every test server.
pub const USER: &str = "anna";
/// Her password.
pub const PASSWORD: &str = "correct horse";
/// Her domain.
pub const DOMAIN: &str = "example.org";

/// How long a test waits for what has to happen: longer than any machine needs, so that only what
/// never comes fails.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A directory that goes away with its owner.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("pillarbox-test-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A TLS server for 127.0.0.1, whose certificate is in `ca.pem` of this directory.
pub fn trusted(dir: &TempDir) -> Arc<rustls::ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(dir.join("ca.pem"), made.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.unwrap());
    Arc::new(config.unwrap())
}

/// A running server.
pub struct Server {
    inner: Option<server::Server>,
    config: Arc<Config>,
    dir: TempDir,
}

impl Server {
    /// With the defaults: every role on 127.0.0.1, port 0, a self-signed certificate.
    pub fn start() -> Server {
        Server::with(|_| {})
    }

    /// With a configuration changed by `change`.
    pub fn with(change: impl FnOnce(&mut Config)) -> Server {
        let mut server = Server::down_yet(change);
        server.up();
        server
    }

    /// On a store that is open already.
    pub fn over(mail: Arc<Mail>) -> Server {
        Server::over_with(mail, |_| {})
    }

    /// The same with a configuration changed by `change`.
    pub fn over_with(mail: Arc<Mail>, change: impl FnOnce(&mut Config)) -> Server {
        let mut server = Server::down_yet(change);
        server.serve(mail);
        server
    }

    fn down_yet(change: impl FnOnce(&mut Config)) -> Server {
        let dir = TempDir::new();
        let mut config = Config::new(USER, DOMAIN);
        config.db = dir.join("mail.redb");
        config.hostname = "mail.example.org".into();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        config.listen = Role::ALL
            .iter()
            .map(|role| Listen {
                role: *role,
                address,
            })
            .collect();
        change(&mut config);
        Server {
            inner: None,
            config: Arc::new(config),
            dir,
        }
    }

    fn up(&mut self) {
        let config = self.config.clone();
        let options = Options {
            cache: config.cache,
            message_size: config.max_message_size,
            quota: config.quota.unwrap_or(0),
            quota_messages: config.quota_messages,
        };
        self.serve(Mail::open(&config.db, options).unwrap());
    }

    fn serve(&mut self, mail: Arc<Mail>) {
        let bound = server::bind(&self.config.listen).unwrap();
        let mut config = Config::clone(&self.config);
        config.listen = server::listening(&bound);
        let config = Arc::new(config);
        let auth = Arc::new(Auth::open(config.clone(), mail.clone()).unwrap());
        let (tls, _) = smol::block_on(account::certificate(&config, &*mail)).unwrap();
        if !auth.has_password() {
            // Few iterations: tests log in by the thousand.
            smol::block_on(auth.set_password(PASSWORD, true)).unwrap();
        }
        self.inner = Some(server::Server::start(bound, config, mail, auth, Some(tls)).unwrap());
    }

    /// Stops and starts again on the same store. Ports change.
    pub fn restart(&mut self) {
        self.down();
        self.up();
    }

    /// The same with other flags.
    pub fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.down();
        let mut config = Config::clone(&self.config);
        change(&mut config);
        self.config = Arc::new(config);
        self.up();
    }

    fn down(&mut self) {
        if let Some(server) = self.inner.take() {
            smol::block_on(server.stop(Duration::from_secs(5), std::future::pending()));
        }
    }

    fn inner(&self) -> &server::Server {
        self.inner.as_ref().unwrap()
    }

    /// The address of a role's first listener.
    pub fn addr(&self, role: Role) -> SocketAddr {
        self.inner()
            .addresses()
            .iter()
            .find(|(r, _)| *r == role)
            .unwrap()
            .1
    }

    /// A client, under TLS where the role starts with it.
    pub fn client(&self, role: Role) -> Client {
        let mut client = Client::connect(self.addr(role));
        if role.is_tls() {
            client.start_tls();
        }
        client
    }

    /// The engine, for looking behind the wire.
    pub fn mail(&self) -> &Arc<Mail> {
        &self.inner().ctx().mail
    }

    /// The account.
    pub fn auth(&self) -> &Arc<Auth> {
        &self.inner().ctx().auth
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its directory (the store is `mail.redb` there).
    pub fn dir(&self) -> &TempDir {
        &self.dir
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.inner().connections()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.down();
    }
}
