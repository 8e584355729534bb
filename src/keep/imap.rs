//! Mail from another IMAP server (RFC 9051, RFC 3501): its folders, flags and dates.
//!
//! A mailbox is fetched in windows of UIDs, and what is done is noted with the mail itself, under the
//! mailbox's UIDVALIDITY: whoever runs it again fetches what is new, and after a break it goes on at the
//! window that it was at. Bodies pass through; nothing is held of a message but what is said of it.
mod link;
pub mod wire;

use super::progress::{Progress, say};
use super::source::Options;
use super::{Done, Said, Target, place};
use crate::limits;
use crate::mime::utf7;
use crate::server::{Failure, Kind};
pub use link::Origin;
use link::{Event, Link, Stop, shown};
use ring::digest;
use std::time::Duration;

/// A mailbox there, and where its mail goes here.
struct Folder {
    /// Its name, as the server said it.
    name: Vec<u8>,
    /// What the other server calls it, with `/`.
    path: String,
    /// What it is for (RFC 6154), if the server says so.
    role: Option<&'static str>,
    /// Everything is in it that is anywhere: only what is nowhere else is fetched from it.
    all: bool,
    /// What was noted of it: UIDVALIDITY, and the first UID that was not fetched.
    kept: String,
}

/// What mailboxes are for (RFC 6154 §2), as we say it, too.
const ROLES: [&str; 5] = ["\\sent", "\\drafts", "\\trash", "\\junk", "\\archive"];

/// Mailboxes that hold nothing of their own (RFC 6154 §2, RFC 8457), and those that cannot be opened.
const NOT_TAKEN: [&str; 4] = ["\\noselect", "\\nonexistent", "\\flagged", "\\important"];

/// Gmail's labels that are no mailboxes.
const NO_PLACES: [&str; 4] = ["\\Important", "\\Starred", "\\Muted", "Important"];

/// How to read the other server.
pub struct Job<'a> {
    /// Where it is.
    pub origin: &'a Origin,
    /// Where mail goes, and how.
    pub options: &'a Options,
    /// Everything is fetched, even what was.
    pub again: bool,
}

/// Gives all mail of the other server to `target`. Returns how much of it cannot be had.
///
/// # Errors
/// It cannot be reached or speaks no IMAP, or the target takes no more.
pub fn read(job: &Job<'_>, target: &mut Progress<'_>) -> Done<u32> {
    let mut way = Way {
        job,
        link: None,
        open: None,
        worked: false,
        asked: false,
        fails: 0,
        hung: 0,
        missed: 0,
    };
    let mut folders = Vec::new();
    way.persist(&mut |way| {
        folders = way.folders()?;
        Ok(())
    })?;
    // What is nowhere else comes last: by then the rest is here.
    folders.sort_by_key(|folder| folder.all);
    for folder in &mut folders {
        folder.kept = target.recall(&way.key(folder))?.unwrap_or_default();
    }
    let mut looked = Ok(0);
    target.expect(|| {
        looked = folders
            .iter()
            .try_fold(0, |sum, folder| Ok(sum + way.weigh(folder)?));
        looked.as_ref().map_or(0, |sum| *sum)
    });
    looked?;
    for folder in &folders {
        way.folder(folder, target)?;
    }
    Ok(way.missed)
}

/// What EXAMINE said of a mailbox.
#[derive(Clone, Copy, Default)]
struct Opened {
    validity: u32,
    next: u32,
}

struct Way<'a> {
    job: &'a Job<'a>,
    link: Option<Link>,
    /// The mailbox that the connection has open.
    open: Option<Vec<u8>>,
    /// There was one: the address and the password are right.
    worked: bool,
    /// The messages of the window were asked for: a connection that breaks now breaks on them.
    asked: bool,
    /// Connections that broke in a row without anything done.
    fails: u32,
    /// Messages in a row that were left out because the connection broke on them.
    hung: u32,
    /// What was said not to be had.
    missed: u32,
}

impl Way<'_> {
    /// The connection; a new one where there is none.
    fn link(&mut self) -> Result<&mut Link, Stop> {
        if self.link.is_none() {
            self.open = None;
            let link = Link::open(self.job.origin)?;
            link.take_time();
            self.worked = true;
            self.link = Some(link);
        }
        match &mut self.link {
            Some(link) => Ok(link),
            None => Err(Stop::Broken(String::new())),
        }
    }

    /// A connection broke: wait and try again, or give up.
    fn broke(&mut self, why: &str) -> Done<()> {
        self.link = None;
        self.fails += 1;
        if !self.worked || self.fails > limits::FETCH_TRIES {
            let more = if self.worked {
                "; run it again to go on"
            } else {
                ""
            };
            let text = [&self.job.origin.host, ": ", why, more].concat();
            return Err(Failure::new(Kind::Other, text));
        }
        say(&[&self.job.origin.host, ": ", why, "; trying again"].concat());
        std::thread::sleep(Duration::from_secs(1 << (self.fails - 1)));
        Ok(())
    }

    /// Does it until the connection holds.
    fn persist(&mut self, does: &mut dyn FnMut(&mut Self) -> Result<(), Stop>) -> Done<()> {
        loop {
            match does(self) {
                Ok(()) => return Ok(()),
                Err(Stop::Broken(why)) => self.broke(&why)?,
                Err(Stop::Refused(why)) => {
                    let host = &self.job.origin.host;
                    return Err(Failure::new(Kind::Other, [host, ": ", &why].concat()));
                }
                Err(Stop::Ended(failure)) => return Err(failure),
            }
        }
    }

    /// The mailboxes.
    fn folders(&mut self) -> Result<Vec<Folder>, Stop> {
        let link = self.link()?;
        // RFC 6154 §2: plain LIST need not tell.
        let told = link.has("SPECIAL-USE") && link.has("LIST-EXTENDED");
        let gmail = link.has("X-GM-EXT-1");
        let command = match told {
            true => "LIST \"\" \"*\" RETURN (SPECIAL-USE)",
            false => "LIST \"\" \"*\"",
        };
        let (mut listed, mut left_out) = (Vec::new(), Vec::new());
        link.ask(command, &mut |event| {
            let Event::Line(line) = event else {
                return Ok(());
            };
            let Some(found) = wire::listed(line) else {
                return Ok(());
            };
            let is = |what: &str| found.attributes.iter().any(|it| it == what);
            let all = is("\\all");
            if NOT_TAKEN.into_iter().any(is) {
                return Ok(());
            }
            if (all && !gmail) || found.name.iter().any(|b| b"\r\n\0".contains(b)) {
                left_out.push(shown(&found.name));
                return Ok(());
            }
            if listed.len() >= limits::FETCH_MAILBOXES {
                let why = "the other server has too many mailboxes";
                return Err(Failure::new(Kind::Other, why).into());
            }
            let role = ROLES.into_iter().find(|role| is(role));
            listed.push(Folder {
                path: path(&found.name, found.separator),
                role,
                name: found.name,
                all,
                kept: String::new(),
            });
            Ok(())
        })?;
        for name in left_out {
            say(&(name + " is left out: it holds what others hold"));
        }
        under_inbox(&mut listed);
        Ok(listed)
    }

    /// Opens a mailbox, to read. `None`: the server refuses, which was said.
    fn examine(&mut self, folder: &Folder) -> Result<Option<Opened>, Stop> {
        let mut command = b"EXAMINE ".to_vec();
        wire::quoted(&folder.name, &mut command);
        let mut opened = Opened::default();
        let mut exists = false;
        self.open = None;
        let link = self.link()?;
        let done = link.send(&command, None, &mut |event| {
            if let Event::Line(line) = event {
                for (name, value) in [
                    ("UIDVALIDITY", &mut opened.validity),
                    ("UIDNEXT", &mut opened.next),
                ] {
                    *value = wire::code(line, name).unwrap_or(*value);
                }
                exists |= line.ends_with(b" EXISTS") && line != b"0 EXISTS";
            }
            Ok(())
        });
        match done {
            Err(Stop::Refused(why)) => {
                say(&[&shown(&folder.name), " cannot be opened: ", &why].concat());
                self.missed += 1;
                return Ok(None);
            }
            done => done?,
        }
        if exists && opened.next == 0 {
            // RFC 3501 §6.3.1 lets servers leave it out.
            link.ask("FETCH * (UID)", &mut |event| {
                if let Event::Line(line) = event
                    && let Some(last) = wire::fetched(line)
                {
                    opened.next = last.uid.saturating_add(1);
                }
                Ok(())
            })?;
        }
        if !exists {
            opened.next = 0;
        }
        self.open = Some(folder.name.clone());
        Ok(Some(opened))
    }

    /// Octets of a mailbox, for how long it takes.
    fn weigh(&mut self, folder: &Folder) -> Done<u64> {
        let mut sum = 0;
        self.persist(&mut |way| {
            sum = 0;
            let Some(opened) = way.examine(folder)? else {
                return Ok(());
            };
            let first = way.first(folder, opened);
            if first >= opened.next || folder.all {
                return Ok(());
            }
            let command = format!("UID FETCH {first}:{} (RFC822.SIZE)", opened.next - 1);
            way.link()?.ask(&command, &mut |event| {
                if let Event::Line(line) = event {
                    sum += wire::fetched(line).map_or(0, |it| u64::from(it.size));
                }
                Ok(())
            })
        })?;
        Ok(sum)
    }

    /// Where a folder's progress is noted: a name that says nothing and is short.
    fn key(&self, folder: &Folder) -> String {
        let Origin {
            host, port, user, ..
        } = self.job.origin;
        let into = self.job.options.into.as_deref().unwrap_or_default();
        let mut named = format!("{user}\0{host}\0{port}\0{into}\0").into_bytes();
        named.extend_from_slice(&folder.name);
        let hash = digest::digest(&digest::SHA256, &named);
        let first = hash.as_ref().iter().take(16);
        first.map(|octet| format!("{octet:02x}")).collect()
    }

    /// The first UID that was not fetched yet.
    fn first(&self, folder: &Folder, opened: Opened) -> u32 {
        let kept = folder.kept.split_once(' ').filter(|_| !self.job.again);
        let same = kept.filter(|(of, _)| *of == opened.validity.to_string());
        same.and_then(|(_, at)| at.parse().ok()).unwrap_or(1).max(1)
    }

    /// All of a mailbox that was not fetched yet.
    fn folder(&mut self, folder: &Folder, target: &mut Progress<'_>) -> Done<()> {
        let mut opened = None;
        self.persist(&mut |way| {
            opened = way.examine(folder)?;
            Ok(())
        })?;
        let Some(opened) = opened else {
            return Ok(());
        };
        let Opened { validity, next } = opened;
        let key = self.key(folder);
        // What is refused from here on is of this mailbox.
        target.recall(&key)?;
        let mut at = self.first(folder, opened);
        let (mut width, mut gap, mut tries) = (WIDTH, false, 0);
        while at < next {
            let last = at.saturating_add(width - 1).min(next - 1);
            let window = Window {
                folder,
                validity,
                first: at,
                last,
            };
            // Perhaps it is one message that the server cannot give.
            let alone = at == last;
            let why = match self.window(&window, target) {
                Ok(came) => {
                    (self.fails, self.hung, tries) = (0, 0, 0);
                    at = last + 1;
                    for uid in came.empty {
                        self.lost(folder, uid, "gives nothing of it");
                        gap = true;
                    }
                    // What the server did not give is asked for again the next time.
                    if !gap {
                        target.note(&key, &format!("{validity} {at}"))?;
                    }
                    width = match came.count {
                        // UIDs have holes, and large ones.
                        0..MANY => width.saturating_mul(4).min(WIDEST),
                        MANY.. => width.div_ceil(2),
                    };
                    continue;
                }
                Err(Stop::Ended(failure)) => return Err(failure),
                Err(Stop::Refused(why)) => alone.then(|| ["does not give it: ", &why].concat()),
                Err(Stop::Broken(why)) => {
                    tries += u32::from(alone && self.asked);
                    if tries < limits::FETCH_HANG_TRIES || self.hung >= limits::FETCH_HANGS {
                        self.broke(&why)?;
                        None
                    } else {
                        self.link = None;
                        (self.fails, self.hung, tries) = (0, self.hung + 1, 0);
                        Some(["hangs up on it: ", &why].concat())
                    }
                }
            };
            if let Some(why) = why {
                self.lost(folder, at, &why);
                gap = true;
                at += 1;
            } else {
                width = (last - at + 1).div_ceil(NARROWER);
            }
        }
        Ok(())
    }

    /// A message did not come.
    fn lost(&mut self, folder: &Folder, uid: u32, why: &str) {
        let name = shown(&folder.name);
        say(&format!("{name}, UID {uid}: the other server {why}"));
        self.missed += 1;
    }

    /// Fetches the messages of a window.
    fn window(&mut self, window: &Window<'_>, target: &mut Progress<'_>) -> Result<Came, Stop> {
        self.asked = false;
        if self.link.is_none() || self.open.as_ref() != Some(&window.folder.name) {
            let opened = self.examine(window.folder)?;
            if opened.is_none_or(|it| it.validity != window.validity) {
                let why = "the mailbox became another one meanwhile; run it again";
                return Err(Failure::new(Kind::Other, why).into());
            }
        }
        self.asked = true;
        let mut set = format!("{}:{}", window.first, window.last);
        if window.folder.all {
            let Some(alone) = self.unlabelled(window)? else {
                return Ok(Came::default());
            };
            set = alone;
        }
        let into = &self.job.options;
        let mut came = Came::default();
        let mut octets = false;
        let command = ["UID FETCH ", &set, " (UID FLAGS INTERNALDATE BODY.PEEK[])"].concat();
        let link = self.link()?;
        link.ask(&command, &mut |event| {
            let line = match event {
                Event::Octets(chunk) => {
                    if !octets {
                        target.begin(&Said::default())?;
                        octets = true;
                    }
                    return Ok(target.octets(chunk)?);
                }
                Event::Line(line) => line,
            };
            let streamed = std::mem::take(&mut octets);
            let Some(message) = wire::fetched(line) else {
                return Ok(());
            };
            // Flags that changed meanwhile, or a message that is gone.
            let Some(body) = &message.body else {
                return Ok(());
            };
            came.count += 1;
            if !(window.first..=window.last).contains(&message.uid)
                || came.count > window.last - window.first + 1
            {
                let why = "the other server sends messages that were not asked for";
                return Err(Failure::new(Kind::Other, why).into());
            }
            if !streamed {
                if body.is_empty() {
                    came.empty.push(message.uid);
                    return Ok(());
                }
                target.begin(&Said::default())?;
                target.octets(body)?;
            }
            let mut said = window.folder.said(into);
            said.flags = said.flags.with(message.flags);
            said.keywords = message.keywords;
            said.date = message.date;
            said.origin = format!("{}, UID {}", shown(&window.folder.name), message.uid);
            Ok(target.end(&said)?)
        })?;
        Ok(came)
    }

    /// The messages of a window that have no label of a mailbox (Gmail's X-GM-EXT-1), as a set of UIDs.
    fn unlabelled(&mut self, window: &Window<'_>) -> Result<Option<String>, Stop> {
        let command = format!(
            "UID FETCH {}:{} (UID X-GM-LABELS)",
            window.first, window.last
        );
        let (mut set, mut count) = (String::new(), 0);
        self.link()?.ask(&command, &mut |event| {
            if let Event::Line(line) = event
                && let Some(message) = wire::fetched(line)
                && let Some(labels) = &message.labels
                && labels
                    .iter()
                    .all(|label| NO_PLACES.contains(&label.as_str()))
                && count < WIDEST
            {
                count += 1;
                if !set.is_empty() {
                    set.push(',');
                }
                set.push_str(&message.uid.to_string());
            }
            Ok(())
        })?;
        Ok(Some(set).filter(|set| !set.is_empty()))
    }
}

/// UIDs that are asked for at first.
const WIDTH: u32 = 64;
/// And at most.
const WIDEST: u32 = 1 << 16;
/// How much fewer when they do not come: the widest window is one message before tries run out.
const NARROWER: u32 = 64;
/// Messages of a window that are enough: so many are fetched again after a break.
const MANY: u32 = 100;

/// What came of a window.
#[derive(Default)]
struct Came {
    /// Messages.
    count: u32,
    /// UIDs of those of them that have no octets: `BODY[] NIL`.
    empty: Vec<u32>,
}

/// Some UIDs of a mailbox.
struct Window<'a> {
    folder: &'a Folder,
    validity: u32,
    first: u32,
    last: u32,
}

impl Folder {
    fn said(&self, options: &Options) -> Said {
        let role = match self.all {
            true => Some("\\archive"),
            false => self.role,
        };
        let is_inbox = self.path.eq_ignore_ascii_case("INBOX");
        match (role, &options.into) {
            (Some(role), None) => {
                let mut said = options.said("");
                said.mailboxes = vec![role.to_owned()];
                said
            }
            (_, Some(_)) if is_inbox => options.said(""),
            _ => options.said(&self.path),
        }
    }
}

/// A mailbox's name with `/` between its levels.
fn path(name: &[u8], separator: Option<char>) -> String {
    let text = utf7::decode(name).unwrap_or_else(|| String::from_utf8_lossy(name).into_owned());
    match separator {
        Some('/') => text,
        // A `/` in a name would be two.
        Some(separator) => text.replace('/', "_").replace(separator, "/"),
        None => text.replace('/', "_"),
    }
}

/// Some servers keep all mailboxes below INBOX: that level goes.
fn under_inbox(folders: &mut [Folder]) {
    let below = |path: &str| {
        path.get(..6)
            .is_some_and(|it| it.eq_ignore_ascii_case("INBOX/"))
    };
    let is_inbox = |path: &str| path.eq_ignore_ascii_case("INBOX");
    if folders
        .iter()
        .all(|it| is_inbox(&it.path) || below(&it.path))
    {
        for folder in folders.iter_mut().filter(|it| below(&it.path)) {
            folder.path.drain(..6);
            if folder.role.is_none() {
                folder.path = place::clean(&folder.path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(path: &str) -> Folder {
        Folder {
            name: Vec::new(),
            path: path.into(),
            role: None,
            all: false,
            kept: String::new(),
        }
    }

    #[test]
    fn names() {
        assert_eq!(path(b"Lists.R&APw-ben", Some('.')), "Lists/R\u{fc}ben");
        assert_eq!(path(b"a/b.c", Some('.')), "a_b/c");
        assert_eq!(path(b"a/b", Some('/')), "a/b");
        assert_eq!(path(b"a/b\xff", None), "a_b\u{fffd}");
        let mut all = ["INBOX", "INBOX/Sent", "Inbox/a/b"].map(folder);
        under_inbox(&mut all);
        assert_eq!(all.map(|it| it.path), ["INBOX", "Sent", "a/b"]);
        let mut all = ["INBOX", "INBOX/Sent", "Trash"].map(folder);
        under_inbox(&mut all);
        assert_eq!(all.map(|it| it.path), ["INBOX", "INBOX/Sent", "Trash"]);
    }

    #[test]
    fn where_mail_goes() {
        let options = |into: Option<&str>| Options {
            into: into.map(str::to_owned),
            seen: false,
        };
        let mailboxes = |folder: &Folder, into| folder.said(&options(into)).mailboxes;
        let mut sent = folder("[Gmail]/Gesendet");
        sent.role = Some("\\sent");
        assert_eq!(mailboxes(&sent, None), ["\\sent"]);
        assert_eq!(mailboxes(&sent, Some("Old")), ["Old/[Gmail]/Gesendet"]);
        assert_eq!(mailboxes(&folder("inbox"), Some("Old")), ["Old"]);
        assert_eq!(mailboxes(&folder("inbox"), None), ["\\inbox"]);
        assert_eq!(mailboxes(&folder("Deleted Items"), None), ["\\trash"]);
        assert_eq!(mailboxes(&folder("a/b"), None), ["a/b"]);
    }
}
