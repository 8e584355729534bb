//! `pillarbox serve`: flags to a checked configuration.
mod run;
mod value;

use super::create::{Wanted, no_domain};
use super::{db_path, open, secret};
use crate::config::{
    Config, Dmarc, Http, Listen, Notify, NotifyWith, Out, Pop3, Proxy, Role, Smarthost,
    SmarthostTls, Verify,
};
use crate::mail::Options;
use crate::net::listener;
use crate::server::{self, Bound, Failure, Kind};
use crate::{limits, sys};
use argh::{ArgsInfo, FromArgs};
use run::{check_clock, log_panics, serve};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use value::*;
pub(super) use value::{host_port, resolver};

/// Serve mail. A store that is not there yet is made, with an account whose password is printed
/// once; later starts need no --domain.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "serve", help_triggers("-h", "--help", "help"))]
pub struct Serve {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// own mail domain; repeat for further ones, the first is the main one (default: as
    /// remembered; required at the first start)
    #[argh(option, arg_name = "DOMAIN")]
    domain: Vec<String>,
    /// log-in name and local part of the first address (default: as remembered, else me)
    #[argh(option, arg_name = "NAME")]
    user: Option<String>,
    /// this server's own name, in greetings and certificates (default: as remembered, else the
    /// main domain)
    #[argh(option, arg_name = "HOST")]
    hostname: Option<String>,
    /// further own address, also at another domain; repeatable; it is remembered like those of
    /// `pillarbox alias`, which switches each off and on (default: none more)
    #[argh(option, arg_name = "ADDRESS")]
    alias: Vec<String>,
    /// accept mail to every local part at the own domains (default: off)
    #[argh(switch)]
    catch_all: bool,
    /// characters that start a detail, as in me+detail (default: +; empty for none)
    #[argh(option, arg_name = "CHARS", default = "String::from(\"+\")")]
    detail_separators: String,
    /// when the account is made, take the password from this file's first line, `-` is standard
    /// input (default: $CREDENTIALS_DIRECTORY/password, else a random one)
    #[argh(option, arg_name = "FILE")]
    password_file: Option<String>,

    /// look around on this machine only: loopback and the ports 2525 2587 2465 2143 2993 2110
    /// 2995 8080 8443, no root needed (default: off)
    #[argh(switch, long = "try")]
    look_around: bool,
    /// SMTP from other servers: ADDR:PORT or off; repeatable (default: [::]:25)
    #[argh(option, arg_name = "ADDR:PORT")]
    smtp: Vec<String>,
    /// SMTP from printers, cameras and the like of the local network, without TLS or log-in, for the
    /// user's own addresses: ADDR:PORT or off; repeatable (default: off)
    #[argh(option, arg_name = "ADDR:PORT")]
    lan_smtp: Vec<String>,
    /// network whose devices may use --lan-smtp, ADDR/BITS; repeatable (default: every private one)
    #[argh(option, arg_name = "NETWORK")]
    lan: Vec<String>,
    /// let them send to others, too, as the user may (default: off, to the user's own addresses alone)
    #[argh(switch)]
    lan_relay: bool,
    /// what they send to others may have any sender (default: one at an own domain)
    #[argh(switch)]
    lan_any_sender: bool,
    /// peer that hands connections on by the PROXY protocol, ADDR or ADDR/BITS; all its connections
    /// have to begin so; repeatable (default: none)
    #[argh(option, arg_name = "NETWORK")]
    proxy_from: Vec<String>,
    /// submission with STARTTLS: ADDR:PORT or off; repeatable (default: [::]:587)
    #[argh(option, arg_name = "ADDR:PORT")]
    submission: Vec<String>,
    /// submission over TLS: ADDR:PORT or off; repeatable (default: [::]:465)
    #[argh(option, arg_name = "ADDR:PORT")]
    submissions: Vec<String>,
    /// IMAP with STARTTLS: ADDR:PORT or off; repeatable (default: [::]:143)
    #[argh(option, arg_name = "ADDR:PORT")]
    imap: Vec<String>,
    /// IMAP over TLS: ADDR:PORT or off; repeatable (default: [::]:993)
    #[argh(option, arg_name = "ADDR:PORT")]
    imaps: Vec<String>,
    /// POP3 with STLS: ADDR:PORT or off; repeatable (default: [::]:110)
    #[argh(option, arg_name = "ADDR:PORT")]
    pop3: Vec<String>,
    /// POP3 over TLS: ADDR:PORT or off; repeatable (default: [::]:995)
    #[argh(option, arg_name = "ADDR:PORT")]
    pop3s: Vec<String>,
    /// JMAP over HTTP: ADDR:PORT or off; repeatable (default: [::]:8080)
    #[argh(option, arg_name = "ADDR:PORT")]
    http: Vec<String>,
    /// JMAP over HTTPS: ADDR:PORT or off; repeatable (default: [::]:443)
    #[argh(option, arg_name = "ADDR:PORT")]
    https: Vec<String>,
    /// numbers for Prometheus at http://ADDR:PORT/metrics, without log-in: PORT (on loopback), ADDR:PORT or off;
    /// repeatable (default: off)
    #[argh(option, arg_name = "PORT")]
    metrics: Vec<String>,

    /// certificate chain in PEM, read again on SIGHUP (default: a self-signed certificate kept in the
    /// store)
    #[argh(option, arg_name = "FILE")]
    cert: Option<PathBuf>,
    /// private key of --cert in PEM (default: none)
    #[argh(option, arg_name = "FILE")]
    key: Option<PathBuf>,
    /// let passwords cross plain TCP from other machines (default: off; loopback always may)
    #[argh(switch)]
    allow_plain_auth: bool,

    /// largest message in MiB (default: 50)
    #[argh(option, arg_name = "MIB", default = "limits::MESSAGE_SIZE >> 20")]
    max_message_size: u64,
    /// largest mailbox in all, in MiB (default: no limit but the disk)
    #[argh(option, arg_name = "MIB")]
    quota: Option<u64>,
    /// most messages in all (default: no limit)
    #[argh(option, arg_name = "N", default = "0")]
    quota_messages: u32,
    /// cache of the store in MiB (default: 3)
    #[argh(option, arg_name = "MIB", default = "3")]
    cache_mb: usize,
    /// connections in all (default: 200)
    #[argh(option, arg_name = "N", default = "limits::CONNECTIONS")]
    max_connections: usize,
    /// connections per IPv4 address or IPv6 /64, loopback excepted (default: 50)
    #[argh(option, arg_name = "N", default = "limits::CONNECTIONS_PER_ADDRESS")]
    max_connections_per_address: usize,
    /// seconds a connection may be idle (default: SMTP 300, POP3 600, IMAP 1860)
    #[argh(option, arg_name = "SECONDS")]
    idle_timeout: Option<u64>,
    /// seconds to log in (default: 60)
    #[argh(option, arg_name = "SECONDS", default = "limits::LOGIN_TIME.as_secs()")]
    login_timeout: u64,
    /// seconds that a session of another server may last, whatever it does (default: 3600)
    #[argh(option, arg_name = "SECONDS", default = "limits::SMTP_TIME.as_secs()")]
    smtp_session_time: u64,
    /// failed log-ins from one address before it has to wait a minute for each further one,
    /// loopback excepted (default: 20)
    #[argh(option, arg_name = "N", default = "limits::LOGIN_FAILURES")]
    max_login_failures: u32,

    /// send mail for others through this server, HOST or HOST:PORT (default: none, such mail is
    /// refused)
    #[argh(option, arg_name = "HOST:PORT")]
    smarthost: Option<String>,
    /// starttls, tls or none (default: tls for port 465, else starttls)
    #[argh(option, arg_name = "MODE")]
    smarthost_tls: Option<String>,
    /// log-in name at the smarthost (default: no log-in)
    #[argh(option, arg_name = "NAME")]
    smarthost_user: Option<String>,
    /// password at the smarthost: this file's first line (default:
    /// $CREDENTIALS_DIRECTORY/smarthost-password)
    #[argh(option, arg_name = "FILE")]
    smarthost_password_file: Option<String>,
    /// access token of OAuth 2 at the smarthost instead of a password (XOAUTH2): this file's first line,
    /// read for each session (default: none)
    #[argh(option, arg_name = "FILE")]
    smarthost_token_file: Option<String>,
    /// further trusted certificates in PEM for the smarthost (default: the system's only,
    /// or those in $SSL_CERT_FILE)
    #[argh(option, arg_name = "FILE")]
    smarthost_ca: Option<PathBuf>,

    /// send mail for others straight to their servers, unless a smarthost is named (default: off;
    /// it needs port 25 outwards and a name and address that others believe)
    #[argh(switch)]
    direct: bool,
    /// a way of its own for a recipients' domain: DOMAIN=direct or DOMAIN=HOST:PORT, .DOMAIN for all
    /// below; repeatable (default: none)
    #[argh(option, arg_name = "DOMAIN=WAY")]
    route: Vec<String>,
    /// a way of its own for a sender's domain, DOMAIN=direct or DOMAIN=HOST:PORT; --route goes before;
    /// repeatable (default: none)
    #[argh(option, arg_name = "DOMAIN=WAY")]
    sender_route: Vec<String>,
    /// log-in at a server that --route or --sender-route names, HOST=FILE with the line `NAME PASSWORD`;
    /// TLS is required then; repeatable (default: none)
    #[argh(option, arg_name = "HOST=FILE")]
    route_login: Vec<String>,
    /// keep what is submitted by SMTP in Sent, for clients that do not do so themselves (default: off)
    #[argh(switch)]
    sent_copy: bool,
    /// tell domains that ask for it (by _smtp._tls) once a day what became of TLS with them; needs --direct and
    /// DKIM records that are published (default: off)
    #[argh(switch)]
    tls_reports: bool,
    /// own address to send mail from, one of IPv4 and one of IPv6 (default: the system's choice)
    #[argh(option, arg_name = "ADDR")]
    source_address: Vec<String>,
    /// SOCKS5 proxy for mail that goes out, HOST:PORT (default: none)
    #[argh(option, arg_name = "HOST:PORT")]
    socks5: Option<String>,
    /// log-in at the proxy: this file's first line, `NAME PASSWORD` (default: none)
    #[argh(option, arg_name = "FILE")]
    socks5_login_file: Option<String>,
    /// sign what goes out by DKIM: on or off (default: on)
    #[argh(option, arg_name = "ON", default = "String::from(\"on\")")]
    dkim: String,
    /// seconds until mail that could not be sent is tried again; doubled each time (default: 300)
    #[argh(option, arg_name = "SECONDS", default = "limits::RETRY_FIRST")]
    queue_retry: u32,
    /// most seconds between two attempts (default: 14400)
    #[argh(option, arg_name = "SECONDS", default = "limits::RETRY_MOST")]
    queue_retry_most: u32,
    /// days until mail that could not be sent comes back (default: 5)
    #[argh(option, arg_name = "DAYS", default = "limits::QUEUE_LIFETIME / 86_400")]
    queue_days: u32,
    /// hours after which a sender is told that a message is late (default: 4, and only who asks)
    #[argh(option, arg_name = "HOURS")]
    queue_warn: Option<u32>,

    /// resolver to ask, ADDR or ADDR:PORT; repeatable (default: those in /etc/resolv.conf)
    #[argh(option, arg_name = "ADDR")]
    dns: Vec<String>,
    /// believe the resolvers that DNSSEC proves an answer (the AD bit), for DANE: only if they check it
    /// and nobody can sit between them and this machine, like one of its own (default: off)
    #[argh(switch)]
    dns_trusted: bool,
    /// serve an MTA-STS policy at /.well-known/mta-sts.txt over HTTPS: testing, enforce or off; for others it
    /// counts with the records that `pillarbox dns` shows and a certificate that has mta-sts.DOMAIN, too
    /// (default: off)
    #[argh(option, arg_name = "MODE", default = "String::from(\"off\")")]
    mta_sts: String,
    /// further trusted certificates in PEM for MTA-STS, push and --notify-url (default: the system's only, or those in
    /// $SSL_CERT_FILE)
    #[argh(option, arg_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// whose mail is checked by SPF, DKIM, DMARC and ARC: wan (public addresses), all or off
    /// (default: wan)
    #[argh(option, arg_name = "WHOSE", default = "String::from(\"wan\")")]
    verify: String,
    /// block list to ask about peers, like zen.spamhaus.org; repeatable (default: none)
    #[argh(option, arg_name = "ZONE")]
    dnsbl: Vec<String>,
    /// list that vouches for peers, like list.dnswl.org: those pass --dnsbl and --greylist; repeatable
    /// (default: none)
    #[argh(option, arg_name = "ZONE")]
    dnswl: Vec<String>,
    /// messages in an hour from one IPv4 address or IPv6 /64, loopback excepted; 0 for no limit
    /// (default: 600)
    #[argh(option, arg_name = "N", default = "limits::RATE_ADDRESS")]
    max_messages_per_address: u32,
    /// the same from one IPv4 /24 or IPv6 /48 (default: 3000)
    #[argh(option, arg_name = "N", default = "limits::RATE_NETWORK")]
    max_messages_per_network: u32,
    /// recipients of one message (default: 200)
    #[argh(option, arg_name = "N", default = "limits::RECIPIENTS")]
    max_recipients: usize,
    /// ask senders never seen before to come back after so many seconds (default: off)
    #[argh(option, arg_name = "SECONDS")]
    greylist: Option<u32>,
    /// seconds that each further unknown recipient of a session waits longer (default: 1)
    #[argh(option, arg_name = "SECONDS", default = "1")]
    tarpit: u64,
    /// seconds of silence before the greeting of --smtp; who speaks into it is refused (default: 0)
    #[argh(option, arg_name = "SECONDS", default = "0")]
    greet_delay: u64,
    /// what happens to mail that fails its domain's DMARC policy: junk (into Junk), reject (refused
    /// if the domain wants that) or ignore (default: junk)
    #[argh(option, arg_name = "WHAT", default = "String::from(\"junk\")")]
    dmarc: String,

    /// do without an IMAP capability that a client trips over, like UTF8=ACCEPT; repeatable
    /// (default: none)
    #[argh(option, arg_name = "NAME")]
    imap_without: Vec<String>,

    /// what happens to messages a POP3 client has fetched: never (deleted), N-days, at-once
    /// (default: never)
    #[argh(option, arg_name = "WHEN", default = "String::from(\"never\")")]
    pop3_delete: String,
    /// least seconds between two POP3 log-ins (default: 0)
    #[argh(option, arg_name = "SECONDS", default = "0")]
    pop3_login_delay: u64,
    /// offer APOP, which needs a secret stored readable by `passwd --apop` (default: off)
    #[argh(switch)]
    apop: bool,

    /// header field added to every HTTP answer, `Name: value`; repeatable (default: none)
    #[argh(option, arg_name = "FIELD")]
    http_header: Vec<String>,
    /// web origin that may call from a browser, `*` for all; repeatable (default: none)
    #[argh(option, arg_name = "ORIGIN")]
    cors_origin: Vec<String>,
    /// address of a reverse proxy, whose Forwarded or X-Forwarded-* fields are believed; repeatable
    /// (default: none)
    #[argh(option, arg_name = "ADDR")]
    http_proxy: Vec<String>,
    /// public base URL of JMAP, like https://mail.example.org (default: what the client asked
    /// for)
    #[argh(option, arg_name = "URL")]
    http_url: Option<String>,
    /// let push subscriptions lead to private addresses, for a push service at home (default: refused, or
    /// whoever logs in could have the server ask what only it can reach)
    #[argh(switch)]
    push_private: bool,

    /// warn by mail, once each time: disk nearly full, certificate that ends or cannot be read, mail that cannot
    /// be sent for hours, clock not set, many failed log-ins: on or off (default: on)
    #[argh(option, arg_name = "ON", default = "String::from(\"on\")")]
    warn: String,
    /// room on the disk, in MiB, below which it is nearly full (default: 100, or a tenth of the disk)
    #[argh(option, arg_name = "MIB")]
    warn_disk: Option<u64>,
    /// failed log-ins that are many, 0 for never; told once a day at most (default: 100)
    #[argh(option, arg_name = "N", default = "limits::WARN_LOGINS")]
    warn_logins: u32,
    /// tell new mail in INBOX to this URL by POST, http or https: an ntfy topic or a webhook (default: nobody)
    #[argh(option, arg_name = "URL")]
    notify_url: Option<String>,
    /// what may be told: nothing (but how many), sender, subject (and sender), preview (and both)
    /// (default: nothing)
    #[argh(option, arg_name = "WHAT", default = "String::from(\"nothing\")")]
    notify_with: String,
    /// text as ntfy takes it, or json (default: ntfy)
    #[argh(option, arg_name = "FORMAT", default = "String::from(\"ntfy\")")]
    notify_format: String,
    /// log-in there: this file's first line, a token or `NAME PASSWORD` (default: none)
    #[argh(option, arg_name = "FILE")]
    notify_auth_file: Option<PathBuf>,

    /// user whose rights to take after binding the ports, when started as root (default: stay)
    #[argh(option, arg_name = "USER")]
    run_as: Option<String>,
    /// log more; -v -v for everything (RUST_LOG works too)
    #[argh(switch, short = 'v')]
    verbose: u8,
    /// log warnings only; -q -q for errors only
    #[argh(switch, short = 'q')]
    quiet: u8,
}

impl Serve {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        sys::log::start(self.verbose, self.quiet);
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        log_panics();
        check_clock();
        let mut config = self.config()?;
        let wanted = self.wanted().check()?;
        if !config.db.exists() && wanted.domains.is_empty() {
            return Err(no_domain(&config.db));
        }
        // Rights go before the store is opened, so that it belongs to the user it is served as.
        let mut bound = None;
        if let Some(user) = &config.run_as {
            bound = Some(self.bind(&config.listen)?);
            sys::users::become_user(user).map_err(|e| Failure::new(Kind::Other, e))?;
        }
        if !sys::sandbox::confine(&config.db) {
            log::debug!("no Landlock: writing outside the store's folder is not prevented");
        }
        let options = Options {
            cache: config.cache,
            message_size: config.max_message_size,
            quota: config.quota.unwrap_or(0),
            quota_messages: config.quota_messages,
        };
        let mail = open(&config.db, options)?;
        let bound = match bound {
            Some(bound) => bound,
            None => self.bind(&config.listen)?,
        };
        config.listen = server::listening(&bound);
        smol::block_on(async {
            let ready = wanted.settle(config, &mail).await?;
            serve(ready, bound, mail).await
        })
    }

    fn wanted(&mut self) -> Wanted {
        Wanted {
            user: self.user.take(),
            domains: std::mem::take(&mut self.domain),
            hostname: self.hostname.take(),
            aliases: std::mem::take(&mut self.alias),
            password_file: self.password_file.take(),
        }
    }

    /// The values of a role's flag.
    fn flag(&self, role: Role) -> &[String] {
        match role {
            Role::Smtp => &self.smtp,
            Role::LanSmtp => &self.lan_smtp,
            Role::Submission => &self.submission,
            Role::Submissions => &self.submissions,
            Role::Imap => &self.imap,
            Role::Imaps => &self.imaps,
            Role::Pop3 => &self.pop3,
            Role::Pop3s => &self.pop3s,
            Role::Http => &self.http,
            Role::Https => &self.https,
            Role::Metrics => &self.metrics,
        }
    }

    /// Everything but the account, checked.
    fn config(&self) -> Result<Config, Failure> {
        let mut config = Config::new("", "");
        config.db = db_path(self.db.as_deref());
        config.domains.clear();
        config.catch_all = self.catch_all;
        config.detail_separators.clone_from(&self.detail_separators);
        config.listen = self.listen()?;
        config.cert = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => Some((cert.clone(), key.clone())),
            (None, None) => None,
            _ => return Err(Failure::usage("--cert and --key go together: give both")),
        };
        config.allow_plain_auth = self.allow_plain_auth;
        config.max_message_size = mebibytes("--max-message-size", self.max_message_size, 1, 1024)?;
        config.quota = self
            .quota
            .map(|quota| mebibytes("--quota", quota, 1, 1 << 40))
            .transpose()?;
        config.quota_messages = self.quota_messages;
        let cache = mebibytes("--cache-mb", self.cache_mb as u64, 1, 1024)?;
        config.cache = usize::try_from(cache).unwrap_or(usize::MAX);
        config.max_connections = at_least_one("--max-connections", self.max_connections)?;
        config.max_connections_per_address = at_least_one(
            "--max-connections-per-address",
            self.max_connections_per_address,
        )?;
        config.idle = self
            .idle_timeout
            .map(|s| seconds("--idle-timeout", s))
            .transpose()?;
        config.login_time = seconds("--login-timeout", self.login_timeout)?;
        config.smtp_session = seconds("--smtp-session-time", self.smtp_session_time)?;
        at_least_one("--max-login-failures", self.max_login_failures as usize)?;
        config.max_login_failures = self.max_login_failures;
        config.smarthost = self.smarthost()?;
        config.direct = self.direct;
        config.routes = routes("--route", &self.route)?;
        config.sender_routes = routes("--sender-route", &self.sender_route)?;
        for value in &self.route_login {
            log_in(value, &mut config)?;
        }
        config.sent_copy = self.sent_copy;
        config.tls_reports = self.tls_reports;
        config.out = self.out()?;
        config.sign = switch("--dkim", &self.dkim)?;
        config.retry = self.retry()?;
        config.dnsbl = zones(&self.dnsbl);
        config.dnswl = zones(&self.dnswl);
        config.rate_address = self.max_messages_per_address;
        config.rate_network = self.max_messages_per_network;
        config.max_recipients = at_least_one("--max-recipients", self.max_recipients)?;
        config.greylist = self.greylist;
        config.tarpit = Duration::from_secs(self.tarpit.min(60));
        config.greet_delay = Duration::from_secs(self.greet_delay.min(60));
        config.lan = networks("--lan", &self.lan)?;
        config.lan_relay = self.lan_relay;
        config.lan_any_sender = self.lan_any_sender;
        config.proxies = networks("--proxy-from", &self.proxy_from)?;
        config.dns = Result::from_iter(self.dns.iter().map(|value| resolver(value)))?;
        config.dns_trusted = self.dns_trusted;
        config.tls_ca.clone_from(&self.tls_ca);
        let mta_sts = ["testing", "enforce", "off"];
        config.mta_sts = match word("--mta-sts", &self.mta_sts, &mta_sts)? {
            2 => None,
            at => mta_sts.get(at).copied(),
        };
        config.verify = match word("--verify", &self.verify, &["wan", "all", "off"])? {
            0 => Verify::Wan,
            1 => Verify::All,
            _ => Verify::Off,
        };
        config.dmarc = match word("--dmarc", &self.dmarc, &["junk", "reject", "ignore"])? {
            0 => Dmarc::Junk,
            1 => Dmarc::Reject,
            _ => Dmarc::Ignore,
        };
        config.imap_without = imap_without(&self.imap_without)?;
        config.pop3 = Pop3 {
            delete: pop3_delete(&self.pop3_delete)?,
            login_delay: Duration::from_secs(self.pop3_login_delay),
            apop: self.apop,
        };
        config.http = self.http_settings()?;
        config.warn.on = switch("--warn", &self.warn)?;
        let level = |mib| mebibytes("--warn-disk", mib, 0, 1 << 30);
        config.warn.disk = self.warn_disk.map(level).transpose()?;
        config.warn.logins = self.warn_logins;
        config.notify = self.notify()?;
        config.run_as.clone_from(&self.run_as);
        Ok(config)
    }

    /// The sockets: each role's flags, or its default place.
    fn listen(&self) -> Result<Vec<Listen>, Failure> {
        let mut all: Vec<Listen> = Vec::new();
        for role in Role::ALL {
            let values = self.flag(role);
            if values.is_empty() && !role.is_usual() {
                continue;
            }
            if values.is_empty() {
                let address = if self.look_around {
                    SocketAddr::from(([127, 0, 0, 1], role.try_port()))
                } else {
                    SocketAddr::from(([0u16; 8], role.port()))
                };
                all.push(Listen { role, address });
                continue;
            }
            if values.len() > 1 && values.iter().any(|value| value == "off") {
                return Err(Failure::usage(format!(
                    "--{} off excludes other values of it",
                    role.name()
                )));
            }
            for value in values.iter().filter(|value| *value != "off") {
                all.push(Listen {
                    role,
                    address: socket_address(role, value)?,
                });
            }
        }
        for (i, one) in all.iter().enumerate() {
            let twice = |other: &&Listen| other.address == one.address && one.address.port() != 0;
            if let Some(other) = all.iter().skip(i + 1).find(twice) {
                return Err(Failure::usage(format!(
                    "--{} and --{} both ask for {}: change one of them",
                    one.role.name(),
                    other.role.name(),
                    one.address
                )));
            }
        }
        if all.is_empty() {
            return Err(Failure::usage(
                "every listener is off: there is nothing to serve",
            ));
        }
        Ok(all)
    }

    /// Binds; tells somebody without root and without flags what to type instead.
    fn bind(&self, listen: &[Listen]) -> Result<Vec<Bound>, Failure> {
        server::bind(listen).map_err(|failure| {
            let refused: Vec<Role> = listen
                .iter()
                .filter(|one| self.flag(one.role).is_empty() && !self.look_around)
                .filter(|one| is_refused(one.address))
                .map(|one| one.role)
                .collect();
            if refused.is_empty() {
                failure
            } else {
                not_permitted(&refused)
            }
        })
    }

    fn retry(&self) -> Result<crate::config::Retry, Failure> {
        let within = |flag: &str, value: u32, most: u32| {
            within(flag, u64::from(value), (1, u64::from(most)), "").map(|_| value)
        };
        let first = within("--queue-retry", self.queue_retry, 86_400)?;
        Ok(crate::config::Retry {
            first,
            most: within("--queue-retry-most", self.queue_retry_most, 86_400)?.max(first),
            lifetime: within("--queue-days", self.queue_days, 30)? * 86_400,
            warn: match self.queue_warn {
                Some(hours) => within("--queue-warn", hours, 240)? * 3600,
                None => limits::QUEUE_WARN,
            },
            warn_all: self.queue_warn.is_some(),
        })
    }

    fn smarthost(&self) -> Result<Option<Smarthost>, Failure> {
        let Some(value) = &self.smarthost else {
            let orphan = [
                ("--smarthost-tls", self.smarthost_tls.is_some()),
                ("--smarthost-user", self.smarthost_user.is_some()),
                (
                    "--smarthost-password-file",
                    self.smarthost_password_file.is_some(),
                ),
                (
                    "--smarthost-token-file",
                    self.smarthost_token_file.is_some(),
                ),
                ("--smarthost-ca", self.smarthost_ca.is_some()),
            ];
            return match orphan.iter().find(|(_, given)| *given) {
                Some((flag, _)) => Err(Failure::usage(format!("{flag} needs --smarthost too"))),
                None => Ok(None),
            };
        };
        let (host, port) = host_port("--smarthost", value)?;
        let usual = if port == Some(465) { "tls" } else { "starttls" };
        let tls = self.smarthost_tls.as_deref().unwrap_or(usual);
        let tls = match word("--smarthost-tls", tls, &["starttls", "tls", "none"])? {
            0 => SmarthostTls::StartTls,
            1 => SmarthostTls::Tls,
            _ => SmarthostTls::None,
        };
        let port = port.unwrap_or(if tls == SmarthostTls::Tls { 465 } else { 587 });
        let token = self.smarthost_token_file.as_ref().map(PathBuf::from);
        let login = match (&token, &self.smarthost_user) {
            (Some(_), Some(user)) => Some((user.clone(), String::new())),
            (Some(_), None) => {
                return Err(Failure::usage(
                    "--smarthost-token-file needs --smarthost-user NAME",
                ));
            }
            (None, _) => self.smarthost_login()?,
        };
        Ok(Some(Smarthost {
            host,
            port,
            tls,
            login,
            token,
            ca: self.smarthost_ca.clone(),
        }))
    }

    fn out(&self) -> Result<Out, Failure> {
        let mut out = Out::default();
        for value in &self.source_address {
            let source: std::net::IpAddr = value.parse().map_err(|_| {
                Failure::usage(format!("--source-address {value}: give a numeric address"))
            })?;
            if out
                .source
                .iter()
                .any(|other| other.is_ipv4() == source.is_ipv4())
            {
                let why = "--source-address: one of IPv4 and one of IPv6 at most";
                return Err(Failure::usage(why));
            }
            out.source.push(source);
        }
        let Some(proxy) = &self.socks5 else {
            return match self.socks5_login_file {
                Some(_) => Err(Failure::usage("--socks5-login-file needs --socks5 too")),
                None => Ok(out),
            };
        };
        let (host, port) = host_port("--socks5", proxy)?;
        let login = match &self.socks5_login_file {
            Some(file) => Some(name_and_password(file)?),
            None => None,
        };
        out.proxy = Some(Proxy {
            host,
            port: port.unwrap_or(1080),
            login,
        });
        Ok(out)
    }

    fn notify(&self) -> Result<Option<Notify>, Failure> {
        let Some(url) = &self.notify_url else {
            return match &self.notify_auth_file {
                Some(_) => Err(Failure::usage("--notify-auth-file needs --notify-url too")),
                None => Ok(None),
            };
        };
        server::notify::target(url)
            .map_err(|why| Failure::usage(format!("--notify-url: {why}")))?;
        let with = ["nothing", "sender", "subject", "preview"];
        let with = match word("--notify-with", &self.notify_with, &with)? {
            0 => NotifyWith::Nothing,
            1 => NotifyWith::Sender,
            2 => NotifyWith::Subject,
            _ => NotifyWith::Preview,
        };
        let json = word("--notify-format", &self.notify_format, &["ntfy", "json"])? == 1;
        let file = self.notify_auth_file.as_deref();
        let authorization = file.map(server::notify::authorization).transpose();
        Ok(Some(Notify {
            url: url.clone(),
            with,
            json,
            authorization: authorization.map_err(|e| Failure::new(Kind::Secret, e))?,
            pause: limits::NOTIFY_PAUSE,
            retry: limits::NOTIFY_RETRY,
        }))
    }

    fn smarthost_login(&self) -> Result<Option<(String, String)>, Failure> {
        let file = match &self.smarthost_password_file {
            Some(file) => Some(file.clone()),
            None => sys::secret::credential("smarthost-password")
                .map(|path| path.to_string_lossy().into_owned()),
        };
        match (&self.smarthost_user, file) {
            (Some(user), Some(file)) => Ok(Some((user.clone(), secret(&file)?))),
            (Some(_), None) => Err(Failure::usage(
                "--smarthost-user needs --smarthost-password-file FILE",
            )),
            (None, Some(_)) if self.smarthost_password_file.is_some() => Err(Failure::usage(
                "--smarthost-password-file needs --smarthost-user NAME",
            )),
            (None, _) => Ok(None),
        }
    }

    fn http_settings(&self) -> Result<Http, Failure> {
        let headers = self
            .http_header
            .iter()
            .map(|field| header_field(field))
            .collect();
        let http = Http {
            headers: Result::from_iter::<Vec<_>>(headers)?,
            cors_origins: self.cors_origin.clone(),
            push_private: self.push_private,
            proxies: self.http_proxy.clone(),
            url: self
                .http_url
                .as_deref()
                .map(|url| url.trim_end_matches('/').to_owned()),
        };
        crate::jmap::policy(&http).map_err(|error| Failure::usage(error.to_string()))?;
        Ok(http)
    }
}

fn is_refused(address: SocketAddr) -> bool {
    let refused = |e: &std::io::Error| e.kind() == std::io::ErrorKind::PermissionDenied;
    listener::bind(address, false)
        .err()
        .as_ref()
        .is_some_and(refused)
}

fn not_permitted(roles: &[Role]) -> Failure {
    let ports: Vec<String> = roles.iter().map(|role| role.port().to_string()).collect();
    let flags: Vec<String> = roles
        .iter()
        .map(|role| format!("--{} [::]:{}", role.name(), role.try_port()))
        .collect();
    Failure::new(
        Kind::Port,
        format!(
            "the ports {} cannot be bound without root or CAP_NET_BIND_SERVICE. Start as root with \
             --run-as USER, or look around on this machine with --try, or use other ports:\n  {}",
            ports.join(", "),
            flags.join(" ")
        ),
    )
}

#[cfg(test)]
mod tests;
