//! A message on its way in: taken octet by octet from DATA or BDAT, filed in one durable commit.
//!
//! Constant memory: a chunk of the wire goes through the header filter into the engine's body.
//! Once refused, the rest is read and thrown away, and the refusal is the answer at its end.
use super::command::mail::release;
use super::origin::{self, Origin};
use super::policy::Route;
use super::session::{Rcpt, Session, Transaction};
use super::wire::data::Encoder;
use super::wire::header::{Filter, Missing};
use super::wire::params::{Body, Hold, Ret};
use super::wire::reply::{Enhanced, Reply};
use super::wire::trace::{self, Received};
use crate::config::Role as Listener;
use crate::limits;
use crate::mail::outbound::Wish;
use crate::mail::vacation::{self, Arrival};
use crate::mail::{
    self, BodyWriter, Commit, EmailId, Flags, NewEmail, Role, Source, outbound, receipt,
};
use crate::mime::DateTime;
use crate::net::census::Place;
use crate::sys::{clock, count, random};
use crate::verify::Scan;

/// One message.
pub(super) struct Incoming {
    /// None once refused.
    body: Option<BodyWriter>,
    refusal: Option<Reply>,
    filter: Filter,
    /// For submissions: bare CR and LF become lines (RFC 6409 §8; see `wire::data`).
    lines: Option<Encoder>,
    /// Our name for it in the log, in Received and in Message-ID.
    id: String,
    /// Reads along, when the sender is to be checked.
    scan: Option<Box<Scan>>,
    dropped: u64,
    clean: Vec<u8>,
    passed: Vec<u8>,
    /// Among the messages that come in at once.
    _place: Option<Place>,
}

impl Incoming {
    /// Starts a message; refused at once if its announced size is too much. One of another server's
    /// waits for its place among those that come in.
    pub async fn new(session: &mut Session) -> Result<Incoming, Reply> {
        let place = match session.role {
            Listener::Smtp => {
                let ip = session.conn.peer_ip();
                Some(session.ctx.gate.arrive(ip).await.ok_or(CROWDED)?)
            }
            _ => None,
        };
        let Some(transaction) = &session.transaction else {
            return Err(BUSY);
        };
        let body = session
            .ctx
            .mail
            .body(transaction.params.size)
            .map_err(|e| refusal(&e))?;
        let id = random::octets::<8>().map_err(|_| BUSY)?;
        let id = u64::from_be_bytes(id).to_string();
        let checked =
            session.role == Listener::Smtp && session.ctx.config.verifies(session.conn.peer_ip());
        let mends = session.mends();
        let mend = mends && transaction.params.body != Body::BinaryMime;
        Ok(Incoming {
            body: Some(body),
            refusal: None,
            filter: if mends {
                mending(session, transaction, &id)
            } else {
                Filter::watching()
            }
            .guarding(&session.ctx.config.hostname),
            lines: mend.then(Encoder::lines),
            id,
            scan: checked.then(Box::default),
            dropped: 0,
            clean: Vec::new(),
            passed: Vec::new(),
            _place: place,
        })
    }

    /// Takes octets of the message. False when so much was thrown away that the connection
    /// should end.
    pub async fn push(&mut self, octets: &[u8]) -> bool {
        if self.body.is_none() {
            self.dropped += octets.len() as u64;
            return self.dropped < limits::DRAIN_OCTETS;
        }
        if let Some(scan) = &mut self.scan {
            scan.push(octets);
        }
        match &mut self.lines {
            Some(lines) => {
                self.clean.clear();
                lines.encode(octets, &mut self.clean);
                self.passed.clear();
                self.filter.pass(&self.clean, &mut self.passed);
            }
            None => {
                self.passed.clear();
                self.filter.pass(octets, &mut self.passed);
            }
        }
        self.store().await;
        true
    }

    /// Hands what passed the filter to the engine.
    async fn store(&mut self) {
        let Some(body) = &mut self.body else { return };
        if let Err(error) = body.push(&self.passed).await {
            self.refuse(refusal(&error));
        }
    }

    /// Gives the message up; what still comes is thrown away.
    pub fn refuse(&mut self, reply: Reply) {
        self.body = None;
        self.refusal.get_or_insert(reply);
    }

    /// Why the message was given up.
    pub fn take_refusal(&mut self) -> Option<Reply> {
        self.refusal.take()
    }

    /// The message is complete: files it, and answers. 250 is given after the durable commit and
    /// never before; a client that goes away now sends it again, and that is the better mistake.
    pub async fn finish(mut self, session: &Session, transaction: Transaction) -> Reply {
        self.passed.clear();
        if let Some(lines) = &mut self.lines {
            self.clean.clear();
            lines.finish(&mut self.clean);
            self.filter.pass(&self.clean, &mut self.passed);
        }
        self.filter.finish(&mut self.passed);
        self.store().await;
        // RFC 5321 §6.3
        if self.filter.received() >= limits::HOPS {
            self.refuse(LOOP);
        }
        let (Some(body), None) = (self.body, self.refusal.as_ref()) else {
            return self.refusal.unwrap_or(BUSY);
        };
        let origin = match self.scan {
            Some(scan) => Box::pin(origin::check(session, &transaction, *scan, &self.id)).await,
            None => Ok(Origin::default()),
        };
        let origin = match origin {
            Ok(origin) => origin,
            Err(reply) => return reply,
        };
        // RFC 8689 §4.1: the parameter goes before the field.
        let tls = match (transaction.params.requiretls, self.filter.is_tls_optional()) {
            (true, _) => Wish::Required,
            (false, true) => Wish::Optional,
            (false, false) => Wish::Usual,
        };
        match file(session, transaction, body, &self.id, &origin, tls).await {
            Ok(()) => Reply::of(250, Enhanced(2, 0, 0), format!("Ok, stored as {}", self.id)),
            Err(error) => {
                log::warn!(
                    "[{}] {} not stored: {error}",
                    session.conn.number(),
                    self.id
                );
                refusal(&error)
            }
        }
    }
}

/// One commit: the message in INBOX for local recipients, in the queue for the others.
async fn file(
    session: &Session,
    transaction: Transaction,
    body: BodyWriter,
    id: &str,
    origin: &Origin,
    tls: Wish,
) -> mail::Result<()> {
    let prefix = trace_fields(session, &transaction, id, &origin.results);
    let size = body.len();
    let staged = body.finish(prefix.as_bytes()).await?;
    let number = session.conn.number();
    let shown = transaction
        .sender
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let count = transaction.recipients.len();
    let envelope = envelope(&transaction, tls);
    let answerable = session.user.is_none() && has_way(session, &envelope);
    let sender = transaction.sender.clone();
    let held = !envelope.release.is_empty();
    // The queue reports success (RFC 3461 §4.1), so what is to be reported goes through it. Strangers
    // get reports where their address is proved and there is a way to it: else whoever writes a
    // false sender would have us send mail to anybody.
    let known =
        session.user.is_some() || origin.proved && !origin.junk && has_way(session, &envelope);
    let reported = |to: &Rcpt| known && to.params.notify.is_some_and(|notify| notify.success);
    let (local, remote): (Vec<Rcpt>, Vec<Rcpt>) = transaction
        .recipients
        .into_iter()
        .partition(|to| to.route == Route::Local && !held && !reported(to));
    let remote: Vec<_> = remote.into_iter().map(queued).collect();
    let queue = !remote.is_empty();
    let here = !local.is_empty() && !origin.junk;
    let item = outbound::Item::new(clock::now())?;
    let mut commit = Commit::default();
    let mut mailboxes = Vec::new();
    if !local.is_empty() {
        mailboxes.push(mailbox(session, origin.junk)?);
    }
    let sent = session.user.is_some() && session.ctx.config.sent_copy;
    if sent && let Some(copy) = session.ctx.mail.meta().by_role(Role::Sent) {
        mailboxes.push(copy.id);
    }
    commit.add.push(NewEmail {
        source: Source::Staged(staged),
        mailboxes,
        // One's own words are known, unless they are one's mail at the same time.
        flags: match sent && local.is_empty() {
            true => Flags::SEEN,
            false => Flags::default(),
        },
        keywords: Vec::new(),
        internaldate: None,
        hold: queue,
    });
    if queue {
        commit.put = Some(Box::new(move |added| {
            added
                .first()
                .map(|it| outbound::rows(item, it.email, &envelope, remote))
                .unwrap_or_default()
        }));
    }
    let added = session.ctx.mail.commit(commit).await?;
    count::add(count::Of::Accepted, session.role as usize, 1);
    if queue {
        outbound::ring();
    }
    let email = added.first().map_or(EmailId(0), |it| it.email);
    if here && sender.is_none() {
        receipt::arrived(&session.ctx.mail, email).await;
    }
    if here && answerable {
        let config = &session.ctx.config;
        let arrival = Arrival {
            email,
            sender: sender.as_ref(),
            tls,
            hostname: &config.hostname,
            owns: &|address| config.owns(address),
        };
        Box::pin(vacation::arrived(&session.ctx.mail, arrival)).await;
    }
    log::info!("[{number}] {id} from <{shown}> to {count}, {size} octets: email {email}");
    Ok(())
}

/// Is there a way to whoever sent it?
fn has_way(session: &Session, envelope: &outbound::Envelope) -> bool {
    let sender = envelope.sender.as_ref();
    sender.is_some_and(|sender| session.ctx.config.has_way(sender.domain()))
}

/// INBOX, or Junk if there is one.
fn mailbox(session: &Session, junk: bool) -> mail::Result<mail::MailboxId> {
    let meta = session.ctx.mail.meta();
    let aside = junk.then(|| meta.by_role(Role::Junk)).flatten();
    aside
        .or_else(|| meta.by_role(Role::Inbox))
        .map(|mailbox| mailbox.id)
        .ok_or(mail::Error::NoSuchMailbox)
}

fn envelope(transaction: &Transaction, tls: Wish) -> outbound::Envelope {
    let hold = transaction.params.hold.as_ref();
    outbound::Envelope {
        sender: transaction.sender.clone(),
        envid: transaction.params.envid.clone(),
        full: transaction.params.ret.map(|ret| ret == Ret::Full),
        binary: transaction.params.body == Body::BinaryMime,
        created: hold.and_then(release).unwrap_or_else(clock::now),
        priority: transaction.params.priority.unwrap_or(0),
        tls,
        release: match hold {
            Some(Hold::For(seconds)) => format!("for;{seconds}"),
            Some(Hold::Until(_, text)) => format!("until;{text}"),
            None => String::new(),
        },
    }
}

fn queued(to: Rcpt) -> outbound::Recipient {
    outbound::Recipient {
        address: to.address,
        notify: to.params.notify,
        orcpt: to.params.orcpt,
    }
}

/// Return-Path and Received (RFC 5321 §4.4). Return-Path is for final delivery; the queue takes it
/// off again before it sends.
fn trace_fields(session: &Session, transaction: &Transaction, id: &str, results: &str) -> String {
    let hello = session.hello.as_ref();
    let tls = session
        .conn
        .tls_info()
        .map(|(version, suite)| format!("{version} {suite}"));
    let only = match transaction.recipients.as_slice() {
        // RFC 6531 §3.7.3: other octets here would bar the message from servers of old.
        [one] if one.address.is_ascii() => Some(&one.address),
        _ => None,
    };
    let received = Received {
        helo: hello.map_or("", |hello| &hello.name),
        peer: session.conn.peer_ip(),
        by: &session.ctx.config.hostname,
        with: trace::with(
            hello.is_some_and(|hello| hello.esmtp),
            transaction.params.smtputf8,
            session.conn.is_tls(),
            session.user.is_some(),
        ),
        tls: tls.as_deref(),
        id,
        recipient: only,
        priority: transaction.params.priority,
        date: &received_at(),
    };
    trace::return_path(transaction.sender.as_ref()) + results + &received.field()
}

/// Now, as a date-time; one that cannot be right is marked (RFC 5322 §3.3 ends it with a comment if wanted).
fn received_at() -> String {
    let mut date = DateTime::utc(i64::from(clock::now())).mail();
    if !clock::is_set() {
        date.push_str(" (the clock was not set)");
    }
    date
}

/// What a submission gets if it has none (RFC 6409 §8.2, §8.3).
fn mending(session: &Session, transaction: &Transaction, id: &str) -> Filter {
    let now = DateTime::utc(i64::from(clock::now())).mail();
    let mut missing = vec![
        Missing {
            name: "Date",
            field: format!("Date: {now}\r\n"),
        },
        Missing {
            name: "Message-ID",
            field: format!(
                "Message-ID: <{id}.{}@{}>\r\n",
                clock::now(),
                session.ctx.config.hostname
            ),
        },
    ];
    if let Some(sender) = &transaction.sender {
        // A message without From is none (RFC 5322 §3.6), and scripts send such.
        missing.push(Missing {
            name: "From",
            field: format!("From: {sender}\r\n"),
        });
    }
    Filter::mending(missing)
}

/// What the engine's refusals are to an SMTP client.
pub(super) fn refusal(error: &mail::Error) -> Reply {
    use mail::Error as E;
    match error {
        E::TooLarge(_) => TOO_LARGE,
        E::OverQuota => Reply::new(
            452,
            Enhanced(4, 2, 2),
            "The mailbox is full, try again later",
        ),
        E::DiskFull => Reply::new(452, Enhanced(4, 3, 1), "The disk is full, try again later"),
        E::Limit(_) => Reply::new(
            452,
            Enhanced(4, 3, 1),
            "A limit is reached, try again later",
        ),
        E::Unavailable => BUSY,
        E::NoPermission => Reply::new(550, Enhanced(5, 7, 1), "Not permitted"),
        // None of these can come of a delivery. Should one, the sender keeps the message.
        E::NoSuchMailbox
        | E::MailboxExists
        | E::MailboxHasChildren
        | E::MailboxNotEmpty
        | E::InboxStays
        | E::BadName(_)
        | E::RoleTaken
        | E::ParentLoop
        | E::NoSuchEmail
        | E::NoMailboxes
        | E::TooManyKeywords
        | E::BadKeyword
        | E::StateMismatch
        | E::NotAnnotated(_)
        | E::CannotCalculate => Reply::new(451, Enhanced(4, 3, 0), "Local error, try again later"),
    }
}

/// RFC 1870 §6.3.
pub(super) const TOO_LARGE: Reply = Reply::new(
    552,
    Enhanced(5, 3, 4),
    "The message is larger than this server takes (see SIZE)",
);
const BUSY: Reply = Reply::new(
    451,
    Enhanced(4, 3, 0),
    "The store is not available, try again later",
);
const CROWDED: Reply = Reply::new(
    451,
    Enhanced(4, 3, 2),
    "Too many messages come in at once, try again later",
);
const LOOP: Reply = Reply::new(
    554,
    Enhanced(5, 4, 6),
    "Too many hops: the message is looping",
);
