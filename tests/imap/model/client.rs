//! A client that believes only what it is told.
use super::super::{Imap, Reply};
use super::world::Set;
use crate::harness::Server;
use std::collections::{BTreeMap, BTreeSet};

/// What a client has agreed on with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    /// Keeps what it knows while it is away (RFC 7162).
    Qresync,
    /// No sequence numbers (RFC 9586).
    UidOnly,
    /// Is told everything at once, also of other mailboxes (RFC 5465).
    Watch,
    /// Is told at once what does not move the numbers.
    Delayed,
}

impl Kind {
    pub const ALL: [Kind; 5] = [
        Kind::Plain,
        Kind::Qresync,
        Kind::UidOnly,
        Kind::Watch,
        Kind::Delayed,
    ];

    /// Sequence numbers mean nothing to it, or may move at any time.
    pub fn by_uid_only(self) -> bool {
        matches!(self, Kind::UidOnly | Kind::Watch)
    }
}

/// What a client was told of one message.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Told {
    pub uid: Option<u32>,
    pub flags: Option<Set>,
}

/// What a client kept of a mailbox.
#[derive(Clone, Default, Debug)]
pub struct Cache {
    pub validity: u64,
    pub modseq: u64,
    pub view: Vec<Told>,
}

pub struct Session {
    pub imap: Imap,
    pub kind: Kind,
    pub selected: Option<usize>,
    pub view: Vec<Told>,
    /// By mailbox.
    pub caches: BTreeMap<usize, Cache>,
    pub now: Cache,
    /// `$`
    pub saved: BTreeSet<u32>,
    /// UIDNEXT and MESSAGES of the mailboxes that it is told of, by name.
    pub others: BTreeMap<String, (u32, u32)>,
    /// Since the last tagged response.
    code: Option<u64>,
    seen: u64,
    /// VANISHED (EARLIER) of the SELECT or UID FETCH under way.
    pub earlier: BTreeSet<u32>,
    /// What was fetched by UID.
    pub fetched: BTreeMap<u32, Set>,
}

impl Session {
    pub fn new(server: &Server, kind: Kind) -> Session {
        let mut session = Session {
            imap: Imap::login(server),
            kind,
            selected: None,
            view: Vec::new(),
            caches: BTreeMap::new(),
            now: Cache::default(),
            saved: BTreeSet::new(),
            others: BTreeMap::new(),
            code: None,
            seen: 0,
            earlier: BTreeSet::new(),
            fetched: BTreeMap::new(),
        };
        session.agree();
        session
    }

    /// What this kind of client says first.
    fn agree(&mut self) {
        let text = match self.kind {
            Kind::Plain => return,
            Kind::Qresync => "ENABLE QRESYNC",
            Kind::UidOnly => "ENABLE UIDONLY",
            Kind::Watch => {
                "NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
                 (personal (MessageNew MessageExpunge))"
            }
            Kind::Delayed => "NOTIFY SET (selected-delayed (MessageNew MessageExpunge FlagChange))",
        };
        let reply = self.imap.ok(text);
        reply.untagged.iter().for_each(|line| self.hear(line));
    }

    /// The connection breaks. The client goes on from what it had been told.
    pub fn reconnect(&mut self, server: &Server) {
        self.keep();
        self.imap = Imap::login(server);
        self.others.clear();
        self.agree();
    }

    /// Leaves the mailbox, and keeps what a QRESYNC client keeps.
    pub fn keep(&mut self) {
        if let Some(mailbox) = self.selected.take()
            && self.kind == Kind::Qresync
        {
            let mut cache = std::mem::take(&mut self.now);
            cache.view = std::mem::take(&mut self.view);
            self.caches.insert(mailbox, cache);
        }
        self.view.clear();
        self.saved.clear();
    }

    pub fn run(&mut self, text: &str) -> Reply {
        self.earlier.clear();
        self.fetched.clear();
        let reply = self.imap.run(text);
        reply.untagged.iter().for_each(|line| self.hear(line));
        self.modseqs(&reply.tagged);
        self.tagged();
        reply
    }

    /// RFC 7162 §6: how a client comes by its HIGHESTMODSEQ.
    fn tagged(&mut self) {
        let seen = std::mem::take(&mut self.seen);
        match self.code.take() {
            Some(code) => self.now.modseq = code,
            None => self.now.modseq = self.now.modseq.max(seen),
        }
    }

    fn modseqs(&mut self, line: &str) {
        if let Some((_, rest)) = line.split_once("[HIGHESTMODSEQ ") {
            self.code = rest.split_once(']').and_then(|(n, _)| n.parse().ok());
        }
        if let Some((_, rest)) = line.split_once("[UIDVALIDITY ") {
            let validity = rest.split_once(']').and_then(|(n, _)| n.parse().ok());
            self.now.validity = validity.unwrap();
        }
        if let Some((_, rest)) = line.split_once(" MODSEQ (") {
            let n = rest.split_once(')').and_then(|(n, _)| n.parse().ok());
            self.seen = self.seen.max(n.unwrap());
        }
    }

    pub fn hear(&mut self, line: &str) {
        self.modseqs(line);
        if let Some(set) = line.strip_prefix("VANISHED (EARLIER) ") {
            self.earlier.extend(expand(set));
        } else if let Some(set) = line.strip_prefix("VANISHED ") {
            expand(set).into_iter().for_each(|uid| self.vanished(uid));
        } else if let Some(rest) = line.strip_prefix("STATUS ") {
            self.status(rest);
        }
        let mut words = line.split(' ');
        let (Some(Ok(n)), Some(what)) = (words.next().map(str::parse::<usize>), words.next())
        else {
            return;
        };
        match what {
            "EXPUNGE" => {
                assert!(
                    !matches!(self.kind, Kind::Qresync | Kind::UidOnly),
                    "{line}"
                );
                assert!(
                    (1..=self.view.len()).contains(&n),
                    "EXPUNGE of what is there"
                );
                self.gone(n - 1);
            }
            "EXISTS" => {
                assert!(n >= self.view.len(), "EXISTS never shrinks");
                self.view.resize(n, Told::default());
            }
            "FETCH" => {
                assert_ne!(self.kind, Kind::UidOnly, "{line}");
                assert!((1..=self.view.len()).contains(&n), "FETCH of what is there");
                self.fetch(n - 1, uid_of(line), line);
            }
            "UIDFETCH" => {
                assert_eq!(self.kind, Kind::UidOnly, "{line}");
                let at = self.place(n as u32);
                self.fetch(at, Some(n as u32), line);
            }
            _ => {}
        }
    }

    /// The message's place in the view; one whose UID was not known yet takes it.
    fn place(&mut self, uid: u32) -> usize {
        if let Some(at) = self.view.iter().position(|told| told.uid == Some(uid)) {
            return at;
        }
        let free = self.view.iter().position(|told| told.uid.is_none());
        let free = free.expect("of what is there");
        self.view[free].uid = Some(uid);
        self.view.sort_by_key(|told| told.uid.unwrap_or(u32::MAX));
        self.place(uid)
    }

    fn vanished(&mut self, uid: u32) {
        assert!(matches!(self.kind, Kind::Qresync | Kind::UidOnly));
        // One whose UID was not told yet stands behind those that are lower.
        let lower = |told: &Told| told.uid.is_some_and(|known| known < uid);
        let from = self.view.iter().rposition(lower).map_or(0, |at| at + 1);
        let here = self.view.get(from).map(|told| told.uid.unwrap_or(uid));
        let known = self.view.iter().position(|told| told.uid == Some(uid));
        // Without numbers there is no order: `place` keeps them all at the end.
        let last = || self.view.iter().rposition(|told| told.uid.is_none());
        let at = match self.kind {
            Kind::UidOnly => known.or_else(last),
            _ => known.or((here == Some(uid)).then_some(from)),
        };
        self.gone(at.expect("VANISHED of what is there"));
    }

    fn gone(&mut self, at: usize) {
        if let Some(uid) = self.view.remove(at).uid {
            self.saved.remove(&uid);
        }
    }

    fn fetch(&mut self, at: usize, uid: Option<u32>, line: &str) {
        let told = &mut self.view[at];
        if let Some(uid) = uid {
            let known = told.uid.unwrap_or(uid);
            assert_eq!(known, uid, "a number stands for one message: {line}");
            told.uid = Some(uid);
        }
        if let Some((_, rest)) = line.split_once("FLAGS (") {
            let flags = rest.split_once(')').unwrap().0.split(' ');
            let flags = flags.filter(|f| !f.is_empty() && *f != "\\Recent");
            let flags: Set = flags.map(str::to_owned).collect();
            if let Some(uid) = told.uid {
                self.fetched.insert(uid, flags.clone());
            }
            told.flags = Some(flags);
        } else if let Some(uid) = told.uid {
            self.fetched.entry(uid).or_default();
        }
    }

    fn status(&mut self, rest: &str) {
        let (name, items) = rest.split_once(" (").unwrap();
        let number = |item: &str| {
            let (_, rest) = items.split_once(item)?;
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            digits.parse::<u32>().ok()
        };
        if let (Some(next), Some(messages)) = (number("UIDNEXT "), number("MESSAGES ")) {
            self.others.insert(name.to_owned(), (next, messages));
        }
    }
}

fn uid_of(line: &str) -> Option<u32> {
    let rest = line.split_once("UID ")?.1;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

pub fn expand(set: &str) -> Vec<u32> {
    set.split(',')
        .flat_map(|range| {
            let (a, b) = range.split_once(':').unwrap_or((range, range));
            a.parse::<u32>().unwrap()..=b.parse::<u32>().unwrap()
        })
        .collect()
}
