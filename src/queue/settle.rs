//! What an outcome does: the row goes, shrinks or waits, and the sender is told, in one commit.
use super::body::Body;
use super::report::{Action, Entry, Report};
use super::{Queue, Work, schedule};
use crate::mail::address::Address;
use crate::mail::outbound::{self, Envelope, Item, Notify, Recipient, Wish};
use crate::mail::submission::{self, Delivered};
use crate::mail::vacation::{self, Arrival};
use crate::mail::{
    self, Added, Commit, EmailId, Flags, NewEmail, Put, Role, Source, Staged, receipt,
};
use crate::mime::DateTime;
use crate::smtp::client::Outcome;
use crate::smtp::policy;
use crate::smtp::wire::reply::Enhanced;
use crate::smtp::wire::trace;
use crate::sys::{clock, count, random};

/// A recipient whose story is told to the sender.
struct Told {
    recipient: Recipient,
    action: Action,
    status: Enhanced,
    diagnostic: String,
}

/// A report that leaves: which of the commit's new emails it is, and to whom.
struct Away {
    at: usize,
    item: Item,
    to: Address,
    tls: Wish,
    priority: i8,
}

impl Away {
    /// Its rows. From nobody, and nobody is told of it (RFC 3464 §2, RFC 3461 §6.2).
    fn rows(self, email: EmailId) -> Vec<Put> {
        let envelope = Envelope {
            created: clock::now(),
            tls: self.tls,
            // RFC 6710 §4.6
            priority: self.priority,
            ..Envelope::default()
        };
        let to = Recipient {
            address: self.to,
            notify: Some(Notify::default()),
            orcpt: None,
        };
        outbound::rows(self.item, email, &envelope, vec![to])
    }
}

/// The recipients, parted.
#[derive(Default)]
struct Parted {
    /// Still to be tried.
    waiting: Vec<Recipient>,
    /// For the report.
    told: Vec<Told>,
    /// What each came to, for the statistics.
    counted: Vec<usize>,
}

impl Outcome {
    /// What it comes to where nothing can be told: a refusal waits.
    fn leave_untold(&mut self) {
        match self {
            Outcome::Taken { reports, .. } => *reports = true,
            Outcome::Failed { status, reply } => {
                let (status, reply) = (*status, std::mem::take(reply));
                *self = Outcome::Later { status, reply };
            }
            Outcome::Later { .. } => {}
        }
    }
}

impl Queue {
    /// Takes the outcomes of an attempt into the rows.
    pub(super) async fn settle(
        &self,
        work: &Work,
        mut outcomes: Vec<Outcome>,
        remote: Option<&str>,
    ) -> mail::Result<()> {
        let mut age = true;
        loop {
            let told = self.settle_as(work.clone(), outcomes.clone(), remote, age);
            match told.await {
                // There is no room for the report. Who has the message must not get it again; the others
                // are tried again, and it is told then.
                Err(mail::Error::OverQuota | mail::Error::DiskFull) if age => {
                    outcomes.iter_mut().for_each(Outcome::leave_untold);
                    age = false;
                }
                done => return done,
            }
        }
    }

    /// The same, or not. Without `age` it does not count how long it has waited.
    pub(super) async fn settle_as(
        &self,
        mut work: Work,
        outcomes: Vec<Outcome>,
        remote: Option<&str>,
        age: bool,
    ) -> mail::Result<()> {
        let now = clock::now();
        let retry = &self.ctx.config.retry;
        let expired = age && schedule::is_expired(retry, work.envelope.created, now);
        let late = age && schedule::is_late(retry, &work.batch, work.envelope.created, now);
        let recipients = std::mem::take(&mut work.batch.recipients);
        let mut parted = Parted::default();
        let mut commit = Commit::default();
        for (recipient, outcome) in recipients.into_iter().zip(outcomes) {
            commit
                .told
                .push(news(work.item, &recipient, &outcome, expired));
            if let Outcome::Later { reply, .. } = &outcome {
                work.batch.last.clone_from(reply);
            }
            parted.take(recipient, outcome, expired, late, retry.warn_all);
        }
        work.batch.recipients = parted.waiting;
        work.batch.warned |= late;
        let report = self.report(&work, &parted.told, remote).await?;
        let away = self.address(&work, &mut commit, report)?;
        self.commit(&work, commit, away).await?;
        for came_to in parted.counted {
            count::add(count::Of::Sent, came_to, 1);
        }
        Ok(())
    }

    /// The same for every recipient of these.
    pub(super) async fn settle_all(&self, all: Vec<Work>, outcome: Outcome) -> mail::Result<()> {
        for work in all {
            if self.claim(&work).await? {
                let outcomes = vec![outcome.clone(); work.batch.recipients.len()];
                self.settle(&work, outcomes, None).await?;
            }
        }
        Ok(())
    }

    /// Local recipients of a queued message: into INBOX.
    pub(super) async fn deliver(&self, work: &mut Work) -> mail::Result<()> {
        let Some(mut body) = Body::open(&self.ctx.mail, work.email)? else {
            log::error!("queue: email {} is gone, its row is dropped", work.email);
            return self.drop_row(work).await;
        };
        let config = &self.ctx.config;
        let all = std::mem::take(&mut work.batch.recipients);
        let (known, unknown): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|to| policy::owns(config, &to.address));
        let mut commit = Commit::default();
        let item = work.item;
        let here = |to: &Recipient, delivered, reply: &str| submission::Told {
            item,
            address: to.address.to_string(),
            reply: reply.to_owned(),
            delivered,
        };
        let yes = |to| here(to, Delivered::Yes, "250 2.1.5 delivered");
        let no = |to| here(to, Delivered::No, "550 5.1.1 no such mailbox here");
        commit.told.extend(known.iter().map(yes));
        commit.told.extend(unknown.iter().map(no));
        let sender = work.envelope.sender.as_ref();
        let away = |from: &Address| self.ctx.config.has_way(from.domain());
        let answerable = !known.is_empty() && sender.is_some_and(away);
        if !known.is_empty() {
            let prefix = trace::return_path(sender);
            let mut writer = self.mail().body(None)?;
            let mut piece = Vec::new();
            let mut more = true;
            while more {
                piece.clear();
                more = body.next(&mut piece)?;
                writer.push(&piece).await?;
            }
            commit
                .add
                .push(self.to_inbox(writer.finish(prefix.as_bytes()).await?)?);
        }
        let (here, nobody) = (known.len(), unknown.len());
        let told = told_locally(known, unknown);
        let report = self.report(work, &told, None).await?;
        let away = self.address(work, &mut commit, report)?;
        log::info!("queue: email {} delivered here", work.email);
        let added = self.commit(work, commit, away).await?;
        count::add(count::Of::Sent, count::LOCAL, here);
        count::add(count::Of::Sent, count::BOUNCED, nobody);
        if let Some(first) = added.first().filter(|_| answerable) {
            let config = &self.ctx.config;
            let arrival = Arrival {
                email: first.email,
                sender,
                tls: work.envelope.tls,
                hostname: &config.hostname,
                owns: &|address| config.owns(address),
            };
            vacation::arrived(self.mail(), arrival).await;
        }
        Ok(())
    }

    /// Where a report goes: into INBOX, for it is the user's mail that it is about; or, about mail that
    /// came in and wanted to be reported (RFC 3461 §4.1), back to who sent it, through the queue.
    fn address(
        &self,
        work: &Work,
        commit: &mut Commit,
        report: Option<Staged>,
    ) -> mail::Result<Option<Away>> {
        let (Some(report), Some(sender)) = (report, work.envelope.sender.as_ref()) else {
            return Ok(None);
        };
        let mut email = self.to_inbox(report)?;
        let config = &self.ctx.config;
        // Whoever has written as an alias that is switched off by now hears of it all the same.
        let own = policy::owns(config, sender) || config.is_own_domain(sender.domain());
        if own || !config.has_way(sender.domain()) {
            commit.add.push(email);
            return Ok(None);
        }
        email.mailboxes.clear();
        email.hold = true;
        commit.add.push(email);
        Ok(Some(Away {
            at: commit.add.len() - 1,
            item: Item::new(clock::now())?,
            to: sender.clone(),
            tls: work.envelope.tls,
            priority: work.envelope.priority,
        }))
    }

    /// The email has no octets any more: its row goes.
    pub(super) async fn drop_row(&self, work: &Work) -> mail::Result<()> {
        self.mail()
            .put(vec![(outbound::batch_key(work.item, &work.domain), None)])
            .await
    }

    /// Writes the batch back, or removes it, and with the last batch everything of the message.
    async fn commit(
        &self,
        work: &Work,
        mut commit: Commit,
        away: Option<Away>,
    ) -> mail::Result<Vec<Added>> {
        let key = outbound::batch_key(work.item, &work.domain);
        let mut puts: Vec<Put> = Vec::new();
        let _guard = self.settling.lock().await;
        if work.batch.recipients.is_empty() {
            if self.is_last(work.item, &key)? {
                puts.push((outbound::envelope_key(work.item), None));
                commit.release.push(work.email);
            }
            puts.push((key, None));
        } else {
            puts.push((key, Some(work.batch.encode())));
        }
        let leaves = away.is_some();
        commit.put = Some(Box::new(move |added| {
            if let Some(away) = away
                && let Some(report) = added.get(away.at)
            {
                puts.extend(away.rows(report.email));
            }
            puts
        }));
        let added = self.mail().commit(commit).await?;
        // Our own reports, and reports that took this way.
        for new in added.iter().filter(|new| !new.places.is_empty()) {
            receipt::arrived(self.mail(), new.email).await;
        }
        if leaves {
            outbound::ring();
        }
        Ok(added)
    }

    fn is_last(&self, item: Item, key: &[u8]) -> mail::Result<bool> {
        let mut last = true;
        self.mail()
            .reader()?
            .scan(&outbound::batches_of(item), |other, _| {
                last = other == key;
                last
            })?;
        Ok(last)
    }

    fn to_inbox(&self, staged: Staged) -> mail::Result<NewEmail> {
        let meta = self.mail().meta();
        let inbox = meta
            .by_role(Role::Inbox)
            .ok_or(mail::Error::NoSuchMailbox)?;
        Ok(NewEmail {
            source: Source::Staged(staged),
            mailboxes: vec![inbox.id],
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        })
    }

    /// The report to the sender, if there is one and there is something to tell. The null sender
    /// is never told anything (RFC 5321 §4.5.5), so that reports about reports cannot be.
    async fn report(
        &self,
        work: &Work,
        told: &[Told],
        remote: Option<&str>,
    ) -> mail::Result<Option<Staged>> {
        let Some(sender) = work.envelope.sender.as_ref().filter(|_| !told.is_empty()) else {
            return Ok(None);
        };
        let entries: Vec<_> = told.iter().map(Told::entry).collect();
        let failed = told.iter().any(|told| told.action == Action::Failed);
        // RFC 3461 §4.3: RET is for failures; everything else returns the header.
        // RFC 8689 §5: and never for what was to be seen by few.
        let full =
            failed && work.envelope.full == Some(true) && work.envelope.tls != Wish::Required;
        let id = random::octets::<12>().map_err(|_| mail::Error::Unavailable)?;
        let id: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        // An item begins with the second in which it was made, if that was known.
        let made = work.item.made();
        let arrived = match schedule::is_undated(made, work.envelope.created) {
            true => work.envelope.created,
            false => work.envelope.created.min(made),
        };
        let mut report = Report {
            hostname: &self.ctx.config.hostname,
            sender,
            envelope: &work.envelope,
            entries: &entries,
            remote,
            full,
            id: &id,
            date: &DateTime::utc(i64::from(clock::now())).mail(),
            arrived: &DateTime::utc(i64::from(arrived)).mail(),
        };
        loop {
            match self.write(work.email, &report).await {
                // The message with the report around it is more than one message may be.
                Err(mail::Error::TooLarge(_)) if report.full => report.full = false,
                written => return written.map(Some),
            }
        }
    }

    async fn write(&self, email: EmailId, report: &Report<'_>) -> mail::Result<Staged> {
        let mut writer = self.mail().body(None)?;
        writer.push(report.head().as_bytes()).await?;
        self.returned(email, report.full, &mut writer).await?;
        writer.push(report.tail().as_bytes()).await?;
        writer.finish(&[]).await
    }

    /// The message, or its header, as it left.
    async fn returned(
        &self,
        email: EmailId,
        full: bool,
        writer: &mut mail::BodyWriter,
    ) -> mail::Result<()> {
        let Some(mut body) = Body::open(&self.ctx.mail, email)? else {
            return Ok(());
        };
        let mut left = if full {
            u64::MAX
        } else {
            u64::from(body.message().header_len)
        };
        let mut piece = Vec::new();
        let mut more = true;
        while more && left > 0 {
            piece.clear();
            more = body.next(&mut piece)?;
            let keep = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
            let header_end = if full { None } else { end_of_header(&piece) };
            let keep = keep.min(header_end.unwrap_or(keep));
            writer.push(piece.get(..keep).unwrap_or_default()).await?;
            left = if header_end.is_some() {
                0
            } else {
                left - keep as u64
            };
        }
        Ok(())
    }
}

/// Where the empty line begins. The header can only have become shorter on its way out.
fn end_of_header(piece: &[u8]) -> Option<usize> {
    piece
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 2)
}

impl Told {
    fn entry(&self) -> Entry<'_> {
        Entry {
            recipient: &self.recipient,
            action: self.action,
            status: self.status,
            diagnostic: &self.diagnostic,
        }
    }
}

impl Parted {
    fn take(
        &mut self,
        recipient: Recipient,
        outcome: Outcome,
        expired: bool,
        late: bool,
        warn_all: bool,
    ) {
        let wants = recipient.notify;
        let came_to = match outcome {
            Outcome::Taken { .. } => count::DELIVERED,
            Outcome::Later { .. } if !expired => count::DEFERRED,
            Outcome::Failed { .. } | Outcome::Later { .. } => count::BOUNCED,
        };
        self.counted.push(came_to);
        match outcome {
            Outcome::Taken { reports, reply } => {
                // RFC 3461 §5.2.2: whoever hands it to a host without DSN reports "relayed".
                if !reports && wants.is_some_and(|notify| notify.success) {
                    self.tell(recipient, Action::Relayed, Enhanced(2, 0, 0), reply);
                }
            }
            Outcome::Failed { status, reply } => {
                if on_failure(wants) {
                    self.tell(recipient, Action::Failed, status, reply);
                }
            }
            Outcome::Later { reply, .. } if expired => {
                if on_failure(wants) {
                    self.tell(
                        recipient,
                        Action::Failed,
                        Enhanced(4, 4, 7),
                        format!("gave up: {reply}"),
                    );
                }
            }
            Outcome::Later { status, reply } => {
                if late && wants.map_or(warn_all, |notify| notify.delay) {
                    self.tell(recipient.clone(), Action::Delayed, status, reply);
                }
                self.waiting.push(recipient);
            }
        }
    }

    fn tell(&mut self, recipient: Recipient, action: Action, status: Enhanced, diagnostic: String) {
        self.told.push(Told {
            recipient,
            action,
            status,
            diagnostic,
        });
    }
}

/// What a submission is told of an outcome (RFC 8621 §7 `deliveryStatus`).
fn news(item: Item, to: &Recipient, outcome: &Outcome, expired: bool) -> submission::Told {
    let (reply, delivered) = match outcome {
        Outcome::Taken { reply, .. } => (reply.clone(), Delivered::Unknown),
        Outcome::Failed { status, reply } => (with_code(5, *status, reply), Delivered::No),
        Outcome::Later { status, reply } if expired => {
            (with_code(4, *status, reply), Delivered::No)
        }
        Outcome::Later { status, reply } => (with_code(4, *status, reply), Delivered::Queued),
    };
    let reply = match starts_with_code(&reply) {
        true => reply,
        false => format!("250 2.0.0 {reply}"),
    };
    submission::Told {
        item,
        address: to.address.to_string(),
        reply,
        delivered,
    }
}

fn with_code(class: u8, status: Enhanced, reply: &str) -> String {
    match starts_with_code(reply) {
        true => reply.to_owned(),
        false => format!("{class}51 {class}.{}.{} {reply}", status.1, status.2),
    }
}

fn starts_with_code(reply: &str) -> bool {
    let (code, rest) = reply.split_at_checked(3).unwrap_or(("", reply));
    code.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with(' ') && !code.is_empty()
}

/// RFC 3461 §4.1: failures are told unless NOTIFY says otherwise.
fn on_failure(notify: Option<Notify>) -> bool {
    notify.is_none_or(|notify| notify.failure)
}

fn told_locally(known: Vec<Recipient>, unknown: Vec<Recipient>) -> Vec<Told> {
    let mut parted = Parted::default();
    for recipient in known
        .into_iter()
        .filter(|to| to.notify.is_some_and(|notify| notify.success))
    {
        parted.tell(
            recipient,
            Action::Delivered,
            Enhanced(2, 1, 5),
            String::new(),
        );
    }
    for recipient in unknown.into_iter().filter(|to| on_failure(to.notify)) {
        let text = "no such mailbox here".to_owned();
        parted.tell(recipient, Action::Failed, Enhanced(5, 1, 1), text);
    }
    parted.told
}
