//! QRESYNC and CONDSTORE where the RFC has no dialogue for it (RFC 7162).
use super::Imap;
use crate::harness::Server;

/// A number in a response code of SELECT.
fn code(lines: &[String], name: &str) -> u64 {
    let start = format!("OK [{name} ");
    let line = lines.iter().find(|l| l.starts_with(&start)).unwrap();
    let rest = &line[start.len()..];
    rest[..rest.find(']').unwrap()].parse().unwrap()
}

fn numbers(lines: &[String]) -> (u64, u64) {
    (code(lines, "UIDVALIDITY"), code(lines, "HIGHESTMODSEQ"))
}

/// RFC 7162 §3.2.6: VANISHED (EARLIER) comes before any FETCH.
#[test]
fn what_vanished_is_told_first() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 6);
    a.ok("ENABLE QRESYNC");
    let (validity, modseq) = numbers(&a.ok("SELECT INBOX").untagged);
    a.ok("STORE 2,5 +FLAGS.SILENT (\\Deleted)");
    a.ok("STORE 6 +FLAGS.SILENT (\\Seen)");
    a.ok("EXPUNGE");
    let lines = a
        .ok(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))"))
        .untagged;
    let at = |text: &str| lines.iter().position(|l| l.starts_with(text)).unwrap();
    assert!(at("4 EXISTS") < at("VANISHED (EARLIER) 2,5"), "{lines:#?}");
    assert!(at("VANISHED (EARLIER) 2,5") < at("4 FETCH (UID 6 FLAGS (\\Seen"));
    let lines = a
        .ok(&format!(
            "UID FETCH 1:* UID (CHANGEDSINCE {modseq} VANISHED)"
        ))
        .untagged;
    assert_eq!(lines[0], "VANISHED (EARLIER) 2,5");
    assert_eq!(lines.len(), 2, "{lines:#?}");
}

/// After a restart nothing is in memory; what ended is still known.
#[test]
fn ends_are_known_after_a_restart() {
    let mut server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 600);
    let (validity, modseq) = numbers(&a.ok("SELECT INBOX").untagged);
    a.ok("STORE 300:400,7 +FLAGS.SILENT (\\Deleted)");
    a.ok("EXPUNGE");
    a.ok("UID STORE 555,12 +FLAGS.SILENT (\\Flagged)");
    a.ok("LOGOUT");
    server.restart();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 1);
    a.ok("ENABLE QRESYNC");
    let reply = a.ok(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))"));
    reply.one("499 EXISTS");
    reply.one("VANISHED (EARLIER) 7,300:400");
    assert_eq!(reply.with("FETCH").len(), 3, "{:#?}", reply.with("FETCH"));
    reply.one("FETCH (UID 601 ");
    reply.one("FETCH (UID 555 ");
    reply.one("FETCH (UID 12 ");
}

/// RFC 7162 §3.2.10.2: VANISHED names only what the client was told of, and only when it may.
#[test]
fn vanished_waits_and_never_surprises() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 5);
    a.ok("ENABLE QRESYNC");
    a.ok("SELECT INBOX");
    let mut b = Imap::inbox(&server);
    // Comes and goes before `a` hears of it.
    b.fill("INBOX", 1);
    b.ok("NOOP");
    b.ok("STORE 2,6 +FLAGS.SILENT (\\Deleted)");
    b.ok("EXPUNGE");
    for command in ["FETCH 1 UID", "STORE 1 +FLAGS (\\Seen)", "UID SEARCH 1:3"] {
        let reply = a.ok(command);
        assert!(reply.with("VANISHED").is_empty(), "{reply:#?}");
        reply.one("OK [HIGHESTMODSEQ ");
    }
    assert_eq!(a.ok("UID SEARCH UID 1:3").with("VANISHED"), ["VANISHED 2"]);
    assert_eq!(a.ok("FETCH 1:* UID").with("FETCH").len(), 4);
}

/// More was expunged than is remembered: all that is not there is said to be gone (§3.2.6), but for
/// what the client shows that it knows (§3.2.5.2).
#[test]
#[ignore = "66,000 commits: for a build with optimisations"]
fn forgotten_ends() {
    use pillarbox::mail::UidSet;
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 3);
    a.ok("ENABLE QRESYNC");
    let lines = a.ok("SELECT INBOX").untagged;
    let (validity, modseq) = numbers(&lines);
    let mail = server.mail();
    let inbox = mail.meta().by_path("INBOX").unwrap().id;
    // UIDs 4 to 70,000 come and go, but for 5; an email is in two places at a time.
    smol::block_on(async {
        mail.copy(inbox, &UidSet::range(1, 2), inbox).await.unwrap();
        mail.remove(inbox, &UidSet::range(4, 4)).await.unwrap();
        let mut last = 5;
        while last < 70_000 {
            mail.copy(inbox, &UidSet::range(1, 3), inbox).await.unwrap();
            mail.remove(inbox, &UidSet::range(6, u32::MAX))
                .await
                .unwrap();
            last += 3;
        }
    });
    assert!(mail.meta().gone_floor > modseq);
    let mut select = |rest: &str| {
        a.ok("UNSELECT");
        let known = format!("SELECT INBOX (QRESYNC ({validity} {modseq}{rest}))");
        let reply = a.ok(&known);
        reply.one("4 EXISTS");
        let vanished = reply.with("VANISHED");
        vanished.join(" ")
    };
    assert_eq!(select(""), "VANISHED (EARLIER) 4,6:70001");
    assert_eq!(select(" 1:10,80000"), "VANISHED (EARLIER) 4,6:10");
    assert_eq!(select(" (1:3 1:3)"), "VANISHED (EARLIER) 4,6:70001");
    assert_eq!(select(" 1:100 (1:4 1:3,5)"), "VANISHED (EARLIER) 6:100");
    assert_eq!(select(" 1:100 (3,5 3,70000)"), "VANISHED (EARLIER) 4,6:100");
}

/// A long list of gaps comes in several responses, each of bounded length.
#[test]
fn many_gaps() {
    use pillarbox::mail::UidSet;
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 128);
    let (validity, modseq) = numbers(&a.ok("SELECT INBOX").untagged);
    let mail = server.mail().clone();
    let inbox = mail.meta().by_path("INBOX").unwrap().id;
    smol::block_on(async {
        for _ in 0..4 {
            let all = UidSet::range(1, 2048);
            mail.copy(inbox, &all, inbox).await.unwrap();
        }
        let odd: UidSet = (1..2048).filter(|n| n % 2 == 1).collect();
        mail.remove(inbox, &odd).await.unwrap();
    });
    a.ok("UNSELECT");
    a.ok("ENABLE QRESYNC");
    let reply = a.ok(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))"));
    let vanished = reply.with("VANISHED (EARLIER)");
    assert_eq!(vanished.len(), 2);
    assert!(vanished.iter().all(|line| line.len() < 8192));
    let told: usize = vanished.iter().map(|l| l.matches(',').count() + 1).sum();
    assert_eq!(told, 1024);
}

/// RFC 9051 §2.3.2: a message that arrives while SELECT is under way is recent to one session only.
#[test]
fn recent_is_shown_once() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    let (mut shown, mut selects) = (0, 0);
    std::thread::scope(|scope| {
        let filler = scope.spawn(|| Imap::login(&server).fill("INBOX", 60));
        while !filler.is_finished() {
            shown += recent(&a.ok("SELECT INBOX").untagged);
            selects += 1;
        }
    });
    shown += recent(&a.ok("SELECT INBOX").untagged);
    assert_eq!(shown, 60, "in {selects} times");
}

fn recent(lines: &[String]) -> u32 {
    // What comes while SELECT is answered is told behind it, with all that were recent before.
    let mut told = lines.iter().filter_map(|l| l.strip_suffix(" RECENT"));
    told.next_back().map_or(0, |n| n.parse().unwrap())
}

/// The 57th keyword takes the place of one that no message has; FLAGS says so before it turns up.
#[test]
fn a_renamed_keyword_is_announced() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.fill("INBOX", 3);
    let mut b = Imap::inbox(&server);
    a.ok("SELECT INBOX");
    for n in 1..=56 {
        b.ok(&format!("STORE 1 +FLAGS.SILENT (kw{n})"));
    }
    assert!(a.ok("NOOP").untagged[0].contains(" kw56"));
    assert!(b.no("STORE 1 +FLAGS (kw57)").tagged.contains("[LIMIT]"));
    b.ok("STORE 1 -FLAGS.SILENT (kw7)");
    b.ok("STORE 2 +FLAGS.SILENT (kw57)");
    let lines = a.ok("FETCH 1:3 FLAGS").untagged;
    let announced = lines.iter().position(|l| l.starts_with("FLAGS (")).unwrap();
    assert!(lines[announced].contains(" kw57") && !lines[announced].contains(" kw7 "));
    let used = lines.iter().position(|l| l.starts_with("2 FETCH")).unwrap();
    assert!(
        lines[used].contains("kw57") && announced < used,
        "{lines:#?}"
    );
}
