//! Killed in the midst of it: what was is there, or what was to be, and running it again ends it.
use super::*;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Starts the program and kills it after so many milliseconds.
fn cut(dir: &TempDir, args: &[&str], millis: u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pillarbox"));
    command.args(args).current_dir(dir.path()).env_clear();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(millis));
    let _ = child.kill();
    child.wait().unwrap();
}

fn whole(dir: &TempDir, count: u32) {
    let out = fine(dir, &["verify"]);
    assert!(
        out.starts_with(&format!("{count} messages in {count} places")),
        "{out}"
    );
}

#[test]
fn at_any_moment() {
    let dir = init();
    let mut text = String::new();
    for n in 0..400 {
        let id = if n % 3 == 0 {
            String::new()
        } else {
            format!("Message-ID: <{n}@x>\n")
        };
        text.push_str(&format!(
            "From x Mon Jan  1 00:00:00 2024\n{id}Subject: {n}\n\n{}\n",
            "words\n".repeat(n % 11 * 200)
        ));
    }
    write(dir.join("k.mbox"), text);
    for millis in [40, 80, 160, 320] {
        cut(&dir, &["import", "k.mbox"], millis);
    }
    let out = fine(&dir, &["import", "k.mbox"]);
    assert!(out.contains(" 0 refused"), "{out}");
    whole(&dir, 400);
    for millis in [30, 60, 120, 240] {
        cut(&dir, &["compact"], millis);
        whole(&dir, 400);
    }
    assert_eq!(run(&dir, &["backup", "--to", "b"]).0, 0);
    for millis in [30, 60, 120, 240] {
        cut(&dir, &["backup", "--to", "b"], millis);
        fine(&dir, &["verify", "b"]);
        cut(&dir, &["restore", "--replace", "b"], millis);
        whole(&dir, 400);
    }
    fine(&dir, &["restore", "--replace", "b"]);
    fine(&dir, &["compact"]);
    whole(&dir, 400);
    assert!(!dir.join("mail.redb.rebuild").exists());
}
