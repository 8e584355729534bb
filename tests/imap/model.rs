//! Random commands of several sessions, drawn from a seed, against a simple model in memory.
//!
//! The client here believes only what it is told: its view grows by EXISTS, shrinks by EXPUNGE and
//! learns flags from FETCH. After each command that view must be what the model says is there.
//! A failure prints the seed and the dialogue; `IMAP_MODEL_SEED=n` runs one again,
//! `IMAP_MODEL_RUNS=n` runs more.
use super::Imap;
use crate::harness::Server;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

const SESSIONS: usize = 3;
const STEPS: usize = 60;
const RUNS: u64 = 40;
const FLAGS: [&str; 7] = [
    "\\Seen",
    "\\Flagged",
    "\\Answered",
    "\\Draft",
    "\\Deleted",
    "kw1",
    "kw2",
];

type Set = BTreeSet<String>;

/// What is there.
#[derive(Default)]
struct World {
    mailboxes: Vec<Mailbox>,
    /// Flags of emails, which all their memberships show.
    emails: Vec<Set>,
}

#[derive(Default)]
struct Mailbox {
    uidnext: u32,
    /// By UID: the email, and whether this membership is \Deleted.
    members: BTreeMap<u32, (usize, bool)>,
}

impl World {
    fn add(&mut self, mailbox: usize, email: usize, deleted: bool) -> u32 {
        let mailbox = &mut self.mailboxes[mailbox];
        mailbox.uidnext += 1;
        mailbox.members.insert(mailbox.uidnext, (email, deleted));
        mailbox.uidnext
    }

    fn flags(&self, mailbox: usize, uid: u32) -> Set {
        let (email, deleted) = self.mailboxes[mailbox].members[&uid];
        let mut flags = self.emails[email].clone();
        if deleted {
            flags.insert("\\Deleted".into());
        }
        flags
    }

    fn set(&mut self, mailbox: usize, uid: u32, mut flags: Set) {
        let member = self.mailboxes[mailbox].members.get_mut(&uid).unwrap();
        member.1 = flags.remove("\\Deleted");
        self.emails[member.0] = flags;
    }

    fn deleted(&self, mailbox: usize) -> Vec<u32> {
        let members = &self.mailboxes[mailbox].members;
        members
            .iter()
            .filter(|(_, (_, deleted))| *deleted)
            .map(|(uid, _)| *uid)
            .collect()
    }
}

/// What a client was told of one message.
#[derive(Clone, Default, Debug)]
struct Told {
    uid: Option<u32>,
    flags: Option<Set>,
}

struct Session {
    imap: Imap,
    selected: Option<usize>,
    view: Vec<Told>,
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let n = self.below(from.len());
        &from[n]
    }
}

struct Game {
    random: Random,
    names: Vec<String>,
    world: World,
    sessions: Vec<Session>,
    log: String,
}

#[test]
fn sessions_see_what_the_model_says() {
    let mut server = Server::start();
    if let Some(seed) = std::env::var("IMAP_MODEL_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
    {
        return play(&server, seed);
    }
    let runs = std::env::var("IMAP_MODEL_RUNS")
        .ok()
        .and_then(|s| s.parse().ok());
    for seed in 1..=runs.unwrap_or(RUNS) {
        // The number of mailboxes has a limit.
        if seed % 200 == 0 {
            server = Server::start();
        }
        play(&server, seed);
    }
}

/// All at once, on threads: nobody can say what comes when, but each client's numbers always stand
/// for the same message, and in the end all see the same.
#[test]
fn sessions_at_once_agree_in_the_end() {
    let server = Server::start();
    // All select while the mailbox is empty: that is the view they begin with.
    let clients: Vec<Imap> = (1..=4).map(|_| Imap::inbox(&server)).collect();
    let clients: Vec<_> = clients
        .into_iter()
        .zip(1..)
        .map(|(imap, seed)| std::thread::spawn(move || hammer(imap, seed)))
        .collect();
    let mut sessions: Vec<Session> = clients.into_iter().map(|c| c.join().unwrap()).collect();
    let mut seen = Vec::new();
    for session in &mut sessions {
        session.run("NOOP");
        session.run("UID FETCH 1:* (UID FLAGS)");
        seen.push(format!("{:?}", session.view));
    }
    let fresh = Imap::login(&server);
    let mut fresh = Session {
        imap: fresh,
        selected: Some(0),
        view: Vec::new(),
    };
    fresh.run("SELECT INBOX");
    fresh.run("UID FETCH 1:* (UID FLAGS)");
    assert!(
        seen.iter().all(|view| *view == format!("{:?}", fresh.view)),
        "{seen:#?}"
    );
}

fn hammer(imap: Imap, seed: u64) -> Session {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut session = Session {
        imap,
        selected: Some(0),
        view: Vec::new(),
    };
    for _ in 0..150 {
        let count = session.view.len();
        let one = 1 + random.below(count.max(1));
        let text = match random.below(9) {
            0..=2 => "APPEND INBOX () {8+}\r\nA: b\r\n\r\n".to_owned(),
            _ if count == 0 => "NOOP".to_owned(),
            3 => format!("STORE {one} +FLAGS (\\Deleted)"),
            4 => format!("STORE {one}:* -FLAGS (\\Seen kw1)"),
            5 => "EXPUNGE".to_owned(),
            6 => format!("MOVE {one} INBOX"),
            7 => "UID FETCH 1:* (FLAGS BODY[])".to_owned(),
            _ => format!("FETCH {one} (UID FLAGS BODY.PEEK[TEXT])"),
        };
        session.run(&text);
    }
    session
}

fn play(server: &Server, seed: u64) {
    let mut game = Game::new(server, seed);
    for _ in 0..STEPS {
        let game = std::panic::AssertUnwindSafe(&mut game);
        let step = std::panic::catch_unwind(move || {
            let game = game;
            game.0.step();
        });
        if step.is_err() {
            break;
        }
    }
    // Reached with the last step broken only when it panicked.
    assert!(
        game.log.ends_with("ok\n"),
        "IMAP_MODEL_SEED={seed}\n{}",
        game.log
    );
    for session in &mut game.sessions {
        session.imap.ok("LOGOUT");
    }
}

impl Game {
    fn new(server: &Server, seed: u64) -> Game {
        let names: Vec<String> = (0..3).map(|n| format!("run{seed}-{n}")).collect();
        let mut sessions: Vec<Session> = (0..SESSIONS)
            .map(|_| Session {
                imap: Imap::login(server),
                selected: None,
                view: Vec::new(),
            })
            .collect();
        for name in &names {
            sessions[0].imap.ok(&format!("CREATE {name}"));
        }
        let world = World {
            mailboxes: names.iter().map(|_| Mailbox::default()).collect(),
            emails: Vec::new(),
        };
        let random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Game {
            random,
            names,
            world,
            sessions,
            log: String::new(),
        }
    }

    fn step(&mut self) {
        let who = self.random.below(SESSIONS);
        let Some(mailbox) = self.sessions[who].selected else {
            return match self.random.below(3) {
                0 => self.append(who),
                _ => self.select(who),
            };
        };
        match self.random.below(24) {
            0 => self.select(who),
            1 => self.leave(who, mailbox),
            2..=5 => self.append(who),
            6..=10 => self.store(who, mailbox),
            11..=12 => self.copy(who, mailbox, false),
            13..=14 => self.copy(who, mailbox, true),
            15..=16 => self.expunge(who, mailbox),
            17..=19 => self.fetch(who, mailbox),
            20..=21 => self.search(who, mailbox),
            _ => {
                self.command(who, "NOOP".into());
                self.check(who, true);
            }
        }
    }

    /// Runs a command and takes in what it tells; returns the untagged lines and the tagged one.
    fn command(&mut self, who: usize, text: String) -> (Vec<String>, String) {
        let _ = write!(self.log, "{who}: {text}");
        let session = &mut self.sessions[who];
        let reply = session.imap.run(&text);
        let _ = write!(
            self.log,
            "\n   {:?} {:?} ... ",
            reply.untagged, reply.tagged
        );
        for line in &reply.untagged {
            session.hear(line);
        }
        (reply.untagged, reply.tagged)
    }

    /// The client's view is what is there; without `expunges` it may still hold what is gone.
    fn check(&mut self, who: usize, expunges: bool) {
        let session = &mut self.sessions[who];
        if let Some(mailbox) = session.selected {
            let there: Vec<u32> = self.world.mailboxes[mailbox]
                .members
                .keys()
                .copied()
                .collect();
            if expunges {
                assert_eq!(session.view.len(), there.len(), "as many as there are");
                for (told, uid) in session.view.iter_mut().zip(&there) {
                    assert_eq!(told.uid.unwrap_or(*uid), *uid, "in their order");
                    told.uid = Some(*uid);
                }
            }
            for told in &session.view {
                let Some(uid) = told.uid.filter(|uid| there.contains(uid)) else {
                    continue;
                };
                if let Some(flags) = &told.flags {
                    assert_eq!(*flags, self.world.flags(mailbox, uid), "flags of UID {uid}");
                }
            }
        }
        self.log.push_str("ok\n");
    }

    fn select(&mut self, who: usize) {
        let mailbox = self.random.below(self.names.len());
        self.sessions[who].selected = None;
        self.sessions[who].view.clear();
        let (lines, _) = self.command(who, format!("SELECT {}", self.names[mailbox]));
        let uidnext = self.world.mailboxes[mailbox].uidnext + 1;
        assert!(
            lines
                .iter()
                .any(|l| l.contains(&format!("[UIDNEXT {uidnext}]")))
        );
        self.sessions[who].selected = Some(mailbox);
        self.check(who, true);
        self.fetch_all(who);
    }

    fn fetch_all(&mut self, who: usize) {
        if !self.sessions[who].view.is_empty() {
            self.command(who, "FETCH 1:* (UID FLAGS)".into());
            assert!(
                self.sessions[who]
                    .view
                    .iter()
                    .all(|told| told.flags.is_some())
            );
            self.check(who, false);
        }
    }

    fn leave(&mut self, who: usize, mailbox: usize) {
        let close = self.random.below(2) == 0;
        self.command(who, if close { "CLOSE" } else { "UNSELECT" }.into());
        if close {
            for uid in self.world.deleted(mailbox) {
                self.world.mailboxes[mailbox].members.remove(&uid);
            }
        }
        self.sessions[who].selected = None;
        self.sessions[who].view.clear();
        self.check(who, true);
    }

    fn append(&mut self, who: usize) {
        let mailbox = self.random.below(self.names.len());
        let flags = self.some_flags();
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let head = format!(
            "APPEND {} ({}) {{8+}}\r\nA: b\r\n\r\n",
            self.names[mailbox],
            list.join(" ")
        );
        let (_, tagged) = self.command(who, head);
        let mut flags = flags;
        let deleted = flags.remove("\\Deleted");
        self.world.emails.push(flags);
        let uid = self
            .world
            .add(mailbox, self.world.emails.len() - 1, deleted);
        assert!(tagged.contains(&format!(" {uid}] ")), "APPENDUID is {uid}");
        self.check(who, true);
    }

    fn some_flags(&mut self) -> Set {
        (0..self.random.below(4))
            .map(|_| (*self.random.pick(&FLAGS)).to_owned())
            .collect()
    }

    /// A set of numbers or UIDs, and the UIDs that it stands for to this client.
    fn some_set(&mut self, who: usize, mailbox: usize, by_uid: bool) -> Option<(String, Vec<u32>)> {
        let count = self.sessions[who].view.len();
        let top = if by_uid {
            self.world.mailboxes[mailbox].uidnext as usize + 1
        } else {
            count
        };
        if count == 0
            || self.sessions[who]
                .view
                .iter()
                .any(|told| told.uid.is_none())
        {
            return None;
        }
        let mut parts = Vec::new();
        let mut wanted = BTreeSet::new();
        for _ in 0..=self.random.below(3) {
            let (a, b) = (1 + self.random.below(top), 1 + self.random.below(top));
            if self.random.below(2) == 0 {
                parts.push(a.to_string());
                wanted.insert(a as u32);
            } else {
                parts.push(format!("{a}:{b}"));
                wanted.extend(a.min(b) as u32..=a.max(b) as u32);
            }
        }
        let known = self.sessions[who].view.iter().map(|told| told.uid.unwrap());
        let uids = known
            .enumerate()
            .filter(|(i, uid)| wanted.contains(&if by_uid { *uid } else { *i as u32 + 1 }))
            .map(|(_, uid)| uid)
            .collect();
        Some((parts.join(","), uids))
    }

    fn there(&self, mailbox: usize, uids: &[u32]) -> Vec<u32> {
        let members = &self.world.mailboxes[mailbox].members;
        uids.iter()
            .copied()
            .filter(|uid| members.contains_key(uid))
            .collect()
    }

    fn store(&mut self, who: usize, mailbox: usize) {
        let by_uid = self.random.below(2) == 0;
        let Some((set, uids)) = self.some_set(who, mailbox, by_uid) else {
            return;
        };
        let (flags, silent) = (self.some_flags(), self.random.below(3) == 0);
        let mode = *self.random.pick(&["", "+", "-"]);
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let text = format!(
            "{}STORE {set} {mode}FLAGS{} ({})",
            if by_uid { "UID " } else { "" },
            if silent { ".SILENT" } else { "" },
            list.join(" ")
        );
        for uid in self.there(mailbox, &uids) {
            let old = self.world.flags(mailbox, uid);
            let new: Set = match mode {
                "+" => old.union(&flags).cloned().collect(),
                "-" => old.difference(&flags).cloned().collect(),
                _ => flags.clone(),
            };
            self.world.set(mailbox, uid, new.clone());
            // The client knows what it did; the server need not say so.
            if silent {
                let view = &mut self.sessions[who].view;
                let told = view.iter_mut().find(|told| told.uid == Some(uid)).unwrap();
                told.flags = told.flags.as_ref().map(|known| match mode {
                    "+" => known.union(&flags).cloned().collect(),
                    "-" => known.difference(&flags).cloned().collect(),
                    _ => flags.clone(),
                });
            }
        }
        let (_, tagged) = self.command(who, text);
        assert!(tagged.starts_with("OK"));
        self.check(who, by_uid);
    }

    fn copy(&mut self, who: usize, mailbox: usize, away: bool) {
        let by_uid = self.random.below(2) == 0;
        let Some((set, uids)) = self.some_set(who, mailbox, by_uid) else {
            return;
        };
        let target = self.random.below(self.names.len());
        let text = format!(
            "{}{} {set} {}",
            if by_uid { "UID " } else { "" },
            if away { "MOVE" } else { "COPY" },
            self.names[target]
        );
        let from = self.there(mailbox, &uids);
        let mut to = Vec::new();
        for uid in &from {
            let (email, deleted) = self.world.mailboxes[mailbox].members[uid];
            to.push(self.world.add(target, email, deleted));
            if away {
                self.world.mailboxes[mailbox].members.remove(uid);
            }
        }
        let (lines, tagged) = self.command(who, text);
        if from.is_empty() {
            assert_eq!(tagged.starts_with("OK"), uids.is_empty());
        } else {
            let line = if away { lines[0].clone() } else { tagged };
            let words: Vec<&str> = line.split([' ', ']']).collect();
            let at = words
                .iter()
                .position(|word| *word == "[COPYUID")
                .expect("COPYUID");
            assert_eq!((expand(words[at + 2]), expand(words[at + 3])), (from, to));
        }
        self.check(who, true);
    }

    fn expunge(&mut self, who: usize, mailbox: usize) {
        let mut gone = self.world.deleted(mailbox);
        let set = if self.random.below(2) == 0 {
            self.some_set(who, mailbox, true)
        } else {
            None
        };
        let text = match set {
            Some((set, uids)) => {
                gone.retain(|uid| uids.contains(uid));
                format!("UID EXPUNGE {set}")
            }
            None => "EXPUNGE".into(),
        };
        for uid in gone {
            self.world.mailboxes[mailbox].members.remove(&uid);
        }
        self.command(who, text);
        self.check(who, true);
    }

    fn fetch(&mut self, who: usize, mailbox: usize) {
        let by_uid = self.random.below(2) == 0;
        let Some((set, uids)) = self.some_set(who, mailbox, by_uid) else {
            return;
        };
        let text = format!(
            "{}FETCH {set} (UID FLAGS)",
            if by_uid { "UID " } else { "" }
        );
        let (lines, _) = self.command(who, text);
        let told: Vec<u32> = lines.iter().filter_map(|line| uid_of(line)).collect();
        for uid in self.there(mailbox, &uids) {
            assert!(told.contains(&uid), "UID {uid} is fetched");
        }
        self.check(who, by_uid);
    }

    fn search(&mut self, who: usize, mailbox: usize) {
        if self.sessions[who]
            .view
            .iter()
            .any(|told| told.uid.is_none())
        {
            return;
        }
        let by_uid = self.random.below(2) == 0;
        let (flag, key) = *self.random.pick(&[
            ("\\Seen", "SEEN"),
            ("\\Deleted", "DELETED"),
            ("\\Draft", "DRAFT"),
            ("kw1", "KEYWORD kw1"),
        ]);
        let view: Vec<u32> = self.sessions[who]
            .view
            .iter()
            .filter_map(|told| told.uid)
            .collect();
        let (lines, _) = self.command(
            who,
            format!("{}SEARCH {key}", if by_uid { "UID " } else { "" }),
        );
        let line = lines
            .iter()
            .find(|line| line.starts_with("SEARCH"))
            .unwrap();
        let found: Vec<u32> = line
            .split(' ')
            .skip(1)
            .map(|n| n.parse().unwrap())
            .collect();
        let wanted: Vec<u32> = view
            .iter()
            .enumerate()
            .filter(|(_, uid)| self.world.mailboxes[mailbox].members.contains_key(uid))
            .filter(|(_, uid)| self.world.flags(mailbox, **uid).contains(flag))
            .map(|(i, uid)| if by_uid { *uid } else { i as u32 + 1 })
            .collect();
        assert_eq!(found, wanted, "what has {flag}");
        self.check(who, by_uid);
    }
}

impl Session {
    fn run(&mut self, text: &str) {
        let reply = self.imap.run(text);
        // What is gone meanwhile is refused; nothing else is.
        let fine = reply.tagged.starts_with("OK") || reply.tagged.contains("[EXPUNGEISSUED]");
        assert!(fine, "{text}: {}", reply.tagged);
        reply.untagged.iter().for_each(|line| self.hear(line));
    }

    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let (Some(Ok(n)), Some(what)) = (words.next().map(str::parse::<usize>), words.next())
        else {
            return;
        };
        match what {
            "EXPUNGE" => {
                assert!(
                    (1..=self.view.len()).contains(&n),
                    "EXPUNGE of what is there"
                );
                self.view.remove(n - 1);
            }
            "EXISTS" => {
                assert!(n >= self.view.len(), "EXISTS never shrinks");
                self.view.resize(n, Told::default());
            }
            "FETCH" => {
                assert!((1..=self.view.len()).contains(&n), "FETCH of what is there");
                let told = &mut self.view[n - 1];
                let uid = uid_of(line).unwrap();
                assert_eq!(
                    told.uid.unwrap_or(uid),
                    uid,
                    "a number stands for one message"
                );
                told.uid = Some(uid);
                if let Some((_, rest)) = line.split_once("FLAGS (") {
                    let flags = rest.split_once(')').unwrap().0.split(' ');
                    let flags = flags.filter(|f| !f.is_empty() && *f != "\\Recent");
                    told.flags = Some(flags.map(str::to_owned).collect());
                }
            }
            _ => {}
        }
    }
}

fn uid_of(line: &str) -> Option<u32> {
    let rest = line.split_once("UID ")?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn expand(set: &str) -> Vec<u32> {
    set.split(',')
        .flat_map(|range| {
            let (a, b) = range.split_once(':').unwrap_or((range, range));
            a.parse::<u32>().unwrap()..=b.parse::<u32>().unwrap()
        })
        .collect()
}
