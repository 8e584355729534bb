//! The time of day.
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// 2025-01-01: before the first release.
pub const FIRST: u32 = 1_735_689_600;

/// Seconds since 1970. A clock before that (a board without a battery) reads as 0.
///
/// For tests `PILLARBOX_CLOCK` may say what it is when the program starts.
pub fn now() -> u32 {
    static FAKE: OnceLock<Option<(u64, Instant)>> = OnceLock::new();
    let fake = FAKE.get_or_init(|| {
        let start = std::env::var("PILLARBOX_CLOCK").ok()?.parse().ok()?;
        Some((start, Instant::now()))
    });
    let seconds = match fake {
        Some((start, since)) => start + since.elapsed().as_secs(),
        None => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.unwrap_or_default().as_secs()
        }
    };
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// Whether the clock shows a time since the first release: boards without a battery start in 1970.
pub fn is_set() -> bool {
    is_real(now())
}

/// The newest time that the store knows.
static KNOWN: AtomicU32 = AtomicU32::new(0);

/// Says that it was this late before.
pub fn not_before(at: u32) {
    KNOWN.fetch_max(at, Ordering::Relaxed);
}

/// The same as [`now`]; but where the clock is not set, not earlier than it ever was: for what has an end.
pub fn at_least() -> u32 {
    match (now(), KNOWN.load(Ordering::Relaxed)) {
        (now, known) if !is_real(now) => known.max(now),
        (now, _) => now,
    }
}

/// Whether this was read from a clock that was set.
pub fn is_real(at: u32) -> bool {
    at >= FIRST
}

/// Seconds since then; 0 where either time cannot be believed.
pub fn age(since: u32) -> u32 {
    match is_real(since) {
        true => now().saturating_sub(since),
        false => 0,
    }
}
