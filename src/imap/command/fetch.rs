//! FETCH and UID FETCH (RFC 9051 §6.4.5, RFC 7162 §3.1.4, RFC 8970, RFC 8514 §4.2).
//!
//! Flags, dates, sizes come from the rows; ENVELOPE and BODYSTRUCTURE from what was stored at
//! arrival; only BODY[...] and BINARY[...] read the message, and of it only what was asked for
//! (`body.rs`). The output leaves whenever 16 KiB have come together, and no look at the store is
//! kept while it does.

use super::body;
use super::store::own;
use crate::imap::answer::{Answer, Run, Stop};
use crate::imap::session::Session;
use crate::imap::tell::{batch, flags};
use crate::imap::wire::fetch::{Fetch, Item};
use crate::imap::wire::search::Partial as Page;
use crate::imap::wire::{Numbers, date, encode, envelope, structure};
use crate::limits;
use crate::mail::{
    FlagChange, FlagMode, Flags, Mail, Message, Meta, Modseq, Reader, Rights, Row, UidSet,
};
use crate::mime::Structure;
use log::warn;
use smol::future::yield_now;
use std::sync::Arc;

/// FETCH.
pub async fn run(session: &mut Session, args: &Fetch, numbers: Numbers) -> Run {
    if let Some(why) = misuse(session, args, numbers) {
        return Answer::bad(why).stop();
    }
    let (items, since) = prepare(session, args, numbers);
    let selected = session.selected()?;
    let (mailbox, read_only) = (selected.mailbox, selected.read_only);
    let mut uids = selected.resolve(&args.set, numbers).or_else(Answer::stop)?;
    let mail = session.mail();
    // RFC 9394 §3.4: first the page, and of it what changed.
    if let Some(partial) = args.partial {
        uids = page(&uids, partial);
    }
    if let Some(since) = since {
        let changed = match args.vanished {
            true => vanished(session, args, since).await?,
            false => mail.changes(mailbox, since)?.changed,
        };
        uids = changed.and(&uids);
    }
    // RFC 4314 §4: only whoever may set \Seen does it by reading.
    let may_set = !read_only && mail.rights(mailbox).has(Rights::SEEN);
    let sets_seen = may_set && items.iter().any(Item::sets_seen);
    // RFC 9051 §6.4.5: the flags that reading changes belong into the same response. Where they have
    // a MODSEQ to come with (RFC 7162 §3.2), they are told at the end.
    let inline = sets_seen && !session.enabled.condstore;
    let items = &items;
    let mut unseen = UidSet::new();
    let mut found = 0;
    let mut from = uids.first();
    while let Some(first) = from {
        let (rows, next) = batch(&mail, mailbox, &uids, first)?;
        let mut look = Look::new(mail.clone());
        for row in rows
            .iter()
            .filter(|row| since.is_none_or(|since| row.modseq > since))
        {
            let mut row = *row;
            let reads = sets_seen && !row.flags.has(Flags::SEEN);
            if reads {
                unseen.insert(row.uid);
            }
            if reads && inline {
                row.flags = row.flags.with(Flags::SEEN);
            }
            one(session, &mut look, items, &row, reads && inline)
                .await
                .map_err(in_response)?;
        }
        found += rows.len();
        drop(look);
        session.conn.spill().await?;
        yield_now().await;
        from = next;
    }
    mark_seen(session, &unseen, inline).await?;
    if session.take_unknown_cte() {
        return Answer::no("[UNKNOWN-CTE] the encoding of a part is not known").stop();
    }
    if found < uids.len() as usize {
        return Ok(Answer::ok(
            "[EXPUNGEISSUED] FETCH completed, some messages are gone",
        ));
    }
    Ok(Answer::ok("FETCH completed"))
}

/// The members at these places.
fn page(uids: &UidSet, partial: Page) -> UidSet {
    let places = partial.of(uids.len());
    match (
        uids.nth(places.start),
        places.end.checked_sub(1).and_then(|at| uids.nth(at)),
    ) {
        (Some(first), Some(last)) if !places.is_empty() => uids.and(&UidSet::range(first, last)),
        _ => UidSet::new(),
    }
}

/// Why the modifiers do not go together (RFC 7162 §3.2.6, RFC 9394 §3.3).
fn misuse(session: &Session, args: &Fetch, numbers: Numbers) -> Option<&'static str> {
    if args.partial.is_some() && numbers == Numbers::Sequence {
        Some("PARTIAL goes with UID FETCH")
    } else if !args.vanished {
        None
    } else if numbers == Numbers::Sequence {
        Some("VANISHED goes with UID FETCH")
    } else if !session.enabled.qresync {
        Some("QRESYNC was not enabled: ENABLE QRESYNC first")
    } else if args.changed_since.is_none() {
        Some("VANISHED goes with CHANGEDSINCE")
    } else {
        None
    }
}

/// Tells which of the set are gone, before anything else; returns what may have changed.
async fn vanished(session: &mut Session, args: &Fetch, since: Modseq) -> Result<UidSet, Stop> {
    let selected = session.selected()?;
    let meta = session.mail().meta();
    let uidnext = meta
        .mailbox(selected.mailbox)
        .map_or(1, |m| m.counters.uidnext);
    let all = UidSet::range(1, uidnext.saturating_sub(1));
    let wanted = selected.span(&args.set).and(&all);
    session.vanished_earlier(&wanted, since).await
}

/// The items, with those that the command's form implies.
fn prepare(session: &mut Session, args: &Fetch, numbers: Numbers) -> (Vec<Item>, Option<Modseq>) {
    let mut items = args.items.clone();
    // RFC 9051 §6.4.9: UID FETCH always says the UID; UIDFETCH has it anyway (RFC 9586 §3.3).
    let missing = !session.enabled.uid_only && !items.contains(&Item::Uid);
    if numbers == Numbers::Uid && missing {
        items.insert(0, Item::Uid);
    }
    // RFC 7162 §3.1.4.1: CHANGEDSINCE implies MODSEQ.
    if args.changed_since.is_some() && !items.contains(&Item::ModSeq) {
        items.push(Item::ModSeq);
    }
    if items.contains(&Item::ModSeq) {
        session.condstore();
    }
    (items, args.changed_since)
}

/// \Seen for all that was read, in one operation; the end of the command tells the new flags, unless
/// that was done already (`told`).
async fn mark_seen(session: &mut Session, unseen: &UidSet, told: bool) -> Result<(), Stop> {
    if unseen.is_empty() {
        return Ok(());
    }
    let selected = session.selected()?;
    let mailbox = selected.mailbox;
    let mail = session.mail();
    let before = mail.changes(mailbox, selected.modseq())?;
    let (mode, flags, keywords) = (FlagMode::Add, Flags::SEEN, Vec::new());
    let change = FlagChange {
        mode,
        flags,
        keywords,
    };
    let done = mail.set_flags(mailbox, unseen, change, None).await?;
    if told {
        own(session, &before, &done, true)
    } else {
        Ok(())
    }
}

/// FETCH responses for new messages, with what NOTIFY asked for (RFC 5465 §5.2). \Seen stays as it is.
pub async fn unasked(
    session: &mut Session,
    uids: &UidSet,
    mut items: Vec<Item>,
) -> Result<(), Stop> {
    // RFC 7162 §3.2.4.
    let implied = [Item::Uid, Item::ModSeq];
    for item in implied.into_iter().filter(|_| session.enabled.condstore) {
        let redundant = item == Item::Uid && session.enabled.uid_only;
        if !redundant && !items.contains(&item) {
            items.push(item);
        }
    }
    let mail = session.mail();
    let mailbox = session.selected()?.mailbox;
    let mut from = uids.first();
    while let Some(first) = from {
        let (rows, next) = batch(&mail, mailbox, uids, first)?;
        let mut look = Look::new(mail.clone());
        for row in &rows {
            one(session, &mut look, &items, row, false)
                .await
                .map_err(in_response)?;
        }
        drop(look);
        from = next;
        session.breathe(from.is_some()).await?;
    }
    session.take_unknown_cte();
    Ok(())
}

/// A look at the store, renewed after every wait.
pub struct Look {
    mail: Arc<Mail>,
    open: Option<(Reader, Arc<Meta>)>,
    message: Option<(Message, Option<Structure>)>,
    /// Buffers that header blocks pass through, kept from message to message.
    pub piece: Vec<u8>,
    /// The fields that were asked for.
    pub picked: Vec<u8>,
}

impl Look {
    /// None yet.
    pub fn new(mail: Arc<Mail>) -> Look {
        Look {
            mail,
            open: None,
            message: None,
            piece: Vec::new(),
            picked: Vec::new(),
        }
    }

    /// The store and what is known of it.
    pub fn open(&mut self) -> Result<&(Reader, Arc<Meta>), Stop> {
        if self.open.is_none() {
            let reader = self.mail.reader()?;
            // After the reader, so that it knows every keyword that the rows carry.
            self.open = Some((reader, self.mail.meta()));
        }
        self.open
            .as_ref()
            .map_or_else(|| Answer::no("[UNAVAILABLE]").stop(), Ok)
    }

    /// The message at hand; `None` if it is gone.
    pub fn message(&mut self, row: &Row) -> Result<Option<&Message>, Stop> {
        if self
            .message
            .as_ref()
            .is_none_or(|(message, _)| message.id != row.email)
        {
            let found = self.open()?.0.message(row.email)?;
            self.message = found.map(|message| (message, None));
        }
        Ok(self.message.as_ref().map(|(message, _)| message))
    }

    /// Its structure.
    pub fn structure(&mut self, row: &Row) -> Result<Option<&Structure>, Stop> {
        self.message(row)?;
        Ok(self
            .message
            .as_mut()
            .map(|(message, structure)| &*structure.get_or_insert_with(|| message.structure())))
    }

    /// Appends octets of the message at hand; returns how many.
    pub fn read(&mut self, offset: u64, len: u64, out: &mut Vec<u8>) -> Result<u64, Stop> {
        self.open()?;
        let (Some((reader, _)), Some((message, _))) = (&self.open, &self.message) else {
            return Ok(0);
        };
        let Ok(offset) = u32::try_from(offset) else {
            return Ok(0);
        };
        let len = u32::try_from(len.min(limits::IMAP_READ)).unwrap_or(0);
        Ok(reader.read(message, offset, len, out)?.into())
    }

    /// Lets go of the store: others wait now.
    pub fn close(&mut self) {
        self.open = None;
    }
}

/// Sends the output if there is enough of it, without holding the store meanwhile.
pub async fn spill(session: &mut Session, look: &mut Look) -> Result<(), Stop> {
    if session.conn.out().len() >= limits::WRITE_BUFFER {
        look.close();
        session.conn.spill().await?;
        // A client that reads as fast as we write must not keep the others waiting.
        yield_now().await;
    }
    Ok(())
}

/// In the middle of a response there is no room for a refusal: only the connection's end is honest.
pub fn in_response(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(answer) => {
            warn!("imap: cut off inside a response: {}", answer.text);
            body::cut_off()
        }
        other => other,
    }
}

/// One message's response.
async fn one(
    session: &mut Session,
    look: &mut Look,
    items: &[Item],
    row: &Row,
    say_flags: bool,
) -> Result<(), Stop> {
    if items.contains(&Item::Flags) || say_flags {
        let mail = session.mail();
        session.tell_keywords(&mail)?;
    }
    if !session.fetch_head(row.uid)? {
        return Ok(());
    }
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            session.conn.out().push(b' ');
        }
        match item {
            Item::Body(wanted) => body::section(session, look, row, wanted).await?,
            Item::Binary { path, partial, .. } => {
                body::binary(session, look, row, path, *partial).await?;
            }
            Item::BinarySize(path) => body::binary_size(session, look, row, path)?,
            other => small(session, look, row, other)?,
        }
    }
    if say_flags && !items.contains(&Item::Flags) {
        session.conn.out().push(b' ');
        small(session, look, row, &Item::Flags)?;
    }
    session.conn.out().extend_from_slice(b")\r\n");
    spill(session, look).await
}

/// An item that is not octets of the message.
fn small(session: &mut Session, look: &mut Look, row: &Row, item: &Item) -> Result<(), Stop> {
    let utf8 = session.enabled.utf8;
    let recent = !session.enabled.rev2 && session.selected()?.recent.contains(row.uid);
    let out = session.conn.out();
    match item {
        Item::Uid => encode::formatted(out, format_args!("UID {}", row.uid)),
        Item::Flags => {
            out.extend_from_slice(b"FLAGS ");
            flags(out, &look.open()?.1, row.flags, recent);
        }
        Item::InternalDate => {
            out.extend_from_slice(b"INTERNALDATE ");
            date::write(out, row.internaldate.into());
        }
        Item::Size => encode::formatted(out, format_args!("RFC822.SIZE {}", row.size)),
        Item::ModSeq => encode::formatted(out, format_args!("MODSEQ ({})", row.modseq)),
        Item::EmailId => encode::formatted(out, format_args!("EMAILID (e{})", row.email)),
        Item::ThreadId => encode::formatted(out, format_args!("THREADID (t{})", row.thread.0)),
        Item::SaveDate => {
            out.extend_from_slice(b"SAVEDATE ");
            date::write(out, row.saved.into());
        }
        Item::Preview => {
            out.extend_from_slice(b"PREVIEW ");
            let message = look.message(row)?;
            let text = message
                .and_then(|m| m.view())
                .map_or("", |view| view.preview());
            encode::string(out, text.as_bytes(), utf8);
        }
        Item::Envelope => {
            out.extend_from_slice(b"ENVELOPE ");
            match look.structure(row)? {
                Some(found) => envelope::write(out, &found.envelope, utf8),
                None => envelope::write(out, &crate::mime::Envelope::default(), utf8),
            }
        }
        Item::Structure { extended } => {
            out.extend_from_slice(if *extended {
                b"BODYSTRUCTURE "
            } else {
                b"BODY "
            });
            match look.structure(row)? {
                Some(found) => structure::write(out, &found.parts, 0, *extended, utf8),
                None => structure::write(out, &[crate::mime::Part::default()], 0, *extended, utf8),
            }
        }
        Item::Body(_) | Item::Binary { .. } | Item::BinarySize(_) => {}
    }
    Ok(())
}
