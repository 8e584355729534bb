//! STAT, LIST, UIDL: numbers, sizes, unique-ids.
use super::*;
use pillarbox::mail::{Role as MailRole, UidSet};

#[test]
fn empty() {
    let server = Server::start();
    let mut client = login(&server);
    assert_eq!(say(&mut client, "STAT", "+OK"), "+OK 0 0");
    assert!(list(&mut client, "LIST").is_empty());
    assert!(list(&mut client, "UIDL").is_empty());
    say(&mut client, "LIST 1", "-ERR");
    say(&mut client, "RETR 0", "-ERR");
    quit(client);
}

/// RFC 1939 §5: neither listed nor counted once marked.
#[test]
fn marked_messages_do_not_count() {
    let server = filled(5);
    let size = |number: usize| message(number).len();
    let mut client = login(&server);
    let all: usize = (1..=5).map(size).sum();
    assert_eq!(say(&mut client, "STAT", "+OK"), format!("+OK 5 {all}"));
    say(&mut client, "DELE 2", "+OK");
    say(&mut client, "DELE 4", "+OK");
    let left = size(1) + size(3) + size(5);
    assert_eq!(say(&mut client, "STAT", "+OK"), format!("+OK 3 {left}"));
    let lines = [1, 3, 5].map(|number| format!("{number} {}", size(number)));
    assert_eq!(list(&mut client, "LIST"), lines);
    assert_eq!(
        say(&mut client, "LIST 3", "+OK"),
        format!("+OK 3 {}", size(3))
    );
    let ids = list(&mut client, "UIDL");
    assert!(ids[0].starts_with("1 ") && ids[1].starts_with("3 ") && ids[2].starts_with("5 "));
    for line in ["LIST 2", "UIDL 2", "RETR 2", "TOP 2 0", "DELE 2"] {
        say(&mut client, line, "-ERR");
    }
    say(&mut client, "RSET", "+OK");
    assert_eq!(say(&mut client, "STAT", "+OK"), format!("+OK 5 {all}"));
    quit(client);
}

/// Stable over sessions and restarts, and for a message that is moved away and back.
#[test]
fn unique_ids_last() {
    let mut server = filled(3);
    let mut client = login(&server);
    let ids = list(&mut client, "UIDL");
    let id = |line: &String| line.split(' ').nth(1).unwrap().to_owned();
    let (first, second) = (id(&ids[0]), id(&ids[1]));
    assert_eq!(say(&mut client, "UIDL 2", "+OK"), format!("+OK 2 {second}"));
    quit(client);
    server.restart();
    let mail = server.mail().clone();
    let archive = mail.meta().by_role(MailRole::Archive).unwrap().id;
    smol::block_on(async {
        let inbox = inbox(&server);
        mail.r#move(inbox, &UidSet::range(1, 1), archive)
            .await
            .unwrap();
        mail.r#move(archive, &UidSet::range(1, 1), inbox)
            .await
            .unwrap();
    });
    let mut client = login(&server);
    let ids: Vec<_> = list(&mut client, "UIDL").iter().map(id).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!((&ids[0], &ids[2]), (&second, &first));
    quit(client);
}

/// More rows than one page, with holes.
#[test]
fn long_lists() {
    let server = filled(1300);
    let gone: UidSet = (1..=1300).filter(|uid| uid % 3 == 0).collect();
    smol::block_on(server.mail().remove(inbox(&server), &gone)).unwrap();
    let mut client = login(&server);
    let left: Vec<usize> = (1..=1300).filter(|uid| uid % 3 != 0).collect();
    say(&mut client, &format!("DELE {}", left.len()), "+OK");
    let lines = list(&mut client, "LIST");
    assert_eq!(lines.len(), left.len() - 1);
    for (number, (line, uid)) in lines.iter().zip(&left).enumerate() {
        assert_eq!(line, &format!("{} {}", number + 1, message(*uid).len()));
    }
    assert_eq!(list(&mut client, "UIDL").len(), left.len() - 1);
    quit(client);
}
