//! Looks after the box, and tells the owner by mail what wants doing, once.
//!
//! What was told stands in one row of the store; it is written with the mail, and when the trouble is over. So
//! nothing is told twice, nor after a restart, and nothing is written while all is well. It looks when
//! something was written, a minute later, and once an hour otherwise.
use super::Ctx;
use super::doctor::{self, validity};
use crate::config::Config;
use crate::limits;
use crate::mail::{self, Commit, Flags, NewEmail, Role, Source};
use crate::mime::DateTime;
use crate::net::tls::{self, Tls};
use crate::queue::order;
use crate::sys::{aside, clock, random};
use async_io::Timer;
use smol::future::FutureExt;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Instant;

/// What was told: a bit each of [`DISK`] and so on, and when log-ins were told of last.
const KEY: &[u8] = b"server.warned";
const DISK: u8 = 1;
const ENDING: u8 = 2;
const ENDED: u8 = 4;
const UNREADABLE: u8 = 8;
const QUEUE: u8 = 16;
const UNSET: u8 = 32;
/// Happens rather than lasts: told each time.
const JUMPED: u8 = 64;
/// Told of once a day at most.
const LOGINS: u8 = 128;

/// Something that the owner should know.
struct Trouble {
    bit: u8,
    subject: String,
    text: String,
}

impl Trouble {
    fn new(bit: u8, subject: &[&str], text: &[&str]) -> Trouble {
        Trouble {
            bit,
            subject: subject.concat(),
            text: text.concat(),
        }
    }
}

struct Watch {
    ctx: Rc<Ctx>,
    tls: Option<Tls>,
    started: Instant,
    /// When the certificate was read, and what was wrong with it.
    certificate: Option<(Instant, Option<Trouble>)>,
    /// The time of day less the time since the kernel started, at the last look.
    offset: Option<i64>,
}

/// Runs until the server stops.
pub async fn run(ctx: Rc<Ctx>, tls: Option<Tls>) {
    let mail = ctx.mail.clone();
    // Reads a store whole that is on a full disk.
    let look = move || Ok(mail.store()?.look_for_room()?);
    if let Err::<(), mail::Error>(error) = aside(look).await {
        log::warn!("the room in the store is not known: {error}");
    }
    if !ctx.config.warn.on {
        return std::future::pending().await;
    }
    let mut watch = Watch {
        ctx,
        tls,
        started: Instant::now(),
        certificate: None,
        offset: None,
    };
    loop {
        let ctx = watch.ctx.clone();
        let changed = ctx.mail.hub().listen();
        if let Err(error) = Box::pin(watch.look()).await {
            log::warn!("a warning could not be filed: {error}");
        }
        let hour = async {
            Timer::after(limits::WATCH_EVERY).await;
        };
        changed.or(hour).await;
        Timer::after(ctx.config.warn.pause).await;
    }
}

impl Watch {
    async fn look(&mut self) -> mail::Result<()> {
        let ctx = self.ctx.clone();
        let row = ctx.mail.get(KEY)?.unwrap_or_default();
        let told = row.first().copied().unwrap_or(0);
        let at = row.get(1..).and_then(<[u8]>::first_chunk);
        let mut logins_at = at.map_or(0, |at| u32::from_be_bytes(*at));
        let mut troubles = Vec::new();
        troubles.extend(self.disk(told));
        self.certificate();
        if let Some((_, Some(it))) = &self.certificate {
            troubles.push(Trouble::new(it.bit, &[&it.subject], &[&it.text]));
        }
        troubles.extend(self.queue()?);
        troubles.extend(self.clock());
        troubles.extend(self.logins(logins_at));
        let there = troubles.iter().fold(0, |bits, it| bits | it.bit);
        let news: Vec<&Trouble> = troubles.iter().filter(|it| it.bit & told == 0).collect();
        let lasting = there & !(JUMPED | LOGINS);
        if news.is_empty() && lasting == told {
            return Ok(());
        }
        if there & LOGINS != 0 {
            logins_at = clock::now();
        }
        let row = [&[lasting][..], &logins_at.to_be_bytes()].concat();
        let puts = vec![(KEY.to_vec(), Some(row))];
        if news.is_empty() {
            return ctx.mail.put(puts).await;
        }
        file(&ctx, &news, puts).await?;
        if there & LOGINS != 0 {
            ctx.auth.failures(true);
        }
        Ok(())
    }

    fn disk(&self, told: u8) -> Option<Trouble> {
        let (free, all) = self.ctx.mail.store().ok()?.disk();
        let free = free?;
        let usual = limits::WARN_DISK.min(all.unwrap_or(u64::MAX) / 10);
        let level = self.ctx.config.warn.disk.unwrap_or(usual);
        // Over only when it is well over.
        let level = level.saturating_add(if told & DISK != 0 { level / 4 } else { 0 });
        if free >= level {
            return None;
        }
        let left = (free >> 20).to_string();
        let db = self.ctx.config.db.display().to_string();
        let floor = (limits::DISK_RESERVE >> 20).to_string();
        Some(Trouble::new(
            DISK,
            &["the disk is nearly full: ", &left, " MiB are left"],
            &[
                "On the disk with the mail (",
                &db,
                ") ",
                &left,
                " MiB are left. With less than ",
                &floor,
                " MiB new mail is refused: its senders keep it and try again for some days. Reading and deleting \
                 go on.\r\n\r\n\
                 What to do: delete what is not needed, here or beside the mail, and empty Trash and Junk. Space \
                 of deleted mail is used for new mail; `pillarbox compact`, with the server stopped, gives it back \
                 to the disk. Or move the store to a larger disk with `pillarbox backup` and `restore`.\r\n",
            ],
        ))
    }

    /// Reads the certificate's files anew, once an hour; a renewed one is used from then on.
    fn certificate(&mut self) {
        let due = |(at, _): &(Instant, _)| at.elapsed() >= self.ctx.config.warn.certificate;
        if self.certificate.as_ref().is_none_or(due) {
            self.certificate = Some((Instant::now(), self.look_at_certificate()));
        }
    }

    fn look_at_certificate(&self) -> Option<Trouble> {
        // One that we made ourselves outlives the clock.
        let (cert, key) = self.ctx.config.cert.as_ref()?;
        let name = cert.display().to_string();
        let renew = "What to do: renew it (acme.sh, certbot). The new one is used within an hour, or at once when \
                     the server gets SIGHUP.\r\n";
        let certified = match tls::load(cert, key) {
            Ok(certified) => certified,
            Err(why) => {
                return Some(Trouble::new(
                    UNREADABLE,
                    &["the certificate's files cannot be read"],
                    &[
                        "The server goes on with the certificate that it has; but the one in its files, which it \
                         should take up next, cannot be used:\r\n\r\n    ",
                        &why,
                        "\r\n\r\nWhat to do: let --cert and --key name the files that the renewal writes, and let \
                         the server's user read them.\r\n",
                    ],
                ));
            }
        };
        let until = certified.cert.first().and_then(|der| validity(der));
        if let Some(tls) = &self.tls {
            tls.replace(certified);
        }
        if !clock::is_set() {
            return None;
        }
        let left = until.map_or(0, |(_, until)| until - i64::from(clock::now()));
        let days = left.div_euclid(86_400);
        let shown = days.to_string();
        match days {
            ..0 => Some(Trouble::new(
                ENDED,
                &["the certificate has expired"],
                &[
                    "Mail programs refuse to connect: ",
                    &name,
                    " is over.\r\n\r\n",
                    renew,
                ],
            )),
            0..doctor::SOON => Some(Trouble::new(
                ENDING,
                &["the certificate ends in ", &shown, " days"],
                &[
                    "Then mail programs refuse to connect: ",
                    &name,
                    " is over then.\r\n\r\n",
                    renew,
                ],
            )),
            _ => None,
        }
    }

    fn queue(&self) -> mail::Result<Option<Trouble>> {
        let patience = self.ctx.config.warn.queue;
        let waiting = order::waiting(&self.ctx.mail, patience)?;
        if waiting.stuck.is_empty() {
            return Ok(None);
        }
        let hours = (patience / 3600).to_string();
        let mut text = [
            "Mail that you sent has been tried in vain for more than ",
            &hours,
            " hours:\r\n\r\n",
        ]
        .concat();
        for line in &waiting.stuck {
            text += &["    ", &plain(line), "\r\n"].concat();
        }
        text += "\r\nIt is tried again for some days, and then comes back.\r\n\r\n\
                 What to do: the answers above say what is wrong. `pillarbox queue list` shows all that waits, `pillarbox \
                 queue retry all` tries at once, `pillarbox doctor` looks at the way out.\r\n";
        Ok(Some(Trouble::new(
            QUEUE,
            &["mail waits in the queue"],
            &[&text],
        )))
    }

    fn clock(&mut self) -> Option<Trouble> {
        let advice = "\r\n\r\nWhat to do: see that ntpd or chronyd runs and reaches a server, and that the clock's \
                      battery, if there is one, is not empty.\r\n";
        let now = DateTime::utc(i64::from(clock::now())).mail();
        if !clock::is_set() {
            if self.started.elapsed() < self.ctx.config.warn.clock {
                return None;
            }
            let text = ": mail that comes is marked in its Received field, and mail to others may have to wait, since no \
                        certificate holds at that time.";
            return Some(Trouble::new(
                UNSET,
                &["the clock is not set"],
                &["It shows ", &now, text, advice],
            ));
        }
        let offset = i64::from(clock::now()) - uptime()?;
        let before = self.offset.replace(offset)?;
        let hours = jumped(before, offset)?;
        let way = if hours > 0 { "forward by " } else { "back by " };
        let shown = hours.unsigned_abs().to_string();
        let text = ". Mail that came before it has dates of the old time. If that was wrong and the new one is right, all \
                    is well now.";
        Some(Trouble::new(
            JUMPED,
            &["the clock has jumped"],
            &["It went ", way, &shown, " hours, to ", &now, text, advice],
        ))
    }

    fn logins(&self, told_at: u32) -> Option<Trouble> {
        let most = self.ctx.config.warn.logins;
        // The clock may have gone back meanwhile.
        let now = clock::now();
        let lately = told_at <= now && now - told_at < limits::WARN_LOGINS_EVERY;
        if most == 0 || lately {
            return None;
        }
        let (sum, of) = self.ctx.auth.failures(false);
        if sum < most {
            return None;
        }
        let count = sum.to_string();
        let mut text = [
            &count,
            " log-ins failed lately. The addresses with most of them:\r\n\r\n",
        ]
        .concat();
        for (ip, count) in of.iter().take(limits::WARN_LOGINS_LISTED) {
            text += &format!("    {count:>6}  {}\r\n", net(*ip));
        }
        text += "\r\nWho guesses has to wait longer and longer, and is locked out alone; nothing needs to be done about \
                 strangers. An address of your own network is a device with an old password: give it a new one \
                 (`pillarbox app-password add`). If a name or password may have leaked, `pillarbox passwd` sets another.\r\n";
        Some(Trouble::new(LOGINS, &[&count, " log-ins failed"], &[&text]))
    }
}

/// An address, of IPv6 a network (see `net::census`).
fn net(ip: IpAddr) -> String {
    let slash = if ip.is_ipv6() { "/64" } else { "" };
    [&ip.to_string(), slash].concat()
}

/// By how many hours the clock was set, if by so many that dates are wrong.
fn jumped(before: i64, after: i64) -> Option<i64> {
    let hours = (after - before) / 3600;
    (hours != 0).then_some(hours)
}

/// Seconds since the kernel started, suspended or not.
fn uptime() -> Option<i64> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    text.split('.').next()?.parse().ok()
}

/// What others said, fit for a line of a message.
fn plain(text: &str) -> String {
    let fit = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(200).map(fit).collect()
}

/// One message about all of it, into INBOX, in one commit with what was told.
async fn file(ctx: &Ctx, news: &[&Trouble], puts: Vec<mail::Put>) -> mail::Result<()> {
    let meta = ctx.mail.meta();
    let inbox = meta
        .by_role(Role::Inbox)
        .ok_or(mail::Error::NoSuchMailbox)?;
    let mut writer = ctx.mail.last_words()?;
    writer.push(message(&ctx.config, news)?.as_bytes()).await?;
    let staged = writer.finish(b"Return-Path: <>\r\n").await?;
    let commit = Commit {
        add: vec![NewEmail {
            source: Source::Staged(staged),
            mailboxes: vec![inbox.id],
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        }],
        put: Some(Box::new(move |_| puts)),
        ..Commit::default()
    };
    ctx.mail.commit(commit).await?;
    for it in news {
        log::warn!("told the owner: {}", it.subject);
    }
    Ok(())
}

fn message(config: &Config, news: &[&Trouble]) -> mail::Result<String> {
    let id = random::password().map_err(|_| mail::Error::Unavailable)?;
    let (host, user) = (config.hostname.as_str(), config.user.as_str());
    let domain = config.domains.first().map_or(host, String::as_str);
    let first = news.first().map_or("", |it| it.subject.as_str());
    let more = if news.len() > 1 { ", and more" } else { "" };
    let date = DateTime::utc(i64::from(clock::now())).mail();
    let mut text = [
        "From: Pillarbox <postmaster@",
        domain,
        ">\r\nTo: <",
        user,
        "@",
        domain,
        ">\r\nSubject: ",
        host,
        ": ",
        first,
        more,
        "\r\nDate: ",
        &date,
        "\r\nMessage-ID: <",
        &id,
        "@",
        host,
        ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         This is your mail server at ",
        host,
        ".\r\n",
    ]
    .concat();
    for it in news {
        let mut words = it.subject.chars();
        let first = words.next().map_or(' ', |c| c.to_ascii_uppercase());
        text += &format!("\r\n* {first}{}\r\n\r\n{}", words.as_str(), fold(&it.text));
    }
    text += "\r\nThis is said once, and again only when it was over and comes back. `--warn off` ends such mail.\r\n";
    Ok(text)
}

/// Lines of a length for reading; those that are set in stay as they are.
fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive("\r\n") {
        let mut width = 0;
        for word in line.split_inclusive(' ') {
            if width > 0
                && width + word.trim_end().chars().count() > 76
                && !line.starts_with("    ")
            {
                out.truncate(out.trim_end_matches(' ').len());
                out += "\r\n";
                width = 0;
            }
            out += word;
            width += word.chars().count();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps() {
        // A second lost here and there is none, nor is what NTP mends.
        assert_eq!(jumped(1_800_000_000, 1_800_000_002), None);
        assert_eq!(jumped(1_800_000_000, 1_799_996_500), None);
        assert_eq!(jumped(1_800_000_000, 1_800_007_300), Some(2));
        assert_eq!(jumped(1_800_000_000, 1_700_000_000), Some(-27_777));
        assert!(uptime().is_some_and(|seconds| seconds > 0));
    }

    #[test]
    fn messages_are_plain() {
        let long = "word ".repeat(40);
        let trouble = Trouble::new(
            DISK,
            &["the disk"],
            &[&long, "\r\n    ", &plain(&long), "\r\n"],
        );
        let text = message(&Config::new("anna", "example.org"), &[&trouble]).unwrap();
        assert!(
            text.contains("Subject: example.org: the disk\r\n") && text.contains("* The disk\r\n")
        );
        for line in text.split("\r\n") {
            assert!(!line.contains(['\r', '\n']) && line.len() < 300, "{line}");
            assert!(
                line.len() <= 78 || line.starts_with("    ") || line.starts_with("This is said"),
                "{line}"
            );
        }
        assert_eq!(plain("a\r\nSubject: x"), "a  Subject: x");
    }
}
