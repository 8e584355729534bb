//! New emails: delivery, APPEND, import, uploads, queued mail.

use super::access::Check;
use super::body::Staged;
use super::expunge::end;
use super::fail::{Done, Fail};
use super::{
    EmailId, Error, Expect, Flags, Mail, MailboxId, Own, Result, Rights, ThreadId, Uid, flags, now,
};
use crate::store::blob::{ROW, layout};
use crate::store::{DataType, Kind, MsgRow, Pending, Row, Txn};

/// Where a new email's bytes come from.
// Few exist at a time, and boxing would cost an allocation per message.
#[expect(clippy::large_enum_variant)]
pub enum Source {
    /// Just received.
    Staged(Staged),
    /// An upload, or the bytes of an existing email: the first import of an upload adopts it, any
    /// later one copies.
    Blob(EmailId),
}

/// One email to be made.
pub struct NewEmail {
    /// Its bytes.
    pub source: Source,
    /// Where it shows; empty only with `hold` (a message that only the queue owns).
    pub mailboxes: Vec<MailboxId>,
    /// System flags.
    pub flags: Flags,
    /// Keywords.
    pub keywords: Vec<String>,
    /// INTERNALDATE in seconds since 1970; None: now.
    pub internaldate: Option<u32>,
    /// Keep the bytes until [`Commit::release`], mailboxes or not (queued mail, uploads).
    pub hold: bool,
}

impl NewEmail {
    /// One that no mailbox shows: what was staged is held for the queue or as an upload.
    pub fn held(staged: Staged) -> NewEmail {
        NewEmail {
            source: Source::Staged(staged),
            mailboxes: Vec::new(),
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: true,
        }
    }
}

/// Where a new email went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Its id.
    pub email: EmailId,
    /// Its thread.
    pub thread: ThreadId,
    /// Octets.
    pub size: u32,
    /// One per mailbox, in the order asked: (mailbox, UIDVALIDITY, UID).
    pub places: Vec<(MailboxId, u32, Uid)>,
    /// What the commit that made it did to the states.
    pub own: Own,
}

/// A write to the key-value area: a key, and its value or None to delete it.
pub type Put = (Vec<u8>, Option<Vec<u8>>);

/// Makes the key-value writes of a commit, given what its new emails became.
pub type Puts = Box<dyn FnOnce(&[Added]) -> Vec<Put> + Send>;

/// Several things done in one durable commit, or not at all.
#[derive(Default)]
pub struct Commit {
    /// New emails.
    pub add: Vec<NewEmail>,
    /// Existing emails to hold once more.
    pub hold: Vec<EmailId>,
    /// Holds to give back; an email without mailboxes and holds is gone.
    pub release: Vec<EmailId>,
    /// A membership that ends; what it frees counts for the quota (RFC 8508 §3.4).
    pub end: Option<(MailboxId, Uid)>,
    /// Key-value writes.
    pub put: Option<Puts>,
    /// What must not have changed meanwhile.
    pub expect: Expect,
    /// What the queue has to tell the submission that it settles; all of one item.
    pub told: Vec<super::submission::Told>,
    /// It brings an upload: older ones make room for it.
    pub room: Option<Room>,
    /// Its answer does not promise that it outlives a power cut.
    pub loose: bool,
}

/// How much may be kept of uploads that no email adopted.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Octets.
    bytes: u64,
}

/// How many index rows one message-id may cost while looking for a thread.
const ID_ROWS: usize = 64;
/// Octets of bodies that wait together for a commit.
const TOGETHER: usize = 512 * 1024;
/// Emails whose id is below this; thread ids are 32 bits wide.
const MOST_EMAILS: u64 = u32::MAX as u64;

impl Mail {
    /// Makes one email; resolves when it is durable.
    ///
    /// Errors: [`Error::NoSuchMailbox`], [`Error::NoMailboxes`], [`Error::OverQuota`],
    /// [`Error::TooManyKeywords`], [`Error::BadKeyword`], [`Error::NoSuchEmail`] for an unknown blob.
    pub async fn add(&self, email: NewEmail) -> Result<Added> {
        self.add_if(Expect::default(), email).await
    }

    /// The same in a state that is expected.
    ///
    /// Errors: as for [`Mail::add`], and [`Error::StateMismatch`].
    pub async fn add_if(&self, expect: Expect, email: NewEmail) -> Result<Added> {
        let mut added = self
            .commit(Commit {
                add: vec![email],
                expect,
                ..Commit::default()
            })
            .await?;
        added.pop().ok_or(Error::Unavailable)
    }

    /// Makes emails, each for itself: one answer each, and one commit for as many as fit in memory
    /// together. Rights as for [`Mail::commit`]; none of them may be held.
    ///
    /// Errors of one: as for [`Mail::add`], and [`Error::StateMismatch`].
    pub async fn add_each(&self, mut expect: Expect, emails: Vec<NewEmail>) -> Vec<Result<Added>> {
        let mut answers = Vec::with_capacity(emails.len());
        let (mut adopted, mut together, mut weight) = (Vec::new(), Vec::new(), 0);
        let mut left = emails.into_iter().peekable();
        while let Some(mut new) = left.next() {
            let octets = match new.hold {
                true => Err(Error::NoPermission),
                false => self.bring(&mut new, &mut adopted).await,
            };
            weight += octets.as_ref().copied().unwrap_or(0);
            together.push(octets.map(|_| new));
            let full = weight >= TOGETHER || together.len() >= crate::limits::GROUP;
            if full || left.peek().is_none() {
                let batch = std::mem::take(&mut together);
                let count = batch.len();
                let done = self.add_batch(expect, batch, weight).await;
                let done = done.unwrap_or_else(|error| vec![Err(error); count]);
                weight = 0;
                if let (Expect(Some((kind, state))), Some(last)) =
                    (&mut expect, done.iter().flatten().last())
                {
                    *state = last.own.after.of(*kind);
                }
                answers.extend(done);
            }
        }
        answers
    }

    /// Some of them, in one commit.
    async fn add_batch(
        &self,
        expect: Expect,
        batch: Vec<Result<NewEmail>>,
        weight: usize,
    ) -> Result<Vec<Result<Added>>> {
        let quota = (self.options.quota, self.options.quota_messages);
        self.write_as(weight, move |txn, who| {
            expect.check(txn)?;
            let mut answers = Vec::with_capacity(batch.len());
            for new in batch {
                answers.push(match new {
                    Ok(new) => match add_one(txn, who, new, quota) {
                        Err(Fail::Refused(error)) => Err(error),
                        done => Ok(done?),
                    },
                    Err(error) => Err(error),
                });
            }
            Ok(answers)
        })
        .await
    }

    /// Sees to it that the bytes of a new email can be taken: those that an email has already are
    /// copied, outside of the writer. Returns the octets that wait in memory.
    async fn bring(&self, new: &mut NewEmail, adopted: &mut Vec<EmailId>) -> Result<usize> {
        if let Source::Blob(email) = new.source {
            match self.copy_of(email, adopted.contains(&email)).await? {
                Some(copy) => new.source = Source::Staged(copy),
                None => adopted.push(email),
            }
        }
        Ok(match &new.source {
            Source::Staged(staged) => staged.encoded.len(),
            Source::Blob(_) => 0,
        })
    }

    /// Several things in one durable commit, or none of them. Needs `i` in every mailbox; flags that
    /// may not be set there are left out (RFC 4314 §4). What is outside of mailboxes is only for those
    /// who are trusted everywhere.
    ///
    /// Errors: as for [`Mail::add`], and [`Error::NoPermission`].
    pub async fn commit(&self, commit: Commit) -> Result<Vec<Added>> {
        if commit.put.is_some()
            || !commit.hold.is_empty()
            || !commit.release.is_empty()
            || commit.add.iter().any(|new| new.hold)
        {
            self.check()?.everywhere()?;
        }
        self.file(commit).await
    }

    /// The same for what is outside of mailboxes and is our own doing.
    pub(super) async fn file(&self, mut commit: Commit) -> Result<Vec<Added>> {
        let mut weight = 0;
        let mut adopted = Vec::new();
        for new in &mut commit.add {
            weight += self.bring(new, &mut adopted).await?;
        }
        let quota = (self.options.quota, self.options.quota_messages);
        let expect = std::mem::take(&mut commit.expect);
        self.write_as(weight, move |txn, who| {
            expect.check(txn)?;
            match commit.loose {
                true => txn.loosely(|txn| perform(txn, who, &mut commit, quota)),
                false => perform(txn, who, &mut commit, quota),
            }
        })
        .await
    }

    /// Keeps a body as an upload until `expires` (seconds since 1970), then it is swept. A principal's
    /// upload is its own; the owner reads all. Where it takes uploads that nothing adopted over
    /// [`crate::limits::UPLOADS`] or [`crate::limits::UPLOAD_OCTETS`], the oldest ones go (RFC 8620 §6).
    ///
    /// Not durable by itself: the next commit keeps it, that of its import too, or two quiet seconds.
    /// After a power cut before that it is unknown, and its id never another's.
    pub async fn upload(&self, staged: Staged, expires: u32) -> Result<EmailId> {
        let name = self.upload_owner();
        let put: Puts = Box::new(move |added| {
            added
                .iter()
                .map(|a| (upload_key(expires, a.email), Some(name.clone())))
                .collect()
        });
        let commit = Commit {
            add: vec![NewEmail::held(staged)],
            put: Some(put),
            room: Some(Room {
                bytes: crate::limits::UPLOAD_OCTETS.max(self.options.message_size),
            }),
            loose: true,
            ..Commit::default()
        };
        let added = self.file(commit).await?;
        added.first().map(|a| a.email).ok_or(Error::Unavailable)
    }

    /// Whose uploads ours are: the value of their keys.
    pub(super) fn upload_owner(&self) -> Vec<u8> {
        let name = self.principal().map(|who| who.name.clone());
        name.unwrap_or_default().into_bytes()
    }

    /// Lets go of uploads whose time is over, at most a hundred a call. Returns how many.
    pub async fn sweep_uploads(&self, now: u32) -> Result<usize> {
        let mut over = false;
        for prefix in [UPLOAD, PARKED] {
            self.store.reader()?.scan(prefix, &mut |key, _| {
                over |= read_upload_key(key).is_some_and(|(expires, _)| expires <= now);
                false
            })?;
        }
        if !over {
            return Ok(0);
        }
        self.write_as(0, move |txn, _anybody| {
            Ok(sweep(txn, UPLOAD, now)? + sweep(txn, PARKED, now)?)
        })
        .await
    }

    /// A copy of the bytes of `email` when it cannot be adopted: a mailbox shows it, or did (ids do
    /// not come back, RFC 8621 §1.6.2), or the same commit adopts it already.
    async fn copy_of(&self, email: EmailId, adopted: bool) -> Result<Option<Staged>> {
        let message = self.reader()?.message(email)?.ok_or(Error::NoSuchEmail)?;
        if message.created == 0 && !adopted {
            return Ok(None);
        }
        let prefix_len = message.row.head.prefix_len;
        let mut body = self.body(Some(u64::from(message.size - prefix_len)))?;
        let (mut at, mut chunk) = (prefix_len, Vec::new());
        while at < message.size {
            chunk.clear();
            let read =
                self.reader()?
                    .read(&message, at, crate::limits::BLOCK as u32, &mut chunk)?;
            if read == 0 {
                return Err(Error::Unavailable);
            }
            at += read;
            body.push(&chunk).await?;
        }
        Ok(Some(body.finish(&message.row.prefix).await?))
    }
}

const UPLOAD: &[u8] = b"upload/";
/// Messages of an APPEND that has not ended.
const PARKED: &[u8] = b"parked/";

/// Lets go of those of one kind whose time is over.
fn sweep(txn: &mut Txn<'_>, prefix: &[u8], now: u32) -> Done<usize> {
    let mut swept = 0;
    for key in txn.misc_keys(prefix, 100)? {
        let Some((expires, email)) = read_upload_key(&key) else {
            continue;
        };
        if expires > now {
            break;
        }
        txn.put_misc(&key, None)?;
        release(txn, email)?;
        swept += 1;
    }
    Ok(swept)
}

/// Whether `email` is an upload of `name`.
pub(super) fn is_upload_of(
    reader: &crate::store::Reader,
    email: EmailId,
    name: &str,
) -> std::result::Result<bool, crate::store::Error> {
    let mut own = false;
    for prefix in [UPLOAD, PARKED] {
        reader.scan(prefix, &mut |key, value| {
            let this = read_upload_key(key).is_some_and(|(_, id)| id == email);
            own |= this && value == name.as_bytes();
            !this
        })?;
    }
    Ok(own)
}

fn upload_key(expires: u32, email: EmailId) -> Vec<u8> {
    [UPLOAD, &expires.to_be_bytes(), &email.0.to_be_bytes()].concat()
}

pub(super) fn parked_key(expires: u32, email: EmailId) -> Vec<u8> {
    [PARKED, &expires.to_be_bytes(), &email.0.to_be_bytes()].concat()
}

fn read_upload_key(key: &[u8]) -> Option<(u32, EmailId)> {
    let rest = key
        .strip_prefix(UPLOAD)
        .or_else(|| key.strip_prefix(PARKED))?;
    let (expires, email) = rest.split_at_checked(4)?;
    Some((
        u32::from_be_bytes(expires.try_into().ok()?),
        EmailId(u64::from_be_bytes(email.try_into().ok()?)),
    ))
}

/// One new email as a commit of its own.
fn add_one(txn: &mut Txn<'_>, who: &Check, new: NewEmail, quota: (u64, u32)) -> Done<Added> {
    let mut commit = Commit {
        add: vec![new],
        ..Commit::default()
    };
    let added = perform(txn, who, &mut commit, quota)?.pop();
    Ok(added.ok_or(Error::Unavailable)?)
}

/// Runs a commit and says what it did to the states.
pub(super) fn perform(
    txn: &mut Txn<'_>,
    who: &Check,
    commit: &mut Commit,
    quota: (u64, u32),
) -> Done<Vec<Added>> {
    let before = txn.state.global.states;
    // Refused: the staged pieces are still the sweeper's.
    let mut added = run(txn, who, commit, quota)?;
    let own = Own {
        before,
        after: txn.state.global.states,
    };
    added.iter_mut().for_each(|added| added.own = own);
    for new in &mut commit.add {
        if let Source::Staged(staged) = &mut new.source {
            staged.keep();
        }
    }
    Ok(added)
}

/// `quota`: octets and emails, 0 for none.
fn run(txn: &mut Txn<'_>, who: &Check, commit: &mut Commit, quota: (u64, u32)) -> Done<Vec<Added>> {
    let mut bytes = txn.state.global.bytes;
    let mut emails = txn.state.global.emails as usize;
    for new in &mut commit.add {
        bytes += check(txn, new)?;
        emails += usize::from(!new.mailboxes.is_empty());
        for mailbox in &new.mailboxes {
            who.need(txn.state, *mailbox, Rights::INSERT)?;
            let mine = who.rights(txn.state, *mailbox).flags();
            new.flags = new.flags.only(mine);
            if !mine.has(Flags::FLAGGED) {
                new.keywords.clear();
            }
        }
    }
    if let Some((mailbox, uid)) = commit.end {
        who.need(txn.state, mailbox, Rights::READ.with(Rights::REMOVE))?;
        let row = txn.row(mailbox, uid)?.ok_or(Error::NoSuchEmail)?;
        let freed = freed(txn, &row)?;
        bytes = bytes.saturating_sub(freed);
        emails = emails.saturating_sub(usize::from(freed > 0));
    }
    let over = quota.0 > 0 && bytes > quota.0 || quota.1 > 0 && emails > quota.1 as usize;
    if over && !commit.add.is_empty() {
        return Err(Error::OverQuota.into());
    }
    for email in &commit.hold {
        txn.head(*email)?.ok_or(Error::NoSuchEmail)?;
    }
    // All names at once: a slot that the first one takes is not free for the second.
    let names: Vec<&[String]> = commit.add.iter().map(|n| n.keywords.as_slice()).collect();
    flags::resolve(txn, &names.concat())?;
    let known = |n: &NewEmail| flags::known(txn, &n.keywords);
    let keywords: Vec<Flags> = commit.add.iter().map(known).collect();
    let mut added = Vec::with_capacity(commit.add.len());
    for (new, keywords) in commit.add.iter_mut().zip(keywords) {
        added.push(add(txn, new, keywords)?);
    }
    if let Some((mailbox, uid)) = commit.end
        && let Some(row) = txn.row(mailbox, uid)?
    {
        end(txn, &row)?;
    }
    for email in &commit.hold {
        if let Some(mut row) = txn.message(*email)? {
            row.head.holds = row.head.holds.saturating_add(1);
            txn.put_message(*email, &row)?;
        }
    }
    for email in &commit.release {
        release(txn, *email)?;
    }
    if let Some(put) = commit.put.take() {
        for (key, value) in put(&added) {
            txn.put_misc(&key, value.as_deref())?;
        }
    }
    super::submission::tell(txn, &commit.told)?;
    if let Some(room) = commit.room {
        let new = added.first().map(|added| added.email);
        make_room(txn, room, new)?;
    }
    Ok(added)
}

/// Octets that go with a membership: none while something else still has the email.
fn freed(txn: &mut Txn<'_>, row: &Row) -> Done<u64> {
    let Some(head) = txn.head(row.email)? else {
        return Ok(0);
    };
    let shared = row.flags.has(Flags::SHARED) && txn.memberships(row.email, &head)?.len() > 1;
    Ok(match head.holds == 0 && !shared {
        true => u64::from(head.raw_size),
        false => 0,
    })
}

/// Keeps the newest uploads as far as the bounds allow, and lets go of the others.
/// An upload that an email adopted takes no room.
fn make_room(txn: &mut Txn<'_>, room: Room, new: Option<EmailId>) -> Done<()> {
    // A little over the bound, where it was changed: the rest goes with the next ones.
    let keys = txn.misc_keys(UPLOAD, 2 * crate::limits::UPLOADS)?;
    let (mut count, mut bytes) = (0, 0);
    for key in keys.iter().rev() {
        let Some((_, email)) = read_upload_key(key) else {
            continue;
        };
        let head = txn.head(email)?.filter(|head| head.birth == 0);
        bytes += head.map_or(0, |head| u64::from(head.raw_size));
        count += 1;
        if Some(email) == new {
            continue;
        }
        if count > crate::limits::UPLOADS || bytes > room.bytes {
            txn.put_misc(key, None)?;
            release(txn, email)?;
        }
    }
    Ok(())
}

/// Everything that can refuse a new email. Returns the octets that it adds.
fn check(txn: &mut Txn<'_>, new: &NewEmail) -> Done<u64> {
    if new.mailboxes.is_empty() && !new.hold {
        return Err(Error::NoMailboxes.into());
    }
    for mailbox in &new.mailboxes {
        if !txn.state.mailboxes.contains_key(&mailbox.0) {
            return Err(Error::NoSuchMailbox.into());
        }
        if txn
            .state
            .counters
            .get(&mailbox.0)
            .is_some_and(|c| c.uidnext == Uid::MAX)
        {
            return Err(Error::Limit(&"this mailbox has used all its UIDs").into());
        }
    }
    if txn.state.global.next_email >= MOST_EMAILS {
        return Err(Error::Limit(&"this store has used all its email ids").into());
    }
    match &new.source {
        Source::Staged(staged) => match staged.begun() {
            Some((email, _, epoch)) if !txn.is_begun(email, epoch) => {
                Err(Error::Unavailable.into())
            }
            _ if !staged.adds_up() => Err(Error::Unavailable.into()),
            _ => Ok(u64::from(staged.size())),
        },
        Source::Blob(email) => {
            let head = txn.head(*email)?.ok_or(Error::NoSuchEmail)?;
            // Shown by a mailbox since the caller looked: it would have to be copied.
            if head.created != 0 {
                return Err(Error::Unavailable.into());
            }
            Ok(0)
        }
    }
}

fn add(txn: &mut Txn<'_>, new: &mut NewEmail, keywords: Flags) -> Done<Added> {
    let (email, mut row) = match &mut new.source {
        Source::Staged(staged) => store_body(txn, staged)?,
        Source::Blob(email) => {
            let row = txn
                .message(*email)?
                .ok_or(Fail::Refused(Error::NoSuchEmail))?;
            (*email, row)
        }
    };
    if new.hold {
        row.head.holds = row.head.holds.saturating_add(1);
    }
    let mut places = Vec::with_capacity(new.mailboxes.len());
    if new.mailboxes.is_empty() {
        // An upload, or a message of the queue's: it takes room.
        let modseq = txn.state.bump();
        txn.state.changed(DataType::Quota, modseq);
    } else {
        let thread = thread_of(txn, email, &row)?;
        row.head.thread = thread.0;
        row.head.internaldate = new.internaldate.unwrap_or_else(now);
        row.head.created = txn.state.bump();
        let mut flags = new.flags.only(Flags::SYSTEM).with(keywords);
        if row.head.attachment {
            flags = flags.with(Flags::ATTACHMENT);
        }
        if new.mailboxes.len() > 1 {
            flags = flags.with(Flags::SHARED);
        }
        for &mailbox in &new.mailboxes {
            let first = places.is_empty();
            let placed = Row {
                mailbox,
                uid: 0,
                email,
                flags,
                modseq: row.head.created,
                created: row.head.created,
                size: row.head.raw_size,
                internaldate: row.head.internaldate,
                saved: now(),
                thread,
            };
            let uid = place(txn, placed, first, first)?;
            if first {
                row.head.birth = Row::key(mailbox, uid);
            }
            let uidvalidity = txn
                .state
                .mailboxes
                .get(&mailbox.0)
                .map_or(0, |m| m.uidvalidity);
            places.push((mailbox, uidvalidity, uid));
        }
        txn.state.global.emails += 1;
        txn.index(Pending {
            email,
            thread,
            subject: row.head.subject,
            ids: row.ids.clone(),
        })?;
    }
    txn.put_message(email, &row)?;
    Ok(Added {
        email,
        thread: row.head.thread(),
        size: row.head.raw_size,
        places,
        own: Own::default(),
    })
}

/// Writes what is not written yet of a body, and completes its row.
fn store_body(txn: &mut Txn<'_>, staged: &mut Staged) -> Done<(EmailId, MsgRow)> {
    let (email, written) = match staged.begun() {
        Some((email, written, _)) => {
            txn.end_body(email);
            (email, written)
        }
        None => (txn.next_email()?, 0),
    };
    let mut row = staged.row.clone();
    let (pieces, rest) = layout(row.head.stored as usize);
    let mut left = staged.encoded.as_slice();
    let mut count = 0;
    for (number, size) in pieces.enumerate() {
        count += 1;
        if number < written {
            continue;
        }
        let (piece, after) = left.split_at_checked(size).ok_or(Error::Unavailable)?;
        txn.put_piece(email, number, piece)?;
        left = after;
    }
    if left.len() != rest {
        log::error!(
            "a staged body of {} octets does not add up",
            row.head.raw_size
        );
        return Err(Error::Unavailable.into());
    }
    row.head.tail_inline = row.len_without_tail() + rest <= ROW;
    if row.head.tail_inline {
        row.tail = left.to_vec();
    } else if rest > 0 {
        txn.put_piece(email, count, left)?;
    }
    txn.state.global.bytes += u64::from(row.head.raw_size);
    Ok((email, row))
}

/// Gives a row the next UID of its mailbox and writes it.
pub(super) fn place(txn: &mut Txn<'_>, mut row: Row, first: bool, created: bool) -> Done<Uid> {
    let counters = txn.state.counters_mut(row.mailbox);
    row.uid = counters.uidnext.max(1);
    counters.uidnext = row.uid + 1;
    counters.total += 1;
    counters.size += u64::from(row.size);
    counters.unseen += u32::from(!row.flags.has(Flags::SEEN));
    counters.deleted += u32::from(row.flags.has(Flags::DELETED));
    counters.highest_modseq = row.modseq;
    counters.counts_modseq = row.modseq;
    if row.internaldate < counters.last_date {
        counters.by_date = false;
    }
    counters.last_date = counters.last_date.max(row.internaldate);
    txn.state.changed(DataType::Mailbox, row.modseq);
    txn.put_row(&row)?;
    if !first {
        txn.put_loc(&row)?;
    }
    txn.note(&row, Kind::Added(created), row.modseq);
    Ok(row.uid)
}

/// The thread of a new email: that of the oldest email which shares a message-id and the base
/// subject with it, else its own (RFC 8621 §3).
fn thread_of(txn: &mut Txn<'_>, email: EmailId, row: &MsgRow) -> Done<ThreadId> {
    let mut thread = ThreadId(email.0 as u32);
    for id in &row.ids {
        for (_, other, subject) in txn.find_id(*id, ID_ROWS)? {
            if subject == row.head.subject && other.0 != 0 {
                thread = thread.min(other);
            }
        }
    }
    Ok(thread)
}

/// Gives one hold back.
pub(super) fn release(
    txn: &mut Txn<'_>,
    email: EmailId,
) -> std::result::Result<(), crate::store::Error> {
    let Some(mut row) = txn.message(email)? else {
        return Ok(());
    };
    row.head.holds = row.head.holds.saturating_sub(1);
    if row.head.holds == 0 && row.head.birth == 0 {
        txn.state.global.bytes -= u64::from(row.head.raw_size).min(txn.state.global.bytes);
        let modseq = txn.state.bump();
        txn.state.changed(DataType::Quota, modseq);
        return txn.delete_message(email);
    }
    txn.put_message(email, &row)
}
