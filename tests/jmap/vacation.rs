//! VacationResponse (RFC 8621 §8) and what it does when mail arrives (RFC 3834, RFC 5230 §4).
use super::Jmap;
use crate::harness::Server;
use crate::smtp::fake::Fake;
use pillarbox::config::Role;
use serde_json::{Value, json};

fn server(fake: &Fake) -> Server {
    Server::with(|config| config.smarthost = Some(fake.smarthost()))
}

fn update(jmap: &mut Jmap, patch: Value) -> Value {
    let set = jmap.call(
        "VacationResponse/set",
        json!({ "update": { "singleton": patch } }),
    );
    assert_eq!(set["updated"], json!({ "singleton": null }), "{set}");
    set
}

/// Delivers a message by SMTP.
fn deliver(server: &Server, from: &str, to: &str, fields: &str) {
    let mut client = server.client(Role::Smtp);
    client.expect("220");
    client.ask("EHLO mx.else.where", "250 ");
    client.ask(&format!("MAIL FROM:<{from}>"), "250");
    client.ask(&format!("RCPT TO:<{to}>"), "250");
    client.ask("DATA", "354");
    client.ask(&format!("{fields}\r\n\r\nHello.\r\n."), "250");
    client.ask("QUIT", "221");
}

#[test]
fn one_object_with_its_properties() {
    let (_server, mut jmap) = super::start();
    let got = jmap.call("VacationResponse/get", json!({ "ids": null }));
    assert_eq!(
        got["list"],
        json!([{ "id": "singleton", "isEnabled": false, "fromDate": null, "toDate": null,
            "subject": null, "textBody": null, "htmlBody": null }])
    );
    let state = got["state"].clone();
    let set = jmap.call(
        "VacationResponse/set",
        json!({
            "ifInState": state,
            "create": { "a": { "isEnabled": true } },
            "destroy": ["singleton", "other"],
            "update": {
                "singleton": { "isEnabled": true, "fromDate": "2014-10-30T14:12:00Z",
                    "toDate": "9999-01-01T00:00:00Z", "subject": "Gone fishing", "id": "singleton" },
                "second": {},
            },
        }),
    );
    assert_eq!(set["notCreated"]["a"]["type"], "singleton");
    assert_eq!(set["notDestroyed"]["singleton"]["type"], "singleton");
    assert_eq!(set["notDestroyed"]["other"]["type"], "notFound");
    assert_eq!(set["notUpdated"]["second"]["type"], "notFound");
    assert_eq!(set["updated"], json!({ "singleton": null }));
    assert_eq!(set["oldState"], state);
    let got = jmap.call(
        "VacationResponse/get",
        json!({ "ids": ["singleton", "x"], "properties": ["fromDate", "toDate", "subject"] }),
    );
    assert_eq!(
        got["list"],
        json!([{ "id": "singleton", "fromDate": "2014-10-30T14:12:00Z",
            "toDate": "9999-01-01T00:00:00Z", "subject": "Gone fishing" }])
    );
    assert_eq!(
        (&got["state"], &got["notFound"]),
        (&set["newState"], &json!(["x"]))
    );
    for (name, bad) in [
        ("isEnabled", json!("yes")),
        ("fromDate", json!("yesterday")),
        ("toDate", json!("2014-10-30T14:12:00+02:00")),
        ("subject", json!(1)),
        ("textBody", json!("x".repeat(100_000))),
        ("id", json!("other")),
        ("mood", json!("good")),
    ] {
        let set = jmap.call(
            "VacationResponse/set",
            json!({ "update": { "singleton": { name: bad } } }),
        );
        let error = &set["notUpdated"]["singleton"];
        assert_eq!(error["type"], "invalidProperties", "{name}: {set}");
        assert_eq!(error["properties"], json!([name]));
        assert_eq!(set["oldState"], set["newState"]);
    }
    let stale = json!({ "accountId": "a1", "ifInState": state, "update": { "singleton": {} } });
    let answers = jmap.calls(json!([["VacationResponse/set", stale, "0"]]));
    assert_eq!(answers[0][1]["type"], "stateMismatch");
}

#[test]
fn a_sender_is_answered_once() {
    let fake = Fake::taking_all();
    let server = server(&fake);
    let mut jmap = Jmap::new(&server);
    update(
        &mut jmap,
        json!({ "isEnabled": true, "subject": "Grüße", "htmlBody": "<p>Back on <b>Monday</b></p>" }),
    );
    let mail = |from: &str, n: u32| {
        let fields = format!(
            "From: {from}\r\nTo: Anna <ANNA+x@example.org>\r\nSubject: Hi\r\n\
             Message-ID: <{n}@else.where>\r\nReferences: <0@else.where>"
        );
        deliver(&server, from, "anna@example.org", &fields);
    };
    mail("bob@else.where", 1);
    mail("BOB@else.where", 2);
    mail("eve@else.where", 3);
    // The queue may send one before the other.
    let mut sent = fake.wait(2);
    sent.sort_by_key(|it| it.envelope[1].clone());
    let first = &sent[0];
    assert!(first.envelope[0].starts_with("MAIL FROM:<>"), "{first:?}");
    assert!(first.envelope[1].starts_with("RCPT TO:<bob@else.where>"));
    let text = String::from_utf8_lossy(&first.raw);
    for field in [
        "Auto-Submitted: auto-replied\r\n",
        "From: ANNA+x@example.org\r\n",
        "To: bob@else.where\r\n",
        "In-Reply-To: <1@else.where>\r\n",
        "References: <0@else.where> <1@else.where>\r\n",
        "Subject: =?",
        "multipart/alternative",
        "Back on Monday",
        "<p>Back on <b>Monday</b></p>",
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
    assert!(sent[1].envelope[1].starts_with("RCPT TO:<eve@else.where>"));
    // Other words are another answer; without any, there are usual ones.
    update(&mut jmap, json!({ "subject": null, "htmlBody": null }));
    mail("bob@else.where", 4);
    let sent = fake.wait(3);
    let text = String::from_utf8_lossy(&sent[2].raw);
    assert!(text.contains("Subject: Auto: Hi\r\n"), "{text}");
    assert!(text.contains("I am away"));
    // Nothing of it is in a mailbox: six messages came in, none went out of one.
    let got = jmap.call("Email/query", json!({ "calculateTotal": true }));
    assert_eq!(got["total"], 4);
}

#[test]
fn not_everything_is_answered() {
    let fake = Fake::taking_all();
    let server = server(&fake);
    let mut jmap = Jmap::new(&server);
    let to = "To: anna@example.org";
    // Off, not yet, no longer.
    deliver(&server, "a@else.where", "anna@example.org", to);
    update(
        &mut jmap,
        json!({ "isEnabled": true, "fromDate": "2099-01-01T00:00:00Z" }),
    );
    deliver(&server, "a@else.where", "anna@example.org", to);
    update(
        &mut jmap,
        json!({ "fromDate": null, "toDate": "2014-01-01T00:00:00Z" }),
    );
    deliver(&server, "a@else.where", "anna@example.org", to);
    update(&mut jmap, json!({ "toDate": null, "textBody": "Away" }));
    let cases = [
        ("", "To: anna@example.org"),
        ("anna+me@example.org", "To: anna@example.org"),
        ("b@else.where", "To: list@else.where"),
        ("b@else.where", "Subject: no recipient"),
        ("c-request@else.where", "To: anna@example.org"),
        ("noreply@else.where", "To: anna@example.org"),
        ("d@else.where", "To: anna@example.org\r\nList-Id: <x.y>"),
        (
            "e@else.where",
            "To: anna@example.org\r\nAuto-Submitted: auto-generated",
        ),
        ("f@else.where", "To: anna@example.org\r\nPrecedence: Bulk"),
        (
            "g@else.where",
            "To: anna@example.org\r\nX-Auto-Response-Suppress: OOF",
        ),
    ];
    for (from, fields) in cases {
        deliver(&server, from, "anna@example.org", fields);
    }
    // The one at the end is, and is the only one.
    let last = "To: undisclosed-recipients:;\r\nCc: x@y.z, anna@example.org\r\nAuto-Submitted: no";
    deliver(&server, "last@else.where", "anna@example.org", last);
    let sent = fake.wait(1);
    assert_eq!(sent.len(), 1);
    assert!(
        sent[0].envelope[1].starts_with("RCPT TO:<last@else.where>"),
        "{:?}",
        sent[0]
    );
}
