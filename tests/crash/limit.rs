//! A full disk as clients see it: 452, NO [OVERQUOTA], 507; all else goes on.
use super::kill::{Ports, init, serve};
use super::random::Random;
use super::wire::Wire;
use crate::cli::run::Run;
use crate::harness::TempDir;
use std::io::{ErrorKind, Result};
use std::time::{Duration, Instant};

/// A message that does not get smaller.
fn message(number: u64) -> Vec<u8> {
    let mut out = format!("From: bob@example.com\r\nSubject: n{number}\r\n\r\n").into_bytes();
    let mut random = Random::new(number);
    while out.len() < 100_000 {
        out.extend(format!("{:016x}{:016x}\r\n", random.next(), random.next()).bytes());
    }
    out
}

fn deliver(ports: Ports, number: u64) -> Result<()> {
    let mut wire = Wire::connect(ports.smtp)?;
    wire.reply()?;
    wire.ask("EHLO client.example.com", "250")?;
    wire.ask("MAIL FROM:<bob@example.com>", "250")?;
    wire.ask("RCPT TO:<anna@example.org>", "250")?;
    wire.ask("DATA", "354")?;
    wire.send(message(number))?;
    wire.ask(".", "250")?;
    Ok(())
}

fn append(wire: &mut Wire, number: u64) -> Result<()> {
    let text = message(number);
    wire.send(format!("x APPEND INBOX {{{}+}}\r\n", text.len()))?;
    wire.send([&text[..], b"\r\n"].concat())?;
    wire.imap_answer("APPEND").map(drop)
}

/// The first answer that is a refusal.
fn refusal(mut run: impl FnMut(u64) -> Result<()>, numbers: std::ops::Range<u64>) -> (u64, String) {
    for number in numbers {
        if let Err(error) = run(number) {
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
            return (number, error.to_string());
        }
    }
    panic!("it is never full");
}

#[test]
fn clients_hear_that_the_disk_is_full() {
    let dir = TempDir::new();
    init(&dir);
    let (run, ports) = serve(|args| Run::start_with_file_size(dir.path(), args, 6_000));
    let (taken, refused) = refusal(|n| deliver(ports, n), 0..500);
    assert!(refused.contains(" 452 "), "{refused}");
    assert!(taken > 10);

    let mut wire = Wire::imap_login(ports.imap).expect("logs in");
    let (appended, refused) = refusal(|n| append(&mut wire, 1_000 + n), 0..50);
    assert!(refused.contains("x NO [OVERQUOTA]"), "{refused}");
    let mut web = Wire::connect(ports.http).expect("connects");
    let upload = |n| {
        web.http("/jmap/upload/a1", "message/rfc822", &message(2_000 + n))
            .map(drop)
    };
    let (_, refused) = refusal(upload, 0..50);
    assert!(refused.contains(" 507 "), "{refused}");

    // Reading goes on, and so do flags and deleting.
    let selected = wire.imap("SELECT INBOX").expect("selects");
    let exists = format!("* {} EXISTS", taken + appended);
    assert!(selected.iter().any(|l| *l == exists.as_bytes()), "{exists}");
    wire.imap("FETCH 1:* BODY.PEEK[]").expect("fetches");
    wire.imap("STORE 1:5 +FLAGS (\\Deleted \\Seen)")
        .expect("stores");
    wire.imap("EXPUNGE").expect("expunges");
    append(&mut wire, 3_000).expect("the room is used again");

    run.lift_file_size();
    let since = Instant::now();
    while let Err(error) = deliver(ports, 4_000) {
        assert!(since.elapsed() < crate::harness::PATIENCE, "{error}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let (code, _, err) = run.stop();
    assert_eq!(code, 0, "{err}");
}
