//! The certificate: until when it holds, and for which names. As much of X.509 (RFC 5280 §4.1) as that
//! takes.
use super::{Facts, Report};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use time::{Date, Month, Time};

/// Days before its end when a certificate is to be renewed.
pub const SOON: i64 = 14;

pub(super) fn check(facts: &Facts, report: &mut Report) {
    let what = &["certificate"];
    let Some((from, until)) = validity(&facts.certificate) else {
        report.wrong(what, &["it cannot be read"], &["Look at --cert and --key."]);
        return;
    };
    let now = i64::try_from(facts.now).unwrap_or(i64::MAX);
    let days = (until - now).div_euclid(86_400);
    let shown = days.to_string();
    let renew = "Renew it (acme.sh, certbot), and send the server SIGHUP.";
    if now < from {
        report.wrong(
            what,
            &["it does not hold yet"],
            &["Look at the clock. ", renew],
        );
    } else if now > until {
        report.wrong(what, &["it has expired"], &[renew]);
    } else if days < SOON {
        report.wrong(what, &["it ends in ", &shown, " days"], &[renew]);
    } else if facts.self_signed {
        let advice = "Clients ask about it; for MTA-STS and quiet clients give one that others trust, by --cert and --key.";
        report.note(what, &["made by this server itself"], &[advice]);
    } else {
        report.ok(what, &["it holds for ", &shown, " days"]);
    }
    let cert = CertificateDer::from(facts.certificate.as_slice());
    let name = ServerName::try_from(facts.host.as_str());
    let covered = match (ParsedCertificate::try_from(&cert), name) {
        (Ok(cert), Ok(name)) => verify_server_name(&cert, &name).is_ok(),
        _ => false,
    };
    if covered {
        report.ok(&["certificate name"], &[&facts.host]);
    } else {
        let advice = &[
            "Use one for ",
            facts.host.as_str(),
            ", or start with the --hostname that it is for.",
        ];
        report.wrong(
            &["certificate name"],
            &["it is not for ", &facts.host],
            advice,
        );
    }
}

/// notBefore and notAfter, in seconds since 1970.
pub fn validity(der: &[u8]) -> Option<(i64, i64)> {
    let (_, certificate, _) = element(der)?;
    let (_, mut rest, _) = element(certificate)?;
    // version (if told), serialNumber, signature, issuer
    let skip = if rest.first() == Some(&0xa0) { 4 } else { 3 };
    for _ in 0..skip {
        rest = element(rest)?.2;
    }
    let (_, validity, _) = element(rest)?;
    let (kind, from, rest) = element(validity)?;
    let (kind_until, until, _) = element(rest)?;
    Some((seconds(kind, from)?, seconds(kind_until, until)?))
}

/// The tag, the content, and what is behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(first & 3))?;
            (
                octets.iter().fold(0, |sum, b| sum << 8 | usize::from(*b)),
                rest,
            )
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// UTCTime `YYMMDDHHMMSSZ`, GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5).
fn seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = text.split_at_checked(if tag == 0x18 { 4 } else { 2 })?;
    let year: i32 = year.parse().ok()?;
    let year = match year {
        0..50 => year + 2000,
        50..100 => year + 1900,
        year => year,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<u8>().ok();
    let date = Date::from_calendar_date(year, Month::try_from(two(0)?).ok()?, two(2)?).ok()?;
    let time = Time::from_hms(two(4)?, two(6)?, two(8)?).ok()?;
    Some(date.with_time(time).assume_utc().unix_timestamp())
}
