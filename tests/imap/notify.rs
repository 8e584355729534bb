//! NOTIFY where the RFC has no dialogue for it (RFC 5465).
use super::{Imap, message};
use crate::access::app;
use crate::harness::{Server, USER};

const ALL: &str = "NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) \
     (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange \
     MailboxMetadataChange ServerMetadataChange))";

/// RFC 5465 §5.6, §5.7: names of entries, also of those that were removed.
#[test]
fn annotations() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    a.ok(ALL);
    let mail = server.mail();
    let inbox = mail.meta().by_path("INBOX").unwrap().id;
    let set = |place, entry: &str, value: Option<&str>| {
        let value = value.map(|v| v.as_bytes().to_vec());
        smol::block_on(mail.annotate(place, vec![(entry.to_owned(), value)])).unwrap();
    };
    set(Some(inbox), "/shared/comment", Some("x"));
    assert_eq!(a.response(), "* METADATA INBOX /shared/comment");
    set(Some(inbox), "/shared/comment", None);
    assert_eq!(a.response(), "* METADATA INBOX /shared/comment");
    set(None, "/shared/comment", Some("y"));
    assert_eq!(a.response(), "* METADATA \"\" /shared/comment");
    a.ok("NOTIFY SET (mailboxes Drafts (MailboxMetadataChange))");
    set(Some(inbox), "/shared/comment", Some("z"));
    set(None, "/shared/comment", Some("z"));
    assert!(a.ok("NOOP").untagged.is_empty());
}

/// Nothing is said inside a command whose literal is still to come.
#[test]
fn not_inside_a_command() {
    let server = Server::start();
    let mut a = Imap::inbox(&server);
    a.ok(ALL);
    let mut b = Imap::login(&server);
    a.client.send("x LOGIN {4}");
    assert!(a.response().starts_with("+ "));
    b.fill("INBOX", 1);
    b.fill("Drafts", 1);
    a.client.send("anna {1}");
    assert!(a.response().starts_with("+ "));
    a.client.send("y");
    let reply = a.until("x");
    assert!(reply.tagged.starts_with("BAD"), "{reply:?}");
    let mut told = vec![a.response(), a.response(), a.response(), a.response()];
    told.sort();
    assert!(
        told[0].starts_with("* 1 EXISTS") && told[1].starts_with("* 1 FETCH"),
        "{told:#?}"
    );
    assert!(told[3].starts_with("* STATUS Drafts (UIDNEXT 2 MESSAGES 1"));
}

/// RFC 5465 §5: what the client did itself is not told, what others did at the same place is.
#[test]
fn own_changes() {
    let server = Server::start();
    let mut a = Imap::inbox(&server);
    a.ok("NOTIFY SET (selected (MessageNew (UID) MessageExpunge)) \
          (personal (MessageNew MessageExpunge MailboxName))");
    let mut b = Imap::login(&server);
    b.ok("NOOP");
    a.fill("Drafts", 2);
    let reply = a.append("INBOX", &message(1));
    reply.one("1 EXISTS");
    assert!(reply.with("FETCH").is_empty());
    assert!(a.ok("COPY 1 Trash").untagged.is_empty());
    let reply = a.ok("COPY 1 INBOX");
    assert!(reply.with("FETCH").is_empty(), "{reply:#?}");
    reply.one("2 EXISTS");
    let reply = a.ok("MOVE 1 Junk");
    reply.one("1 EXPUNGE");
    assert!(reply.with("STATUS").is_empty(), "{reply:#?}");
    b.fill("Drafts", 1);
    assert_eq!(a.response(), "* STATUS Drafts (UIDNEXT 4 MESSAGES 3)");
    b.fill("INBOX", 1);
    assert_eq!(a.response(), "* 2 EXISTS");
    assert_eq!(a.response(), "* 2 RECENT");
    assert_eq!(a.response(), "* 2 FETCH (UID 3)");
}

/// A mailbox that was selected is another one afterwards, and the other way round.
#[test]
fn the_selected_mailbox_changes() {
    let server = Server::start();
    let mut a = Imap::inbox(&server);
    a.ok(
        "NOTIFY SET STATUS (selected (MessageNew MessageExpunge)) (personal (MessageNew \
          MessageExpunge))",
    );
    let mut b = Imap::login(&server);
    b.fill("INBOX", 1);
    assert_eq!(a.response(), "* 1 EXISTS");
    assert_eq!(a.response(), "* 1 RECENT");
    a.ok("SELECT Drafts");
    b.fill("INBOX", 1);
    assert_eq!(a.response(), "* STATUS INBOX (UIDNEXT 3 MESSAGES 2)");
    b.fill("Drafts", 1);
    assert_eq!(a.response(), "* 1 EXISTS");
    assert_eq!(a.response(), "* 1 RECENT");
    a.ok("CLOSE");
    b.fill("Drafts", 1);
    assert_eq!(a.response(), "* STATUS Drafts (UIDNEXT 3 MESSAGES 2)");
    // Its deletion ends a session in it, and is a name to all others.
    a.ok("NOTIFY SET (selected (MessageNew MessageExpunge)) (subtree x (MailboxName))");
    b.ok("CREATE x/y");
    a.response();
    assert_eq!(
        a.response(),
        "* LIST (\\HasNoChildren \\Subscribed) \"/\" x/y"
    );
    a.ok("SELECT x/y");
    b.ok("DELETE x/y");
    assert!(a.response().starts_with("* BYE"));
}

/// Other protocols, and a client that says nothing at all.
#[test]
fn mail_over_smtp() {
    let server = Server::start();
    let mut a = Imap::inbox(&server);
    a.ok(ALL);
    let mut smtp = server.client(pillarbox::config::Role::Smtp);
    smtp.expect("220");
    for line in [
        "HELO x.example.com",
        "MAIL FROM:<a@example.com>",
        "RCPT TO:<anna@example.org>",
    ] {
        smtp.send(line);
        smtp.expect("250");
    }
    smtp.send("DATA");
    smtp.expect("354");
    smtp.send("Subject: x\r\n\r\nHello\r\n.");
    smtp.expect("250");
    assert_eq!(a.response(), "* 1 EXISTS");
    assert_eq!(a.response(), "* 1 RECENT");
    assert_eq!(a.response(), "* 1 FETCH (UID 1 FLAGS (\\Recent))");
}

/// Too much to name is refused before anything is watched.
#[test]
fn bounds() {
    let server = Server::start();
    let mut a = Imap::login(&server);
    let names: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    let names = names.join(" ");
    a.bad(&format!("NOTIFY SET (mailboxes ({names}) (MailboxName))"));
    a.ok("NOTIFY SET (mailboxes (no such mailboxes) (MessageNew MessageExpunge))");
    a.ok("NOTIFY NONE");
}

/// RFC 5465 §5.9: a mailbox that may not be read any more is told as such, and nothing that happens in
/// it is; given back, it is told, and heard of, again.
#[test]
fn rights_that_go_and_come() {
    let server = Server::start();
    let mut owner = Imap::login(&server);
    owner.ok("CREATE box");
    let secret = app(&server, "phone", "imap", None);
    let mut phone = Imap::connect(&server);
    phone.ok(&format!("LOGIN {USER} {secret}"));
    phone.ok("NOTIFY SET (mailboxes box (MessageNew MessageExpunge MailboxName))");
    owner.ok("SETACL box phone l");
    assert_eq!(
        phone.response(),
        "* LIST (\\NoAccess \\HasNoChildren \\Subscribed) \"/\" box"
    );
    owner.fill("box", 1);
    owner.ok("SETACL box phone lr");
    assert_eq!(
        phone.response(),
        "* LIST (\\HasNoChildren \\Subscribed) \"/\" box"
    );
    assert!(
        phone
            .response()
            .starts_with("* STATUS box (UIDNEXT 2 MESSAGES 1")
    );
    owner.fill("box", 1);
    assert!(
        phone
            .response()
            .starts_with("* STATUS box (UIDNEXT 3 MESSAGES 2")
    );
    owner.ok("SETACL box phone \"\"");
    assert!(phone.response().contains("\"/\" box"));
    phone.ok("NOOP");
}

/// One that wants whole messages and reads nothing: nothing is queued for it, nobody waits for it, and
/// it is in step when it reads again.
#[test]
fn one_that_never_reads() {
    let server = Server::start();
    let (mut deaf, mut other) = (Imap::inbox(&server), Imap::inbox(&server));
    deaf.ok("NOTIFY SET (selected (MessageNew (BODY.PEEK[]) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange))");
    let text = format!(
        "Subject: x\r\n\r\n{}\r\n",
        "0123456789abcdef".repeat(20_000)
    );
    for n in 1..=40 {
        other.append("INBOX", &text);
        other.append("Archive", &message(n));
        other.ok(&format!("STORE {n} +FLAGS (\\Flagged k{})", n % 7));
    }
    other.ok("UID STORE 1:5 +FLAGS (\\Deleted)");
    other.ok("EXPUNGE");
    let tag = deaf.send("STATUS Archive (MESSAGES)");
    let reply = deaf.until(&tag);
    assert!(reply.tagged.starts_with("OK"), "{}", reply.tagged);
    assert_eq!(
        reply.with("STATUS Archive").last().copied(),
        Some("STATUS Archive (MESSAGES 40)")
    );
    let numbers = deaf.ok("UID SEARCH ALL");
    assert_eq!(numbers.untagged, other.ok("UID SEARCH ALL").untagged);
    let flags = |imap: &mut Imap| imap.ok("FETCH 1:* (UID FLAGS)").untagged;
    let plain = |lines: Vec<String>| -> Vec<String> {
        lines
            .iter()
            .map(|line| line.replace(" \\Recent", ""))
            .collect()
    };
    assert_eq!(plain(flags(&mut deaf)), plain(flags(&mut other)));
}
