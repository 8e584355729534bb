//! The time of day.
use std::time::{SystemTime, UNIX_EPOCH};

/// 2025-01-01: before the first release.
pub const FIRST: u32 = 1_735_689_600;

/// Seconds since 1970. A clock before that (a board without a battery) reads as 0.
pub fn now() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// Seconds since then; 0 where either time cannot be believed.
pub fn age(since: u32) -> u32 {
    if since < FIRST {
        return 0;
    }
    now().saturating_sub(since)
}

/// Whether the clock shows a time since the first release: boards without a battery start in 1970.
pub fn is_set() -> bool {
    now() >= FIRST
}
