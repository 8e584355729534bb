//! When each type of object last changed (RFC 8620 §1.5 types, §5.1 `state`).
//!
//! All types share one counter, the modseq, so that every value is a place on one line; each keeps
//! the place of its own last change, so that a change of one type is none of another.

use super::rows::Modseq;

/// A type whose changes can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum DataType {
    /// Emails, flags included.
    Email = 0,
    /// Threads: which emails are in them.
    Thread = 1,
    /// New emails (RFC 8621 §1.5 `EmailDelivery`).
    EmailDelivery = 2,
    /// Mailboxes, their counts included.
    Mailbox = 3,
    /// Identities.
    Identity = 4,
    /// Submissions.
    EmailSubmission = 5,
    /// Push subscriptions, which have no state that clients see.
    PushSubscription = 6,
    /// How much of the quota is used.
    Quota = 7,
    /// What is answered while the user is away.
    VacationResponse = 8,
    /// Emails that are shown again after `\Deleted` was taken off them: to whoever was not shown
    /// them they are new. No client hears of this one.
    Shown = 9,
}

/// How many there are.
const TYPES: usize = 10;

/// The last change of each type.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct States([Modseq; TYPES]);

impl States {
    /// Everything changed at `modseq`, for all we know.
    pub fn all(modseq: Modseq) -> States {
        States([modseq; TYPES])
    }

    /// The last change of a type.
    pub fn of(&self, kind: DataType) -> Modseq {
        self.0.get(kind as usize).copied().unwrap_or_default()
    }

    /// Notes a change.
    pub fn set(&mut self, kind: DataType, modseq: Modseq) {
        if let Some(state) = self.0.get_mut(kind as usize) {
            *state = modseq;
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for state in self.0 {
            out.extend_from_slice(&state.to_le_bytes());
        }
    }

    /// Rows written before there were states have none.
    pub(super) fn decode(bytes: &[u8], modseq: Modseq) -> States {
        let mut states = States::all(modseq);
        let (chunks, _) = bytes.as_chunks::<8>();
        for (state, chunk) in states.0.iter_mut().zip(chunks) {
            *state = u64::from_le_bytes(*chunk);
        }
        states
    }
}
