//! States (RFC 8620 §5): each type has its own, and `ifInState` holds against other sessions.
use super::{Jmap, import, start};
use crate::harness::{PASSWORD, USER};
use pillarbox::config::Role;
use serde_json::{Value, json};
use std::sync::{Arc, Barrier};

fn state(jmap: &mut Jmap, kind: &str) -> String {
    let answer = jmap.call(&format!("{kind}/get"), json!({ "ids": [] }));
    answer["state"].as_str().unwrap().to_owned()
}

/// Many sessions hold the same state and write at once: one of them wins, the others are told.
fn race(rounds: usize, change: impl Fn(&mut Jmap, usize, &str) -> Value + Copy + Send + 'static) {
    const SESSIONS: usize = 8;
    let (server, mut jmap) = start();
    let email = import(&mut jmap, "Race", 1, json!({}));
    let kind = match change(&mut jmap, 99, "?") {
        Value::String(kind) => kind,
        other => panic!("{other}"),
    };
    let barrier = Arc::new(Barrier::new(SESSIONS + 1));
    let (send, receive) = std::sync::mpsc::channel();
    let mut threads = Vec::new();
    let mut lines = Vec::new();
    for number in 0..SESSIONS {
        let mut own = Jmap::new(&server);
        let (barrier, send) = (barrier.clone(), send.clone());
        let (line, states) = std::sync::mpsc::channel::<String>();
        lines.push(line);
        threads.push(std::thread::spawn(move || {
            for state in states {
                barrier.wait();
                send.send(change(&mut own, number, &state)).unwrap();
            }
        }));
    }
    for round in 0..rounds {
        let now = state(&mut jmap, &kind);
        lines
            .iter()
            .for_each(|line| line.send(now.clone()).unwrap());
        barrier.wait();
        let answers: Vec<Value> = (0..SESSIONS).map(|_| receive.recv().unwrap()).collect();
        let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|a| a["error"].is_null());
        assert_eq!(won.len(), 1, "round {round}: {answers:?}");
        assert!(
            lost.iter().all(|a| a["error"] == "stateMismatch"),
            "{lost:?}"
        );
        assert_eq!(won[0]["oldState"], now.as_str());
        assert_eq!(won[0]["newState"], state(&mut jmap, &kind));
    }
    drop(lines);
    threads.into_iter().for_each(|t| t.join().unwrap());
    let _ = email;
}

#[test]
fn one_of_many_updates_an_email() {
    race(30, |jmap, number, state| {
        if state == "?" {
            return "Email".into();
        }
        let id = jmap.query(json!({}))[0].clone();
        let on = format!("keywords/k{number}");
        let seen = jmap.email(&id, json!(["keywords"]))["keywords"][format!("k{number}")].clone();
        let value = if seen.is_null() {
            json!(true)
        } else {
            Value::Null
        };
        jmap.call(
            "Email/set",
            json!({ "ifInState": state, "update": { id: { on: value } } }),
        )
    });
}

#[test]
fn one_of_many_makes_and_changes_mailboxes() {
    race(15, |jmap, number, state| {
        if state == "?" {
            return "Mailbox".into();
        }
        let archive = jmap.mailbox("archive");
        jmap.call(
            "Mailbox/set",
            json!({
                "ifInState": state,
                "create": { "n": { "name": format!("{number} {state}") } },
                "update": { archive: { "sortOrder": state.parse::<u32>().unwrap() + 1000 } },
            }),
        )
    });
}

#[test]
fn one_of_many_creates_an_email() {
    race(15, |jmap, number, state| {
        if state == "?" {
            return "Email".into();
        }
        let inbox = jmap.mailbox("inbox");
        jmap.call(
            "Email/set",
            json!({ "ifInState": state, "create": { "n": {
                "mailboxIds": { inbox: true },
                "subject": format!("{number}"),
                "bodyValues": { "1": { "value": "x" } },
                "textBody": [{ "partId": "1", "type": "text/plain" }],
            } } }),
        )
    });
}

#[test]
fn types_change_on_their_own() {
    let (_server, mut jmap) = start();
    let id = import(&mut jmap, "One", 1, json!({}));
    let all = |jmap: &mut Jmap| ["Email", "Thread", "Mailbox"].map(|kind| state(jmap, kind));
    let before = all(&mut jmap);
    // A keyword is nothing to threads and mailboxes.
    let set = |patch: Value| json!({ "update": { id.clone(): patch } });
    jmap.call("Email/set", set(json!({ "keywords/$flagged": true })));
    let flagged = all(&mut jmap);
    assert_ne!(before[0], flagged[0]);
    assert_eq!(before[1..], flagged[1..]);
    let mailboxes = jmap.call("Mailbox/changes", json!({ "sinceState": before[2] }));
    assert_eq!(mailboxes["updated"], json!([]));
    // $seen is a count of its mailbox.
    jmap.call("Email/set", set(json!({ "keywords/$seen": true })));
    let seen = all(&mut jmap);
    assert_eq!(seen[1], flagged[1]);
    assert_ne!(seen[2], flagged[2]);
    let inbox = jmap.mailbox("inbox");
    let mailboxes = jmap.call("Mailbox/changes", json!({ "sinceState": flagged[2] }));
    assert_eq!(mailboxes["updated"], json!([inbox]));
    let counts = [
        "totalEmails",
        "unreadEmails",
        "totalThreads",
        "unreadThreads",
    ];
    assert_eq!(mailboxes["updatedProperties"], json!(counts));
    // A mailbox is nothing to emails and threads.
    jmap.call(
        "Mailbox/set",
        json!({ "create": { "a": { "name": "New" } } }),
    );
    let made = all(&mut jmap);
    assert_eq!(made[..2], seen[..2]);
    assert_ne!(made[2], seen[2]);
    // A new email is all three.
    import(&mut jmap, "Two", 2, json!({}));
    let grown = all(&mut jmap);
    assert!((0..3).all(|at| grown[at] != made[at]));
    // What is refused is nothing to anyone.
    let refused = jmap.call(
        "Mailbox/set",
        json!({ "create": { "a": { "name": "New" } } }),
    );
    assert_eq!(refused["oldState"], refused["newState"]);
    assert_eq!(all(&mut jmap), grown);
    let answer = jmap.call(
        "Email/set",
        json!({ "ifInState": seen[0], "destroy": [id] }),
    );
    assert_eq!(answer["error"], "stateMismatch");
}

#[test]
fn deleted_over_imap_is_a_change_of_its_thread() {
    let (server, mut jmap) = start();
    import(&mut jmap, "Topic", 1, json!({}));
    let second = import(&mut jmap, "Topic", 2, json!({}));
    let thread = jmap.email(&second, json!(["threadId"]))["threadId"].clone();
    let before = state(&mut jmap, "Thread");
    let mut imap = server.client(Role::Imap);
    imap.expect("* OK");
    imap.ask(&format!("a LOGIN {USER} \"{PASSWORD}\""), "a OK");
    imap.ask("b SELECT INBOX", "b OK");
    for (command, tag) in [("+FLAGS (\\Deleted)", "c"), ("-FLAGS (\\Deleted)", "d")] {
        let since = state(&mut jmap, "Thread");
        imap.ask(&format!("{tag} STORE 2 {command}"), &format!("{tag} OK"));
        let changes = jmap.call("Thread/changes", json!({ "sinceState": since }));
        let lists = ["created", "updated", "destroyed"];
        let told = lists.map(|list| changes[list].as_array().unwrap().len());
        assert_eq!(told.iter().sum::<usize>(), 1, "{changes}");
    }
    imap.ask("e STORE 1:2 +FLAGS (\\Deleted)", "e OK");
    let changes = jmap.call("Thread/changes", json!({ "sinceState": before }));
    let gone = changes["destroyed"].as_array().unwrap();
    assert!(gone.contains(&thread), "{changes}");
    let answer = jmap.call("Thread/get", json!({ "ids": [thread] }));
    assert_eq!(answer["notFound"], json!([thread]));
}

#[test]
fn mailboxes_in_steps() {
    let (_server, mut jmap) = start();
    let since = state(&mut jmap, "Mailbox");
    let mut made = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let answer = jmap.call(
            "Mailbox/set",
            json!({ "create": { "m": { "name": name } } }),
        );
        made.push(answer["created"]["m"]["id"].as_str().unwrap().to_owned());
    }
    // The second one changes after all were made, the third goes, the fourth nobody heard of.
    let update = json!({ "update": { made[1].clone(): { "sortOrder": 7 } }, "destroy": [made[3]] });
    jmap.call("Mailbox/set", update);
    let mut known = std::collections::BTreeSet::new();
    let (mut at, mut steps) = (since, 0);
    loop {
        let args = json!({ "sinceState": at, "maxChanges": 1 });
        let changes = jmap.call("Mailbox/changes", args);
        assert_eq!(changes["error"], Value::Null, "{changes}");
        let list = |name: &str| -> Vec<String> {
            let ids = changes[name].as_array().unwrap();
            ids.iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect()
        };
        let told = list("created").len() + list("updated").len() + list("destroyed").len();
        assert!(told <= 1, "{changes}");
        known.extend(list("created"));
        list("updated")
            .iter()
            .for_each(|id| assert!(known.contains(id)));
        list("destroyed")
            .iter()
            .for_each(|id| assert!(known.remove(id)));
        at = changes["newState"].as_str().unwrap().to_owned();
        steps += 1;
        if changes["hasMoreChanges"] == false {
            break;
        }
    }
    assert_eq!(at, state(&mut jmap, "Mailbox"));
    assert_eq!(known.into_iter().collect::<Vec<_>>(), made[..3]);
    assert!((3..=5).contains(&steps), "{steps}");
}

#[test]
fn mailboxes_change_places() {
    let (_server, mut jmap) = start();
    let answer = jmap.call(
        "Mailbox/set",
        json!({ "create": {
            "a": { "name": "A" }, "b": { "name": "B" }, "c": { "name": "C", "parentId": "#a" },
        } }),
    );
    let id = |name: &str| answer["created"][name]["id"].as_str().unwrap().to_owned();
    let (a, b, c) = (id("a"), id("b"), id("c"));
    let names = |jmap: &mut Jmap| {
        let all = jmap.call("Mailbox/get", json!({ "ids": [a, b, c] }));
        let list = all["list"].as_array().unwrap().clone();
        list.iter()
            .map(|m| m["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let swap = json!({ "update": { a.clone(): { "name": "B" }, b.clone(): { "name": "A" } } });
    let done = jmap.call("Mailbox/set", swap);
    assert_eq!(done["notUpdated"], Value::Null, "{done}");
    assert_eq!(names(&mut jmap), ["B", "A", "C"]);
    // Three in a ring, and one that cannot have what it wants.
    let archive = jmap.mailbox("archive");
    let ring = json!({ "update": {
        a.clone(): { "name": "A" },
        b.clone(): { "name": "Drafts" },
        archive.clone(): { "name": "B" },
    } });
    let done = jmap.call("Mailbox/set", ring);
    let refused = done["notUpdated"].as_object().unwrap();
    assert_eq!(
        refused.len(),
        3,
        "each waits for the one that stays: {done}"
    );
    assert_eq!(refused[&b]["properties"], json!(["name"]));
    let ring = json!({ "update": {
        a.clone(): { "name": "A" },
        b.clone(): { "name": "Archive" },
        archive.clone(): { "name": "B" },
        c.clone(): { "name": "" },
    } });
    let done = jmap.call("Mailbox/set", ring);
    assert_eq!(done["updated"].as_object().unwrap().len(), 3, "{done}");
    assert_eq!(names(&mut jmap), ["A", "Archive", "C"]);
    // Each below the other is no tree, and does not hang.
    let knot = json!({ "update": {
        a.clone(): { "parentId": b }, b.clone(): { "parentId": c }, c.clone(): { "parentId": a },
    } });
    let done = jmap.call("Mailbox/set", knot);
    assert!(
        done["notUpdated"]
            .as_object()
            .is_some_and(|n| !n.is_empty()),
        "{done}"
    );
    jmap.call("Mailbox/get", json!({ "ids": null }));
    // Roles change hands.
    let (junk, trash) = (jmap.mailbox("junk"), jmap.mailbox("trash"));
    let roles =
        json!({ "update": { junk.clone(): { "role": "trash" }, trash: { "role": "junk" } } });
    let done = jmap.call("Mailbox/set", roles);
    assert_eq!(done["notUpdated"], Value::Null, "{done}");
}

#[test]
fn a_mailbox_with_nothing_but_deleted_ones_goes() {
    let (server, mut jmap) = start();
    let answer = jmap.call(
        "Mailbox/set",
        json!({ "create": { "a": { "name": "Old" } } }),
    );
    let old = answer["created"]["a"]["id"].as_str().unwrap().to_owned();
    let boxes = json!({ "mailboxIds": { old.clone(): true } });
    let id = import(&mut jmap, "One", 1, boxes);
    let destroy = json!({ "destroy": [old] });
    let kept = jmap.call("Mailbox/set", destroy.clone());
    assert_eq!(kept["notDestroyed"][&old]["type"], "mailboxHasEmail");
    let mut imap = server.client(Role::Imap);
    imap.expect("* OK");
    imap.ask(&format!("a LOGIN {USER} \"{PASSWORD}\""), "a OK");
    imap.ask("b SELECT Old", "b OK");
    imap.ask("c STORE 1 +FLAGS.SILENT (\\Deleted)", "c OK");
    let done = jmap.call("Mailbox/set", destroy);
    assert_eq!(done["destroyed"], json!([old]), "{done}");
    let got = jmap.call("Email/get", json!({ "ids": [id] }));
    assert_eq!(got["notFound"], json!([id]));
}

/// What IMAP shows again is new to whoever was not shown it, whichever mailbox it is shown by; and
/// where nobody remembers, nobody guesses.
#[test]
fn what_is_shown_again_is_new() {
    let (mut server, mut jmap) = start();
    let one = import(&mut jmap, "One", 1, json!({}));
    let two = import(&mut jmap, "Two", 2, json!({}));
    let archive = json!({format!("mailboxIds/{}", jmap.mailbox("archive")): true});
    let mut imap = super::sync::Imap::new(&server);
    imap.ask("STORE 1:2 +FLAGS (\\Deleted)");
    let since = ["Email", "Thread"].map(|kind| state(&mut jmap, kind));
    // Two is in two mailboxes, and hidden in both.
    imap.ask("STORE 2 -FLAGS (\\Deleted)");
    jmap.call("Email/set", json!({"update": {two.clone(): archive}}));
    let both = state(&mut jmap, "Email");
    imap.ask("STORE 2 +FLAGS (\\Deleted)");
    let told = jmap.call("Email/changes", json!({"sinceState": both}));
    assert_eq!(told["updated"], json!([two]), "{told}");
    imap.ask("SELECT Archive");
    imap.ask("STORE 1 +FLAGS (\\Deleted)");
    let hidden = state(&mut jmap, "Email");
    imap.ask("STORE 1 -FLAGS (\\Deleted)");
    imap.ask("STORE 1 +FLAGS (\\Seen)");
    let told = jmap.call("Email/changes", json!({"sinceState": hidden}));
    assert_eq!(
        (&told["created"], &told["updated"]),
        (&json!([two]), &json!([])),
        "{told}"
    );
    imap.ask("SELECT INBOX");
    imap.ask("STORE 1 -FLAGS (\\Deleted)");
    imap.ask("STORE 1 +FLAGS (\\Seen)");
    let mut threads = Vec::new();
    for (kind, since) in ["Email", "Thread"].into_iter().zip(&since) {
        let told = jmap.call(&format!("{kind}/changes"), json!({"sinceState": since}));
        assert_eq!(told["created"].as_array().unwrap().len(), 2, "{told}");
        assert_eq!(
            (&told["updated"], &told["destroyed"]),
            (&json!([]), &json!([])),
            "{told}"
        );
        threads.push(told["newState"].clone());
    }
    // Behind a restart the flags of that time are forgotten.
    server.restart();
    let mut jmap = Jmap::new(&server);
    for (kind, since) in ["Email", "Thread"].into_iter().zip(&since) {
        let told = jmap.call(&format!("{kind}/changes"), json!({"sinceState": since}));
        assert_eq!(told["error"], "cannotCalculateChanges", "{kind}");
    }
    // Whoever heard of it goes on.
    let now = state(&mut jmap, "Email");
    jmap.call(
        "Email/set",
        json!({"update": {one.clone(): {"keywords/$flagged": true}}}),
    );
    server.restart();
    let mut jmap = Jmap::new(&server);
    let told = jmap.call("Email/changes", json!({"sinceState": now}));
    assert_eq!(told["updated"], json!([one]), "{told}");
}
