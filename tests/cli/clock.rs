//! A board without a battery: it starts in 1970, serves, and all is well when the time is known.
use super::{QUIET, TempDir, once};
use crate::cli::run::Run;
use crate::harness::{Client, PATIENCE};
use crate::smtp::fake::{Fake, USUAL};
use std::fs;
use std::time::{Duration, Instant};

const FLAGS: [&str; 10] = [
    "serve",
    "--imap",
    "127.0.0.1:0",
    "--smtp",
    "127.0.0.1:0",
    "--submission",
    "127.0.0.1:0",
    "--verify",
    "off",
    "--dkim=off",
];

fn start(dir: &TempDir, settings: &[&str], more: &[&str]) -> Run {
    // All but --smtp and --submission.
    let args = [&FLAGS, &QUIET[4..], more].concat();
    let run = Run::start_with_env(dir.path(), settings, &args);
    run.ready();
    run
}

fn imap(run: &Run) -> Client {
    let mut c = Client::connect(run.addr("imap"));
    c.expect("* OK");
    // A certificate of 1970 would not do for a client that knows the time.
    c.ask("s STARTTLS", "s OK");
    c.start_tls();
    c.ask("a LOGIN me \"correct horse\"", "a OK");
    c
}

fn deliver(run: &Run) {
    let mut c = Client::connect(run.addr("smtp"));
    c.expect("220");
    c.ask("EHLO x", "250 ");
    c.ask("MAIL FROM:<a@example.net>", "250");
    c.ask("RCPT TO:<me@example.org>", "250");
    c.ask("DATA", "354");
    c.send_raw(b"Subject: one\r\n\r\nHello.\r\n.\r\n");
    c.expect("250");
}

/// HIGHESTMODSEQ, UIDVALIDITY and UIDNEXT of INBOX.
fn numbers(c: &mut Client) -> [u64; 3] {
    let said = c.ask("n STATUS INBOX (HIGHESTMODSEQ UIDVALIDITY UIDNEXT)", "n OK");
    let said = said.iter().find(|line| line.starts_with("* STATUS"));
    let said = said.unwrap();
    ["HIGHESTMODSEQ ", "UIDVALIDITY ", "UIDNEXT "].map(|name| {
        let rest = said.split_once(name).unwrap().1;
        rest.split([' ', ')']).next().unwrap().parse().unwrap()
    })
}

/// Waits until the one message in the queue has been tried so often.
#[track_caller]
fn wait_for_attempts(dir: &TempDir, attempts: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let (_, list, _) = once(dir, &["queue", "list"]);
        if list.contains(attempts) {
            return;
        }
        assert!(Instant::now() < until, "{list}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_boot_in_1970() {
    let dir = TempDir::new();
    fs::write(dir.join("secret"), "correct horse\n").unwrap();
    let private: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(dir.join("secret"), private).unwrap();
    // It takes nothing now.
    let fake = Fake::start(USUAL, |_, line| {
        line.starts_with("MAIL").then(|| "451 4.3.0 later".into())
    });
    let smarthost = fake.address().to_string();
    let way = ["--smarthost", &smarthost, "--smarthost-tls", "none"];
    let first = [
        &["--domain", "example.org", "--password-file", "secret"][..],
        &way,
    ]
    .concat();
    let run = start(&dir, &["PILLARBOX_CLOCK=100"], &first);
    run.find("the clock is not set");
    deliver(&run);
    let mut c = imap(&run);
    c.ask("b SELECT INBOX", "b OK");
    let said = c.ask(
        "c FETCH 1 (INTERNALDATE BODY.PEEK[HEADER.FIELDS (RECEIVED)])",
        "c OK",
    );
    let said = said.join("\n");
    assert!(
        said.contains("01-Jan-1970") || said.contains(" 1-Jan-1970"),
        "{said}"
    );
    assert!(
        said.contains("1 Jan 1970") && said.contains(" (the clock was not set)"),
        "{said}"
    );
    // Mail for others, which cannot be sent now.
    let mut out = Client::connect(run.addr("submission"));
    out.expect("220");
    out.ask("EHLO x", "250 ");
    out.ask("AUTH PLAIN AG1lAGNvcnJlY3QgaG9yc2U=", "235");
    out.ask("MAIL FROM:<me@example.org>", "250");
    out.ask("RCPT TO:<bob@else.where>", "250");
    out.ask("DATA", "354");
    out.send_raw(b"Subject: out\r\n\r\nHello.\r\n.\r\n");
    out.expect("250");
    wait_for_attempts(&dir, "1 attempts");
    let before = numbers(&mut c);
    run.stop();

    // The time is known: nothing goes back, and what waits is not 56 years late.
    let run = start(&dir, &["X=1"], &way);
    wait_for_attempts(&dir, "2 attempts");
    deliver(&run);
    let mut c = imap(&run);
    let after = numbers(&mut c);
    assert_eq!(after[1], before[1]);
    assert!(
        after[0] > before[0] && after[2] == before[2] + 1,
        "{before:?} {after:?}: it came back"
    );
    c.ask("b SELECT INBOX", "b OK");
    let said = c
        .ask("c FETCH 2 (BODY.PEEK[HEADER.FIELDS (RECEIVED)])", "c OK")
        .join("\n");
    assert!(
        !said.contains("the clock") && !said.contains("1970"),
        "{said}"
    );
    run.stop();

    // And lost again: what was put off by the right time is tried in this one.
    let run = start(&dir, &["PILLARBOX_CLOCK=100"], &way);
    wait_for_attempts(&dir, "3 attempts");
    deliver(&run);
    let mut c = imap(&run);
    let last = numbers(&mut c);
    assert!(
        last[0] > after[0] && last[2] == after[2] + 1,
        "{after:?} {last:?}"
    );
}

/// Whether the log-in works.
fn enters(run: &Run, password: &str) -> bool {
    let mut c = Client::connect(run.addr("imap"));
    c.expect("* OK");
    c.send(&format!("a LOGIN me {}", password.trim()));
    c.until("a ").pop().unwrap().starts_with("a OK")
}

#[test]
fn an_expired_password_stays_so_in_1970() {
    let dir = TempDir::new();
    let init = once(&dir, &["init", "--domain", "example.org"]);
    assert_eq!(init.0, 0, "{}", init.2);
    let app = |more: &[&str]| {
        let (code, out, err) = once(&dir, &[&["app-password", "add"], more].concat());
        assert_eq!(code, 0, "{err}");
        out
    };
    let (short, long) = (
        app(&["short", "--expires", "12h"]),
        app(&["long", "--expires", "2099-12-31"]),
    );
    let run = start(&dir, &["X=1"], &[]);
    assert!(enters(&run, &short) && enters(&run, &long));
    run.stop();
    // A day later mail comes: that is the newest time in the store.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let later = format!("PILLARBOX_CLOCK={}", now.unwrap().as_secs() + 86_400);
    let run = start(&dir, &[&later], &[]);
    assert!(!enters(&run, &short));
    deliver(&run);
    run.stop();
    let run = start(&dir, &["PILLARBOX_CLOCK=100"], &[]);
    assert!(!enters(&run, &short) && enters(&run, &long));
    run.stop();
    // It was used, but nobody knows when.
    let (_, list, _) = once(&dir, &["app-password", "list"]);
    assert!(!list.contains("1970"), "{list}");
}

#[test]
fn mail_held_in_1970_waits_as_long_when_the_clock_is_set() {
    let dir = TempDir::new();
    fs::write(dir.join("secret"), "correct horse\n").unwrap();
    let private: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(dir.join("secret"), private).unwrap();
    let first = ["--domain", "example.org", "--password-file", "secret"];
    let run = start(&dir, &["PILLARBOX_CLOCK=100"], &first);
    let mut out = Client::connect(run.addr("submission"));
    out.expect("220");
    out.ask("EHLO x", "250 ");
    out.ask("AUTH PLAIN AG1lAGNvcnJlY3QgaG9yc2U=", "235");
    out.ask("MAIL FROM:<me@example.org> HOLDFOR=90000", "250");
    out.ask("RCPT TO:<me@example.org>", "250");
    out.ask("DATA", "354");
    out.send_raw(b"Subject: later\r\n\r\nHello.\r\n.\r\n");
    out.expect("250");
    run.stop();
    let run = start(&dir, &["X=1"], &[]);
    let until = Instant::now() + PATIENCE;
    loop {
        let (_, list, _) = once(&dir, &["queue", "list"]);
        let seconds = list.split_once("next in ").map(|(_, rest)| rest);
        let seconds = seconds.expect(&list).split(' ').next().unwrap();
        // More than a day: it does not leave while this test runs.
        if (86_400..=90_000).contains(&seconds.parse().unwrap()) {
            break;
        }
        assert!(Instant::now() < until, "{list}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let (_, list, _) = once(&dir, &["queue", "list"]);
    assert!(list.contains("0 attempts"), "{list}");
    run.stop();
}
