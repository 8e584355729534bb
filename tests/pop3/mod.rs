//! POP3 through the wire: one file per thing a client does.
mod capa;
mod dele;
mod hostile;
mod list;
mod login;
mod others;
mod retr;

use crate::harness::{Client, PASSWORD, Server, USER};
use pillarbox::config::Role;
use pillarbox::mail::{Added, MailboxId, NewEmail, Role as MailRole, Source};

/// Stores a message as it is, in INBOX, and nowhere else.
fn deliver(server: &Server, message: &[u8]) -> Added {
    smol::block_on(async {
        let mail = server.mail();
        let mut body = mail.body(None).unwrap();
        body.push(message).await.unwrap();
        let staged = body.finish(b"").await.unwrap();
        let email = NewEmail {
            source: Source::Staged(staged),
            mailboxes: vec![inbox(server)],
            flags: Default::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        };
        mail.add(email).await.unwrap()
    })
}

fn inbox(server: &Server) -> MailboxId {
    server.mail().meta().by_role(MailRole::Inbox).unwrap().id
}

/// A server with `count` messages whose subjects and lengths tell them apart.
fn filled(count: usize) -> Server {
    let server = Server::start();
    for number in 1..=count {
        deliver(&server, message(number).as_bytes());
    }
    server
}

fn message(number: usize) -> String {
    format!(
        "Subject: {number}\r\n\r\n{}\r\n",
        "x".repeat(100 + number % 7)
    )
}

/// A client past the greeting.
fn connect(server: &Server) -> Client {
    let mut client = server.client(Role::Pop3);
    client.expect("+OK");
    client
}

/// A client that is logged in.
fn login(server: &Server) -> Client {
    let mut client = connect(server);
    client.send(&format!("USER {USER}"));
    client.expect("+OK");
    client.send(&format!("PASS {PASSWORD}"));
    client.expect("+OK");
    client
}

/// The answer's status line.
#[track_caller]
fn say(client: &mut Client, line: &str, answer: &str) -> String {
    client.send(line);
    client.expect(answer)
}

/// The lines of a multi-line answer, unstuffed.
#[track_caller]
fn list(client: &mut Client, line: &str) -> Vec<String> {
    say(client, line, "+OK");
    let mut lines = client.until_dot();
    lines.pop();
    let unstuffed = |line: &String| line.strip_prefix('.').unwrap_or(line).to_owned();
    lines.iter().map(unstuffed).collect()
}

/// Ends the session and reads to its end.
#[track_caller]
fn quit(mut client: Client) {
    say(&mut client, "QUIT", "+OK");
    client.expect_closed();
}

impl Client {
    fn until_dot(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != ".") {
            lines.push(self.line());
        }
        lines
    }
}
