//! `pillarbox app-password`: a password of its own for each device and program.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::auth::Protocols;
use crate::mail::Rights;
use crate::server::Failure;
use crate::server::control::{AppAdd, Request};
use crate::sys::clock;
use argh::FromArgs;
use time::{Date, Month, OffsetDateTime};

/// Make, list and revoke app passwords: one per device or program, limited as you like.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "app-password",
    help_triggers("-h", "--help", "help")
)]
pub struct AppPassword {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    Add(Add),
    List(List),
    Revoke(Revoke),
}

/// Make an app password and print it; it cannot be shown again. The log-in name stays the user's.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "add",
    help_triggers("-h", "--help", "help"),
    example = "{command_name} phone",
    example = "{command_name} scanner --protocols imap --mailboxes Scans:insertonly",
    example = "{command_name} tablet --mailboxes Family:readonly --expires 90d",
    note = "Rights are letters of RFC 4314 (l list, r read, s \\Seen, w other flags, i put in, k make \
            mailboxes below, x delete it, t \\Deleted, e expunge, a change rights), or readonly \
            (lr), insertonly (li), full (all but a)."
)]
struct Add {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// where it works: a list of imap, pop3, smtp (sending) and jmap (default: all)
    #[argh(
        option,
        arg_name = "LIST",
        default = "Protocols::ALL",
        from_str_fn(Protocols::parse)
    )]
    protocols: Protocols,
    /// the only mailboxes it is for, with its rights: MAILBOX:RIGHTS,... (default: all mailboxes,
    /// all rights); can be given several times
    #[argh(option, arg_name = "LIST")]
    mailboxes: Vec<String>,
    /// when it ends: 12h, 30d, 8w, 1y from now, or a day such as 2030-12-31 (UTC, when it begins)
    #[argh(option, arg_name = "WHEN")]
    expires: Option<String>,
    /// what to call it, for instance the device it is for
    #[argh(positional)]
    name: String,
}

/// List the app passwords: made, last used, end, protocols, mailboxes, name. Days are UTC; after a power
/// cut a last use may be a day old.
#[derive(FromArgs)]
#[argh(subcommand, name = "list", help_triggers("-h", "--help", "help"))]
struct List {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
}

/// Revoke an app password; the connections that came in by it end at once.
#[derive(FromArgs)]
#[argh(subcommand, name = "revoke", help_triggers("-h", "--help", "help"))]
struct Revoke {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// its name
    #[argh(positional)]
    name: String,
}

impl AppPassword {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (db, request) = match self.action {
            Action::Add(a) => (a.db.clone(), Request::AppAdd(wanted(a)?)),
            Action::List(a) => (a.db, Request::AppList),
            Action::Revoke(a) => (a.db, Request::AppRevoke(a.name)),
        };
        let db = existing_db_path(db.as_deref())?;
        let lines = perform(&db, &request)?;
        match request {
            Request::AppAdd(_) => print(&format!("{}\n", lines.concat())),
            Request::AppList => lines.iter().for_each(|line| print(&row(line))),
            _ => print("Revoked.\n"),
        }
        Ok(())
    }
}

fn wanted(add: Add) -> Result<AppAdd, Failure> {
    let mut mailboxes = Vec::new();
    for item in add.mailboxes.iter().flat_map(|list| list.split(',')) {
        mailboxes.push(mailbox(item.trim()).map_err(Failure::usage)?);
    }
    let expires = add.expires.as_deref().map(|text| when(text, clock::now()));
    Ok(AppAdd {
        name: add.name,
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
    format!("{made}  {used:15}  {ends:15}  {protocols:19}  {boxes}  {name}\n")
}

fn date(seconds: &str) -> String {
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
