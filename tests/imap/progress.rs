//! INPROGRESS (RFC 9585): something long goes on, and whoever waits hears of it.
use super::Imap;
use crate::harness::Server;
use std::time::Duration;

/// A server on which everything takes long.
fn slow(without: Vec<&'static str>) -> Server {
    Server::with(move |config| {
        config.imap_progress = Duration::ZERO;
        config.imap_without = without.clone();
    })
}

#[test]
fn is_told_with_tag_and_count() {
    let server = slow(Vec::new());
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("SELECT INBOX");
    let reply = imap.ok("SEARCH SEEN");
    let told: Vec<_> = reply.with("[INPROGRESS");
    assert!(!told.is_empty(), "{reply:?}");
    for line in told {
        // Three of three would be the answer.
        let (head, rest) = line.split_once("\" ").unwrap();
        assert!(head.starts_with("OK [INPROGRESS (\""), "{line}");
        let (done, _) = rest.split_once(" 3)] ").unwrap();
        assert!(done.parse::<u32>().unwrap() < 3, "{line}");
    }
    for command in [
        "SORT (SUBJECT) UTF-8 ALL",
        "THREAD REFERENCES UTF-8 ALL",
        "ESEARCH IN (personal) ALL",
        "STORE 1:* +FLAGS (\\Deleted)",
        "COPY 1:* Trash",
        "MOVE 1 Trash",
        "EXPUNGE",
    ] {
        let reply = imap.ok(command);
        assert!(
            !reply.with("[INPROGRESS (\"").is_empty(),
            "{command}: {reply:?}"
        );
        assert!(!reply.tagged.contains("INPROGRESS"), "{command}: {reply:?}");
    }
}

/// A response code ends at its `]`.
#[test]
fn a_tag_with_a_bracket_is_not_named() {
    let server = slow(Vec::new());
    let mut imap = Imap::inbox(&server);
    imap.fill("INBOX", 1);
    imap.client.send("a]b UID SEARCH ALL");
    let mut lines = Vec::new();
    while !lines
        .last()
        .is_some_and(|line: &String| line.starts_with("a]b OK"))
    {
        lines.push(imap.response());
    }
    assert!(
        lines[0].starts_with("* OK [INPROGRESS (NIL 0 1)] "),
        "{lines:?}"
    );
}

#[test]
fn is_not_told_where_it_is_switched_off() {
    let server = slow(vec!["INPROGRESS"]);
    let mut imap = Imap::inbox(&server);
    imap.fill("INBOX", 1);
    let reply = imap.ok("SEARCH SEEN");
    assert!(reply.with("INPROGRESS").is_empty(), "{reply:?}");
}
