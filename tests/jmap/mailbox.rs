//! Mailboxes (RFC 8621 §2).
use super::{import, start};
use serde_json::{Value, json};

#[test]
fn get() {
    let (_server, mut jmap) = start();
    let all = jmap.call("Mailbox/get", json!({"ids": null}));
    let list = all["list"].as_array().unwrap();
    let inbox = list.iter().find(|m| m["role"] == "inbox").unwrap();
    assert_eq!(inbox["name"], "INBOX");
    assert_eq!(inbox["parentId"], Value::Null);
    assert_eq!(inbox["myRights"]["mayDelete"], false);
    assert_eq!(inbox["myRights"]["maySubmit"], true);
    assert_eq!(inbox["isSubscribed"], true);
    for role in ["drafts", "sent", "junk", "trash", "archive"] {
        assert!(list.iter().any(|m| m["role"] == role), "{role}");
    }
    let some = jmap.call(
        "Mailbox/get",
        json!({"ids": [inbox["id"], inbox["id"], "nope", "m9999", "e1"], "properties": ["name"]}),
    );
    assert_eq!(some["list"], json!([{"id": inbox["id"], "name": "INBOX"}]));
    assert_eq!(some["notFound"], json!(["nope", "m9999", "e1"]));
}

#[test]
fn counts() {
    let (_server, mut jmap) = start();
    import(&mut jmap, "One", 1, json!({}));
    import(
        &mut jmap,
        "Re: One",
        2,
        json!({"keywords": {"$seen": true}}),
    );
    import(&mut jmap, "Other", 3, json!({"keywords": {"$draft": true}}));
    let inbox = jmap.mailbox("inbox");
    let of = jmap.call("Mailbox/get", json!({"ids": [inbox]}));
    let of = &of["list"][0];
    assert_eq!(
        (&of["totalEmails"], &of["unreadEmails"]),
        (&json!(3), &json!(1))
    );
    assert!(of["totalThreads"].as_u64().unwrap() >= 2);
    assert_eq!(of["unreadThreads"], 1);
}

#[test]
fn set() {
    let (_server, mut jmap) = start();
    let before = jmap.call("Mailbox/get", json!({"ids": []}))["state"].clone();
    let made = jmap.call("Mailbox/set", json!({
        // A child before its parent by name.
        "create": {"a": {"name": "Child", "parentId": "#b"}, "b": {"name": "Parent", "sortOrder": 7}}}));
    assert_eq!(made["oldState"], before);
    assert_ne!(made["newState"], before);
    for name in [
        "updated",
        "destroyed",
        "notCreated",
        "notUpdated",
        "notDestroyed",
    ] {
        assert_eq!(made[name], Value::Null, "{name}");
        assert!(made.as_object().unwrap().contains_key(name));
    }
    let (child, parent) = (
        made["created"]["a"]["id"].clone(),
        made["created"]["b"]["id"].clone(),
    );
    assert_eq!(made["created"]["b"]["isSubscribed"], true);
    assert_eq!(made["created"]["b"].get("sortOrder"), None);
    assert_eq!(made["created"]["b"]["totalEmails"], 0);

    let mut set = |args: Value| jmap.call("Mailbox/set", args);
    let error =
        |answer: &Value, list: &str, id: &Value| answer[list][id.as_str().unwrap()]["type"].clone();
    for (object, want) in [
        (json!({}), "invalidProperties"),
        (json!({"name": ""}), "invalidProperties"),
        (json!({"name": "Parent"}), "invalidProperties"),
        (
            json!({"name": "x", "parentId": "m999"}),
            "invalidProperties",
        ),
        (json!({"name": "x", "role": "inbox"}), "invalidProperties"),
        (
            json!({"name": "x", "role": "nonsense"}),
            "invalidProperties",
        ),
        (json!({"name": "x", "totalEmails": 3}), "invalidProperties"),
        (json!({"name": "x", "sortOrder": -1}), "invalidProperties"),
    ] {
        let answer = set(json!({"create": {"k": object}}));
        assert_eq!(answer["notCreated"]["k"]["type"], want, "{object}");
    }
    let answer = set(
        json!({"update": {parent.as_str().unwrap(): {"name": "Renamed", "isSubscribed": false},
        "m999": {"name": "x"}}}),
    );
    assert_eq!(answer["updated"][parent.as_str().unwrap()], Value::Null);
    assert_eq!(error(&answer, "notUpdated", &json!("m999")), "notFound");
    let answer = set(json!({"update": {parent.as_str().unwrap(): {"parentId": child}}}));
    assert_eq!(error(&answer, "notUpdated", &parent), "invalidProperties");
    let answer = set(
        json!({"update": {parent.as_str().unwrap(): {"id": parent, "myRights/mayDelete": true}}}),
    );
    assert_eq!(error(&answer, "notUpdated", &parent), "invalidPatch");
    // The whole object is a valid patch.
    let whole = jmap.call("Mailbox/get", json!({"ids": [parent]}))["list"][0].clone();
    let mut set = |args: Value| jmap.call("Mailbox/set", args);
    let answer = set(json!({"update": {parent.as_str().unwrap(): whole}}));
    assert_eq!(answer["notUpdated"], Value::Null);
    let answer = set(json!({"destroy": [parent]}));
    assert_eq!(error(&answer, "notDestroyed", &parent), "mailboxHasChild");
    // The child goes first, whatever the order.
    let answer = set(json!({"destroy": [parent, child, "m999"]}));
    assert_eq!(answer["destroyed"].as_array().unwrap().len(), 2);
    assert_eq!(error(&answer, "notDestroyed", &json!("m999")), "notFound");
    let inbox = jmap.mailbox("inbox");
    let answer = jmap.call("Mailbox/set", json!({"destroy": [inbox]}));
    assert_eq!(answer["notDestroyed"][&inbox]["type"], "forbidden");
}

#[test]
fn names_are_exchanged() {
    let (_server, mut jmap) = start();
    let made = jmap.call(
        "Mailbox/set",
        json!({"create": {"a": {"name": "A"}, "b": {"name": "B"}}}),
    );
    let (a, b) = (
        made["created"]["a"]["id"].clone(),
        made["created"]["b"]["id"].clone(),
    );
    // B is given up after A is asked for.
    let answer = jmap.call(
        "Mailbox/set",
        json!({"update": {
        a.as_str().unwrap(): {"name": "B"}, b.as_str().unwrap(): {"name": "C"}}}),
    );
    assert_eq!(answer["notUpdated"], Value::Null, "{answer}");
}

#[test]
fn destroy_with_emails() {
    let (_server, mut jmap) = start();
    let made = jmap.call("Mailbox/set", json!({"create": {"a": {"name": "A"}}}));
    let a = made["created"]["a"]["id"].as_str().unwrap().to_owned();
    let only = import(
        &mut jmap,
        "Only",
        1,
        json!({"mailboxIds": {a.clone(): true}}),
    );
    let both = json!({"mailboxIds": {a.clone(): true, jmap.mailbox("inbox"): true}});
    let both = import(&mut jmap, "Both", 2, both);
    let answer = jmap.call("Mailbox/set", json!({"destroy": [a]}));
    assert_eq!(answer["notDestroyed"][&a]["type"], "mailboxHasEmail");
    let answer = jmap.call(
        "Mailbox/set",
        json!({"destroy": [a], "onDestroyRemoveEmails": true}),
    );
    assert_eq!(answer["destroyed"], json!([a]));
    let left = jmap.call(
        "Email/get",
        json!({"ids": [only, both], "properties": ["mailboxIds"]}),
    );
    assert_eq!(left["notFound"], json!([only]));
    assert_eq!(
        left["list"][0]["mailboxIds"],
        json!({jmap.mailbox("inbox"): true})
    );
}

#[test]
fn changes() {
    let (_server, mut jmap) = start();
    let state = jmap.call("Mailbox/get", json!({"ids": []}))["state"].clone();
    import(&mut jmap, "One", 1, json!({}));
    let inbox = jmap.mailbox("inbox");
    let changes = jmap.call("Mailbox/changes", json!({"sinceState": state}));
    assert_eq!(changes["updated"], json!([inbox]));
    assert_eq!(
        changes["updatedProperties"],
        json!([
            "totalEmails",
            "unreadEmails",
            "totalThreads",
            "unreadThreads"
        ])
    );
    assert_eq!(changes["hasMoreChanges"], false);
    let state = changes["newState"].clone();
    let none = jmap.call("Mailbox/changes", json!({"sinceState": state}));
    assert_eq!(
        (&none["updated"], &none["oldState"], &none["newState"]),
        (&json!([]), &state, &state)
    );
    let made = jmap.call("Mailbox/set", json!({"create": {"a": {"name": "A"}}}));
    let a = made["created"]["a"]["id"].clone();
    let changes = jmap.call("Mailbox/changes", json!({"sinceState": state}));
    assert_eq!(
        (&changes["created"], &changes["updatedProperties"]),
        (&json!([a]), &Value::Null)
    );
    jmap.call("Mailbox/set", json!({"destroy": [a]}));
    let changes = jmap.call("Mailbox/changes", json!({"sinceState": made["newState"]}));
    assert_eq!(changes["destroyed"], json!([a]));
    for bad in ["", "x", "99999999", "01"] {
        let answer = jmap.call("Mailbox/changes", json!({"sinceState": bad}));
        assert_eq!(answer["error"], "cannotCalculateChanges", "{bad}");
    }
    let answer = jmap.call(
        "Mailbox/changes",
        json!({"sinceState": state, "maxChanges": 0}),
    );
    assert_eq!(answer["error"], "invalidArguments");
}

#[test]
fn query() {
    let (_server, mut jmap) = start();
    let made = jmap.call("Mailbox/set", json!({"create": {
        "p": {"name": "Zoo", "sortOrder": 1}, "c": {"name": "Ant", "parentId": "#p", "sortOrder": 9}}}));
    let (p, c) = (
        made["created"]["p"]["id"].clone(),
        made["created"]["c"]["id"].clone(),
    );
    let mut query = |args: Value| jmap.call("Mailbox/query", args);
    let ids = query(json!({"filter": {"name": "zo"}}));
    assert_eq!(ids["ids"], json!([p]));
    assert_eq!(query(json!({"filter": {"parentId": p}}))["ids"], json!([c]));
    assert_eq!(
        query(json!({"filter": {"name": "ant"}, "filterAsTree": true}))["ids"],
        json!([])
    );
    let tree = query(
        json!({"filter": {"operator": "OR", "conditions": [{"name": "zoo"}, {"name": "ant"}]},
        "sort": [{"property": "name"}], "sortAsTree": true, "calculateTotal": true}),
    );
    assert_eq!((&tree["ids"], &tree["total"]), (&json!([p, c]), &json!(2)));
    let flat = query(json!({"filter": {"hasAnyRole": false}, "sort": [{"property": "name"}]}));
    assert_eq!(flat["ids"], json!([c, p]));
    assert_eq!(
        query(json!({"filter": {"colour": "x"}}))["error"],
        "unsupportedFilter"
    );
    assert_eq!(
        query(json!({"sort": [{"property": "x"}]}))["error"],
        "unsupportedSort"
    );
    let state = flat["queryState"].clone();
    jmap.call(
        "Mailbox/set",
        json!({"update": {c.as_str().unwrap(): {"name": "Zzz"}}}),
    );
    let changes = jmap.call(
        "Mailbox/queryChanges",
        json!({"sinceQueryState": state,
        "filter": {"hasAnyRole": false}, "sort": [{"property": "name"}]}),
    );
    assert_eq!(
        changes["added"],
        json!([{"id": p, "index": 0}, {"id": c, "index": 1}])
    );
}
