//! Dates: `date` of SEARCH and `date-time` of APPEND and INTERNALDATE (RFC 9051 §9).
//!
//! A moment is seconds since 1970-01-01T00:00:00Z; a day is days since then.

use super::cursor::{Cursor, Error, Parsed};
use super::encode;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `date`: the days since 1970-01-01.
pub fn date(c: &mut Cursor<'_>) -> Parsed<i64> {
    let quoted = c.eat(b'"');
    let day = day_month_year(c)?;
    if quoted {
        c.must(b'"', &"a closing '\"'")?;
    }
    Ok(day)
}

/// `date-time`: seconds since 1970, UTC.
pub fn date_time(c: &mut Cursor<'_>) -> Parsed<i64> {
    c.must(b'"', &"a date and time in quotes")?;
    c.eat(b' ');
    let days = day_month_year(c)?;
    c.space()?;
    let hour = below(c, 24)?;
    c.must(b':', &"':'")?;
    let minute = below(c, 60)?;
    c.must(b':', &"':'")?;
    let second = below(c, 61)?;
    c.space()?;
    let east = match c.peek() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return c.fail(&"a time zone such as +0000"),
    };
    c.eat(b'+');
    c.eat(b'-');
    let at = c.position();
    let zone = c.take_while(|b| b.is_ascii_digit());
    let hhmm = match (zone.len(), super::cursor::digits(zone)) {
        (4, Some(n)) => i64::try_from(n).unwrap_or(0),
        _ => {
            return Err(Error {
                at,
                wanted: &"a time zone such as +0000",
            });
        }
    };
    c.must(b'"', &"a closing '\"'")?;
    let offset = east * (hhmm / 100 * 3600 + hhmm % 100 * 60);
    Ok(days * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn below(c: &mut Cursor<'_>, bound: i64) -> Parsed<i64> {
    let at = c.position();
    match i64::from(c.number()?) {
        n if n < bound => Ok(n),
        _ => Err(Error {
            at,
            wanted: &"a time of day",
        }),
    }
}

fn day_month_year(c: &mut Cursor<'_>) -> Parsed<i64> {
    let at = c.position();
    let wanted = &"a date such as 1-Feb-2026";
    let day = i64::from(c.number()?);
    c.must(b'-', wanted)?;
    let word = c.take_while(|b| b.is_ascii_alphabetic());
    let month = MONTHS
        .iter()
        .position(|m| m.as_bytes().eq_ignore_ascii_case(word));
    let month = month
        .and_then(|m| i64::try_from(m).ok())
        .ok_or(Error { at, wanted })?
        + 1;
    c.must(b'-', wanted)?;
    let year = i64::from(c.number()?);
    let days = days_of(year, month, day);
    if year > 9999 || civil(days) != (year, month, day) {
        return Err(Error { at, wanted });
    }
    Ok(days)
}

/// Days since 1970-01-01 of a date in the Gregorian calendar (Hinnant's days_from_civil).
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (
        yoe + era * 400 + i64::from(month <= 2),
        month,
        doy - (153 * mp + 2) / 5 + 1,
    )
}

/// Writes a moment as `date-time`, in UTC.
pub fn write(out: &mut Vec<u8>, seconds: i64) {
    // The grammar has four digits for the year.
    let seconds = seconds.clamp(-62_135_596_800, 253_402_300_799);
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let s = seconds.rem_euclid(86_400);
    let name = usize::try_from(month - 1)
        .ok()
        .and_then(|m| MONTHS.get(m))
        .unwrap_or(&"Jan");
    let (h, m, s) = (s / 3600, s / 60 % 60, s % 60);
    encode::formatted(
        out,
        format_args!("\"{day:2}-{name}-{year:04} {h:02}:{m:02}:{s:02} +0000\""),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment(text: &str) -> Parsed<i64> {
        date_time(&mut Cursor::new(text.as_bytes(), false))
    }

    #[test]
    fn dates() {
        assert_eq!(moment("\"17-Jul-1996 02:44:25 -0700\""), Ok(837_596_665));
        assert_eq!(moment("\" 1-Jan-1970 00:00:00 +0000\""), Ok(0));
        assert_eq!(date(&mut Cursor::new(b"1-Feb-1994", false)), Ok(8797));
        assert_eq!(date(&mut Cursor::new(b"\"01-feb-1994\"", false)), Ok(8797));
        for bad in [
            "\"30-Feb-2020 00:00:00 +0000\"",
            "\"1-Xxx-2020 00:00:00 +0000\"",
            "\"\"",
            "",
        ] {
            assert!(moment(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(seconds in -62_135_596_800i64..253_402_300_799) {
            let mut out = Vec::new();
            write(&mut out, seconds);
            prop_assert_eq!(date_time(&mut Cursor::new(&out, false)), Ok(seconds));
        }
    }
}
