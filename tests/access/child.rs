//! A child's tablet, a shared screen: one mailbox, to be read and not to be changed.
use super::app;
use crate::harness::{Client, Server, USER};
use crate::imap::Imap;
use crate::jmap::Jmap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::Role;
use serde_json::{Value, json};

/// `Family` has two messages, of which one is in INBOX too; INBOX has one more.
fn scene() -> (Server, Imap) {
    let server = Server::start();
    let mut owner = Imap::login(&server);
    owner.ok("CREATE Family/Photos");
    owner.append(
        "Family",
        "Subject: tea\r\nMessage-ID: <1@x>\r\n\r\npublic\r\n",
    );
    owner.append(
        "INBOX",
        "Subject: cake\r\nMessage-ID: <2@x>\r\n\r\nboth\r\n",
    );
    owner.append(
        "INBOX",
        "Subject: tea\r\nMessage-ID: <3@x>\r\nReferences: <1@x>\r\n\r\nsecret\r\n",
    );
    owner.ok("SELECT INBOX");
    owner.ok("COPY 1 Family");
    (server, owner)
}

#[test]
fn by_imap() {
    let (server, mut owner) = scene();
    let secret = app(&server, "tablet", "imap", Some("Family:lr"));
    let mut child = Imap::connect(&server);
    child.ok(&format!("LOGIN {USER} {secret}"));
    // A child mailbox that cannot be seen is no child.
    assert_eq!(
        child.ok("LIST \"\" *").untagged,
        ["LIST (\\HasNoChildren) \"/\" Family"]
    );
    assert_eq!(child.ok("LSUB \"\" *").untagged, ["LSUB () \"/\" Family"]);
    let selected = child.ok("SELECT Family");
    assert!(selected.tagged.contains("[READ-ONLY]"));
    selected.one("2 EXISTS");
    selected.one("PERMANENTFLAGS ()");
    // RFC 4314 §4 FETCH: reading sets no \Seen without the right to.
    child.ok("FETCH 1 BODY[TEXT]").one("public");
    assert!(!child.ok("FETCH 1 FLAGS").one("FETCH").contains("Seen"));
    for command in [
        "STORE 1 +FLAGS (\\Seen)",
        "STORE 1 FLAGS ()",
        "UID STORE 1 +FLAGS (x)",
        "COPY 1 Family",
        "MOVE 1 Family",
        "EXPUNGE",
        "UID EXPUNGE 1",
        "DELETE Family",
        "CREATE Family/x",
        "RENAME Family x",
        "SETACL Family tablet lrswit",
    ] {
        let reply = child.no(command);
        assert!(
            reply.tagged.starts_with("NO [NOPERM]"),
            "{command}: {reply:?}"
        );
    }
    assert!(child.no("COPY 1 INBOX").tagged.contains("[TRYCREATE]"));
    child.no("SELECT INBOX");
    child.no("SELECT Family/Photos");
    child.ok("SELECT Family");
    // A search never finds what cannot be seen, and threads end where sight does.
    assert_eq!(child.ok("SEARCH TEXT secret").untagged, ["SEARCH"]);
    assert_eq!(
        child.ok("THREAD REFERENCES UTF-8 ALL").untagged,
        ["THREAD (1)(2)"]
    );
    // New mail is told.
    let tag = child.send("IDLE");
    assert!(child.response().starts_with('+'));
    owner.append("Family", "Subject: new\r\n\r\nnew\r\n");
    assert_eq!(child.response(), "* 3 EXISTS");
    child.response();
    child.client.send("DONE");
    child.until(&tag);
    // CLOSE expunges nothing, and says so to nobody.
    owner.ok("SELECT Family");
    owner.ok("STORE 3 +FLAGS (\\Deleted)");
    child.ok("CLOSE");
    assert_eq!(owner.ok("SEARCH DELETED").untagged, ["SEARCH 3"]);
}

#[test]
fn by_jmap() {
    let (server, _owner) = scene();
    let secret = app(&server, "tablet", "jmap", Some("Family:lr"));
    let mut jmap = Jmap::new(&server);
    let inbox = jmap.mailbox("inbox");
    let all = jmap.call("Email/query", json!({ "filter": { "inMailbox": inbox } }));
    let whole = jmap.call(
        "Email/get",
        json!({ "ids": all["ids"], "properties": ["subject", "blobId", "threadId"] }),
    );
    let named = |list: &Value, subject: &str| -> Value {
        let list = list["list"].as_array().unwrap();
        list.iter()
            .find(|e| e["subject"] == subject)
            .unwrap()
            .clone()
    };
    let (secret_mail, both) = (named(&whole, "tea"), named(&whole, "cake"));
    jmap.auth = format!("Basic {}", STANDARD.encode(format!("{USER}:{secret}")));
    let boxes = jmap.call("Mailbox/get", json!({ "ids": null }));
    assert_eq!(boxes["list"].as_array().unwrap().len(), 1);
    let family = boxes["list"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(boxes["list"][0]["myRights"]["mayReadItems"], true);
    assert_eq!(boxes["list"][0]["myRights"]["maySetSeen"], false);
    let found = jmap.call("Email/query", json!({}));
    assert_eq!(found["ids"].as_array().unwrap().len(), 2);
    // Only the visible membership shows.
    let got = jmap.call(
        "Email/get",
        json!({ "ids": [both["id"]], "properties": ["mailboxIds"] }),
    );
    assert_eq!(
        got["list"][0]["mailboxIds"],
        json!({ family.clone(): true })
    );
    let got = jmap.call("Email/get", json!({ "ids": [secret_mail["id"]] }));
    assert_eq!(got["notFound"], json!([secret_mail["id"]]));
    let thread = jmap.call("Thread/get", json!({ "ids": [secret_mail["threadId"]] }));
    assert_eq!(thread["list"][0]["emailIds"].as_array().unwrap().len(), 1);
    let blob = |mail: &Value| {
        format!(
            "/jmap/download/a1/{}/x?type=text/plain",
            mail["blobId"].as_str().unwrap()
        )
    };
    assert_eq!(jmap.get(&blob(&secret_mail)).status, 404);
    assert_eq!(jmap.get(&blob(&both)).status, 200);
    let none = jmap.call("Email/query", json!({ "filter": { "text": "secret" } }));
    assert_eq!(none["ids"], json!([]));
    let id = both["id"].as_str().unwrap();
    let update = json!({ "update": { id: { "keywords/$seen": true } } });
    let refused = jmap.call("Email/set", update);
    assert_eq!(refused["notUpdated"][id]["type"], "forbidden", "{refused}");
    let moved = json!({ "update": { id: { "mailboxIds": { inbox.clone(): true } } } });
    assert!(jmap.call("Email/set", moved)["notUpdated"][id].is_object());
    let refused = jmap.call("Email/set", json!({ "destroy": [id, secret_mail["id"]] }));
    assert_eq!(refused["notDestroyed"][id]["type"], "forbidden");
    let other = secret_mail["id"].as_str().unwrap();
    assert_eq!(refused["notDestroyed"][other]["type"], "notFound");
    let sent = json!({ "create": { "x": { "identityId": "i1", "emailId": id } } });
    let refused = jmap.call("EmailSubmission/set", sent);
    assert_eq!(
        refused["notCreated"]["x"]["type"], "forbiddenToSend",
        "{refused}"
    );
    let refused = jmap.call(
        "Mailbox/set",
        json!({ "destroy": [family], "onDestroyRemoveEmails": true }),
    );
    assert_eq!(refused["notDestroyed"][&family]["type"], "forbidden");
}

fn pop3(server: &Server, secret: &str) -> Client {
    let mut pop3 = server.client(Role::Pop3);
    pop3.expect("+OK");
    pop3.send(&format!("USER {USER}"));
    pop3.expect("+OK");
    pop3.send(&format!("PASS {secret}"));
    pop3
}

#[test]
fn by_pop3() {
    let (server, mut owner) = scene();
    // The maildrop is INBOX: without it there is nothing to read here.
    let family = app(&server, "tablet", "pop3", Some("Family:lr"));
    pop3(&server, &family).expect("-ERR [AUTH]");
    let secret = app(&server, "screen", "pop3", Some("INBOX:lr"));
    let mut screen = pop3(&server, &secret);
    screen.expect("+OK");
    screen.send("RETR 1");
    screen.expect("+OK");
    screen.until(".");
    screen.send("DELE 1");
    screen.expect("-ERR [AUTH]");
    screen.send("QUIT");
    screen.expect("+OK");
    assert_eq!(owner.ok("SEARCH ALL").untagged, ["SEARCH 1 2"]);
    owner.ok("SETACL INBOX screen +te");
    let mut screen = pop3(&server, &secret);
    screen.expect("+OK");
    for line in ["DELE 1", "QUIT"] {
        screen.send(line);
        screen.expect("+OK");
    }
    owner.ok("STATUS INBOX (MESSAGES)").one("(MESSAGES 1)");
}
