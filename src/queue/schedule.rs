//! When to try again, and when to stop (RFC 5321 §4.5.4.1). Pure.
use crate::config::Retry;
use crate::limits;
use crate::mail::outbound::Batch;
use crate::sys::clock;

/// Seconds to wait behind the `attempts`th attempt: five minutes, doubled each time up to four
/// hours, unless flags say otherwise, an eighth more or less by `jitter`, so that what failed together does not return together.
pub fn delay(retry: &Retry, attempts: u16, jitter: u8) -> u32 {
    let doubled = u32::from(attempts.clamp(1, 16)) - 1;
    let base = retry.first.saturating_mul(1 << doubled).min(retry.most);
    base - base / 8 + (u64::from(base / 4) * u64::from(jitter) / 255) as u32
}

/// How long a message has waited. What was handed in while the clock was not set has not waited yet
/// when it is: the queue gives it a new date then.
fn age(created: u32, now: u32) -> u32 {
    match is_undated(created, now) {
        true => 0,
        false => now.saturating_sub(created),
    }
}

/// Whether the clock was set since a message was handed in.
pub fn is_undated(created: u32, now: u32) -> bool {
    created < clock::FIRST && now >= clock::FIRST
}

/// When a batch is to leave that waits for what its sender said (RFC 4865 §4.1) by a clock that was not set
/// and is now: as long as was said, from now on. None: it is not such a one.
pub fn anew(batch: &Batch, made: u32, now: u32) -> Option<u32> {
    let asked = batch.attempts == 0 && batch.due > made && is_undated(batch.due, now);
    asked.then(|| now.saturating_add(batch.due - made))
}

/// Whether a batch of an item made at `made` is to be tried. What was put off for longer than it can be was
/// put off by a clock that was ahead, or before a reboot to 1970. But what its sender wants to leave later
/// (RFC 4865 §4.1, RFC 8621 §7.5) does not leave because the clock is not set.
pub fn is_due(retry: &Retry, batch: &Batch, made: u32, now: u32) -> bool {
    let ahead = batch.due.saturating_sub(now);
    let asked = batch.attempts == 0 && batch.due > made;
    let most = match asked {
        true if now < clock::FIRST => u32::MAX,
        true => limits::SEND_DELAY + 86_400,
        false => retry.most.saturating_add(retry.most / 4),
    };
    ahead == 0 || ahead > most
}

/// Whether a message handed in at `created` has been tried long enough.
pub fn is_expired(retry: &Retry, created: u32, now: u32) -> bool {
    age(created, now) >= retry.lifetime
}

/// Whether somebody wants to hear that the message is late, and has not.
pub fn is_late(retry: &Retry, batch: &Batch, created: u32, now: u32) -> bool {
    let asked = batch
        .recipients
        .iter()
        .any(|to| to.notify.map_or(retry.warn_all, |notify| notify.delay));
    asked && !batch.warned && age(created, now) >= retry.warn
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delay(attempts: u16, jitter: u8) -> u32 {
        super::delay(&Retry::default(), attempts, jitter)
    }

    fn is_expired(created: u32, now: u32) -> bool {
        super::is_expired(&Retry::default(), created, now)
    }

    #[test]
    fn delays_grow_and_stay_bounded() {
        assert_eq!(delay(1, 128), 300);
        assert_eq!(delay(2, 128), 600);
        for attempts in [0, 1, 5, 9, 1000, u16::MAX] {
            for jitter in [0, 128, 255] {
                let delay = delay(attempts, jitter);
                assert!(
                    (limits::RETRY_FIRST * 7 / 8..=limits::RETRY_MOST / 8 * 9).contains(&delay)
                );
            }
        }
        assert!(delay(3, 0) < delay(3, 255));
    }

    #[test]
    fn put_off() {
        let now = clock::FIRST + 1000;
        let is_due = |attempts, due, made, now| {
            let row = Batch {
                due,
                attempts,
                warned: false,
                held: false,
                priority: 0,
                tls: Default::default(),
                from: String::new(),
                last: String::new(),
                recipients: Vec::new(),
            };
            super::is_due(&Retry::default(), &row, made, now)
        };
        // By its sender.
        assert!(is_due(0, now, now - 60, now));
        assert!(!is_due(0, now + 1, now, now));
        assert!(!is_due(0, now + limits::SEND_DELAY + 60, now, now));
        assert!(is_due(0, u32::MAX, now, now), "the clock was ahead");
        assert!(
            !is_due(0, now + 60, now, 100),
            "a board that starts in 1970"
        );
        // By us.
        assert!(is_due(1, 0, now, now) && !is_due(1, now + 60, now - 60, now));
        assert!(is_due(1, now, now - 60, 100) && is_due(0, now, now, 100));
    }

    #[test]
    fn expiry() {
        assert!(!is_expired(1000, 1000 + limits::QUEUE_LIFETIME - 1));
        assert!(is_expired(1000, 1000 + limits::QUEUE_LIFETIME));
        // The clock was wrong when it was handed in.
        assert!(!is_expired(1000, 0));
        assert!(!is_expired(1000, clock::FIRST));
    }
}
