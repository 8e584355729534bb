//! `--notify-url`: a service of our own is told of new mail, and never more than it may know.
use crate::harness::{Client, PASSWORD, PATIENCE, Server, TempDir, USER, trusted};
use pillarbox::config::{Notify, NotifyWith, Role};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Script = Arc<Mutex<Vec<&'static str>>>;

/// A service: what it was sent, and what it says to the next ones (200 when there is nothing).
struct Service {
    port: u16,
    posts: Receiver<(String, String)>,
    script: Script,
}

fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Service {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let (sender, posts) = channel();
    let script = Script::default();
    let answers = script.clone();
    std::thread::spawn(move || {
        for socket in socket.incoming() {
            let mut socket = socket.unwrap();
            let _ = match &tls {
                None => serve(&mut socket, &answers, &sender),
                Some(config) => {
                    let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
                    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
                    serve(&mut stream, &answers, &sender)
                }
            };
        }
    });
    Service {
        port,
        posts,
        script,
    }
}

fn serve(
    stream: &mut (impl Read + Write),
    script: &Script,
    posts: &Sender<(String, String)>,
) -> std::io::Result<()> {
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    let (head, mut body) = loop {
        let count = stream.read(&mut chunk)?;
        read.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            break (head.to_owned(), body.to_owned());
        }
        if count == 0 {
            return Ok(());
        }
    };
    let length = field(&head, "Content-Length").unwrap().parse().unwrap();
    while body.len() < length {
        let count = stream.read(&mut chunk)?;
        body.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
    }
    posts.send((head, body)).ok();
    let mut script = script.lock().unwrap();
    let answer = if script.is_empty() {
        "200 OK"
    } else {
        script.remove(0)
    };
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n")?;
    stream.flush()
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.split("\r\n").filter_map(|line| line.split_once(": "));
    fields
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

impl Service {
    #[track_caller]
    fn post(&self) -> (String, String) {
        self.posts.recv_timeout(PATIENCE).expect("a notification")
    }

    fn notify(&self, with: NotifyWith) -> Notify {
        Notify {
            url: format!("http://127.0.0.1:{}/topic?x=1", self.port),
            with,
            json: false,
            authorization: None,
            pause: Duration::from_millis(1),
            retry: Duration::from_millis(1),
        }
    }
}

fn deliver(server: &Server, from: &str, subject: &str) {
    let mut c = Client::connect(server.addr(Role::Smtp));
    c.expect("220");
    c.ask("EHLO x", "250 ");
    c.ask("MAIL FROM:<bob@example.net>", "250");
    c.ask("RCPT TO:<anna@example.org>", "250");
    c.ask("DATA", "354");
    let text = format!("From: {from}\r\nSubject: {subject}\r\n\r\nSee you at noon.\r\n.\r\n");
    c.send_raw(text.as_bytes());
    c.expect("250");
}

fn imap(server: &Server) -> Client {
    let mut c = Client::connect(server.addr(Role::Imap));
    c.expect("* OK");
    c.ask(&format!("a LOGIN {USER} \"{PASSWORD}\""), "a OK");
    c
}

#[test]
fn what_may_be_told_and_nothing_else() {
    let service = start(None);
    let mut server = Server::with(|config| {
        config.notify = Some(Notify {
            authorization: Some("Bearer tk_1".into()),
            ..service.notify(NotifyWith::Nothing)
        });
    });
    // What would be a header field, were it put into one.
    let (from, subject) = (
        "=?utf-8?q?B=0D=0AX-Evil=3A_1?= <bob@example.net>",
        "=?utf-8?q?Lunch=0D=0AX-Evil=3A_1_=C3=BC?=",
    );
    deliver(&server, from, subject);
    let (head, body) = service.post();
    assert!(head.starts_with("POST /topic?x=1 HTTP/1.1\r\n"), "{head}");
    assert_eq!(field(&head, "Authorization"), Some("Bearer tk_1"));
    assert_eq!(field(&head, "Title"), Some("New mail"));
    assert_eq!(
        field(&head, "Content-Type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(body, "1 new message, 1 unread in INBOX");
    for (with, has, not) in [
        (NotifyWith::Sender, "X-Evil: 1", "Lunch"),
        (NotifyWith::Subject, "Lunch", "noon"),
        (NotifyWith::Preview, "\n  See you at noon.", "\r"),
    ] {
        server.restart_with(|config| config.notify = Some(service.notify(with)));
        deliver(&server, from, subject);
        let (head, body) = service.post();
        assert!(body.starts_with("1 new message, "), "{body}");
        assert!(body.contains(has) && !body.contains(not), "{body}");
        assert!(
            !head.contains("Evil") && field(&head, "Authorization").is_none(),
            "{head}"
        );
    }
    server.restart_with(|config| {
        config.notify = Some(Notify {
            json: true,
            ..service.notify(NotifyWith::Subject)
        });
    });
    deliver(&server, "Bob <bob@example.net>", "Supper");
    let (head, body) = service.post();
    assert_eq!(field(&head, "Content-Type"), Some("application/json"));
    assert!(field(&head, "Title").is_none());
    let said: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&said["mailbox"], &said["new"]),
        (&"INBOX".into(), &1.into())
    );
    assert_eq!(
        said["messages"],
        serde_json::json!([{ "from": "Bob", "subject": "Supper" }])
    );
    assert!(
        said["text"].as_str().unwrap().ends_with("\nBob: Supper"),
        "{said}"
    );
}

/// What is moved into INBOX, read already, or elsewhere is no news; of what is told the count is right.
#[test]
fn only_new_mail_in_inbox() {
    let service = start(None);
    let server = Server::with(|config| config.notify = Some(service.notify(NotifyWith::Subject)));
    let mut c = imap(&server);
    c.ask("b CREATE Other", "b OK");
    c.send("c APPEND Other {17+}\r\nSubject: moved\r\n\r\n");
    c.until("c OK");
    c.ask("d SELECT Other", "d OK");
    c.ask("e MOVE 1 INBOX", "e OK");
    c.send("f APPEND INBOX (\\Seen) {16+}\r\nSubject: seen\r\n\r\n");
    c.until("f OK");
    deliver(&server, "bob@example.net", "news");
    let (_, body) = service.post();
    assert!(
        body.starts_with("1 new message, 2 unread in INBOX\nbob@example.net: news"),
        "{body}"
    );
}

/// A service that is away, slow or wrong keeps nobody from getting mail; when it is back it hears all at once.
#[test]
fn a_service_in_trouble() {
    let service = start(None);
    *service.script.lock().unwrap() = vec![
        "503 Busy",
        "302 Found\r\nLocation: http://127.0.0.1:1/",
        "200 OK",
    ];
    let server = Server::with(|config| config.notify = Some(service.notify(NotifyWith::Subject)));
    deliver(&server, "bob@example.net", "first");
    // Refused, refused for being sent elsewhere, and taken; and that was the same each time.
    for _ in 0..3 {
        assert!(service.post().1.ends_with("bob@example.net: first"));
    }
    deliver(&server, "bob@example.net", "second");
    let (_, body) = service.post();
    assert!(
        body.starts_with("1 new message, ") && body.ends_with(": second"),
        "{body}"
    );
    // One that takes the connection and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut server = server;
    let notify = Notify {
        url: format!("http://{}/x", silent.local_addr().unwrap()),
        ..service.notify(NotifyWith::Nothing)
    };
    server.restart_with(|config| config.notify = Some(notify));
    deliver(&server, "bob@example.net", "third");
    let held: TcpStream = silent.accept().unwrap().0;
    deliver(&server, "bob@example.net", "fourth");
    assert_eq!(crate::smtp::texts(&server).len(), 4);
    drop(held);
    // Nobody there; then the service again, which hears of what came together at once.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/x", dead.local_addr().unwrap());
    drop(dead);
    server.restart_with(|config| {
        config.notify = Some(Notify {
            url,
            ..service.notify(NotifyWith::Nothing)
        });
    });
    deliver(&server, "bob@example.net", "fifth");
    server.restart_with(|config| {
        config.notify = Some(Notify {
            pause: Duration::from_secs(2),
            ..service.notify(NotifyWith::Nothing)
        });
    });
    for _ in 0..3 {
        deliver(&server, "bob@example.net", "burst");
    }
    let mut told = 0;
    while told < 3 {
        let (_, body) = service.post();
        told += body.split(' ').next().unwrap().parse::<u32>().unwrap();
    }
    assert_eq!(told, 3);
}

#[test]
fn over_tls_with_a_certificate_that_is_trusted() {
    let dir = TempDir::new();
    let service = start(Some(trusted(&dir)));
    let server = Server::with(|config| {
        config.tls_ca = Some(dir.join("ca.pem"));
        config.notify = Some(Notify {
            url: format!("https://127.0.0.1:{}/topic", service.port),
            ..service.notify(NotifyWith::Nothing)
        });
    });
    deliver(&server, "bob@example.net", "one");
    assert_eq!(service.post().1, "1 new message, 1 unread in INBOX");
}
