//! What a run of the server is told by its flags, checked once and turned into types.
//!
//! The meaning and default of every flag stand in `cli::serve`; here is what became of them.
mod addresses;

use crate::limits;
use crate::sys::network::Network;
pub use addresses::{Alias, Aliases};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What a listening socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// SMTP from other servers (25).
    Smtp,
    /// SMTP from devices of the local network, for the user alone.
    LanSmtp,
    /// Message submission with STARTTLS (587).
    Submission,
    /// Message submission over TLS (465).
    Submissions,
    /// IMAP with STARTTLS (143).
    Imap,
    /// IMAP over TLS (993).
    Imaps,
    /// POP3 with STLS (110).
    Pop3,
    /// POP3 over TLS (995).
    Pop3s,
    /// JMAP over HTTP (8080).
    Http,
    /// JMAP over HTTPS (443).
    Https,
    /// What is counted, over HTTP, as Prometheus reads it.
    Metrics,
}

impl Role {
    /// All roles, in the order the flags are listed.
    pub const ALL: [Role; 11] = [
        Role::Smtp,
        Role::LanSmtp,
        Role::Submission,
        Role::Submissions,
        Role::Imap,
        Role::Imaps,
        Role::Pop3,
        Role::Pop3s,
        Role::Http,
        Role::Https,
        Role::Metrics,
    ];

    /// The flag's name, and the name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Role::Smtp => "smtp",
            Role::LanSmtp => "lan-smtp",
            Role::Submission => "submission",
            Role::Submissions => "submissions",
            Role::Imap => "imap",
            Role::Imaps => "imaps",
            Role::Pop3 => "pop3",
            Role::Pop3s => "pop3s",
            Role::Http => "http",
            Role::Https => "https",
            Role::Metrics => "metrics",
        }
    }

    /// The port where clients look for it.
    pub fn port(self) -> u16 {
        match self {
            Role::Smtp => 25,
            Role::LanSmtp => 26,
            Role::Submission => 587,
            Role::Submissions => 465,
            Role::Imap => 143,
            Role::Imaps => 993,
            Role::Pop3 => 110,
            Role::Pop3s => 995,
            Role::Http => 8080,
            Role::Https => 443,
            Role::Metrics => 9125,
        }
    }

    /// The unprivileged port of `--try`.
    pub fn try_port(self) -> u16 {
        match self {
            Role::Http => 8080,
            Role::Https => 8443,
            Role::Metrics => 9125,
            other => other.port() + if other.port() < 100 { 2500 } else { 2000 },
        }
    }

    /// Whether TLS starts with the connection.
    pub fn is_tls(self) -> bool {
        matches!(
            self,
            Role::Submissions | Role::Imaps | Role::Pop3s | Role::Https
        )
    }

    /// Whether it listens without being asked to.
    pub fn is_usual(self) -> bool {
        !matches!(self, Role::LanSmtp | Role::Metrics)
    }

    /// Whether a session has to log in.
    pub fn wants_login(self) -> bool {
        use Role::{Http, Https, LanSmtp, Metrics, Smtp};
        !matches!(self, Smtp | LanSmtp | Http | Https | Metrics)
    }

    /// How long a session may be idle, by its RFC. HTTP keeps its own time.
    pub fn idle(self) -> Option<Duration> {
        match self {
            Role::Smtp | Role::LanSmtp | Role::Submission | Role::Submissions => {
                Some(limits::IDLE_SMTP)
            }
            Role::Imap | Role::Imaps => Some(limits::IDLE_IMAP),
            Role::Pop3 | Role::Pop3s => Some(limits::IDLE_POP3),
            Role::Http | Role::Https | Role::Metrics => None,
        }
    }
}

/// One socket to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// What it speaks.
    pub role: Role,
    /// Where.
    pub address: SocketAddr,
}

/// TLS towards the smarthost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmarthostTls {
    /// STARTTLS, required.
    StartTls,
    /// TLS from the start.
    Tls,
    /// None; only sensible on the same machine or in a tunnel.
    None,
}

/// Where mail for others goes.
#[derive(Clone)]
pub struct Smarthost {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS.
    pub tls: SmarthostTls,
    /// User name and password, if it wants a log-in.
    pub login: Option<(String, String)>,
    /// Where the access token stands that is shown instead of the password (XOAUTH2). It is read for
    /// each session: somebody else renews it.
    pub token: Option<PathBuf>,
    /// Further trusted certificates (PEM), for a smarthost with a private CA.
    pub ca: Option<PathBuf>,
}

/// Where mail for a domain goes.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    /// To this server, which sends it on.
    Smarthost(&'a Smarthost),
    /// To the domain's own servers.
    Direct,
}

/// A domain with a way of its own.
#[derive(Clone)]
pub struct DomainRoute {
    /// The recipients' domain, or the sender's, in lower case; `.example.org` for all below.
    pub domain: String,
    /// The server; `None` is direct.
    pub host: Option<Smarthost>,
}

/// How connections go out.
#[derive(Clone, Default)]
pub struct Out {
    /// Our own addresses to go out from, at most one of a kind.
    pub source: Vec<IpAddr>,
    /// Everything goes through it.
    pub proxy: Option<Proxy>,
}

/// A SOCKS5 proxy.
#[derive(Clone)]
pub struct Proxy {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User name and password, if it wants a log-in.
    pub login: Option<(String, String)>,
}

/// When the queue tries again, and when it stops. All in seconds.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Until the second attempt; doubled for each further one...
    pub first: u32,
    /// ...up to this.
    pub most: u32,
    /// Until a message is given up.
    pub lifetime: u32,
    /// Until the sender is told that it is late.
    pub warn: u32,
    /// Whether every sender is told so, or only who asked for it.
    pub warn_all: bool,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            first: limits::RETRY_FIRST,
            most: limits::RETRY_MOST,
            lifetime: limits::QUEUE_LIFETIME,
            warn: limits::QUEUE_WARN,
            warn_all: false,
        }
    }
}

/// Whose mail is checked for its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Nobody's.
    Off,
    /// What comes from public addresses: SPF says nothing of others.
    Wan,
    /// Everybody's.
    All,
}

/// What is done with mail that fails the policy of its author's domain (RFC 7489).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dmarc {
    /// It says so in its header, and that is all.
    Ignore,
    /// Into Junk, whether it should be put aside or refused.
    Junk,
    /// Refused if the domain wants that, else into Junk.
    Reject,
}

/// When messages that a POP3 client has fetched go away (RFC 2449 §6.7, EXPIRE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pop3Delete {
    /// Only when a client says DELE: `EXPIRE NEVER`.
    Never,
    /// This many days after they were fetched: `EXPIRE n`.
    Days(u16),
    /// At the QUIT of the session that fetched them: `EXPIRE 0`.
    AtOnce,
}

/// POP3's own settings.
#[derive(Debug, Clone)]
pub struct Pop3 {
    /// What happens to fetched messages.
    pub delete: Pop3Delete,
    /// Least time between two log-ins (RFC 2449 §6.5), zero for none.
    pub login_delay: Duration,
    /// Whether APOP is offered (it needs a secret stored by `passwd --apop`).
    pub apop: bool,
}

/// What the owner is warned of by mail.
#[derive(Debug, Clone)]
pub struct Warn {
    /// Whether at all.
    pub on: bool,
    /// Octets free below which the disk is nearly full; `None` leaves it to us.
    pub disk: Option<u64>,
    /// Failed log-ins that are many, 0 for any number being all right.
    pub logins: u32,
    /// Seconds for which mail may be tried in vain.
    pub queue: u32,
    /// How often the certificate's files are read.
    pub certificate: Duration,
    /// How long the clock may take to be set.
    pub clock: Duration,
    /// Least time between two looks.
    pub pause: Duration,
}

impl Default for Warn {
    fn default() -> Warn {
        Warn {
            on: false,
            disk: None,
            logins: limits::WARN_LOGINS,
            queue: limits::QUEUE_WARN,
            certificate: limits::WATCH_EVERY,
            clock: limits::WATCH_EVERY,
            pause: limits::WATCH_PAUSE,
        }
    }
}

/// What may be told of new mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotifyWith {
    /// That there is some.
    Nothing,
    /// From whom.
    Sender,
    /// And about what.
    Subject,
    /// And how it begins.
    Preview,
}

/// Where new mail is told.
#[derive(Clone)]
pub struct Notify {
    /// `http:` or `https:`, checked.
    pub url: String,
    /// What may be told.
    pub with: NotifyWith,
    /// As an object rather than as text with ntfy's header fields.
    pub json: bool,
    /// The value of Authorization.
    pub authorization: Option<String>,
    /// How long what comes together is waited for.
    pub pause: Duration,
    /// Until it is tried again; doubled each time.
    pub retry: Duration,
}

/// HTTP's own settings.
#[derive(Debug, Clone, Default)]
pub struct Http {
    /// Header fields added to every answer: name and value, checked.
    pub headers: Vec<(String, String)>,
    /// Origins that may call from a browser; `*` for all.
    pub cors_origins: Vec<String>,
    /// Addresses of reverse proxies that are believed.
    pub proxies: Vec<String>,
    /// Whether push subscriptions may lead to private addresses.
    pub push_private: bool,
    /// Public base URL without a trailing slash, for the absolute URLs in the JMAP session.
    pub url: Option<String>,
}

/// A checked configuration.
#[derive(Clone)]
pub struct Config {
    /// The store.
    pub db: PathBuf,
    /// Our own name, in greetings and trace header fields.
    pub hostname: String,
    /// The user's log-in name, which is also the local part of the first address.
    pub user: String,
    /// Our domains, lower-case, the first being the main one.
    pub domains: Vec<String>,
    /// Further own addresses.
    pub aliases: Aliases,
    /// Whether every local part at our domains is ours.
    pub catch_all: bool,
    /// Characters that start a detail in a local part (`user+detail`).
    pub detail_separators: String,
    /// Sockets.
    pub listen: Vec<Listen>,
    /// Certificate chain and key in PEM; a self-signed one otherwise.
    pub cert: Option<(PathBuf, PathBuf)>,
    /// Whether passwords may cross plain TCP from other machines.
    pub allow_plain_auth: bool,
    /// Largest message, in octets.
    pub max_message_size: u64,
    /// Largest mailbox in all, in octets; `None` is unlimited.
    pub quota: Option<u64>,
    /// Most messages in all, 0 for no limit.
    pub quota_messages: u32,
    /// Cache of the store, in octets.
    pub cache: usize,
    /// Connections in all.
    pub max_connections: usize,
    /// Connections per address.
    pub max_connections_per_address: usize,
    /// Idle time of every protocol; `None` is each protocol's own.
    pub idle: Option<Duration>,
    /// Time to log in.
    pub login_time: Duration,
    /// Time between two words of an IMAP command that goes on.
    pub imap_progress: Duration,
    /// Time of a whole session at port 25.
    pub smtp_session: Duration,
    /// Failed log-ins from one address before a lock-out.
    pub max_login_failures: u32,
    /// Where mail for others goes; `None` refuses it.
    pub smarthost: Option<Smarthost>,
    /// Capabilities that IMAP does without, as `imap::capability` writes them.
    pub imap_without: Vec<&'static str>,
    /// Whether mail for others goes straight to their servers where no smarthost is named.
    pub direct: bool,
    /// Domains with a way of their own.
    pub routes: Vec<DomainRoute>,
    /// Domains of senders with a way of their own.
    pub sender_routes: Vec<DomainRoute>,
    /// Whether what is submitted is kept in Sent.
    pub sent_copy: bool,
    /// Whether domains that want to hear what became of TLS are told, once a day.
    pub tls_reports: bool,
    /// Whether such a report may go to a private address. No flag says so: other domains name it.
    pub tls_reports_private: bool,
    /// How connections go out.
    pub out: Out,
    /// The port of other domains' servers.
    pub mx_port: u16,
    /// Whether what goes out is signed by DKIM.
    pub sign: bool,
    /// When the queue tries again.
    pub retry: Retry,
    /// POP3.
    pub pop3: Pop3,
    /// HTTP.
    pub http: Http,
    /// What the owner is warned of.
    pub warn: Warn,
    /// Where new mail is told.
    pub notify: Option<Notify>,
    /// Whose mail is checked.
    pub verify: Verify,
    /// What follows from DMARC.
    pub dmarc: Dmarc,
    /// Block lists that are asked about peers.
    pub dnsbl: Vec<String>,
    /// Lists that vouch for peers: those pass block lists and greylisting.
    pub dnswl: Vec<String>,
    /// Messages in an hour from one address, 0 for no limit.
    pub rate_address: u32,
    /// The same from its network.
    pub rate_network: u32,
    /// Recipients of one message.
    pub max_recipients: usize,
    /// Seconds after which a sender never seen before may come back; `None` is no greylisting.
    pub greylist: Option<u32>,
    /// How much longer each further unknown recipient waits.
    pub tarpit: Duration,
    /// Silence before the greeting; who speaks into it is no mail server.
    pub greet_delay: Duration,
    /// Peers that speak for others by the PROXY protocol, and always do.
    pub proxies: Vec<Network>,
    /// Networks whose devices may use the LAN listener.
    pub lan: Vec<Network>,
    /// Whether the LAN listener takes mail for others, too.
    pub lan_relay: bool,
    /// What they send to others may come from any address, not from own domains alone.
    pub lan_any_sender: bool,
    /// Resolvers to ask; the system's if there are none.
    pub dns: Vec<SocketAddr>,
    /// Whether their word that DNSSEC proves an answer is believed.
    pub dns_trusted: bool,
    /// Further trusted certificates (PEM) for MTA-STS, beside the system's.
    pub tls_ca: Option<PathBuf>,
    /// The mode of the MTA-STS policy that we serve; `None` is no policy.
    pub mta_sts: Option<&'static str>,
    /// The port where MTA-STS policies are served.
    pub sts_port: u16,
    /// User whose rights the process takes after binding its sockets.
    pub run_as: Option<String>,
}

impl Config {
    /// The defaults, for a user and a main domain (what tests start from).
    pub fn new(user: &str, domain: &str) -> Config {
        Config {
            db: PathBuf::from("mail.redb"),
            hostname: domain.to_ascii_lowercase(),
            user: user.to_owned(),
            domains: vec![domain.to_ascii_lowercase()],
            aliases: Aliases::default(),
            catch_all: false,
            detail_separators: "+".into(),
            listen: Vec::new(),
            cert: None,
            allow_plain_auth: false,
            max_message_size: limits::MESSAGE_SIZE,
            quota: None,
            quota_messages: 0,
            cache: 3 << 20,
            max_connections: limits::CONNECTIONS,
            max_connections_per_address: limits::CONNECTIONS_PER_ADDRESS,
            idle: None,
            login_time: limits::LOGIN_TIME,
            imap_progress: limits::IMAP_PROGRESS,
            smtp_session: limits::SMTP_TIME,
            max_login_failures: limits::LOGIN_FAILURES,
            smarthost: None,
            direct: false,
            routes: Vec::new(),
            sender_routes: Vec::new(),
            sent_copy: false,
            tls_reports: false,
            tls_reports_private: false,
            out: Out::default(),
            mx_port: 25,
            sign: false,
            retry: Retry::default(),
            imap_without: Vec::new(),
            pop3: Pop3 {
                delete: Pop3Delete::Never,
                login_delay: Duration::ZERO,
                apop: false,
            },
            http: Http::default(),
            warn: Warn::default(),
            notify: None,
            verify: Verify::Wan,
            dmarc: Dmarc::Junk,
            dnsbl: Vec::new(),
            dnswl: Vec::new(),
            rate_address: limits::RATE_ADDRESS,
            rate_network: limits::RATE_NETWORK,
            max_recipients: limits::RECIPIENTS,
            greylist: None,
            tarpit: Duration::ZERO,
            greet_delay: Duration::ZERO,
            proxies: Vec::new(),
            lan: Vec::new(),
            lan_relay: false,
            lan_any_sender: false,
            dns: Vec::new(),
            dns_trusted: false,
            tls_ca: None,
            mta_sts: None,
            sts_port: 443,
            run_as: None,
        }
    }

    /// The way of mail from a sender's domain (in lower case, empty for nobody) to a recipient's;
    /// `None` when there is none. The recipient's decides first.
    pub fn way(&self, from: &str, to: &str) -> Option<Way<'_>> {
        let to = to.to_lowercase();
        let own = find_route(&self.routes, &to).or_else(|| find_route(&self.sender_routes, from));
        if let Some(route) = own {
            return Some(route.host.as_ref().map_or(Way::Direct, Way::Smarthost));
        }
        match &self.smarthost {
            Some(host) => Some(Way::Smarthost(host)),
            None => self.direct.then_some(Way::Direct),
        }
    }

    /// Whether there may be a way for mail to this domain, whoever sends it.
    pub fn has_way(&self, to: &str) -> bool {
        !self.sender_routes.is_empty() || self.way("", to).is_some()
    }

    /// Whether a device may use the LAN listener: any of a local network, unless networks are named.
    pub fn is_lan(&self, peer: IpAddr) -> bool {
        if self.lan.is_empty() {
            return !is_public(peer);
        }
        self.lan.iter().any(|network| network.has(peer))
    }

    /// Whether mail from this peer is checked for its origin.
    pub fn verifies(&self, peer: IpAddr) -> bool {
        match self.verify {
            Verify::Off => false,
            Verify::Wan => is_public(peer),
            Verify::All => true,
        }
    }
}

/// Whether an address is of the Internet at large: not loopback, not of a local network, not of a
/// carrier's (RFC 6598).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || shared)
        }
        IpAddr::V6(v6) => {
            !(v6.is_loopback()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.is_unspecified())
        }
    }
}

fn find_route<'a>(routes: &'a [DomainRoute], domain: &str) -> Option<&'a DomainRoute> {
    routes
        .iter()
        .find(|route| match route.domain.starts_with('.') {
            true => domain.ends_with(&route.domain),
            false => domain == route.domain,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn try_ports() {
        let ports: Vec<u16> = Role::ALL.iter().map(|r| r.try_port()).collect();
        assert_eq!(
            ports,
            [
                2525, 2526, 2587, 2465, 2143, 2993, 2110, 2995, 8080, 8443, 9125
            ]
        );
    }
}
