//! Random commands of several sessions, drawn from a seed, against a simple model in memory.
//!
//! The clients believe only what they are told (`client.rs`): a view grows by EXISTS, shrinks by
//! EXPUNGE or VANISHED and learns flags from FETCH or UIDFETCH. Some use QRESYNC, UIDONLY or NOTIFY.
//! After each command that view must be what the model (`world.rs`) says is there.
//!
//! A failure is played again with fewer and fewer of its steps, and the shortest dialogue that still
//! fails is printed. `IMAP_MODEL_SEED=n` runs one seed, `IMAP_MODEL_RUNS=n` more of them.
mod client;
mod world;

use super::Imap;
use crate::harness::Server;
use client::{Cache, Kind, Session, Told, expand};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use world::{Mailbox, Random, Set, World};

const SESSIONS: usize = 4;
const STEPS: u64 = 60;
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
const KEYS: [(&str, &str); 4] = [
    ("\\Seen", "SEEN"),
    ("\\Deleted", "DELETED"),
    ("\\Draft", "DRAFT"),
    ("kw1", "KEYWORD kw1"),
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn sessions_see_what_the_model_says() {
    let mut server = Server::start();
    let seeds = match number("IMAP_MODEL_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("IMAP_MODEL_RUNS").unwrap_or(RUNS),
    };
    for seed in seeds {
        // The store grows.
        if seed % 200 == 0 {
            server = Server::start();
        }
        let all: Vec<u64> = (0..STEPS).collect();
        if let Some(log) = play(&server, seed, &all) {
            let log = shrink(&server, seed, all).unwrap_or(log);
            panic!("IMAP_MODEL_SEED={seed}\n{log}");
        }
    }
}

/// The log of the shortest game found that fails.
fn shrink(server: &Server, seed: u64, mut steps: Vec<u64>) -> Option<String> {
    let mut shortest = None;
    let mut size = steps.len().div_ceil(2);
    loop {
        let mut at = 0;
        while at < steps.len() {
            let end = (at + size).min(steps.len());
            let fewer = [&steps[..at], &steps[end..]].concat();
            match play(server, seed, &fewer) {
                Some(log) => (steps, shortest) = (fewer, Some(log)),
                None => at = end,
            }
        }
        if size == 1 {
            return shortest;
        }
        size = size.div_ceil(2);
    }
}

/// Plays the steps; the log if it fails.
fn play(server: &Server, seed: u64, steps: &[u64]) -> Option<String> {
    let mut game = Game::new(server, seed);
    let played = catch_unwind(AssertUnwindSafe(|| {
        for step in steps {
            game.random = Random::of(seed, *step);
            game.step();
        }
        // All of them, to the end.
        (0..SESSIONS).for_each(|who| game.noop(who));
    }));
    let failed = played.err().map(|why| {
        let text = why.downcast_ref::<String>().cloned();
        let text = text.or(why.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        format!("{}\n{}", game.log, text.unwrap_or_default())
    });
    for name in &game.names {
        game.admin.ok(&format!("DELETE {name}"));
    }
    failed
}

struct Game<'a> {
    server: &'a Server,
    admin: Imap,
    random: Random,
    names: Vec<String>,
    world: World,
    sessions: Vec<Session>,
    log: String,
}

impl<'a> Game<'a> {
    fn new(server: &'a Server, seed: u64) -> Game<'a> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let run = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut random = Random::of(seed, u64::MAX - 1);
        let names: Vec<String> = (0..3).map(|n| format!("run{run}-{n}")).collect();
        let mut admin = Imap::login(server);
        for name in &names {
            admin.ok(&format!("CREATE {name}"));
        }
        let sessions = (0..SESSIONS)
            .map(|_| Session::new(server, *random.pick(&Kind::ALL)))
            .collect();
        let world = World {
            mailboxes: names.iter().map(|_| Mailbox::default()).collect(),
            emails: Vec::new(),
        };
        Game {
            server,
            admin,
            random,
            names,
            world,
            sessions,
            log: String::new(),
        }
    }

    fn step(&mut self) {
        let who = self.random.below(SESSIONS);
        self.catch_up(who);
        let Some(mailbox) = self.sessions[who].selected else {
            return match self.random.below(3) {
                0 => self.append(who),
                _ => self.select(who),
            };
        };
        match self.random.below(28) {
            0 => self.select(who),
            1 => self.leave(who, mailbox),
            2..=5 => self.append(who),
            6..=10 => self.store(who, mailbox),
            11..=12 => self.copy(who, mailbox, false),
            13..=14 => self.copy(who, mailbox, true),
            15..=16 => self.expunge(who, mailbox),
            17..=19 => self.fetch(who, mailbox),
            20..=21 => self.search(who, mailbox, false),
            22..=23 => self.search(who, mailbox, true),
            24 => self.reconnect(who),
            _ => self.noop(who),
        }
    }

    /// Runs a command and takes in what it tells; returns the untagged lines and the tagged one.
    fn command(&mut self, who: usize, text: &str) -> (Vec<String>, String) {
        let session = &mut self.sessions[who];
        let _ = write!(self.log, "{who} {:?}: {text}", session.kind);
        let heard = catch_unwind(AssertUnwindSafe(|| session.run(text)));
        match heard {
            Ok(reply) => {
                let _ = write!(self.log, "\n   {:?} {:?}\n", reply.untagged, reply.tagged);
                (reply.untagged, reply.tagged)
            }
            Err(why) => {
                self.log.push('\n');
                std::panic::resume_unwind(why)
            }
        }
    }

    /// What is told between commands has come or not: a client that acts on it hears all of it first.
    fn catch_up(&mut self, who: usize) {
        match self.sessions[who].kind {
            Kind::Watch => self.noop(who),
            Kind::Delayed if self.sessions[who].selected.is_some() => {
                self.command(who, "SEARCH ALL");
                self.fetch_all(who, false);
            }
            _ => {}
        }
    }

    fn noop(&mut self, who: usize) {
        self.command(who, "NOOP");
        self.check(who, true);
        // What a watcher was told of other mailboxes is how they stand.
        let session = &self.sessions[who];
        if session.kind != Kind::Watch {
            return;
        }
        for (at, name) in self.names.iter().enumerate() {
            if session.selected != Some(at) {
                let there = &self.world.mailboxes[at];
                let state = (there.last + 1, there.members.len() as u32);
                assert_eq!(session.others[name], state, "STATUS of {name}");
            }
        }
    }

    /// The client's view is what is there; without `expunges` it may still hold what is gone.
    fn check(&mut self, who: usize, expunges: bool) {
        let session = &mut self.sessions[who];
        let Some(mailbox) = session.selected else {
            return;
        };
        let there = self.world.uids(mailbox);
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

    fn select(&mut self, who: usize) {
        let mailbox = self.random.below(self.names.len());
        self.left(who);
        let cache = self.sessions[who].caches.remove(&mailbox);
        let known = cache.as_ref().map(|cache| self.known(cache));
        let rest = known.as_ref().map_or("", |(text, _)| text);
        let text = format!("SELECT {}{rest}", self.names[mailbox]);
        let (lines, _) = self.command(who, &text);
        let uidnext = self.world.mailboxes[mailbox].last + 1;
        let uidnext = format!("[UIDNEXT {uidnext}]");
        assert!(lines.iter().any(|l| l.contains(&uidnext)));
        self.sessions[who].selected = Some(mailbox);
        self.check(who, true);
        if let (Some(cache), Some((_, wanted))) = (cache, known) {
            self.resynchronised(who, mailbox, cache, wanted.as_ref());
        }
        self.fetch_all(who, true);
    }

    /// What a QRESYNC client says that it knows, and the UIDs that it asks for, if not for all.
    fn known(&mut self, cache: &Cache) -> (String, Option<BTreeSet<u32>>) {
        let mut text = format!(" (QRESYNC ({} {}", cache.validity, cache.modseq);
        let uids: Vec<u32> = cache.view.iter().filter_map(|told| told.uid).collect();
        let mut wanted = None;
        if !uids.is_empty() && self.random.one_in(2) {
            let set: Vec<String> = uids.iter().map(u32::to_string).collect();
            let _ = write!(text, " {}", set.join(","));
            wanted = Some(uids.iter().copied().collect());
        }
        if uids.len() == cache.view.len() && !uids.is_empty() && self.random.one_in(2) {
            let sample: Vec<usize> = (0..uids.len()).filter(|_| self.random.one_in(2)).collect();
            let numbers: Vec<String> = sample.iter().map(|at| (at + 1).to_string()).collect();
            let of: Vec<String> = sample.iter().map(|at| uids[*at].to_string()).collect();
            if !sample.is_empty() {
                let _ = write!(text, " ({} {})", numbers.join(","), of.join(","));
            }
        }
        (text + "))", wanted)
    }

    /// With what QRESYNC told, what the client had kept is what is there (RFC 7162 §3.2.5).
    fn resynchronised(
        &mut self,
        who: usize,
        mailbox: usize,
        cache: Cache,
        wanted: Option<&BTreeSet<u32>>,
    ) {
        let session = &self.sessions[who];
        let cache_last = cache.view.iter().filter_map(|told| told.uid).max();
        let mut kept: Vec<(u32, Option<Set>)> = cache
            .view
            .into_iter()
            .filter_map(|Told { uid, flags }| Some((uid?, flags)))
            .filter(|(uid, _)| !session.earlier.contains(uid))
            .collect();
        for (uid, flags) in &session.fetched {
            match kept.iter_mut().find(|(known, _)| known == uid) {
                Some((_, known)) => *known = Some(flags.clone()),
                None => kept.push((*uid, Some(flags.clone()))),
            }
        }
        kept.sort();
        // RFC 7162 §6: "the client is synchronized, except for maybe the new messages".
        let new = cache_last.map_or(0, |last| last + 1);
        let there = self.world.uids(mailbox);
        let known: Vec<u32> = kept.iter().map(|(uid, _)| *uid).collect();
        match wanted {
            None => {
                let told = |uid: &u32| known.contains(uid) || *uid >= new;
                assert!(
                    there.iter().all(told),
                    "all are told: {known:?} of {there:?}"
                );
            }
            Some(wanted) => assert!(known.iter().all(|uid| wanted.contains(uid))),
        }
        for (uid, flags) in kept {
            assert!(
                there.contains(&uid),
                "UID {uid} is gone, and nobody said so"
            );
            if let Some(flags) = flags {
                assert_eq!(
                    flags,
                    self.world.flags(mailbox, uid),
                    "flags kept of UID {uid}"
                );
            }
        }
    }

    /// `all`: nothing is gone that the client still has.
    fn fetch_all(&mut self, who: usize, all: bool) {
        let session = &self.sessions[who];
        if session.view.is_empty() {
            return;
        }
        let by_uid = session.kind.by_uid_only();
        let text = if by_uid {
            "UID FETCH 1:* (UID FLAGS)"
        } else {
            "FETCH 1:* (UID FLAGS)"
        };
        self.command(who, text);
        let mut view = self.sessions[who].view.iter();
        assert!(!all || view.all(|told| told.flags.is_some()));
        self.check(who, by_uid);
    }

    /// The client leaves its mailbox: for a watcher it is another one from here on.
    fn left(&mut self, who: usize) {
        let session = &mut self.sessions[who];
        if let Some(mailbox) = session.selected {
            let state = (
                self.world.mailboxes[mailbox].last + 1,
                session.view.len() as u32,
            );
            session.others.insert(self.names[mailbox].clone(), state);
        }
        session.keep();
    }

    fn leave(&mut self, who: usize, mailbox: usize) {
        let close = self.random.one_in(2);
        self.left(who);
        self.command(who, if close { "CLOSE" } else { "UNSELECT" });
        if close {
            for uid in self.world.deleted(mailbox) {
                self.world.mailboxes[mailbox].members.remove(&uid);
            }
        }
    }

    fn reconnect(&mut self, who: usize) {
        let _ = writeln!(self.log, "{who}: the connection breaks");
        self.sessions[who].reconnect(self.server);
    }

    /// A watcher knows what it does to another mailbox.
    fn brought(&mut self, who: usize, mailbox: usize, count: usize) {
        let session = &mut self.sessions[who];
        if session.kind == Kind::Watch
            && session.selected != Some(mailbox)
            && let Some((next, messages)) = session.others.get_mut(&self.names[mailbox])
        {
            *next += count as u32;
            *messages += count as u32;
        }
    }

    fn append(&mut self, who: usize) {
        let mailbox = self.random.below(self.names.len());
        let mut flags = self.some_flags();
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let list = list.join(" ");
        let text = format!(
            "APPEND {} ({list}) {{8+}}\r\nA: b\r\n\r\n",
            self.names[mailbox]
        );
        self.brought(who, mailbox, 1);
        let (_, tagged) = self.command(who, &text);
        let deleted = flags.remove("\\Deleted");
        self.world.emails.push(flags);
        let email = self.world.emails.len() - 1;
        let uid = self.world.add(mailbox, email, deleted);
        assert!(tagged.contains(&format!(" {uid}] ")), "APPENDUID is {uid}");
        self.check(who, true);
    }

    fn some_flags(&mut self) -> Set {
        (0..self.random.below(4))
            .map(|_| (*self.random.pick(&FLAGS)).to_owned())
            .collect()
    }

    fn by_uid(&mut self, who: usize) -> bool {
        self.random.one_in(2) || self.sessions[who].kind.by_uid_only()
    }

    /// A set of numbers or UIDs, and the UIDs that it stands for to this client.
    fn some_set(&mut self, who: usize, mailbox: usize, by_uid: bool) -> Option<(String, Vec<u32>)> {
        let session = &self.sessions[who];
        let known: Option<Vec<u32>> = session.view.iter().map(|told| told.uid).collect();
        let known = known.filter(|known| !known.is_empty())?;
        if !session.saved.is_empty() && self.random.one_in(3) {
            let saved = &self.sessions[who].saved;
            let uids = known.into_iter().filter(|uid| saved.contains(uid));
            return Some(("$".into(), uids.collect()));
        }
        let top = match by_uid {
            true => self.world.mailboxes[mailbox].last as usize + 1,
            false => known.len(),
        };
        let mut parts = Vec::new();
        let mut wanted = BTreeSet::new();
        for _ in 0..=self.random.below(3) {
            let (a, b) = (1 + self.random.below(top), 1 + self.random.below(top));
            if self.random.one_in(2) {
                parts.push(a.to_string());
                wanted.insert(a as u32);
            } else {
                parts.push(format!("{a}:{b}"));
                wanted.extend(a.min(b) as u32..=a.max(b) as u32);
            }
        }
        let chosen = |(i, uid): &(usize, u32)| {
            let n = if by_uid { *uid } else { *i as u32 + 1 };
            wanted.contains(&n)
        };
        let uids = known.into_iter().enumerate().filter(chosen);
        Some((parts.join(","), uids.map(|(_, uid)| uid).collect()))
    }

    fn there(&self, mailbox: usize, uids: &[u32]) -> Vec<u32> {
        let members = &self.world.mailboxes[mailbox].members;
        let there = uids.iter().copied();
        there.filter(|uid| members.contains_key(uid)).collect()
    }

    fn store(&mut self, who: usize, mailbox: usize) {
        let by_uid = self.by_uid(who);
        let Some((set, uids)) = self.some_set(who, mailbox, by_uid) else {
            return;
        };
        let (flags, silent) = (self.some_flags(), self.random.one_in(3));
        let mode = *self.random.pick(&["", "+", "-"]);
        let conditional = self.sessions[who].kind == Kind::Qresync && self.random.one_in(3);
        let condition = match conditional {
            true => format!(" (UNCHANGEDSINCE {})", self.sessions[who].now.modseq),
            false => String::new(),
        };
        let list: Vec<&str> = flags.iter().map(String::as_str).collect();
        let text = format!(
            "{}STORE {set}{condition} {mode}FLAGS{} ({})",
            if by_uid { "UID " } else { "" },
            if silent { ".SILENT" } else { "" },
            list.join(" ")
        );
        let (_, tagged) = self.command(who, &text);
        assert!(tagged.starts_with("OK"));
        let modified = self.modified(who, &tagged, by_uid);
        let change = |old: &Set| match mode {
            "+" => old.union(&flags).cloned().collect(),
            "-" => old.difference(&flags).cloned().collect(),
            _ => flags.clone(),
        };
        for uid in self.there(mailbox, &uids) {
            if modified.contains(&uid) {
                continue;
            }
            let new = change(&self.world.flags(mailbox, uid));
            self.world.set(mailbox, uid, new);
            // The client knows what it did; the server need not say so.
            let mut view = self.sessions[who].view.iter_mut();
            let told = view.find(|told| told.uid == Some(uid));
            if let Some(told) = told.filter(|_| silent) {
                told.flags = told.flags.as_ref().map(change);
            }
        }
        self.check(who, by_uid);
    }

    /// What a conditional STORE refused, as UIDs.
    fn modified(&self, who: usize, tagged: &str, by_uid: bool) -> Vec<u32> {
        let Some((_, rest)) = tagged.split_once("[MODIFIED ") else {
            return Vec::new();
        };
        let named = expand(rest.split_once(']').unwrap().0);
        let view = &self.sessions[who].view;
        match by_uid {
            true => named,
            false => named
                .iter()
                .map(|n| view[*n as usize - 1].uid.unwrap())
                .collect(),
        }
    }

    fn copy(&mut self, who: usize, mailbox: usize, away: bool) {
        let by_uid = self.by_uid(who);
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
        self.brought(who, target, to.len());
        let (lines, tagged) = self.command(who, &text);
        if from.is_empty() {
            assert_eq!(tagged.starts_with("OK"), uids.is_empty());
        } else {
            let of_move = lines.iter().find(|line| line.contains("[COPYUID "));
            let line = if away { of_move.cloned() } else { Some(tagged) };
            let line = line.expect("COPYUID");
            let words: Vec<&str> = line.split([' ', ']']).collect();
            let at = words.iter().position(|word| *word == "[COPYUID");
            let at = at.expect("COPYUID");
            assert_eq!((expand(words[at + 2]), expand(words[at + 3])), (from, to));
        }
        self.check(who, true);
    }

    fn expunge(&mut self, who: usize, mailbox: usize) {
        let mut gone = self.world.deleted(mailbox);
        let set = match self.random.one_in(2) {
            true => self.some_set(who, mailbox, true),
            false => None,
        };
        let text = match set {
            Some((set, uids)) => {
                gone.retain(|uid| uids.contains(uid));
                format!("UID EXPUNGE {set}")
            }
            None => "EXPUNGE".into(),
        };
        for uid in &gone {
            self.world.mailboxes[mailbox].members.remove(uid);
        }
        let (_, tagged) = self.command(who, &text);
        // RFC 7162 §3.2.7.
        let says = tagged.contains("[HIGHESTMODSEQ ");
        let kind = self.sessions[who].kind;
        assert_eq!(says, kind == Kind::Qresync && !gone.is_empty());
        self.check(who, true);
    }

    fn fetch(&mut self, who: usize, mailbox: usize) {
        let by_uid = self.by_uid(who);
        let Some((set, uids)) = self.some_set(who, mailbox, by_uid) else {
            return;
        };
        let prefix = if by_uid { "UID " } else { "" };
        self.command(who, &format!("{prefix}FETCH {set} (UID FLAGS)"));
        for uid in self.there(mailbox, &uids) {
            let fetched = &self.sessions[who].fetched;
            assert!(fetched.contains_key(&uid), "UID {uid} is fetched");
        }
        self.check(who, by_uid);
    }

    /// SEARCH, or only for `$` (RFC 5182).
    fn search(&mut self, who: usize, mailbox: usize, save: bool) {
        let view: Option<Vec<u32>> = self.sessions[who].view.iter().map(|t| t.uid).collect();
        let Some(view) = view else { return };
        let by_uid = self.by_uid(who);
        let (flag, key) = *self.random.pick(&KEYS);
        let text = format!(
            "{}SEARCH {}{key}",
            if by_uid { "UID " } else { "" },
            if save { "RETURN (SAVE) " } else { "" }
        );
        let has = |uid: &u32| {
            let there = self.world.mailboxes[mailbox].members.contains_key(uid);
            there && self.world.flags(mailbox, *uid).contains(flag)
        };
        let all = view.iter().enumerate().filter(|(_, uid)| has(uid));
        let wanted: Vec<(u32, u32)> = all.map(|(i, uid)| (i as u32 + 1, *uid)).collect();
        let (lines, _) = self.command(who, &text);
        let line = lines.iter().find(|line| line.starts_with("SEARCH"));
        if save {
            assert_eq!(line, None);
            self.sessions[who].saved = wanted.iter().map(|(_, uid)| *uid).collect();
        } else {
            let words = line.unwrap().split(' ').skip(1);
            let found: Vec<u32> = words.map_while(|n| n.parse().ok()).collect();
            let named = wanted.iter().map(|(n, uid)| if by_uid { *uid } else { *n });
            assert_eq!(found, named.collect::<Vec<_>>(), "what has {flag}");
        }
        self.check(who, by_uid);
    }
}

/// All at once, on threads: nobody can say what comes when, but each client's numbers always stand
/// for the same message, and in the end all see the same.
#[test]
fn sessions_at_once_agree_in_the_end() {
    let server = Server::start();
    // All select while the mailbox is empty: that is the view they begin with.
    let clients: Vec<Session> = Kind::ALL.map(|kind| inbox(&server, kind)).into();
    let clients: Vec<_> = clients
        .into_iter()
        .zip(1..)
        .map(|(session, seed)| std::thread::spawn(move || hammer(session, seed)))
        .collect();
    let mut sessions: Vec<Session> = clients.into_iter().map(|c| c.join().unwrap()).collect();
    sessions.push(inbox(&server, Kind::Plain));
    for session in &mut sessions {
        accepted(session, "NOOP");
        accepted(session, "UID FETCH 1:* (UID FLAGS)");
    }
    let fresh = sessions.pop().unwrap();
    for session in &sessions {
        assert_eq!(session.view, fresh.view, "{:?}", session.kind);
    }
}

fn inbox(server: &Server, kind: Kind) -> Session {
    let mut session = Session::new(server, kind);
    session.selected = Some(0);
    accepted(&mut session, "SELECT INBOX");
    session
}

/// What is gone meanwhile is refused; nothing else is.
fn accepted(session: &mut Session, text: &str) {
    let reply = session.run(text);
    let fine = reply.tagged.starts_with("OK") || reply.tagged.contains("[EXPUNGEISSUED]");
    assert!(fine, "{text}: {}", reply.tagged);
}

fn hammer(mut session: Session, seed: u64) -> Session {
    let mut random = Random::of(seed, 0);
    for _ in 0..150 {
        let count = session.view.len();
        let one = 1 + random.below(count.max(1));
        let text = match (random.below(9), session.kind.by_uid_only()) {
            (0..=2, _) => "APPEND INBOX () {8+}\r\nA: b\r\n\r\n".to_owned(),
            _ if count == 0 => "NOOP".to_owned(),
            (3, true) => format!("UID STORE {one} +FLAGS (\\Deleted)"),
            (3, false) => format!("STORE {one} +FLAGS (\\Deleted)"),
            (4, true) => format!("UID STORE {one}:* -FLAGS (\\Seen kw1)"),
            (4, false) => format!("STORE {one}:* -FLAGS (\\Seen kw1)"),
            (5, _) => "EXPUNGE".to_owned(),
            (6, true) => format!("UID MOVE {one} INBOX"),
            (6, false) => format!("MOVE {one} INBOX"),
            (7, _) => "UID FETCH 1:* (FLAGS BODY[])".to_owned(),
            (_, true) => format!("UID FETCH {one} (UID FLAGS BODY.PEEK[TEXT])"),
            (_, false) => format!("FETCH {one} (UID FLAGS BODY.PEEK[TEXT])"),
        };
        accepted(&mut session, &text);
    }
    session
}
