//! Does everything in the file fit together? Read-only, for a store that nobody has open.

use super::blob::layout;
use super::disk::Disk;
use super::rows::{Counters, EmailId, Flags, Gone, Row};
use super::state::State;
use super::tables::{Look as Tables, Tree, email_of, id_key, loc_key, number, thread_key};
use super::{Error, Head, MsgRow, Reader};
use redb::ReadableDatabase;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

/// Complaints are cut here: one damaged page makes thousands.
const MOST: usize = 100;

/// What a look at the whole file found.
#[derive(Debug, Default)]
pub struct Report {
    /// Emails that a mailbox shows.
    pub emails: u32,
    /// Memberships.
    pub rows: u32,
    /// Bodies kept by an upload or the queue alone.
    pub held: u32,
    /// Pieces of bodies that were being written; swept when the store is opened.
    pub in_flight: u32,
    /// What does not fit together, for people; empty when all is well.
    pub wrong: Vec<String>,
}

/// Looks at every row of every table, and with `bodies` at every octet of every message.
///
/// Errors: as for opening. Needs memory for some 200 octets per message.
pub fn check(disk: Arc<dyn Disk>, cache: usize, bodies: bool) -> Result<Report, Error> {
    let mut db = super::open::raw(disk, cache)?;
    let mut report = Report::default();
    if !db.check_integrity()? {
        report.note("redb had to repair its own pages".into());
    }
    let db = &db;
    let look = || Ok(Tables::new(db.begin_read()?));
    everything(report, bodies, &look)
}

impl super::Store {
    /// The same while it is in use: its rows in one look, then each body in its own. Blocks.
    ///
    /// Errors: the system's.
    pub fn verify(&self) -> Result<Report, Error> {
        let look = || Ok(Tables::new(self.shared.database()?.begin_read()?));
        everything(Report::default(), true, &look)
    }
}

fn everything(
    report: Report,
    bodies: bool,
    open: &dyn Fn() -> Result<Tables, Error>,
) -> Result<Report, Error> {
    let tables = Rc::new(open()?);
    let state = State::load(&tables)?;
    let mut look = Look {
        tables,
        state,
        report,
        messages: BTreeMap::new(),
        places: BTreeSet::new(),
        flags: BTreeMap::new(),
    };
    look.messages()?;
    look.rows()?;
    look.locations()?;
    look.orphans()?;
    look.pieces()?;
    look.ends()?;
    look.index()?;
    let Look {
        report, messages, ..
    } = look;
    match bodies {
        true => read_all(open, messages.keys(), report),
        false => Ok(report),
    }
}

struct Look {
    tables: Rc<Tables>,
    state: State,
    report: Report,
    /// Every message, and the sizes of its pieces.
    messages: BTreeMap<u64, (Head, u32)>,
    /// Memberships, by email and place.
    places: BTreeSet<[u8; 12]>,
    /// What belongs to the email, as its first row said.
    flags: BTreeMap<u64, u64>,
}

impl Report {
    fn note(&mut self, what: String) {
        if self.wrong.len() < MOST {
            self.wrong.push(what);
        }
    }
}

impl Look {
    fn expect(&mut self, fine: bool, what: &dyn Fn() -> String) {
        if !fine {
            self.report.note(what());
        }
    }

    fn messages(&mut self) -> Result<(), Error> {
        let (mut bytes, mut emails) = (0, 0);
        let tables = self.tables.clone();
        tables.all(Tree::Msg, &mut |id, row| {
            let id = number(id);
            let Some(row) = MsgRow::decode(row) else {
                self.report.note(format!("email {id}: row cannot be read"));
                return Ok(true);
            };
            bytes += u64::from(row.head.raw_size);
            emails += u32::from(row.head.birth != 0);
            let sum: u32 = row.blocks.iter().map(|b| b.stored).sum();
            self.expect(sum == row.head.stored, &|| {
                format!("email {id}: its blocks do not add up")
            });
            let next = self.state.global.next_email;
            self.expect(id < next, &|| format!("email {id}: not below {next}"));
            self.expect(row.head.birth != 0 || row.head.holds > 0, &|| {
                format!("email {id}: nothing keeps it")
            });
            self.report.held += u32::from(row.head.birth == 0);
            let (pieces, rest) = layout(row.head.stored as usize);
            let short = usize::from(rest > 0 && !row.head.tail_inline);
            let pieces = (pieces.count() + short) as u32;
            self.messages.insert(id, (row.head, pieces));
            Ok(true)
        })?;
        let global = (self.state.global.bytes, self.state.global.emails);
        self.expect(global == (bytes, emails), &|| {
            format!("{global:?} octets and emails are counted, ({bytes}, {emails}) are there")
        });
        self.report.emails = emails;
        Ok(())
    }

    fn rows(&mut self) -> Result<(), Error> {
        let mut counted: BTreeMap<u32, Counters> = BTreeMap::new();
        let tables = self.tables.clone();
        tables.all(Tree::Hot, &mut |key, row| {
            let row = Row::decode(number(key), row);
            self.report.rows += 1;
            let c = counted.entry(row.mailbox.0).or_default();
            c.total += 1;
            c.size += u64::from(row.size);
            c.unseen += u32::from(!row.flags.has(Flags::SEEN));
            c.deleted += u32::from(row.flags.has(Flags::DELETED));
            c.uidnext = c.uidnext.max(row.uid.saturating_add(1));
            c.highest_modseq = c.highest_modseq.max(row.modseq);
            self.row(&row);
            Ok(true)
        })?;
        for id in self.state.mailboxes.keys().copied().collect::<Vec<_>>() {
            let c = counted.remove(&id).unwrap_or_default();
            let said = self.state.counters.get(&id).copied().unwrap_or_default();
            let same = (c.total, c.size, c.unseen, c.deleted)
                == (said.total, said.size, said.unseen, said.deleted)
                && c.uidnext <= said.uidnext
                && c.highest_modseq <= said.highest_modseq
                && said.highest_modseq <= self.state.global.modseq;
            self.expect(same, &|| format!("mailbox {id}: says {said:?}, has {c:?}"));
        }
        let none: Vec<_> = counted.into_keys().collect();
        self.expect(none.is_empty(), &|| {
            format!("rows in mailboxes {none:?}, which do not exist")
        });
        let strays: Vec<_> = {
            let known = &self.state.mailboxes;
            let ids = self.state.counters.keys();
            ids.filter(|id| !known.contains_key(id)).copied().collect()
        };
        self.expect(strays.is_empty(), &|| {
            format!("counters of mailboxes {strays:?}, which do not exist")
        });
        Ok(())
    }

    fn row(&mut self, row: &Row) {
        let email = row.email.0;
        self.places.insert(loc_key(row.email, row.mailbox, row.uid));
        let shared = row.flags.only(Flags::OF_EMAIL).0;
        if !row.flags.has(Flags::APART) {
            let first = *self.flags.entry(email).or_insert(shared);
            self.expect(first == shared, &|| {
                format!("email {email}: its flags differ by mailbox")
            });
        }
        let modseq = self.state.global.modseq;
        self.expect(row.created <= row.modseq && row.modseq <= modseq, &|| {
            format!("{row:?}: modseq above {modseq}")
        });
        let head = self.messages.get(&email).map(|(head, _)| *head);
        let fits = head
            .is_some_and(|h| h.birth != 0 && h.raw_size == row.size && h.thread == row.thread.0);
        self.expect(fits, &|| format!("{row:?}: its email is {head:?}"));
    }

    /// Every membership is found from its email: as the first one, or in `loc`.
    fn locations(&mut self) -> Result<(), Error> {
        let mut found = BTreeSet::new();
        let tables = self.tables.clone();
        tables.all(Tree::Loc, &mut |key, _| {
            let there = self.places.contains(key);
            self.expect(there, &|| format!("loc {key:02x?}: no such row"));
            found.extend(key.first_chunk::<12>().copied());
            Ok(true)
        })?;
        let places = std::mem::take(&mut self.places);
        for key in &places {
            let (email, place) = split(key);
            let born = self.messages.get(&email).map(|(head, _)| head.birth);
            let known = born == Some(place) || found.contains(key);
            self.expect(known, &|| format!("row {key:02x?}: not in loc"));
        }
        self.places = places;
        Ok(())
    }

    /// Every email that says it is shown is.
    fn orphans(&mut self) -> Result<(), Error> {
        let shown: BTreeSet<u64> = self.places.iter().map(|key| split(key).0).collect();
        let messages = std::mem::take(&mut self.messages);
        for (email, (head, _)) in &messages {
            let fits = (head.birth != 0) == shown.contains(email);
            self.expect(fits, &|| {
                format!("email {email}: shown by no mailbox, or should not be")
            });
        }
        self.messages = messages;
        Ok(())
    }

    fn pieces(&mut self) -> Result<(), Error> {
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        self.tables.all(Tree::Blob, &mut |key, _| {
            *counts.entry(number(key) >> 24).or_default() += 1;
            Ok(true)
        })?;
        let messages = std::mem::take(&mut self.messages);
        for (email, (_, pieces)) in &messages {
            let there = counts.remove(email).unwrap_or(0);
            self.expect(there == *pieces, &|| {
                format!("email {email}: {there} of {pieces} pieces")
            });
        }
        self.messages = messages;
        for (email, count) in counts {
            let begun = self.state.global.in_flight.contains(&email);
            self.expect(begun, &|| format!("{count} pieces of nobody, {email}"));
            self.report.in_flight += count;
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<(), Error> {
        let mut count = 0;
        let global = self.state.global.clone();
        let tables = self.tables.clone();
        tables.all(Tree::Gone, &mut |modseq, row| {
            let (modseq, gone) = (number(modseq), Gone::decode(row));
            count += 1;
            let fits = modseq <= global.modseq && modseq > global.gone_floor;
            self.expect(fits, &|| format!("end {modseq} is out of range"));
            let key = loc_key(gone.email, gone.mailbox, gone.uid);
            let over = !self.places.contains(&key);
            self.expect(over, &|| format!("{gone:?} is there still"));
            Ok(true)
        })?;
        self.expect(count == global.gone_count, &|| {
            format!("{} ends are counted, {count} are there", global.gone_count)
        });
        Ok(())
    }

    /// Folded emails are in the index; rows of dead ones may be left over.
    fn index(&mut self) -> Result<(), Error> {
        let tables = self.tables.clone();
        let indexed = self.state.global.indexed;
        tables.all(Tree::Msg, &mut |key, row| {
            let email = email_of(key);
            let row = MsgRow::decode(row).filter(|row| row.head.birth != 0);
            let Some(row) = row.filter(|_| email.0 <= indexed) else {
                return Ok(email.0 <= indexed);
            };
            let key = thread_key(row.head.thread, email);
            let mut found = tables.get(Tree::Thr, &key)?.is_some();
            for id in row.ids {
                found &= tables.get(Tree::Mid, &id_key(id, email))?.is_some();
            }
            if !found {
                self.report.note(format!("email {email}: not in the index"));
            }
            Ok(true)
        })
    }
}

/// Email and place of a key of `loc`.
fn split(key: &[u8; 12]) -> (u64, u64) {
    let (email, place) = key.split_at(4);
    (number(email), number(place))
}

fn read_all<'a>(
    open: &dyn Fn() -> Result<Tables, Error>,
    emails: impl Iterator<Item = &'a u64>,
    mut report: Report,
) -> Result<Report, Error> {
    let mut out = Vec::new();
    for &email in emails {
        // A look each: nothing is pinned for long. One may be gone meanwhile.
        let reader = Reader::over(open()?);
        let Some(row) = reader.message(EmailId(email))? else {
            continue;
        };
        let mut at = 0;
        while at < row.head.raw_size {
            out.clear();
            match reader.read(EmailId(email), &row, at, u32::MAX, &mut out) {
                Ok(read) if read > 0 => at += read,
                Ok(_) => report.note(format!("email {email}: ends at octet {at}")),
                Err(error) => report.note(format!("email {email}: {error} at octet {at}")),
            }
            if out.is_empty() {
                break;
            }
        }
    }
    Ok(report)
}
