//! RETR and TOP: what goes over the wire.
use super::*;

/// The octets of an answer behind its status line, final dot included.
fn raw(client: &mut Client, line: &str, octets: usize) -> String {
    say(client, line, "+OK");
    String::from_utf8(client.octets(octets)).unwrap()
}

#[test]
fn dots_are_stuffed() {
    let server = Server::start();
    let message = "Subject: dots\r\n\r\n.\r\n..\r\nend.\r\n";
    deliver(&server, message.as_bytes());
    let mut client = login(&server);
    let wire = "Subject: dots\r\n\r\n..\r\n...\r\nend.\r\n.\r\n";
    assert_eq!(raw(&mut client, "RETR 1", wire.len()), wire);
    assert_eq!(
        say(&mut client, "LIST 1", "+OK"),
        format!("+OK 1 {}", message.len())
    );
    quit(client);
}

/// Others send the whole message for `TOP n 0`.
#[test]
fn top_of_no_lines_is_the_header() {
    let server = Server::start();
    deliver(
        &server,
        b"Subject: a\r\nX: b\r\n\r\none\r\n.two\r\nthree\r\n",
    );
    let mut client = login(&server);
    assert_eq!(list(&mut client, "TOP 1 0"), ["Subject: a", "X: b", ""]);
    assert_eq!(list(&mut client, "TOP 1 2").len(), 5);
    assert_eq!(list(&mut client, "TOP 1 99").len(), 6);
    assert_eq!(list(&mut client, "RETR 1").len(), 6);
    say(&mut client, "TOP 1", "-ERR");
    quit(client);
}

/// A stored LF, dot, CRLF must not end the answer for a client that reads up to LF.
#[test]
fn bare_line_feeds_become_line_ends() {
    let server = Server::start();
    deliver(&server, b"Subject: a\n\nb\n.\r\n+OK you were fooled\n");
    let mut client = login(&server);
    let wire = "Subject: a\r\n\r\nb\r\n..\r\n+OK you were fooled\r\n.\r\n";
    assert_eq!(raw(&mut client, "RETR 1", wire.len()), wire);
    say(&mut client, "NOOP", "+OK");
    quit(client);
}

#[test]
fn last_line_is_ended() {
    let server = Server::start();
    deliver(&server, b"Subject: a\r\n\r\nno end");
    let mut client = login(&server);
    let wire = "Subject: a\r\n\r\nno end\r\n.\r\n";
    assert_eq!(raw(&mut client, "RETR 1", wire.len()), wire);
    quit(client);
}

/// RFC 6856 §2.1: without UTF8 no header outside ASCII.
#[test]
fn headers_in_utf_8() {
    let server = Server::start();
    let message = "Subject: K\u{f6}ln\r\nFrom: j\u{fc}rgen@example.org\r\n\r\nK\u{f6}ln\r\n";
    deliver(&server, message.as_bytes());
    let mut client = login(&server);
    let surrogate = [
        "Subject: =?utf-8?Q?K=C3=B6ln?=",
        "From: =?utf-8?Q?j=C3=BCrgen?=@example.org",
        "",
        "K\u{f6}ln",
    ];
    assert_eq!(list(&mut client, "RETR 1"), surrogate);
    assert_eq!(list(&mut client, "TOP 1 0"), surrogate[..3]);
    quit(client);
    let mut client = connect(&server);
    say(&mut client, "UTF8", "+OK");
    say(&mut client, &format!("USER {USER}"), "+OK");
    say(&mut client, &format!("PASS {PASSWORD}"), "+OK");
    assert_eq!(
        list(&mut client, "RETR 1"),
        message.lines().collect::<Vec<_>>()
    );
    quit(client);
}

#[test]
fn many_blocks() {
    let server = Server::start();
    let mut message = String::from("Subject: large\r\n\r\n");
    while message.len() < 3_000_000 {
        message.push_str(&format!(
            ".{} lines of text, no two alike\r\n",
            message.len()
        ));
    }
    deliver(&server, message.as_bytes());
    let mut client = login(&server);
    let got = list(&mut client, "RETR 1");
    assert!(got.iter().map(String::as_str).eq(message.lines()));
    assert_eq!(list(&mut client, "TOP 1 3").len(), 5);
    quit(client);
}

#[test]
fn an_empty_message() {
    let server = Server::start();
    deliver(&server, b"");
    let mut client = login(&server);
    assert!(list(&mut client, "RETR 1").is_empty());
    assert!(list(&mut client, "TOP 1 0").is_empty());
    quit(client);
}
