//! `pillarbox import`.
use super::*;
use crate::harness::{PASSWORD, Server, USER};
use pillarbox::config::Role;
use pillarbox::keep::intake::Intake;
use pillarbox::keep::{Said, Target};
use std::time::{Duration, UNIX_EPOCH};

const TAKEOUT: &str = "From 1@xxx Mon Jan 01 00:00:00 +0000 2024\r\nX-GM-THRID: 1\r\nX-Gmail-Labels: Inbox,Important,Unread,Caf=C3=A9\r\nMessage-ID: <1@g>\r\nSubject: one\r\n\r\nhello\r\n>From me\r\n\r\n\
From 2@xxx Tue Jan 02 00:00:00 +0000 2024\r\nX-Gmail-Labels: Archived,Starred,Work/Old\r\nSubject: two\r\n\r\nno id\r\n\r\n\
From 3@xxx Tue Jan 02 00:00:00 +0000 2024\r\nX-Gmail-Labels: Sent\r\nMessage-ID: <3@g>\r\nSubject: three\r\n\r\nx\r\n";

fn maildir(dir: &TempDir) {
    let root = dir.join("Maildir");
    write(
        root.join("cur/1700000000.M1.host,S=9:2,FSa"),
        "Message-ID: <m1>\nSubject: m one\n\nbody\n",
    );
    write(
        root.join("new/1700000001.M2.host"),
        "Message-ID: <m2>\nSubject: m two\n\nbody\n",
    );
    write(root.join("tmp/1700000009.half"), "Subject: half\n\n");
    write(root.join("dovecot-keywords"), "0 $Forwarded\n");
    write(
        root.join(".Sent/cur/1700000002.M3.host:2,RS"),
        "Subject: m three\n\nbody\n",
    );
    write(
        root.join(".Lists.R&APw-ben/cur/1700000003.M4.host:2,"),
        "Subject: m four\n\nbody\n",
    );
    write(root.join("evil"), "a file that is no mail");
    std::os::unix::fs::symlink("/etc/passwd", root.join("cur/1700000004.link:2,S")).unwrap();
    std::os::unix::fs::symlink(&root, root.join(".Loop")).unwrap();
    let file = fs::File::options()
        .write(true)
        .open(root.join("cur/1700000000.M1.host,S=9:2,FSa"));
    file.unwrap()
        .set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
        .unwrap();
}

fn looks_right(run: &Run) {
    let inbox = fetch(run, "INBOX", "FLAGS INTERNALDATE BODY.PEEK[]");
    for words in [
        "m one",
        "m two",
        "hello\nFrom me",
        "14-Nov-2023 22:13:20",
        " 1-Jan-2024 00:00:00",
        "$Important",
    ] {
        assert!(inbox.contains(words), "{words} in {inbox}");
    }
    let one = inbox.lines().find(|l| l.contains("14-Nov-2023")).unwrap();
    for flag in ["\\Seen", "\\Flagged", "$Forwarded"] {
        assert!(one.contains(flag), "{one}");
    }
    assert!(!inbox.contains("root:") && !inbox.contains("half") && !inbox.contains("X-Gmail"));
    assert_eq!(inbox.matches(" FETCH (").count(), 3, "{inbox}");
    let two = fetch(run, "Work/Old", "FLAGS");
    assert!(two.contains("\\Flagged") && two.contains("\\Seen"), "{two}");
    assert_eq!(fetch(run, "Sent", "FLAGS").matches(" FETCH (").count(), 2);
    assert!(fetch(run, "Lists/R&APw-ben", "FLAGS").contains("* 1 FETCH"));
    // A label is a mailbox; one message in two of them is one email.
    assert!(fetch(run, "Caf=C3=A9", "EMAILID").contains("* 1 FETCH"));
}

#[test]
fn mail_comes_in_once_with_the_server_down() {
    let dir = init();
    maildir(&dir);
    write(dir.join("takeout.mbox"), TAKEOUT);
    let args = ["import", "Maildir", "takeout.mbox"];
    let out = fine(&dir, &args);
    assert!(
        out.contains("7 imported, 0 there already, 0 refused"),
        "{out}"
    );
    let out = fine(&dir, &args);
    assert!(
        out.contains("0 imported, 7 there already, 0 refused"),
        "{out}"
    );
    looks_right(&serve(&dir));
}

#[test]
fn and_with_the_server_up() {
    let dir = init();
    maildir(&dir);
    write(dir.join("takeout.mbox"), TAKEOUT);
    let server = serve(&dir);
    let mut watching = login(&server);
    watching.ask("a SELECT INBOX", "a OK");
    let args = ["import", "takeout.mbox", "Maildir"];
    let out = fine(&dir, &args);
    assert!(
        out.contains("7 imported, 0 there already, 0 refused"),
        "{out}"
    );
    watching.send("b NOOP");
    assert!(watching.until("b ").iter().any(|l| l == "* 3 EXISTS"));
    let out = fine(&dir, &args);
    assert!(
        out.contains("0 imported, 7 there already, 0 refused"),
        "{out}"
    );
    looks_right(&server);
}

#[test]
fn a_message_that_ends_in_nul_is_one() {
    // As a power cut leaves files.
    let dir = init();
    write(dir.join("m/cur/1.a"), b"Message-ID: <a>\n\none\n\0\0");
    write(dir.join("m/cur/2.b"), b"Message-ID: <b>\n\ntwo\n");
    let out = fine(&dir, &["import", "m"]);
    assert!(out.contains("2 imported, 0 there already"), "{out}");
    let inbox = fetch(&serve(&dir), "INBOX", "RFC822.SIZE");
    assert!(inbox.contains("RFC822.SIZE 26)"), "{inbox}");
}

#[test]
fn one_message_in_two_places_and_two_that_share_an_id() {
    let dir = init();
    write(
        dir.join("m/a.mbox"),
        "From x Mon Jan  1 00:00:00 2024\nMessage-ID: <x>\n\none\n",
    );
    write(
        dir.join("m/b.mbox"),
        "From x Mon Jan  1 00:00:00 2024\nMessage-ID: <x>\n\none\n",
    );
    write(dir.join("m/c.eml"), "Message-ID: <x>\n\ntwo\n");
    let out = fine(&dir, &["import", "--into", "Old", "--seen", "m"]);
    assert!(out.contains("2 imported, 1 there already"), "{out}");
    let server = serve(&dir);
    assert!(fetch(&server, "Old/a", "FLAGS").contains("\\Seen"));
    assert!(fetch(&server, "Old/b", "BODY.PEEK[TEXT]").contains("one"));
    assert!(fetch(&server, "Old", "BODY.PEEK[TEXT]").contains("two"));
    // What was there before this import comes to stand where it is wished, too.
    let again = || {
        let text = "From x Mon Jan  1 00:00:00 2024\nMessage-ID: <x>\n\ntwo\n";
        let (code, out, err) = pillarbox(dir.path(), &["import", "--into", "New/box", "-"], text);
        assert!(
            code == 0 && out.contains("0 imported, 1 there"),
            "{out}{err}"
        );
    };
    let count = |name| fetch(&server, name, "EMAILID").matches(" FETCH (").count();
    again();
    again();
    assert!(fetch(&server, "New/box", "BODY.PEEK[TEXT]").contains("two"));
    assert_eq!((count("New/box"), count("Old")), (1, 1));
    let id = |name| {
        let text = fetch(&server, name, "EMAILID");
        text.split_once("EMAILID")
            .map(|(_, rest)| rest.split(')').next().unwrap().to_owned())
    };
    assert_eq!(id("New/box"), id("Old"));
    // But what the owner has taken away from there since does not come back.
    let mut c = login(&server);
    c.ask("a SELECT New/box", "a OK");
    c.ask("b MOVE 1 Archive", "b OK");
    again();
    assert_eq!((count("New/box"), count("Old")), (0, 1));
}

#[test]
fn what_cannot_be_meant() {
    let dir = init();
    write(dir.join("zip"), "PK\x03\x04");
    for (args, words) in [
        (&["import"][..], "say what to import"),
        (&["import", "zip"], "no mbox file"),
        (&["import", "missing"], "missing: No such file"),
    ] {
        let (code, _, err) = run(&dir, args);
        assert!(code != 0 && err.contains(words), "{err}");
    }
    // Odd names and far too long lines.
    let long = "x".repeat(300);
    let text = format!(
        "From x Mon Jan  1 00:00:00 2024\nX-Gmail-Labels: {long}/{}\nA: b\n\n{}\n",
        "y/".repeat(40),
        "z".repeat(3_000_000)
    );
    let (code, out, err) = pillarbox(dir.path(), &["import", "-"], &text);
    assert!(code == 0 && out.contains("1 imported"), "{out}{err}");
}

#[test]
fn what_is_too_large_is_named() {
    let dir = init();
    let server = serve(&dir);
    let text = format!(
        "From x Mon Jan  1 00:00:00 2024\nA: b\n\n{}\n\nFrom x Mon Jan  1 00:00:00 2024\nA: c\n\nsmall\n",
        "0123456789abcdef\n".repeat(54 << 16)
    );
    let (code, _, err) = pillarbox(dir.path(), &["import", "-"], &text);
    assert!(
        code == 1 && err.contains("stdin, message 1: the message is larger"),
        "{err}"
    );
    assert!(
        err.contains("1 imported, 0 there already, 1 refused"),
        "{err}"
    );
    assert!(fetch(&server, "INBOX", "BODY.PEEK[TEXT]").contains("small"));
}

/// A mailbox goes while messages for it wait for their commit.
#[test]
fn what_is_refused_late_is_not_called_imported() {
    let server = Server::start();
    let mut intake = Intake::new(server.mail().clone());
    let said = Said {
        mailboxes: vec!["Lost".into()],
        origin: "a letter".into(),
        ..Said::default()
    };
    intake.octets(b"Subject: x\r\n\r\nx\r\n").unwrap();
    intake.end(&said).unwrap();
    let mut c = server.client(Role::Imap);
    c.expect("* OK");
    c.ask(&format!("a LOGIN {USER} \"{PASSWORD}\""), "a OK");
    c.ask("b DELETE Lost", "b OK");
    let lines = intake.finish().unwrap();
    assert!(
        lines[0].starts_with("not imported: a letter: "),
        "{lines:?}"
    );
    assert_eq!(lines[1], "0 imported, 0 there already, 1 refused");
}

/// What the owner did with imported mail stands when the same mail is imported again.
#[test]
fn what_was_moved_stays_where_it_is() {
    let dir = init();
    maildir(&dir);
    fine(&dir, &["import", "Maildir"]);
    let run = serve(&dir);
    let mut c = login(&run);
    c.ask("a SELECT INBOX", "a OK");
    c.ask("b MOVE 1:* Archive", "b OK");
    drop(c);
    for _ in 0..2 {
        let out = fine(&dir, &["import", "Maildir"]);
        assert!(out.contains("0 imported, 4 there already"), "{out}");
    }
    assert_eq!(fetch(&run, "INBOX", "UID").matches(" FETCH (").count(), 0);
    assert_eq!(fetch(&run, "Archive", "UID").matches(" FETCH (").count(), 2);
}

/// What is noted is not fetched again: by then everything before it is done, also what is only to stand
/// in another mailbox as well.
#[test]
fn nothing_is_noted_before_it_is_done() {
    let server = Server::start();
    let mut intake = Intake::new(server.mail().clone());
    let mut take = |into: &str| {
        let said = Said {
            mailboxes: vec![into.into()],
            wished: true,
            ..Said::default()
        };
        intake.octets(b"Message-ID: <1@x>\r\n\r\nx\r\n").unwrap();
        intake.end(&said).unwrap();
        intake.note(into, "1 2").unwrap();
    };
    take("One");
    take("Two");
    // Here the power goes: nothing is finished.
    let meta = server.mail().meta();
    let count = |path: &str| meta.by_path(path).map(|found| found.counters.total);
    assert_eq!((count("One"), count("Two")), (Some(1), Some(1)));
}

#[test]
fn a_password_is_for_one_server() {
    let dir = init();
    let servers = ["imaps://anna@a.example", "imap://anna@b.example"];
    let args = ["import", "--password-file", "pw"];
    let (code, _, err) = super::run(&dir, &[&args[..], &servers].concat());
    assert_eq!(code, 2, "{err}");
    assert!(err.contains("for one server"), "{err}");
}

#[test]
fn a_bar_on_a_terminal_and_none_elsewhere() {
    let dir = init();
    let text = "x".repeat(70) + "\n";
    let message = "From: a@example.net\nSubject: large\n\n".to_owned() + &text.repeat(10_000);
    fs::create_dir(dir.join("m")).unwrap();
    for n in 0..4 {
        fs::write(dir.join(&format!("m/{n}.eml")), &message).unwrap();
    }
    let (code, _, err) = super::run(&dir, &["import", "m"]);
    assert_eq!((code, err.as_str()), (0, ""));

    let shown = |args: &[&str]| {
        let (code, out, err) = Run::start_on_terminal(dir.path(), 70, args).finish();
        assert_eq!(code, 0, "{out}{err}");
        let plain = |c: char| c == '\r' || c == '\n' || c == ' ' || c.is_ascii_graphic();
        assert!(out.chars().all(plain), "{out:?}");
        let parts: Vec<String> = out.split(['\r', '\n']).map(str::to_owned).collect();
        assert!(parts.iter().all(|part| part.len() < 70), "{out:?}");
        // Wiped before what is said in the end.
        let last = parts.iter().rposition(|part| part.contains("/s, "));
        let last = last.expect(&out);
        assert_eq!(parts[last + 1], " ".repeat(69), "{out:?}");
        parts
    };
    let parts = shown(&["import", "--into", "Again", "m"]);
    let bar = |part: &String| part.starts_with('[') && part.contains("-] ");
    let known = |part: &String| part.contains(" % of 2773 KiB, ") && part.contains(" left");
    assert!(parts.iter().any(|it| bar(it) && known(it)), "{parts:?}");
    // How much a backup is to be is not known before, but how much there is to read of one is.
    let parts = shown(&["backup", "--to", "b"]);
    assert!(!parts.iter().any(bar), "{parts:?}");
    let parts = shown(&["verify", "b"]);
    assert!(parts.iter().any(bar), "{parts:?}");
    let parts = shown(&["export", "--to", "out"]);
    assert!(!parts.iter().any(bar), "{parts:?}");
}
