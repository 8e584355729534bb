//! The queue: mail on its way out, from the durable rows of [`crate::mail::outbound`].
//!
//! One thread, one session with the smarthost at a time, several messages over each. A message is
//! marked before it is tried and settled after (removed, put off, or bounced), each in one durable
//! commit: a power cut between the smarthost's 250 and our commit sends it a second time, and
//! nothing else does. A host that does not answer costs one connection per retry, however much
//! waits for it, and no writes.
//!
//! * [`schedule`]: when to try again, when to give up. Pure.
//! * [`report`]: what the sender is told (RFC 3464). Pure.
//! * `body`: the octets of a queued message. `settle`: what an outcome does to the rows.
mod body;
pub mod report;
pub mod schedule;
mod settle;

use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;
use smol::future::FutureExt;

use crate::limits;
use crate::mail::outbound::{self, Batch, Envelope, Item};
use crate::mail::{self, EmailId, Mail};
use crate::server::Ctx;
use crate::smtp::client::{Client, Failure, Outcome, Outgoing};
use crate::smtp::wire::reply::Enhanced;
use crate::sys::{clock, random};
use body::Body;

/// One batch that is due.
struct Work {
    item: Item,
    email: EmailId,
    domain: String,
    batch: Batch,
    envelope: Envelope,
}

/// What a look at the rows found.
#[derive(Default)]
struct Due {
    local: Vec<Work>,
    remote: Vec<Work>,
    /// When the first of the others is due.
    next: Option<u32>,
}

/// The smarthost does not answer.
struct Pause {
    failures: u16,
    until: u32,
}

struct Queue {
    ctx: Rc<Ctx>,
    pause: Option<Pause>,
    /// The last request to try everything that was heard.
    retries: u32,
}

/// Runs the queue until the server stops.
pub async fn run(ctx: Rc<Ctx>) {
    let shutdown = ctx.shutdown.clone();
    let mut queue = Queue {
        ctx,
        pause: None,
        retries: outbound::retries(),
    };
    while !shutdown.is_thrown() {
        let bell = outbound::listen();
        let next = match queue.round().await {
            Ok(next) => next,
            Err(error) => {
                log::warn!("queue: {error}");
                Some(clock::now().saturating_add(limits::QUEUE_STORE_RETRY))
            }
        };
        let rung = async {
            bell.await;
            true
        };
        let due = async {
            match next {
                // A clock that jumps must not stop the queue for longer than this.
                Some(at) => Timer::after(wait(at)).await,
                None => smol::future::pending().await,
            };
            false
        };
        let stopped = async {
            shutdown.wait().await;
            false
        };
        if rung.or(due).or(stopped).await {
            // Something new, or somebody asked: the host gets another chance at once.
            queue.pause = None;
        }
    }
}

fn wait(at: u32) -> Duration {
    let seconds = at.saturating_sub(clock::now()).clamp(1, limits::QUEUE_LOOK);
    Duration::from_secs(u64::from(seconds))
}

impl Queue {
    /// Does everything that is due; returns when the next thing is.
    async fn round(&mut self) -> mail::Result<Option<u32>> {
        if self.retries != outbound::retries() {
            self.retries = outbound::retries();
            self.rush().await?;
        }
        while !self.ctx.shutdown.is_thrown() {
            let due = self.look()?;
            if due.local.is_empty() && due.remote.is_empty() {
                return Ok(due.next);
            }
            for mut work in due.local {
                // Marked first: a delivery that fails (quota) must not keep others from their turn.
                if !self.mark(&mut work).await? {
                    continue;
                }
                let email = work.email;
                if let Err(error) = self.deliver(work).await {
                    log::warn!("queue: email {email} not delivered here: {error}");
                }
            }
            if due.remote.is_empty() {
                continue;
            }
            if let Some(pause) = self
                .pause
                .as_ref()
                .filter(|pause| pause.until > clock::now())
            {
                let until = pause.until;
                return Ok(Some(due.next.map_or(until, |next| next.min(until))));
            }
            self.relay(due.remote).await?;
        }
        Ok(None)
    }

    /// Makes everything due.
    async fn rush(&self) -> mail::Result<()> {
        let mut puts = Vec::new();
        self.mail().reader()?.scan(outbound::BATCHES, |key, row| {
            // What waits for a time that its sender set is not late.
            let hasty = |batch: &Batch| batch.attempts > 0 || batch.due <= clock::now();
            if let Some(mut batch) = Batch::decode(row).filter(hasty) {
                batch.due = 0;
                puts.push((key.to_vec(), Some(batch.encode())));
            }
            true
        })?;
        self.mail().put(puts).await
    }

    /// The batches that are due, at most [`limits::QUEUE_ROUND`] of each kind.
    fn look(&self) -> mail::Result<Due> {
        let now = clock::now();
        let reader = self.ctx.mail.reader()?;
        let mut due = Due::default();
        let mut found = Vec::new();
        let (mut local, mut remote) = (0, 0);
        reader.scan(outbound::BATCHES, |key, row| {
            let parsed = outbound::parse_batch_key(key).zip(Batch::decode(row));
            let Some(((item, domain), batch)) = parsed else {
                log::error!("queue: a damaged row is left alone");
                return true;
            };
            if batch.due > now {
                due.next = Some(due.next.map_or(batch.due, |next| next.min(batch.due)));
                return true;
            }
            let own = self.ctx.config.is_own_domain(&domain);
            let count = if own { &mut local } else { &mut remote };
            *count += 1;
            if *count <= limits::QUEUE_ROUND {
                found.push((own, item, domain, batch));
            }
            true
        })?;
        for (own, item, domain, batch) in found {
            let row = reader.get(&outbound::envelope_key(item))?;
            let Some((email, envelope)) = row.and_then(|row| Envelope::decode(&row)) else {
                log::error!("queue: an item without an envelope is left alone");
                continue;
            };
            let kind = if own { &mut due.local } else { &mut due.remote };
            kind.push(Work {
                item,
                email,
                domain,
                batch,
                envelope,
            });
        }
        Ok(due)
    }

    /// Sends what is due through the smarthost.
    async fn relay(&mut self, due: Vec<Work>) -> mail::Result<()> {
        let mut client = match self.connect().await {
            Ok(client) => client,
            Err(why) => return self.host_failed(&why, due).await,
        };
        self.pause = None;
        for work in due {
            if self.ctx.shutdown.is_thrown() {
                break;
            }
            if let Err(failure) = self.attempt(&mut client, work).await? {
                // Its row is put off already; the others are looked at again, over a new session.
                log::warn!("queue: the session ended early: {failure}");
                return Ok(());
            }
        }
        client.quit().await;
        Ok(())
    }

    async fn connect(&self) -> Result<Client, String> {
        let config = &self.ctx.config;
        let smarthost = config.smarthost.as_ref();
        let smarthost =
            smarthost.ok_or("no smarthost is set: start the server with --smarthost")?;
        let opened = Client::open(smarthost, &config.hostname).await;
        opened.map_err(|failure| format!("{}:{}: {failure}", smarthost.host, smarthost.port))
    }

    /// Nobody could be reached: everything waits, without a write, but for what is too old.
    async fn host_failed(&mut self, why: &str, due: Vec<Work>) -> mail::Result<()> {
        let failures = self
            .pause
            .as_ref()
            .map_or(0, |pause| pause.failures)
            .saturating_add(1);
        let now = clock::now();
        let until = now.saturating_add(schedule::delay(failures, jitter()));
        log::warn!("queue: {why}; trying again in {} s", until - now);
        self.pause = Some(Pause { failures, until });
        for work in due {
            let old = schedule::is_expired(work.envelope.created, now);
            if old || schedule::is_late(&work.batch, work.envelope.created, now) {
                let outcome = Outcome::Later {
                    status: Enhanced(4, 4, 1),
                    reply: why.to_owned(),
                };
                let outcomes = vec![outcome; work.batch.recipients.len()];
                self.settle(work, outcomes).await?;
            }
        }
        Ok(())
    }

    /// One message to one domain's recipients: marked, sent, settled.
    async fn attempt(
        &self,
        client: &mut Client,
        mut work: Work,
    ) -> mail::Result<Result<(), Failure>> {
        let Some(mut body) = Body::open(&self.ctx.mail, work.email)? else {
            log::error!("queue: email {} is gone, its row is dropped", work.email);
            self.drop_row(&work).await?;
            return Ok(Ok(()));
        };
        if !self.mark(&mut work).await? {
            return Ok(Ok(()));
        }
        let survey = body.survey().await?;
        let message = Outgoing {
            sender: work.envelope.sender.as_ref(),
            recipients: &work.batch.recipients,
            envid: work.envelope.envid.as_deref(),
            full: work.envelope.full,
            size: survey.size,
            eight_bit: survey.eight_bit,
            utf8: survey.utf8,
            binary: work.envelope.binary,
        };
        let sent = client.send(&message, &mut |out| body.next(out)).await;
        match sent {
            Ok(outcomes) => {
                log_outcomes(&work, &outcomes);
                self.settle(work, outcomes).await?;
                Ok(Ok(()))
            }
            Err(failure) => {
                let outcome = Outcome::Later {
                    status: Enhanced(4, 4, 2),
                    reply: failure.to_string(),
                };
                let outcomes = vec![outcome; work.batch.recipients.len()];
                self.settle(work, outcomes).await?;
                Ok(Err(failure))
            }
        }
    }

    /// Before an attempt: it counts, and its successor has a time. Should the power go now, the
    /// message is not tried again the moment it comes back. False: its sender took it back.
    async fn mark(&self, work: &mut Work) -> mail::Result<bool> {
        work.batch.attempts = work.batch.attempts.saturating_add(1);
        let delay = schedule::delay(work.batch.attempts, jitter());
        work.batch.due = clock::now().saturating_add(delay);
        self.ctx
            .mail
            .claim(work.item, &work.domain, &work.batch)
            .await
    }

    fn mail(&self) -> &Mail {
        &self.ctx.mail
    }
}

/// Random enough to keep retries apart.
fn jitter() -> u8 {
    random::octets::<1>().map_or(128, |[octet]| octet)
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
