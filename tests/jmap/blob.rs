//! Upload and download (RFC 8620 §6).
use super::{Jmap, import, start};
use serde_json::{Value, json};

#[test]
fn upload_and_download() {
    let (_server, mut jmap) = start();
    let octets: Vec<u8> = (0..200_000u32).map(|n| (n * 7 % 251) as u8).collect();
    let id = jmap.upload("image/png", &octets);
    let path = format!("/jmap/download/a1/{id}/my%20f%C3%BCr.png?type=image/png");
    let got = jmap.get(&path);
    assert_eq!((got.status, got.body == octets), (200, true));
    assert_eq!(got.field("content-type"), "image/png");
    assert!(got.field("cache-control").contains("immutable"));
    assert_eq!(got.field("x-content-type-options"), "nosniff");
    assert!(
        got.field("content-disposition")
            .contains("filename*=UTF-8''my%20f%C3%BCr.png")
    );
    let tag = got.field("etag").to_owned();
    assert_eq!(
        jmap.ask("GET", &path, &[("If-None-Match", &tag)], b"")
            .status,
        304
    );
    let head = jmap.ask("HEAD", &path, &[], b"");
    assert_eq!(head.field("content-length"), "200000");

    for (range, status, want) in [
        ("bytes=0-9", 206, &octets[..10]),
        ("bytes=70000-140000", 206, &octets[70_000..140_001]),
        ("bytes=-5", 206, &octets[199_995..]),
        ("bytes=199999-", 206, &octets[199_999..]),
        ("lines=1-2", 200, &octets[..]),
    ] {
        let got = jmap.ask("GET", &path, &[("Range", range)], b"");
        assert_eq!((got.status, got.body == want), (status, true), "{range}");
    }
    let got = jmap.ask("GET", &path, &[("Range", "bytes=1-2")], b"");
    assert_eq!(got.field("content-range"), "bytes 1-2/200000");
    let got = jmap.ask("GET", &path, &[("Range", "bytes=200000-")], b"");
    assert_eq!(
        (got.status, got.field("content-range")),
        (416, "bytes */200000")
    );
    let got = jmap.ask(
        "GET",
        &path,
        &[("Range", "bytes=1-2"), ("If-Range", "\"other\"")],
        b"",
    );
    assert_eq!(got.status, 200);
}

#[test]
fn refusals() {
    let server = crate::harness::Server::with(|c| c.max_message_size = 100_000);
    let mut jmap = super::Jmap::new(&server);
    let large = vec![b'x'; 300_000];
    let answer = jmap.ask("POST", "/jmap/upload/a1", &[], &large);
    assert_eq!(
        (answer.status, answer.json()["limit"].clone()),
        (400, json!("maxSizeUpload"))
    );
    assert_eq!(jmap.ask("POST", "/jmap/upload/x", &[], b"a").status, 404);
    for path in [
        "/jmap/download/a1/b999999/x",
        "/jmap/download/a1/nonsense/x",
        "/jmap/download/x/b1/x",
        "/jmap/download/a1/b1-9/x",
        "/jmap/download/a1/%ff/x",
    ] {
        assert_eq!(jmap.get(path).status, 404, "{path}");
    }
    let id = jmap.upload("text/plain", b"x");
    let got = jmap.get(&format!(
        "/jmap/download/a1/{id}/a%0d%0aX:y?type=a%0d%0aX:%20y"
    ));
    assert_eq!(got.field("content-type"), "application/octet-stream");
    assert_eq!(got.field("x"), "");
    let copy = json!({"fromAccountId": "a1", "blobIds": [id]});
    assert_eq!(jmap.call("Blob/copy", copy)["error"], "invalidArguments");
    let copy = json!({"fromAccountId": "b", "blobIds": [id]});
    assert_eq!(jmap.call("Blob/copy", copy)["error"], "fromAccountNotFound");
}

#[test]
fn chunked_upload() {
    let (_server, mut jmap) = start();
    let auth = jmap.auth.clone();
    let head = format!(
        "POST /jmap/upload/a1 HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\
        Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    );
    jmap.client().send_raw(head.as_bytes());
    let answer = jmap.answer(false);
    assert_eq!(
        (answer.status, answer.json()["size"].clone()),
        (201, json!(7))
    );
}

#[test]
fn parts() {
    let (_server, mut jmap) = start();
    let text = "From: a@b.c\r\nSubject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=C3=BCr=\r\n uns\r\n\
        --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQ=\r\n--b--\r\n";
    let blob = jmap.upload("message/rfc822", text.as_bytes());
    let email = import(&mut jmap, "ignored", 1, json!({"blobId": blob}));
    let got = jmap.email(&email, json!(["bodyStructure", "blobId"]));
    let parts = got["bodyStructure"]["subParts"].as_array().unwrap().clone();
    let of = |part: &serde_json::Value| {
        format!("/jmap/download/a1/{}/x", part["blobId"].as_str().unwrap())
    };
    assert_eq!(jmap.get(&of(&parts[0])).body, "für uns".as_bytes());
    assert_eq!(jmap.get(&of(&parts[1])).body, [0, 1, 2, 3, 4]);
    assert_eq!(parts[1]["size"], 5);
    assert_eq!(
        jmap.ask("GET", &of(&parts[1]), &[("Range", "bytes=2-3")], b"")
            .body,
        [2, 3]
    );
    assert_eq!(got["bodyStructure"]["blobId"], serde_json::Value::Null);
    assert_eq!(jmap.get(&of(&got)).body, text.as_bytes());
}

#[test]
fn too_large_without_a_length() {
    let server = crate::harness::Server::with(|c| c.max_message_size = 10_000);
    let mut jmap = super::Jmap::new(&server);
    let auth = jmap.auth.clone();
    let head = format!(
        "POST /jmap/upload/a1 HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\
        Transfer-Encoding: chunked\r\n\r\n"
    );
    jmap.client().send_raw(head.as_bytes());
    for _ in 0..50 {
        jmap.client()
            .send_raw(format!("3e8\r\n{}\r\n", "x".repeat(1000)).as_bytes());
    }
    jmap.client().send_raw(b"0\r\n\r\n");
    let answer = jmap.answer(false);
    assert_eq!(
        (answer.status, answer.json()["limit"].clone()),
        (400, json!("maxSizeUpload"))
    );
    // The connection ends there (RFC 9112 §6.1), the server goes on.
    let mut jmap = super::Jmap::new(&server);
    assert_eq!(jmap.get("/jmap/session").status, 200);
}

/// An upload that is cut leaves nothing behind, and the server goes on.
#[test]
fn cut_uploads() {
    let (server, mut jmap) = start();
    let auth = jmap.auth.clone();
    for length in [0, 1, 999] {
        let mut client = server.client(pillarbox::config::Role::Http);
        let head = format!(
            "POST /jmap/upload/a1 HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\
            Content-Length: 1000\r\n\r\n{}",
            "x".repeat(length)
        );
        client.send_raw(head.as_bytes());
        client.shutdown_write();
        let rest = client.rest();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"));
    }
    assert_eq!(jmap.query(json!({})), Vec::<String>::new());
}

const BLOB: &[&str] = &["core", "mail", "blob"];

/// RFC 9404 §4.1.2 and §4.2.1, with our ids.
#[test]
fn rfc9404_examples() {
    let (_server, mut jmap) = start();
    let answers = jmap.request(
        BLOB,
        json!([
            ["Blob/upload", { "accountId": "a1", "create": { "b4": { "data": [
                { "data:asText": "The quick brown fox jumped over the lazy dog." }
            ] } } }, "S4"],
            ["Blob/upload", { "accountId": "a1", "create": { "cat": { "data": [
                { "data:asText": "How" },
                { "blobId": "#b4", "length": 7, "offset": 3 },
                { "data:asText": "was t" },
                { "blobId": "#b4", "length": 1, "offset": 1 },
                { "data:asBase64": "YXQ/" }
            ] } } }, "CAT"],
            ["Blob/get", { "accountId": "a1", "properties": ["data:asText", "size"], "ids": ["#cat"] }, "G4"],
            ["Blob/get", { "accountId": "a1", "ids": ["#b4", "not-a-blob"],
                "properties": ["data:asText", "digest:sha", "size"] }, "R1"],
            ["Blob/get", { "accountId": "a1", "ids": ["#b4"], "offset": 4, "length": 9,
                "properties": ["data:asText", "digest:sha", "digest:sha-256", "size"] }, "R2"],
        ]),
    );
    let of = |n: usize| answers["methodResponses"][n][1].clone();
    assert_eq!(of(0)["created"]["b4"]["size"], 45);
    assert_eq!(of(1)["created"]["cat"]["size"], 19);
    assert_eq!(of(2)["list"][0]["data:asText"], "How quick was that?");
    let fox = &of(3)["list"][0];
    assert_eq!(fox["digest:sha"], "wIVPufsDxBzOOALLDSIFKebu+U4=");
    assert_eq!(fox["size"], 45);
    assert_eq!(of(3)["notFound"], json!(["not-a-blob"]));
    let part = &of(4)["list"][0];
    assert_eq!(part["data:asText"], "quick bro");
    assert_eq!(part["digest:sha"], "QiRAPtfyX8K6tm1iOAtZ87Xj3Ww=");
    assert_eq!(
        part["digest:sha-256"],
        "gdg9INW7lwHK6OQ9u0dwDz2ZY/gubi0En0xlFpKt0OA="
    );
    assert_eq!(
        (&part["size"], &part["isTruncated"]),
        (&json!(45), &Value::Null)
    );
}

#[test]
fn ranges_and_text_of_blobs() {
    let (_server, mut jmap) = start();
    let id = jmap.upload("text/plain", "aä".as_bytes());
    let get = |jmap: &mut Jmap, mut args: Value| {
        args["accountId"] = "a1".into();
        args["ids"] = json!([id]);
        let answers = jmap.request(BLOB, json!([["Blob/get", args, "0"]]));
        let answer = answers["methodResponses"][0][1].clone();
        if answer["type"].is_string() {
            answer
        } else {
            answer["list"][0].clone()
        }
    };
    assert_eq!(
        get(&mut jmap, json!({})),
        json!({ "id": id, "data:asText": "aä", "size": 3 })
    );
    let cut = get(&mut jmap, json!({ "length": 2 }));
    assert_eq!(cut["isEncodingProblem"], true);
    assert_eq!(cut["data:asBase64"], "YcM=");
    assert!(cut.get("data:asText").is_none());
    let cut = get(
        &mut jmap,
        json!({ "length": 2, "properties": ["data:asText"] }),
    );
    assert_eq!(cut["data:asText"], Value::Null);
    let over = get(&mut jmap, json!({ "offset": 1, "length": 9 }));
    assert_eq!(
        (&over["data:asText"], &over["isTruncated"]),
        (&json!("ä"), &json!(true))
    );
    let behind = get(&mut jmap, json!({ "offset": 4 }));
    assert_eq!(
        (&behind["data:asText"], &behind["isTruncated"]),
        (&json!(""), &json!(true))
    );
    assert_eq!(
        get(&mut jmap, json!({ "properties": ["size"] })),
        json!({ "id": id, "size": 3 })
    );
    assert_eq!(
        get(&mut jmap, json!({ "properties": ["digest:md9"] }))["type"],
        "invalidArguments"
    );
    assert_eq!(
        get(&mut jmap, json!({ "offset": -1 }))["type"],
        "invalidArguments"
    );
    // Sources that are not what they claim.
    let long: Vec<Value> = (0..101).map(|_| json!({ "data:asText": "" })).collect();
    for (data, want) in [
        (json!([{ "data:asBase64": "Y" }]), "invalidProperties"),
        (
            json!([{ "data:asText": "a", "data:asBase64": "YQ==" }]),
            "invalidProperties",
        ),
        (
            json!([{ "blobId": id, "offset": 2, "length": 2 }]),
            "invalidProperties",
        ),
        (json!([{ "blobId": id, "offset": 4 }]), "invalidProperties"),
        (json!([{ "blobId": "b999" }]), "blobNotFound"),
        (json!([{ "blobId": "#me" }]), "blobNotFound"),
        (json!([{}]), "invalidProperties"),
        (json!(long), "invalidProperties"),
        (json!("x"), "invalidProperties"),
    ] {
        let args = json!({ "accountId": "a1", "create": { "me": { "data": data } } });
        let answers = jmap.request(BLOB, json!([["Blob/upload", args, "0"]]));
        let answer = &answers["methodResponses"][0][1];
        assert_eq!(answer["notCreated"]["me"]["type"], want, "{data}: {answer}");
        assert_eq!(answer["created"], Value::Null);
    }
    let empty = json!({ "accountId": "a1", "create": {
        "a": { "data": [{ "blobId": "#z" }], "type": "text/x" }, "z": { "data": [] } } });
    let answers = jmap.request(BLOB, json!([["Blob/upload", empty, "0"]]));
    let made = &answers["methodResponses"][0][1]["created"];
    assert_eq!(
        (&made["a"]["size"], &made["a"]["type"]),
        (&json!(0), &json!("text/x"))
    );
}

#[test]
fn blobs_are_looked_up() {
    let (_server, mut jmap) = start();
    let email = super::import(&mut jmap, "One", 1, json!({}));
    let got = jmap.email(&email, json!(["blobId", "threadId", "mailboxIds"]));
    let upload = jmap.upload("text/plain", b"x");
    let args = json!({ "accountId": "a1", "typeNames": ["Mailbox", "Thread", "Email"],
        "ids": [got["blobId"], upload, "no-blob"] });
    let answers = jmap.request(BLOB, json!([["Blob/lookup", args, "0"]]));
    let list = &answers["methodResponses"][0][1]["list"];
    let inbox = jmap.mailbox("inbox");
    assert_eq!(
        list[0]["matchedIds"],
        json!({ "Mailbox": [inbox], "Thread": [got["threadId"]], "Email": [email] })
    );
    let none = json!({ "Mailbox": [], "Thread": [], "Email": [] });
    assert_eq!(
        (&list[1]["matchedIds"], &list[2]["matchedIds"]),
        (&none, &none)
    );
    let args = json!({ "accountId": "a1", "typeNames": ["Calendar"], "ids": [] });
    let answers = jmap.request(BLOB, json!([["Blob/lookup", args, "0"]]));
    assert_eq!(answers["methodResponses"][0][1]["type"], "unknownDataType");
    let args = json!({ "accountId": "a1", "typeNames": ["Email"], "ids": [] });
    let answers = jmap.request(&["core", "blob"], json!([["Blob/lookup", args, "0"]]));
    assert_eq!(answers["methodResponses"][0][1]["type"], "unknownDataType");
    let answers = jmap.request(&["core", "mail"], json!([["Blob/lookup", {}, "0"]]));
    assert_eq!(answers["methodResponses"][0][1]["type"], "unknownMethod");
}
