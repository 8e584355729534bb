//! The types Date and UTCDate (RFC 8620 §1.4): RFC 3339 with every letter in upper case.
use crate::mime::{DateTime, date};

/// Reads a Date; fractions of a second are dropped.
pub fn parse(text: &str) -> Option<DateTime> {
    let upper = !text.bytes().any(|b| b.is_ascii_lowercase() || b == b' ');
    upper.then(|| date::parse_rfc3339(text)).flatten()
}

/// Reads a UTCDate as seconds since 1970.
pub fn parse_utc(text: &str) -> Option<i64> {
    text.ends_with('Z')
        .then(|| parse(text))
        .flatten()
        .map(|date| date.secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8620_examples() {
        assert_eq!(parse_utc("2014-10-30T06:12:00Z"), Some(1_414_649_520));
        let local = parse("2014-10-30T14:12:00+08:00").unwrap();
        assert_eq!((local.secs, local.offset), (1_414_649_520, 480));
        for bad in [
            "2014-10-30t06:12:00Z",
            "2014-10-30T06:12:00z",
            "2014-13-01T00:00:00Z",
            "2014-02-29T00:00:00Z",
            "2014-10-30T06:12:00",
            "2014-10-30",
            "",
            "2014-10-30T06:12:00+00:00",
            "2014-10-30 06:12:00Z",
        ] {
            assert_eq!(parse_utc(bad), None, "{bad}");
        }
    }
}
