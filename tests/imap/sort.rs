//! SORT, UID SORT and their return options.
use super::Imap;
use crate::harness::Server;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[test]
fn rfc5256() {
    super::transcript::play("rfc5256.txt");
}

#[test]
fn rfc5267() {
    super::transcript::play("rfc5267.txt");
}

#[test]
fn rfc5957() {
    super::transcript::play("rfc5957.txt");
}

fn filled(messages: &[String]) -> (Server, Imap) {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    for message in messages {
        imap.append("INBOX", message);
    }
    imap.ok("SELECT INBOX");
    (server, imap)
}

fn order(imap: &mut Imap, command: &str) -> Vec<usize> {
    let reply = imap.ok(command);
    let line = reply.one("SORT");
    line["SORT".len()..]
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect()
}

/// What the messages are made of, and what they are to be sorted by.
#[derive(Clone, Debug)]
struct Case {
    subject: &'static str,
    base: &'static str,
    from: &'static str,
    day: u32,
    padding: usize,
}

fn case() -> impl Strategy<Value = Case> {
    let subjects = prop_oneof![
        Just(("hello", "HELLO")),
        Just(("Re: Hello", "HELLO")),
        Just(("[list] hello (fwd)", "HELLO")),
        Just(("Zebra", "ZEBRA")),
        Just(("apple", "APPLE")),
        Just(("=?utf-8?q?=C3=A4pfel?=", "A\u{308}PFEL")),
        Just(("", "")),
    ];
    let from = prop_oneof![Just("bob"), Just("Alice"), Just("zed"), Just("alice")];
    (subjects, from, 1u32..5, 0usize..3).prop_map(|((subject, base), from, day, padding)| Case {
        subject,
        base,
        from,
        day,
        padding,
    })
}

/// The engine's order is that of a plain stable sort by the same things.
#[test]
fn agrees_with_a_plain_sort() {
    let mut runner = TestRunner::new(Config::with_cases(12));
    let strategy = proptest::collection::vec(case(), 1..14);
    runner
        .run(&strategy, |cases| {
            let messages: Vec<String> = cases
                .iter()
                .map(|case| {
                    format!(
                        "From: {}@example.com\r\nSubject: {}\r\nDate: {} Feb 2020 10:00:00 +0000\r\n\r\n{}\r\n",
                        case.from,
                        case.subject,
                        case.day,
                        "x".repeat(case.padding)
                    )
                })
                .collect();
            let (_server, mut imap) = filled(&messages);
            let sizes: Vec<usize> = messages.iter().map(String::len).collect();
            let check = |imap: &mut Imap, by: &str, key: &dyn Fn(usize) -> (String, u64)| {
                let mut want: Vec<usize> = (1..=cases.len()).collect();
                want.sort_by_key(|n| key(n - 1));
                assert_eq!(order(imap, &format!("SORT ({by}) UTF-8 ALL")), want, "{by}");
                assert_eq!(order(imap, &format!("UID SORT ({by}) UTF-8 ALL")), want, "{by}");
            };
            check(&mut imap, "SUBJECT", &|i| (cases[i].base.into(), 0));
            check(&mut imap, "SUBJECT DATE", &|i| (cases[i].base.into(), cases[i].day.into()));
            check(&mut imap, "SUBJECT REVERSE DATE", &|i| {
                (cases[i].base.into(), u64::MAX - u64::from(cases[i].day))
            });
            check(&mut imap, "FROM SIZE", &|i| {
                (cases[i].from.to_ascii_uppercase(), sizes[i] as u64)
            });
            check(&mut imap, "REVERSE SIZE", &|i| (String::new(), u64::MAX - sizes[i] as u64));
            Ok(())
        })
        .unwrap();
}

#[test]
fn return_options() {
    let message = |subject: &str| format!("From: a@b\r\nSubject: {subject}\r\n\r\nx\r\n");
    let (_server, mut imap) = filled(&["c", "a", "b", "d", "e"].map(message));
    let reply = imap.ok("SORT RETURN (MIN MAX COUNT ALL) (SUBJECT) UTF-8 ALL");
    assert_eq!(
        reply.untagged,
        ["ESEARCH (TAG \"t8\") MIN 2 MAX 5 ALL 2:3,1,4:5 COUNT 5"]
    );
    let reply = imap.ok("UID SORT RETURN (PARTIAL 2:3) (REVERSE SUBJECT) UTF-8 ALL");
    assert_eq!(
        reply.untagged,
        ["ESEARCH (TAG \"t9\") UID PARTIAL (2:3 4,1)"]
    );
    let reply = imap.ok("SORT RETURN (PARTIAL -1:-2) (REVERSE SUBJECT) UTF-8 ALL");
    assert_eq!(
        reply.untagged,
        ["ESEARCH (TAG \"t10\") PARTIAL (-1:-2 3,2)"]
    );
    imap.ok("SORT RETURN (SAVE PARTIAL 1:2) (SUBJECT) UTF-8 ALL");
    assert_eq!(imap.ok("SEARCH $").untagged, ["SEARCH 2 3"]);
    assert!(
        imap.ok("SORT RETURN (ALL) (SUBJECT) UTF-8 MODSEQ 1")
            .one("ALL 2:3,1,4:5 MODSEQ ")
            .starts_with("ESEARCH")
    );
    imap.no("SORT (SUBJECT) X-NONE ALL");
    imap.bad("SORT (SUBJECT) ALL");
}

/// Keys that are longer than what is held of them are compared to their end.
#[test]
fn long_subjects() {
    let long = "x".repeat(700);
    let message = |n: usize| format!("From: a@b\r\nSubject: {long} {}\r\n\r\nx\r\n", 9 - n);
    let messages: Vec<String> = (1..=8).map(message).collect();
    let (_server, mut imap) = filled(&messages);
    let want: Vec<usize> = (1..=8).rev().collect();
    assert_eq!(order(&mut imap, "SORT (SUBJECT) UTF-8 ALL"), want);
}

#[test]
fn the_sent_date_counts_in_utc_or_else_the_arrival() {
    let (_server, mut imap) = filled(&[]);
    let dated = |date: &str| format!("From: a@b\r\n{date}Subject: x\r\n\r\nx\r\n");
    imap.append("INBOX \"01-Jan-2001 00:01:40 +0000\"", &dated(""));
    imap.append("INBOX", &dated("Date: 31 Dec 2000 16:01:33 -0800\r\n"));
    imap.append("INBOX", &dated("Date: 1 Jan 2001 00:01:32 +0000\r\n"));
    imap.append(
        "INBOX \"01-Jan-2001 00:01:30 +0000\"",
        &dated("Date: some day\r\n"),
    );
    assert_eq!(order(&mut imap, "SORT (DATE) UTF-8 ALL"), [4, 3, 2, 1]);
}
