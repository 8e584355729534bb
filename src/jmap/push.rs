//! Push (RFC 8620 §7): what changed since a connection or subscription was last told.
//!
//! Level-triggered: a watcher remembers the modseq that it has told of, and at every wake-up
//! compares the states of its types with that. Nothing is queued, so nothing can overflow, and
//! nothing is read from the store.
mod events;
mod seal;
mod sender;
mod target;

use serde_json::{Map, Value, json};

use super::context::state;
use super::wire::id::ACCOUNT;
use crate::mail::{DataType, Mail, Meta, Modseq};

pub use events::events;
pub use seal::{Keys, Vapid};
pub use sender::{ring, run};
pub use target::Target;

/// What a client can be told of; EmailDelivery has no methods (RFC 8621 §1.5).
const TYPES: [(&str, DataType); 8] = [
    ("Email", DataType::Email),
    ("EmailDelivery", DataType::EmailDelivery),
    ("EmailSubmission", DataType::EmailSubmission),
    ("Identity", DataType::Identity),
    ("Mailbox", DataType::Mailbox),
    ("Quota", DataType::Quota),
    ("Thread", DataType::Thread),
    ("VacationResponse", DataType::VacationResponse),
];

/// Watches some types for one client.
#[derive(Clone, Debug)]
pub struct Watch {
    types: Vec<(&'static str, DataType)>,
    /// Everything up to here has been told.
    pub told: Modseq,
}

impl Watch {
    /// Watches the types that `wants` names, from `told` on.
    pub fn new(mail: &Mail, wants: impl Fn(&str) -> bool, told: Modseq) -> Watch {
        // Without a limit there is no quota to change.
        let exists = |kind| kind != DataType::Quota || mail.quota() > 0;
        let types = TYPES.into_iter();
        let types = types
            .filter(|(name, kind)| wants(name) && exists(*kind))
            .collect();
        Watch { types, told }
    }

    /// The StateChange object for what changed since the last one, if anything did (RFC 8620 §7.1).
    pub fn changed(&mut self, meta: &Meta) -> Option<Value> {
        let since = std::mem::replace(&mut self.told, meta.modseq);
        let states = |(name, kind): &(&'static str, DataType)| {
            let now = meta.states.of(*kind);
            (now > since).then(|| ((*name).to_owned(), Value::from(state(now))))
        };
        let changed: Map<String, Value> = self.types.iter().filter_map(states).collect();
        (!changed.is_empty())
            .then(|| json!({ "@type": "StateChange", "changed": { ACCOUNT: changed } }))
    }
}
