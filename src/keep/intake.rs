//! Files messages that come from elsewhere, each once.
//!
//! A message is known when the store has one of its Message-ID (or, where it has none, one that was
//! noted at an earlier import) with exactly its octets. What was there before is left where it stands,
//! but comes to stand in a mailbox that was asked for as well, unless it was there and somebody took it
//! away; what this import brought comes to stand in the other mailboxes where the source has it. So an
//! import that was cut off goes on where it was, and one that is run again undoes nothing.
use super::{Done, Said, Target, broken, place};
use crate::limits;
use crate::mail::{
    BodyWriter, Commit, EmailId, Error, Flags, Mail, MailboxId, Modseq, NewEmail, Put, Reader,
    Result, Role, Source, UidSet,
};
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Emails that name one Message-ID and are looked at.
const NAMING: usize = 4096;
/// Octets of new messages that wait for one commit.
const TOGETHER: u32 = 512 * 1024;
/// Messages that are copied by one commit.
const SHOWN: u32 = 256;
/// Refusals that are told one by one.
const TOLD: usize = 20;
/// Key of what has no Message-ID: behind it 16 octets of its hash; the value is the email.
const NOTED: &[u8] = b"imported/";
/// Key of what a source notes: behind it the source's own key.
const FETCHED: &str = "fetched/";
/// Key of the modseq before an import that has not come to its end.
const BEGUN: &[u8] = b"importing";

/// See the module. It belongs to a thread of its own: it waits for the writer.
pub struct Intake {
    mail: Arc<Mail>,
    body: Option<BodyWriter>,
    hash: Context,
    /// The modseq before this import, or before the one that it goes on with.
    since: Option<Modseq>,
    /// Why this message is not taken.
    refused: Option<Error>,
    waiting: Vec<Waiting>,
    weight: u32,
    places: BTreeMap<String, MailboxId>,
    /// The emails that were once in a mailbox that was asked for.
    left: Vec<(MailboxId, Vec<EmailId>)>,
    /// From where and to where messages are to be copied, and which.
    way: Option<(MailboxId, MailboxId)>,
    shown: UidSet,
    new: u64,
    known: u64,
    refusals: u64,
    told: Vec<String>,
    /// What waits to be noted with the messages before it.
    mark: Option<Put>,
    /// Refusals before the source began with what it notes now.
    refused_before: u64,
}

struct Waiting {
    email: NewEmail,
    hash: Hash,
    noted: bool,
    origin: String,
}

type Hash = [u8; 16];

impl Intake {
    /// Into this store.
    pub fn new(mail: Arc<Mail>) -> Intake {
        Intake {
            mail,
            body: None,
            hash: Context::new(&SHA256),
            since: None,
            refused: None,
            waiting: Vec::new(),
            weight: 0,
            places: BTreeMap::new(),
            left: Vec::new(),
            way: None,
            shown: UidSet::new(),
            new: 0,
            known: 0,
            refusals: 0,
            told: Vec::new(),
            mark: None,
            refused_before: 0,
        }
    }

    fn refuse(&mut self, origin: &str, why: &Error) {
        self.refusals += 1;
        if self.told.len() < TOLD {
            self.told.push(format!("not imported: {origin}: {why}"));
        }
    }

    /// The mailbox of a path or a role; made where there is none.
    fn place(&mut self, said: &str) -> Result<MailboxId> {
        if let Some(id) = self.places.get(said) {
            return Ok(*id);
        }
        let role = said.strip_prefix('\\').and_then(Role::from_name);
        let meta = self.mail.meta();
        let path = role.map_or_else(|| place::clean(said), |role| place::clean(role.name()));
        let found = role
            .and_then(|role| meta.by_role(role))
            .or_else(|| meta.by_path(&path));
        let id = match found {
            Some(mailbox) => mailbox.id,
            None => smol::block_on(self.mail.create(&path, role))?.id,
        };
        self.places.insert(said.to_owned(), id);
        Ok(id)
    }

    /// Where this import, or the one that it goes on with, began.
    fn since(&mut self) -> Result<Modseq> {
        if let Some(since) = self.since {
            return Ok(since);
        }
        let kept = self.mail.reader()?.get(BEGUN)?;
        let kept = kept.and_then(|row| row.try_into().ok().map(u64::from_le_bytes));
        let since = kept.unwrap_or(self.mail.meta().modseq);
        if kept.is_none() {
            self.keep(BEGUN, Some(since.to_le_bytes().to_vec()))?;
        }
        self.since = Some(since);
        Ok(since)
    }

    fn keep(&self, key: &[u8], value: Option<Vec<u8>>) -> Result<()> {
        let put: Put = (key.to_vec(), value);
        let commit = Commit {
            put: Some(Box::new(move |_| vec![put])),
            ..Commit::default()
        };
        smol::block_on(self.mail.commit(commit)).map(drop)
    }

    /// Files the message, or finds that it is there.
    fn file(&mut self, body: BodyWriter, said: &Said) -> Result<()> {
        let context = std::mem::replace(&mut self.hash, Context::new(&SHA256));
        let hash = first(context);
        let mut mailboxes = Vec::new();
        for path in &said.mailboxes {
            let id = self.place(path)?;
            if !mailboxes.contains(&id) {
                mailboxes.push(id);
            }
        }
        if mailboxes.is_empty() {
            mailboxes.push(self.place("\\inbox")?);
        }
        let staged = smol::block_on(body.finish(b""))?;
        if self.waiting.iter().any(|w| w.hash == hash) {
            self.flush()?;
        }
        let id = staged.structure().facts.message_id;
        let since = self.since()?;
        let known = find(&self.mail.reader()?, id, staged.size(), &hash)?;
        if let Some((email, created)) = known {
            let places = match mailboxes.first() {
                _ if created > since => &mailboxes[..],
                Some(wished) if said.wished && !self.left(email, created, *wished)? => {
                    std::slice::from_ref(wished)
                }
                _ => &[],
            };
            if self.show(email, places)? {
                self.known += 1;
                return Ok(());
            }
        }
        self.weight += staged.size().min(5 * limits::BLOCK as u32);
        self.waiting.push(Waiting {
            email: NewEmail {
                source: Source::Staged(staged),
                mailboxes,
                flags: said.flags,
                keywords: said.keywords.clone(),
                internaldate: said.date,
                hold: false,
            },
            hash,
            noted: id.is_none(),
            origin: said.origin.clone(),
        });
        if self.weight >= TOGETHER || self.waiting.len() >= limits::GROUP {
            self.flush()?;
        }
        Ok(())
    }

    /// Was an email, which came at `created`, in a mailbox and is not any more? Yes, where that is
    /// forgotten.
    fn left(&mut self, email: EmailId, created: Modseq, mailbox: MailboxId) -> Result<bool> {
        let meta = self.mail.meta();
        let born = meta.mailbox(mailbox).map_or(0, |m| m.created);
        if created.max(born) < meta.gone_floor {
            return Ok(true);
        }
        let known = self.left.iter().position(|(of, _)| *of == mailbox);
        let at = known.unwrap_or(self.left.len());
        if known.is_none() {
            self.left.push((mailbox, self.mail.left(mailbox)?));
        }
        let left = self.left.get(at);
        Ok(left.is_some_and(|(_, left)| left.binary_search(&email).is_ok()))
    }

    /// Has an email stand in the mailboxes where it does not. False: somebody takes it away meanwhile.
    fn show(&mut self, email: EmailId, mailboxes: &[MailboxId]) -> Result<bool> {
        let rows = self.mail.reader()?.memberships(email)?;
        // `\Deleted` would go along.
        let stays = rows.iter().find(|row| !row.flags.has(Flags::DELETED));
        let Some(row) = stays.or(rows.first()) else {
            return Ok(false);
        };
        for mailbox in mailboxes {
            if rows.iter().any(|row| row.mailbox == *mailbox) {
                continue;
            }
            let way = (row.mailbox, *mailbox);
            if self.way != Some(way) || self.shown.len() >= SHOWN {
                self.flush_shown()?;
                self.way = Some(way);
            }
            self.shown.insert(row.uid);
        }
        Ok(true)
    }

    /// Copies what was to be shown, in one commit.
    fn flush_shown(&mut self) -> Result<()> {
        let uids = std::mem::take(&mut self.shown);
        let Some((from, to)) = self.way.take() else {
            return Ok(());
        };
        let (copied, why) = match smol::block_on(self.mail.copy(from, &uids, to)) {
            Ok(copied) => (copied.from.len(), Error::NoSuchEmail),
            Err(error) if ends(&error) => return Err(error),
            Err(error) => (0, error),
        };
        for _ in copied..uids.len() {
            // Somebody took it away, or the mailbox: the next run brings it back.
            self.known -= 1;
            self.refuse("a message that was there", &why);
        }
        Ok(())
    }

    /// Files what waits, in one commit.
    fn flush(&mut self) -> Result<()> {
        self.weight = 0;
        let (mut add, mut notes, mut origins) = (Vec::new(), Vec::new(), Vec::new());
        let mut before: Vec<String> = self.mail.meta().keywords.all().map(str::to_owned).collect();
        for mut waiting in std::mem::take(&mut self.waiting) {
            waiting
                .email
                .keywords
                .retain(|word| keyword(&mut before, word));
            notes.push(waiting.noted.then_some(waiting.hash));
            add.push(waiting.email);
            origins.push(waiting.origin);
        }
        // What was refused is to be fetched again: nothing is noted beyond it.
        let mark = self
            .mark
            .take()
            .filter(|_| self.refusals == self.refused_before);
        if add.is_empty() && mark.is_none() {
            return Ok(());
        }
        let put = move |added: &[crate::mail::Added]| -> Vec<Put> {
            let noted = notes.iter().zip(added).filter_map(|(hash, added)| {
                let key = [NOTED, &(*hash)?].concat();
                Some((key, Some(added.email.0.to_le_bytes().to_vec())))
            });
            noted.chain(mark.clone()).collect()
        };
        let commit = Commit {
            add,
            put: Some(Box::new(put)),
            ..Commit::default()
        };
        match smol::block_on(self.mail.commit(commit)) {
            Ok(_) => self.new += origins.len() as u64,
            Err(error) if ends(&error) => return Err(error),
            Err(error) => origins.iter().for_each(|it| self.refuse(it, &error)),
        }
        Ok(())
    }
}

/// Does an error concern all that would follow, too?
fn ends(error: &Error) -> bool {
    matches!(
        error,
        Error::DiskFull | Error::Unavailable | Error::OverQuota
    )
}

/// Can an email have this keyword: is it one, and is there room for its name?
fn keyword(known: &mut Vec<String>, word: &str) -> bool {
    if known.iter().any(|k| k.eq_ignore_ascii_case(word)) {
        return true;
    }
    let fine = crate::mail::is_keyword(word) && known.len() < crate::mail::MAX_KEYWORDS;
    if fine {
        known.push(word.to_owned());
    }
    fine
}

fn first(context: Context) -> Hash {
    let mut hash = Hash::default();
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

/// The email with these octets, and when it came.
fn find(
    reader: &Reader,
    id: Option<u64>,
    size: u32,
    hash: &Hash,
) -> Result<Option<(EmailId, Modseq)>> {
    let found = match id {
        Some(id) => reader.by_hash(id, NAMING)?,
        None => {
            let value = reader.get(&[NOTED, hash].concat())?.unwrap_or_default();
            let id = value.try_into().ok().map(u64::from_le_bytes);
            id.map(EmailId).into_iter().collect()
        }
    };
    for email in found {
        let Some(message) = reader
            .message(email)?
            .filter(|m| m.is_email() && m.size == size)
        else {
            continue;
        };
        let (mut context, mut at, mut chunk) = (Context::new(&SHA256), 0, Vec::new());
        while at < size {
            chunk.clear();
            let read = reader.read(&message, at, limits::BLOCK as u32, &mut chunk)?;
            if read == 0 {
                break;
            }
            at += read;
            context.update(&chunk);
        }
        if first(context) == *hash {
            return Ok(Some((email, message.created)));
        }
    }
    Ok(None)
}

impl Target for Intake {
    fn begin(&mut self, _: &Said) -> Done<()> {
        if self.body.take().is_some() {
            self.hash = Context::new(&SHA256);
        }
        self.refused = None;
        Ok(())
    }

    fn note(&mut self, key: &str, value: &str) -> Done<()> {
        // What is known is done, too, before it is noted that the source need not give it again.
        self.flush_shown().map_err(|e| broken(&e))?;
        let key = [FETCHED, key].concat().into_bytes();
        self.mark = Some((key, Some(value.as_bytes().to_vec())));
        self.flush().map_err(|e| broken(&e))
    }

    fn recall(&mut self, key: &str) -> Done<Option<String>> {
        self.flush_shown().map_err(|e| broken(&e))?;
        self.flush().map_err(|e| broken(&e))?;
        self.refused_before = self.refusals;
        let key = [FETCHED, key].concat();
        let row = self.mail.reader().and_then(|it| it.get(key.as_bytes()));
        let row = row.map_err(|e| broken(&e))?;
        Ok(row.and_then(|row| String::from_utf8(row).ok()))
    }

    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        if self.refused.is_some() {
            return Ok(());
        }
        if self.body.is_none() {
            self.body = Some(self.mail.body(None).map_err(|e| broken(&e))?);
        }
        self.hash.update(octets);
        let Some(body) = &mut self.body else {
            return Ok(());
        };
        match smol::block_on(body.push(octets)) {
            Err(error @ Error::TooLarge(_)) => self.refused = Some(error),
            Err(error) => return Err(broken(&error)),
            Ok(()) => {}
        }
        Ok(())
    }

    fn end(&mut self, said: &Said) -> Done<()> {
        let Some(body) = self.body.take() else {
            return Ok(());
        };
        let done = match self.refused.take() {
            Some(error) => Err(error),
            None => self.file(body, said),
        };
        match done {
            Ok(()) => Ok(()),
            Err(error) if ends(&error) => Err(broken(&error)),
            Err(error) => {
                self.hash = Context::new(&SHA256);
                self.refuse(&said.origin, &error);
                Ok(())
            }
        }
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        self.flush().map_err(|e| broken(&e))?;
        self.flush_shown().map_err(|e| broken(&e))?;
        if self.since.take().is_some() {
            self.keep(BEGUN, None).map_err(|e| broken(&e))?;
        }
        let mut lines = std::mem::take(&mut self.told);
        lines.push(format!(
            "{} imported, {} there already, {} refused",
            self.new, self.known, self.refusals
        ));
        Ok(lines)
    }
}
