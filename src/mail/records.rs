//! Small objects that are neither emails nor mailboxes: identities, submissions, push subscriptions.
//!
//! A record is a row of the key-value area. Its id is the modseq at which it was made: never used
//! twice, and what is new since a state is seen by it. What is gone leaves a mark, of which
//! [`limits::RECORD_MARKS`] are kept for each type.
//!
//! ```text
//! record/o/<type: 1 octet><id: 8 octets>      version, modseq of the last change (8 octets), the data
//! record/x/<type: 1 octet><modseq: 8 octets>  the id of what went then
//! record/f/<type: 1 octet>                    marks up to this modseq are forgotten
//! ```
use std::sync::{Arc, Mutex};

use super::access::Check;
use super::fail::Done;
use super::{DataType, Error, Expect, Mail, Modseq, ObjectChanges, Own, Put, Result};
use crate::limits;
use crate::store::Txn;
use crate::sys::lock;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its id.
    pub id: Modseq,
    /// When it last changed.
    pub changed: Modseq,
    /// What its type makes of it.
    pub data: Vec<u8>,
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// A new one.
    Create(Vec<u8>),
    /// New data for an old one.
    Update(Modseq, Vec<u8>),
    /// The end of one.
    Destroy(Modseq),
}

/// Says what to do with the records that there are.
type Plan = Box<dyn FnOnce(&[Record]) -> Result<Vec<Edit>> + Send>;

const VERSION: u8 = 1;

impl Mail {
    /// All records of a type, oldest first. Whoever is not trusted everywhere sees identities alone.
    ///
    /// Errors: the store's.
    pub fn records(&self, kind: DataType) -> Result<Vec<Record>> {
        let mut all = Vec::new();
        if self.check()?.everywhere().is_err() && kind != DataType::Identity {
            return Ok(all);
        }
        self.whole_reader()?.scan(&prefix(b'o', kind), |key, row| {
            all.extend(decode(key, row));
            true
        })?;
        Ok(all)
    }

    /// Changes records in one commit: `plan` is shown all that there are, in the writer, and says
    /// what to do. Returns its own answer, and the ids of what was created, in order.
    ///
    /// Errors: what `plan` says, before anything is changed; [`Error::StateMismatch`],
    /// [`Error::NoPermission`] for a principal that is not trusted everywhere.
    pub async fn edit_records<T: Send + 'static>(
        &self,
        kind: DataType,
        expect: Expect,
        plan: impl FnOnce(&[Record]) -> Result<(Vec<Edit>, T)> + Send + 'static,
    ) -> Result<((T, Vec<Modseq>), Own)> {
        let place = Arc::new(Mutex::new(None));
        let answer = Arc::clone(&place);
        let plan = move |records: &[Record]| {
            let (edits, answer) = plan(records)?;
            *lock(&place) = Some(answer);
            Ok(edits)
        };
        let (made, own) = self.edit(kind, expect, Box::new(plan)).await?;
        let answer = lock(&answer).take().ok_or(Error::Unavailable)?;
        Ok(((answer, made), own))
    }

    /// The same, made once for all plans.
    fn edit(
        &self,
        kind: DataType,
        expect: Expect,
        plan: Plan,
    ) -> impl Future<Output = Result<(Vec<Modseq>, Own)>> {
        self.write_own(expect, move |txn, who: &Check| {
            who.everywhere()?;
            let mut made = Vec::new();
            for edit in plan(&list(txn, kind)?)? {
                made.extend(apply(txn, kind, edit)?);
            }
            Ok(made)
        })
    }

    /// What happened to records of a type since a state; see [`Mail::email_changes`].
    ///
    /// Errors: [`Error::CannotCalculate`].
    pub fn record_changes(
        &self,
        kind: DataType,
        since: Modseq,
        max: usize,
    ) -> Result<ObjectChanges<Modseq>> {
        let meta = self.meta();
        let now = meta.states.of(kind);
        let mut out = ObjectChanges::new(now);
        if since == now {
            return Ok(out);
        }
        // To others there are none.
        if self.check()?.everywhere().is_err() {
            return Ok(out);
        }
        let reader = self.whole_reader()?;
        let floor = reader.get(&prefix(b'f', kind))?;
        // Behind a restored backup nothing is known of what was between: see [`Meta::gone_floor`].
        let floor = floor.as_deref().map_or(0, number).max(meta.gone_floor);
        if since < floor || since > meta.modseq {
            return Err(Error::CannotCalculate);
        }
        let mut all = Vec::new();
        reader.scan(&prefix(b'o', kind), |key, row| {
            if let Some(record) = decode(key, row).filter(|record| record.changed > since) {
                // A new one stands where it was made: see [`Mail::email_changes`].
                let new = record.id > since;
                let at = if new { record.id } else { record.changed };
                all.push((at, record.id, Some(new)));
            }
            true
        })?;
        reader.scan(&prefix(b'x', kind), |key, row| {
            let (at, id) = (tail(key), number(row));
            if at > since && id <= since {
                all.push((at, id, None));
            }
            true
        })?;
        all.sort_unstable();
        // Every change has a modseq of its own: there is a state behind each.
        if all.len() > max {
            all.truncate(max);
            out.more = true;
            out.modseq = all.last().map_or(since, |(at, _, _)| *at);
        }
        for (_, id, fate) in all {
            match fate {
                Some(true) => out.created.push(id),
                Some(false) => out.updated.push(id),
                None => out.destroyed.push(id),
            }
        }
        Ok(out)
    }
}

/// All records of a type, in the writer.
pub(super) fn list(txn: &mut Txn<'_>, kind: DataType) -> Done<Vec<Record>> {
    let mut all = Vec::new();
    for key in txn.misc_keys(&prefix(b'o', kind), limits::RECORDS)? {
        if let Some(row) = txn.misc(&key)? {
            all.extend(decode(&key, &row));
        }
    }
    Ok(all)
}

/// One record, in the writer.
pub(super) fn find(txn: &mut Txn<'_>, kind: DataType, id: Modseq) -> Done<Option<Record>> {
    let key = key(b'o', kind, id);
    Ok(txn.misc(&key)?.and_then(|row| decode(&key, &row)))
}

/// Makes one change, in the writer. Returns the id of what is new.
pub(super) fn apply(txn: &mut Txn<'_>, kind: DataType, edit: Edit) -> Done<Option<Modseq>> {
    let modseq = txn.state.bump();
    txn.state.changed(kind, modseq);
    match edit {
        Edit::Create(data) => {
            let (key, row) = row(kind, modseq, modseq, &data);
            txn.put_misc(&key, row.as_deref())?;
            return Ok(Some(modseq));
        }
        Edit::Update(id, data) => {
            let (key, row) = row(kind, id, modseq, &data);
            txn.put_misc(&key, row.as_deref())?;
        }
        Edit::Destroy(id) => {
            txn.put_misc(&key(b'o', kind, id), None)?;
            txn.put_misc(&key(b'x', kind, modseq), Some(&id.to_be_bytes()))?;
            forget(txn, kind)?;
        }
    }
    Ok(None)
}

/// Forgets the oldest mark when there are too many.
fn forget(txn: &mut Txn<'_>, kind: DataType) -> Done<()> {
    let marks = txn.misc_keys(&prefix(b'x', kind), limits::RECORD_MARKS + 1)?;
    if marks.len() > limits::RECORD_MARKS
        && let Some(oldest) = marks.first()
    {
        txn.put_misc(oldest, None)?;
        txn.put_misc(&prefix(b'f', kind), Some(&tail(oldest).to_be_bytes()))?;
    }
    Ok(())
}

fn prefix(table: u8, kind: DataType) -> Vec<u8> {
    [b"record/".as_slice(), &[table, b'/', kind as u8]].concat()
}

fn key(table: u8, kind: DataType, id: Modseq) -> Vec<u8> {
    [prefix(table, kind), id.to_be_bytes().to_vec()].concat()
}

fn row(kind: DataType, id: Modseq, changed: Modseq, data: &[u8]) -> Put {
    let row = [&[VERSION], changed.to_be_bytes().as_slice(), data].concat();
    (key(b'o', kind, id), Some(row))
}

fn decode(key: &[u8], row: &[u8]) -> Option<Record> {
    let (changed, data) = row.strip_prefix(&[VERSION])?.split_first_chunk::<8>()?;
    Some(Record {
        id: tail(key),
        changed: u64::from_be_bytes(*changed),
        data: data.to_vec(),
    })
}

/// The number at the end of a key.
fn tail(key: &[u8]) -> u64 {
    key.last_chunk::<8>()
        .map_or(0, |last| u64::from_be_bytes(*last))
}

fn number(row: &[u8]) -> u64 {
    row.first_chunk::<8>()
        .map_or(0, |row| u64::from_be_bytes(*row))
}
