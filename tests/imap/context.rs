//! Searches that are kept up to date: the client's list, kept by ADDTO and REMOVEFROM alone, is what
//! a new search finds.
use super::{Imap, Reply};
use crate::harness::Server;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// A result list as a client keeps it (RFC 5267 §4.3.3, §4.3.4).
fn apply(list: &mut Vec<u32>, tag: &str, reply: &Reply) {
    for line in reply.with(&format!("ESEARCH (TAG \"{tag}\") UID ")) {
        for name in ["REMOVEFROM", "ADDTO"] {
            let Some((_, rest)) = line.split_once(&format!(" {name} (")) else {
                continue;
            };
            let words: Vec<&str> = rest.split(')').next().unwrap().split(' ').collect();
            for pair in words.chunks(2) {
                let place: usize = pair[0].parse().unwrap();
                let mut at = place;
                for range in pair[1].split(',') {
                    let (a, b) = range.split_once(':').unwrap_or((range, range));
                    for uid in a.parse::<u32>().unwrap()..=b.parse().unwrap() {
                        match (name, place) {
                            ("ADDTO", 0) => {
                                list.push(uid);
                                list.sort_unstable();
                            }
                            ("ADDTO", _) => {
                                list.insert(at - 1, uid);
                                at += 1;
                            }
                            (_, 0) => list.retain(|it| *it != uid),
                            _ => assert_eq!(list.remove(place - 1), uid),
                        }
                    }
                }
            }
        }
    }
}

fn found(imap: &mut Imap, command: &str) -> Vec<u32> {
    let reply = imap.ok(command);
    let line = &reply.untagged[0];
    line.split_whitespace()
        .skip(1)
        .map(|n| n.parse().unwrap())
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    Append(u8),
    Store(u8, bool, bool),
    Expunge(u8),
    /// The client itself changes something.
    Own(u8, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..6).prop_map(Step::Append),
        (0u8..12, any::<bool>(), any::<bool>()).prop_map(|(n, a, b)| Step::Store(n, a, b)),
        (0u8..12).prop_map(Step::Expunge),
        (0u8..12, any::<bool>()).prop_map(|(n, a)| Step::Own(n, a)),
    ]
}

#[test]
fn the_list_is_what_a_new_search_finds() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let mut other = Imap::login(&server);
    let mut runner = TestRunner::new(Config::with_cases(25));
    let cell = std::cell::RefCell::new((&mut imap, &mut other, 0));
    runner
        .run(&proptest::collection::vec(step(), 1..25), |steps| {
            let (imap, other, round) = &mut *cell.borrow_mut();
            *round += 1;
            let name = format!("c{round}");
            imap.ok(&format!("CREATE {name}"));
            let append = |other: &mut Imap, n: u8| {
                let message = format!("From: a@b\r\nSubject: {n}\r\n\r\nx\r\n");
                other.append(&name, &message);
            };
            (0..4).for_each(|n| append(other, n));
            imap.ok(&format!("SELECT {name}"));
            other.ok(&format!("SELECT {name}"));
            let search = imap.send("UID SEARCH RETURN (UPDATE) UNSEEN NOT SUBJECT 3");
            imap.until(&search);
            let mut set = found(imap, "UID SEARCH UNSEEN NOT SUBJECT 3");
            let sort = imap.send("UID SORT RETURN (UPDATE) (SUBJECT) UTF-8 UNFLAGGED");
            imap.until(&sort);
            let mut list = found(imap, "UID SORT (SUBJECT) UTF-8 UNFLAGGED");
            for step in &steps {
                let flags = |seen: bool, flagged: bool| match (seen, flagged) {
                    (true, true) => "\\Seen \\Flagged",
                    (true, false) => "\\Seen",
                    (false, true) => "\\Flagged",
                    (false, false) => "",
                };
                let reply = match step {
                    Step::Append(n) => {
                        append(other, *n);
                        imap.ok("NOOP")
                    }
                    Step::Store(n, seen, flagged) => {
                        other.ok(&format!(
                            "UID STORE {} FLAGS ({})",
                            n + 1,
                            flags(*seen, *flagged)
                        ));
                        imap.ok("NOOP")
                    }
                    Step::Expunge(n) => {
                        other.ok(&format!("UID STORE {} +FLAGS (\\Deleted)", n + 1));
                        other.ok(&format!("UID EXPUNGE {}", n + 1));
                        imap.ok("NOOP")
                    }
                    Step::Own(n, seen) => imap.ok(&format!(
                        "UID STORE {} FLAGS ({})",
                        n + 1,
                        flags(*seen, *seen)
                    )),
                };
                apply(&mut set, &search, &reply);
                apply(&mut list, &sort, &reply);
                let fresh = imap.ok("UID SEARCH UNSEEN NOT SUBJECT 3");
                apply(&mut set, &search, &fresh);
                apply(&mut list, &sort, &fresh);
                prop_assert_eq!(&set, &found(imap, "UID SEARCH UNSEEN NOT SUBJECT 3"));
                prop_assert_eq!(&list, &found(imap, "UID SORT (SUBJECT) UTF-8 UNFLAGGED"));
            }
            Ok(())
        })
        .unwrap();
}

/// RFC 5267 §4.3: updates come when no command runs, too, and end with the mailbox.
#[test]
fn idle_clients_hear_of_it() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    imap.ok("SELECT INBOX");
    let tag = imap.send("UID SEARCH RETURN (UPDATE COUNT) FLAGGED");
    imap.until(&tag);
    let idle = imap.send("IDLE");
    assert!(imap.response().starts_with("+ "));
    let mut other = Imap::inbox(&server);
    other.ok("STORE 2 +FLAGS (\\Flagged)");
    assert!(imap.response().contains("FETCH"));
    assert_eq!(
        imap.response(),
        format!("* ESEARCH (TAG \"{tag}\") UID ADDTO (0 2)")
    );
    imap.client.send("DONE");
    imap.until(&idle);
    imap.ok("SELECT INBOX");
    other.ok("STORE 2 -FLAGS (\\Flagged)");
    assert!(imap.ok("NOOP").with("ESEARCH").is_empty());
}
