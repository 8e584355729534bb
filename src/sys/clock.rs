//! The time of day.
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970. A clock before that (a board without a battery) reads as 0.
pub fn now() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}
