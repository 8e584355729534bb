//! The answer of somebody who is away (RFC 8621 §8), by the rules of RFC 3834 and RFC 5230 §4.
//!
//! Never to a list, an automaton, nobody or oneself; only to mail that names an own address; to each
//! sender once in [`limits::VACATION_DAYS`] and wording. Who was answered is remembered in one row,
//! [`limits::VACATION_SENDERS`] of them, written in the commit that queues the answer. It goes out
//! through the queue, from the null reverse-path, and nobody is told if it fails.
use super::address::Address;
use super::outbound::{self, Input, Item, Notify, Recipient, Wish, put_text};
use super::{Commit, DataType, EmailId, Mail, Message, Result, now};
use crate::limits;
use crate::mime::build::{self, Header, Part};
use crate::mime::{DateTime, address, header, html, msgid};
use crate::sys::random;

/// What is to be said, and when.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Vacation {
    /// Whether anything is.
    pub enabled: bool,
    /// Not before, in seconds since 1970.
    pub from: Option<i64>,
    /// No longer from then on.
    pub to: Option<i64>,
    /// The subject; None: one made of the message's.
    pub subject: Option<String>,
    /// The plain text; None: made of `html`, or a sentence.
    pub text: Option<String>,
    /// The same as HTML.
    pub html: Option<String>,
}

const VERSION: u8 = 1;

impl Vacation {
    /// What the account has; all off where nothing was ever set.
    ///
    /// Errors: the store's.
    pub fn of(mail: &Mail) -> Result<Vacation> {
        let records = mail.records(DataType::VacationResponse)?;
        let read = |record: &super::Record| Vacation::decode(&record.data);
        Ok(records.first().and_then(read).unwrap_or_default())
    }

    /// The data of its record.
    pub fn encode(&self) -> Vec<u8> {
        let texts = [&self.subject, &self.text, &self.html];
        let mut flags = u8::from(self.enabled);
        for (bit, some) in [self.from.is_some(), self.to.is_some()]
            .into_iter()
            .chain(texts.map(Option::is_some))
            .enumerate()
        {
            flags |= u8::from(some) << (bit + 1);
        }
        let mut out = vec![VERSION, flags];
        for date in [self.from, self.to] {
            out.extend_from_slice(&date.unwrap_or_default().to_be_bytes());
        }
        for text in texts {
            put_text(&mut out, text.as_deref().unwrap_or_default());
        }
        out
    }

    /// Reads it; None if it is damaged.
    pub fn decode(data: &[u8]) -> Option<Vacation> {
        let mut input = Input(data.strip_prefix(&[VERSION])?);
        let flags = input.octet()?;
        let has = |bit: u8| flags & 1 << bit != 0;
        let (from, to) = (input.long()?.cast_signed(), input.long()?.cast_signed());
        let (subject, text, html) = (input.text()?, input.text()?, input.text()?);
        Some(Vacation {
            enabled: has(0),
            from: has(1).then_some(from),
            to: has(2).then_some(to),
            subject: has(3).then_some(subject),
            text: has(4).then_some(text),
            html: has(5).then_some(html),
        })
    }

    fn holds(&self, now: u32) -> bool {
        let now = i64::from(now);
        self.enabled
            && self.from.is_none_or(|from| from <= now)
            && self.to.is_none_or(|to| now < to)
    }
}

/// A message that just came in.
pub struct Arrival<'a> {
    /// Which.
    pub email: EmailId,
    /// Its reverse-path.
    pub sender: Option<&'a Address>,
    /// How much TLS matters to whoever sent it, and so to the answer (RFC 8689 §6).
    pub tls: Wish,
    /// Our own name.
    pub hostname: &'a str,
    /// Whether an address is the user's.
    pub owns: &'a dyn Fn(&str) -> bool,
}

/// Answers a message that was filed, if the user is away and the message is one to be answered. It
/// is filed whatever happens here.
pub async fn arrived(mail: &Mail, arrival: Arrival<'_>) {
    let vacation = match Vacation::of(mail) {
        Ok(vacation) if vacation.holds(now()) => vacation,
        _ => return,
    };
    match answer(mail, &vacation, &arrival).await {
        Ok(true) => {
            log::info!("vacation: email {} is answered", arrival.email);
            outbound::ring();
        }
        Ok(false) => {}
        Err(error) => log::warn!("vacation: email {} not answered: {error}", arrival.email),
    }
}

async fn answer(mail: &Mail, vacation: &Vacation, arrival: &Arrival<'_>) -> Result<bool> {
    let Some(sender) = arrival.sender else {
        return Ok(false);
    };
    let to = sender.to_string();
    if is_automaton(sender.local()) || (arrival.owns)(&to) {
        return Ok(false);
    }
    let reader = mail.reader()?;
    let Some(message) = reader.message(arrival.email)? else {
        return Ok(false);
    };
    let length = message.header_len.min(limits::VACATION_HEADER);
    let mut block = Vec::new();
    let mut at = 0;
    while at < length {
        match reader.read(&message, at, length - at, &mut block)? {
            0 => break,
            got => at += got,
        }
    }
    drop(reader);
    let Some(from) = addressed(&message, &block, arrival.owns) else {
        return Ok(false);
    };
    if is_automatic(&block) {
        return Ok(false);
    }
    let written = write(vacation, arrival, &message, &block, &from, &to);
    let Some((octets, random)) = written else {
        return Ok(false);
    };
    let mut body = mail.body(None)?;
    body.push(&octets).await?;
    let staged = body.finish(&[]).await?;
    let created = now();
    // The time in front, as in every item; the random tail is the Message-ID's.
    let item = Item(u64::from(created) << 32 | u64::from(random));
    let to = Recipient {
        address: sender.clone(),
        notify: Some(Notify::default()),
        orcpt: None,
    };
    let commit = outbound::own(item, staged, arrival.tls, vec![to], Vec::new());
    mail.answer_once(mark(vacation, sender), created, commit)
        .await
}

const TOLD: &[u8] = b"vacation/told";
/// Octets of an entry of that row: whom, and when.
const ENTRY: usize = 12;

impl Mail {
    /// Makes the commit unless this was done in the last days, and remembers it. The writer decides:
    /// two messages of one sender may arrive at once.
    async fn answer_once(&self, mark: [u8; 8], now: u32, mut commit: Commit) -> Result<bool> {
        self.write_as(0, move |txn, who| {
            let mut told = txn.misc(TOLD)?.unwrap_or_default();
            let from = now.saturating_sub(limits::VACATION_DAYS * 86_400);
            let (entries, _) = told.as_chunks::<ENTRY>();
            let recent = |entry: &&[u8; ENTRY]| {
                let (_, at) = entry.split_at(8);
                at.try_into().map_or(0, u32::from_be_bytes) > from
            };
            let mut kept: Vec<[u8; ENTRY]> = entries.iter().filter(recent).copied().collect();
            if kept.iter().any(|entry| entry.starts_with(&mark)) {
                return Ok(false);
            }
            // They stand in the order of time: the first goes.
            if kept.len() >= limits::VACATION_SENDERS {
                kept.remove(0);
            }
            told.clear();
            told.extend_from_slice(kept.as_flattened());
            told.extend_from_slice(&mark);
            told.extend_from_slice(&now.to_be_bytes());
            // What is refused leaves nothing behind.
            super::deliver::perform(txn, who, &mut commit, (0, 0))?;
            txn.put_misc(TOLD, Some(&told))?;
            Ok(true)
        })
        .await
    }
}

/// Whom, and with which words: other words are another answer (RFC 5230 §4.7).
fn mark(vacation: &Vacation, sender: &Address) -> [u8; 8] {
    let mut all = vacation.encode();
    all.extend_from_slice(sender.to_string().to_lowercase().as_bytes());
    msgid::hash(&all).to_be_bytes()
}

/// RFC 3834 §2, RFC 5230 §4.6: names of lists, servers and those who read nothing.
fn is_automaton(local: &str) -> bool {
    let local = local.to_lowercase();
    let is = |names: &[&str], has: fn(&str, &str) -> bool| names.iter().any(|n| has(&local, n));
    is(&STARTS, |local, name| local.starts_with(name))
        || is(&ENDS, |local, name| local.ends_with(name))
}

const STARTS: [&str; 13] = [
    "owner-",
    "mailer-daemon",
    "listserv",
    "majordomo",
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "bounce",
    "postmaster",
    "prvs=",
    "srs0=",
];
const ENDS: [&str; 4] = ["-request", "-owner", "-bounces", "-noreply"];

/// RFC 3834 §2, RFC 5230 §4.6: what a program wrote or a list sent.
fn is_automatic(block: &[u8]) -> bool {
    header::fields(block).any(|field| {
        let name = field.name.to_ascii_lowercase();
        let value = header::text(field.value).to_ascii_lowercase();
        let word = value.split(';').next().unwrap_or_default().trim();
        match name.as_slice() {
            b"auto-submitted" => word != "no",
            b"precedence" => matches!(word, "bulk" | "list" | "junk"),
            // Of other systems, which ask for no answers of this kind.
            b"x-auto-response-suppress" => value.contains("oof") || value.contains("all"),
            name => name.starts_with(b"list-"),
        }
    })
}

/// The own address that the message names (RFC 5230 §4.5).
fn addressed(message: &Message, block: &[u8], owns: &dyn Fn(&str) -> bool) -> Option<String> {
    let envelope = message.structure().envelope;
    let resent = header::fields(block)
        .filter(|field| field.is("Resent-To") || field.is("Resent-Cc"))
        .flat_map(|field| address::parse(field.value, limits::MIME_ADDRESSES));
    let lists = envelope
        .to
        .into_iter()
        .chain(envelope.cc)
        .chain(envelope.bcc);
    let mut all = lists.chain(resent).filter_map(|to| to.email());
    all.find(|email| owns(email))
}

/// The octets of the answer, and the random number in it.
fn write(
    vacation: &Vacation,
    arrival: &Arrival<'_>,
    message: &Message,
    block: &[u8],
    from: &str,
    to: &str,
) -> Option<(Vec<u8>, u32)> {
    let random = u128::from_ne_bytes(random::octets::<16>().ok()?);
    let structure = message.structure();
    let mailbox = |email: &str| address::Mailbox {
        name: None,
        email: email.to_owned(),
    };
    let mut head = Header::new();
    head.date("Date", DateTime::utc(i64::from(now())));
    head.addresses("From", &[mailbox(from)]);
    head.addresses("To", &[mailbox(to)]);
    // RFC 3834 §3.1.5.
    let subject = vacation.subject.clone().unwrap_or_else(|| {
        let theirs = structure.envelope.subject.as_deref();
        let theirs = theirs.map(header::text).unwrap_or_default();
        "Auto: ".to_owned() + theirs.trim()
    });
    head.text("Subject", &subject);
    head.raw(
        "Message-ID",
        format!(" {}", msgid::generate(random, arrival.hostname)).as_bytes(),
    );
    // RFC 3834 §3.1.6, RFC 5322 §3.6.4.
    let ids = |name| header::last(block, name).and_then(|field| msgid::list(field.value));
    if let Some(id) = ids("Message-ID") {
        head.message_ids("In-Reply-To", &id);
        let mut references = ids("References").unwrap_or_default();
        let old = references.len().saturating_sub(limits::MIME_REFERENCES);
        references.drain(..old);
        references.extend(id);
        head.message_ids("References", &references);
    }
    // RFC 3834 §3.1.7 and §5.1.
    head.raw("Auto-Submitted", b" auto-replied");
    let text = vacation.text.clone();
    let text = text.or_else(|| vacation.html.as_deref().map(html::to_text));
    let text = Part::<Vec<u8>>::text("plain", text.as_deref().unwrap_or(AWAY));
    let root = match &vacation.html {
        Some(html) => Part::multipart("alternative", &[], vec![text, Part::text("html", html)]),
        None => text,
    };
    let octets = build::concat(&build::message(&head, root, random.rotate_left(64)));
    // The low half is as random as the whole.
    Some((octets, random as u32))
}

const AWAY: &str = "I am away, and may not read your message for some time.\n";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn automata() {
        for local in [
            "owner-x",
            "MAILER-DAEMON",
            "x-Request",
            "No-Reply",
            "bounces+1",
            "postmaster",
        ] {
            assert!(is_automaton(local), "{local}");
        }
        assert!(!is_automaton("anna") && !is_automaton("request"));
        assert!(is_automatic(b"Auto-Submitted: Auto-Replied; x=y\r\n\r\n"));
        assert!(!is_automatic(
            b"auto-submitted: No\r\nSubject: list-id: x\r\n\r\n"
        ));
        assert!(is_automatic(b"LIST-ID: <a.b>\r\n\r\n"));
        assert!(is_automatic(b"Precedence: bulk\r\n\r\n"));
    }

    proptest! {
        #[test]
        fn comes_back(enabled: bool, from: Option<i64>, to: Option<i64>, subject: Option<String>, text: Option<String>, html: Option<String>) {
            let vacation = Vacation { enabled, from, to, subject, text, html };
            prop_assert!(Vacation::decode(&vacation.encode()) == Some(vacation));
        }

        #[test]
        fn damaged_ones_do_not_panic(data in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Vacation::decode(&data);
        }
    }
}
