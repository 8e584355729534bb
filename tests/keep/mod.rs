//! Looking after the box, by the real binary: mail in and out, with the server up and down.
mod backup;
mod export;
mod imap;
mod import;
mod kill;

use crate::cli::run::{Run, pillarbox};
use crate::harness::{Client, TempDir};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A store with an account.
pub fn init() -> TempDir {
    let dir = TempDir::new();
    let (code, _, err) = run(&dir, &["init", "--domain", "example.org", "--user", "anna"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        pillarbox(dir.path(), &["passwd", "--stdin"], "secret\n").0,
        0
    );
    dir
}

pub fn run(dir: &TempDir, args: &[&str]) -> (i32, String, String) {
    pillarbox(dir.path(), args, "")
}

/// Runs what must work; returns what it printed.
#[track_caller]
pub fn fine(dir: &TempDir, args: &[&str]) -> String {
    let (code, out, err) = run(dir, args);
    assert_eq!(code, 0, "{out}{err}");
    out
}

/// A server with IMAP alone.
pub fn serve(dir: &TempDir) -> Run {
    let mut args = vec!["serve", "--db", "mail.redb", "--imap", "127.0.0.1:0"];
    for role in [
        "--smtp",
        "--submission",
        "--submissions",
        "--imaps",
        "--pop3",
        "--pop3s",
        "--http",
        "--https",
    ] {
        args.extend([role, "off"]);
    }
    let run = Run::start(dir.path(), &args);
    run.ready();
    run
}

pub fn login(run: &Run) -> Client {
    let mut c = Client::connect(run.addr("imap"));
    c.expect("* OK");
    c.ask("a LOGIN anna secret", "a OK");
    c
}

/// All that a FETCH of a mailbox says, on one line a response.
pub fn fetch(run: &Run, mailbox: &str, items: &str) -> String {
    let mut c = login(run);
    c.ask(&format!("a EXAMINE {mailbox}"), "a OK");
    c.send(&format!("b FETCH 1:* ({items})"));
    c.until("b ").join("\n")
}

pub fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn status_up_and_down() {
    let dir = init();
    write(dir.join("m.eml"), "Subject: one\n\nx\n");
    fine(&dir, &["import", "m.eml"]);
    let down = fine(&dir, &["status", "--metrics"]);
    for line in [
        "pillarbox_up 0\n",
        "# HELP pillarbox_emails messages in the store\n# TYPE pillarbox_emails gauge\npillarbox_emails 1\n",
        "pillarbox_inbox_unseen 1\n",
        "pillarbox_queue_waiting 0\n",
    ] {
        assert!(down.contains(line), "{line} in {down}");
    }
    assert!(
        !down.contains("memory") && !down.contains("sessions"),
        "{down}"
    );
    let server = serve(&dir);
    login(&server);
    let up = fine(&dir, &["status"]);
    for line in [
        "               1  the server runs\n",
        "               1  messages in the store\n",
        "  memory, with what is shared\n",
        "  free on the store's disk\n",
        "               1  connections served: imap\n",
    ] {
        assert!(up.contains(line), "{line} in {up}");
    }
    let stored = up.lines().find(|l| l.ends_with("  the store on its disk"));
    assert!(stored.unwrap().contains(" KiB  "), "{up}");
}
