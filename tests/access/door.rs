//! The life of an app password: made, typed, used, outlived, revoked.
use super::{app, app_until, revoke, run};
use crate::harness::{PASSWORD, Server, USER};
use crate::imap::Imap;
use crate::jmap::Jmap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::Role;
use pillarbox::server::control::{Request, Verb};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

fn basic(secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{USER}:{secret}")))
}

fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u32::try_from(since.as_secs()).unwrap()
}

#[test]
fn it_is_as_good_as_the_password_until_it_is_revoked() {
    let mut server = Server::start();
    let secret = app(&server, "my phone", "imap,pop3,smtp,jmap", None);
    let (one, other) = secret.split_once('-').unwrap();
    assert_eq!((one.len(), other.len()), (4, 19));
    let sloppy = secret.replace('-', " ").to_uppercase();
    for (user, typed) in [
        (USER, &secret),
        ("anna@example.org", &secret),
        (USER, &sloppy),
        ("ANNA", &secret.replace('-', "")),
    ] {
        let mut imap = Imap::connect(&server);
        imap.ok(&format!("LOGIN {user} \"{typed}\""));
        imap.ok("SELECT INBOX");
        imap.ok("CREATE anything");
        imap.ok("DELETE anything");
        imap.ok("MYRIGHTS INBOX").one("lrswipkxteacd");
    }
    // Neither a new password nor a restart touches it.
    smol::block_on(server.auth().set_password("another one", false)).unwrap();
    Imap::connect(&server).ok(&format!("LOGIN {USER} {secret}"));
    Imap::connect(&server).ok(&format!("LOGIN {USER} \"another one\""));
    Imap::connect(&server).no(&format!("LOGIN {USER} \"{PASSWORD}\""));
    server.restart();
    Imap::connect(&server).ok(&format!("LOGIN {USER} {secret}"));
    let listed = run(&server, &Request::new(Verb::AppList, "")).unwrap();
    let columns: Vec<&str> = listed[0].split('\t').collect();
    assert_eq!(
        columns[2..],
        ["0", "imap,pop3,smtp,jmap", "all", "my phone"]
    );
    let used: u32 = columns[1].parse().unwrap();
    assert!(used.abs_diff(now()) < 60);
    // The last use is known after a restart, though it was not worth a write of its own.
    server.restart();
    let again = run(&server, &Request::new(Verb::AppList, "")).unwrap();
    assert_eq!(again[0].split('\t').nth(1), Some(columns[1]));
    revoke(&server, "my phone");
    let reply = Imap::connect(&server).no(&format!("LOGIN {USER} {secret}"));
    assert!(reply.tagged.contains("[AUTHENTICATIONFAILED]"));
    assert!(run(&server, &Request::new(Verb::AppRevoke, "my phone")).is_err());
    assert!(
        run(&server, &Request::new(Verb::AppList, ""))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn nothing_is_left_of_a_revoked_one() {
    let server = Server::start();
    app(&server, "tablet", "imap", Some("INBOX:lrswit"));
    let listed = run(&server, &Request::new(Verb::AppList, "")).unwrap();
    assert!(listed[0].contains("\tINBOX:lrswit\ttablet"));
    revoke(&server, "tablet");
    let secret = app(&server, "tablet", "imap", Some("Drafts:lr"));
    let mut imap = Imap::connect(&server);
    imap.ok(&format!("LOGIN {USER} {secret}"));
    assert_eq!(imap.ok("LIST \"\" *").untagged.len(), 1);
    for (name, boxes) in [
        ("tablet", None),
        ("-x", None),
        ("anyone", None),
        (USER, None),
        ("y", Some("nix")),
    ] {
        let add = pillarbox::server::control::AppAdd {
            name: name.into(),
            protocols: pillarbox::auth::Protocols::ALL,
            mailboxes: boxes.map(|b: &str| vec![(b.to_owned(), pillarbox::mail::Rights::ALL)]),
            expires: None,
        };
        assert!(run(&server, &add.request()).is_err(), "{name}");
    }
}

/// Every open session of it ends at once, whatever it is doing; those of others go on.
#[test]
fn revoked_while_connected() {
    let server = Server::start();
    let mut owner = Imap::inbox(&server);
    let secret = app(&server, "phone", "imap,pop3,smtp,jmap", None);
    let login = format!("LOGIN {USER} {secret}");
    let mut waiting = Imap::connect(&server);
    waiting.ok(&login);
    let mut idling = Imap::connect(&server);
    idling.ok(&login);
    idling.ok("SELECT INBOX");
    idling.send("IDLE");
    assert!(idling.response().starts_with('+'));
    // In the middle of a literal.
    let mut sending = Imap::connect(&server);
    sending.ok(&login);
    sending.send("APPEND INBOX {100}");
    assert!(sending.response().starts_with('+'));
    sending.client.send("Subject: half");
    let mut pop3 = server.client(Role::Pop3);
    pop3.expect("+OK");
    pop3.send(&format!("USER {USER}"));
    pop3.expect("+OK");
    pop3.send(&format!("PASS {secret}"));
    pop3.expect("+OK");
    let mut smtp = server.client(Role::Submissions);
    smtp.expect("220");
    smtp.ask("EHLO x", "250 ");
    smtp.send(&format!(
        "AUTH PLAIN {}",
        STANDARD.encode(format!("\0{USER}\0{secret}"))
    ));
    smtp.expect("235");
    let mut events = Jmap::new(&server);
    events.auth = basic(&secret);
    let auth = events.auth.clone();
    let host = server.addr(Role::Http).to_string();
    let request = format!(
        "GET /jmap/events?types=*&closeafter=no&ping=0 HTTP/1.1\r\nHost: {host}\r\nAuthorization: {auth}\r\n"
    );
    events.client().send(&request);
    assert_eq!(events.head().0, 200);
    events.chunk();

    revoke(&server, "phone");
    assert!(waiting.response().starts_with("* BYE "));
    waiting.client.expect_closed();
    assert!(idling.response().starts_with("* BYE "));
    idling.client.expect_closed();
    assert!(sending.response().starts_with("* BYE "));
    sending.client.expect_closed();
    pop3.rest();
    smtp.expect("421 4.7.0");
    smtp.expect_closed();
    // The stream's last chunk.
    assert!(events.chunk().is_none());
    let mut jmap = Jmap::new(&server);
    jmap.auth = auth;
    assert_eq!(jmap.get("/jmap/session").status, 401);
    assert_eq!(owner.ok("SEARCH ALL").untagged, ["SEARCH"]);
}

#[test]
fn expired() {
    let server = Server::start();
    let over = app_until(&server, "old", "imap,pop3,smtp,jmap", None, Some(now() - 1));
    let reply = Imap::connect(&server).no(&format!("LOGIN {USER} {over}"));
    assert!(reply.tagged.starts_with("NO [EXPIRED]"), "{reply:?}");
    let mut pop3 = server.client(Role::Pop3);
    pop3.expect("+OK");
    pop3.send(&format!("USER {USER}"));
    pop3.expect("+OK");
    pop3.send(&format!("PASS {over}"));
    pop3.expect("-ERR [AUTH]");
    let mut smtp = server.client(Role::Submissions);
    smtp.expect("220");
    smtp.ask("EHLO x", "250 ");
    smtp.send(&format!(
        "AUTH PLAIN {}",
        STANDARD.encode(format!("\0{USER}\0{over}"))
    ));
    smtp.expect("535 5.7.8");
    let mut jmap = Jmap::new(&server);
    let owner = std::mem::replace(&mut jmap.auth, basic(&over));
    assert_eq!(jmap.get("/jmap/session").status, 403);
    // A session does not outlive it: the connection ends by itself, with a word.
    let soon = app_until(&server, "soon", "imap,jmap", None, Some(now() + 2));
    let mut imap = Imap::connect(&server);
    imap.ok(&format!("LOGIN {USER} {soon}"));
    jmap.auth = basic(&soon);
    jmap.call("Mailbox/get", json!({ "ids": null }));
    let bye = imap.response();
    assert!(
        bye.starts_with("* BYE ") && bye.contains("expired"),
        "{bye}"
    );
    imap.client.expect_closed();
    assert_eq!(jmap.get("/jmap/session").status, 403);
    jmap.auth = owner;
    assert_eq!(jmap.get("/jmap/session").status, 200);
}
