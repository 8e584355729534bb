//! Orders of a person (`pillarbox queue`): written as rows by whoever takes them, obeyed here, since
//! only the queue changes what is in it.
use super::{Queue, Work, lane};
use crate::mail::outbound::{self, Batch, Envelope, Item, Notify, Order};
use crate::mail::{self, Mail};
use crate::mime::DateTime;
use crate::smtp::client::Outcome;
use crate::smtp::wire::reply::Enhanced;
use crate::sys::clock;

impl Queue {
    /// Does what was ordered; what is being sent right now is looked at again when that is over.
    pub(super) async fn obey(&self) -> mail::Result<()> {
        let mut orders = Vec::new();
        self.mail().reader()?.scan(outbound::ORDERS, |key, row| {
            orders.push((key.to_vec(), Order::read(key, row)));
            true
        })?;
        for (key, order) in orders {
            if let Some((item, domain, order)) = order {
                let row = self.mail().get(&outbound::batch_key(item, &domain))?;
                if let Some(batch) = row.and_then(|row| Batch::decode(&row)) {
                    if self.is_busy(&self.lane_of(&domain, &batch)) {
                        continue;
                    }
                    self.obey_one(item, domain, batch, order).await?;
                    continue;
                }
            }
            self.mail().put(vec![(key, None)]).await?;
        }
        Ok(())
    }

    async fn obey_one(
        &self,
        item: Item,
        domain: String,
        mut batch: Batch,
        order: Order,
    ) -> mail::Result<()> {
        log::info!("queue: {:016x}/{domain}: {order:?}, as ordered", item.0);
        let (done, _) = order.put(item, &domain);
        match order {
            Order::Retry => {
                batch.held = false;
                batch.due = 0;
                self.wake(&self.lane_of(&domain, &batch));
            }
            Order::Hold => batch.held = true,
            Order::Drop => {
                self.give_up(item, domain, batch).await?;
                return self.mail().put(vec![(done, None)]).await;
            }
        }
        // In one commit: who sees the effect may give the next order.
        let key = outbound::batch_key(item, &domain);
        let puts = vec![(key, Some(batch.encode())), (done, None)];
        self.mail().amend(puts).await
    }

    /// Takes a batch out; its sender is told as of any failure.
    async fn give_up(&self, item: Item, domain: String, batch: Batch) -> mail::Result<()> {
        let row = self.mail().get(&outbound::envelope_key(item))?;
        let Some((email, envelope)) = row.and_then(|row| Envelope::decode(&row)) else {
            return Ok(());
        };
        let outcome = Outcome::Failed {
            status: Enhanced(5, 0, 0),
            reply: "taken out of the queue by hand".into(),
        };
        let outcomes = vec![outcome; batch.recipients.len()];
        let mut work = Work {
            item,
            email,
            domain,
            batch,
            envelope,
        };
        if !self.claim(&work).await? {
            return Ok(());
        }
        let mut told = true;
        loop {
            let settled = self.settle_as(work.clone(), outcomes.clone(), None, true);
            match settled.await {
                // No room to tell its sender: it goes all the same, or no order behind it would be obeyed.
                Err(mail::Error::OverQuota | mail::Error::DiskFull) if told => {
                    log::warn!(
                        "queue: {:016x} goes without a word to its sender: no room",
                        item.0
                    );
                    for to in &mut work.batch.recipients {
                        to.notify = Some(Notify::default());
                    }
                    told = false;
                }
                done => return done,
            }
        }
    }
}

/// What waits, one line each: `id/domain`, attempts and state, recipients, the last answer, separated by
/// tabs.
///
/// # Errors
/// The store's.
pub fn list(mail: &Mail) -> mail::Result<Vec<String>> {
    let now = clock::now();
    let mut lines = Vec::new();
    mail.reader()?.scan(outbound::BATCHES, |key, row| {
        if let Some(((item, domain), batch)) =
            outbound::parse_batch_key(key).zip(Batch::decode(row))
        {
            lines.push(lane::line(item, &domain, &batch, now));
        }
        lines.len() < crate::limits::QUEUE_LIST
    })?;
    Ok(lines)
}

/// What the queue is like.
#[derive(Default)]
pub struct Waiting {
    /// Destinations of messages.
    pub batches: usize,
    /// Those that a person holds.
    pub held: usize,
    /// Seconds since the oldest was handed in.
    pub oldest: u32,
    /// Those that could not be sent and are older than was asked for, as [`list`] has them; some at most.
    pub stuck: Vec<String>,
}

/// Looks at the queue, and for what was tried in vain for longer than `patience` seconds.
///
/// # Errors
/// The store's.
pub fn waiting(mail: &Mail, patience: u32) -> mail::Result<Waiting> {
    let now = clock::now();
    let mut waiting = Waiting::default();
    mail.reader()?.scan(outbound::BATCHES, |key, row| {
        let Some(((item, domain), batch)) = outbound::parse_batch_key(key).zip(Batch::decode(row))
        else {
            return true;
        };
        // An item begins with the second in which it was made.
        let age = clock::age(item.made());
        waiting.batches += 1;
        waiting.held += usize::from(batch.held);
        waiting.oldest = waiting.oldest.max(age);
        // A destination that does not answer counts no attempts: what waits for it stays due.
        let tried = batch.attempts > 0 || now.saturating_sub(batch.due) > patience;
        let stuck = age > patience && tried && !batch.held;
        if stuck && waiting.stuck.len() < crate::limits::STUCK_LISTED {
            waiting.stuck.push(lane::line(item, &domain, &batch, now));
        }
        true
    })?;
    Ok(waiting)
}

/// Everything about one item.
///
/// # Errors
/// A sentence.
pub fn show(mail: &Mail, id: &str) -> Result<Vec<String>, String> {
    let failed = |e: mail::Error| e.to_string();
    let unknown = || format!("nothing in the queue is {id}; see `pillarbox queue list`");
    let (id, only) = id
        .split_once('/')
        .map_or((id, None), |(id, domain)| (id, Some(domain)));
    let item = Item(u64::from_str_radix(id, 16).map_err(|_| unknown())?);
    let row = mail.get(&outbound::envelope_key(item)).map_err(failed)?;
    let (email, envelope) = row
        .and_then(|row| Envelope::decode(&row))
        .ok_or_else(unknown)?;
    let sender = envelope
        .sender
        .map_or("<>".to_owned(), |sender| sender.to_string());
    let reader = mail.reader().map_err(failed)?;
    let size = reader
        .message(email)
        .map_err(failed)?
        .map_or(0, |message| message.size);
    let date = DateTime::utc(i64::from(envelope.created)).mail();
    let mut lines = vec![
        format!("from      {sender}"),
        format!("handed in {date}"),
        format!("octets    {size}"),
    ];
    let scanned = reader.scan(&outbound::batches_of(item), |key, row| {
        let parsed = outbound::parse_batch_key(key).zip(Batch::decode(row));
        if let Some(((item, domain), batch)) = parsed
            && only.is_none_or(|only| only == domain)
        {
            lines.push(lane::line(item, &domain, &batch, clock::now()));
        }
        true
    });
    scanned.map_err(failed)?;
    Ok(lines)
}

/// Writes an order about every batch that `which` names: `all`, an id, or `id/domain`. Gives how many.
///
/// # Errors
/// The store's.
pub async fn give(mail: &Mail, order: Order, which: &str) -> mail::Result<usize> {
    let mut puts = Vec::new();
    mail.reader()?.scan(outbound::BATCHES, |key, _| {
        if let Some((item, domain)) = outbound::parse_batch_key(key) {
            let id = format!("{:016x}", item.0);
            if which == "all" || which == id || which == format!("{id}/{domain}") {
                puts.push(order.put(item, &domain));
            }
        }
        true
    })?;
    let count = puts.len();
    mail.put(puts).await?;
    outbound::ring();
    Ok(count)
}
