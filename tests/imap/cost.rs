//! What commands read and write: counted at the disk, below everything.
use super::Imap;
use crate::crash::disk::{Counts, Medium};
use crate::harness::Server;
use pillarbox::mail::{Mail, Options};
use std::sync::Arc;

const COUNT: usize = 24;

/// A text, and an attachment of 300 KB that no cache here has room for.
fn letter(n: usize) -> String {
    let mut random = n as u64;
    let mut next = || {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 58) as usize
    };
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut lines = String::new();
    for _ in 0..4200 {
        lines.extend((0..72).map(|_| char::from(digits[next()])));
        lines.push_str("\r\n");
    }
    format!(
        "From: a{n}@example.org\r\nSubject: letter {n}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHello {n}\r\n--b\r\n\
         Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{lines}--b--\r\n"
    )
}

fn scene() -> (Server, Imap, Arc<Medium>) {
    let disk = Medium::formatted();
    let options = Options {
        cache: 1 << 20,
        ..Options::default()
    };
    let server = Server::over(Mail::open_source(disk.source(), options).unwrap());
    let mut imap = Imap::login(&server);
    for n in 1..=COUNT {
        imap.append("INBOX", &letter(n));
    }
    imap.ok("SELECT INBOX");
    (server, imap, disk)
}

/// What a command costs.
fn cost(imap: &mut Imap, disk: &Medium, command: &str) -> Counts {
    let before = disk.counts();
    imap.ok(command);
    let after = disk.counts();
    Counts {
        reads: after.reads - before.reads,
        octets_read: after.octets_read - before.octets_read,
        writes: after.writes - before.writes,
        octets: after.octets - before.octets,
        syncs: after.syncs - before.syncs,
    }
}

/// What is stored of a message at its arrival answers these; a search of texts reads texts.
#[test]
fn attachments_are_left_alone() {
    let (_server, mut imap, disk) = scene();
    let bodies = cost(&mut imap, &disk, "FETCH 1:* BODY.PEEK[]").octets_read;
    assert!(bodies > 200_000 * COUNT as u64, "{bodies}");
    for command in [
        "FETCH 1:* (FLAGS UID INTERNALDATE RFC822.SIZE)",
        "FETCH 1:* ENVELOPE",
        "FETCH 1:* (BODY BODYSTRUCTURE)",
        "FETCH 1:* (PREVIEW SAVEDATE EMAILID THREADID MODSEQ)",
        "SEARCH TEXT \"hello 3\"",
        "SEARCH BODY nothing",
        "SORT (SUBJECT FROM) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
    ] {
        // Between them, so that no cache has anything of use.
        imap.ok("FETCH 1:* BODY.PEEK[]");
        let read = cost(&mut imap, &disk, command).octets_read;
        assert!(
            read * 5 < bodies,
            "{command}: {read} octets, all bodies are {bodies}"
        );
    }
}

/// Whatever the number of messages.
#[test]
fn one_command_is_one_commit() {
    let (_server, mut imap, disk) = scene();
    for command in [
        "STORE 1:* +FLAGS (\\Flagged a b)",
        "STORE 1:* -FLAGS.SILENT (a)",
        "COPY 1:* Archive",
        "UID MOVE 1:3 Archive",
        "STORE 1:* +FLAGS.SILENT (\\Deleted)",
        "EXPUNGE",
    ] {
        assert_eq!(cost(&mut imap, &disk, command).syncs, 1, "{command}");
    }
}
