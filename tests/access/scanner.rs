//! A scanner: it may put messages into one mailbox, and neither read them nor do anything else.
use super::app;
use crate::harness::{Server, USER};
use crate::imap::Imap;
use crate::jmap::Jmap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::Role;
use serde_json::json;

const PAGE: &str = "From: scanner@example.org\r\nSubject: page\r\n\r\nscanned\r\n";

fn plain(secret: &str) -> String {
    STANDARD.encode(format!("\0{USER}\0{secret}"))
}

#[test]
fn by_imap() {
    let server = Server::start();
    let mut owner = Imap::login(&server);
    owner.ok("CREATE Scans");
    let secret = app(&server, "scanner", "imap", Some("Scans:li"));
    let mut scanner = Imap::connect(&server);
    scanner.ok(&format!("LOGIN {USER} {secret}"));
    assert_eq!(
        scanner.ok("LIST \"\" *").untagged,
        ["LIST (\\HasNoChildren) \"/\" Scans"]
    );
    // RFC 4315 §3: no UID of a mailbox that may not be opened.
    let tag = scanner.send(&format!(
        "APPEND Scans (\\Seen $Paper) {{{}+}}\r\n{PAGE}",
        PAGE.len()
    ));
    assert_eq!(scanner.until(&tag).tagged, "OK APPEND completed");
    for command in [
        "SELECT Scans",
        "EXAMINE Scans",
        "STATUS Scans (MESSAGES)",
        "DELETE Scans",
        "CREATE Scans/x",
        "CREATE x",
        "RENAME Scans y",
        "GETACL Scans",
        "SETACL Scans scanner lr",
    ] {
        let reply = scanner.no(command);
        assert!(
            reply.tagged.starts_with("NO [NOPERM]"),
            "{command}: {reply:?}"
        );
        assert!(reply.untagged.is_empty(), "{command}: {reply:?}");
    }
    // What is not for it does not exist.
    for command in [
        "SELECT INBOX",
        "STATUS INBOX (MESSAGES)",
        "MYRIGHTS INBOX",
        "DELETE Drafts",
        "SUBSCRIBE INBOX",
    ] {
        let reply = scanner.no(command);
        assert!(
            reply.tagged.starts_with("NO [NONEXISTENT]"),
            "{command}: {reply:?}"
        );
    }
    let tag = scanner.send(&format!("APPEND INBOX {{{}+}}\r\n{PAGE}", PAGE.len()));
    assert!(scanner.until(&tag).tagged.starts_with("NO "));
    // RFC 5819: what cannot be opened has no STATUS in LIST either.
    let reply = scanner.ok("LIST \"\" * RETURN (STATUS (MESSAGES UNSEEN) MYRIGHTS)");
    assert_eq!(reply.untagged[1..], ["MYRIGHTS Scans li"]);
    // It arrived, without the flags that the scanner may not set.
    owner.ok("SELECT Scans");
    let flags = owner.ok("FETCH 1 (FLAGS BODY.PEEK[TEXT])");
    let line = flags.one("FETCH");
    assert!(
        line.contains("scanned") && !line.contains("\\Seen") && !line.contains("$Paper"),
        "{line}"
    );
    assert_eq!(owner.ok("SEARCH ALL").untagged, ["SEARCH 1"]);
}

#[test]
fn where_it_is_not_for() {
    let server = Server::start();
    Imap::login(&server).ok("CREATE Scans");
    let secret = app(&server, "scanner", "imap", Some("Scans:li"));
    // The secret is right, which is no secret to whoever has it: the answer says what is wrong.
    let mut smtp = server.client(Role::Submissions);
    smtp.expect("220");
    smtp.ask("EHLO x", "250 ");
    smtp.send(&format!("AUTH PLAIN {}", plain(&secret)));
    assert!(smtp.line().starts_with("535 5.7.1 "));
    let mut pop3 = server.client(Role::Pop3);
    pop3.expect("+OK");
    pop3.send(&format!("USER {USER}"));
    pop3.expect("+OK");
    pop3.send(&format!("PASS {secret}"));
    pop3.expect("-ERR [AUTH]");
    let mut jmap = Jmap::new(&server);
    jmap.auth = format!("Basic {}", STANDARD.encode(format!("{USER}:{secret}")));
    assert_eq!(jmap.get("/jmap/session").status, 403);
    let sender = app(&server, "printer", "smtp", None);
    let reply = Imap::connect(&server).no(&format!("LOGIN {USER} {sender}"));
    assert!(
        reply.tagged.starts_with("NO [AUTHORIZATIONFAILED]"),
        "{reply:?}"
    );
    // A guesser hears nothing of the kind.
    let reply = Imap::connect(&server).no(&format!("LOGIN {USER} abcd-efgh-ijkm-npqr-stuv"));
    assert!(
        reply.tagged.starts_with("NO [AUTHENTICATIONFAILED]"),
        "{reply:?}"
    );
}

#[test]
fn by_smtp() {
    let server = Server::start();
    let secret = app(&server, "scanner", "smtp", None);
    let mut smtp = server.client(Role::Submissions);
    smtp.expect("220");
    smtp.ask("EHLO x", "250 ");
    smtp.send(&format!("AUTH PLAIN {}", plain(&secret)));
    smtp.expect("235");
    for (line, answer) in [
        ("MAIL FROM:<anna@example.org>", "250"),
        ("RCPT TO:<anna@example.org>", "250"),
        ("DATA", "354"),
    ] {
        smtp.send(line);
        smtp.expect(answer);
    }
    smtp.send(&format!("{PAGE}."));
    smtp.expect("250");
    let mut owner = Imap::inbox(&server);
    owner.ok("FETCH 1 BODY.PEEK[TEXT]").one("scanned");
}

#[test]
fn by_jmap() {
    let server = Server::start();
    Imap::login(&server).ok("CREATE Scans");
    let secret = app(&server, "scanner", "jmap", Some("Scans:li"));
    let mut jmap = Jmap::new(&server);
    let inbox = jmap.mailbox("inbox");
    let owner = std::mem::replace(
        &mut jmap.auth,
        format!("Basic {}", STANDARD.encode(format!("{USER}:{secret}"))),
    );
    let all = jmap.call("Mailbox/get", json!({ "ids": null }));
    let list = all["list"].as_array().unwrap();
    assert_eq!(list.len(), 1, "{all}");
    let scans = list[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(list[0]["totalEmails"], 0);
    assert_eq!(list[0]["myRights"]["mayAddItems"], true);
    for no in [
        "mayReadItems",
        "mayRemoveItems",
        "maySetSeen",
        "maySetKeywords",
        "mayDelete",
        "mayCreateChild",
    ] {
        assert_eq!(list[0]["myRights"][no], false, "{no}");
    }
    let got = jmap.call("Mailbox/get", json!({ "ids": [inbox] }));
    assert_eq!(got["notFound"], json!([inbox]));
    let blob = jmap.ask(
        "POST",
        "/jmap/upload/a1",
        &[("Content-Type", "message/rfc822")],
        PAGE.as_bytes(),
    );
    let blob = blob.json()["blobId"].as_str().unwrap().to_owned();
    let import = |mailbox: &str| json!({ "emails": { "x": { "blobId": blob, "mailboxIds": { mailbox: true } } } });
    let refused = jmap.call("Email/import", import(&inbox));
    assert!(refused["notCreated"]["x"].is_object(), "{refused}");
    let made = jmap.call("Email/import", import(&scans));
    let email = made["created"]["x"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{made}"))
        .to_owned();
    let got = jmap.call("Email/get", json!({ "ids": [email] }));
    assert_eq!(got["notFound"], json!([email]));
    let found = jmap.call("Email/query", json!({}));
    assert_eq!(found["ids"], json!([]));
    let top = jmap.call("Mailbox/set", json!({ "create": { "x": { "name": "x" } } }));
    assert_eq!(top["notCreated"]["x"]["type"], "forbidden");
    let session = jmap.get("/jmap/session").json();
    let mail = &session["accounts"]["a1"]["accountCapabilities"]["urn:ietf:params:jmap:mail"];
    assert_eq!(mail["mayCreateTopLevelMailbox"], false);
    jmap.auth = owner;
    let got = jmap.call(
        "Email/get",
        json!({ "ids": [email], "properties": ["mailboxIds"] }),
    );
    assert_eq!(got["list"][0]["mailboxIds"], json!({ scans: true }));
}
