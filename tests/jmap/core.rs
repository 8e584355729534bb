//! Requests, references, creation ids, and the errors of RFC 8620 §3.6.
use super::{import, start};
use serde_json::json;

fn problem(jmap: &mut super::Jmap, body: &str) -> (u16, String) {
    let answer = jmap.post(body.as_bytes());
    assert_eq!(answer.field("content-type"), "application/problem+json");
    let kind = answer.json()["type"].as_str().unwrap().to_owned();
    (
        answer.status,
        kind.replace("urn:ietf:params:jmap:error:", ""),
    )
}

#[test]
fn request_level_errors() {
    let (_server, mut jmap) = start();
    let mut of = |body: &str| problem(&mut jmap, body);
    assert_eq!(of("{"), (400, "notJSON".into()));
    assert_eq!(
        of(r#"{"using":[],"using":[],"methodCalls":[]}"#),
        (400, "notJSON".into())
    );
    assert_eq!(of("[]"), (400, "notRequest".into()));
    assert_eq!(
        of(r#"{"using":[],"methodCalls":[["a"]]}"#),
        (400, "notRequest".into())
    );
    assert_eq!(
        of(r#"{"using":["https://example.com/apis/foobar"],"methodCalls":[]}"#),
        (400, "unknownCapability".into())
    );
    let calls = r#"["Core/echo",{},"0"],"#.repeat(40);
    let body = format!(r#"{{"using":[],"methodCalls":[{}["a",{{}},"0"]]}}"#, calls);
    assert_eq!(of(&body), (400, "limit".into()));
    assert_eq!(
        of(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        (400, "notJSON".into())
    );
    assert_eq!(
        of(&format!("[{}0]", "0,".repeat(200_000))),
        (400, "limit".into())
    );
    let wrong = jmap.ask(
        "POST",
        "/jmap/api",
        &[("Content-Type", "text/plain")],
        b"{}",
    );
    assert!(wrong.json()["type"].as_str().unwrap().ends_with("notJSON"));
    let limit = jmap.post(&vec![b' '; 5 * 1024 * 1024]);
    assert_eq!(
        (limit.status, limit.json()["limit"].clone()),
        (400, json!("maxSizeRequest"))
    );
}

#[test]
fn methods_and_capabilities() {
    let (_server, mut jmap) = start();
    let calls = json!([["Core/echo", {"hello": true, "high": 5}, "b3ff"],
        ["Foo/bar", {}, "c1"], ["Mailbox/get", {"accountId": "a1"}, "c2"]]);
    // Registered but not served: accepted, since clients send them along.
    let using = [
        "core",
        "contacts",
        "calendars",
        "websocket",
        "sieve",
        "blob",
        "quota",
        "principals",
    ];
    let answer = jmap.request(&using, calls);
    assert_eq!(
        answer["methodResponses"],
        json!([
        ["Core/echo", {"hello": true, "high": 5}, "b3ff"],
        ["error", {"type": "unknownMethod"}, "c1"],
        // Not opted into.
        ["error", {"type": "unknownMethod"}, "c2"]])
    );
    for (args, want) in [
        (json!({}), "invalidArguments"),
        (json!({"accountId": "x"}), "accountNotFound"),
        (json!({"accountId": "a1", "ids": "x"}), "invalidArguments"),
        (json!({"accountId": "a1", "more": 1}), "invalidArguments"),
        (
            json!({"accountId": "a1", "properties": ["nothing"]}),
            "invalidArguments",
        ),
        (
            json!({"accountId": "a1", "ids": vec!["x"; 3], "#ids": {}}),
            "invalidArguments",
        ),
        (
            json!({"accountId": "a1", "#ids": {"resultOf": "z", "name": "a", "path": "/b"}}),
            "invalidResultReference",
        ),
    ] {
        let answer = jmap.calls(json!([["Mailbox/get", args, "0"]]));
        assert_eq!(answer[0][1]["type"], want, "{args}");
    }
    let many: Vec<String> = (0..501).map(|n| format!("m{n}")).collect();
    assert_eq!(
        jmap.call("Mailbox/get", json!({"ids": many}))["error"],
        "requestTooLarge"
    );
}

#[test]
fn references() {
    let (_server, mut jmap) = start();
    let one = import(&mut jmap, "First", 1, json!({}));
    let two = import(&mut jmap, "Second", 2, json!({}));
    // RFC 8620 §3.7, the second example.
    let answer = jmap.calls(json!([
        ["Email/query", {"accountId": "a1", "filter": {"inMailbox": jmap.mailbox("inbox")},
            "sort": [{"property": "receivedAt", "isAscending": false}], "collapseThreads": true,
            "position": 0, "limit": 10, "calculateTotal": true}, "t0"],
        ["Email/get", {"accountId": "a1", "properties": ["threadId"],
            "#ids": {"resultOf": "t0", "name": "Email/query", "path": "/ids"}}, "t1"],
        ["Thread/get", {"accountId": "a1",
            "#ids": {"resultOf": "t1", "name": "Email/get", "path": "/list/*/threadId"}}, "t2"],
        ["Email/get", {"accountId": "a1", "properties": ["from", "receivedAt", "subject"],
            "#ids": {"resultOf": "t2", "name": "Thread/get", "path": "/list/*/emailIds"}}, "t3"]]));
    assert_eq!(answer[0][1]["ids"], json!([two, one]));
    assert_eq!(answer[0][1]["total"], 2);
    assert_eq!(answer[3][1]["list"][0]["subject"], "Second");
    assert_eq!(
        answer[3][1]["list"][1]["receivedAt"],
        "2024-01-01T12:00:00Z"
    );
    // Doubling by reference comes to an end.
    let mut calls = vec![json!(["Core/echo", {"a": "x".repeat(10_000)}, "0"])];
    for n in 0..25 {
        let of = json!({"resultOf": n.to_string(), "name": "Core/echo", "path": ""});
        calls.push(json!(["Core/echo", {"#a": of, "#b": of}, (n + 1).to_string()]));
    }
    let answer = jmap.calls(json!(calls));
    assert!(answer.iter().any(|r| r[1]["type"] == "requestTooLarge"));
}

#[test]
fn created_ids() {
    let (_server, mut jmap) = start();
    let body = json!({
        "using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"],
        "createdIds": {"old": "m77"},
        "methodCalls": [
            ["Mailbox/set", {"accountId": "a1", "create": {"k1": {"name": "New"}}}, "0"],
            ["Mailbox/set", {"accountId": "a1", "create": {"k2": {"name": "Sub", "parentId": "#k1"}}}, "1"],
            ["Mailbox/get", {"accountId": "a1", "ids": ["#k2"]}, "2"]],
    });
    let answer = jmap.post(body.to_string().as_bytes()).json();
    let k1 = &answer["createdIds"]["k1"];
    assert_eq!(answer["createdIds"]["old"], "m77");
    assert_eq!(answer["methodResponses"][2][1]["list"][0]["parentId"], *k1);
}
