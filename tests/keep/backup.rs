//! `pillarbox backup`, `restore`, `verify`, `compact`.
use super::*;
use std::collections::BTreeSet;

/// So many messages into a mailbox; some of them large.
fn fill(dir: &TempDir, mailbox: &str, from: u32, count: u32) {
    let mut text = String::new();
    for n in from..from + count {
        text.push_str(&format!("From x Mon Jan  1 00:00:{:02} 2024\nMessage-ID: <{n}@x>\nReferences: <root@x>\nSubject: number {n}\n\n", n % 60));
        for line in 0..(n % 7) * 40 + if n % 31 == 0 { 30_000 } else { 0 } {
            text.push_str(&format!(
                "{line} {}\n",
                u64::from(line).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ));
        }
        text.push('\n');
    }
    let (code, _, err) = pillarbox(dir.path(), &["import", "--into", mailbox, "-"], &text);
    assert_eq!(code, 0, "{err}");
}

/// The subjects in a mailbox.
fn subjects(run: &Run, mailbox: &str) -> BTreeSet<u32> {
    let text = fetch(run, mailbox, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]");
    text.split("Subject: number ")
        .skip(1)
        .map(|rest| rest.split('\n').next().unwrap().parse().unwrap())
        .collect()
}

/// UIDs, flags and octets of a mailbox.
fn rows(run: &Run) -> String {
    fetch(run, "A", "UID FLAGS BODY.PEEK[]")
        .replace("\\Recent", "")
        .replace("( ", "(")
        .replace(" )", ")")
}

#[track_caller]
fn modseq(err: &str) -> String {
    err.trim().rsplit(' ').next().unwrap().to_owned()
}

fn all(range: std::ops::Range<u32>) -> BTreeSet<u32> {
    range.collect()
}

#[test]
fn a_backup_of_a_busy_server_comes_back_elsewhere() {
    let dir = init();
    fill(&dir, "A", 0, 100);
    let server = serve(&dir);
    let mut c = login(&server);
    // Changes while it is being made: more mail, flags, moves, deletions.
    let path = dir.path().to_owned();
    let backup = std::thread::spawn(move || pillarbox(&path, &["backup", "--to", "b0"], ""));
    c.ask("a SELECT A", "a OK");
    c.ask("a STORE 1:20 +FLAGS (\\Deleted)", "a OK");
    c.ask("a EXPUNGE", "a OK");
    c.ask("a CREATE B", "a OK");
    c.ask("a MOVE 1:20 B", "a OK");
    fill(&dir, "A", 100, 20);
    let (code, _, err) = backup.join().unwrap();
    assert_eq!(code, 0, "{err}");
    // Whatever moment it caught, it is whole.
    assert!(fine(&dir, &["verify", "b0"]).contains("b0 is whole"));
    fine(&dir, &["restore", "--db", "x.redb", "b0"]);
    let out = fine(&dir, &["verify", "--db", "x.redb"]);
    assert!(out.contains(" messages in "), "{out}");
    // And one of a quiet moment has everything.
    let (code, _, err) = run(&dir, &["backup", "--to", "b1"]);
    assert_eq!(code, 0, "{err}");
    assert!(fine(&dir, &["verify"]).starts_with("100 messages in 100 places"));
    let first = modseq(&err);
    // Increments: new ones, one gone, flags.
    c.ask("a STORE 1 +FLAGS (\\Deleted)", "a OK");
    c.ask("a EXPUNGE", "a OK");
    c.ask("a STORE 1 +FLAGS (\\Flagged)", "a OK");
    fill(&dir, "A", 120, 5);
    let (code, _, err) = run(&dir, &["backup", "--to", "b2", "--since", &first]);
    assert_eq!(code, 0, "{err}");
    let size = |name: &str| fs::metadata(dir.join(name)).unwrap().len();
    assert!(size("b2") * 2 < size("b1"), "{} {}", size("b2"), size("b1"));
    fill(&dir, "A", 125, 5);
    let (code, _, err) = run(&dir, &["backup", "--to", "b3", "--since", &modseq(&err)]);
    assert_eq!(code, 0, "{err}");
    let inbox = rows(&server);
    server.stop();

    let other = TempDir::new();
    for name in ["b1", "b2", "b3"] {
        fs::copy(dir.join(name), other.join(name)).unwrap();
    }
    let (code, _, err) = run(&other, &["restore", "b1", "b3"]);
    assert!(code == 2 && err.contains("goes on after"), "{err}");
    assert!(!other.join("mail.redb").exists() && !other.join("mail.redb.rebuild").exists());
    fine(&other, &["restore", "b1", "b2", "b3"]);
    assert!(fine(&other, &["verify"]).starts_with("109 messages in 109 places"));
    let (code, _, err) = run(&other, &["restore", "b1"]);
    assert!(code == 4 && err.contains("--replace"), "{err}");
    let server = serve(&other);
    assert!(rows(&server) == inbox);
    assert_eq!(subjects(&server, "B"), all(20..40));
    let (code, _, err) = run(&other, &["restore", "--replace", "b1"]);
    assert!(code == 3 && err.contains("another process"), "{err}");
    // Clients find the same UIDVALIDITY, and nothing new under a UID that they may know.
    let mut c = login(&server);
    let old = c.ask("a EXAMINE A", "a OK");
    let next = |lines: &[String]| {
        let line = lines
            .iter()
            .find(|l| l.contains("UIDNEXT"))
            .unwrap()
            .clone();
        line.split("UIDNEXT ")
            .nth(1)
            .unwrap()
            .split(']')
            .next()
            .unwrap()
            .parse::<u32>()
            .unwrap()
    };
    assert!(next(&old) > 1 << 20);
    c.ask("a THREAD REFERENCES UTF-8 ALL", "a OK");
    server.stop();
    fine(&other, &["restore", "--replace", "b1"]);
    assert!(fine(&other, &["verify"]).starts_with("100 messages in 100 places"));
}

#[test]
fn what_came_behind_a_restored_backup_is_not_passed_over() {
    use pillarbox::mail::{DataType, Edit, Error, Expect, Mail, Options};
    let dir = init();
    assert_eq!(run(&dir, &["backup", "--to", "b"]).0, 0);
    let open = || Mail::open(&dir.join("mail.redb"), Options::default()).unwrap();
    let kind = DataType::Identity;
    let mail = open();
    let plan = |_: &[pillarbox::mail::Record]| Ok((vec![Edit::Create(b"{}".to_vec())], ()));
    smol::block_on(mail.edit_records(kind, Expect::default(), plan)).unwrap();
    let known = mail.meta().states.of(kind);
    smol::block_on(mail.close());
    drop(mail);
    fine(&dir, &["restore", "--replace", "b"]);
    let mail = open();
    assert!(mail.records(kind).unwrap().is_empty());
    let changes = mail.record_changes(kind, known, 10);
    assert!(matches!(changes, Err(Error::CannotCalculate)));
    smol::block_on(mail.close());
}

#[test]
fn what_waited_when_the_backup_was_made_is_held() {
    use pillarbox::mail::outbound::{self, Envelope, Item, Recipient};
    use pillarbox::mail::{Commit, Mail, Options, address::Address};
    let dir = init();
    fill(&dir, "A", 0, 1);
    let mail = Mail::open(&dir.join("mail.redb"), Options::default()).unwrap();
    let mailbox = mail.meta().by_path("A").unwrap().id;
    let row = mail.reader().unwrap().row(mailbox, 1).unwrap().unwrap();
    let to = Recipient {
        address: Address::parse("x@y.test").unwrap(),
        notify: None,
        orcpt: None,
    };
    let (item, envelope) = (Item::new(7).unwrap(), Envelope::default());
    let rows = outbound::rows(item, row.email, &envelope, vec![to]);
    let commit = Commit {
        hold: vec![row.email],
        put: Some(Box::new(move |_| rows)),
        ..Commit::default()
    };
    smol::block_on(mail.commit(commit)).unwrap();
    smol::block_on(mail.close());
    drop(mail);
    assert_eq!(run(&dir, &["backup", "--to", "b"]).0, 0);
    let out = fine(&dir, &["restore", "--replace", "b"]);
    assert!(out.contains("1 in the queue may have been sent"), "{out}");
    let server = serve(&dir);
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    while !fine(&dir, &["queue", "list"]).contains("held") {
        assert!(std::time::Instant::now() < until);
    }
    server.stop();
}

/// A store that goes back to an older state of itself does not let in again who was shut out.
#[test]
fn what_was_revoked_stays_so() {
    let dir = init();
    fine(&dir, &["token", "add", "phone"]);
    fine(&dir, &["dkim", "list"]);
    assert_eq!(run(&dir, &["backup", "--to", "b"]).0, 0);
    fine(&dir, &["token", "revoke", "phone"]);
    fine(&dir, &["dkim", "rotate"]);
    let keys = fine(&dir, &["dkim", "list"]);
    let passwd = |text| assert_eq!(pillarbox(dir.path(), &["passwd", "--stdin"], text).0, 0);
    passwd("another\n");
    let out = fine(&dir, &["restore", "--replace", "b"]);
    assert!(out.contains("of the store that was replaced"), "{out}");
    assert!(!fine(&dir, &["token", "list"]).contains("phone"));
    assert_eq!(fine(&dir, &["dkim", "list"]), keys);
    let server = serve(&dir);
    let mut c = Client::connect(server.addr("imap"));
    c.expect("* OK");
    c.ask("a LOGIN anna secret", "a NO");
    c.ask("b LOGIN anna another", "b OK");
    server.stop();
    // In place of another store, or of one that cannot be read, it has what the backup has.
    let other = init();
    fs::copy(dir.join("b"), other.join("b")).unwrap();
    for _ in 0..2 {
        let out = fine(&other, &["restore", "--replace", "b"]);
        assert!(out.contains("DKIM keys are the backup's"), "{out}");
        assert!(fine(&other, &["token", "list"]).contains("phone"));
        assert_ne!(fine(&other, &["dkim", "list"]), keys);
        fs::write(other.join("mail.redb"), "no store").unwrap();
    }
}

#[test]
fn damaged_backups_are_refused() {
    let dir = init();
    fill(&dir, "A", 0, 10);
    assert_eq!(run(&dir, &["backup", "--to", "b"]).0, 0);
    let whole = fs::read(dir.join("b")).unwrap();
    assert_eq!(
        fs::metadata(dir.join("b")).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (bytes, words) in [
        (&whole[..whole.len() - 1], "too early"),
        (&whole[..100], "too early"),
        (&flipped[..], "cannot be used"),
        (b"From x".as_slice(), "too early"),
    ] {
        write(dir.join("c"), bytes);
        for args in [&["verify", "c"][..], &["restore", "--db", "n.redb", "c"]] {
            let (code, _, err) = run(&dir, args);
            assert!(
                code == 9 && (err.contains(words) || err.contains("cannot be used")),
                "{code} {err}"
            );
        }
        assert!(!dir.join("n.redb").exists() && !dir.join("n.redb.rebuild").exists());
    }
    // Through a pipe.
    let script = "\"$0\" backup --to - 2>/dev/null | \"$0\" restore --db piped.redb -";
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", script, env!("CARGO_BIN_EXE_pillarbox")])
        .current_dir(dir.path());
    assert!(shell.status().unwrap().success());
    fine(&dir, &["verify", "--db", "piped.redb"]);
}

#[test]
fn compacting_gives_space_back() {
    let dir = init();
    fill(&dir, "A", 0, 400);
    let server = serve(&dir);
    let mut c = login(&server);
    c.ask("a SELECT A", "a OK");
    c.ask("a STORE 1:380 +FLAGS (\\Deleted)", "a OK");
    c.ask("a EXPUNGE", "a OK");
    let (code, _, err) = run(&dir, &["compact"]);
    assert!(code == 3 && err.contains("stop it first"), "{err}");
    let left = rows(&server);
    server.stop();
    let size = || {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(dir.join("mail.redb")).unwrap().blocks() * 512
    };
    let before = size();
    let out = fine(&dir, &["compact", "--dry-run"]);
    assert!(out.contains("gains about") && size() > before / 2, "{out}");
    let copy = fs::read(dir.join("mail.redb")).unwrap();
    // Anew, and, as on a disk without room for that, in place.
    for flags in [&["compact"][..], &["compact", "--in-place"]] {
        fs::write(dir.join("mail.redb"), &copy).unwrap();
        let out = fine(&dir, flags);
        assert!(out.contains("now "), "{out}");
        assert!(size() < before / 2, "{flags:?}: {before} {}", size());
        fine(&dir, &["verify"]);
        let server = serve(&dir);
        assert!(rows(&server) == left);
        server.stop();
    }
}

#[test]
fn what_is_made_anew_stays_where_and_whose_it_was() {
    use std::os::unix::fs::{MetadataExt, chown};
    let dir = init();
    let (link, real) = (dir.join("mail.redb"), dir.join("disk/real.redb"));
    std::fs::create_dir(dir.join("disk")).unwrap();
    std::fs::rename(&link, &real).unwrap();
    std::os::unix::fs::symlink("disk/real.redb", &link).unwrap();
    // Only root can give it away, and only then it matters.
    let owner = match chown(&real, Some(65_534), None) {
        Ok(()) => 65_534,
        Err(_) => std::fs::metadata(&real).unwrap().uid(),
    };
    for args in [
        &["backup", "--to", "b"][..],
        &["compact"],
        &["restore", "--replace", "b"],
    ] {
        let before = std::fs::metadata(&real).unwrap().ino();
        let (code, _, err) = pillarbox(dir.path(), args, "");
        assert_eq!(code, 0, "{err}");
        let about = std::fs::metadata(&real).unwrap();
        assert_eq!(about.ino() == before, args[0] == "backup", "{args:?}");
        assert_eq!(about.uid(), owner, "{args:?}");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

#[test]
fn an_increment_goes_on_from_a_backup_that_there_was() {
    let dir = init();
    for served in [false, true] {
        let server = served.then(|| serve(&dir));
        let (code, _, err) = run(&dir, &["backup", "--since", "99999999", "--to", "b"]);
        assert!(code != 0 && err.contains("ended with 99999999"), "{err}");
        assert!(!dir.join("b").exists() && !dir.join("b.part").exists());
        if let Some(server) = server {
            server.stop();
        }
    }
}

#[test]
fn a_link_that_leads_nowhere_is_left_alone() {
    let dir = init();
    fine(&dir, &["backup", "--to", "b"]);
    // The disk is not mounted.
    let link = dir.join("link.redb");
    std::os::unix::fs::symlink("disk/mail.redb", &link).unwrap();
    for args in [
        &["serve", "--try", "--db", "link.redb", "--domain", "x.test"][..],
        &["init", "--db", "link.redb", "--domain", "x.test"],
        &["restore", "--db", "link.redb", "b"],
    ] {
        let (code, _, err) = run(&dir, args);
        assert_eq!(code, 4, "{args:?}: {err}");
        assert!(err.contains("is its disk mounted?"), "{args:?}: {err}");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}

#[test]
fn what_comes_to_nothing_takes_no_room() {
    let dir = init();
    fine(&dir, &["backup", "--to", "b"]);
    let before = names(&dir);
    for args in ["init --db n.redb --domain x.test", "restore --db r.redb b"] {
        // Nothing grows beyond 32 KiB, as if the disk were full.
        let script = format!("trap '' XFSZ; ulimit -f 64; exec \"$0\" {args}");
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_pillarbox")]);
        let done = shell.current_dir(dir.path()).output().unwrap();
        assert!(!done.status.success(), "{done:?}");
        assert_eq!(names(&dir), before, "{done:?}");
    }
}

/// What is in the directory.
fn names(dir: &TempDir) -> BTreeSet<std::ffi::OsString> {
    let entries = fs::read_dir(dir.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

#[test]
fn verify_tells_of_damage() {
    let dir = init();
    fill(&dir, "A", 0, 100);
    fine(&dir, &["verify"]);
    let mut bytes = fs::read(dir.join("mail.redb")).unwrap();
    let half = bytes.len() / 2;
    for place in bytes.iter_mut().skip(half / 4).step_by(8192) {
        *place ^= 0x55;
    }
    fs::write(dir.join("mail.redb"), bytes).unwrap();
    let (code, _, err) = run(&dir, &["verify"]);
    assert!(code == 9 && !err.contains("panicked"), "{code} {err}");
}

#[test]
fn salvage_finds_what_is_left() {
    let dir = init();
    fill(&dir, "A/b", 0, 100);
    let server = serve(&dir);
    let mut c = login(&server);
    c.ask("a SELECT A/b", "a OK");
    c.ask("a STORE 1:10 +FLAGS (\\Flagged $word)", "a OK");
    server.stop();
    // Of a whole file: everything.
    fine(&dir, &["salvage", "--to", "all"]);
    let other = init();
    let from = dir.join("all");
    let out = fine(&other, &["import", from.to_str().unwrap()]);
    assert!(out.contains("100 imported, 0 there already"), "{out}");
    let server = serve(&other);
    assert_eq!(subjects(&server, "A/b"), all(0..100));
    let flags = fetch(&server, "A/b", "FLAGS");
    assert_eq!(
        (
            flags.matches("\\Flagged").count(),
            flags.matches("$word").count()
        ),
        (10, 10)
    );
    server.stop();
    // Without its first page, and with holes: it can only be read from the outside.
    let mut bytes = fs::read(dir.join("mail.redb")).unwrap();
    bytes[..4096].fill(0);
    for page in bytes.chunks_mut(4096).skip(40).step_by(97) {
        page.fill(0xee);
    }
    fs::write(dir.join("bad.redb"), &bytes).unwrap();
    let (code, out, err) = run(&dir, &["salvage", "--db", "bad.redb", "--to", "some"]);
    assert!(
        code == 0 || code == 9 && err.contains("cut off"),
        "{out}{err}"
    );
    assert!(!err.contains("panicked"));
    assert!(
        fs::read(dir.join("bad.redb")).unwrap() == bytes,
        "it was written to"
    );
    let other = init();
    let from = dir.join("some");
    fine(&other, &["import", from.to_str().unwrap()]);
    let found: usize = ["A/b", "Salvaged"]
        .iter()
        .map(|name| {
            match run(
                &other,
                &["export", "--mailbox", name, "--format", "mbox", "--to", "-"],
            ) {
                (0, out, _) => out.matches("Subject: number").count(),
                _ => 0,
            }
        })
        .sum();
    assert!(found >= 80, "{found}");
}
