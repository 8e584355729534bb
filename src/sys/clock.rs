//! The time of day.
use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970. A clock before that (a board without a battery) reads as 0.
pub fn now() -> u32 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

/// A date-time of RFC 5322 §3.3 in UTC, for trace fields and reports.
pub fn mail_date(secs: u32) -> String {
    let at = time::UtcDateTime::UNIX_EPOCH + time::Duration::seconds(i64::from(secs));
    let (day, month) = (at.weekday().to_string(), at.month().to_string());
    format!(
        "{}, {} {} {} {:02}:{:02}:{:02} +0000",
        day.get(..3).unwrap_or(&day),
        at.day(),
        month.get(..3).unwrap_or(&month),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn mail_dates() {
        assert_eq!(super::mail_date(0), "Thu, 1 Jan 1970 00:00:00 +0000");
        assert_eq!(
            super::mail_date(1_795_259_129),
            "Sat, 21 Nov 2026 11:05:29 +0000"
        );
    }
}
