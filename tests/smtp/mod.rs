//! SMTP through the wire: one file per command or topic.
mod auth;
mod bdat;
mod burl;
mod data;
mod direct;
mod ehlo;
pub mod fake;
mod gate;
mod hostile;
mod limits;
mod mail;
mod origin;
mod priority;
mod queue;
mod rcpt;
mod relay;
mod release;
mod requiretls;
mod routes;
pub mod secure;
mod smuggling;
mod starttls;
mod submission;

use crate::harness::{Client, PASSWORD, Server, USER};
use pillarbox::config::Role;
use std::time::{Duration, Instant};

/// The user's address.
const ANNA: &str = "anna@example.org";

/// A client behind the greeting and EHLO.
fn hello(server: &Server, role: Role) -> Client {
    let mut client = server.client(role);
    client.expect("220 mail.example.org ESMTP");
    client.ask("EHLO client.example", "250 ");
    client
}

/// A client that may submit.
fn logged_in(server: &Server) -> Client {
    let mut client = hello(server, Role::Submissions);
    client.send(&format!(
        "AUTH PLAIN {}",
        base64(&format!("\0{USER}\0{PASSWORD}"))
    ));
    client.expect("235 2.7.0");
    client
}

/// Sends each line and expects the answer that stands behind it.
#[track_caller]
fn talk(client: &mut Client, dialogue: &[(&str, &str)]) {
    for (line, answer) in dialogue {
        client.send(line);
        let got = client.line();
        assert!(
            got.starts_with(answer),
            "{line:?}: expected {answer:?}, got {got:?}"
        );
    }
}

/// Opens a transaction from a stranger to the user, up to DATA's 354.
#[track_caller]
fn to_data(client: &mut Client) {
    talk(
        client,
        &[
            ("MAIL FROM:<bob@else.where>", "250 2.1.0"),
            ("RCPT TO:<anna@example.org>", "250 2.1.5"),
            ("DATA", "354 "),
        ],
    );
}

/// The octets of every message in INBOX, oldest first.
fn inbox(server: &Server) -> Vec<Vec<u8>> {
    let meta = server.mail().meta();
    let inbox = meta.by_role(pillarbox::mail::Role::Inbox).unwrap().id;
    let reader = server.mail().reader().unwrap();
    let mut emails = Vec::new();
    reader
        .rows(inbox, 1, u32::MAX, |row| {
            emails.push(row.email);
            true
        })
        .unwrap();
    let octets = |email| {
        let message = reader.message(email).unwrap().unwrap();
        let mut out = Vec::new();
        while reader
            .read(&message, out.len() as u32, 65_536, &mut out)
            .unwrap()
            > 0
        {}
        out
    };
    emails.into_iter().map(octets).collect()
}

/// INBOX as text.
pub fn texts(server: &Server) -> Vec<String> {
    inbox(server)
        .iter()
        .map(|octets| String::from_utf8_lossy(octets).into_owned())
        .collect()
}

/// The message without the trace fields that we put in front (each folded by a tab).
fn without_trace(text: &str) -> &str {
    let mut rest = text;
    while rest.starts_with("Return-Path:")
        || rest.starts_with("Received:")
        || rest.starts_with('\t')
    {
        rest = rest.split_once("\r\n").unwrap().1;
    }
    rest
}

/// Waits, woken by changes of the mailbox, until INBOX holds this many messages.
#[track_caller]
pub fn wait_for_inbox(server: &Server, count: usize) -> Vec<String> {
    let until = Instant::now() + crate::harness::PATIENCE;
    loop {
        let texts = texts(server);
        if texts.len() >= count {
            return texts;
        }
        assert!(Instant::now() < until, "only {} messages came", texts.len());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Rows of the queue.
fn queued(server: &Server) -> usize {
    let mut count = 0;
    let reader = server.mail().reader().unwrap();
    reader
        .scan(b"queue/", |_, _| {
            count += 1;
            true
        })
        .unwrap();
    count
}

/// Waits until the queue is empty, its last commit included.
#[track_caller]
fn wait_for_empty_queue(server: &Server) {
    let until = Instant::now() + crate::harness::PATIENCE;
    while queued(server) > 0 {
        assert!(
            Instant::now() < until,
            "{} rows stay in the queue",
            queued(server)
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn base64(text: &str) -> String {
    base64_octets(text.as_bytes())
}

fn base64_octets(octets: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(octets)
}
