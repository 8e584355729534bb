//! Two protocols, one mailbox: what IMAP does, JMAP sees, and the other way round.
use super::{Jmap, import, start};
use crate::harness::{Client, PASSWORD, Server, USER};
use pillarbox::config::Role;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// An IMAP session with INBOX open.
pub struct Imap {
    client: Client,
    tag: u32,
}

impl Imap {
    pub fn new(server: &Server) -> Imap {
        let mut client = server.client(Role::Imap);
        client.expect("* OK");
        let mut imap = Imap { client, tag: 0 };
        imap.ask(&format!("LOGIN {USER} \"{PASSWORD}\""));
        imap.ask("SELECT INBOX");
        imap
    }

    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Vec<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        let lines = self
            .client
            .ask(&format!("{tag} {line}"), &format!("{tag} "));
        assert!(
            lines.last().unwrap().starts_with(&format!("{tag} OK")),
            "{line}: {lines:?}"
        );
        lines
    }

    fn append(&mut self, subject: &str) {
        let text = format!("Subject: {subject}\r\n\r\nx\r\n");
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.client
            .send(&format!("{tag} APPEND INBOX {{{}}}", text.len()));
        self.client.until("+ ");
        self.client.send(&text);
        self.client.until(&format!("{tag} OK"));
    }

    /// Flags by UID.
    fn flags(&mut self) -> BTreeMap<u32, String> {
        let lines = self.ask("UID FETCH 1:* (UID FLAGS)");
        let of = |line: &String| {
            let uid = line
                .split("UID ")
                .nth(1)?
                .split([' ', ')'])
                .next()?
                .parse()
                .ok()?;
            let flags = line.split("FLAGS (").nth(1)?.split(')').next()?;
            Some((uid, flags.to_owned()))
        };
        lines.iter().filter_map(of).collect()
    }
}

#[test]
fn imap_and_jmap_see_one_truth() {
    let (server, mut jmap) = start();
    let mut imap = Imap::new(&server);
    let state = jmap.email_state();
    imap.append("by imap");
    let changes = jmap.call("Email/changes", json!({"sinceState": state}));
    let id = changes["created"][0].as_str().unwrap().to_owned();
    assert_eq!(jmap.email(&id, json!(["subject"]))["subject"], "by imap");
    imap.ask("STORE 1 +FLAGS (\\Seen $Forwarded \\Flagged)");
    let changes = jmap.call("Email/changes", json!({"sinceState": changes["newState"]}));
    assert_eq!(changes["updated"], json!([id]));
    let keywords = json!({"$seen": true, "$forwarded": true, "$flagged": true});
    assert_eq!(jmap.email(&id, json!(["keywords"]))["keywords"], keywords);
    jmap.call(
        "Email/set",
        json!({"update": {id.clone(): {"keywords/$flagged": null, "keywords/x": true}}}),
    );
    let lines = imap.ask("NOOP");
    let fetch = lines.iter().find(|line| line.contains(" FETCH ")).unwrap();
    assert!(
        !fetch.contains("\\Flagged") && fetch.contains(" x)"),
        "{lines:?}"
    );

    // RFC 8621 §4.1.1: what has \Deleted is not there.
    imap.ask("STORE 1 +FLAGS (\\Deleted)");
    let inbox = jmap.mailbox("inbox");
    let changes = jmap.call("Email/changes", json!({"sinceState": changes["newState"]}));
    assert_eq!(changes["destroyed"], json!([id]));
    assert_eq!(jmap.query(json!({})), Vec::<String>::new());
    let got = jmap.call("Email/get", json!({"ids": [id]}));
    assert_eq!(got["notFound"], json!([id]));
    let counts = jmap.call("Mailbox/get", json!({"ids": [inbox]}));
    assert_eq!(counts["list"][0]["totalEmails"], 0);
    imap.ask("STORE 1 -FLAGS (\\Deleted)");
    let again = jmap.call("Email/changes", json!({"sinceState": changes["newState"]}));
    assert_eq!(again["created"], json!([id]), "{again}");
    assert_eq!(jmap.query(json!({})), std::slice::from_ref(&id));

    let archive = jmap.mailbox("archive");
    jmap.call(
        "Email/set",
        json!({"update": {id.clone(): {"mailboxIds": {archive: true}}}}),
    );
    let lines = imap.ask("NOOP");
    assert!(lines.iter().any(|l| l == "* 1 EXPUNGE"), "{lines:?}");
    // COPY keeps the email, its id and its keywords.
    imap.ask("SELECT Archive");
    imap.ask("COPY 1 INBOX");
    assert_eq!(
        jmap.email(&id, json!(["mailboxIds"]))["mailboxIds"]
            .as_object()
            .unwrap()
            .len(),
        2
    );
    imap.ask("STORE 1 +FLAGS (\\Deleted)");
    imap.ask("EXPUNGE");
    assert_eq!(
        jmap.email(&id, json!(["mailboxIds"]))["mailboxIds"],
        json!({inbox: true})
    );
}

#[test]
fn events() {
    let (server, mut jmap) = start();
    let mut feed = Jmap::new(&server);
    let auth = feed.auth.clone();
    let listen = |feed: &mut Jmap, query: &str| {
        let head = format!(
            "GET /jmap/events?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\r\n"
        );
        feed.client().send_raw(head.as_bytes());
        let (status, head) = feed.head();
        assert_eq!(status, 200);
        assert_eq!(head["content-type"], "text/event-stream");
        assert_eq!(feed.chunk().unwrap(), b":\n");
    };
    listen(&mut feed, "types=*&closeafter=no&ping=0");
    import(&mut jmap, "One", 1, json!({}));
    let event = String::from_utf8(feed.chunk().unwrap()).unwrap();
    let data = event
        .lines()
        .find_map(|l| l.strip_prefix("data: "))
        .unwrap();
    assert!(event.starts_with("event: state\n") && event.ends_with("\n\n"));
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(data["@type"], "StateChange");
    let changed = &data["changed"]["a1"];
    assert_eq!(changed["Email"], jmap.email_state());
    for name in ["Mailbox", "Thread", "EmailDelivery"] {
        assert!(changed[name].is_string(), "{name}");
    }
    // A keyword is no delivery and no change of threads.
    let id = jmap.query(json!({}))[0].clone();
    jmap.call(
        "Email/set",
        json!({"update": {id: {"keywords/$seen": true}}}),
    );
    let event = String::from_utf8(feed.chunk().unwrap()).unwrap();
    assert!(
        event.contains("\"Email\"") && !event.contains("EmailDelivery"),
        "{event}"
    );

    let mut once = Jmap::new(&server);
    listen(&mut once, "types=EmailDelivery&closeafter=state&ping=300");
    import(&mut jmap, "Two", 2, json!({}));
    let event = String::from_utf8(once.chunk().unwrap()).unwrap();
    assert!(
        event.contains("EmailDelivery") && !event.contains("Mailbox"),
        "{event}"
    );
    assert_eq!(once.chunk(), None);
    // Whoever comes back says what it was told last, and hears of what it missed.
    let told = event
        .lines()
        .find_map(|l| l.strip_prefix("id: "))
        .unwrap()
        .to_owned();
    import(&mut jmap, "Three", 3, json!({}));
    let mut back = Jmap::new(&server);
    let head = format!(
        "GET /jmap/events?types=Email&closeafter=no&ping=5 HTTP/1.1\r\nHost: x\r\n\
         Authorization: {auth}\r\nLast-Event-ID: {told}\r\n\r\n"
    );
    back.client().send_raw(head.as_bytes());
    assert_eq!(back.head().0, 200);
    assert_eq!(back.chunk().unwrap(), b":\n");
    // On a busy machine five seconds may pass.
    let change = |back: &mut Jmap| loop {
        let event = String::from_utf8(back.chunk().unwrap()).unwrap();
        if !event.starts_with("event: ping") {
            break event;
        }
    };
    let event = change(&mut back);
    assert!(event.contains(&jmap.email_state()), "{event}");
    // Each change is told; `cargo bench --bench wire` says how soon.
    let id = jmap.query(json!({}))[0].clone();
    for n in 0..20 {
        let on = json!({"update": {id.clone(): {format!("keywords/k{n}"): true}}});
        jmap.call("Email/set", on);
        let event = change(&mut back);
        assert!(event.contains(&jmap.email_state()), "{event}");
    }
    // Silence is broken after the time that was asked for.
    let event = String::from_utf8(back.chunk().unwrap()).unwrap();
    assert_eq!(event, "event: ping\ndata: {\"interval\":5}\n\n");
    let bad = jmap.get("/jmap/events?types=*&closeafter=never&ping=0");
    assert_eq!(bad.status, 400);
}

/// A client's copy of the emails, kept by Email/changes.
struct Copy {
    state: String,
    emails: BTreeMap<String, Value>,
}

impl Copy {
    fn fetch(jmap: &mut Jmap, ids: &[Value], emails: &mut BTreeMap<String, Value>) {
        let args = json!({"ids": ids, "properties": ["mailboxIds", "keywords", "threadId"]});
        for email in jmap.call("Email/get", args)["list"].as_array().unwrap() {
            emails.insert(email["id"].as_str().unwrap().into(), email.clone());
        }
    }

    fn whole(jmap: &mut Jmap) -> Copy {
        let state = jmap.email_state();
        let ids: Vec<Value> = jmap.query(json!({})).into_iter().map(Value::from).collect();
        let mut emails = BTreeMap::new();
        Copy::fetch(jmap, &ids, &mut emails);
        Copy { state, emails }
    }

    fn forward(&mut self, jmap: &mut Jmap, step: u32) {
        loop {
            let changes = jmap.call(
                "Email/changes",
                json!({"sinceState": self.state, "maxChanges": step}),
            );
            assert!(changes.get("error").is_none(), "{changes}");
            let list = |name: &str| changes[name].as_array().unwrap().clone();
            for id in list("destroyed") {
                self.emails.remove(id.as_str().unwrap());
            }
            // RFC 8620 §5.2: whoever does not have it is told that it is new.
            for id in list("updated") {
                assert!(self.emails.contains_key(id.as_str().unwrap()), "{changes}");
            }
            Copy::fetch(
                jmap,
                &[list("created"), list("updated")].concat(),
                &mut self.emails,
            );
            self.state = changes["newState"].as_str().unwrap().into();
            if changes["hasMoreChanges"] == false {
                return;
            }
        }
    }
}

/// Random work by both protocols; after each step the copy equals a full look, and so do the
/// flags that IMAP shows.
#[test]
fn incremental_sync_equals_a_full_one() {
    let (server, mut jmap) = start();
    let mut imap = Imap::new(&server);
    let (inbox, archive) = (jmap.mailbox("inbox"), jmap.mailbox("archive"));
    let mut copy = Copy::whole(&mut jmap);
    let mut seed = 0x2545_f491u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) % below
    };
    for turn in 0..120 {
        let ids: Vec<String> = copy.emails.keys().cloned().collect();
        let some = (!ids.is_empty()).then(|| ids[random(ids.len() as u32) as usize].clone());
        match (random(10), some) {
            (0 | 1, _) => imap.append(&format!("n{turn}")),
            (2, _) => drop(import(&mut jmap, &format!("j{turn}"), 1 + random(28), json!({}))),
            (3, Some(id)) => drop(jmap.call("Email/set", json!({"update": {id: {"keywords/$seen": random(2) == 0}}}))),
            (4, Some(id)) => drop(jmap.call("Email/set",
                json!({"update": {id: {"mailboxIds": {inbox.clone(): true, archive.clone(): true}}}}))),
            (5, Some(id)) => drop(jmap.call("Email/set", json!({"update": {id: {"mailboxIds": {inbox.clone(): true}}}}))),
            (6, Some(id)) if random(2) == 0 => drop(jmap.call("Email/set", json!({"destroy": [id]}))),
            (7, Some(_)) => drop(imap.ask("UID STORE 1:* +FLAGS.SILENT (\\Flagged)")),
            (8, Some(_)) => drop(imap.ask("UID COPY 1:2 Archive")),
            (9, Some(_)) if random(2) == 0 => {
                imap.ask("UID STORE 1:* -FLAGS.SILENT (\\Deleted)");
            }
            (9, Some(_)) => {
                imap.ask("UID STORE 1:3 +FLAGS.SILENT (\\Deleted)");
                if random(2) == 0 {
                    imap.ask("EXPUNGE");
                }
            }
            _ => {}
        }
        copy.forward(&mut jmap, 1 + random(4));
        let whole = Copy::whole(&mut jmap);
        assert_eq!(copy.emails, whole.emails, "turn {turn}");
        imap.ask("NOOP");
        let shown = imap
            .flags()
            .values()
            .filter(|flags| !flags.contains("\\Deleted"))
            .count();
        let in_inbox = whole
            .emails
            .values()
            .filter(|e| e["mailboxIds"][&inbox] == true)
            .count();
        assert_eq!(shown, in_inbox, "turn {turn}");
        let counts = jmap.call(
            "Mailbox/get",
            json!({"ids": [inbox], "properties": ["totalEmails"]}),
        );
        assert_eq!(counts["list"][0]["totalEmails"], in_inbox, "turn {turn}");
    }
}

/// A client that marks as deleted and expunges later (COPY to Trash, STORE \Deleted) leaves a membership that
/// JMAP does not show. Moving the email back must show it again, or the next EXPUNGE would take the last one.
#[test]
fn moved_back_over_a_deleted_membership() {
    let (server, mut jmap) = start();
    let mut imap = Imap::new(&server);
    imap.append("precious");
    let id = jmap.query(json!({}))[0].clone();
    let (inbox, trash) = (jmap.mailbox("inbox"), jmap.mailbox("trash"));
    imap.ask("COPY 1 Trash");
    imap.ask("STORE 1 +FLAGS (\\Deleted)");
    for patch in [
        json!({"mailboxIds": {inbox.clone(): true}}),
        json!({format!("mailboxIds/{trash}"): null, format!("mailboxIds/{inbox}"): true}),
    ] {
        let set = jmap.call("Email/set", json!({"update": {id.clone(): patch}}));
        assert_eq!(set["updated"], json!({id.clone(): null}), "{set}");
        let shown = jmap.email(&id, json!(["mailboxIds"]));
        assert_eq!(shown["mailboxIds"], json!({inbox.clone(): true}));
        imap.ask("EXPUNGE");
        let shown = jmap.email(&id, json!(["mailboxIds"]));
        assert_eq!(shown["mailboxIds"], json!({inbox.clone(): true}));
        imap.ask("COPY 1 Trash");
        imap.ask("STORE 1 +FLAGS (\\Deleted)");
    }
    // Taken out of what is shown, it stays in what waits for EXPUNGE: in no mailbox that JMAP knows.
    let none = jmap.call(
        "Email/set",
        json!({"update": {id.clone(): {format!("mailboxIds/{trash}"): null}}}),
    );
    assert!(
        none["notUpdated"][&id]["type"] == "invalidProperties",
        "{none}"
    );
    // Put elsewhere, what waits for EXPUNGE waits on: that is the other client's business.
    let archive = jmap.mailbox("archive");
    jmap.call(
        "Email/set",
        json!({"update": {id.clone(): {format!("mailboxIds/{archive}"): true}}}),
    );
    let shown = jmap.email(&id, json!(["mailboxIds"]));
    assert_eq!(shown["mailboxIds"], json!({trash: true, archive: true}));
}

/// A client whose state is `oldState` takes `newState` without asking what lies between. Here another changes the
/// other email at the same moment, again and again, and no change of it may slip through.
#[test]
fn a_set_hides_no_change_of_others() {
    let (server, mut jmap) = start();
    let mut imap = Imap::new(&server);
    imap.append("mine");
    imap.append("theirs");
    let mut ids = jmap.query(json!({}));
    ids.sort();
    let keywords = |jmap: &mut Jmap| jmap.email(&ids[1], json!(["keywords"]))["keywords"].clone();
    let mut state = json!(jmap.email_state());
    let mut theirs = keywords(&mut jmap);
    let mut followed = 0;
    for round in 0..60 {
        let sign = if round % 2 == 0 { '+' } else { '-' };
        imap.client.send(&format!(
            "r{round} UID STORE 2 {sign}FLAGS.SILENT (\\Flagged)"
        ));
        let set = json!({"update": {ids[0].clone(): {"keywords/x": round % 2 == 0}}});
        let set = jmap.call("Email/set", set);
        if set["oldState"] == state {
            state = set["newState"].clone();
            followed += 1;
        }
        imap.client.until(&format!("r{round} OK"));
        let changes = jmap.call("Email/changes", json!({"sinceState": state}));
        if changes["updated"]
            .as_array()
            .unwrap()
            .contains(&json!(ids[1]))
        {
            theirs = keywords(&mut jmap);
        }
        state = changes["newState"].clone();
        assert_eq!(
            theirs,
            keywords(&mut jmap),
            "round {round}: {set} {changes}"
        );
    }
    assert!(followed > 0);
}
