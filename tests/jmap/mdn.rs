//! MDN (RFC 9007).
use super::{Jmap, message};
use crate::harness::Server;
use crate::smtp::fake::Fake;
use serde_json::{Value, json};

const MDN: &[&str] = &["core", "mail", "mdn"];

/// The responses of one call.
fn ask(jmap: &mut Jmap, name: &str, mut args: Value) -> Value {
    args["accountId"] = "a1".into();
    jmap.request(MDN, json!([[name, args, "0"]]))["methodResponses"].clone()
}

fn asking(jmap: &mut Jmap, fields: &[(&str, &str)]) -> String {
    let octets = message(fields, "Dear John, ...\n");
    let inbox = jmap.mailbox("inbox");
    let blob = jmap.upload("message/rfc822", &octets);
    let args = json!({ "emails": { "k": { "blobId": blob, "mailboxIds": { inbox: true } } } });
    let answer = jmap.call("Email/import", args);
    answer["created"]["k"]["id"].as_str().unwrap().to_owned()
}

fn mdn(email: &str, more: Value) -> Value {
    let mut mdn = json!({
        "forEmailId": email,
        "subject": "Read receipt for: World domination",
        "textBody": "This receipt shows that the email has been displayed.",
        "reportingUA": "joes-pc.cs.example.com; Foomail 97.1",
        "disposition": {
            "actionMode": "manual-action",
            "sendingMode": "mdn-sent-manually",
            "type": "displayed",
        },
        "extensionFields": { "X-EXTENSION-EXAMPLE": "example.com" },
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        mdn[name] = value.clone();
    }
    mdn
}

const ASKING: &[(&str, &str)] = &[
    ("From", "Bob <bob@else.where>"),
    ("To", "anna@example.org"),
    ("Subject", "World domination"),
    ("Message-ID", "<199509192301.23456@example.org>"),
    ("Disposition-Notification-To", "Bob <bob@else.where>"),
];

/// RFC 9007 §3.1 and §3.3.
#[test]
fn is_sent_and_understood() {
    let fake = Fake::taking_all();
    let server = Server::with(|config| config.smarthost = Some(fake.smarthost()));
    let mut jmap = Jmap::new(&server);
    let email = asking(&mut jmap, ASKING);
    let identity = jmap.call("Identity/get", json!({ "ids": null }))["list"][0]["id"].clone();
    let args = json!({
        "identityId": identity,
        "send": { "k1546": mdn(&email, json!({ "includeOriginalMessage": true })) },
        "onSuccessUpdateEmail": { "#k1546": { "keywords/$mdnsent": true } },
    });
    let answers = ask(&mut jmap, "MDN/send", args.clone());
    let sent = &answers[0][1]["sent"]["k1546"];
    assert_eq!(
        sent,
        &json!({ "finalRecipient": "rfc822; anna@example.org",
            "originalMessageId": "<199509192301.23456@example.org>" }),
        "{answers}"
    );
    assert_eq!(answers[1][0], "Email/set");
    assert_eq!(answers[1][1]["updated"], json!({ email.clone(): null }));
    let keywords = jmap.email(&email, json!(["keywords"]))["keywords"].clone();
    assert_eq!(keywords, json!({ "$mdnsent": true }));
    let again = ask(&mut jmap, "MDN/send", args);
    assert_eq!(again[0][1]["notSent"]["k1546"]["type"], "mdnAlreadySent");
    let got = fake.wait(1).remove(0);
    assert!(
        got.envelope[0].starts_with("MAIL FROM:<>"),
        "{:?}",
        got.envelope
    );
    assert_eq!(got.envelope[1], "RCPT TO:<bob@else.where>");
    let text = String::from_utf8_lossy(&got.raw).into_owned();
    for want in [
        "report-type=disposition-notification",
        "Content-Type: message/disposition-notification",
        "Final-Recipient: rfc822; anna@example.org\r\n",
        "Original-Message-ID: <199509192301.23456@example.org>\r\n",
        "Disposition: manual-action/mdn-sent-manually; displayed\r\n",
        "X-EXTENSION-EXAMPLE: example.com\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Dear John, ...\r\n",
    ] {
        assert!(text.contains(want), "{want}: {text}");
    }
    // And back: what was sent is what is parsed.
    let blob = jmap.upload("message/rfc822", &got.raw);
    let other = jmap.email(&email, json!(["blobId"]))["blobId"].clone();
    let parsed = ask(
        &mut jmap,
        "MDN/parse",
        json!({ "blobIds": [blob, other, "b999"] }),
    );
    let mdn = &parsed[0][1]["parsed"][&blob];
    assert_eq!(mdn["forEmailId"], email.as_str(), "{parsed}");
    assert_eq!(mdn["subject"], "Read receipt for: World domination");
    assert!(
        mdn["textBody"]
            .as_str()
            .unwrap()
            .starts_with("This receipt")
    );
    assert_eq!(mdn["reportingUA"], "joes-pc.cs.example.com; Foomail 97.1");
    assert_eq!(mdn["disposition"]["type"], "displayed");
    assert_eq!(mdn["disposition"]["sendingMode"], "mdn-sent-manually");
    assert_eq!(mdn["finalRecipient"], "rfc822; anna@example.org");
    assert_eq!(mdn["includeOriginalMessage"], true);
    assert_eq!(
        mdn["extensionFields"],
        json!({ "X-EXTENSION-EXAMPLE": "example.com" })
    );
    assert_eq!(parsed[0][1]["notParsable"], json!([other]));
    assert_eq!(parsed[0][1]["notFound"], json!(["b999"]));
    // The queue let go of it.
    let bytes = server.mail().meta().bytes;
    let sizes: u64 = [&email]
        .iter()
        .map(|id| jmap.email(id, json!(["size"]))["size"].as_u64().unwrap())
        .sum();
    assert!(bytes >= sizes);
}

#[test]
fn refusals() {
    let server = Server::start();
    let mut jmap = Jmap::new(&server);
    let email = asking(&mut jmap, ASKING);
    let silent = asking(&mut jmap, &ASKING[..4]);
    let identity = jmap.call("Identity/get", json!({ "ids": null }))["list"][0]["id"].clone();
    let ok = json!({ "#k": { "keywords/$mdnsent": true } });
    let cases = [
        (mdn(&email, json!({})), ok.clone(), "forbidden"),
        (
            mdn(&email, json!({})),
            json!({ "#k": { "keywords/$seen": true } }),
            "invalidProperties",
        ),
        (mdn(&email, json!({})), Value::Null, "invalidProperties"),
        (mdn("e999", json!({})), ok.clone(), "notFound"),
        (mdn(&silent, json!({})), ok.clone(), "notFound"),
        (
            mdn(&email, json!({ "finalRecipient": "rfc822; x@else.where" })),
            ok.clone(),
            "forbiddenFrom",
        ),
        (
            mdn(&email, json!({ "disposition": { "type": "Displayed" } })),
            ok.clone(),
            "invalidProperties",
        ),
        (
            mdn(&email, json!({ "mdnGateway": "x" })),
            ok.clone(),
            "invalidProperties",
        ),
        (
            mdn(&email, json!({ "extensionFields": { "A B": "x" } })),
            ok,
            "invalidProperties",
        ),
    ];
    for (mdn, updates, want) in cases {
        let args = json!({ "identityId": identity, "send": { "k": mdn }, "onSuccessUpdateEmail": updates });
        let answers = ask(&mut jmap, "MDN/send", args);
        assert_eq!(
            answers[0][1]["notSent"]["k"]["type"], want,
            "{mdn} {answers}"
        );
        assert!(answers[1].is_null());
    }
    let answers = ask(
        &mut jmap,
        "MDN/send",
        json!({ "identityId": "i0", "send": {} }),
    );
    assert_eq!(answers[0][1]["type"], "invalidArguments");
    // No value breaks out of its field.
    let evil = mdn(
        &email,
        json!({ "reportingUA": "x\r\nBcc: eve@else.where", "subject": "a\r\nX: y" }),
    );
    let args = json!({ "identityId": identity, "send": { "k": evil },
        "onSuccessUpdateEmail": { "#k": { "keywords/$mdnsent": true } } });
    assert_eq!(
        ask(&mut jmap, "MDN/send", args)[0][1]["notSent"]["k"]["type"],
        "forbidden"
    );
}
