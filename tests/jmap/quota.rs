//! Quota (RFC 9425).
use super::{Jmap, import, start};
use crate::harness::Server;
use serde_json::{Value, json};

fn ask(jmap: &mut Jmap, using: &[&str], name: &str, mut args: Value) -> Value {
    args["accountId"] = "a1".into();
    jmap.request(using, json!([[name, args, "0"]]))["methodResponses"][0][1].clone()
}

const QUOTA: &[&str] = &["core", "mail", "quota"];

#[test]
fn none_without_a_limit() {
    let (_server, mut jmap) = start();
    let all = ask(&mut jmap, QUOTA, "Quota/get", json!({ "ids": null }));
    assert_eq!(all["list"], json!([]));
    let found = ask(&mut jmap, QUOTA, "Quota/query", json!({}));
    assert_eq!(found["ids"], json!([]));
}

#[test]
fn follows_what_is_used() {
    let server = Server::with(|config| config.quota = Some(1 << 20));
    let mut jmap = Jmap::new(&server);
    let all = ask(&mut jmap, QUOTA, "Quota/get", json!({ "ids": null }));
    let quota = &all["list"][0];
    assert_eq!(
        (&quota["used"], &quota["hardLimit"]),
        (&json!(0), &json!(1 << 20))
    );
    assert_eq!(
        (&quota["scope"], &quota["resourceType"]),
        (&json!("account"), &json!("octets"))
    );
    assert_eq!(quota["types"], json!(["Email"]));
    import(&mut jmap, "One", 1, json!({}));
    // RFC 9425 §5.2.
    let answers = jmap.request(
        QUOTA,
        json!([
            ["Quota/changes", { "accountId": "a1", "sinceState": all["state"], "maxChanges": 20 }, "0"],
            ["Quota/get", { "accountId": "a1",
                "#ids": { "resultOf": "0", "name": "Quota/changes", "path": "/updated" },
                "#properties": { "resultOf": "0", "name": "Quota/changes", "path": "/updatedProperties" } }, "1"],
        ]),
    );
    let (changes, got) = (
        &answers["methodResponses"][0][1],
        &answers["methodResponses"][1][1],
    );
    assert_eq!(changes["updated"], json!([quota["id"]]));
    let now = &got["list"][0];
    assert_eq!(now.as_object().unwrap().len(), 2);
    assert!(now["used"].as_u64().unwrap() > 100);
    assert_eq!(changes["newState"], got["state"]);
    let again = ask(
        &mut jmap,
        QUOTA,
        "Quota/changes",
        json!({ "sinceState": got["state"] }),
    );
    assert_eq!(again["updated"], json!([]));
    let filter = |filter: Value| json!({ "filter": filter, "sort": [{ "property": "used" }] });
    for (filter, count) in [
        (filter(json!({ "name": "anna", "type": "Email" })), 1),
        (filter(json!({ "scope": "global" })), 0),
        (
            filter(json!({ "operator": "NOT", "conditions": [{ "resourceType": "count" }] })),
            1,
        ),
    ] {
        let found = ask(&mut jmap, QUOTA, "Quota/query", filter);
        assert_eq!(found["ids"].as_array().unwrap().len(), count, "{found}");
    }
    // RFC 9425 §4.1: not for a client that knows none of its types.
    let all = ask(
        &mut jmap,
        &["core", "quota"],
        "Quota/get",
        json!({ "ids": null }),
    );
    assert_eq!(all["list"], json!([]));
}

/// The limits are flags: others after a restart are another state.
#[test]
fn other_limits_are_another_state() {
    let mut server = Server::with(|config| config.quota = Some(1 << 20));
    let mut jmap = Jmap::new(&server);
    let before = ask(&mut jmap, QUOTA, "Quota/get", json!({ "ids": null }));
    server.restart();
    let mut jmap = Jmap::new(&server);
    let same = ask(&mut jmap, QUOTA, "Quota/get", json!({ "ids": null }));
    assert_eq!(same["state"], before["state"]);
    server.restart_with(|config| config.quota_messages = 7);
    let mut jmap = Jmap::new(&server);
    let after = ask(&mut jmap, QUOTA, "Quota/get", json!({ "ids": null }));
    let of = |at: usize, name: &str| after["list"][at][name].clone();
    assert_eq!(of(0, "resourceType"), "octets");
    assert_eq!(
        (of(1, "resourceType"), of(1, "hardLimit"), of(1, "used")),
        ("count".into(), 7.into(), 0.into())
    );
    assert_ne!(after["state"], before["state"]);
    let since = json!({ "sinceState": before["state"] });
    let changes = ask(&mut jmap, QUOTA, "Quota/changes", since);
    assert_eq!(changes["type"], "cannotCalculateChanges");
    let sort = json!({ "sort": [{ "property": "used", "isAscending": false }] });
    import(&mut jmap, "One", 1, json!({}));
    let found = ask(&mut jmap, QUOTA, "Quota/query", sort);
    assert_eq!(found["ids"], json!([of(0, "id"), of(1, "id")]));
    let since = json!({ "sinceState": after["state"] });
    let changes = ask(&mut jmap, QUOTA, "Quota/changes", since);
    assert_eq!(changes["updated"], json!([of(0, "id"), of(1, "id")]));
}

/// What does not fit is refused by its name (RFC 8620 §5.3, RFC 8621 §4.6), and nothing of it stays.
#[test]
fn what_does_not_fit() {
    let server = Server::with(|config| {
        config.max_message_size = 1 << 20;
        config.quota = Some(3 << 20);
    });
    let mut jmap = Jmap::new(&server);
    let inbox = jmap.mailbox("inbox");
    let mut make = |octets: usize| {
        let body = "x".repeat(70) + "\n";
        let email = json!({
            "mailboxIds": {inbox.clone(): true},
            "bodyValues": {"1": {"value": body.repeat(octets / 71)}},
            "textBody": [{"partId": "1", "type": "text/plain"}],
        });
        jmap.call("Email/set", json!({"create": {"k": email}}))
    };
    let large = make(1_100_000);
    assert_eq!(large["notCreated"]["k"]["type"], "tooLarge", "{large}");
    let mut made = Vec::new();
    let full = loop {
        let answer = make(900_000);
        match answer["created"]["k"]["id"].as_str() {
            Some(id) => made.push(id.to_owned()),
            None => break answer,
        }
        assert!(made.len() < 9);
    };
    assert_eq!(full["notCreated"]["k"]["type"], "overQuota", "{full}");
    assert_eq!(jmap.query(json!({})).len(), made.len());
    let keywords: serde_json::Map<String, Value> =
        (0..100).map(|n| (format!("k{n}"), true.into())).collect();
    let args = json!({"update": {made[0].clone(): {"keywords": keywords}}});
    let answer = jmap.call("Email/set", args);
    let error = &answer["notUpdated"][&made[0]]["type"];
    assert_eq!(error, "tooManyKeywords", "{answer}");
    assert_eq!(
        jmap.email(&made[0], json!(["keywords"]))["keywords"],
        json!({})
    );
}
