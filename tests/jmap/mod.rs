//! JMAP through the real server: one file per type, and a small HTTP client.
mod autoconfig;
mod blob;
mod client;
mod core;
mod email;
mod hostile;
mod http;
mod identity;
mod mailbox;
mod mdn;
mod push;
mod query;
mod quota;
mod session;
mod state;
mod submission;
mod sync;
mod transcript;
mod vacation;
mod websocket;

pub use client::Jmap;

use crate::harness::Server;
use serde_json::{Value, json};

/// A message with these header fields and this body, lines ending in CRLF.
pub fn message(fields: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = String::new();
    for (name, value) in fields {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    text.push_str(&body.replace('\n', "\r\n"));
    text.into_bytes()
}

/// A plain message with a subject, received on a day of January 2024.
pub fn import(jmap: &mut Jmap, subject: &str, day: u32, more: Value) -> String {
    let local = subject
        .to_lowercase()
        .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let from = format!("\"Sender {subject}\" <{local}@else.where>");
    let id = format!("<{local}-{day}@else.where>");
    let octets = message(
        &[
            ("From", &from),
            ("To", "anna@example.org"),
            ("Subject", subject),
            ("Message-ID", &id),
            ("Date", &format!("{day} Jan 2024 10:00:00 +0000")),
        ],
        &format!("This is the text of {subject}.\n"),
    );
    let mut email = json!({
        "blobId": jmap.upload("message/rfc822", &octets),
        "mailboxIds": { jmap.mailbox("inbox"): true },
        "receivedAt": format!("2024-01-{day:02}T12:00:00Z"),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        email[name] = value.clone();
    }
    let answer = jmap.call("Email/import", json!({ "emails": { "k": email } }));
    answer["created"]["k"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer}"))
        .to_owned()
}

/// A server and a client that has read the session.
pub fn start() -> (Server, Jmap) {
    let server = Server::start();
    let jmap = Jmap::new(&server);
    (server, jmap)
}
