//! The queue: mail on its way out, from the durable rows of [`crate::mail::outbound`].
//!
//! One thread. Mail for one destination (a smarthost, or a domain whose own servers are asked) is a
//! lane: one session at a time, several messages over each, and a few lanes at the same time. A message
//! is marked before it is tried and settled after (removed, put off, or bounced), each in one durable
//! commit: a power cut between the server's 250 and our commit sends it a second time, and nothing else
//! does. A destination that does not answer costs one connection per retry, however much waits for it,
//! and no writes.
//!
//! * [`schedule`]: when to try again, when to give up. Pure.
//! * [`route`]: which hosts take mail for a domain. [`keys`]: what DKIM signs with.
//! * [`dane`], [`sts`]: what a domain says about its hosts' certificates. `secure`: what follows.
//! * `tlsrpt`: what a domain hears of it.
//! * [`report`]: what the sender is told (RFC 3464). Pure.
//! * `lane`: one destination's session. `body`: the octets of a queued message. `settle`: what an
//!   outcome does to the rows. `order`: what a person wants done.
mod body;
pub mod dane;
pub mod keys;
mod lane;
pub mod order;
pub mod report;
pub mod route;
pub mod schedule;
mod secure;
mod settle;
pub mod sts;
mod tlsrpt;

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;
use event_listener::Event;
use smol::LocalExecutor;
use smol::future::FutureExt;

use crate::config::Way;
use crate::limits;
use crate::mail::outbound::{self, Batch, Envelope, Item, Wish};
use crate::mail::{self, EmailId, Mail, Put};
use crate::server::Ctx;
use crate::smtp::policy;
use crate::sys::{aside, clock, random, task};
use crate::verify::sign::Signer;

/// Keys that sign.
type Signers = Rc<Vec<Signer>>;

/// One batch that is due.
#[derive(Clone)]
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
    /// By lane; what matters most first.
    remote: Vec<(String, Vec<Work>)>,
    /// When the first of the others is due.
    next: Option<u32>,
    /// Envelopes from before the clock was set, and batches that were to wait then: their time begins now.
    dated: Vec<Put>,
}

/// A destination that does not answer.
struct Pause {
    lane: String,
    failures: u16,
    failed: u32,
    until: u32,
}

struct Queue {
    ctx: Rc<Ctx>,
    /// At most [`limits::LANES`].
    pauses: RefCell<Vec<Pause>>,
    /// At most [`limits::QUEUE_LANES`].
    busy: RefCell<Vec<String>>,
    /// Domains whose MTA-STS policy could not be fetched, and until when they are left alone; at most
    /// [`limits::LANES`].
    sts_failed: RefCell<Vec<(String, u32)>>,
    /// A lane has ended.
    ended: Event,
    /// With the row that they were read from: it changes while we run.
    signers: RefCell<Option<(Vec<u8>, Signers)>>,
    /// What became of TLS, for the reports.
    tally: RefCell<tlsrpt::Tally>,
    /// Held from the look at an item's other batches to the commit: of two lanes that end together,
    /// one has to see that it is the last.
    settling: smol::lock::Mutex<()>,
    /// The last request to try everything that was heard.
    retries: Cell<u32>,
}

/// Runs the queue until the server stops.
pub async fn run(ctx: Rc<Ctx>) {
    let queue = Rc::new(Queue {
        ctx,
        pauses: RefCell::default(),
        busy: RefCell::default(),
        sts_failed: RefCell::default(),
        ended: Event::new(),
        signers: RefCell::default(),
        tally: RefCell::default(),
        settling: smol::lock::Mutex::new(()),
        retries: Cell::new(outbound::retries()),
    });
    let executor = Rc::new(LocalExecutor::new());
    executor.run(Box::pin(queue.main(&executor))).await;
}

fn wait(at: u32) -> Duration {
    let seconds = at.saturating_sub(clock::now()).clamp(1, limits::QUEUE_LOOK);
    Duration::from_secs(u64::from(seconds))
}

/// What ended a wait.
#[derive(PartialEq, Eq)]
enum Woken {
    /// Something new, or somebody asked.
    Rung,
    /// A lane ended, something is due, or the server stops.
    Other,
}

impl Queue {
    async fn main(self: &Rc<Self>, executor: &Rc<LocalExecutor<'static>>) {
        let shutdown = self.ctx.shutdown.clone();
        if self.ctx.config.sign {
            // Before the first message wants them: they take seconds on a small board.
            let early = self.clone();
            task::spawn(
                executor,
                Box::pin(async move { drop(early.signers().await) }),
            );
        }
        while !shutdown.is_thrown() {
            let (bell, ended) = (outbound::listen(), self.ended.listen());
            let next = match self.round(executor).await {
                Ok(next) => next,
                Err(error) => {
                    log::warn!("queue: {error}");
                    Some(clock::now().saturating_add(limits::QUEUE_STORE_RETRY))
                }
            };
            let rung = async {
                bell.await;
                Woken::Rung
            };
            let due = async {
                match next {
                    // A clock that jumps must not stop the queue for longer than this.
                    Some(at) => Timer::after(wait(at)).await,
                    None => smol::future::pending().await,
                };
                Woken::Other
            };
            let other = async {
                ended.or(shutdown.wait()).await;
                Woken::Other
            };
            if rung.or(due).or(other).await == Woken::Rung {
                self.hope();
            }
        }
        loop {
            let ended = self.ended.listen();
            if self.busy.borrow().is_empty() {
                if let Err(error) = self.keep_counts(true).await {
                    log::warn!("queue: the counts for TLS reports are lost: {error}");
                }
                return;
            }
            ended.await;
        }
    }

    /// There is something new: destinations that failed get another chance soon.
    fn hope(&self) {
        for pause in self.pauses.borrow_mut().iter_mut() {
            pause.until = pause
                .until
                .min(pause.failed.saturating_add(limits::LANE_REST));
        }
    }

    /// Starts everything that is due; returns when the next thing is.
    async fn round(
        self: &Rc<Self>,
        executor: &LocalExecutor<'static>,
    ) -> mail::Result<Option<u32>> {
        if self.retries.replace(outbound::retries()) != outbound::retries() {
            self.pauses.borrow_mut().clear();
            self.rush().await?;
        }
        self.obey().await?;
        while !self.ctx.shutdown.is_thrown() {
            let mut due = self.look()?;
            let again = !due.local.is_empty();
            if !due.dated.is_empty() {
                self.mail().amend(due.dated).await?;
            }
            for work in &mut due.local {
                // Marked first: a delivery that fails (quota) must not keep others from their turn.
                if !self.mark(work).await? {
                    continue;
                }
                let email = work.email;
                if let Err(error) = self.deliver(work).await {
                    log::warn!("queue: email {email} not delivered here: {error}");
                }
            }
            for (lane, works) in due.remote {
                if self.busy.borrow().len() >= limits::QUEUE_LANES {
                    break;
                }
                self.busy.borrow_mut().push(lane.clone());
                let queue = self.clone();
                let sending = async move {
                    if let Err(error) = queue.run_lane(&lane, works).await {
                        log::warn!("queue: {error}");
                        queue.rest(&lane, Some(limits::QUEUE_STORE_RETRY));
                    }
                    queue.busy.borrow_mut().retain(|it| *it != lane);
                    queue.ended.notify(usize::MAX);
                };
                task::spawn(executor, Box::pin(sending));
            }
            if !again {
                let look = self.report_tls(executor).await?;
                return Ok(due.next.into_iter().chain(look).min());
            }
        }
        Ok(None)
    }

    /// Leaves a destination alone for so many seconds; or because it has failed again, for longer each time.
    /// Gives how long.
    fn rest(&self, lane: &str, seconds: Option<u32>) -> u32 {
        let mut pauses = self.pauses.borrow_mut();
        let known = pauses.iter().position(|it| it.lane == lane);
        let before = known.map_or(0, |at| pauses.swap_remove(at).failures);
        let failures = before.saturating_add(u16::from(seconds.is_none()));
        let retry = &self.ctx.config.retry;
        let seconds = seconds.unwrap_or_else(|| schedule::delay(retry, failures, jitter()));
        if pauses.len() >= limits::LANES {
            let first = pauses.iter().enumerate().min_by_key(|(_, it)| it.until);
            let first = first.map_or(0, |(at, _)| at);
            pauses.swap_remove(first);
        }
        let failed = clock::now();
        pauses.push(Pause {
            lane: lane.to_owned(),
            failures,
            failed,
            until: failed.saturating_add(seconds),
        });
        seconds
    }

    /// A destination has answered, or somebody wants it to be tried.
    fn wake(&self, lane: &str) {
        self.pauses.borrow_mut().retain(|it| it.lane != lane);
    }

    /// Makes everything due.
    async fn rush(&self) -> mail::Result<()> {
        let now = clock::now();
        let mut puts = Vec::new();
        self.mail().reader()?.scan(outbound::BATCHES, |key, row| {
            let parsed = outbound::parse_batch_key(key).zip(Batch::decode(row));
            let Some(((item, domain), mut batch)) = parsed.filter(|(_, batch)| !batch.held) else {
                return true;
            };
            // What waits for a time that its sender set is not late.
            let asked = batch.due > now || schedule::anew(&batch, item.made(), now).is_some();
            if batch.attempts > 0 || !asked {
                // A lane that is at it now writes its row back itself.
                if !self.is_busy(&self.lane_of(&domain, &batch)) {
                    batch.due = 0;
                    puts.push((key.to_vec(), Some(batch.encode())));
                }
            }
            true
        })?;
        self.mail().amend(puts).await
    }

    fn is_busy(&self, lane: &str) -> bool {
        self.busy.borrow().iter().any(|it| it == lane)
    }

    /// The name of a domain's lane.
    fn lane_of(&self, domain: &str, batch: &Batch) -> String {
        let mut lane = match self.ctx.config.way(&batch.from, domain) {
            Some(Way::Smarthost(host)) => {
                let user = host.login.as_ref().map_or("", |login| &login.0);
                format!("{user}@{}:{}", host.host, host.port)
            }
            Some(Way::Direct) => domain.to_owned(),
            None => String::new(),
        };
        // Other hosts may do for it, or fewer.
        match batch.tls {
            Wish::Usual => {}
            Wish::Required => lane.push_str(" REQUIRETLS"),
            Wish::Optional => lane.push_str(" TLS-Required: No"),
        }
        lane
    }

    /// The batches that are due, at most [`limits::QUEUE_ROUND`] here and as many of each lane as one
    /// session takes.
    fn look(&self) -> mail::Result<Due> {
        let now = clock::now();
        let reader = self.ctx.mail.reader()?;
        let mut due = Due::default();
        let mut found: Vec<(Option<String>, Item, String, Batch)> = Vec::new();
        let later =
            |due: &mut Due, at: u32| due.next = Some(due.next.map_or(at, |next| next.min(at)));
        reader.scan(outbound::BATCHES, |key, row| {
            let parsed = outbound::parse_batch_key(key).zip(Batch::decode(row));
            let Some(((item, domain), mut batch)) = parsed else {
                log::error!("queue: a damaged row is left alone");
                return true;
            };
            if batch.held {
                return true;
            }
            let made = item.made();
            if let Some(at) = schedule::anew(&batch, made, now) {
                batch.due = at;
                due.dated.push((key.to_vec(), Some(batch.encode())));
            }
            if !schedule::is_due(&self.ctx.config.retry, &batch, made, now) {
                later(&mut due, batch.due);
                return true;
            }
            // An alias may be at a domain that is not ours: its mail must not leave, and come back.
            let config = &self.ctx.config;
            let known = |to: &outbound::Recipient| policy::owns(config, &to.address);
            let own = config.is_own_domain(&domain) || batch.recipients.iter().all(known);
            let lane = (!own).then(|| self.lane_of(&domain, &batch));
            if let Some(lane) = &lane {
                if self.is_busy(lane) {
                    return true;
                }
                let pauses = self.pauses.borrow();
                let pause = pauses.iter().find(|it| it.lane == *lane);
                if let Some(pause) = pause.filter(|it| it.until > now) {
                    later(&mut due, pause.until);
                    return true;
                }
            }
            let count = found.iter().filter(|it| it.0 == lane).count();
            let room = if own {
                limits::QUEUE_ROUND
            } else {
                limits::LANE_ROUND
            };
            if count < room && found.len() < limits::QUEUE_ROUND * limits::QUEUE_LANES {
                found.push((lane, item, domain, batch));
                return true;
            }
            // RFC 6710 §5.1: what matters more takes the place of what matters least.
            let same = found.iter_mut().rev().filter(|it| it.0 == lane);
            if let Some(last) = same.min_by_key(|it| it.3.priority)
                && last.3.priority < batch.priority
            {
                *last = (lane, item, domain, batch);
            }
            true
        })?;
        found.sort_by_key(|it| Reverse(it.3.priority));
        for (lane, item, domain, batch) in found {
            let row = reader.get(&outbound::envelope_key(item))?;
            let Some((email, mut envelope)) = row.and_then(|row| Envelope::decode(&row)) else {
                log::error!("queue: an item without an envelope is left alone");
                continue;
            };
            if schedule::is_undated(envelope.created, now) {
                envelope.created = now;
                let row = envelope.encode(email);
                due.dated.push((outbound::envelope_key(item), Some(row)));
            }
            let work = Work {
                item,
                email,
                domain,
                batch,
                envelope,
            };
            match lane {
                None => due.local.push(work),
                Some(lane) => match due.remote.iter_mut().find(|it| it.0 == lane) {
                    Some((_, works)) => works.push(work),
                    None => due.remote.push((lane, vec![work])),
                },
            }
        }
        Ok(due)
    }

    /// Before an attempt: it counts, and its successor has a time. Should the power go now, the
    /// message is not tried again the moment it comes back. False: its sender took it back.
    async fn mark(&self, work: &mut Work) -> mail::Result<bool> {
        work.batch.attempts = work.batch.attempts.saturating_add(1);
        let delay = schedule::delay(&self.ctx.config.retry, work.batch.attempts, jitter());
        work.batch.due = clock::now().saturating_add(delay);
        self.claim(work).await
    }

    /// Before something is settled: from now on it is too late to take it back. False: somebody did.
    async fn claim(&self, work: &Work) -> mail::Result<bool> {
        let mail = self.mail();
        mail.claim(work.item, &work.domain, &work.batch).await
    }

    /// The DKIM keys; none if nothing is to be signed, or there are none to be had.
    async fn signers(&self) -> Signers {
        if !self.ctx.config.sign {
            return Rc::default();
        }
        let row = self.mail().get(keys::KEY).ok().flatten();
        if let Some((from, known)) = &*self.signers.borrow()
            && row.as_ref().is_none_or(|row| row == from)
        {
            return known.clone();
        }
        let mail = self.ctx.mail.clone();
        match aside(move || keys::signers(&mail)).await {
            Ok(signers) => {
                let signers = Rc::new(signers);
                let row = self.mail().get(keys::KEY).ok().flatten();
                *self.signers.borrow_mut() = Some((row.unwrap_or_default(), signers.clone()));
                signers
            }
            Err(why) => {
                log::warn!("queue: mail goes out unsigned: {why}");
                Rc::default()
            }
        }
    }

    fn mail(&self) -> &Mail {
        &self.ctx.mail
    }
}

/// Random enough to keep retries apart.
fn jitter() -> u8 {
    random::octets::<1>().map_or(128, |[octet]| octet)
}
