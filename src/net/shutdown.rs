//! The one event that tells every listener and session that the server is stopping.
use event_listener::{Event, EventListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A switch that is thrown once and seen by all clones, on every thread.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<Inner>);

#[derive(Default)]
struct Inner {
    thrown: AtomicBool,
    event: Event,
}

impl Shutdown {
    /// A switch that has not been thrown.
    pub fn new() -> Shutdown {
        Shutdown::default()
    }

    /// Throws the switch: all waiters wake, all later ones do not wait.
    pub fn throw(&self) {
        self.0.thrown.store(true, Ordering::SeqCst);
        self.0.event.notify(usize::MAX);
    }

    /// Whether the server is stopping.
    pub fn is_thrown(&self) -> bool {
        self.0.thrown.load(Ordering::SeqCst)
    }

    /// Resolves when the server is stopping. Safe to drop and ask again.
    pub async fn wait(&self) {
        while let Some(listener) = self.listener() {
            listener.await;
        }
    }

    /// A listener for the throw, or `None` if it has been thrown already.
    pub(super) fn listener(&self) -> Option<EventListener> {
        if self.is_thrown() {
            return None;
        }
        let listener = self.0.event.listen();
        (!self.is_thrown()).then_some(listener)
    }
}
