//! Lines, literals, and what comes after nonsense.
use super::Imap;
use crate::harness::Server;

#[test]
fn a_bad_command_is_answered_with_its_place_and_the_next_one_works() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    assert!(imap.bad("FETCH 1 FLAGZ").tagged.contains("at position 11"));
    assert!(imap.bad("BLURDYBLOOP").tagged.contains("position 3"));
    imap.client.send("");
    assert!(imap.response().starts_with("* BAD"));
    imap.client.send("+ x");
    assert!(imap.response().starts_with("* BAD"));
    imap.ok("NOOP");
}

#[test]
fn limits() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    assert!(imap.bad("LOGIN {8193}").tagged.contains("[LIMIT]"));
    let long = "x".repeat(9000);
    assert!(
        imap.bad(&format!("LOGIN a {long}"))
            .tagged
            .contains("[LIMIT]")
    );
    let tag = imap.send(&format!("LOGIN {{9000+}}\r\n{long} {{1+}}\r\nx"));
    assert!(imap.until(&tag).tagged.contains("[LIMIT]"));
    imap.ok("NOOP");
    imap.send("LOGIN {9999999+}");
    assert!(imap.response().starts_with("* BYE"));
    imap.client.expect_closed();

    let mut imap = Imap::inbox(&server);
    imap.bad(&format!("SEARCH SUBJECT {}", "x".repeat(70_000)));
    imap.bad(&format!("SEARCH {}ALL", "NOT ".repeat(5000)));
    let set = (1..9000)
        .map(|n| (n * 3).to_string())
        .collect::<Vec<_>>()
        .join(",");
    imap.ok(&format!("UID FETCH {set} FLAGS"));
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.client
        .send("a SELECT INBOX\r\nb SEARCH SUBJECT {1+}\r\nx\r\nc FOO\r\nd LOGOUT");
    assert!(imap.until("a").tagged.starts_with("OK"));
    assert!(imap.until("b").tagged.starts_with("OK"));
    assert!(imap.until("c").tagged.starts_with("BAD"));
    assert!(imap.until("d").tagged.starts_with("OK"));
}

/// A message announced where none can be taken must not leave the session deaf, filling its buffer.
#[test]
fn a_message_where_none_is_expected() {
    let server = Server::start();
    for start in [
        // Behind another message, on its line.
        "a APPEND INBOX {3+}\r\nabcx APPEND INBOX {4+}\r\n",
        // Instead of DONE.
        "a IDLE\r\nx APPEND INBOX {4+}\r\n",
        "a IDLE\r\nx LOGIN {4}\r\n",
        "a IDLE\r\nx LOGIN {4+}\r\n",
    ] {
        let mut imap = Imap::inbox(&server);
        imap.client.send_raw(start.as_bytes());
        imap.client.send_raw(b"b XX\r\n\r\nc NOOP\r\n");
        loop {
            let line = imap.client.line();
            if line.starts_with("* BYE") || line.starts_with("c OK") {
                break;
            }
        }
    }
}
