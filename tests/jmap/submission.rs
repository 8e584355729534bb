//! EmailSubmission (RFC 8621 §7).
use super::Jmap;
use crate::harness::Server;
use crate::smtp::fake::{Fake, USUAL};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn server(fake: &Fake) -> Server {
    Server::with(|config| config.smarthost = Some(fake.smarthost()))
}

/// A draft to these people.
fn draft(jmap: &mut Jmap, to: &str, more: Value) -> String {
    let drafts = jmap.mailbox("drafts");
    let mut email = json!({
        "mailboxIds": { drafts: true },
        "keywords": { "$draft": true, "$seen": true },
        "from": [{ "name": "Anna", "email": "anna@example.org" }],
        "to": to.split(',').map(|to| json!({ "email": to })).collect::<Vec<_>>(),
        "bcc": [{ "email": "eve@third.place" }],
        "subject": "World domination",
        "bodyValues": { "1": { "value": "I have the most brilliant plan." } },
        "textBody": [{ "partId": "1", "type": "text/plain" }],
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        email[name] = value.clone();
    }
    let set = jmap.call("Email/set", json!({ "create": { "d": email } }));
    set["created"]["d"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{set}"))
        .to_owned()
}

fn identity(jmap: &mut Jmap) -> String {
    let all = jmap.call("Identity/get", json!({ "ids": null }));
    all["list"][0]["id"].as_str().unwrap().to_owned()
}

fn submission(jmap: &mut Jmap, id: &str) -> Value {
    let got = jmap.call("EmailSubmission/get", json!({ "ids": [id] }));
    got["list"][0].clone()
}

/// Asks until it is so.
#[track_caller]
fn until(jmap: &mut Jmap, id: &str, so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + crate::harness::PATIENCE;
    loop {
        let got = submission(jmap, id);
        if so(&got) {
            return got;
        }
        assert!(Instant::now() < end, "{got}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn made_id(jmap: &mut Jmap, email: &str) -> String {
    let got = jmap.email(email, json!(["messageId"]));
    got["messageId"][0].as_str().unwrap().to_owned()
}

/// Bob's program says that he saw it (RFC 8098).
fn receipt(server: &Server, id: &str) {
    let mut client = server.client(pillarbox::config::Role::Smtp);
    client.expect("220");
    client.ask("EHLO mx.else.where", "250 ");
    client.ask("MAIL FROM:<>", "250");
    client.ask("RCPT TO:<anna@example.org>", "250");
    client.ask("DATA", "354");
    client.ask(
        &format!(
            "From: bob@else.where\r\nTo: anna@example.org\r\nSubject: Read\r\n\
             Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n\
             --b\r\n\r\nSeen.\r\n--b\r\nContent-Type: message/disposition-notification\r\n\r\n\
             Final-Recipient: rfc822; Bob@else.where\r\nOriginal-Message-ID: <{id}>\r\n\
             Disposition: manual-action/MDN-sent-manually; displayed\r\n\r\n--b--\r\n."
        ),
        "250",
    );
}

#[test]
fn is_sent_and_followed() {
    let fake = Fake::start(USUAL, |_, line| {
        line.contains("nobody@")
            .then(|| "550 5.1.1 no such user".into())
    });
    let server = server(&fake);
    let mut jmap = Jmap::new(&server);
    let identity = identity(&mut jmap);
    let email = draft(
        &mut jmap,
        "bob@else.where,nobody@else.where,anna@example.org",
        json!({}),
    );
    let (drafts, sent) = (jmap.mailbox("drafts"), jmap.mailbox("sent"));
    let state = jmap.call("EmailSubmission/get", json!({ "ids": [] }))["state"].clone();
    // As in RFC 8621 §7.5.1: moved to the sent folder when it is on its way.
    let answers = jmap.calls(json!([["EmailSubmission/set", {
        "accountId": "a1",
        "create": { "k1490": { "identityId": identity, "emailId": email } },
        "onSuccessUpdateEmail": { "#k1490": {
            format!("mailboxIds/{drafts}"): null,
            format!("mailboxIds/{sent}"): true,
            "keywords/$draft": null,
        } },
    }, "0"]]));
    assert_eq!(answers.len(), 2, "{answers:?}");
    let made = &answers[0][1]["created"]["k1490"];
    assert!(
        made["sendAt"].is_string() && made["threadId"].is_string(),
        "{answers:?}"
    );
    assert_eq!(answers[1][0], "Email/set");
    assert_eq!(answers[1][2], "0");
    assert_eq!(answers[1][1]["updated"], json!({ email.clone(): null }));
    let now = jmap.email(&email, json!(["mailboxIds", "keywords"]));
    assert_eq!(now["mailboxIds"], json!({ sent: true }));
    assert_eq!(now["keywords"], json!({ "$seen": true }));
    let id = made["id"].as_str().unwrap().to_owned();
    let done = until(&mut jmap, &id, |s| {
        let all = s["deliveryStatus"].as_object().unwrap();
        let settled = all.values().all(|d| d["delivered"] != "queued");
        settled && s["dsnBlobIds"].as_array().unwrap().len() == 1
    });
    assert_eq!(done["undoStatus"], "final");
    let status = &done["deliveryStatus"];
    assert_eq!(status["bob@else.where"]["delivered"], "unknown");
    assert!(
        status["bob@else.where"]["smtpReply"]
            .as_str()
            .unwrap()
            .starts_with("250 ")
    );
    assert_eq!(status["nobody@else.where"]["delivered"], "no");
    assert_eq!(
        status["nobody@else.where"]["smtpReply"],
        "550 5.1.1 no such user"
    );
    assert_eq!(status["anna@example.org"]["delivered"], "yes");
    // What was reported about it is known: here, that one of them does not exist.
    let blob = done["dsnBlobIds"][0].as_str().unwrap().to_owned();
    assert_eq!(done["mdnBlobIds"], json!([]));
    let report = jmap.get(&format!("/jmap/download/a1/{blob}/x?type=text/plain"));
    let report = String::from_utf8_lossy(&report.body).into_owned();
    assert!(report.contains("multipart/report") && report.contains("nobody@else.where"));
    receipt(&server, &made_id(&mut jmap, &email));
    let done = until(&mut jmap, &id, |s| {
        s["mdnBlobIds"].as_array().unwrap().len() == 1
    });
    let seen = |who: &str| done["deliveryStatus"][who]["displayed"].clone();
    assert_eq!(
        (seen("bob@else.where"), seen("anna@example.org")),
        ("yes".into(), "unknown".into())
    );
    // Bcc is in the envelope, and not in the message.
    let envelope: Vec<_> = done["envelope"]["rcptTo"].as_array().unwrap().clone();
    assert_eq!(envelope.len(), 4);
    assert!(status["eve@third.place"].is_object());
    let messages = fake.wait(2);
    for message in &messages {
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        assert!(!text.contains("Bcc") && !text.contains("eve@"), "{text}");
    }
    let changes = jmap.call("EmailSubmission/changes", json!({ "sinceState": state }));
    assert_eq!(changes["created"], json!([id]));
    // The record goes, what it was about does not come back.
    let set = jmap.call("EmailSubmission/set", json!({ "destroy": [id] }));
    assert_eq!(set["destroyed"], json!([id]));
}

#[test]
fn waits_for_its_time_and_can_be_taken_back() {
    let fake = Fake::taking_all();
    let server = server(&fake);
    let mut jmap = Jmap::new(&server);
    let identity = identity(&mut jmap);
    let email = draft(&mut jmap, "bob@else.where", json!({}));
    let hold = |parameters: Value| {
        json!({ "create": { "k": {
            "identityId": identity,
            "emailId": email,
            "envelope": {
                "mailFrom": { "email": "anna@example.org", "parameters": parameters },
                "rcptTo": [{ "email": "bob@else.where", "parameters": { "NOTIFY": "NEVER" } }],
            },
        } } })
    };
    let set = jmap.call("EmailSubmission/set", hold(json!({ "HOLDFOR": "3600" })));
    let id = set["created"]["k"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{set}"))
        .to_owned();
    let got = submission(&mut jmap, &id);
    assert_eq!(got["undoStatus"], "pending");
    assert_eq!(
        got["deliveryStatus"]["bob@else.where"]["delivered"],
        "queued"
    );
    assert!(got["sendAt"].as_str().unwrap() > "2025");
    // "Try everything now" is not meant for it.
    pillarbox::mail::outbound::retry_all();
    // Nor does the end of the email end it (RFC 8621 §7.5).
    jmap.call("Email/set", json!({ "destroy": [email] }));
    assert_eq!(submission(&mut jmap, &id)["undoStatus"], "pending");
    let found = |jmap: &mut Jmap, filter: Value| {
        jmap.call(
            "EmailSubmission/query",
            json!({ "filter": filter, "sort": [{ "property": "sentAt" }] }),
        )
    };
    let query = found(
        &mut jmap,
        json!({ "undoStatus": "pending", "emailIds": [email] }),
    );
    assert_eq!(query["ids"], json!([id]));
    let cancel = json!({ "update": { id.clone(): { "undoStatus": "canceled" } } });
    let set = jmap.call("EmailSubmission/set", cancel.clone());
    assert_eq!(set["updated"], json!({ id.clone(): null }), "{set}");
    assert_eq!(submission(&mut jmap, &id)["undoStatus"], "canceled");
    let since =
        json!({ "sinceQueryState": query["queryState"], "filter": { "undoStatus": "pending" } });
    let changes = jmap.call("EmailSubmission/queryChanges", since);
    assert_eq!(changes["removed"], json!([id]));
    assert_eq!(changes["added"], json!([]));
    assert_eq!(fake.count(), 0);
    // Nothing is left behind.
    let octets = server.mail().meta().bytes;
    assert_eq!(octets, 0);
    // What is gone cannot be taken back; what never was neither.
    let email = draft(&mut jmap, "bob@else.where", json!({}));
    let now = json!({ "create": { "k": { "identityId": identity, "emailId": email } } });
    let set = jmap.call("EmailSubmission/set", now);
    let id = set["created"]["k"]["id"].as_str().unwrap().to_owned();
    until(&mut jmap, &id, |s| s["undoStatus"] == "final");
    let cancel = json!({ "update": {
        id.clone(): { "undoStatus": "canceled" },
        "s99999": { "undoStatus": "canceled" },
    } });
    let set = jmap.call("EmailSubmission/set", cancel);
    assert_eq!(set["notUpdated"][&id]["type"], "cannotUnsend");
    assert_eq!(set["notUpdated"]["s99999"]["type"], "notFound");
    let other = json!({ "update": { id.clone(): { "sendAt": "2030-01-01T00:00:00Z" } } });
    let set = jmap.call("EmailSubmission/set", other);
    assert_eq!(set["notUpdated"][&id]["type"], "invalidProperties");
}

/// RFC 8689: what the header and the envelope say of TLS counts here as it does over SMTP.
#[test]
fn how_much_tls_matters() {
    use crate::smtp::secure::{publish, sha256};
    let refusing = |_: usize, line: &str| (line == "STARTTLS").then(|| "454 4.7.0 no".into());
    let (dns, fake) = (
        crate::harness::dns::Dns::start(),
        Fake::start(USUAL, refusing),
    );
    dns.secure();
    // DANE keeps it here, but for who does not need TLS.
    publish(&dns, &fake, Some(&format!("3 0 1 {}", sha256(b"another"))));
    let server = crate::smtp::secure::server(&dns, &fake, |_| {});
    let mut jmap = Jmap::new(&server);
    let identity = identity(&mut jmap);
    let mut send = |header: Value, parameters: Value| {
        let mut more = json!({ "bcc": null });
        more["header:TLS-Required:asRaw"] = header;
        let email = draft(&mut jmap, "x@b.test", more);
        let envelope = json!({
            "mailFrom": { "email": "anna@example.org", "parameters": parameters },
            "rcptTo": [{ "email": "x@b.test" }],
        });
        let set = jmap.call(
            "EmailSubmission/set",
            json!({ "create": { "k": { "identityId": identity, "emailId": email, "envelope": envelope } } }),
        );
        set["created"]["k"]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{set}"))
            .to_owned()
    };
    let easy = send(json!(" No"), Value::Null);
    fake.wait(1);
    let hard = send(json!(" No"), json!({ "REQUIRETLS": null }));
    until(&mut jmap, &easy, |s| s["undoStatus"] == "final");
    until(&mut jmap, &hard, |s| {
        s["deliveryStatus"]["x@b.test"]["delivered"] == "no"
    });
    assert_eq!(fake.count(), 1);
}

#[test]
fn a_long_delay_is_kept() {
    let fake = Fake::taking_all();
    let server = server(&fake);
    let mut jmap = Jmap::new(&server);
    let identity = identity(&mut jmap);
    let email = draft(&mut jmap, "bob@else.where", json!({ "bcc": null }));
    let mut send = |parameters: Value, to: &str| {
        let envelope = json!({
            "mailFrom": { "email": "anna@example.org", "parameters": parameters },
            "rcptTo": [{ "email": to }],
        });
        let set = jmap.call(
            "EmailSubmission/set",
            json!({ "create": { "k": { "identityId": identity, "emailId": email, "envelope": envelope } } }),
        );
        let id = set["created"]["k"]["id"].as_str();
        id.unwrap_or_else(|| panic!("{set}")).to_owned()
    };
    let tomorrow = send(json!({ "HOLDFOR": "86400" }), "bob@else.where");
    let now = send(Value::Null, "carol@else.where");
    until(&mut jmap, &now, |s| s["undoStatus"] == "final");
    let messages = fake.wait(1);
    assert_eq!(messages[0].envelope[1], "RCPT TO:<carol@else.where>");
    assert_eq!(submission(&mut jmap, &tomorrow)["undoStatus"], "pending");
    assert_eq!(fake.count(), 1);
}

#[test]
fn a_short_delay_ends() {
    let fake = Fake::taking_all();
    let server = server(&fake);
    let mut jmap = Jmap::new(&server);
    let identity = identity(&mut jmap);
    let email = draft(&mut jmap, "bob@else.where", json!({ "bcc": null }));
    let set = jmap.call(
        "EmailSubmission/set",
        json!({ "create": { "k": { "identityId": identity, "emailId": email, "envelope": {
            "mailFrom": { "email": "anna@example.org", "parameters": { "HOLDFOR": "2" } },
            "rcptTo": [{ "email": "bob@else.where" }],
        } } } }),
    );
    let id = set["created"]["k"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{set}"))
        .to_owned();
    assert_eq!(submission(&mut jmap, &id)["undoStatus"], "pending");
    fake.wait(1);
    until(&mut jmap, &id, |s| s["undoStatus"] == "final");
}

#[test]
fn refusals() {
    let server = Server::start();
    let mut jmap = Jmap::new(&server);
    let identity = identity(&mut jmap);
    let email = draft(&mut jmap, "anna@example.org", json!({ "bcc": null }));
    let none = draft(
        &mut jmap,
        "anna@example.org",
        json!({ "bcc": null, "to": null }),
    );
    let many = draft(
        &mut jmap,
        "anna@example.org",
        json!({ "from": [{ "email": "a@example.org" }, { "email": "b@example.org" }] }),
    );
    let envelope = |from: &str, to: &[&str]| {
        json!({
            "mailFrom": { "email": from },
            "rcptTo": to.iter().map(|to| json!({ "email": to })).collect::<Vec<_>>(),
        })
    };
    let crowd: Vec<String> = (0..300).map(|n| format!("anna+{n}@example.org")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let me = "anna@example.org";
    let cases = [
        (json!({ "identityId": "i0" }), "invalidProperties"),
        (json!({ "emailId": "e999" }), "invalidProperties"),
        (json!({ "undoStatus": "pending" }), "invalidProperties"),
        (json!({ "emailId": none }), "noRecipients"),
        (json!({ "emailId": many }), "invalidEmail"),
        (
            json!({ "envelope": envelope("bob@else.where", &[me]) }),
            "forbiddenMailFrom",
        ),
        (json!({ "envelope": envelope(me, &[]) }), "noRecipients"),
        (
            json!({ "envelope": envelope(me, &["x"]) }),
            "invalidRecipients",
        ),
        (
            json!({ "envelope": envelope(me, &["x@example.org"]) }),
            "invalidRecipients",
        ),
        (
            json!({ "envelope": envelope(me, &crowd) }),
            "tooManyRecipients",
        ),
        (
            json!({ "envelope": envelope(me, &["bob@else.where"]) }),
            "forbiddenToSend",
        ),
        (
            json!({ "envelope": { "mailFrom": me, "rcptTo": [] } }),
            "invalidProperties",
        ),
        (
            json!({ "envelope": { "mailFrom": { "email": me, "parameters": { "X": null } }, "rcptTo": [] } }),
            "invalidProperties",
        ),
    ];
    for (more, want) in cases {
        let mut object = json!({ "identityId": identity, "emailId": email });
        for (name, value) in more.as_object().unwrap() {
            object[name] = value.clone();
        }
        let set = jmap.call("EmailSubmission/set", json!({ "create": { "k": object } }));
        let error = &set["notCreated"]["k"];
        assert_eq!(error["type"], want, "{more}: {set}");
        assert_eq!(error["maxRecipients"].is_u64(), want == "tooManyRecipients");
        assert_eq!(
            error["invalidRecipients"].is_array(),
            want == "invalidRecipients"
        );
    }
    let args = json!({ "create": { "k": { "identityId": identity, "emailId": email } },
        "onSuccessDestroyEmail": ["#k", "#other"] });
    let set = jmap.call("EmailSubmission/set", args);
    assert!(set["created"]["k"].is_object());
    let got = jmap.call("Email/get", json!({ "ids": [email] }));
    assert_eq!(got["notFound"], json!([email]));
    assert!(
        jmap.call("EmailSubmission/query", json!({ "filter": { "x": 1 } }))["error"]
            == "unsupportedFilter"
    );
}
