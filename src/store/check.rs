//! Does everything in the file fit together? Read-only, for a store that nobody has open.
//!
//! Every row is looked at where it stands, and what it names is looked up: memory does not grow with
//! the number of messages.

use super::blob::layout;
use super::disk::Disk;
use super::rows::{Counters, EmailId, Flags, Gone, Row};
use super::state::State;
use super::tables::{
    Look as Tables, Tree, email_key, email_of, id_key, loc_key, number, piece_key, place,
    thread_key,
};
use super::{Error, Head, MsgRow, Reader};
use redb::ReadableDatabase;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Message ids that are held together.
const IDS: usize = 1024;
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
/// Errors: as for opening.
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
    };
    look.messages()?;
    look.rows()?;
    look.locations()?;
    look.pieces()?;
    look.ends()?;
    let report = look.report;
    match bodies {
        true => read_all(open, report),
        false => Ok(report),
    }
}

struct Look {
    tables: Rc<Tables>,
    state: State,
    report: Report,
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

    /// The row of a place, if it is this email's.
    fn shows(&self, email: u64, place: u64) -> Result<Option<Row>, Error> {
        let row = self.tables.get(Tree::Hot, &place.to_be_bytes())?;
        let row = row.map(|row| Row::decode(place, row.value()));
        Ok(row.filter(|row| row.email.0 == email))
    }

    fn messages(&mut self) -> Result<(), Error> {
        let (mut bytes, mut emails) = (0, 0);
        let tables = self.tables.clone();
        tables.all(Tree::Msg, &mut |key, row| {
            let id = number(key);
            let Some(row) = MsgRow::decode(row) else {
                self.report.note(format!("email {id}: row cannot be read"));
                return Ok(true);
            };
            let head = row.head;
            bytes += u64::from(head.raw_size);
            emails += u32::from(head.birth != 0);
            let sum: u32 = row.blocks.iter().map(|b| b.stored).sum();
            self.expect(sum == head.stored, &|| {
                format!("email {id}: its blocks do not add up")
            });
            let next = self.state.global.next_email;
            self.expect(id < next, &|| format!("email {id}: not below {next}"));
            self.expect(head.birth != 0 || head.holds > 0, &|| {
                format!("email {id}: nothing keeps it")
            });
            self.report.held += u32::from(head.birth == 0);
            // Those that have some are counted where the pieces are.
            let first = piece_key(EmailId(id), 0);
            let begun = pieces(&head) == 0 || tables.get(Tree::Blob, &first)?.is_some();
            self.expect(begun, &|| format!("email {id}: has no pieces"));
            if head.birth != 0 {
                self.shown(id, &head)?;
                self.indexed(id, &row)?;
            }
            Ok(true)
        })?;
        let global = (self.state.global.bytes, self.state.global.emails);
        self.expect(global == (bytes, emails), &|| {
            format!("{global:?} octets and emails are counted, ({bytes}, {emails}) are there")
        });
        self.report.emails = emails;
        Ok(())
    }

    /// An email that says that it is shown is.
    fn shown(&mut self, id: u64, head: &Head) -> Result<(), Error> {
        let mut shown = self.shows(id, head.birth)?.is_some();
        let tables = self.tables.clone();
        tables.prefix(Tree::Loc, &email_key(EmailId(id)), &mut |_, _| {
            shown = true;
            Ok(false)
        })?;
        self.expect(shown, &|| format!("email {id}: shown by no mailbox"));
        Ok(())
    }

    /// A folded email is in the index; rows of dead ones may be left over.
    fn indexed(&mut self, id: u64, row: &MsgRow) -> Result<(), Error> {
        let email = EmailId(id);
        if id > self.state.global.indexed {
            return Ok(());
        }
        let key = thread_key(row.head.thread, email);
        let mut found = self.tables.get(Tree::Thr, &key)?.is_some();
        for hash in &row.ids {
            let key = id_key(*hash, email);
            found &= self.tables.get(Tree::Mid, &key)?.is_some();
        }
        self.expect(found, &|| format!("email {email}: not in the index"));
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
            self.row(&row)?;
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

    /// A membership is of an email that is there, and is found from it: as the first one, or in `loc`.
    fn row(&mut self, row: &Row) -> Result<(), Error> {
        let modseq = self.state.global.modseq;
        self.expect(row.created <= row.modseq && row.modseq <= modseq, &|| {
            format!("{row:?}: modseq above {modseq}")
        });
        let tables = self.tables.clone();
        let head = tables.get(Tree::Msg, &email_key(row.email))?;
        let head = head.and_then(|row| MsgRow::head(row.value()));
        let fits = head
            .as_ref()
            .is_some_and(|h| h.birth != 0 && h.raw_size == row.size && h.thread == row.thread.0);
        self.expect(fits, &|| format!("{row:?}: its email is {head:?}"));
        let key = loc_key(row.email, row.mailbox, row.uid);
        let known = head.is_some_and(|head| head.birth == place(row.mailbox, row.uid))
            || tables.get(Tree::Loc, &key)?.is_some();
        self.expect(known, &|| format!("{row:?}: not in loc"));
        Ok(())
    }

    /// What `loc` names is there, and has the flags that the email has elsewhere.
    fn locations(&mut self) -> Result<(), Error> {
        // The email of the last one, and its flags.
        let mut last: Option<(u64, u64)> = None;
        let tables = self.tables.clone();
        tables.all(Tree::Loc, &mut |key, _| {
            let (email, place) = key.split_at_checked(4).unwrap_or_default();
            let (email, place) = (number(email), number(place));
            let Some(row) = self.shows(email, place)? else {
                self.report.note(format!("loc {key:02x?}: no such row"));
                return Ok(true);
            };
            if row.flags.has(Flags::APART) {
                return Ok(true);
            }
            let shared = row.flags.only(Flags::OF_EMAIL).0;
            if last.is_none_or(|(of, _)| of != email) {
                let head = tables.get(Tree::Msg, &email_key(row.email))?;
                let head = head.and_then(|row| MsgRow::head(row.value()));
                let birth = self.shows(email, head.map_or(0, |head| head.birth))?;
                let birth = birth.filter(|row| !row.flags.has(Flags::APART));
                let first = birth.map_or(shared, |row| row.flags.only(Flags::OF_EMAIL).0);
                last = Some((email, first));
            }
            self.expect(last == Some((email, shared)), &|| {
                format!("email {email}: its flags differ by mailbox")
            });
            Ok(true)
        })
    }

    fn pieces(&mut self) -> Result<(), Error> {
        let (mut email, mut count) = (0, 0);
        let tables = self.tables.clone();
        tables.all(Tree::Blob, &mut |key, _| {
            let this = number(key) >> 24;
            if this != email {
                self.count(email, count)?;
                (email, count) = (this, 0);
            }
            count += 1;
            Ok(true)
        })?;
        self.count(email, count)
    }

    /// So many pieces are there of an email.
    fn count(&mut self, email: u64, count: u32) -> Result<(), Error> {
        if count == 0 {
            return Ok(());
        }
        let tables = self.tables.clone();
        let row = tables.get(Tree::Msg, &email_key(EmailId(email)))?;
        let Some(head) = row.and_then(|row| MsgRow::head(row.value())) else {
            let begun = self.state.global.in_flight.contains(&email);
            self.expect(begun, &|| format!("{count} pieces of nobody, {email}"));
            self.report.in_flight += count;
            return Ok(());
        };
        let want = pieces(&head);
        self.expect(count == want, &|| {
            format!("email {email}: {count} of {want} pieces")
        });
        Ok(())
    }

    fn ends(&mut self) -> Result<(), Error> {
        let mut count = 0;
        let tables = self.tables.clone();
        tables.all(Tree::Gone, &mut |modseq, row| {
            let (modseq, gone) = (number(modseq), Gone::decode(row));
            count += 1;
            let global = &self.state.global;
            let fits = modseq <= global.modseq && modseq > global.gone_floor;
            self.expect(fits, &|| format!("end {modseq} is out of range"));
            let row = self.shows(gone.email.0, place(gone.mailbox, gone.uid))?;
            self.expect(row.is_none(), &|| format!("{gone:?} is there still"));
            Ok(true)
        })?;
        let said = self.state.global.gone_count;
        self.expect(count == said, &|| {
            format!("{said} ends are counted, {count} are there")
        });
        Ok(())
    }
}

/// How many a message has.
fn pieces(head: &Head) -> u32 {
    let (pieces, rest) = layout(head.stored as usize);
    pieces.count() as u32 + u32::from(rest > 0 && !head.tail_inline)
}

fn read_all(open: &dyn Fn() -> Result<Tables, Error>, mut report: Report) -> Result<Report, Error> {
    let mut next = Some(EmailId(0));
    while let Some(from) = next.take() {
        let mut ids = Vec::with_capacity(IDS);
        open()?.range(Tree::Msg, &email_key(from), None, &mut |key, _| {
            if ids.len() == IDS {
                next = Some(email_of(key));
                return Ok(false);
            }
            ids.push(email_of(key));
            Ok(true)
        })?;
        for email in ids {
            body(open()?, email, &mut report)?;
        }
    }
    Ok(report)
}

/// Every octet of one, in a look of its own: nothing is pinned for long.
fn body(look: Tables, email: EmailId, report: &mut Report) -> Result<(), Error> {
    let reader = Reader::over(look);
    // Gone meanwhile.
    let Some(row) = reader.message(email)? else {
        return Ok(());
    };
    let (mut at, mut out) = (0, Vec::new());
    while at < row.head.raw_size {
        out.clear();
        match reader.read(email, &row, at, u32::MAX, &mut out) {
            Ok(read) if read > 0 => at += read,
            Ok(_) => report.note(format!("email {email}: ends at octet {at}")),
            Err(error) => report.note(format!("email {email}: {error} at octet {at}")),
        }
        if out.is_empty() {
            break;
        }
    }
    Ok(())
}
