//! Emails: get, set, import, parse, copy, changes (RFC 8621 §4).
use super::{Jmap, import, message, start};
use serde_json::{Value, json};

fn import_octets(jmap: &mut Jmap, octets: &[u8]) -> String {
    let blob = jmap.upload("message/rfc822", octets);
    import(jmap, "ignored", 1, json!({"blobId": blob}))
}

#[test]
fn metadata_and_headers() {
    let (_server, mut jmap) = start();
    let octets = message(
        &[
            ("Received", "from x by y; Tue, 2 Jan 2024 03:04:05 +0000"),
            ("Message-ID", "<one@else.where>"),
            ("In-Reply-To", "<zero@else.where>"),
            ("References", "<minus@else.where> <zero@else.where>"),
            (
                "From",
                "\"  James Smythe\" <james@example.com>, Friends:\r\n jane@example.com, =?UTF-8?Q?John_Sm=C3=AEth?=\r\n <john@example.com>;",
            ),
            ("To", "anna@example.org"),
            ("Subject", "=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
            ("Date", "Mon, 1 Jan 2024 10:00:00 +0100"),
            (
                "List-Post",
                "<mailto:partytime@lists.example.com> (Postings)",
            ),
            ("X-Twice", "a"),
            ("x-twice", "b"),
        ],
        "Hello\n",
    );
    let id = import_octets(&mut jmap, &octets);
    let got = jmap.email(
        &id,
        json!([
            "id",
            "blobId",
            "threadId",
            "mailboxIds",
            "keywords",
            "size",
            "receivedAt",
            "messageId",
            "inReplyTo",
            "references",
            "from",
            "to",
            "cc",
            "subject",
            "sentAt",
            "hasAttachment",
            "preview",
            "header:List-POST:asURLs",
            "header:x-twice:all",
            "header:X-TWICE",
            "header:From:asGroupedAddresses",
            "header:Nothing",
            "header:Nothing:all",
            "header:Subject",
            "header:Subject:asText",
            "header:Date:asDate"
        ]),
    );
    assert_eq!(got["mailboxIds"], json!({jmap.mailbox("inbox"): true}));
    assert_eq!(
        (&got["keywords"], &got["size"]),
        (&json!({}), &json!(octets.len()))
    );
    assert_eq!(got["messageId"], json!(["one@else.where"]));
    assert_eq!(got["inReplyTo"], json!(["zero@else.where"]));
    assert_eq!(
        got["references"],
        json!(["minus@else.where", "zero@else.where"])
    );
    // RFC 8621 §4.1.2.3 and §4.1.2.4 (where the name's accent was forgotten).
    let james = json!({"name": "James Smythe", "email": "james@example.com"});
    let jane = json!({"name": null, "email": "jane@example.com"});
    let john = json!({"name": "John Smîth", "email": "john@example.com"});
    assert_eq!(got["from"], json!([james, jane, john]));
    assert_eq!(
        got["header:From:asGroupedAddresses"],
        json!([
        {"name": null, "addresses": [james]}, {"name": "Friends", "addresses": [jane, john]}])
    );
    assert_eq!(
        (&got["subject"], &got["cc"]),
        (&json!("Grüße"), &Value::Null)
    );
    assert_eq!(got["header:Subject"], " =?utf-8?q?Gr=C3=BC=C3=9Fe?=");
    assert_eq!(got["sentAt"], "2024-01-01T10:00:00+01:00");
    assert_eq!(got["header:Date:asDate"], got["sentAt"]);
    assert_eq!(
        got["header:List-POST:asURLs"],
        json!(["mailto:partytime@lists.example.com"])
    );
    assert_eq!(
        (&got["header:x-twice:all"], &got["header:X-TWICE"]),
        (&json!([" a", " b"]), &json!(" b"))
    );
    assert_eq!(
        (&got["header:Nothing"], &got["header:Nothing:all"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(
        (&got["preview"], &got["hasAttachment"]),
        (&json!("Hello"), &json!(false))
    );
    let headers = jmap.email(&id, json!(["headers"]));
    assert_eq!(
        headers["headers"][9],
        json!({"name": "X-Twice", "value": " a"})
    );
    for bad in [
        "header:From:asDate",
        "header:",
        "nothing",
        "header:Subject:asAddresses",
    ] {
        let answer = jmap.call("Email/get", json!({"ids": [id], "properties": [bad]}));
        assert_eq!(answer["error"], "invalidArguments", "{bad}");
    }
    let twice = jmap.call(
        "Email/get",
        json!({"ids": [id, id, "e99", "x"], "properties": ["id"]}),
    );
    assert_eq!(twice["list"], json!([{"id": id}]));
    assert_eq!(twice["notFound"], json!(["e99", "x"]));
    let defaults = jmap.email(&id, json!({"properties": null}));
    assert_eq!(defaults.as_object().unwrap().len(), 24);
    assert_eq!(defaults["bodyValues"], json!({}));
}

/// RFC 8621 §4.1.4: the example of the list that adds a header and a footer.
#[test]
fn bodies() {
    let (_server, mut jmap) = start();
    let leaf = |media: &str, disposition: &str, name: &str| {
        let disposition = match disposition {
            "" => String::new(),
            kind => format!("Content-Disposition: {kind}\r\n"),
        };
        format!("Content-Type: {media}\r\n{disposition}\r\n{name}\r\n")
    };
    let multi = |sub: &str, parts: &[String]| {
        let boundary = format!("b{}", parts.concat().len());
        let parts: String = parts
            .iter()
            .map(|p| format!("--{boundary}\r\n{p}\r\n"))
            .collect();
        format!(
            "Content-Type: multipart/{sub}; boundary={boundary}\r\n\r\n{parts}--{boundary}--\r\n"
        )
    };
    let text = |name: &str| leaf("text/plain", "inline", name);
    let body = multi(
        "mixed",
        &[
            text("A"),
            multi(
                "mixed",
                &[
                    multi(
                        "alternative",
                        &[
                            multi(
                                "mixed",
                                &[text("B"), leaf("image/jpeg", "inline", "C"), text("D")],
                            ),
                            multi(
                                "related",
                                &[leaf("text/html", "", "E"), leaf("image/jpeg", "", "F")],
                            ),
                        ],
                    ),
                    leaf("image/jpeg", "attachment", "G"),
                    leaf("application/x-excel", "", "H"),
                    leaf("message/rfc822", "", "Subject: J\r\n\r\nJ"),
                ],
            ),
            text("K"),
        ],
    );
    let id = import_octets(
        &mut jmap,
        format!("From: a@b.c\r\nMIME-Version: 1.0\r\n{body}").as_bytes(),
    );
    let got = jmap.email(
        &id,
        json!({"properties": ["textBody", "htmlBody", "attachments", "hasAttachment",
        "bodyValues", "bodyStructure"], "bodyProperties": ["partId", "type", "blobId", "subParts"],
        "fetchAllBodyValues": true}),
    );
    let mut names = |list: &str| -> String {
        let parts = got[list].as_array().unwrap().clone();
        let of = |p: &Value| {
            let octets = jmap
                .get(&format!(
                    "/jmap/download/a1/{}/x",
                    p["blobId"].as_str().unwrap()
                ))
                .body;
            char::from(
                *octets
                    .iter()
                    .rev()
                    .find(|b| b.is_ascii_alphabetic())
                    .unwrap(),
            )
        };
        parts.iter().map(of).collect()
    };
    assert_eq!(names("textBody"), "ABCDK");
    assert_eq!(names("htmlBody"), "AEK");
    assert_eq!(names("attachments"), "CFGHJ");
    assert_eq!(got["hasAttachment"], true);
    let values = got["bodyValues"].as_object().unwrap();
    // A, B, D, E, K: text parts of the message itself, none inside J.
    assert_eq!(values.len(), 5);
    let first = got["bodyStructure"]["subParts"][0]["partId"]
        .as_str()
        .unwrap();
    assert_eq!(
        values[first],
        json!({"value": "A\n", "isEncodingProblem": false, "isTruncated": false})
    );
    let inner = got["bodyStructure"]["subParts"][1]["subParts"]
        .as_array()
        .unwrap();
    assert_eq!(
        (&inner[3]["type"], inner[3].get("subParts")),
        (&json!("message/rfc822"), None)
    );

    let blob = inner[3]["blobId"].clone();
    let parsed = jmap.call("Email/parse", json!({"blobIds": [blob, "b77777", "x"],
        "properties": ["id", "subject", "textBody", "bodyValues", "threadId"], "fetchTextBodyValues": true}));
    let parsed_one = &parsed["parsed"][blob.as_str().unwrap()];
    assert_eq!(
        (&parsed_one["subject"], &parsed_one["id"]),
        (&json!("J"), &Value::Null)
    );
    assert_eq!(parsed_one["bodyValues"]["1"]["value"], "J\n");
    assert_eq!(
        (&parsed["notFound"], &parsed["notParsable"]),
        (&json!(["b77777", "x"]), &Value::Null)
    );
    let picture = jmap.upload("image/png", b"\x89PNG\r\n\x1a\n\0\0");
    let parsed = jmap.call("Email/parse", json!({"blobIds": [picture]}));
    assert_eq!(
        (&parsed["parsed"], &parsed["notParsable"]),
        (&Value::Null, &json!([picture]))
    );
}

#[test]
fn truncated_values() {
    let (_server, mut jmap) = start();
    let octets = "From: a@b.c\r\nContent-Type: text/html; charset=iso-8859-1\r\n\r\n<p>ää</p><a href=x>y</a>\r\n";
    // Latin-1: two octets each stand for two characters.
    let id = import_octets(&mut jmap, octets.as_bytes());
    let mut value = |max: u32| {
        let got = jmap.email(
            &id,
            json!({"properties": ["bodyValues"], "fetchHTMLBodyValues": true,
            "maxBodyValueBytes": max}),
        );
        got["bodyValues"]["1"].clone()
    };
    assert_eq!(value(0)["value"], "<p>Ã¤Ã¤</p><a href=x>y</a>\n");
    assert_eq!(
        value(4),
        json!({"value": "<p>", "isEncodingProblem": false, "isTruncated": true})
    );
    assert_eq!(value(5)["value"], "<p>Ã");
    assert_eq!(value(20)["value"], "<p>Ã¤Ã¤</p>");
    assert_eq!(value(1000)["isTruncated"], false);
}

#[test]
fn set_updates() {
    let (_server, mut jmap) = start();
    let (inbox, trash) = (jmap.mailbox("inbox"), jmap.mailbox("trash"));
    let id = import(
        &mut jmap,
        "One",
        1,
        json!({"keywords": {"$seen": true, "old": true}}),
    );
    let update = |jmap: &mut Jmap, patch: Value| {
        jmap.call("Email/set", json!({"update": {id.clone(): patch}}))
    };
    let keywords = |jmap: &mut Jmap| jmap.email(&id, json!(["keywords"]))["keywords"].clone();
    let answer = update(
        &mut jmap,
        json!({"keywords/$flagged": true, "keywords/old": null, "keywords/$Forwarded": true}),
    );
    assert_eq!(answer["updated"], json!({id.clone(): null}));
    assert_eq!(
        keywords(&mut jmap),
        json!({"$seen": true, "$flagged": true, "$forwarded": true})
    );
    // Clients send false where the RFC wants null.
    update(&mut jmap, json!({"keywords/$seen": false}));
    assert_eq!(
        keywords(&mut jmap),
        json!({"$flagged": true, "$forwarded": true})
    );
    update(&mut jmap, json!({"keywords": {"$draft": true}}));
    assert_eq!(keywords(&mut jmap), json!({"$draft": true}));
    update(&mut jmap, json!({"keywords": null}));
    assert_eq!(keywords(&mut jmap), json!({}));
    update(
        &mut jmap,
        json!({format!("mailboxIds/{trash}"): true, format!("mailboxIds/{inbox}"): null}),
    );
    assert_eq!(
        jmap.email(&id, json!(["mailboxIds"]))["mailboxIds"],
        json!({trash.clone(): true})
    );
    update(
        &mut jmap,
        json!({"mailboxIds": {inbox.clone(): true, trash.clone(): true}}),
    );
    let both = jmap.email(&id, json!(["mailboxIds"]))["mailboxIds"].clone();
    assert_eq!(both.as_object().unwrap().len(), 2);

    for (patch, want) in [
        (json!({"mailboxIds": {}}), "invalidProperties"),
        (json!({"mailboxIds": {"m999": true}}), "invalidProperties"),
        (
            json!({"mailboxIds": {inbox.clone(): null, trash.clone(): null}}),
            "invalidProperties",
        ),
        (json!({"mailboxIds": null}), "invalidProperties"),
        (json!({"keywords/a b": true}), "invalidProperties"),
        (json!({"keywords/a": "x"}), "invalidProperties"),
        (
            json!({"keywords": {"a": true}, "keywords/b": true}),
            "invalidPatch",
        ),
        (json!({"keywords/a/b": true}), "invalidPatch"),
        (json!({"subject": "new"}), "invalidProperties"),
        (json!({"size": 1}), "invalidProperties"),
        (
            json!({"receivedAt": "2020-01-01T00:00:00Z"}),
            "invalidProperties",
        ),
    ] {
        let answer = update(&mut jmap, patch.clone());
        assert_eq!(answer["notUpdated"][&id]["type"], want, "{patch}");
    }
    // What the server set may be sent back.
    let whole = jmap.email(
        &id,
        json!([
            "id",
            "threadId",
            "blobId",
            "size",
            "receivedAt",
            "keywords",
            "mailboxIds"
        ]),
    );
    assert_eq!(update(&mut jmap, whole)["notUpdated"], Value::Null);
    let state = jmap.email_state();
    let answer = jmap.call("Email/set", json!({"ifInState": "1", "destroy": [id]}));
    assert_eq!(answer["error"], "stateMismatch");
    let answer = jmap.call(
        "Email/set",
        json!({"ifInState": state, "update": {id.clone(): {"keywords/x": true}},
        "destroy": [id, "e99"]}),
    );
    assert_eq!(answer["destroyed"], json!([id]));
    assert_eq!(answer["notUpdated"][&id]["type"], "willDestroy");
    assert_eq!(answer["notDestroyed"]["e99"]["type"], "notFound");
    assert_eq!(
        (&answer["created"], &answer["notCreated"]),
        (&Value::Null, &Value::Null)
    );
    let answer = update(&mut jmap, json!({"keywords/x": true}));
    assert_eq!(answer["notUpdated"][&id]["type"], "notFound");
    let many: Vec<String> = (0..501).map(|n| format!("e{n}")).collect();
    assert_eq!(
        jmap.call("Email/set", json!({"destroy": many}))["error"],
        "requestTooLarge"
    );
}

/// RFC 8621 §4.10: a draft, then one with attachments.
#[test]
fn set_creates() {
    let (_server, mut jmap) = start();
    let drafts = jmap.mailbox("drafts");
    let made = jmap.call("Email/set", json!({"create": {"k192": {
        "mailboxIds": {drafts.clone(): true},
        "keywords": {"$seen": true, "$draft": true},
        "from": [{"name": "Joe Bloggs", "email": "joe@example.com"}],
        "to": [{"name": "Zoë", "email": "zoe@example.com"}],
        "subject": "World domination über alles",
        "receivedAt": "2018-07-10T01:03:11Z",
        "sentAt": "2018-07-10T11:03:11+10:00",
        "header:X-Extra:asText": "grün",
        "bodyStructure": {"type": "multipart/alternative", "subParts": [
            {"partId": "a49d", "type": "text/html"}, {"partId": "bd48", "type": "text/plain"}]},
        "bodyValues": {
            "bd48": {"value": "I have the most brilliant plan. Let me tell you all about it. What we do is, we", "isTruncated": false},
            "a49d": {"value": "<!DOCTYPE html><html><head><title></title></head><body><div>I have the most <b>brilliant</b> plan.</div></body></html>"}}}}}));
    let id = made["created"]["k192"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned();
    for name in ["blobId", "threadId", "size"] {
        assert!(!made["created"]["k192"][name].is_null(), "{name}");
    }
    let got = jmap.email(&id, json!({"properties": ["from", "to", "subject", "sentAt", "receivedAt", "keywords",
        "messageId", "header:X-Extra:asText", "bodyStructure", "bodyValues", "textBody", "htmlBody"],
        "fetchAllBodyValues": true}));
    assert_eq!(
        got["to"],
        json!([{"name": "Zoë", "email": "zoe@example.com"}])
    );
    assert_eq!(got["subject"], "World domination über alles");
    assert_eq!(got["sentAt"], "2018-07-10T11:03:11+10:00");
    assert_eq!(got["receivedAt"], "2018-07-10T01:03:11Z");
    assert_eq!(got["header:X-Extra:asText"], "grün");
    assert_eq!(got["messageId"].as_array().unwrap().len(), 1);
    assert_eq!(got["bodyStructure"]["type"], "multipart/alternative");
    let text = got["textBody"][0]["partId"].as_str().unwrap();
    assert!(
        got["bodyValues"][text]["value"]
            .as_str()
            .unwrap()
            .ends_with("What we do is, we")
    );

    let octets: Vec<u8> = (0..100_000u32).map(|n| (n % 256) as u8).collect();
    let picture = jmap.upload("image/png", &octets);
    let made = jmap.call("Email/set", json!({"create": {"k": {
        "mailboxIds": {drafts.clone(): true},
        "textBody": [{"partId": "1", "type": "text/plain"}],
        "htmlBody": [{"partId": "2", "type": "text/html"}],
        "bodyValues": {"1": {"value": "Hällo\n"}, "2": {"value": "<img src=\"cid:pic@x\">"}},
        "attachments": [
            {"blobId": picture, "type": "image/png", "name": "Bild ä.png", "disposition": "inline", "cid": "pic@x"},
            {"blobId": picture, "type": "image/png", "name": "two.png", "size": 1},
            {"blobId": made["created"]["k192"]["blobId"], "type": "message/rfc822"}]}}}));
    let id = made["created"]["k"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned();
    let got = jmap.email(
        &id,
        json!({"properties": ["attachments", "hasAttachment", "bodyValues", "textBody",
        "bodyStructure"], "fetchTextBodyValues": true}),
    );
    assert_eq!(got["hasAttachment"], true);
    assert_eq!(
        got["bodyStructure"]["subParts"][0]["type"],
        "multipart/alternative"
    );
    let attached = got["attachments"].as_array().unwrap();
    assert_eq!(
        (&attached[0]["name"], &attached[0]["cid"]),
        (&json!("Bild ä.png"), &json!("pic@x"))
    );
    assert_eq!(
        (&attached[1]["disposition"], &attached[1]["size"]),
        (&json!("attachment"), &json!(100_000))
    );
    assert_eq!(attached[2]["type"], "message/rfc822");
    let text = got["textBody"][0]["partId"].as_str().unwrap();
    assert_eq!(got["bodyValues"][text]["value"], "Hällo\n");
    let path = format!(
        "/jmap/download/a1/{}/x",
        attached[1]["blobId"].as_str().unwrap()
    );
    assert!(jmap.get(&path).body == octets);
    let parsed = jmap.call(
        "Email/parse",
        json!({"blobIds": [attached[2]["blobId"]], "properties": ["subject"]}),
    );
    assert_eq!(
        parsed["parsed"][attached[2]["blobId"].as_str().unwrap()]["subject"],
        "World domination über alles"
    );
}

#[test]
fn set_create_refusals() {
    let (_server, mut jmap) = start();
    let drafts = jmap.mailbox("drafts");
    let blob = jmap.upload("text/plain", b"x");
    for (change, want) in [
        (json!({"mailboxIds": null}), "invalidProperties"),
        (json!({"id": "e1"}), "invalidProperties"),
        (json!({"headers": []}), "invalidProperties"),
        (json!({"from": "x"}), "invalidProperties"),
        (json!({"from": [{"name": "x"}]}), "invalidProperties"),
        (
            json!({"from": [], "header:From": " x"}),
            "invalidProperties",
        ),
        (json!({"header:Subject:asDate": "x"}), "invalidProperties"),
        (
            json!({"header:Content-Language": "de"}),
            "invalidProperties",
        ),
        (json!({"sentAt": "yesterday"}), "invalidProperties"),
        (
            json!({"bodyStructure": {"partId": "1"}, "textBody": []}),
            "invalidProperties",
        ),
        (
            json!({"bodyStructure": {"partId": "nope"}}),
            "invalidProperties",
        ),
        (
            json!({"bodyStructure": {"partId": "1", "blobId": blob}, "bodyValues": {"1": {"value": ""}}}),
            "invalidProperties",
        ),
        (
            json!({"bodyStructure": {"partId": "1", "charset": "x"}, "bodyValues": {"1": {"value": ""}}}),
            "invalidProperties",
        ),
        (
            json!({"bodyStructure": {"partId": "1", "size": 1}, "bodyValues": {"1": {"value": ""}}}),
            "invalidProperties",
        ),
        (
            json!({"bodyStructure": {"partId": "1"}, "bodyValues": {"1": {"value": "", "isTruncated": true}}}),
            "invalidProperties",
        ),
        (
            json!({"bodyStructure": {"blobId": blob, "header:Content-Transfer-Encoding": "x"}}),
            "invalidProperties",
        ),
        (
            json!({"subject": "x", "bodyStructure": {"blobId": blob, "header:Subject": "y"}}),
            "invalidProperties",
        ),
        (
            json!({"textBody": [{"partId": "1"}, {"partId": "1"}], "bodyValues": {"1": {"value": ""}}}),
            "invalidProperties",
        ),
        (
            json!({"textBody": [{"partId": "1", "type": "text/html"}], "bodyValues": {"1": {"value": ""}}}),
            "invalidProperties",
        ),
        (
            json!({"attachments": [{"blobId": "b999"}, {"blobId": "zzz"}]}),
            "blobNotFound",
        ),
        (json!({"keywords": {"a b": true}}), "invalidProperties"),
    ] {
        let mut object = json!({"mailboxIds": {drafts.clone(): true}});
        object
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let answer = jmap.call("Email/set", json!({"create": {"k": object}}));
        assert_eq!(
            answer["notCreated"]["k"]["type"], want,
            "{change}: {answer}"
        );
        if want == "blobNotFound" {
            assert_eq!(
                answer["notCreated"]["k"]["notFound"],
                json!(["b999", "zzz"])
            );
        }
    }
    // Nothing that a client sends breaks out of its field.
    let answer = jmap.call("Email/set", json!({"create": {"k": {"mailboxIds": {drafts: true},
        "subject": "a\r\nBcc: evil@x", "header:X-A": " b\r\n\r\nbody", "from": [{"name": "x\r\nX-Evil: 1", "email": "a@b"}]}}}));
    let id = answer["created"]["k"]["id"].as_str().unwrap().to_owned();
    let got = jmap.email(&id, json!(["bcc", "header:X-Evil", "subject"]));
    assert_eq!(
        (&got["bcc"], &got["header:X-Evil"]),
        (&Value::Null, &Value::Null)
    );
}

#[test]
fn import_and_copy() {
    let (_server, mut jmap) = start();
    let inbox = jmap.mailbox("inbox");
    let octets = message(
        &[
            ("Received", "from x by y; Tue, 2 Jan 2024 03:04:05 +0000"),
            ("Subject", "x"),
        ],
        "y\n",
    );
    let blob = jmap.upload("message/rfc822", &octets);
    let one = json!({"blobId": blob, "mailboxIds": {inbox.clone(): true}});
    let made = jmap.call(
        "Email/import",
        json!({"emails": {"a": one, "b": one,
        "c": {"blobId": "b999", "mailboxIds": {inbox.clone(): true}},
        "d": {"blobId": blob, "mailboxIds": {}},
        "e": {"blobId": blob, "mailboxIds": {inbox.clone(): true}, "keywords": []}}}),
    );
    assert_ne!(made["oldState"], made["newState"]);
    let (a, b) = (&made["created"]["a"], &made["created"]["b"]);
    assert_ne!(a["id"], b["id"]);
    assert_eq!(a["size"], octets.len());
    for bad in ["c", "d", "e"] {
        assert_eq!(made["notCreated"][bad]["type"], "invalidProperties");
    }
    let got = jmap.email(a["id"].as_str().unwrap(), json!(["receivedAt", "subject"]));
    assert_eq!(got["receivedAt"], "2024-01-02T03:04:05Z");
    let answer = jmap.call("Email/import", json!({"ifInState": "0", "emails": {}}));
    assert_eq!(answer["error"], "stateMismatch");
    let none = jmap.upload("image/png", b"\x89PNG\r\n\x1a\n\0");
    let answer = jmap.call(
        "Email/import",
        json!({"emails": {"a": {"blobId": none, "mailboxIds": {inbox: true}}}}),
    );
    assert_eq!(answer["notCreated"]["a"]["type"], "invalidEmail");
    let copy = json!({"fromAccountId": "a1", "create": {"k": {"id": a["id"]}}});
    assert_eq!(jmap.call("Email/copy", copy)["error"], "invalidArguments");
    let copy = json!({"fromAccountId": "zz", "create": {}});
    assert_eq!(
        jmap.call("Email/copy", copy)["error"],
        "fromAccountNotFound"
    );
}

#[test]
fn changes() {
    let (_server, mut jmap) = start();
    let zero = jmap.email_state();
    let ids: Vec<String> = (1..=5)
        .map(|n| import(&mut jmap, &format!("N{n}"), n, json!({})))
        .collect();
    let five = jmap.email_state();
    let all = jmap.call("Email/changes", json!({"sinceState": zero}));
    assert_eq!(
        (&all["created"], &all["newState"]),
        (&json!(ids), &json!(five))
    );
    // In steps: the union is the same.
    let (mut state, mut seen) = (zero.clone(), Vec::new());
    loop {
        let some = jmap.call(
            "Email/changes",
            json!({"sinceState": state, "maxChanges": 2}),
        );
        assert!(some["created"].as_array().unwrap().len() <= 2);
        seen.extend(
            some["created"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned()),
        );
        state = some["newState"].as_str().unwrap().to_owned();
        if some["hasMoreChanges"] == false {
            break;
        }
    }
    seen.sort();
    let mut want = ids.clone();
    want.sort();
    assert_eq!(seen, want);
    jmap.call(
        "Email/set",
        json!({"update": {ids[0].clone(): {"keywords/$seen": true}}, "destroy": [ids[1]]}),
    );
    let some = jmap.call("Email/changes", json!({"sinceState": five}));
    assert_eq!(
        (&some["created"], &some["updated"], &some["destroyed"]),
        (&json!([]), &json!([ids[0]]), &json!([ids[1]]))
    );
    let threads = jmap.call("Thread/changes", json!({"sinceState": zero}));
    assert_eq!(threads["created"].as_array().unwrap().len(), 4);
    assert_eq!(
        jmap.call("Email/changes", json!({"sinceState": "nope"}))["error"],
        "cannotCalculateChanges"
    );
}

#[test]
fn threads() {
    let (_server, mut jmap) = start();
    let fields = |id: &str, re: &str| {
        let mut all = vec![
            ("Message-ID", format!("<{id}@x>")),
            ("Subject", "Talk".to_owned()),
        ];
        if !re.is_empty() {
            all.push(("References", format!("<{re}@x>")));
        }
        let all: Vec<(&str, &str)> = all.iter().map(|(n, v)| (*n, v.as_str())).collect();
        message(&all, "x\n")
    };
    let mut add = |octets: Vec<u8>, day: u32| {
        let blob = jmap.upload("message/rfc822", &octets);
        import(&mut jmap, "ignored", day, json!({"blobId": blob}))
    };
    let one = add(fields("1", ""), 5);
    let two = add(fields("2", "1"), 3);
    let got = jmap.call(
        "Email/get",
        json!({"ids": [one, two], "properties": ["threadId"]}),
    );
    let thread = got["list"][0]["threadId"].clone();
    assert_eq!(got["list"][1]["threadId"], thread);
    let got = jmap.call("Thread/get", json!({"ids": [thread, "t999"]}));
    // By date received, not by arrival.
    assert_eq!(got["list"], json!([{"id": thread, "emailIds": [two, one]}]));
    assert_eq!(got["notFound"], json!(["t999"]));
}

#[test]
fn identities() {
    let (_server, mut jmap) = start();
    let got = jmap.call("Identity/get", json!({"ids": null}));
    let one = &got["list"][0];
    assert_eq!(one["email"], "anna@example.org");
    for name in [
        "replyTo",
        "bcc",
        "textSignature",
        "htmlSignature",
        "mayDelete",
        "name",
    ] {
        assert!(one.as_object().unwrap().contains_key(name), "{name}");
    }
}

/// A message of nothing but text parts is still shown, and takes a bounded amount of memory.
#[test]
fn many_large_text_parts() {
    let (_server, mut jmap) = start();
    let part =
        "--b\r\nContent-Type: text/plain\r\n\r\n".to_owned() + &"0123456789\r\n".repeat(80_000);
    let text = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\n",
        part.repeat(12)
    );
    let blob = jmap.upload("message/rfc822", text.as_bytes());
    let inbox = jmap.mailbox("inbox");
    let made = jmap.call(
        "Email/import",
        json!({"emails": {"k": {"blobId": blob, "mailboxIds": {inbox: true}}}}),
    );
    let id = made["created"]["k"]["id"].clone();
    let got = jmap.call(
        "Email/get",
        json!({"ids": [id], "properties": ["bodyValues"], "fetchAllBodyValues": true}),
    );
    let values = got["list"][0]["bodyValues"]
        .as_object()
        .unwrap_or_else(|| panic!("{got}"));
    assert_eq!(values.len(), 12);
    let whole = values
        .values()
        .filter(|v| v["isTruncated"] == false)
        .count();
    let octets: usize = values
        .values()
        .map(|v| v["value"].as_str().unwrap().len())
        .sum();
    assert!(
        (4..=5).contains(&whole) && octets <= 4 << 20,
        "{whole} {octets}"
    );
}

/// No property of an Email may become a header field, a part or a body that nobody asked for.
#[test]
fn no_value_breaks_out_of_its_field() {
    let (_server, mut jmap) = start();
    let inbox = jmap.mailbox("inbox");
    for end in [
        "\r\n", "\n", "\r", "\r\n\r\n", "\n\n", "\u{2028}", "\0", "\"\r\n", ">\r\n", "?=\r\n",
    ] {
        let evil = format!("a{end}Evil: x");
        let address = json!([{"name": evil, "email": "a@b.example"}]);
        let odd = json!([{"name": "a", "email": format!("a@b.example{end}Evil: x")}]);
        let part = |more: Value| {
            let mut part = json!({"partId": "1", "type": "text/plain"});
            part.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            json!({"bodyStructure": part, "bodyValues": {"1": {"value": "text"}}})
        };
        for more in [
            json!({"subject": evil}),
            json!({"from": address}),
            json!({"to": odd}),
            json!({"messageId": [format!("a@b{end}Evil: x")]}),
            json!({"references": [format!("a@b{end}Evil: x")]}),
            json!({"header:X-A": format!(" {evil}")}),
            json!({"header:X-A:asText": evil}),
            json!({"header:X-A:asURLs": [format!("http://a{end}Evil: x")]}),
            json!({"header:X-A:asGroupedAddresses": [{"name": evil, "addresses": address}]}),
            json!({"header:X-A:asMessageIds": [evil]}),
            json!({format!("header:X{end}Evil"): " x"}),
            part(json!({"type": format!("text/plain{end}Evil: x")})),
            part(json!({"name": evil})),
            part(json!({"charset": evil})),
            part(json!({"disposition": evil})),
            part(json!({"cid": evil})),
            part(json!({"location": evil})),
            part(json!({"language": [evil]})),
            part(json!({"header:X-A": format!(" {evil}")})),
        ] {
            let mut email = json!({"mailboxIds": {inbox.clone(): true}});
            email
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            let set = jmap.call("Email/set", json!({"create": {"k": email}}));
            let Some(id) = set["created"]["k"]["id"].as_str() else {
                continue;
            };
            let blob = jmap.email(id, json!(["blobId"]))["blobId"]
                .as_str()
                .unwrap()
                .to_owned();
            let raw = jmap.get(&format!("/jmap/download/a1/{blob}/x")).body;
            let text = String::from_utf8_lossy(&raw).replace('\r', "\n");
            assert!(
                !text.lines().any(|line| line.starts_with("Evil")),
                "{more}: {text}"
            );
        }
    }
}

#[test]
fn properties_are_bounded() {
    let (_server, mut jmap) = start();
    let part = "--b\r\nContent-Type: text/plain\r\n\r\nx\r\n".repeat(700);
    let text = format!(
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{part}--b--\r\n"
    );
    let blob = jmap.upload("message/rfc822", text.as_bytes());
    let many: Vec<String> = (0..20_000).map(|n| format!("header:X-{n}")).collect();
    let mut error = |mut args: Value| {
        args["accountId"] = json!("a1");
        args["blobIds"] = json!([blob]);
        let call = json!({"using": ["urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"],
                          "methodCalls": [["Email/parse", args, "0"]]});
        let answer = jmap.ask(
            "POST",
            "/jmap/api",
            &[("Content-Type", "application/json")],
            call.to_string().as_bytes(),
        );
        let answer = answer.json();
        (
            answer["methodResponses"][0][0].clone(),
            answer["methodResponses"][0][1]["type"].clone(),
        )
    };
    let refused = (json!("error"), json!("requestTooLarge"));
    assert_eq!(error(json!({"properties": many})), refused);
    assert_eq!(
        error(json!({"properties": ["attachments"], "bodyProperties": many})),
        refused
    );
    let some = &many[..200];
    assert_eq!(
        error(json!({"properties": ["bodyStructure"], "bodyProperties": some})).0,
        "error"
    );
    assert_eq!(
        error(json!({"properties": ["bodyStructure"], "bodyProperties": &some[..50]})).0,
        "Email/parse"
    );
}
