//! The real binary, killed under load over every protocol: what a client was told stands.
use super::number;
use super::random::Random;
use super::wire::{PASSWORD, USER, Wire};
use crate::cli::run::Run;
use crate::harness::TempDir;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Result;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

/// Where each protocol listens now.
#[derive(Clone, Copy)]
pub struct Ports {
    pub smtp: SocketAddr,
    pub imap: SocketAddr,
    pub pop3: SocketAddr,
    pub http: SocketAddr,
}

/// What was promised, by the token that every message carries in its subject.
#[derive(Default)]
struct Promised {
    random: Random,
    next: u64,
    /// Tokens that must be in these mailboxes; a set where the last answer did not come.
    there: BTreeMap<String, BTreeSet<Option<Place>>>,
}

/// Mailbox, `\Flagged`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place(&'static str, bool);

fn start(dir: &TempDir) -> (Run, Ports) {
    serve(|args| Run::start(dir.path(), args))
}

/// Serves the four protocols of [`Ports`].
pub fn serve(run: impl FnOnce(&[&str]) -> Run) -> (Run, Ports) {
    let mut args = vec!["serve", "--db", "mail.redb"];
    for role in ["--smtp", "--imap", "--pop3", "--http"] {
        args.extend([role, "127.0.0.1:0"]);
    }
    for role in [
        "--submission",
        "--submissions",
        "--imaps",
        "--pop3s",
        "--https",
    ] {
        args.extend([role, "off"]);
    }
    let run = run(&args);
    run.ready();
    let ports = Ports {
        smtp: run.addr("smtp"),
        imap: run.addr("imap"),
        pop3: run.addr("pop3"),
        http: run.addr("http"),
    };
    (run, ports)
}

/// Makes a store.
pub fn init(dir: &TempDir) {
    let mut secret = std::fs::OpenOptions::new();
    let secret = secret.create(true).write(true).truncate(true).mode(0o600);
    let mut file = secret.open(dir.join("secret")).expect("a file");
    std::io::Write::write_all(&mut file, PASSWORD.as_bytes()).expect("writes");
    let args = ["init", "--db", "mail.redb", "--domain", "example.org"];
    let more = ["--user", USER, "--password-file", "secret"];
    let (code, out, err) = Run::start(dir.path(), &[&args[..], &more].concat()).finish();
    assert_eq!(code, 0, "{out}{err}");
}

/// The message of a token: the same octets whenever it is asked for.
fn message(token: &str) -> Vec<u8> {
    let seed = token
        .bytes()
        .fold(7, |n: u64, b| n.wrapping_mul(31) + u64::from(b));
    let mut random = Random::new(seed);
    let lines = [3, 30, 300, 6_000][[0, 0, 0, 0, 1, 1, 1, 2, 2, 3][random.below(10)]];
    let mut out = format!(
        "From: bob@example.com\r\nTo: anna@example.org\r\nSubject: {token}\r\nMessage-ID: <{token}@example.com>\r\n\r\n"
    );
    for _ in 0..lines {
        out.push_str(&format!(
            "{:016x} {:016x} {:016x}\r\n",
            random.next(),
            random.next(),
            random.next()
        ));
    }
    out.into_bytes()
}

impl Promised {
    fn new(seed: u64) -> Promised {
        Promised {
            random: Random::new(seed),
            ..Promised::default()
        }
    }

    fn token(&mut self, kind: &str) -> String {
        self.next += 1;
        format!("{kind}-{}", self.next)
    }

    /// Something that may come to be.
    fn begin(&mut self, token: &str, place: Option<Place>) {
        let places = self.there.entry(token.to_owned());
        places.or_insert_with(|| [None].into()).insert(place);
    }

    /// It did.
    fn done(&mut self, token: &str, place: Option<Place>) {
        self.there.insert(token.to_owned(), [place].into());
    }

    fn some_in(&mut self, mailbox: &str) -> Option<(String, Place)> {
        let certain = self.there.iter().filter(|(_, places)| places.len() == 1);
        let here: Vec<(String, Place)> = certain
            .filter_map(|(token, places)| Some((token.clone(), places.first()?.clone()?)))
            .filter(|(_, place)| place.0 == mailbox)
            .collect();
        self.random.pick(&here).cloned()
    }

    /// SMTP from outside.
    fn deliver(&mut self, ports: Ports) -> Result<()> {
        let mut wire = Wire::connect(ports.smtp)?;
        wire.reply()?;
        wire.ask("EHLO client.example.com", "250")?;
        loop {
            let token = self.token("smtp");
            wire.ask("MAIL FROM:<bob@example.com>", "250")?;
            wire.ask("RCPT TO:<anna@example.org>", "250")?;
            wire.ask("DATA", "354")?;
            let place = Some(Place("INBOX", false));
            self.begin(&token, place.clone());
            wire.send(message(&token))?;
            wire.ask(".", "250")?;
            self.done(&token, place);
        }
    }

    /// APPEND, STORE, MOVE, EXPUNGE.
    fn imap(&mut self, ports: Ports) -> Result<()> {
        let mut wire = Wire::imap_login(ports.imap)?;
        loop {
            let token = self.token("imap");
            let text = message(&token);
            let place = Some(Place("Work", false));
            self.begin(&token, place.clone());
            wire.send(format!("x APPEND Work {{{}+}}\r\n", text.len()))?;
            wire.send([&text[..], b"\r\n"].concat())?;
            wire.imap_answer("APPEND")?;
            self.done(&token, place);
            if self.random.percent(60) {
                self.change(&mut wire)?;
            }
        }
    }

    fn change(&mut self, wire: &mut Wire) -> Result<()> {
        let Some((token, place)) = self.some_in("Work") else {
            return Ok(());
        };
        wire.imap("SELECT Work")?;
        let found = wire.imap(&format!("UID SEARCH SUBJECT \"{token}\""))?;
        let uids = String::from_utf8_lossy(&found[0]).replace("* SEARCH", "");
        // A subject contains others: the lowest UID is the shortest token's.
        let Some(uid) = uids.split_whitespace().next().map(str::to_owned) else {
            return Err(std::io::Error::other(format!("{token} is not found")));
        };
        let (command, after) = match self.random.below(3) {
            0 => ("+FLAGS (\\Flagged)", Some(Place("Work", true))),
            1 => ("", Some(Place("Done", place.1))),
            _ => ("+FLAGS (\\Deleted)", None),
        };
        self.begin(&token, after.clone());
        match (command, &after) {
            ("", _) => wire.imap(&format!("UID MOVE {uid} Done"))?,
            _ => wire.imap(&format!("UID STORE {uid} {command}"))?,
        };
        if after.is_none() {
            wire.imap(&format!("UID EXPUNGE {uid}"))?;
        }
        self.done(&token, after);
        Ok(())
    }

    /// Upload and Email/import.
    fn jmap(&mut self, ports: Ports) -> Result<()> {
        let mut wire = Wire::connect(ports.http)?;
        let all = wire.jmap("Mailbox/get", json!({ "ids": null }))?;
        let list = all["list"].as_array().cloned().unwrap_or_default();
        let archive = list.iter().find(|m| m["role"] == "archive").cloned();
        let archive = archive.map(|m| m["id"].as_str().unwrap_or_default().to_owned());
        let archive = archive.expect("an archive");
        loop {
            let token = self.token("jmap");
            let blob = wire.http("/jmap/upload/a1", "message/rfc822", &message(&token))?;
            let place = Some(Place("Archive", true));
            self.begin(&token, place.clone());
            let email = json!({
                "blobId": blob["blobId"],
                "mailboxIds": { archive.clone(): true },
                "keywords": { "$flagged": true },
            });
            let answer = wire.jmap("Email/import", json!({ "emails": { "k": email } }))?;
            if answer["created"]["k"]["id"].is_null() {
                return Err(std::io::Error::other(answer.to_string()));
            }
            self.done(&token, place);
        }
    }

    /// After the restart everything is where it was promised to be.
    fn look(&mut self, found: &BTreeMap<String, Place>) {
        for (token, places) in &mut self.there {
            let now = found.get(token).cloned();
            assert!(
                places.contains(&now),
                "{token}: promised {places:?}, is {now:?}"
            );
            *places = [now].into();
        }
        self.there
            .retain(|_, places| places.iter().any(Option::is_some));
    }
}

/// DELE and QUIT; works on what the delivery was promised, so it keeps only what it removed.
fn fetch(ports: Ports, begun: &mut BTreeSet<String>, gone: &mut BTreeSet<String>) -> Result<()> {
    loop {
        let mut wire = Wire::connect(ports.pop3)?;
        wire.line()?;
        wire.send(format!("USER {USER}\r\nPASS {PASSWORD}\r\nSTAT\r\n"))?;
        wire.line()?;
        let login = wire.line()?;
        if !login.starts_with("+OK") {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        }
        let stat = wire.line()?;
        let count: u32 = stat
            .split(' ')
            .nth(1)
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let mut these = Vec::new();
        for n in 1..=count.saturating_sub(20).min(5) {
            wire.send(format!("TOP {n} 0\r\n"))?;
            let mut line = wire.line()?;
            while line != "." {
                if let Some(token) = line.strip_prefix("Subject: ") {
                    these.push(token.to_owned());
                }
                line = wire.line()?;
            }
            wire.send(format!("DELE {n}\r\n"))?;
            wire.line()?;
        }
        begun.extend(these.iter().cloned());
        wire.send("QUIT\r\n")?;
        if wire.line()?.starts_with("+OK") {
            gone.extend(these);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every message in the store: where it is; its octets are compared.
fn found(ports: Ports, marks: &mut BTreeMap<&'static str, [u64; 3]>) -> BTreeMap<String, Place> {
    let mut wire = Wire::imap_login(ports.imap).expect("logs in");
    let mut all = BTreeMap::new();
    for mailbox in ["INBOX", "Work", "Done", "Archive"] {
        let selected = wire.imap(&format!("SELECT {mailbox}")).expect("selects");
        let text = selected
            .iter()
            .map(|l| String::from_utf8_lossy(l))
            .collect::<Vec<_>>()
            .join("\n");
        let value = |name: &str| -> u64 {
            let rest = text.split(name).nth(1).unwrap_or_default();
            let digits = rest
                .trim_start()
                .split(|c: char| !c.is_ascii_digit())
                .next();
            digits.and_then(|d| d.parse().ok()).unwrap_or(0)
        };
        let now = [
            value("UIDVALIDITY"),
            value("UIDNEXT"),
            value("HIGHESTMODSEQ"),
        ];
        let before = marks.insert(mailbox, now).unwrap_or([now[0], 0, 0]);
        assert_eq!(now[0], before[0], "UIDVALIDITY of {mailbox}");
        assert!(
            now[1] >= before[1] && now[2] >= before[2],
            "{mailbox}: {before:?} {now:?}"
        );
        if text.contains("* 0 EXISTS") {
            continue;
        }
        let mut flagged = false;
        for part in wire.imap("FETCH 1:* (FLAGS BODY.PEEK[])").expect("fetches") {
            if part.starts_with(b"* ") {
                flagged = String::from_utf8_lossy(&part).contains("\\Flagged");
                continue;
            }
            let text = String::from_utf8_lossy(&part);
            let Some(token) = text
                .split("Subject: ")
                .nth(1)
                .and_then(|t| t.lines().next())
            else {
                continue;
            };
            assert!(
                part.ends_with(&message(token)),
                "{token} is not what was sent"
            );
            let twice = all.insert(token.to_owned(), Place(mailbox, flagged));
            assert_eq!(twice, None, "{token} is there twice");
        }
    }
    all
}

/// Empties mailboxes that have many messages, so that looking at all of them stays quick.
fn thin_out(ports: Ports, found: &BTreeMap<String, Place>) -> Vec<&'static str> {
    let mut wire = Wire::imap_login(ports.imap).expect("logs in");
    let mut emptied = Vec::new();
    for mailbox in ["INBOX", "Work", "Done", "Archive"] {
        if found.values().filter(|place| place.0 == mailbox).count() > 400 {
            wire.imap(&format!("SELECT {mailbox}")).expect("selects");
            wire.imap("STORE 1:* +FLAGS.SILENT (\\Deleted)")
                .expect("stores");
            wire.imap("EXPUNGE").expect("expunges");
            emptied.push(mailbox);
        }
    }
    emptied
}

#[test]
fn what_a_client_was_told_survives_a_kill() {
    let kills = number("PILLARBOX_KILLS", 4);
    let dir = TempDir::new();
    init(&dir);
    let mut random = Random::new(number("PILLARBOX_SEED", 1));
    let mut clients: Vec<Promised> = (0..3).map(Promised::new).collect();
    let mut marks = BTreeMap::new();
    let (mut run, mut ports) = start(&dir);
    let mut wire = Wire::imap_login(ports.imap).expect("logs in");
    wire.imap("CREATE Work").expect("creates");
    wire.imap("CREATE Done").expect("creates");
    drop(wire);
    let mut acknowledged = 0;
    for kill in 0..kills {
        let (mut begun, mut gone) = (BTreeSet::new(), BTreeSet::new());
        let moment = Duration::from_millis(50 + random.below(900) as u64);
        let errors = std::thread::scope(|scope| {
            let [smtp, imap, jmap] = &mut clients[..] else {
                panic!("three of them");
            };
            let threads = [
                scope.spawn(move || smtp.deliver(ports)),
                scope.spawn(move || imap.imap(ports)),
                scope.spawn(move || jmap.jmap(ports)),
                scope.spawn(|| fetch(ports, &mut begun, &mut gone)),
            ];
            std::thread::sleep(moment);
            run.signal("KILL");
            threads.map(|t| t.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
        });
        for error in errors.into_iter().filter_map(|e| e.err()) {
            let fine = error.kind() != std::io::ErrorKind::InvalidData;
            assert!(
                fine && !error.to_string().contains("not found"),
                "kill {kill}: {error}"
            );
        }
        for token in begun {
            let place = clients[0].there.get(&token).cloned().unwrap_or_default();
            clients[0].there.insert(token.clone(), [None].into());
            if !gone.contains(&token) {
                clients[0].there.entry(token).or_default().extend(place);
            }
        }
        drop(run);
        (run, ports) = start(&dir);
        let found = found(ports, &mut marks);
        for client in &mut clients {
            client.look(&found);
        }
        for mailbox in thin_out(ports, &found) {
            for client in &mut clients {
                let promised = client.there.values_mut();
                let there = promised.filter(|p| p.iter().flatten().any(|p| p.0 == mailbox));
                there.for_each(|places| *places = [None].into());
            }
        }
        let known = |token: &String| clients.iter().any(|c| c.there.contains_key(token));
        let strange: Vec<_> = found.keys().filter(|t| !known(t)).collect();
        assert!(strange.is_empty(), "nobody sent {strange:?}");
        acknowledged = clients.iter().map(|c| c.next).sum();
    }
    println!("{kills} kills, {acknowledged} messages begun, none lost");
    let (code, _, err) = run.stop();
    assert_eq!(code, 0, "{err}");
    let disk = pillarbox::store::FileDisk::open(&dir.join("mail.redb")).expect("opens");
    let report = pillarbox::store::check(std::sync::Arc::new(disk), 1 << 20, true);
    let report = report.expect("checks");
    assert!(
        report.wrong.is_empty() && report.in_flight == 0,
        "{report:#?}"
    );
}
