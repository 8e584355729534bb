//! `pillarbox doctor`: what the world sees of this server, held against what it should see.
//!
//! [`facts`] says what the server knows of itself, in lines, so that it can be asked over the control socket.
//! [`records`] looks at the DNS: a function of the facts and of the answers so far, like the checks of
//! [`crate::verify`]. [`here`] looks at the machine, [`probe`] at ports. All of them only look.
mod certificate;
mod probe;
mod records;
mod storage;

pub use storage::facts as lies_on;

pub(super) use certificate::{SOON, validity};

use crate::config::{Config, Out, Proxy, Role, Way};
use crate::dns::{Found, Resolver};
use crate::limits;
use crate::mail::Mail;
use crate::sys::clock;
use crate::verify::{self, Answers, Need};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Instant;

/// What is known of the server.
#[derive(Default)]
pub struct Facts {
    /// Its name.
    pub host: String,
    /// Its domains.
    pub domains: Vec<String>,
    /// Where it listens for other servers.
    pub smtp: Vec<SocketAddr>,
    /// The port where other servers look for it.
    pub port: u16,
    /// The port where policies are fetched, and the time is asked for.
    pub https: u16,
    /// Mail for others goes straight to their servers.
    pub direct: bool,
    /// How its connections go out.
    pub out: Out,
    /// The resolvers that it was told of.
    pub dns: Vec<SocketAddr>,
    /// The block lists that it asks itself.
    pub dnsbl: Vec<String>,
    /// Its certificate, in DER.
    pub certificate: Vec<u8>,
    /// It made that itself.
    pub self_signed: bool,
    /// The records that it wants published: owner, type, value, and the line of a zone file.
    pub wanted: Vec<[String; 4]>,
    /// It runs.
    pub running: bool,
    /// Seconds since 1970.
    pub now: u64,
    /// Octets free where the store is.
    pub free: Option<u64>,
    /// What it lies on, see [`lies_on`].
    pub storage: Vec<String>,
}

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Ok,
    /// Could be better, or could not be seen from here.
    Note,
    /// Mail or clients suffer.
    Wrong,
}

/// One thing that was looked at.
pub struct Finding {
    /// How grave.
    pub grade: Grade,
    /// What was looked at: `MX example.org`.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What to do; empty when nothing.
    pub advice: String,
}

/// Findings in the order they were made.
#[derive(Default)]
pub struct Report(pub Vec<Finding>);

impl Report {
    fn say(&mut self, grade: Grade, what: &[&str], found: &[&str], advice: &[&str]) {
        self.0.push(Finding {
            grade,
            what: what.join(" "),
            found: found.concat(),
            advice: advice.concat(),
        });
    }

    fn ok(&mut self, what: &[&str], found: &[&str]) {
        self.say(Grade::Ok, what, found, &[]);
    }

    fn wrong(&mut self, what: &[&str], found: &[&str], advice: &[&str]) {
        self.say(Grade::Wrong, what, found, advice);
    }

    fn note(&mut self, what: &[&str], found: &[&str], advice: &[&str]) {
        self.say(Grade::Note, what, found, advice);
    }

    /// The DNS did not answer.
    fn silent(&mut self, what: &[&str]) {
        let advice = "Ask again later; if it stays so, look at the resolver (/etc/resolv.conf, --dns) \
                      and at the name servers of the domain.";
        self.note(what, &["the DNS does not answer"], &[advice]);
    }
}

/// What a server knows of itself, in lines: a word and a value.
///
/// # Errors
/// A sentence.
pub fn facts(config: &Config, mail: &Mail) -> Result<Vec<String>, String> {
    let mut lines = Vec::new();
    let mut put = |word: &str, value: &str| lines.push([word, value].join(" "));
    put("host", &config.hostname);
    for domain in &config.domains {
        put("domain", domain);
    }
    for listen in config.listen.iter().filter(|it| it.role == Role::Smtp) {
        put("smtp", &listen.address.to_string());
    }
    for server in &config.dns {
        put("dns", &server.to_string());
    }
    for zone in &config.dnsbl {
        put("dnsbl", zone);
    }
    for source in &config.out.source {
        put("source", &source.to_string());
    }
    if let Some(proxy) = &config.out.proxy {
        put(
            "proxy",
            &[&proxy.host, " ", &proxy.port.to_string()].concat(),
        );
        if let Some((user, password)) = &proxy.login {
            let [user, password] = [user, password].map(|text| STANDARD.encode(text));
            put("proxy-login", &[&*user, " ", &password].concat());
        }
    }
    if matches!(config.way("", "example.com"), Some(Way::Direct)) {
        put("direct", "");
    }
    let (der, own) = super::account::shown(config, mail)?;
    put(
        if own { "own" } else { "certificate" },
        &STANDARD.encode(der),
    );
    for line in super::zone::lines(mail, false)? {
        put("zone", &line);
    }
    Ok(lines)
}

impl Facts {
    /// Of those lines.
    pub fn read(lines: &[String]) -> Facts {
        let mut facts = Facts {
            port: 25,
            https: 443,
            ..Facts::default()
        };
        for line in lines {
            let (word, value) = line.split_once(' ').unwrap_or((line, ""));
            let owned = value.to_owned();
            match word {
                "host" => facts.host = owned,
                "domain" => facts.domains.push(owned),
                "smtp" => facts.smtp.extend(value.parse::<SocketAddr>()),
                "dns" => facts.dns.extend(value.parse::<SocketAddr>()),
                "dnsbl" => facts.dnsbl.push(owned),
                "direct" => facts.direct = true,
                "source" => facts.out.source.extend(value.parse::<IpAddr>()),
                "proxy" => facts.out.proxy = proxy(value),
                "proxy-login" => {
                    if let Some(proxy) = &mut facts.out.proxy {
                        proxy.login = login(value);
                    }
                }
                "own" | "certificate" => {
                    facts.self_signed = word == "own";
                    facts.certificate = STANDARD.decode(value).unwrap_or_default();
                }
                "zone" => facts.wanted.extend(wanted(value)),
                _ => {}
            }
        }
        facts
    }
}

fn proxy(value: &str) -> Option<Proxy> {
    let (host, port) = value.split_once(' ')?;
    Some(Proxy {
        host: host.to_owned(),
        port: port.parse().ok()?,
        login: None,
    })
}

fn login(value: &str) -> Option<(String, String)> {
    let (user, password) = value.split_once(' ')?;
    let text = |coded: &str| String::from_utf8(STANDARD.decode(coded).ok()?).ok();
    Some((text(user)?, text(password)?))
}

/// `owner. 3600 IN TYPE value`
fn wanted(line: &str) -> Option<[String; 4]> {
    let (owner, rest) = line.split_once(". 3600 IN ")?;
    let (kind, value) = rest.split_once(' ')?;
    let value = match kind {
        // Every other piece between quotes is text.
        "TXT" => value.split('"').skip(1).step_by(2).collect(),
        _ => value.to_owned(),
    };
    let comment = owner.starts_with(';');
    (!comment).then(|| [owner.to_owned(), kind.to_owned(), value, line.to_owned()])
}

/// Looks at everything: the machine, the DNS, and with `far`, a domain elsewhere, at ports.
pub async fn examine(facts: &Facts, dns: &Resolver, far: Option<&str>) -> Report {
    let mut report = Report::default();
    time(facts, dns, far, &mut report).await;
    here(facts, &mut report);
    certificate::check(facts, &mut report);
    let add = |found: Option<Report>, report: &mut Report| match found {
        Some(mut found) => report.0.append(&mut found.0),
        None => report.silent(&["DNS"]),
    };
    let mut addresses = Vec::new();
    let mut look = |answers: &Answers| {
        let mut report = Report::default();
        addresses = records::host(facts, answers, &mut report)?;
        Ok(report)
    };
    let found = ask(dns, &mut look).await;
    add(found, &mut report);
    for domain in &facts.domains {
        let mut look = |answers: &Answers| {
            let mut report = Report::default();
            records::domain(facts, domain, &addresses, answers, &mut report)?;
            Ok(report)
        };
        let found = ask(dns, &mut look).await;
        add(found, &mut report);
    }
    if let Some(far) = far {
        probe::look(facts, dns, &addresses, far, &mut report).await;
    }
    report
}

type Look<'a> = dyn FnMut(&Answers) -> Result<Report, Need> + 'a;

async fn ask(dns: &Resolver, look: &mut Look<'_>) -> Option<Report> {
    let until = Instant::now() + limits::DOCTOR_TIME;
    let mut report = None;
    let mut look = |answers: &Answers| {
        report = Some(look(answers)?);
        Ok(())
    };
    verify::resolve(dns, until, 1, &mut look).await;
    report
}

/// The clock, against that of a server elsewhere.
async fn time(facts: &Facts, dns: &Resolver, far: Option<&str>, report: &mut Report) {
    let what = &["clock"];
    let advice = "Let ntpd or chronyd set it: dates, certificates and DKIM depend on it.";
    if facts.now < u64::from(clock::FIRST) {
        return report.wrong(what, &["it is not set"], &[advice]);
    }
    let host = String::from("mta-sts.") + far.unwrap_or_default();
    let began = Instant::now();
    let said = match far {
        Some(_) => probe::date(facts, dns, &host).await,
        None => None,
    };
    let Some(said) = said else {
        return report.ok(what, &["it is set"]);
    };
    let here = facts.now + began.elapsed().as_secs();
    let off = here.abs_diff(said);
    if off <= limits::DOCTOR_CLOCK {
        return report.ok(what, &["it agrees with that of ", &host]);
    }
    let way = if here > said {
        " s ahead of "
    } else {
        " s behind "
    };
    report.wrong(what, &["it is ", &off.to_string(), way, &host], &[advice]);
}

/// The disk, and whether it runs at all.
fn here(facts: &Facts, report: &mut Report) {
    let mib = facts.free.map(|free| free >> 20);
    let found = mib.map_or(String::from("unknown"), |mib| mib.to_string() + " MiB free");
    let advice =
        "Make room on it, or move the store to a larger disk: new mail is refused when it is full.";
    match mib {
        Some(..limits::DOCTOR_FREE) => report.wrong(&["disk"], &[&found], &[advice]),
        _ => report.ok(&["disk"], &[&found]),
    }
    storage::check(&facts.storage, report);
    if facts.running {
        report.ok(&["server"], &["it runs"]);
    } else {
        let found = "it does not run: flags that it would be given are not known here";
        report.note(&["server"], &[found], &["Start it with `pillarbox serve`."]);
    }
}

/// Octets free where a file is.
pub fn free(path: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(path).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

/// The addresses of an answer.
fn addresses_of(answer: &crate::dns::Answer, into: &mut Vec<IpAddr>) {
    for data in answer.records() {
        match data {
            crate::dns::Data::A(ip) => into.push(IpAddr::V4(*ip)),
            crate::dns::Data::Aaaa(ip) => into.push(IpAddr::V6(*ip)),
            _ => {}
        }
    }
}

fn is_failed(answer: &crate::dns::Answer) -> bool {
    answer.found == Found::Failed
}
