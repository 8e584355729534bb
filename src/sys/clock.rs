//! The time of day.
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970. A clock before that (a board without a battery) reads as 0.
pub fn now() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// Whether the clock shows a time since the first release: boards without a battery start in 1970.
pub fn is_set() -> bool {
    // 2025-01-01.
    now() >= 1_735_689_600
}
