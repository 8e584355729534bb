//! Email/query and Email/queryChanges (RFC 8621 §4.4, §4.5).
use super::{Jmap, import, message, start};
use serde_json::{Value, json};

/// Five emails: one to five, by day.
fn filled() -> (crate::harness::Server, Jmap, Vec<String>) {
    let (server, mut jmap) = start();
    let mut ids = Vec::new();
    for (n, (name, keywords)) in [
        ("Apple", json!({"$seen": true})),
        ("berry", json!({"$flagged": true})),
        ("Cherry", json!({})),
        ("apple two", json!({"$seen": true, "work": true})),
        ("Re: berry", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        ids.push(import(
            &mut jmap,
            name,
            n as u32 + 1,
            json!({"keywords": keywords}),
        ));
    }
    (server, jmap, ids)
}

#[test]
fn windows() {
    let (_server, mut jmap, ids) = filled();
    let newest: Vec<String> = ids.iter().rev().cloned().collect();
    assert_eq!(jmap.query(json!({})), newest);
    let inbox = json!({"inMailbox": jmap.mailbox("inbox")});
    for filter in [json!(null), inbox] {
        let mut of = |more: Value| {
            let mut args = json!({"filter": filter, "sort": [{"property": "receivedAt", "isAscending": false}]});
            args.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            jmap.call("Email/query", args)
        };
        let got = of(json!({"position": 1, "limit": 2, "calculateTotal": true}));
        assert_eq!(
            (&got["ids"], &got["position"], &got["total"]),
            (&json!(newest[1..3]), &json!(1), &json!(5))
        );
        assert_eq!(got["canCalculateChanges"], true);
        assert!(of(json!({"limit": 2})).get("total").is_none());
        let got = of(json!({"position": -2}));
        assert_eq!(
            (&got["ids"], &got["position"]),
            (&json!(newest[3..]), &json!(3))
        );
        assert_eq!(
            of(json!({"position": -99, "limit": 1}))["ids"],
            json!(newest[..1])
        );
        assert_eq!(of(json!({"position": 99}))["ids"], json!([]));
        let got = of(json!({"anchor": newest[2], "anchorOffset": -1, "limit": 2, "position": 77}));
        assert_eq!(
            (&got["ids"], &got["position"]),
            (&json!(newest[1..3]), &json!(1))
        );
        assert_eq!(
            of(json!({"anchor": newest[0], "anchorOffset": -5, "limit": 1}))["ids"],
            json!(newest[..1])
        );
        assert_eq!(of(json!({"anchor": "e999"}))["error"], "anchorNotFound");
        assert_eq!(of(json!({"limit": -1}))["error"], "invalidArguments");
        assert_eq!(of(json!({"limit": 0}))["ids"], json!([]));
        let got = of(json!({"limit": 100_000}));
        assert!(got["limit"].as_u64().unwrap() < 100_000);
        let asc = of(json!({"sort": [{"property": "receivedAt"}], "limit": 2}));
        assert_eq!(asc["ids"], json!(ids[..2]));
    }
}

#[test]
fn filters() {
    let (_server, mut jmap, ids) = filled();
    let archive = jmap.mailbox("archive");
    let (inbox, trash) = (jmap.mailbox("inbox"), jmap.mailbox("trash"));
    jmap.call(
        "Email/set",
        json!({"update": {
        ids[0].clone(): {format!("mailboxIds/{archive}"): true},
        ids[2].clone(): {"mailboxIds": {trash.clone(): true}}}}),
    );
    let octets = "From: x@y.z\r\nX-Mark: Grün\r\nSubject: files\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee the needle in \"hay stack\"\r\n\
        --b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--b--\r\n";
    let blob = jmap.upload("message/rfc822", octets.as_bytes());
    let file = import(&mut jmap, "ignored", 6, json!({"blobId": blob}));
    let mut of = |filter: Value| -> Vec<usize> {
        let found = jmap.query(json!({"filter": filter, "sort": [{"property": "receivedAt"}]}));
        let index = |id: &String| ids.iter().position(|i| i == id).unwrap_or(5) + 1;
        found.iter().map(index).collect()
    };
    let any = |op: &str, list: Value| json!({"operator": op, "conditions": list});
    for (filter, want) in [
        (json!({"inMailbox": archive}), vec![1]),
        (json!({"inMailbox": "m999"}), vec![]),
        (
            json!({"inMailbox": inbox.clone(), "hasKeyword": "$seen"}),
            vec![1, 4],
        ),
        (
            json!({"inMailboxOtherThan": [trash.clone(), inbox.clone()]}),
            vec![1],
        ),
        (
            json!({"inMailboxOtherThan": [trash.clone()]}),
            vec![1, 2, 4, 5, 6],
        ),
        (
            any(
                "AND",
                json!([{"inMailbox": inbox.clone()}, {"inMailbox": archive}]),
            ),
            vec![1],
        ),
        (
            any("OR", json!([{"inMailbox": archive}, {"inMailbox": trash}])),
            vec![1, 3],
        ),
        (any("NOT", json!([{"inMailbox": inbox}])), vec![3]),
        (json!({"before": "2024-01-02T12:00:00Z"}), vec![1]),
        (json!({"after": "2024-01-05T12:00:00Z"}), vec![5, 6]),
        (
            json!({"minSize": 1, "maxSize": 1_000_000}),
            vec![1, 2, 3, 4, 5, 6],
        ),
        (json!({"maxSize": 1}), vec![]),
        (json!({"hasKeyword": "$SEEN"}), vec![1, 4]),
        (json!({"notKeyword": "$seen"}), vec![2, 3, 5, 6]),
        (json!({"hasKeyword": "never"}), vec![]),
        (json!({"notKeyword": "never"}), vec![1, 2, 3, 4, 5, 6]),
        (json!({"hasKeyword": "work"}), vec![4]),
        (json!({"hasAttachment": true}), vec![6]),
        (json!({"hasAttachment": false}), vec![1, 2, 3, 4, 5]),
        (json!({"subject": "APPLE"}), vec![1, 4]),
        (json!({"subject": "two apple"}), vec![4]),
        (json!({"subject": "\"two apple\""}), vec![]),
        (json!({"from": "sender cherry"}), vec![3]),
        (json!({"to": "anna"}), vec![1, 2, 3, 4, 5]),
        (json!({"cc": "anna"}), vec![]),
        (json!({"body": "needle"}), vec![6]),
        (json!({"body": "'hay stack'"}), vec![6]),
        (json!({"text": "berry"}), vec![2, 5]),
        (json!({"text": "text of"}), vec![1, 2, 3, 4, 5]),
        (json!({"header": ["x-mark"]}), vec![6]),
        (json!({"header": ["X-Mark", "GRÜN"]}), vec![6]),
        (json!({"header": ["X-Mark", "other"]}), vec![]),
        (
            json!({"someInThreadHaveKeyword": "$flagged", "notKeyword": "$flagged"}),
            vec![],
        ),
        (
            json!({"noneInThreadHaveKeyword": "$seen", "hasAttachment": false}),
            vec![2, 3, 5],
        ),
        (json!({"allInThreadHaveKeyword": "$seen"}), vec![1, 4]),
        (
            any(
                "AND",
                json!([
                    any(
                        "NOT",
                        json!([{"hasKeyword": "$seen"}, {"subject": "berry"}])
                    ),
                    {}
                ]),
            ),
            vec![3, 6],
        ),
    ] {
        assert_eq!(of(filter.clone()), want, "{filter}");
    }
    let _ = (message, file);
    for (filter, want) in [
        (json!({"colour": 1}), "unsupportedFilter"),
        (json!({"before": "2024"}), "invalidArguments"),
        (json!({"hasKeyword": 1}), "invalidArguments"),
        (json!({"header": []}), "invalidArguments"),
        (json!({"header": ["a", "b", "c"]}), "invalidArguments"),
        (json!("x"), "invalidArguments"),
        (
            json!({"operator": "XOR", "conditions": []}),
            "invalidArguments",
        ),
    ] {
        assert_eq!(
            jmap.call("Email/query", json!({"filter": filter}))["error"],
            want,
            "{filter}"
        );
    }
}

#[test]
fn sorts() {
    let (_server, mut jmap, ids) = filled();
    let mut of = |sort: Value| -> Vec<usize> {
        let found = jmap.query(json!({"sort": sort}));
        found
            .iter()
            .map(|id| ids.iter().position(|i| i == id).unwrap() + 1)
            .collect()
    };
    let by = |name: &str, up: bool| json!({"property": name, "isAscending": up});
    assert_eq!(
        of(json!([by("subject", true), by("receivedAt", true)])),
        [1, 4, 2, 5, 3]
    );
    // "Sender Apple", "Sender apple two", "Sender berry", "Sender Cherry", "Sender Re: berry".
    assert_eq!(of(json!([by("from", true)])), [1, 4, 2, 3, 5]);
    assert_eq!(
        of(json!([by("to", true), by("from", false)])),
        [5, 3, 2, 4, 1]
    );
    assert_eq!(of(json!([by("sentAt", false)])), [5, 4, 3, 2, 1]);
    assert_eq!(
        of(
            json!([{"property": "hasKeyword", "keyword": "$seen", "isAscending": false},
        by("receivedAt", true)])
        ),
        [1, 4, 2, 3, 5]
    );
    assert_eq!(
        of(
            json!([{"property": "someInThreadHaveKeyword", "keyword": "$flagged", "isAscending": false},
        {"property": "subject", "collation": "i;ascii-casemap"}, by("receivedAt", false)])
        )[0],
        2
    );
    // One client library puts a query's arguments into its comparators.
    let sizes = of(
        json!([{"property": "size", "isAscending": true, "anchorOffset": 0, "calculateTotal": false}]),
    );
    assert_eq!(sizes.len(), 5);
    for bad in [
        json!([by("colour", true)]),
        json!([{"property": "size", "collation": "i;octet"}]),
    ] {
        assert_eq!(
            jmap.call("Email/query", json!({"sort": bad}))["error"],
            "unsupportedSort"
        );
    }
    let bad = json!({"sort": [{"property": "hasKeyword"}]});
    assert_eq!(jmap.call("Email/query", bad)["error"], "invalidArguments");
}

/// RFC 8620 §5.5: i;unicode-casemap (RFC 5051) by default, i;ascii-casemap (RFC 4790 §9.2) by name.
#[test]
fn collations() {
    let (_server, mut jmap) = start();
    let names = ["été", "Zoo", "ÉTÉ", "eta"];
    let ids: Vec<String> = (1..)
        .zip(names)
        .map(|(n, name)| import(&mut jmap, name, n, json!({})))
        .collect();
    for (collation, want) in [
        (json!(null), [3, 2, 0, 1]),
        (json!("i;unicode-casemap"), [3, 2, 0, 1]),
        (json!("i;ascii-casemap"), [3, 1, 2, 0]),
    ] {
        let sort = json!([{"property": "subject", "collation": collation},
            {"property": "receivedAt", "isAscending": false}]);
        let want = want.map(|at| ids[at].clone());
        assert_eq!(jmap.query(json!({"sort": sort})), want, "{collation}");
    }
}

#[test]
fn collapsed() {
    let (_server, mut jmap) = start();
    let mut ids = Vec::new();
    for n in 1..=6u32 {
        // Two threads in turn.
        let root = format!("<root{}@x>", n % 2);
        let octets = message(
            &[
                ("Message-ID", &format!("<n{n}@x>")),
                ("References", &root),
                ("Subject", "s"),
            ],
            "x\n",
        );
        let blob = jmap.upload("message/rfc822", &octets);
        ids.push(import(&mut jmap, "ignored", n, json!({"blobId": blob})));
    }
    let inbox = jmap.mailbox("inbox");
    for filter in [json!(null), json!({"inMailbox": inbox})] {
        let got = jmap.call(
            "Email/query",
            json!({"filter": filter, "collapseThreads": true, "calculateTotal": true}),
        );
        assert_eq!(
            (&got["ids"], &got["total"]),
            (&json!([ids[5], ids[4]]), &json!(2))
        );
    }
}

/// Applies an answer of queryChanges to a cached list as RFC 8620 §5.6 says.
fn apply(list: &mut Vec<String>, changes: &Value) {
    let removed = changes["removed"].as_array().unwrap();
    list.retain(|id| !removed.iter().any(|r| r == id));
    for item in changes["added"].as_array().unwrap() {
        list.insert(
            item["index"].as_u64().unwrap() as usize,
            item["id"].as_str().unwrap().to_owned(),
        );
    }
}

#[test]
fn query_changes() {
    let (_server, mut jmap, ids) = filled();
    let inbox = jmap.mailbox("inbox");
    let questions = [
        json!({"filter": null, "sort": [{"property": "receivedAt"}]}),
        json!({"filter": {"inMailbox": inbox}}),
        json!({"filter": {"notKeyword": "$seen"}, "sort": [{"property": "subject"}]}),
        json!({"filter": {"someInThreadHaveKeyword": "$flagged"}, "collapseThreads": true}),
        json!({"collapseThreads": true}),
    ];
    let mut cached: Vec<(String, Vec<String>)> = Vec::new();
    for question in &questions {
        let got = jmap.call("Email/query", question.clone());
        let list = got["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i.as_str().unwrap().to_owned());
        cached.push((
            got["queryState"].as_str().unwrap().to_owned(),
            list.collect(),
        ));
    }
    let trash = jmap.mailbox("trash");
    let steps: Vec<Value> = vec![
        json!({"update": {ids[2].clone(): {"keywords/$seen": true}}}),
        json!({"update": {ids[4].clone(): {"keywords/$flagged": true}}}),
        json!({"destroy": [ids[0]]}),
        json!({"update": {ids[1].clone(): {"mailboxIds": {trash: true}, "keywords/$flagged": null}}}),
    ];
    for step in steps {
        jmap.call("Email/set", step.clone());
        import(&mut jmap, "Re: berry", 3, json!({}));
        for (question, (state, list)) in questions.iter().zip(&mut cached) {
            let mut args = question.clone();
            args["sinceQueryState"] = json!(state);
            let changes = jmap.call("Email/queryChanges", args);
            assert!(changes.get("error").is_none(), "{changes}");
            apply(list, &changes);
            *state = changes["newQueryState"].as_str().unwrap().to_owned();
            let now = jmap.query(question.clone());
            assert_eq!(*list, now, "{question} after {step}");
        }
    }
    let answer = jmap.call(
        "Email/queryChanges",
        json!({"sinceQueryState": "1", "maxChanges": 1}),
    );
    assert_eq!(answer["error"], "tooManyChanges");
    let answer = jmap.call("Email/queryChanges", json!({"sinceQueryState": "no"}));
    assert_eq!(answer["error"], "cannotCalculateChanges");
}

/// RFC 8621 §5.
#[test]
fn snippets() {
    let (_server, mut jmap, ids) = filled();
    let octets = message(
        &[("Subject", "The Foosball <b>")],
        "a long way to go, 1 < 2 & foo/bar\n",
    );
    let blob = jmap.upload("message/rfc822", &octets);
    let id = import(&mut jmap, "ignored", 9, json!({"blobId": blob}));
    let got = jmap.call(
        "SearchSnippet/get",
        json!({"filter": {"text": "foo"}, "emailIds": [id, ids[0], "e999"]}),
    );
    assert_eq!(
        got["list"][0],
        json!({"emailId": id, "subject": "The <mark>Foo</mark>sball &lt;b&gt;",
        "preview": "a long way to go, 1 &lt; 2 &amp; <mark>foo</mark>/bar"})
    );
    assert_eq!(
        got["list"][1],
        json!({"emailId": ids[0], "subject": null, "preview": null})
    );
    assert_eq!(got["notFound"], json!(["e999"]));
    let bad = json!({"filter": {"colour": 1}, "emailIds": []});
    assert_eq!(
        jmap.call("SearchSnippet/get", bad)["error"],
        "unsupportedFilter"
    );
}

/// However far inside; and as the search compares: by i;unicode-casemap.
#[test]
fn a_snippet_from_the_end_of_a_long_text() {
    let (_server, mut jmap) = start();
    let body = format!(
        "{}\nthe Caf\u{e9} is here\n",
        "some words of no use. ".repeat(30_000)
    );
    let fields = [
        ("Subject", "long"),
        ("Content-Type", "text/plain; charset=utf-8"),
    ];
    let blob = jmap.upload("message/rfc822", &super::message(&fields, &body));
    let inbox = jmap.mailbox("inbox");
    let made = jmap.call(
        "Email/import",
        json!({ "emails": { "k": { "blobId": blob, "mailboxIds": { inbox: true } } } }),
    );
    let id = made["created"]["k"]["id"].clone();
    let filter = json!({ "body": "CAFE\u{301}" });
    assert_eq!(
        jmap.query(json!({ "filter": filter })),
        [id.as_str().unwrap()]
    );
    let got = jmap.call(
        "SearchSnippet/get",
        json!({ "filter": filter, "emailIds": [id] }),
    );
    let preview = got["list"][0]["preview"].as_str().unwrap();
    assert!(
        preview.starts_with("...") && preview.len() <= 255,
        "{preview}"
    );
    assert!(
        preview.ends_with("the <mark>Caf\u{e9}</mark> is here"),
        "{preview}"
    );
}

/// A page of the newest, however it is found, is a part of all of them in order: dates in any order
/// and many the same, emails in several mailboxes, some marked `\Deleted` over IMAP.
#[test]
fn a_page_is_a_part_of_the_whole() {
    let (server, mut jmap) = start();
    let mut imap = super::sync::Imap::new(&server);
    let mut seed = 7u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let boxes = ["inbox", "archive", "trash"].map(|role| jmap.mailbox(role));
    let mut ids: Vec<String> = Vec::new();
    for step in 0..150 {
        let mailbox = boxes[random(3)].clone();
        let some = (!ids.is_empty()).then(|| random(ids.len()));
        match (random(10), some) {
            (4, Some(at)) => {
                jmap.call("Email/set", json!({"destroy": [ids.swap_remove(at)]}));
            }
            (5 | 6, Some(at)) => {
                let patch = json!({"mailboxIds": {mailbox: true}});
                jmap.call("Email/set", json!({"update": {ids[at].clone(): patch}}));
            }
            (7, Some(at)) => {
                let patch =
                    json!({format!("mailboxIds/{mailbox}"): true, "keywords/$flagged": true});
                jmap.call("Email/set", json!({"update": {ids[at].clone(): patch}}));
            }
            (8 | 9, _) => {
                let sign = if step % 3 == 0 { '+' } else { '-' };
                let uid = 1 + random(8);
                imap.ask(&format!("UID STORE {uid} {sign}FLAGS.SILENT (\\Deleted)"));
            }
            _ => {
                let (name, day) = (["one", "two", "Re: one"][random(3)], 1 + random(8) as u32);
                ids.push(import(
                    &mut jmap,
                    name,
                    day,
                    json!({"mailboxIds": {mailbox: true}}),
                ));
            }
        }
        for filter in [
            json!(null),
            json!({"inMailbox": boxes[1]}),
            json!({"inMailbox": boxes[0], "hasKeyword": "$flagged"}),
            json!({"inMailboxOtherThan": [boxes[2]]}),
        ] {
            for collapse in [false, true] {
                let args = json!({"filter": filter, "collapseThreads": collapse});
                let all = jmap.query(args.clone());
                let mut part = |more: Value| {
                    let mut args = args.clone();
                    args.as_object_mut()
                        .unwrap()
                        .extend(more.as_object().unwrap().clone());
                    jmap.call("Email/query", args)
                };
                let at = random(all.len() + 1);
                let page = part(json!({"position": at, "limit": 3, "calculateTotal": true}));
                let want = &all[at..all.len().min(at + 3)];
                assert_eq!(page["ids"], json!(want), "step {step}: {args}");
                assert_eq!(page["total"], all.len(), "step {step}: {args}");
                let page = part(json!({"position": at, "limit": 3}));
                assert_eq!(page["ids"], json!(want), "step {step}: {args}");
                if let Some(anchor) = all.get(at) {
                    let page = part(json!({"anchor": anchor, "limit": 3}));
                    assert_eq!(page["ids"], json!(want), "step {step}: {args}");
                }
            }
        }
    }
}

/// A text that hardly gets smaller when it is packed.
fn noise(mut seed: u32) -> String {
    let mut text = String::from("Some words to read. ");
    while text.len() < 30_000 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("{:x} ", seed >> 4));
    }
    text
}

/// A page of a list is made of rows alone: it is the same after every body is gone from the store.
#[test]
fn a_page_opens_no_body() {
    let (mut server, mut jmap) = start();
    for n in 0..50u32 {
        let text = message(
            &[
                ("From", "\"B\" <b@else.where>"),
                ("Subject", &format!("Letter {n}")),
            ],
            &noise(n),
        );
        let blob = jmap.upload("message/rfc822", &text);
        import(&mut jmap, "x", 1 + n % 28, json!({"blobId": blob}));
    }
    let list = [
        "id",
        "blobId",
        "threadId",
        "mailboxIds",
        "keywords",
        "size",
        "receivedAt",
        "from",
        "to",
        "cc",
        "replyTo",
        "subject",
        "sentAt",
        "messageId",
        "inReplyTo",
        "hasAttachment",
        "preview",
    ];
    let page = |jmap: &mut Jmap| {
        let filter = json!({"inMailbox": jmap.mailbox("inbox")});
        let ids = jmap.query(json!({"filter": filter, "limit": 50}));
        assert_eq!(ids.len(), 50);
        jmap.call("Email/get", json!({"ids": ids, "properties": list}))["list"].clone()
    };
    let whole = page(&mut jmap);
    let id = whole[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        whole[49]["preview"].as_str().unwrap().get(..20),
        Some("Some words to read. ")
    );
    drop(jmap);
    server.restart_with(|config| {
        let store = redb::Database::open(&config.db).unwrap();
        let work = store.begin_write().unwrap();
        let bodies: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("blob");
        use redb::ReadableTableMetadata;
        let mut bodies = work.open_table(bodies).unwrap();
        assert!(bodies.len().unwrap() >= 50);
        bodies.retain(|_, _| false).unwrap();
        drop(bodies);
        work.commit().unwrap();
    });
    let mut jmap = Jmap::new(&server);
    assert_eq!(page(&mut jmap), whole);
    let args = json!({"ids": [id], "properties": ["bodyValues"], "fetchTextBodyValues": true});
    assert!(jmap.call("Email/get", args).get("error").is_some());
}
