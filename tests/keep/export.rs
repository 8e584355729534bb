//! `pillarbox export`, and `import` of what it wrote.
use super::*;

fn filled() -> TempDir {
    let dir = init();
    let text = "From x Mon Jan  1 00:00:00 2024\nStatus: R\nX-Keywords: $Forwarded\nMessage-ID: <1>\nSubject: one\n\n>From a\n\n\n\
        From x Tue Jan  2 00:00:00 2024\nX-Status: AF\nX-Gmail-Labels: Inbox,../../evil\nSubject: two\n\n>>From b\n";
    let (code, _, err) = pillarbox(dir.path(), &["import", "-"], text);
    assert_eq!(code, 0, "{err}");
    dir
}

/// What IMAP shows of INBOX.
fn seen(dir: &TempDir) -> String {
    fetch(&serve(dir), "INBOX", "FLAGS INTERNALDATE BODY.PEEK[]")
}

fn back(format: &str, up: bool) {
    let dir = filled();
    let server = up.then(|| serve(&dir));
    let out = fine(&dir, &["export", "--format", format, "--to", "out/x"]);
    assert_eq!(out, "3 messages\n");
    drop(server);
    assert!(!dir.join("evil").exists() && !dir.join("out/evil").exists());
    let (code, _, err) = run(&dir, &["export", "--format", format, "--to", "out/x"]);
    assert!(code == 2 && err.contains("not empty"), "{err}");
    let other = init();
    let from = dir.join("out/x");
    let out = fine(&other, &["import", from.to_str().unwrap()]);
    assert!(out.contains("2 imported, 1 there already"), "{out}");
    assert_eq!(seen(&other), seen(&dir));
}

#[test]
fn maildir_and_back() {
    back("maildir", false);
    back("maildir", true);
}

#[test]
fn mbox_and_back() {
    back("mbox", false);
    back("mbox", true);
}

#[test]
fn one_mailbox_to_standard_output() {
    let dir = filled();
    let out = fine(
        &dir,
        &[
            "export",
            "--format",
            "mbox",
            "--mailbox",
            "inbox",
            "--to",
            "-",
        ],
    );
    assert!(
        out.starts_with("From MAILER-DAEMON Mon Jan  1 00:00:00 2024\n"),
        "{out}"
    );
    assert!(
        out.contains("\nStatus: RO\nX-Keywords: $Forwarded\n\n>From a\n\n\nFrom "),
        "{out}"
    );
    assert!(out.contains("\nX-Status: AF\n\n>>From b\n\n"), "{out}");
    let (code, _, err) = run(&dir, &["export", "--mailbox", "No", "--to", "y"]);
    assert!(code == 2 && err.contains("no mailbox No"), "{err}");
}

/// A mailbox's file and the folder of another's have one name.
#[test]
fn mailboxes_that_are_called_as_files() {
    let dir = init();
    let places = [
        "a",
        "a.mbox/x",
        "a.mbox_/x",
        "a/x",
        "a.mbox",
        "INBOX.mbox/y",
    ];
    for (n, place) in places.iter().enumerate() {
        let text = format!("From x Mon Jan  1 00:00:00 2024\nSubject: n{n}\n\nx\n");
        let (code, _, err) = pillarbox(dir.path(), &["import", "--into", place, "-"], &text);
        assert_eq!(code, 0, "{err}");
    }
    for format in ["mbox", "maildir"] {
        let out = fine(&dir, &["export", "--format", format, "--to", format]);
        assert_eq!(out, "6 messages\n");
        let other = init();
        let from = dir.join(format);
        let out = fine(&other, &["import", from.to_str().unwrap()]);
        assert!(out.contains("6 imported, 0 there already"), "{out}");
    }
    let text = fs::read_to_string(dir.join("mbox/a.mbox_/x.mbox")).unwrap();
    assert!(text.contains("n1") && !text.contains("n2"), "{text}");
}
