//! Dates as mail writes them: RFC 5322 §3.3 with the obsolete forms of §4.3, IMAP's date-time
//! (RFC 9051 §9), and RFC 3339 for JMAP (RFC 8620 §1.4).
use super::structure::DateTime;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// A moment by the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year of our era; may be below 0 or beyond 9999.
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 60: a leap second counts as the next one.
    pub second: u32,
}

impl Civil {
    /// The calendar's moment for seconds since 1970 (any offset has been added already).
    pub fn of(secs: i64) -> Civil {
        let (days, rest) = (secs.div_euclid(86_400), secs.rem_euclid(86_400) as u32);
        // Days counted from 0000-03-01, so that a leap day ends its year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * month + 2) / 5 + 1) as u32;
        let month = if month < 10 { month + 3 } else { month - 9 } as u32;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Civil {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// Seconds since 1970, `None` where a field is out of range or the day not in the month.
    pub fn secs(self) -> Option<i64> {
        let in_range = (0..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60;
        in_range.then(|| {
            let time = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
            days(self.year, self.month, self.day) * 86_400 + time
        })
    }
}

fn days(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = i64::from(if month > 2 { month - 3 } else { month + 9 });
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn days_in(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl DateTime {
    /// The calendar's moment in the offset it was written in.
    pub fn civil(self) -> Civil {
        Civil::of(self.secs.saturating_add(i64::from(self.offset) * 60))
    }

    /// Same moment in UTC.
    pub fn utc(secs: i64) -> DateTime {
        DateTime { secs, offset: 0 }
    }

    fn from_civil(civil: Civil, offset: i16) -> Option<DateTime> {
        Some(DateTime {
            secs: civil.secs()? - i64::from(offset) * 60,
            offset,
        })
    }

    fn zone(self, separator: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs();
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }

    /// RFC 5322 §3.3: `Sat, 21 Nov 2026 11:05:28 +0100`.
    pub fn mail(self) -> String {
        let at = self.civil();
        let weekday = days(at.year, at.month, at.day) + 4;
        format!(
            "{}, {} {} {:04} {:02}:{:02}:{:02} {}",
            DAYS[weekday.rem_euclid(7) as usize],
            at.day,
            month_name(at.month),
            at.year,
            at.hour,
            at.minute,
            at.second,
            self.zone("")
        )
    }

    /// IMAP's date-time without its quotes (RFC 9051 §9): `21-Nov-2026 11:05:28 +0100`, the day
    /// padded with a space.
    pub fn imap(self) -> String {
        let at = self.civil();
        format!(
            "{:2}-{}-{:04} {:02}:{:02}:{:02} {}",
            at.day,
            month_name(at.month),
            at.year,
            at.hour,
            at.minute,
            at.second,
            self.zone("")
        )
    }

    /// RFC 3339 with the offset: JMAP's Date (RFC 8620 §1.4). UTC is written `Z`.
    pub fn rfc3339(self) -> String {
        let at = self.civil();
        let zone = if self.offset == 0 {
            "Z".to_owned()
        } else {
            self.zone(":")
        };
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{zone}",
            at.year, at.month, at.day, at.hour, at.minute, at.second
        )
    }
}

/// JMAP's UTCDate (RFC 8620 §1.4) of seconds since 1970.
pub fn utc_date(secs: i64) -> String {
    DateTime::utc(secs).rfc3339()
}

/// RFC 3339 `date-time`, fractions dropped. JMAP's Date; a UTCDate has offset 0.
pub fn parse_rfc3339(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_at_checked(10)?;
    let mut date = date.split('-');
    let (year, month, day) = (
        digits(date.next()?, 4)?,
        digits(date.next()?, 2)?,
        digits(date.next()?, 2)?,
    );
    let time = time.strip_prefix(['T', 't'])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let mut clock = clock.split(':');
    let (hour, minute, second) = (
        digits(clock.next()?, 2)?,
        digits(clock.next()?, 2)?,
        digits(clock.next()?, 2)?,
    );
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|it: char| it.is_ascii_digit());
            (zone.len() < fraction.len()).then_some(zone)?
        }
        None => rest,
    };
    let offset = match rest {
        "Z" | "z" => 0,
        zone => {
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            offset(
                zone.as_bytes().first(),
                digits(hours, 2)?,
                digits(minutes, 2)?,
            )?
        }
    };
    DateTime::from_civil(
        Civil {
            year: i64::from(year),
            month,
            day,
            hour,
            minute,
            second,
        },
        offset,
    )
}

/// IMAP's date-time without its quotes (RFC 9051 §9): `dd-Mon-yyyy hh:mm:ss +zzzz`, the day with a
/// space or zero before one digit.
pub fn parse_imap(text: &str) -> Option<DateTime> {
    let mut pieces = text.trim_start_matches(' ').split(' ');
    let (date, time, zone) = (pieces.next()?, pieces.next()?, pieces.next()?);
    pieces.next().is_none().then_some(())?;
    let (year, month, day) = imap_date(date)?;
    let mut clock = time.split(':');
    let (hour, minute, second) = (
        digits(clock.next()?, 2)?,
        digits(clock.next()?, 2)?,
        digits(clock.next()?, 2)?,
    );
    clock.next().is_none().then_some(())?;
    let offset = numeric_zone(zone)?;
    DateTime::from_civil(
        Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        },
        offset,
    )
}

/// IMAP's date of SEARCH (RFC 9051 §9), `d-Mon-yyyy` without quotes, as seconds since 1970 at
/// midnight UTC.
pub fn parse_imap_date(text: &str) -> Option<i64> {
    let (year, month, day) = imap_date(text)?;
    Civil {
        year,
        month,
        day,
        hour: 0,
        minute: 0,
        second: 0,
    }
    .secs()
}

fn imap_date(text: &str) -> Option<(i64, u32, u32)> {
    let mut pieces = text.split('-');
    let (day, month, year) = (pieces.next()?, pieces.next()?, pieces.next()?);
    pieces.next().is_none().then_some(())?;
    let day = digits(day, day.len().clamp(1, 2))?;
    Some((i64::from(digits(year, 4)?), month_number(month)?, day))
}

/// Parses a Date field's value: RFC 5322 §3.3, the obsolete forms of §4.3, comments anywhere, a
/// missing zone or seconds, and asctime's order.
pub fn parse(value: &[u8]) -> Option<DateTime> {
    let text = without_comments(value);
    let mut words = text
        .split([' ', '\t', '\r', '\n', ','])
        .filter(|it| !it.is_empty())
        .peekable();
    let mut first = words.next()?;
    if weekday(first) {
        first = words.next()?;
    }
    let (day, month, year, clock);
    if let Some(named) = month_number(first) {
        // asctime: Nov 21 11:05:28 2026
        (month, day) = (named, number(words.next()?)?);
        let next = words.next()?;
        if next.contains(':') {
            (clock, year) = (next, words.next()?);
        } else {
            (year, clock) = (next, words.next()?);
        }
    } else if first.contains('-') {
        let mut pieces = first.splitn(3, '-');
        (day, month) = (number(pieces.next()?)?, month_number(pieces.next()?)?);
        (year, clock) = (pieces.next()?, words.next().unwrap_or("0:00"));
    } else {
        (day, month) = (number(first)?, month_number(words.next()?)?);
        (year, clock) = (words.next()?, words.next().unwrap_or("0:00"));
    }
    // Some leave out the space before the zone.
    let cut = clock.find(['+', '-']).unwrap_or(clock.len());
    let (clock, joined) = clock.split_at_checked(cut)?;
    let (hour, minute, second) = time(clock)?;
    let offset = Some(joined)
        .filter(|it| !it.is_empty())
        .or_else(|| words.next())
        .map_or(0, zone);
    DateTime::from_civil(
        Civil {
            year: full_year(year)?,
            month,
            day,
            hour,
            minute,
            second,
        },
        offset,
    )
}

fn weekday(word: &str) -> bool {
    DAYS.iter().any(|day| {
        word.get(..3)
            .is_some_and(|head| head.eq_ignore_ascii_case(day))
    })
}

/// RFC 5322 §4.3: 00 to 49 are 20xx, other two and three digit years count from 1900.
fn full_year(word: &str) -> Option<i64> {
    let year = i64::from(number(word)?);
    match word.len() {
        1 | 2 if year < 50 => Some(year + 2000),
        1..=3 => Some(year + 1900),
        _ => Some(year),
    }
}

fn time(word: &str) -> Option<(u32, u32, u32)> {
    let mut pieces = word.split([':', '.']);
    let (hour, minute) = (number(pieces.next()?)?, number(pieces.next()?)?);
    let second = pieces.next().map_or(Some(0), number)?;
    Some((hour, minute, second))
}

/// RFC 5322 §4.3: what is not known, military letters included, is -0000.
fn zone(word: &str) -> i16 {
    const NAMES: [(&str, i16); 11] = [
        ("UT", 0),
        ("GMT", 0),
        ("UTC", 0),
        ("EDT", -4),
        ("EST", -5),
        ("CDT", -5),
        ("CST", -6),
        ("MDT", -6),
        ("MST", -7),
        ("PDT", -7),
        ("PST", -8),
    ];
    let named = NAMES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    numeric_zone(word)
        .or_else(|| named.map(|(_, hours)| hours * 60))
        .unwrap_or(0)
}

fn numeric_zone(word: &str) -> Option<i16> {
    let digits4 = number(word.get(1..).filter(|it| it.len() == 4)?)?;
    offset(word.as_bytes().first(), digits4 / 100, digits4 % 100)
}

fn offset(sign: Option<&u8>, hours: u32, minutes: u32) -> Option<i16> {
    (hours < 24 && minutes < 60).then_some(())?;
    let minutes = (hours * 60 + minutes) as i16;
    match sign? {
        b'+' => Some(minutes),
        b'-' => Some(-minutes),
        _ => None,
    }
}

/// A number of ASCII digits alone, at most nine of them.
fn number(word: &str) -> Option<u32> {
    let digits = word.len() <= 9 && word.bytes().all(|it| it.is_ascii_digit());
    digits.then(|| word.parse().ok())?
}

fn digits(word: &str, count: usize) -> Option<u32> {
    number(word).filter(|_| word.len() == count)
}

fn month_number(word: &str) -> Option<u32> {
    let head = word.get(..3)?;
    let at = MONTHS
        .iter()
        .position(|month| month.eq_ignore_ascii_case(head))?;
    Some(at as u32 + 1)
}

fn month_name(month: u32) -> &'static str {
    MONTHS[(month.clamp(1, 12) - 1) as usize]
}

fn without_comments(value: &[u8]) -> String {
    let mut depth = 0u32;
    let mut text = String::new();
    for octet in value.iter().take(256) {
        match octet {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ if depth == 0 && octet.is_ascii() => text.push(char::from(*octet)),
            _ => {}
        }
        if *octet == b')' {
            text.push(' ');
        }
    }
    // RFC 5322 §4.3 allows white space around the colons.
    text.split(':').map(str::trim).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Option<String> {
        parse(text.as_bytes()).map(DateTime::rfc3339)
    }

    #[test]
    fn reads_the_forms_of_rfc_5322() {
        let cases = [
            (
                " Fri, 21 Nov 1997 09:55:06 -0600",
                "1997-11-21T09:55:06-06:00",
            ),
            (
                "Thu,\r\n\t  13\r\n\t    Feb\r\n\t      1969\r\n\t  23:32\r\n\t\t\t-0330 (Newfoundland Time)",
                "1969-02-13T23:32:00-03:30",
            ),
            ("21 Nov 97 09:55:06 GMT", "1997-11-21T09:55:06Z"),
            (
                "Fri, 21 Nov 1997 09(comment):   55  :  06 -0600",
                "1997-11-21T09:55:06-06:00",
            ),
            ("1 Jan 49 00:00 EST", "2049-01-01T00:00:00-05:00"),
            ("1 Jan 103 00:00 Z", "2003-01-01T00:00:00Z"),
            ("Sat Nov 21 11:05:28 2026", "2026-11-21T11:05:28Z"),
            ("Sat Nov 21 11:05:28 CET 2026", ""),
            ("01 Jan 2001 00:01+0100", "2001-01-01T00:01:00+01:00"),
            ("31 Feb 2020 00:00 +0000", ""),
            ("", ""),
            ("garbage", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(at(text).unwrap_or_default(), expected, "{text:?}");
        }
    }

    #[test]
    fn reads_and_writes_imap_and_json_dates() {
        let text = " 1-Jul-1996 02:44:25 -0700";
        assert_eq!(parse_imap(text).unwrap().imap(), text);
        assert_eq!(
            parse_imap("17-Jul-1996 02:44:25 -0700").unwrap().secs,
            837_596_665
        );
        assert_eq!(
            parse_imap("01-Jul-1996 02:44:25 -0700").unwrap().imap(),
            text
        );
        assert_eq!(parse_imap("17-Jul-1996"), None);
        assert_eq!(parse_imap_date("1-Feb-1994"), Some(760_060_800));
        assert_eq!(utc_date(1_414_659_612), "2014-10-30T09:00:12Z");
        let jmap = parse_rfc3339("2014-10-30T14:12:00.5+08:00").unwrap();
        assert_eq!(jmap.rfc3339(), "2014-10-30T14:12:00+08:00");
        assert_eq!(parse_rfc3339("2014-10-30T14:12:00"), None);
        assert_eq!(
            DateTime {
                secs: 880_127_706,
                offset: -360
            }
            .mail(),
            "Fri, 21 Nov 1997 09:55:06 -0600"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(secs in -60_000_000_000i64..250_000_000_000, offset in -720i16..=840) {
            let at = DateTime { secs, offset };
            prop_assert_eq!(parse(at.mail().as_bytes()), Some(at));
            prop_assert_eq!(parse_imap(&at.imap()), Some(at));
            prop_assert_eq!(parse_rfc3339(&at.rfc3339()), Some(at));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            parse(text.as_bytes());
            parse_imap(&text);
            parse_rfc3339(&text);
        }
    }
}
