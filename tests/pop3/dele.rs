//! What is removed, and when: at QUIT and not before.
use super::*;
use pillarbox::config::Pop3Delete;

fn count(server: &Server) -> u32 {
    let meta = server.mail().meta();
    meta.by_role(MailRole::Inbox).unwrap().counters.total
}

/// RFC 1939 §6: a connection that ends without QUIT removes nothing.
#[test]
fn dropped_before_quit() {
    let server = filled(3);
    let mut client = login(&server);
    say(&mut client, "DELE 1", "+OK");
    say(&mut client, "DELE 3", "+OK");
    drop(client);
    let mut client = login(&server);
    say(&mut client, "STAT", "+OK 3 ");
    quit(client);
    assert_eq!(count(&server), 3);
}

#[test]
fn removed_at_quit() {
    let mut server = filled(4);
    let mut client = login(&server);
    say(&mut client, "DELE 1", "+OK");
    say(&mut client, "DELE 3", "+OK");
    say(&mut client, "DELE 4", "+OK");
    assert_eq!(count(&server), 4);
    quit(client);
    assert_eq!(count(&server), 1);
    server.restart();
    let mut client = login(&server);
    assert_eq!(list(&mut client, "RETR 1")[0], "Subject: 2");
    quit(client);
}

#[test]
fn rset_takes_marks_back() {
    let server = filled(2);
    let mut client = login(&server);
    say(&mut client, "DELE 1", "+OK");
    say(&mut client, "RSET", "+OK");
    quit(client);
    assert_eq!(count(&server), 2);
}

/// `--pop3-delete 0`: RETR is an implicit DELE; TOP is not, and a lost connection keeps all.
#[test]
fn delete_at_once() {
    let server = Server::with(|config| config.pop3.delete = Pop3Delete::AtOnce);
    for number in 1..=3 {
        deliver(&server, message(number).as_bytes());
    }
    let mut client = login(&server);
    list(&mut client, "RETR 1");
    drop(client);
    let mut client = login(&server);
    say(&mut client, "STAT", "+OK 3 ");
    list(&mut client, "RETR 1");
    list(&mut client, "TOP 2 0");
    quit(client);
    assert_eq!(count(&server), 2);
    let mut client = login(&server);
    list(&mut client, "RETR 1");
    say(&mut client, "RSET", "+OK");
    quit(client);
    assert_eq!(count(&server), 2);
}

/// Days pass in the unit tests of `retention`; here: not today.
#[test]
fn delete_after_days() {
    let server = Server::with(|config| config.pop3.delete = Pop3Delete::Days(7));
    deliver(&server, message(1).as_bytes());
    for _ in 0..2 {
        let mut client = login(&server);
        list(&mut client, "RETR 1");
        quit(client);
    }
    assert_eq!(count(&server), 1);
    let reader = server.mail().reader().unwrap();
    let stored = reader.get(b"pop3.fetched").unwrap();
    assert!(stored.is_some_and(|value| value.len() == 16));
}
