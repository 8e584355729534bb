//! Submissions (RFC 8621 §7): what was handed to the queue over JMAP, and what became of it.
//!
//! A submission is a record beside the rows of the queue ([`super::outbound`]). It is written in the
//! commit that queues the email; from then on the queue tells it of every outcome in the commit
//! that settles it, and a cancelled one takes the queue's rows away only while no attempt has begun.
//!
//! ```text
//! record/i/<item: 8 octets>    the id of the submission that an item of the queue belongs to
//! ```
use super::access::Check;
use super::fail::Done;
use super::outbound::{self, Batch, Envelope, Input, Item, Recipient, put_text};
use super::records::{self, Edit, Record};
use super::{DataType, EmailId, Error, Expect, Mail, Modseq, Own, Result, ThreadId};
use crate::limits;
use crate::store::Txn;

/// Whether a recipient has it (RFC 8621 §7 `delivered`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Delivered {
    /// It waits.
    Queued = 0,
    /// It is in the recipient's mailbox.
    Yes = 1,
    /// It never will be.
    No = 2,
    /// It went to another host.
    Unknown = 3,
}

/// One recipient of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The address.
    pub address: String,
    /// What a server last said, in one line that begins with a reply code.
    pub reply: String,
    /// Whether it is there.
    pub delivered: Delivered,
    /// A receipt says that somebody saw it.
    pub displayed: bool,
}

/// A report that came about a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The message that it is.
    pub email: EmailId,
    /// It is a read receipt.
    pub read: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Undo {
    /// No attempt has begun.
    Pending = 0,
    /// Too late.
    Final = 1,
    /// Taken back.
    Canceled = 2,
}

/// A submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The record of the identity.
    pub identity: Modseq,
    /// The email, which may be gone.
    pub email: EmailId,
    /// Its thread.
    pub thread: ThreadId,
    /// When it is, or was, released: seconds since 1970.
    pub send_at: u32,
    /// Its place in the queue.
    pub item: Item,
    /// How far it is.
    pub undo: Undo,
    /// The envelope as the client wrote it.
    pub envelope: String,
    /// Who gets it.
    pub deliveries: Vec<Delivery>,
    /// What came back, oldest first.
    pub reports: Vec<Report>,
}

/// What the queue has to tell about one recipient.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whose.
    pub item: Item,
    /// Which.
    pub address: String,
    /// What the server said.
    pub reply: String,
    /// Where that leaves it.
    pub delivered: Delivered,
}

const KIND: DataType = DataType::EmailSubmission;

impl Mail {
    /// Every submission with its id, oldest first.
    ///
    /// Errors: the store's.
    pub fn submissions(&self) -> Result<Vec<(Modseq, Submission)>> {
        let records = self.records(KIND)?;
        let read = |record: &Record| Some((record.id, Submission::decode(&record.data)?));
        Ok(records.iter().filter_map(read).collect())
    }

    /// Queues an email, and keeps a record of it. Where there are too many, the oldest that is done
    /// goes.
    ///
    /// Errors: [`Error::NoSuchEmail`], [`Error::StateMismatch`], [`Error::NoPermission`],
    /// [`Error::Limit`] when too many are still under way.
    pub async fn submit(
        &self,
        expect: Expect,
        submission: Submission,
        envelope: Envelope,
        recipients: Vec<Recipient>,
    ) -> Result<(Modseq, Own)> {
        let queued = self.write_own(expect, move |txn, who: &Check| {
            who.everywhere()?;
            let mut row = txn.message(submission.email)?.ok_or(Error::NoSuchEmail)?;
            make_room(txn)?;
            row.head.holds = row.head.holds.saturating_add(1);
            txn.put_message(submission.email, &row)?;
            let rows = outbound::rows(submission.item, submission.email, &envelope, recipients);
            for (key, value) in rows {
                txn.put_misc(&key, value.as_deref())?;
            }
            let id = records::apply(txn, KIND, Edit::Create(submission.encode()))?;
            let id = id.unwrap_or_default();
            txn.put_misc(&item_key(submission.item), Some(&id.to_be_bytes()))?;
            Ok(id)
        });
        let done = queued.await?;
        outbound::ring();
        Ok(done)
    }

    /// Takes a submission back. False: it is too late.
    ///
    /// Errors: [`Error::NoSuchEmail`] when there is no such submission, [`Error::StateMismatch`].
    pub async fn unsend(&self, expect: Expect, id: Modseq) -> Result<(bool, Own)> {
        self.write_own(expect, move |txn, who: &Check| {
            who.everywhere()?;
            let record = records::find(txn, KIND, id)?.ok_or(Error::NoSuchEmail)?;
            let Some(mut submission) = Submission::decode(&record.data) else {
                return Err(Error::NoSuchEmail.into());
            };
            if submission.undo != Undo::Pending {
                return Ok(submission.undo == Undo::Canceled);
            }
            let batches = txn.misc_keys(&outbound::batches_of(submission.item), limits::RECORDS)?;
            for key in &batches {
                let row = txn.misc(key)?.and_then(|row| Batch::decode(&row));
                if row.is_none_or(|batch| batch.attempts > 0) {
                    return Ok(false);
                }
            }
            if batches.is_empty() {
                return Ok(false);
            }
            for key in &batches {
                txn.put_misc(key, None)?;
            }
            txn.put_misc(&outbound::envelope_key(submission.item), None)?;
            txn.put_misc(&item_key(submission.item), None)?;
            super::deliver::release(txn, submission.email)?;
            submission.undo = Undo::Canceled;
            for delivery in &mut submission.deliveries {
                delivery.reply = "550 5.7.1 taken back by the sender".into();
                delivery.delivered = Delivered::No;
            }
            records::apply(txn, KIND, Edit::Update(id, submission.encode()))?;
            Ok(true)
        })
        .await
    }

    /// The queue is about to try a batch: writes its row, if it is still there. False: it was taken
    /// back meanwhile.
    pub async fn claim(&self, item: Item, domain: &str, batch: &Batch) -> Result<bool> {
        let (key, row) = (outbound::batch_key(item, domain), batch.encode());
        self.write(0, move |txn| {
            if txn.misc(&key)?.is_none() {
                return Ok(false);
            }
            txn.put_misc(&key, Some(&row))?;
            update(txn, item, |submission| {
                let first = submission.undo == Undo::Pending;
                submission.undo = Undo::Final;
                first
            })?;
            Ok(true)
        })
        .await
    }
}

/// Takes what the queue has to tell into the submissions.
pub(super) fn tell(txn: &mut Txn<'_>, told: &[Told]) -> Done<()> {
    let Some(item) = told.first().map(|told| told.item) else {
        return Ok(());
    };
    update(txn, item, |submission| {
        let mut changed = false;
        for news in told {
            let same = |d: &&mut Delivery| d.address == news.address;
            if let Some(delivery) = submission.deliveries.iter_mut().find(same) {
                changed |= delivery.reply != news.reply || delivery.delivered != news.delivered;
                delivery.reply.clone_from(&news.reply);
                delivery.delivered = news.delivered;
            }
        }
        changed
    })
}

/// Changes the submission that an item belongs to, if there is one and `change` says so.
fn update(txn: &mut Txn<'_>, item: Item, change: impl FnOnce(&mut Submission) -> bool) -> Done<()> {
    let id = txn.misc(&item_key(item))?;
    let Some(id) = id.and_then(|id| id.try_into().ok().map(u64::from_be_bytes)) else {
        return Ok(());
    };
    let record = records::find(txn, KIND, id)?;
    let Some(mut submission) = record.and_then(|record| Submission::decode(&record.data)) else {
        // It was destroyed, which does not affect the delivery (RFC 8621 §7.5).
        txn.put_misc(&item_key(item), None)?;
        return Ok(());
    };
    if change(&mut submission) {
        records::apply(txn, KIND, Edit::Update(id, submission.encode()))?;
        let waiting = |d: &Delivery| d.delivered == Delivered::Queued;
        if !submission.deliveries.iter().any(waiting) {
            txn.put_misc(&item_key(item), None)?;
        }
    }
    Ok(())
}

/// RFC 8621 §7: "a server MAY destroy EmailSubmission objects at any time after the message is
/// successfully sent or after it has finished retrying".
fn make_room(txn: &mut Txn<'_>) -> Done<()> {
    let records = records::list(txn, KIND)?;
    if records.len() < limits::SUBMISSIONS {
        return Ok(());
    }
    let done = |record: &&Record| {
        Submission::decode(&record.data).is_none_or(|submission| {
            let waiting = |d: &Delivery| d.delivered == Delivered::Queued;
            !submission.deliveries.iter().any(waiting)
        })
    };
    let oldest = records.iter().find(done).map(|record| record.id);
    let oldest = oldest.ok_or(Error::Limit(&"so many submissions under way"))?;
    records::apply(txn, KIND, Edit::Destroy(oldest))?;
    Ok(())
}

fn item_key(item: Item) -> Vec<u8> {
    [b"record/i/".as_slice(), &item.0.to_be_bytes()].concat()
}

/// 1 was without reports.
const VERSION: u8 = 2;

impl Submission {
    /// The data of its record.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION, self.undo as u8];
        for number in [self.identity, self.email.0, self.item.0] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for number in [self.thread.0, self.send_at] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        // Longer than other texts: many recipients.
        let length = u32::try_from(self.envelope.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(self.envelope.as_bytes());
        out.push(u8::try_from(self.reports.len()).unwrap_or(u8::MAX));
        for report in self.reports.iter().take(usize::from(u8::MAX)) {
            out.push(u8::from(report.read));
            out.extend_from_slice(&report.email.0.to_be_bytes());
        }
        for delivery in &self.deliveries {
            put_text(&mut out, &delivery.address);
            put_text(&mut out, &delivery.reply);
            out.push(delivery.delivered as u8 | u8::from(delivery.displayed) << 7);
        }
        out
    }

    /// Reads it; None if it is damaged.
    pub fn decode(data: &[u8]) -> Option<Submission> {
        let (version, rest) = data
            .split_first()
            .filter(|(v, _)| (1..=VERSION).contains(*v))?;
        let mut input = Input(rest);
        let undo = match input.octet()? {
            0 => Undo::Pending,
            1 => Undo::Final,
            _ => Undo::Canceled,
        };
        let (identity, email, item) = (input.long()?, input.long()?, input.long()?);
        let mut submission = Submission {
            identity,
            email: EmailId(email),
            item: Item(item),
            thread: ThreadId(input.number()?),
            send_at: input.number()?,
            undo,
            envelope: input.long_text()?,
            deliveries: Vec::new(),
            reports: Vec::new(),
        };
        for _ in 0..if *version > 1 { input.octet()? } else { 0 } {
            let read = input.octet()? != 0;
            let email = EmailId(input.long()?);
            submission.reports.push(Report { email, read });
        }
        while !input.0.is_empty() {
            let (address, reply, bits) = (input.text()?, input.text()?, input.octet()?);
            submission.deliveries.push(Delivery {
                address,
                reply,
                delivered: match bits & 0x7f {
                    0 => Delivered::Queued,
                    1 => Delivered::Yes,
                    2 => Delivered::No,
                    _ => Delivered::Unknown,
                },
                displayed: bits & 0x80 != 0,
            });
        }
        Some(submission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comes_back() {
        let submission = Submission {
            identity: 7,
            email: EmailId(8),
            thread: ThreadId(9),
            send_at: 10,
            item: Item(11 << 40),
            undo: Undo::Canceled,
            envelope: "{}".into(),
            deliveries: vec![Delivery {
                address: "a@b".into(),
                reply: "250 2.0.0 ok".into(),
                delivered: Delivered::Unknown,
                displayed: true,
            }],
            reports: vec![Report {
                email: EmailId(12 << 33),
                read: true,
            }],
        };
        assert_eq!(Submission::decode(&submission.encode()), Some(submission));
    }

    proptest! {
        #[test]
        fn damaged_ones_do_not_panic(data in proptest::collection::vec(any::<u8>(), 0..90)) {
            let _ = Submission::decode(&data);
        }
    }
}
