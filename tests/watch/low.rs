//! A disk with little left: first a mail, then refusals, while reading and deleting go on.
use super::soon;
use crate::crash::disk::Medium;
use crate::harness::{Client, Server};
use crate::jmap::Jmap;
use crate::smtp::{texts, wait_for_inbox};
use pillarbox::config::Role;
use pillarbox::mail::{Mail, Options};
use serde_json::json;
use std::sync::Arc;

const MIB: u64 = 1 << 20;

/// A server on a disk of which the test says how much is free.
fn server() -> (Arc<Medium>, Server) {
    let medium = Medium::formatted();
    medium.set_free(500 * MIB);
    let mail = Mail::open_source(medium.source(), Options::default()).unwrap();
    let server = Server::over_with(mail, |config| {
        soon(config);
        config.warn.disk = Some(50 * MIB);
    });
    (medium, server)
}

/// Mail from outside; the reply to it.
fn deliver(server: &Server) -> String {
    let mut c = Client::connect(server.addr(Role::Smtp));
    c.expect("220");
    c.ask("EHLO x", "250 ");
    c.send("MAIL FROM:<a@example.net>");
    let reply = c.expect("");
    if !reply.starts_with("250") {
        return reply;
    }
    c.ask("RCPT TO:<anna@example.org>", "250");
    c.send("DATA");
    let reply = c.expect("");
    if !reply.starts_with("354") {
        return reply;
    }
    c.send_raw(b"Subject: one\r\n\r\nHello.\r\n.\r\n");
    c.expect("")
}

#[test]
fn first_a_mail_then_refusals() {
    let (medium, server) = server();
    assert!(deliver(&server).starts_with("250"));
    assert_eq!(texts(&server).len(), 1);
    medium.set_free(40 * MIB);
    assert!(deliver(&server).starts_with("250"), "only a warning");
    let told = wait_for_inbox(&server, 3);
    let words = "the disk is nearly full: 40 MiB are left";
    assert!(told.iter().any(|text| text.contains(words)), "{told:?}");
    medium.set_free(MIB);
    // SMTP, IMAP and JMAP refuse what would be stored.
    assert!(deliver(&server).starts_with("452 4.3.1 "));
    let mut imap = Client::connect(server.addr(Role::Imap));
    imap.expect("* OK");
    imap.ask("a LOGIN anna \"correct horse\"", "a OK");
    imap.send("b APPEND INBOX {5+}\r\nhello");
    assert!(
        imap.until("b ")
            .pop()
            .unwrap()
            .starts_with("b NO [OVERQUOTA]")
    );
    let mut jmap = Jmap::new(&server);
    let media = [("Content-Type", "message/rfc822")];
    let refused = jmap.ask("POST", "/jmap/upload/a1", &media, b"hello");
    assert!(refused.status >= 400, "{}", refused.status);
    let read = jmap.call("Email/query", json!({}));
    assert_eq!(read["ids"].as_array().map(Vec::len), Some(3), "{read}");
    // Reading goes on, by POP3 too; so do flags and deleting.
    let mut pop = Client::connect(server.addr(Role::Pop3));
    pop.expect("+OK");
    pop.ask("USER anna", "+OK");
    pop.ask("PASS correct horse", "+OK");
    pop.send("RETR 1");
    pop.until(".");
    pop.ask("QUIT", "+OK");
    let seen = imap.ask("c SELECT INBOX", "c OK");
    assert!(seen.iter().any(|line| line == "* 3 EXISTS"), "{seen:?}");
    let text = imap.ask("d FETCH 1:3 (BODY.PEEK[TEXT])", "d OK");
    assert!(text.iter().any(|line| line.contains("Hello.")), "{text:?}");
    imap.ask("e STORE 1:2 +FLAGS (\\Seen \\Deleted)", "e OK");
    imap.ask("f EXPUNGE", "f OK");
    assert_eq!(texts(&server).len(), 1);
    // What a full disk itself needs to say is said, and when there is room mail comes again.
    medium.set_free(500 * MIB);
    assert!(deliver(&server).starts_with("250"));
}

/// From plenty to next to nothing between two looks: the warning comes all the same.
#[test]
fn a_warning_fits_a_full_disk() {
    let (medium, server) = server();
    medium.set_free(MIB);
    super::poke(&server);
    let told = wait_for_inbox(&server, 1);
    assert!(
        told[0].contains("the disk is nearly full: 1 MiB"),
        "{}",
        told[0]
    );
}
