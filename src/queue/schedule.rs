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

/// Whether what was put off until `due` is to be tried. Nothing is put off for longer than
/// [`limits::SEND_DELAY`], and a day for a clock that was corrected: the clock was ahead when it was, and
/// went back. A clock that is not set tells nothing: what was to leave later (RFC 4865 §4.1) waits.
pub fn is_due(due: u32, now: u32) -> bool {
    let ahead = due.saturating_sub(now);
    ahead == 0 || now >= clock::FIRST && ahead > limits::SEND_DELAY + 86_400
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
        assert!(is_due(0, now) && is_due(now, now));
        assert!(!is_due(now + 1, now) && !is_due(now + limits::SEND_DELAY + 60, now));
        // The clock was ahead.
        assert!(is_due(u32::MAX, now));
        // A board that starts in 1970.
        assert!(!is_due(now, 60));
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
