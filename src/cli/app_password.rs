//! `pillarbox app-password`: a password of its own for each device and program.
use super::act::{Action, act, parse};
use crate::auth::Protocols;
use crate::mail::Rights;
use crate::server::Failure;
use crate::server::control::{AppAdd, Request, Verb};
use crate::sys::clock;
use argh::{ArgsInfo, FromArgs};
use time::{Date, Month, OffsetDateTime};

/// Make, list and revoke app passwords: one per device or program, limited as you like. A new one is printed
/// once and cannot be shown again; the log-in name stays the user's. The list: made, last used, end,
/// protocols, mailboxes, name. Days are UTC; after a power cut a last use may be a day old. The connections
/// that came in by a revoked one end at once.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "app-password",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} add phone",
    example = "{command_name} add scanner --protocols imap --mailboxes Scans:insertonly",
    example = "{command_name} add tablet --mailboxes Family:readonly --expires 90d",
    example = "{command_name} list",
    example = "{command_name} revoke phone",
    note = "Rights are letters of RFC 4314 (l list, r read, s \\Seen, w other flags, i put in, k make \
            mailboxes below, x delete it, t \\Deleted, e expunge, a change rights), or readonly \
            (lr), insertonly (li), full (all but a)."
)]
pub struct AppPassword {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// add: where it works, a list of imap, pop3, smtp (sending) and jmap (default: all)
    #[argh(
        option,
        arg_name = "LIST",
        default = "Protocols::ALL",
        from_str_fn(Protocols::parse)
    )]
    protocols: Protocols,
    /// add: the only mailboxes it is for, with its rights: MAILBOX:RIGHTS,... (default: all mailboxes,
    /// all rights); can be given several times
    #[argh(option, arg_name = "LIST")]
    mailboxes: Vec<String>,
    /// add: when it ends: 12h, 30d, 8w, 1y from now, or a day such as 2030-12-31 (UTC, when it begins)
    #[argh(option, arg_name = "WHEN")]
    expires: Option<String>,
    /// add, list or revoke, and the name: for instance of the device it is for
    #[argh(positional)]
    action: Vec<String>,
}

const ACTIONS: [Action; 3] = [("add", "NAME"), ("list", ""), ("revoke", "NAME")];

impl AppPassword {
    pub(super) fn run(mut self) -> Result<(), Failure> {
        let (verb, name) = parse("app-password", &ACTIONS, std::mem::take(&mut self.action))?;
        let limited = self.protocols != Protocols::ALL || self.expires.is_some();
        if verb != "add" && (limited || !self.mailboxes.is_empty()) {
            return Err(Failure::usage(
                "--protocols, --mailboxes and --expires go with `app-password add` only",
            ));
        }
        let db = self.db.as_deref();
        match verb {
            "add" => act(db, &wanted(&self, name)?.request(), "", str::to_owned),
            "revoke" => act(
                db,
                &Request::new(Verb::AppRevoke, &name),
                "Revoked.",
                str::to_owned,
            ),
            _ => act(db, &Request::new(Verb::AppList, ""), "", row),
        }
    }
}

fn wanted(add: &AppPassword, name: String) -> Result<AppAdd, Failure> {
    let mut mailboxes = Vec::new();
    for item in add.mailboxes.iter().flat_map(|list| list.split(',')) {
        mailboxes.push(mailbox(item.trim()).map_err(Failure::usage)?);
    }
    let expires = add.expires.as_deref().map(|text| when(text, clock::now()));
    Ok(AppAdd {
        name,
        protocols: add.protocols,
        mailboxes: (!add.mailboxes.is_empty()).then_some(mailboxes),
        expires: expires.transpose().map_err(Failure::usage)?,
    })
}

/// `Family/Photos:readonly`
fn mailbox(item: &str) -> Result<(String, Rights), String> {
    let (path, rights) = item
        .rsplit_once(':')
        .filter(|(path, _)| !path.is_empty())
        .ok_or_else(|| format!("--mailboxes wants MAILBOX:RIGHTS, not {item:?}"))?;
    let letters = match rights {
        "readonly" => "lr",
        "insertonly" => "li",
        "full" => "lrswipkxte",
        letters => letters,
    };
    let wrong = |letter| {
        format!(
            "{letter:?} in {item:?} is no right: use letters of lrswipkxtea, or readonly, insertonly, \
             full"
        )
    };
    let rights = Rights::parse(letters).map_err(wrong)?;
    match rights.is_empty() {
        true => Err(format!("{item:?} gives no right at all")),
        false => Ok((path.to_owned(), rights)),
    }
}

/// The second that a text means, seen from `now`.
fn when(text: &str, now: u32) -> Result<u32, String> {
    let wrong = || format!("--expires wants 12h, 30d, 8w, 1y or 2030-12-31, not {text:?}");
    let at = match day(text) {
        Some(day) => u32::try_from(day.midnight().assume_utc().unix_timestamp()).ok(),
        None if !clock::is_real(now) => {
            return Err("the clock is not set: give --expires a day, like 2030-12-31".into());
        }
        None => {
            let (number, unit) = text
                .split_at_checked(text.len().saturating_sub(1))
                .ok_or_else(wrong)?;
            let hours: u32 = match unit {
                "h" => 1,
                "d" => 24,
                "w" => 7 * 24,
                "y" => 365 * 24,
                _ => return Err(wrong()),
            };
            let number: u32 = number.parse().map_err(|_| wrong())?;
            let seconds = number.checked_mul(hours).and_then(|h| h.checked_mul(3600));
            seconds.and_then(|seconds| now.checked_add(seconds))
        }
    };
    match at.ok_or_else(wrong)? {
        at if at <= now => Err(format!("--expires {text} is in the past")),
        at => Ok(at),
    }
}

/// `2030-12-31`
fn day(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok()?;
    let month: u8 = parts.next()?.parse().ok()?;
    let day = parts.next()?.parse().ok()?;
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

/// A line of the answer as people read it.
fn row(line: &str) -> String {
    let mut parts = line.splitn(6, '\t');
    let mut next = || parts.next().unwrap_or_default();
    let made = date(next());
    let used = match next() {
        "0" => "never used".to_owned(),
        seconds => format!("used {}", date(seconds)),
    };
    let ends = match next() {
        "0" => "no end".to_owned(),
        seconds => format!("ends {}", date(seconds)),
    };
    let (protocols, boxes, name) = (next(), next(), next());
    format!("{made}  {used:15}  {ends:15}  {protocols:19}  {boxes}  {name}")
}

/// A second as a day.
pub(super) fn date(seconds: &str) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds.parse().unwrap_or(0));
    at.map_or_else(|_| "?".into(), |at| at.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let now = 1_800_000_000;
        assert_eq!(when("12h", now), Ok(now + 12 * 3600));
        assert_eq!(when("30d", now), Ok(now + 30 * 86_400));
        assert_eq!(when("2030-12-31", now), Ok(1_924_905_600));
        for bad in [
            "",
            "d",
            "0h",
            "30",
            "x1d",
            "2030-13-01",
            "2001-01-01",
            "99999999y",
            "ü",
        ] {
            assert!(when(bad, now).is_err(), "{bad}");
        }
    }

    #[test]
    fn mailboxes() {
        assert_eq!(
            mailbox("a:b/c:readonly"),
            Ok(("a:b/c".into(), Rights::LOOKUP.with(Rights::READ)))
        );
        assert_eq!(mailbox("x:lrd").map(|m| m.1.to_string()), Ok("lrte".into()));
        for bad in ["", "INBOX", ":lr", "INBOX:", "INBOX:lrq", "INBOX:Readonly"] {
            assert!(mailbox(bad).is_err(), "{bad}");
        }
    }
}
