//! What no client of good will sends: bounded, and answered by the RFC's error.
use super::{Jmap, import, start};
use pillarbox::config::Role;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LIMIT: &str = "urn:ietf:params:jmap:error:limit";

#[track_caller]
fn problem(jmap: &mut Jmap, body: &[u8]) -> Value {
    let answer = jmap.post(body);
    assert_eq!(answer.status, 400);
    answer.json()
}

#[test]
fn huge_requests() {
    let (server, mut jmap) = start();
    // Ten megabytes of nested arrays, and as many as may come.
    let deep = problem(&mut jmap, "[".repeat(10_000_000).as_bytes());
    assert_eq!(
        (&deep["type"], &deep["limit"]),
        (&LIMIT.into(), &"maxSizeRequest".into())
    );
    let mut jmap = Jmap::new(&server);
    let deep = problem(&mut jmap, "[".repeat(4_000_000).as_bytes());
    assert_eq!(deep["type"], "urn:ietf:params:jmap:error:notJSON");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(problem(&mut jmap, deep.as_bytes())["status"], 400);
    // A million ids, and as many as are read.
    let ids = |n: usize| vec!["m1"; n];
    let get = |n: usize| {
        json!({ "using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"],
            "methodCalls": [["Mailbox/get", { "accountId": "a1", "ids": ids(n) }, "0"]] })
    };
    let many = problem(&mut jmap, get(1_000_000).to_string().as_bytes());
    assert_eq!(many["type"], LIMIT);
    let mut jmap = Jmap::new(&server);
    let many = problem(&mut jmap, get(600_000).to_string().as_bytes());
    assert_eq!(
        (&many["type"], &many["limit"]),
        (&LIMIT.into(), &"maxSizeRequest".into())
    );
    let names: Vec<String> = (0..40_000).map(|n| format!("e{n}")).collect();
    let answers = jmap.calls(json!([["Email/get", { "accountId": "a1", "ids": names }, "0"]]));
    assert_eq!(answers[0][1]["type"], "requestTooLarge");
    // The same one, however often.
    let answers =
        jmap.calls(json!([["Mailbox/get", { "accountId": "a1", "ids": ids(40_000) }, "0"]]));
    assert_eq!(answers[0][1]["list"].as_array().unwrap().len(), 1);
}

/// An id of one type is none of another, and nothing that looks like one is.
#[test]
fn ids_of_other_types() {
    let (_server, mut jmap) = start();
    let email = import(&mut jmap, "One", 1, json!({}));
    let got = jmap.email(&email, json!(["threadId", "blobId"]));
    let (thread, blob) = (got["threadId"].clone(), got["blobId"].clone());
    let all = json!([
        email,
        thread,
        blob,
        jmap.mailbox("inbox"),
        "i1",
        "s1",
        "p1",
        "q1",
        "singleton",
        "a1",
        "",
        "E1",
        "e01",
        "e-1",
        "e18446744073709551616",
        "e1 ",
        "\u{0}",
        "\u{1f4a9}",
        "x".repeat(300)
    ]);
    let count = all.as_array().unwrap().len();
    for (kind, own) in [
        ("Email", 1),
        ("Thread", 1),
        ("Mailbox", 1),
        ("Identity", 0),
        ("EmailSubmission", 0),
        ("VacationResponse", 1),
    ] {
        let got = jmap.call(&format!("{kind}/get"), json!({ "ids": all }));
        let found = got["list"].as_array().unwrap().len();
        let missing = got["notFound"].as_array().unwrap().len();
        assert_eq!(found + missing, count, "{kind}: {got}");
        assert!(found >= own && found <= own.max(1), "{kind}: {got}");
        if kind == "Thread" {
            continue;
        }
        let patches: serde_json::Map<String, Value> = all
            .as_array()
            .unwrap()
            .iter()
            .filter(|id| {
                !got["list"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|found| found["id"] == **id)
            })
            .map(|id| (id.as_str().unwrap().to_owned(), json!({})))
            .collect();
        let set = jmap.call(&format!("{kind}/set"), json!({ "update": patches }));
        let refused = set["notUpdated"].as_object().unwrap();
        assert_eq!(refused.len(), missing);
        assert!(
            refused.values().all(|error| error["type"] == "notFound"),
            "{set}"
        );
    }
}

#[test]
fn creation_ids_used_again() {
    let (_server, mut jmap) = start();
    let make = |name: &str| json!({ "accountId": "a1", "create": { "k": { "name": name } } });
    let answers = jmap.calls(json!([
        ["Mailbox/set", make("One"), "0"],
        ["Mailbox/set", make("Two"), "1"],
        ["Mailbox/get", { "accountId": "a1", "ids": ["#k"], "properties": ["name"] }, "2"],
        ["Mailbox/set", { "accountId": "a1", "create": { "k": { "name": "Self", "parentId": "#k" } } }, "3"],
        ["Mailbox/set", { "accountId": "a1", "create": { "no such id!": { "name": "x" } } }, "4"],
    ]));
    // RFC 8620 §5.3: the last one counts.
    assert_eq!(answers[2][1]["list"][0]["name"], "Two");
    assert!(
        answers[3][1]["created"]["k"].is_object() || answers[3][1]["notCreated"]["k"].is_object()
    );
    assert_eq!(answers[4][1]["type"], "invalidArguments");
    // I-JSON: a name once (RFC 7493 §2.3).
    let twice = br#"{"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{"k":1,"k":2},"0"]]}"#;
    assert_eq!(
        problem(&mut jmap, twice)["type"],
        "urn:ietf:params:jmap:error:notJSON"
    );
}

/// Cut at every octet, a request leaves nothing, and its connection goes.
#[test]
fn cut_everywhere() {
    let (server, mut jmap) = start();
    let auth = jmap.auth.clone();
    let whole = format!(
        "POST /jmap/upload/a1 HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\nContent-Type: a/b\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n\r\n"
    );
    for cut in 0..whole.len() {
        let mut client = server.client(Role::Http);
        client.send_raw(&whole.as_bytes()[..cut]);
        client.shutdown_write();
        let rest = String::from_utf8(client.rest()).unwrap();
        assert!(
            rest.is_empty() || rest.starts_with("HTTP/1.1 4"),
            "{cut}: {rest}"
        );
    }
    // Streams and sockets whose clients went without a word, too.
    for path in ["/jmap/events?types=*", "/jmap/ws", "/jmap/session"] {
        let mut client = server.client(Role::Http);
        client.send(&format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n"
        ));
        client.shutdown_write();
    }
    let end = Instant::now() + crate::harness::PATIENCE;
    let mut day = 1;
    while server.connections() > 1 {
        // That nobody hears any more is noticed by telling.
        import(&mut jmap, &format!("told {day}"), day, json!({}));
        day = day % 28 + 1;
        assert!(
            Instant::now() < end,
            "{} connections stay",
            server.connections()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(jmap.get("/jmap/session").status, 200);
}

#[test]
fn names_of_downloads() {
    let (_server, mut jmap) = start();
    let blob = jmap.upload("text/html", b"<script>alert(1)</script>");
    let long = "n".repeat(5_000);
    for name in [
        "..%2f..%2fetc%2fpasswd",
        "a%0d%0aX-Evil:%20y",
        "%22%3b%20x",
        "%00",
        "%c3%bc%e2%80%ae.exe",
        &long,
    ] {
        let answer = jmap.get(&format!("/jmap/download/a1/{blob}/{name}?type=text/html"));
        assert_eq!(answer.status, 200, "{name}");
        let disposition = answer.field("content-disposition");
        assert!(disposition.starts_with("attachment"), "{disposition}");
        assert!(
            disposition.len() < 1_500 && !disposition.contains(['/', '\\']),
            "{disposition}"
        );
        assert_eq!(answer.field("x-evil"), "");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
    }
    for bad in ["%ff", "%zz", "%2"] {
        assert_eq!(
            jmap.get(&format!("/jmap/download/a1/{blob}/{bad}?type=text/html"))
                .status
                / 100,
            4
        );
    }
    let evil = jmap.get(&format!(
        "/jmap/download/a1/{blob}/x?type=text/html%0d%0aX-Evil:y"
    ));
    assert!(evil.status == 400 || evil.field("x-evil").is_empty());
}

/// Who sends an octet at a time, and who reads nothing of what it asked for, hold up only themselves.
#[test]
fn slow_clients_hold_nobody_up() {
    let (server, mut jmap) = start();
    let auth = jmap.auth.clone();
    let large = jmap.upload("a/b", &vec![b'x'; 4 << 20]);
    let get = format!(
        "GET /jmap/download/a1/{large}/x HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\r\n"
    );
    let body = r#"{"using":["urn:ietf:params:jmap:core"],"methodCalls":[["Core/echo",{},"0"]]}"#;
    let post = format!(
        "POST /jmap/api HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let some = || {
        (0..3)
            .map(|_| server.client(Role::Http))
            .collect::<Vec<_>>()
    };
    let (mut deaf, mut slow) = (some(), some());
    for client in &mut deaf {
        client.send_raw(get.as_bytes());
    }
    for (sent, octet) in post.bytes().enumerate() {
        for client in &mut slow {
            client.send_raw(&[octet]);
        }
        if sent % 40 == 0 {
            assert_eq!(jmap.get("/jmap/session").status, 200);
            assert_eq!(
                jmap.calls(json!([["Core/echo", {}, "0"]]))[0][0],
                "Core/echo"
            );
        }
    }
    for client in deaf.iter_mut().chain(&mut slow) {
        client.expect("HTTP/1.1 200");
    }
}
