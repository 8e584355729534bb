//! Other protocols on the same mailbox meanwhile: the lock keeps POP3 sessions out, not IMAP.
use super::*;
use pillarbox::mail::UidSet;

#[test]
fn removed_by_another_session() {
    let server = filled(4);
    let mut client = login(&server);
    say(&mut client, "STAT", "+OK 4 ");
    say(&mut client, "DELE 3", "+OK");
    let gone: UidSet = [2, 3].into_iter().collect();
    smol::block_on(server.mail().remove(inbox(&server), &gone)).unwrap();
    for line in ["RETR 2", "TOP 2 0", "DELE 2", "LIST 2", "UIDL 2"] {
        say(&mut client, line, "-ERR");
    }
    // Numbers stay; what is gone is counted by nobody.
    let left = message(1).len() + message(4).len();
    assert_eq!(say(&mut client, "STAT", "+OK"), format!("+OK 2 {left}"));
    assert_eq!(list(&mut client, "LIST").len(), 2);
    assert_eq!(list(&mut client, "RETR 4")[0], "Subject: 4");
    say(&mut client, "DELE 4", "+OK");
    assert_eq!(
        say(&mut client, "STAT", "+OK"),
        format!("+OK 1 {}", message(1).len())
    );
    quit(client);
    let mut client = login(&server);
    assert_eq!(list(&mut client, "RETR 1")[0], "Subject: 1");
    say(&mut client, "STAT", "+OK 1 ");
    quit(client);
}

/// Mail that comes during a session shows in the next one, and QUIT does not touch it.
#[test]
fn new_mail_waits() {
    let server = filled(2);
    let mut client = login(&server);
    deliver(&server, message(3).as_bytes());
    say(&mut client, "STAT", "+OK 2 ");
    assert_eq!(list(&mut client, "UIDL").len(), 2);
    say(&mut client, "RETR 3", "-ERR");
    say(&mut client, "DELE 1", "+OK");
    say(&mut client, "DELE 2", "+OK");
    quit(client);
    let mut client = login(&server);
    assert_eq!(list(&mut client, "RETR 1")[0], "Subject: 3");
    quit(client);
}

/// The same by the wire: IMAP expunges, and sees what POP3 removes.
#[test]
fn imap_beside_pop3() {
    let server = filled(3);
    let mut imap = server.client(Role::Imap);
    imap.expect("* OK");
    imap.ask(&format!("a login {USER} \"{PASSWORD}\""), "a OK");
    imap.ask("b select inbox", "b OK");
    let mut pop3 = login(&server);
    imap.ask("c store 2 +flags (\\Deleted)", "c OK");
    // Marked by IMAP and not expunged: still mail.
    say(&mut pop3, "STAT", "+OK 3 ");
    imap.ask("d expunge", "d OK");
    say(&mut pop3, "RETR 2", "-ERR");
    say(&mut pop3, "STAT", "+OK 2 ");
    say(&mut pop3, "DELE 3", "+OK");
    let before = imap.ask("e noop", "e OK");
    assert_eq!(before.len(), 1, "marks are POP3's own: {before:?}");
    quit(pop3);
    let after = imap.ask("f noop", "f OK");
    assert!(after.contains(&"* 2 EXPUNGE".to_owned()), "{after:?}");
}
