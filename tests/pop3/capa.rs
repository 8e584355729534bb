//! CAPA, LANG, pipelining.
use super::*;
use pillarbox::config::Pop3Delete;

#[test]
fn before_and_after_login() {
    let server = Server::start();
    let mut client = connect(&server);
    let before = list(&mut client, "CAPA");
    for name in [
        "TOP",
        "UIDL",
        "USER",
        "STLS",
        "RESP-CODES",
        "AUTH-RESP-CODE",
        "PIPELINING",
        "UTF8",
        "LANG",
        "EXPIRE NEVER",
    ] {
        assert!(before.contains(&name.to_owned()), "{name} in {before:?}");
    }
    assert!(
        before
            .iter()
            .any(|line| line.starts_with("SASL SCRAM-SHA-256"))
    );
    let mut client = login(&server);
    let after = list(&mut client, "CAPA");
    assert!(!after.contains(&"STLS".to_owned()));
    // RFC 2449 §5: all else that was announced before is announced after.
    for line in before.iter().filter(|line| *line != "STLS") {
        assert!(after.contains(line), "{line} in {after:?}");
    }
    quit(client);
}

#[test]
fn expire_is_the_policy() {
    for (delete, line) in [
        (Pop3Delete::AtOnce, "EXPIRE 0"),
        (Pop3Delete::Days(30), "EXPIRE 30"),
    ] {
        let server = Server::with(|config| config.pop3.delete = delete);
        let mut client = connect(&server);
        assert!(list(&mut client, "CAPA").contains(&line.to_owned()));
    }
}

#[test]
fn languages() {
    let server = Server::start();
    let mut client = connect(&server);
    assert_eq!(list(&mut client, "LANG"), ["en English"]);
    say(&mut client, "LANG en", "+OK en ");
    say(&mut client, "LANG *", "+OK en ");
    say(&mut client, "LANG tlh", "-ERR");
    say(&mut client, "UTF8", "+OK");
    let mut client = login(&server);
    say(&mut client, "UTF8", "-ERR");
    quit(client);
}

/// RFC 2449 §6.6: a whole session in one packet, answered in order.
#[test]
fn pipelining() {
    let server = filled(3);
    let mut client = connect(&server);
    let session = format!(
        "USER {USER}\r\nPASS {PASSWORD}\r\nSTAT\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 1\r\nQUIT\r\n"
    );
    client.send_raw(session.as_bytes());
    client.expect("+OK");
    client.expect("+OK 3 messages");
    client.expect("+OK 3 ");
    client.expect("+OK");
    assert_eq!(client.until_dot().len(), 4);
    client.expect("+OK");
    assert_eq!(client.line(), "Subject: 1");
    client.until_dot();
    client.expect("+OK");
    client.expect("-ERR");
    client.expect("+OK good-bye");
    client.expect_closed();
    let mut client = login(&server);
    say(&mut client, "STAT", "+OK 2 ");
}
