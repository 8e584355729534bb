//! The types Date and UTCDate (RFC 8620 §1.4, RFC 3339), as seconds since 1970.

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `2014-10-30T06:12:00Z`; years outside 0..=9999 are clamped.
pub fn utc(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    let year = year.clamp(0, 9999);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        time / 3600,
        time / 60 % 60,
        time % 60
    )
}

/// The same instant as the clock `offset` minutes east of Greenwich shows it.
pub fn local(seconds: i64, offset: i32) -> String {
    if offset == 0 {
        return utc(seconds);
    }
    let mut text = utc(seconds.saturating_add(i64::from(offset) * 60));
    text.pop();
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.unsigned_abs();
    format!("{text}{sign}{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Reads a UTCDate; `None` when it is none.
pub fn parse_utc(text: &str) -> Option<i64> {
    let (seconds, offset) = parse(text)?;
    (offset == 0 && text.ends_with('Z')).then_some(seconds)
}

/// Reads a Date as seconds and minutes east of Greenwich. Letters are upper case (RFC 8620 §1.4);
/// fractions of a second are dropped.
pub fn parse(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0i64, |n, b| {
            b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0'))
        })
    };
    let sep = |at: usize, want: u8| (bytes.get(at) == Some(&want)).then_some(());
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    for (at, want) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')] {
        sep(at, want)?;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=longest).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = bytes.get(19..)?;
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        rest = fraction.get(length..).filter(|_| length > 0)?;
    }
    let offset = match rest {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let digit = |b: &u8| b.is_ascii_digit().then(|| i32::from(b - b'0'));
            let minutes = (digit(h1)? * 10 + digit(h2)?) * 60 + digit(m1)? * 10 + digit(m2)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - i64::from(offset) * 60, offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc8620_examples() {
        assert_eq!(parse_utc("2014-10-30T06:12:00Z"), Some(1_414_649_520));
        assert_eq!(
            parse("2014-10-30T14:12:00+08:00"),
            Some((1_414_649_520, 480))
        );
        assert_eq!(local(1_414_649_520, 480), "2014-10-30T14:12:00+08:00");
        assert_eq!(utc(0), "1970-01-01T00:00:00Z");
        for bad in [
            "2014-10-30t06:12:00Z",
            "2014-13-01T00:00:00Z",
            "2014-02-29T00:00:00Z",
            "2014-10-30T06:12:00",
            "2014-10-30T06:12:00.Z",
            "2014-10-30",
            "",
            "2014-10-30T06:12:00+00:00",
        ] {
            assert_eq!(parse_utc(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn both_ways(seconds in -62_000_000_000i64..250_000_000_000, offset in -1439i32..1440) {
            prop_assert_eq!(parse_utc(&utc(seconds)), Some(seconds));
            prop_assert_eq!(parse(&local(seconds, offset)).map(|p| p.0), Some(seconds));
        }

        #[test]
        fn no_panic(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
