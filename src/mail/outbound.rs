//! Mail on its way out: what every protocol hands to the queue, and how its rows look.
//!
//! A queued email is an email like any other, with a hold on it (so that it needs no mailbox), one
//! envelope row and one row per recipient domain. They are written in the same commit that makes or
//! holds the email: what was acknowledged is in the queue, and what was not is nowhere.
//!
//! ```text
//! queue/m/<item: 8 octets>            Envelope and the email's id
//! queue/o/<item: 8 octets><domain>    Order: what a person wants done with a batch
//! queue/d/<item: 8 octets><domain>    Batch: the recipients at one domain, and when to try next
//! ```
//! An item is one submission. The same email may be submitted twice (RFC 8621 §7), so its id is not
//! the item's.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use super::address::Address;
use super::{Commit, EmailId, Error, NewEmail, Put, Result, Staged};
use crate::sys::random;

/// One submission in the queue; grows with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(pub u64);

impl Item {
    /// A new one, for what is handed in at `created` (seconds since 1970). Random behind the time.
    pub fn new(created: u32) -> Result<Item> {
        let tail = random::octets::<4>().map_err(|_| Error::Unavailable)?;
        Ok(Item(
            u64::from(created) << 32 | u64::from(u32::from_be_bytes(tail)),
        ))
    }

    /// When it was handed in, in seconds since 1970, as the clock was.
    pub fn made(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// How much TLS matters to the sender (RFC 8689).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// As the recipient's domain wants it.
    #[default]
    Usual,
    /// REQUIRETLS: to hosts that are who they say they are and promise the same, or back.
    Required,
    /// `TLS-Required: No`: rather without than not at all.
    Optional,
}

impl Wish {
    fn from_bits(bits: u8) -> Wish {
        match bits & 3 {
            1 => Wish::Required,
            2 => Wish::Optional,
            _ => Wish::Usual,
        }
    }
}

/// Whose mail it is and what the sender wants to hear of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse-path; None is the null one, which never gets a bounce (RFC 5321 §4.5.5).
    pub sender: Option<Address>,
    /// ENVID (RFC 3461 §4.4), decoded.
    pub envid: Option<String>,
    /// RET=FULL (true) or RET=HDRS (RFC 3461 §4.3).
    pub full: Option<bool>,
    /// The octets are no lines (BODY=BINARYMIME, RFC 3030 §3) and must not be mended on the way.
    pub binary: bool,
    /// When it was handed in, or is to be released: seconds since 1970.
    pub created: u32,
    /// How soon it goes among others: from -9 to 9 (RFC 6710).
    pub priority: i8,
    /// How much TLS matters.
    pub tls: Wish,
    /// What was asked for about its release, as RFC 4865 §5.1.2 reports it; empty for nothing.
    pub release: String,
}

/// One recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub address: Address,
    /// When the sender wants to hear; None: on failure (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// ORCPT as `type;address`, decoded (RFC 3461 §4.2).
    pub orcpt: Option<String>,
}

/// NOTIFY (RFC 3461 §4.1). All false is NEVER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// When it was delivered, or handed to a host that does not report.
    pub success: bool,
    /// When it cannot be delivered.
    pub failure: bool,
    /// When it is late.
    pub delay: bool,
}

/// The recipients at one domain that still wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// When to try next, seconds since 1970.
    pub due: u32,
    /// Attempts begun.
    pub attempts: u16,
    /// The sender was told that it is late.
    pub warned: bool,
    /// It waits until a person lets it go.
    pub held: bool,
    /// How soon it goes among others.
    pub priority: i8,
    /// How much TLS matters.
    pub tls: Wish,
    /// The sender's domain, in lower case; empty for nobody.
    pub from: String,
    /// What the last attempt met, in one line.
    pub last: String,
    /// Who.
    pub recipients: Vec<Recipient>,
}

/// Where all rows of the queue stand.
pub const BATCHES: &[u8] = b"queue/d/";
const ENVELOPES: &[u8] = b"queue/m/";

/// Rung when the queue has something new. One for the process: an idle wake-up costs nothing.
static BELL: event_listener::Event = event_listener::Event::new();
static RETRIES: AtomicU32 = AtomicU32::new(0);

/// Waits for [`ring()`]. Listen first, then look, then await.
pub fn listen() -> event_listener::EventListener {
    BELL.listen()
}

/// Wakes the queue; after the commit that added something to it.
pub fn ring() {
    BELL.notify(usize::MAX);
}

/// The rows that put `email` in the queue. For a new email pass this as [`Commit::put`](crate::mail::Commit::put) and set
/// `hold`; then call [`ring()`].
pub fn rows(
    item: Item,
    email: EmailId,
    envelope: &Envelope,
    recipients: Vec<Recipient>,
) -> Vec<Put> {
    let mut domains: BTreeMap<String, Vec<Recipient>> = BTreeMap::new();
    for recipient in recipients {
        let domain = recipient.address.domain().to_lowercase();
        domains.entry(domain).or_default().push(recipient);
    }
    let from = envelope.sender.as_ref();
    let from = from.map_or(String::new(), |sender| sender.domain().to_lowercase());
    let mut puts = vec![(envelope_key(item), Some(envelope.encode(email)))];
    for (domain, recipients) in domains {
        let batch = Batch {
            due: envelope.created,
            attempts: 0,
            warned: false,
            held: false,
            priority: envelope.priority,
            // RFC 8689 §4.2.1: not what comes from nobody.
            tls: match (&envelope.sender, envelope.tls) {
                (None, Wish::Required) => Wish::Usual,
                (_, tls) => tls,
            },
            from: from.clone(),
            last: String::new(),
            recipients,
        };
        puts.push((batch_key(item, &domain), Some(batch.encode())));
    }
    puts
}

/// What hands a message of our own to the queue, which alone owns it: from nobody, so that nothing
/// answers it (RFC 5321 §4.5.5). `puts` go along; then call [`ring()`].
pub fn own(
    item: Item,
    staged: Staged,
    tls: Wish,
    to: Vec<Recipient>,
    mut puts: Vec<Put>,
) -> Commit {
    let envelope = Envelope {
        // An item begins with the second in which it was made.
        created: item.made(),
        tls,
        ..Envelope::default()
    };
    Commit {
        add: vec![NewEmail::held(staged)],
        put: Some(Box::new(move |added| {
            if let Some(added) = added.first() {
                puts.extend(rows(item, added.email, &envelope, to));
            }
            puts
        })),
        ..Commit::default()
    }
}

/// Asks the queue to try everything now. Only the queue itself changes rows that are in it: whoever
/// else wrote one back could bring a message to life again that was just sent.
pub fn retry_all() {
    RETRIES.fetch_add(1, Ordering::SeqCst);
    ring();
}

/// How often [`retry_all`] was called.
pub fn retries() -> u32 {
    RETRIES.load(Ordering::SeqCst)
}

/// What a person wants done with a batch. It is written down, and the queue does it: nobody else
/// changes rows that are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Try now, and let it go if it is held.
    Retry,
    /// Do not try until told to.
    Hold,
    /// Take it out, and tell the sender.
    Drop,
}

/// Where orders stand.
pub const ORDERS: &[u8] = b"queue/o/";

impl Order {
    /// By its name.
    pub fn parse(name: &str) -> Option<Order> {
        match name {
            "retry" => Some(Order::Retry),
            "hold" => Some(Order::Hold),
            "drop" => Some(Order::Drop),
            _ => None,
        }
    }

    /// The row that gives this order about a batch.
    pub fn put(self, item: Item, domain: &str) -> Put {
        let key = [ORDERS, &item.0.to_be_bytes(), domain.as_bytes()].concat();
        (key, Some(vec![self as u8]))
    }

    /// Reads a row; None for one that is no order.
    pub fn read(key: &[u8], row: &[u8]) -> Option<(Item, String, Order)> {
        let (item, domain) = key.strip_prefix(ORDERS)?.split_first_chunk::<8>()?;
        let domain = std::str::from_utf8(domain).ok()?.to_owned();
        let orders = [Order::Retry, Order::Hold, Order::Drop];
        let order = orders.into_iter().find(|order| row == [*order as u8])?;
        Some((Item(u64::from_be_bytes(*item)), domain, order))
    }
}

/// The key of an item's envelope.
pub fn envelope_key(item: Item) -> Vec<u8> {
    [ENVELOPES, &item.0.to_be_bytes()].concat()
}

/// The start of the keys of all batches of an item.
pub fn batches_of(item: Item) -> Vec<u8> {
    [BATCHES, &item.0.to_be_bytes()].concat()
}

/// The key of one batch. `domain` is in lower case.
pub fn batch_key(item: Item, domain: &str) -> Vec<u8> {
    [BATCHES, &item.0.to_be_bytes(), domain.as_bytes()].concat()
}

/// The item and the domain of a batch's key.
pub fn parse_batch_key(key: &[u8]) -> Option<(Item, String)> {
    let (item, domain) = key.strip_prefix(BATCHES)?.split_first_chunk::<8>()?;
    let domain = std::str::from_utf8(domain).ok()?;
    Some((Item(u64::from_be_bytes(*item)), domain.to_owned()))
}

/// First octet of both rows, so that they can change shape later.
const VERSION: u8 = 1;
/// Batches have the sender's domain from 2 on, their priority from 3 on.
const BATCH: u8 = 3;

impl Envelope {
    /// The row.
    pub fn encode(&self, email: EmailId) -> Vec<u8> {
        let mut out = vec![VERSION];
        let flags = u8::from(self.binary)
            | u8::from(self.full.is_some()) << 1
            | u8::from(self.full == Some(true)) << 2
            | (self.tls as u8) << 3;
        out.push(flags);
        out.extend_from_slice(&email.0.to_be_bytes());
        out.extend_from_slice(&self.created.to_be_bytes());
        put_text(
            &mut out,
            &self
                .sender
                .as_ref()
                .map(Address::to_string)
                .unwrap_or_default(),
        );
        put_text(&mut out, self.envid.as_deref().unwrap_or_default());
        put_text(&mut out, &self.release);
        out.extend_from_slice(&self.priority.to_be_bytes());
        out
    }

    /// Reads the row; None if it is damaged.
    pub fn decode(row: &[u8]) -> Option<(EmailId, Envelope)> {
        let mut input = Input(row.strip_prefix(&[VERSION])?);
        let flags = input.octet()?;
        let email = u64::from(input.number()?) << 32 | u64::from(input.number()?);
        let created = input.number()?;
        let sender = match input.text()? {
            text if text.is_empty() => None,
            text => Some(Address::parse(&text).ok()?),
        };
        let envid = Some(input.text()?).filter(|text| !text.is_empty());
        let full = (flags & 2 != 0).then_some(flags & 4 != 0);
        let envelope = Envelope {
            sender,
            envid,
            full,
            binary: flags & 1 != 0,
            created,
            tls: Wish::from_bits(flags >> 3),
            // Older rows end here.
            release: input.text().unwrap_or_default(),
            priority: input.octet().map_or(0, u8::cast_signed),
        };
        Some((EmailId(email), envelope))
    }
}

impl Batch {
    /// The row.
    pub fn encode(&self) -> Vec<u8> {
        let flags = u8::from(self.warned) | u8::from(self.held) << 1 | (self.tls as u8) << 2;
        let mut out = vec![BATCH, flags];
        out.extend_from_slice(&self.due.to_be_bytes());
        out.extend_from_slice(&self.attempts.to_be_bytes());
        put_text(&mut out, &self.last);
        put_text(&mut out, &self.from);
        out.extend_from_slice(&self.priority.to_be_bytes());
        for recipient in &self.recipients {
            put_text(&mut out, &recipient.address.to_string());
            put_text(&mut out, recipient.orcpt.as_deref().unwrap_or_default());
            out.push(recipient.notify.map_or(8, Notify::bits));
        }
        out
    }

    /// Reads the row; None if it is damaged.
    pub fn decode(row: &[u8]) -> Option<Batch> {
        let mut input = Input(row);
        let version = input.octet().filter(|it| (VERSION..=BATCH).contains(it))?;
        let flags = input.octet()?;
        let due = input.number()?;
        let attempts = u16::from_be_bytes([input.octet()?, input.octet()?]);
        let last = input.text()?;
        let from = match version {
            VERSION => String::new(),
            _ => input.text()?,
        };
        let priority = match version {
            BATCH => input.octet()?.cast_signed(),
            _ => 0,
        };
        let mut recipients = Vec::new();
        while !input.0.is_empty() {
            let address = Address::parse(&input.text()?).ok()?;
            let orcpt = Some(input.text()?).filter(|text| !text.is_empty());
            let notify = Notify::from_bits(input.octet()?);
            recipients.push(Recipient {
                address,
                notify,
                orcpt,
            });
        }
        Some(Batch {
            due,
            attempts,
            warned: flags & 1 != 0,
            held: flags & 2 != 0,
            tls: Wish::from_bits(flags >> 2),
            priority,
            from,
            last,
            recipients,
        })
    }
}

impl Notify {
    fn bits(self) -> u8 {
        u8::from(self.success) | u8::from(self.failure) << 1 | u8::from(self.delay) << 2
    }

    fn from_bits(bits: u8) -> Option<Notify> {
        let notify = Notify {
            success: bits & 1 != 0,
            failure: bits & 2 != 0,
            delay: bits & 4 != 0,
        };
        if bits < 8 { Some(notify) } else { None }
    }
}

/// Texts are bounded by the command line, far below 64 KiB; longer ones are cut.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = text.get(..end).unwrap_or_default();
    out.extend_from_slice(&u16::try_from(end).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Reads rows.
pub(super) struct Input<'a>(pub &'a [u8]);

impl Input<'_> {
    pub fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn long(&mut self) -> Option<u64> {
        Some(u64::from(self.number()?) << 32 | u64::from(self.number()?))
    }

    pub fn number(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    pub fn long_text(&mut self) -> Option<String> {
        let len = usize::try_from(self.number()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }

    pub fn text(&mut self) -> Option<String> {
        let len = usize::from(u16::from_be_bytes([self.octet()?, self.octet()?]));
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[test]
    fn one_row_per_domain() {
        let envelope = Envelope {
            sender: Some(address("me@here")),
            envid: Some("id".into()),
            full: Some(false),
            binary: false,
            created: 7,
            priority: -9,
            tls: Wish::Required,
            release: "for;7".into(),
        };
        let row = envelope.encode(EmailId(1 << 33 | 5));
        assert_eq!(
            Envelope::decode(&row),
            Some((EmailId(1 << 33 | 5), envelope.clone()))
        );
        let to = |text: &str| Recipient {
            address: address(text),
            notify: None,
            orcpt: None,
        };
        let puts = rows(
            Item(7),
            EmailId(5),
            &envelope,
            vec![to("a@X"), to("b@y"), to("c@x")],
        );
        assert_eq!(puts.len(), 3);
        assert_eq!(parse_batch_key(&puts[1].0), Some((Item(7), "x".into())));
        let batch = Batch::decode(puts[1].1.as_deref().unwrap()).unwrap();
        assert_eq!(batch.recipients.len(), 2);
        assert!(puts[1].0.starts_with(&batches_of(Item(7))));
    }

    proptest! {
        #[test]
        fn batches_come_back(due: u32, attempts: u16, warned: bool, held: bool, last in "\\PC{0,20}", bits in 0u8..9, orcpt in proptest::option::of("[a-z;]{1,9}")) {
            let to = Recipient { address: address("\"ü x\"@y.z"), notify: Notify::from_bits(bits), orcpt };
            let batch = Batch { due, attempts, warned, held, tls: Wish::from_bits(bits), priority: bits.cast_signed(), from: last.clone(), last, recipients: vec![to.clone(), to] };
            prop_assert_eq!(Batch::decode(&batch.encode()), Some(batch));
        }

        #[test]
        fn damaged_rows_do_not_panic(row in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Batch::decode(&row);
            let _ = Envelope::decode(&row);
            let _ = parse_batch_key(&row);
        }
    }
}
