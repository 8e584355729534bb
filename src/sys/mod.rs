//! What the machine gives: randomness, the log, secret files, users, confinement, the service manager.
use std::sync::{Mutex, MutexGuard, PoisonError};

pub mod activation;
mod aside;
pub mod clock;
pub mod count;
pub mod log;
pub mod network;
pub mod notify;
pub mod random;
pub mod sandbox;
pub mod secret;
pub mod task;
pub mod users;

pub use aside::{Aside, aside};

/// Locks, also when a thread panicked while it held the lock: every value behind our locks is
/// whole between any two statements.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
