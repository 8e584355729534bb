//! Wakes everyone who waits for changes.

use super::Modseq;
use crate::sys::lock;
use event_listener::{Event, EventListener};
use std::sync::Mutex;

/// One event for the whole store: whoever waits wakes after each commit and reads what changed since
/// its own modseq. Nothing is queued, so nothing can overflow or be missed.
#[derive(Default)]
pub struct Hub {
    event: Event,
    modseq: Mutex<Modseq>,
}

impl Hub {
    /// Resolves after the next commit. Listen first, then look, then await.
    pub fn listen(&self) -> EventListener {
        self.event.listen()
    }
    /// The modseq of the last commit.
    pub fn modseq(&self) -> Modseq {
        *lock(&self.modseq)
    }
    pub(super) fn bump(&self, modseq: Modseq) {
        *lock(&self.modseq) = modseq;
        self.event.notify(usize::MAX);
    }
}
