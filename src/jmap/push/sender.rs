//! Push to where a subscription says (RFC 8620 §7.2): a POST for each change, sealed and signed.
//!
//! Level-triggered like all push: what waits for a subscription is the difference between the modseq
//! that it was told of and now, so nothing is queued, and what comes while a service does not answer
//! is one message later. At most [`limits::PUSHES`] go out at a time; a service that fails is left
//! alone for longer and longer. Runs beside the outbound queue; without subscriptions it sleeps.
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use event_listener::Event;
use smol::LocalExecutor;
use smol::future::FutureExt;

use super::Watch;
use super::target::{Subscription, Target};
use crate::config::Out;
use crate::limits;
use crate::mail::{DataType, Edit, Expect, Mail, Modseq};
use crate::net::{TlsConnector, fetch, tls};
use crate::server::Ctx;
use crate::sys::{clock, task};

/// Rung when subscriptions have changed. One for the process: an idle wake-up costs nothing.
static BELL: Event = Event::new();

/// Wakes the sender; after the commit.
pub fn ring() {
    BELL.notify(usize::MAX);
}

/// What is known of a subscription beside its record.
struct Lane {
    /// Everything up to here was told.
    told: Modseq,
    /// The verification code has been sent.
    asked: bool,
    /// Something is being sent.
    busy: bool,
    failures: u32,
    /// Not before.
    due: Instant,
}

/// What came of a message.
enum Outcome {
    Taken,
    /// There is nobody there any more.
    Gone,
    /// It was not taken; so many seconds until the next, 0 if we are to choose.
    Later(u32),
    /// Nobody was spoken to.
    Unreached,
}

struct Sender {
    ctx: Rc<Ctx>,
    /// The records as of this state.
    known: RefCell<(Modseq, Rc<Vec<Subscription>>)>,
    lanes: RefCell<HashMap<u64, Lane>>,
    busy: Cell<usize>,
    /// Something was sent, or was not.
    ended: Event,
    tls: RefCell<Option<TlsConnector>>,
    /// The state when we began: older subscriptions have their code.
    born: Modseq,
}

/// Runs until the server stops.
pub async fn run(ctx: Rc<Ctx>) {
    let sender = Rc::new(Sender {
        known: RefCell::default(),
        lanes: RefCell::default(),
        busy: Cell::new(0),
        ended: Event::new(),
        tls: RefCell::default(),
        born: ctx.mail.meta().modseq,
        ctx,
    });
    let executor = LocalExecutor::new();
    executor.run(Box::pin(sender.main(&executor))).await;
}

impl Sender {
    fn mail(&self) -> &Mail {
        &self.ctx.mail
    }

    async fn main(self: &Rc<Self>, executor: &LocalExecutor<'_>) {
        loop {
            let (bell, hub) = (BELL.listen(), self.mail().hub().listen());
            let (ended, revoked) = (self.ended.listen(), self.ctx.auth.listen());
            self.read();
            self.sweep().await;
            let Some(next) = self.look(executor) else {
                drop((hub, ended, revoked));
                bell.await;
                continue;
            };
            let late = async {
                smol::Timer::after(next).await;
            };
            bell.or(hub).or(ended).or(revoked).or(late).await;
        }
    }

    /// The subscriptions, read again where they changed.
    fn read(&self) {
        let now = self.mail().meta().states.of(DataType::PushSubscription);
        if self.known.borrow().0 == now {
            return;
        }
        match self.mail().records(DataType::PushSubscription) {
            Ok(records) => {
                let all: Vec<_> = records.iter().filter_map(Subscription::read).collect();
                let there = |id: &u64| all.iter().any(|one| one.id == *id);
                self.lanes.borrow_mut().retain(|id, _| there(id));
                *self.known.borrow_mut() = (now, Rc::new(all));
            }
            Err(error) => log::warn!("push: {error}"),
        }
    }

    /// Takes away what has expired, and what was made with a log-in that is no more.
    async fn sweep(&self) {
        let all = Rc::clone(&self.known.borrow().1);
        let now = clock::now();
        let over = |one: &&Subscription| one.expires <= now || !self.ctx.auth.is_current(&one.by);
        self.destroy(all.iter().filter(over).map(|one| one.id).collect())
            .await;
    }

    async fn destroy(&self, ids: Vec<u64>) {
        if ids.is_empty() {
            return;
        }
        let edits: Vec<Edit> = ids.into_iter().map(Edit::Destroy).collect();
        let plan = move |_: &[crate::mail::Record]| Ok((edits, ()));
        let done = self
            .mail()
            .edit_records(DataType::PushSubscription, Expect::default(), plan);
        match done.await {
            Ok(_) => self.read(),
            Err(error) => log::warn!("push: {error}"),
        }
    }

    /// Starts what can be sent. Returns how long there is nothing to do by the clock; None without
    /// subscriptions.
    fn look<'a>(self: &Rc<Self>, executor: &LocalExecutor<'a>) -> Option<Duration> {
        let all = Rc::clone(&self.known.borrow().1);
        let (now, meta) = (Instant::now(), self.mail().meta());
        let mut next = None;
        let mut least = |wait: Duration| {
            next = Some(next.map_or(wait, |next: Duration| next.min(wait)));
        };
        for one in all.iter() {
            least(Duration::from_secs(
                u64::from(one.expires.saturating_sub(clock::now())) + 1,
            ));
            let mut lanes = self.lanes.borrow_mut();
            let lane = lanes.entry(one.id).or_insert_with(|| Lane {
                told: one.since,
                asked: one.id <= self.born,
                busy: false,
                failures: 0,
                due: now,
            });
            let among = |types: &Vec<String>, name: &str| types.iter().any(|one| one == name);
            let wants = |name: &str| one.types.as_ref().is_none_or(|types| among(types, name));
            let mut watch = Watch::new(self.mail(), wants, lane.told.max(one.since));
            let message = match one.verified {
                true => watch.changed(&meta),
                false if lane.asked => None,
                false => Some(one.verification()),
            };
            let Some(message) = message.filter(|_| !lane.busy) else {
                continue;
            };
            if lane.due > now {
                least(lane.due - now);
                continue;
            }
            if self.busy.get() >= limits::PUSHES {
                continue;
            }
            (lane.busy, lane.asked) = (true, true);
            self.busy.set(self.busy.get() + 1);
            let (sender, one, told) = (Rc::clone(self), one.clone(), watch.told);
            let posting = async move {
                let outcome = sender.post(&one, message.to_string()).await;
                sender.settle(&one, told, outcome).await;
            };
            task::spawn(executor, Box::pin(posting));
        }
        next
    }

    async fn settle(&self, one: &Subscription, told: Modseq, outcome: Outcome) {
        self.busy.set(self.busy.get().saturating_sub(1));
        let gone = matches!(outcome, Outcome::Gone);
        if let Some(lane) = self.lanes.borrow_mut().get_mut(&one.id) {
            lane.busy = false;
            let wait = match outcome {
                Outcome::Taken | Outcome::Gone => {
                    lane.failures = 0;
                    if one.verified {
                        lane.told = lane.told.max(told);
                    }
                    // What follows the code is waited for.
                    u32::from(one.verified) * limits::PUSH_PAUSE
                }
                Outcome::Later(wait) if wait > 0 => wait,
                Outcome::Later(_) | Outcome::Unreached => {
                    lane.failures = lane.failures.saturating_add(1);
                    // §7.2.2: one message until the code comes back, unless it cannot have come.
                    lane.asked = !matches!(outcome, Outcome::Unreached) || lane.failures > 3;
                    limits::PUSH_RETRY.0 << lane.failures.clamp(1, 10).saturating_sub(1)
                }
            };
            let wait = wait.min(limits::PUSH_RETRY.1);
            lane.due = Instant::now() + Duration::from_secs(u64::from(wait));
        }
        if gone {
            self.destroy(vec![one.id]).await;
        }
        self.ended.notify(usize::MAX);
    }

    /// One message on its way.
    async fn post(&self, one: &Subscription, message: String) -> Outcome {
        let sent = self.try_post(one, message.into_bytes()).await;
        match sent {
            Ok(answer) => outcome(&answer),
            Err(why) => {
                log::info!("push: {}: {why}", one.target.host);
                Outcome::Unreached
            }
        }
    }

    async fn try_post(&self, one: &Subscription, mut body: Vec<u8>) -> Result<Vec<u8>, String> {
        let target = &one.target;
        let address = self.address(target).await?;
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: pillarbox\r\nConnection: close\r\n\
             TTL: {}\r\nContent-Type: application/json\r\n",
            target.path,
            target.authority(),
            limits::PUSH_TTL,
        );
        if one.verified {
            // RFC 8030 §5.4: a later message replaces one that waits.
            head.push_str("Topic: StateChange\r\n");
        }
        if let Some(keys) = &one.keys {
            body = keys.seal(&body).ok_or("the keys do not fit")?;
            head.push_str("Content-Encoding: aes128gcm\r\n");
        }
        // RFC 9749 §4.
        if let Some(vapid) = self.ctx.jmap.vapid() {
            let contact = format!("mailto:postmaster@{}", self.ctx.config.hostname);
            let expires = clock::now().saturating_add(12 * 3600);
            let value = vapid.authorization(&target.origin(), &contact, expires);
            head.push_str("Authorization: ");
            head.push_str(&value.ok_or("no randomness")?);
            head.push_str("\r\n");
        }
        head.push_str("Content-Length: ");
        head.push_str(&body.len().to_string());
        head.push_str("\r\n\r\n");
        let mut request = head.into_bytes();
        request.append(&mut body);
        let tls = self.tls()?;
        // --socks5 and --source-address are for mail.
        let out = Out::default();
        let answer = fetch::exchange(&out, address, &target.host, Some(&tls), &request, true).await;
        answer.map_err(|error| error.to_string())
    }

    fn tls(&self) -> Result<TlsConnector, String> {
        if let Some(tls) = &*self.tls.borrow() {
            return Ok(tls.clone());
        }
        let tls = tls::connector(self.ctx.config.tls_ca.as_deref())?;
        Ok(self.tls.borrow_mut().insert(tls).clone())
    }

    async fn address(&self, target: &Target) -> Result<SocketAddr, String> {
        let all = match target.literal() {
            Some(address) => vec![address],
            None => self.ctx.dns.addresses(&target.host).await.found,
        };
        Ok(target.choose(&all, self.ctx.config.http.push_private)?)
    }
}

/// What an answer means.
fn outcome(answer: &[u8]) -> Outcome {
    let head = String::from_utf8_lossy(answer);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    let status = status.split(' ').nth(1).unwrap_or_default();
    let after = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is = name.eq_ignore_ascii_case("retry-after");
        is.then(|| value.trim().parse::<u32>().ok()).flatten()
    });
    match status {
        "404" | "410" => Outcome::Gone,
        // RFC 8620 §7.2: less often from here on.
        "429" => Outcome::Later(after.unwrap_or(limits::PUSH_BUSY)),
        status if status.starts_with('2') && status.len() == 3 => Outcome::Taken,
        _ => Outcome::Later(after.unwrap_or(0)),
    }
}
