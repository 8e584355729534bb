//! One destination: its hosts are tried in order, and what waits for it goes over one session.
use super::body::Body;
use super::route::{self, Host, Hosts};
use super::secure::Miss;
use super::sts::Policy;
use super::tlsrpt;
use super::{Queue, Work, schedule};
use crate::config::Way;
use crate::dns;
use crate::mail::outbound::Wish;
use crate::mail::{self, outbound};
use crate::smtp::client::{Client, Failure, Outcome, Outgoing};
use crate::smtp::wire::reply::Enhanced;
use crate::sys::clock;
use crate::verify::{Scanned, dmarc};
use serde_json::Value;
use std::net::SocketAddr;

const NO_TLS: &str = "the server does not offer STARTTLS";
const NO_PROMISE: &str = "it does not promise to go on under TLS (REQUIRETLS)";

/// What came of trying to reach a destination.
enum Reached {
    /// A session with this host.
    Session(Box<Client>, String),
    /// It never takes mail.
    Never(Enhanced, String),
    /// Not now.
    Unreachable(String),
}

impl Queue {
    /// Sends what is due.
    pub(super) async fn run_lane(&self, lane: &str, due: Vec<Work>) -> mail::Result<()> {
        let Some(first) = due.first() else {
            return Ok(());
        };
        let (mut client, host) = match self.reach(&first.domain, &first.batch).await {
            Reached::Session(client, host) => (client, host),
            // The destination takes no mail: everything comes back.
            Reached::Never(status, reply) => {
                log::warn!("queue: {reply}");
                return self
                    .settle_all(due, Outcome::Failed { status, reply })
                    .await;
            }
            Reached::Unreachable(why) => return self.lane_failed(lane, why, due).await,
        };
        self.wake(lane);
        for mut work in due {
            if self.ctx.shutdown.is_thrown() {
                break;
            }
            if let Err(failure) = self.attempt(&mut client, &host, &mut work).await? {
                // Its row is put off already; the others are looked at again, over a new session.
                log::warn!("queue: the session with {host} ended early: {failure}");
                return Ok(());
            }
            if client.is_over() {
                return Ok(());
            }
        }
        client.quit().await;
        Ok(())
    }

    async fn reach(&self, domain: &str, batch: &outbound::Batch) -> Reached {
        let (config, wish) = (&self.ctx.config, batch.tls);
        match config.way(&batch.from, domain) {
            None => Reached::Unreachable(
                "there is no way out: start the server with --smarthost or --direct".into(),
            ),
            Some(Way::Smarthost(host)) => {
                let tls = match self.smarthost_tls(host).await {
                    Ok(tls) => tls,
                    Err(why) => return Reached::Unreachable(format!("{}: {why}", host.host)),
                };
                match Client::open(&config.out, host, &config.hostname, tls).await {
                    Ok(client) if wish == Wish::Required && !client.keeps_tls() => {
                        client.quit().await;
                        Reached::Never(Enhanced(5, 7, 30), format!("{}: {NO_PROMISE}", host.host))
                    }
                    Ok(client) => Reached::Session(client, host.host.clone()),
                    Err(failure) => {
                        Reached::Unreachable(format!("{}:{}: {failure}", host.host, host.port))
                    }
                }
            }
            // RFC 5891 §5.5: what is looked up is in A-labels.
            Some(Way::Direct) => self.reach_exchanger(&dns::ascii(domain), wish).await,
        }
    }

    /// Tries a domain's exchangers, address by address.
    async fn reach_exchanger(&self, domain: &str, wish: Wish) -> Reached {
        let config = &self.ctx.config;
        let hosts = match route::hosts(&self.ctx.dns, domain, &config.hostname).await {
            Hosts::Some(hosts) => hosts,
            Hosts::Never(status, why) => return Reached::Never(status, why),
            Hosts::Unknown(why) => return Reached::Unreachable(why),
        };
        let policy = self.policy(domain).await;
        let mut last = format!("{domain}: every mail host is this machine");
        // Mail comes back only if every host wants none.
        let (mut never, mut maybe) = (None, false);
        for host in hosts {
            // Port 25 of this machine is this server.
            let here = host.address.is_loopback() || host.address.is_unspecified();
            if config.mx_port == 25 && here {
                maybe = true;
                continue;
            }
            match self.reach_host(&host, domain, policy.as_ref(), wish).await {
                Ok(client) => return Reached::Session(client, host.name),
                Err(miss) => {
                    last = format!("{} ({}): {}", host.name, host.address, miss.why);
                    log::warn!("queue: {last}");
                    match miss.status {
                        Some(status) => never = Some(status),
                        None => maybe = true,
                    }
                }
            }
        }
        match never {
            Some(status) if !maybe => Reached::Never(status, last),
            _ => Reached::Unreachable(last),
        }
    }

    /// Tries one address.
    async fn reach_host(
        &self,
        host: &Host,
        domain: &str,
        policy: Option<&Policy>,
        wish: Wish,
    ) -> Result<Box<Client>, Miss> {
        let config = &self.ctx.config;
        let address = SocketAddr::new(host.address, config.mx_port);
        let mut miss = Miss::from(String::new());
        let mut applied = Value::Null;
        let ip = host.address.to_string();
        let tries = self.tries(host, domain, policy, wish, &mut applied).await;
        // RFC 8460 §3: a report is not reported on.
        let count = |failed: Option<&str>| {
            if wish != Wish::Optional {
                self.count(&applied, &host.name, &ip, failed.map(tlsrpt::result));
            }
        };
        let tries = tries.inspect_err(|miss| count(Some(&miss.why)))?;
        for one in tries {
            match Client::open_mx(&config.out, address, &config.hostname, &one).await {
                Ok(client) if wish == Wish::Required && !client.keeps_tls() => {
                    client.quit().await;
                    return Err(Miss {
                        status: Some(Enhanced(5, 7, 30)),
                        why: NO_PROMISE.into(),
                    });
                }
                Ok(client) => {
                    match (client.is_tls(), &one.tls) {
                        (true, _) => count(None),
                        (false, Some(_)) => count(Some(NO_TLS)),
                        (false, None) => {}
                    }
                    return Ok(client);
                }
                Err(failure) => {
                    if failure.is_tls() {
                        count(Some(&failure.to_string()));
                    }
                    let required = wish == Wish::Required && failure.is_tls();
                    miss = Miss {
                        status: match required {
                            true => Some(Enhanced(5, 7, 10)),
                            false => failure.status(),
                        },
                        why: failure.to_string(),
                    };
                    if !failure.is_tls() {
                        break;
                    }
                }
            }
        }
        Err(miss)
    }

    /// Nobody could be reached: everything waits, without a write, but for what is too old.
    async fn lane_failed(&self, lane: &str, why: String, mut due: Vec<Work>) -> mail::Result<()> {
        let seconds = self.rest(lane, None);
        log::warn!("queue: {why}; trying again in {seconds} s");
        let (retry, now) = (&self.ctx.config.retry, clock::now());
        due.retain(|work| {
            let created = work.envelope.created;
            schedule::is_expired(retry, created, now)
                || schedule::is_late(retry, &work.batch, created, now)
        });
        let outcome = Outcome::Later {
            status: Enhanced(4, 4, 1),
            reply: why,
        };
        self.settle_all(due, outcome).await
    }

    /// One message to one domain's recipients: marked, sent, settled.
    async fn attempt(
        &self,
        client: &mut Client,
        host: &str,
        work: &mut Work,
    ) -> mail::Result<Result<(), Failure>> {
        let Some(mut body) = Body::open(&self.ctx.mail, work.email)? else {
            log::error!("queue: email {} is gone, its row is dropped", work.email);
            self.drop_row(work).await?;
            return Ok(Ok(()));
        };
        if !self.mark(work).await? {
            return Ok(Ok(()));
        }
        let survey = body
            .survey(self.ctx.config.sign, work.envelope.binary)
            .await?;
        let signatures = match &survey.scanned {
            Some(scanned) => self.signatures(scanned).await,
            None => String::new(),
        };
        let message = Outgoing {
            sender: work.envelope.sender.as_ref(),
            recipients: &work.batch.recipients,
            envid: work.envelope.envid.as_deref(),
            full: work.envelope.full,
            size: survey.size + signatures.len() as u64,
            eight_bit: survey.eight_bit,
            utf8: survey.utf8,
            binary: work.envelope.binary,
            requiretls: work.envelope.tls == Wish::Required,
            priority: work.envelope.priority,
            chunk: work.batch.attempts < 2,
        };
        body.put_before(signatures.into_bytes());
        let sent = client.send(&message, &mut |out| body.next(out)).await;
        let (outcomes, done) = match sent {
            Ok(outcomes) => {
                log_outcomes(work, &outcomes);
                (outcomes, Ok(()))
            }
            Err(failure) => {
                let outcome = Outcome::Later {
                    status: Enhanced(4, 4, 2),
                    reply: failure.to_string(),
                };
                let outcomes = vec![outcome; work.batch.recipients.len()];
                (outcomes, Err(failure))
            }
        };
        self.settle(work, outcomes, Some(host)).await?;
        Ok(done)
    }

    /// The DKIM-Signature fields of a message, if its author is at a domain of ours.
    async fn signatures(&self, message: &Scanned) -> String {
        let author = dmarc::author(message);
        let Some(domain) = author.filter(|domain| self.ctx.config.is_own_domain(domain)) else {
            return String::new();
        };
        let now = if clock::is_set() {
            u64::from(clock::now())
        } else {
            0
        };
        let mut fields = String::new();
        for signer in self.signers().await.iter() {
            match signer.sign(message, &domain, now) {
                Ok(field) => fields.push_str(&field),
                Err(why) => log::warn!("queue: not signed by {}: {why}", signer.selector()),
            }
        }
        fields
    }
}

fn log_outcomes(work: &Work, outcomes: &[Outcome]) {
    for (to, outcome) in work.batch.recipients.iter().zip(outcomes) {
        let (word, reply) = match outcome {
            Outcome::Taken { reply, .. } => ("sent", reply),
            Outcome::Later { reply, .. } => ("put off", reply),
            Outcome::Failed { reply, .. } => ("failed", reply),
        };
        log::info!(
            "queue: email {} to <{}> {word}: {reply}",
            work.email,
            to.address
        );
    }
}

/// What `pillarbox queue list` shows of a batch, in one line: its id, age, size of the crowd and why it
/// waits.
pub(super) fn line(
    item: outbound::Item,
    domain: &str,
    batch: &outbound::Batch,
    now: u32,
) -> String {
    let state = if batch.held {
        "held".to_owned()
    } else {
        format!("next in {} s", batch.due.saturating_sub(now))
    };
    let people: Vec<String> = batch
        .recipients
        .iter()
        .map(|to| to.address.to_string())
        .collect();
    format!(
        "{:016x}/{domain}\t{} attempts, {state}\t{}\t{}",
        item.0,
        batch.attempts,
        people.join(" "),
        batch.last
    )
}
