//! Deliveries per second through the engine beside flushes of one raw block on the same disk, in turns:
//! `cargo bench --bench rate [-- FOLDER]` (default: the system's temporary one, which has to be a disk).
//!
//! Ratios of one run: a machine's own speed, and what else it does, is in both.
#![allow(clippy::unwrap_used)]
use pillarbox::mail::*;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages in the store before anything is measured.
const STORED: u32 = 20_000;
/// Turns of raw flushes and deliveries.
const TURNS: u32 = 8;
/// Commits of each kind in a turn.
const COMMITS: u32 = 60;

fn main() {
    let folder = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let folder = folder.map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = folder.join(format!("pillarbox-rate-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    measure(&folder.join("mail.redb"), &folder.join("raw"));
    fs::remove_dir_all(&folder).unwrap();
}

fn measure(store: &std::path::Path, raw: &std::path::Path) {
    pillarbox::store::create(&pillarbox::store::Files, store).unwrap();
    let mail = Mail::open(store, Options::default()).unwrap();
    let inbox = mail.meta().by_role(Role::Inbox).unwrap().id;
    let raw = File::create(raw).unwrap();
    raw.write_all_at(&vec![1; 4096 * COMMITS as usize], 0)
        .unwrap();
    raw.sync_all().unwrap();
    let mut number = 0;
    while number < STORED {
        deliver(&mail, inbox, 64, &mut number);
    }
    let groups = [1, 8, 32];
    let (mut flushed, mut delivered) = (Duration::ZERO, [Duration::ZERO; 3]);
    for turn in 0..TURNS {
        let since = Instant::now();
        for at in 0..COMMITS {
            let block = [turn as u8 ^ at as u8; 4096];
            raw.write_all_at(&block, u64::from(at) * 4096).unwrap();
            raw.sync_data().unwrap();
        }
        flushed += since.elapsed();
        for (group, time) in groups.iter().zip(&mut delivered) {
            let since = Instant::now();
            for _ in 0..COMMITS {
                deliver(&mail, inbox, *group, &mut number);
            }
            *time += since.elapsed();
        }
    }
    let per_second = |count: u32, time: Duration| f64::from(count) / time.as_secs_f64();
    let floor = per_second(TURNS * COMMITS, flushed);
    println!("raw 4 KiB + fdatasync: {floor:.0}/s");
    for (group, time) in groups.iter().zip(delivered) {
        let rate = per_second(TURNS * COMMITS * group, time);
        let ratio = rate / floor;
        println!("4 KB mail, {group:2} in a commit: {rate:.0}/s, {ratio:.2} of it");
    }
    smol::block_on(mail.close());
}

/// `count` messages of 4 KB in one commit.
fn deliver(mail: &Arc<Mail>, inbox: MailboxId, count: u32, number: &mut u32) {
    smol::block_on(async {
        let mut add = Vec::new();
        for _ in 0..count {
            *number += 1;
            let mut body = mail.body(None).unwrap();
            body.push(&message(*number)).await.unwrap();
            add.push(NewEmail {
                source: Source::Staged(body.finish(b"").await.unwrap()),
                mailboxes: vec![inbox],
                flags: Flags::default(),
                keywords: Vec::new(),
                internaldate: None,
                hold: false,
            });
        }
        let commit = Commit {
            add,
            ..Commit::default()
        };
        mail.commit(commit).await.unwrap();
    });
}

/// Header fields as they are, and words that deflate as text does.
fn message(number: u32) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "the", "meeting", "of", "minutes", "river", "was", "and", "early", "ordinary", "letter",
        "to", "which", "nobody", "answered", "before", "Thursday",
    ];
    let mut text = format!(
        "From: Bob <bob{}@example.com>\r\nTo: anna@example.org\r\nSubject: Minutes {number}\r\nMessage-ID: <{number:x}@example.com>\r\nDate: Thu, 1 Jan 2026 10:00:00 +0000\r\n\r\n",
        number % 50
    );
    let mut state = number.wrapping_mul(0x9e37_79b9) | 1;
    while text.len() < 4000 {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        text.push_str(WORDS[state as usize % WORDS.len()]);
        text.push_str(if state.is_multiple_of(12) {
            "\r\n"
        } else {
            " "
        });
    }
    text.into_bytes()
}
