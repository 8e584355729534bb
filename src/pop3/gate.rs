//! The exclusive lock on the maildrop, and the pause between log-ins.
//!
//! One gate serves every POP3 listener of the process; the store itself is locked against other
//! processes, so that a lock in memory is enough and a crash cannot leave it behind.
use crate::limits;
use crate::sys::lock;
use event_listener::Event;
use smol::Timer;
use smol::future::FutureExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The door to the maildrop: one session at a time (RFC 1939 §4).
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    freed: Event,
}

#[derive(Debug, Default)]
struct State {
    taken: bool,
    last_login: Option<Instant>,
}

/// The right to the maildrop; dropping it gives it back.
#[derive(Debug)]
pub struct Pass(Arc<Gate>);

/// Why there is no pass now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another session has it (RFC 2449 §8.1.2).
    InUse,
    /// The last log-in is too fresh: wait this long (RFC 2449 §8.1.1).
    TooSoon(Duration),
}

impl Gate {
    /// Takes the maildrop for one session. If another has it, waits [`limits::POP3_LOCK_WAIT`]:
    /// a client that reconnects at once may be faster than the end of its old connection.
    ///
    /// # Errors
    /// See [`Refused`].
    pub async fn enter(self: &Arc<Self>, delay: Duration) -> Result<Pass, Refused> {
        let until = Instant::now() + limits::POP3_LOCK_WAIT;
        loop {
            let freed = self.freed.listen();
            match self.try_enter(delay, Instant::now()) {
                Err(Refused::InUse) if Instant::now() < until => {}
                answer => return answer,
            }
            let late = async {
                Timer::at(until).await;
            };
            freed.or(late).await;
        }
    }

    /// The same without waiting.
    fn try_enter(self: &Arc<Self>, delay: Duration, now: Instant) -> Result<Pass, Refused> {
        let mut state = lock(&self.state);
        if let Some(last) = state.last_login
            && let wait = (last + delay).saturating_duration_since(now)
            && !wait.is_zero()
        {
            return Err(Refused::TooSoon(wait));
        }
        if state.taken {
            return Err(Refused::InUse);
        }
        state.taken = true;
        state.last_login = Some(now);
        Ok(Pass(self.clone()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        lock(&self.0.state).taken = false;
        self.0.freed.notify(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let gate = Arc::new(Gate::default());
        let now = Instant::now();
        let pass = gate.try_enter(Duration::ZERO, now).unwrap();
        assert_eq!(
            gate.try_enter(Duration::ZERO, now).err(),
            Some(Refused::InUse)
        );
        drop(pass);
        assert!(gate.try_enter(Duration::ZERO, now).is_ok());
    }

    #[test]
    fn not_too_often() {
        let gate = Arc::new(Gate::default());
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        drop(gate.try_enter(minute, now).unwrap());
        let soon = now + Duration::from_secs(20);
        let wait = Duration::from_secs(40);
        assert_eq!(
            gate.try_enter(minute, soon).err(),
            Some(Refused::TooSoon(wait))
        );
        assert!(gate.try_enter(minute, now + minute).is_ok());
    }

    #[test]
    fn a_waiting_session_gets_it() {
        smol::block_on(async {
            let gate = Arc::new(Gate::default());
            let pass = gate.enter(Duration::ZERO).await.unwrap();
            let second = gate.enter(Duration::ZERO);
            let free = async {
                smol::future::yield_now().await;
                drop(pass);
            };
            let (second, ()) = smol::future::zip(second, free).await;
            assert!(second.is_ok());
        });
    }
}
