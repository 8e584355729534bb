//! When to try again, and when to stop (RFC 5321 §4.5.4.1). Pure.
use crate::limits;
use crate::mail::outbound::Batch;

/// Seconds to wait behind the `attempts`th attempt: five minutes, doubled each time up to four
/// hours, an eighth more or less by `jitter`, so that what failed together does not return together.
pub fn delay(attempts: u16, jitter: u8) -> u32 {
    let doubled = u32::from(attempts.clamp(1, 16)) - 1;
    let base = (limits::RETRY_FIRST << doubled).min(limits::RETRY_MOST);
    base - base / 8 + base / 4 * u32::from(jitter) / 255
}

/// Whether a message handed in at `created` has been tried long enough.
pub fn is_expired(created: u32, now: u32) -> bool {
    now.saturating_sub(created) >= limits::QUEUE_LIFETIME
}

/// Whether somebody wants to hear that the message is late, and has not.
pub fn is_late(batch: &Batch, created: u32, now: u32) -> bool {
    let asked = batch
        .recipients
        .iter()
        .any(|to| to.notify.is_some_and(|notify| notify.delay));
    asked && !batch.warned && now.saturating_sub(created) >= limits::QUEUE_WARN
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn expiry() {
        assert!(!is_expired(1000, 1000 + limits::QUEUE_LIFETIME - 1));
        assert!(is_expired(1000, 1000 + limits::QUEUE_LIFETIME));
        // The clock was wrong when it was handed in.
        assert!(!is_expired(1000, 0));
    }
}
