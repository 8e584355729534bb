//! GENURLAUTH, with URLFETCH to see what it is good for.
use super::{Imap, message};
use crate::harness::Server;

/// A URL with its token.
pub fn sign(imap: &mut Imap, url: &str) -> String {
    let reply = imap.ok(&format!("GENURLAUTH \"{url}\" INTERNAL"));
    let (_, signed) = reply.one("GENURLAUTH ").split_once('"').unwrap();
    signed.trim_end_matches('"').to_owned()
}

/// What a URL gives; `None` for NIL.
pub fn fetch(imap: &mut Imap, url: &str) -> Option<String> {
    let reply = imap.ok(&format!("URLFETCH \"{url}\""));
    let line = reply.one("URLFETCH ");
    let rest = line.strip_prefix(&format!("URLFETCH \"{url}\" ")).unwrap();
    match rest {
        "NIL" => None,
        "\"\"" => Some(String::new()),
        literal => Some(literal.split_once("}\r\n").unwrap().1.to_owned()),
    }
}

/// The first message.
pub const WHOLE: &str = "imap://anna@mail.example.org/INBOX/;UID=1;URLAUTH=authuser";

#[test]
fn forms() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX", &message(1));
    let parts = [
        ("", message(1)),
        ("/;SECTION=TEXT", "Hello 1!\r\n".into()),
        ("/;SECTION=1", "Hello 1!\r\n".into()),
        (
            "/;SECTION=HEADER.FIELDS%20%28Subject%29",
            "Subject: 1\r\n\r\n".into(),
        ),
        ("/;PARTIAL=0.5", "From:".into()),
        ("/;SECTION=TEXT/;PARTIAL=6", "1!\r\n".into()),
        ("/;SECTION=TEXT/;PARTIAL=100.5", String::new()),
        ("/;SECTION=9", String::new()),
    ];
    for (part, text) in parts {
        for end in [
            "authuser",
            "anonymous",
            "user+anna",
            "user+anna%40example.org",
        ] {
            let url = format!("imap://anna@x/inbox/;UID=1{part};URLAUTH={end}");
            let signed = sign(&mut imap, &url);
            assert_eq!(fetch(&mut imap, &signed), Some(text.clone()), "{url}");
        }
    }
    // Nothing was read by it, and nothing need be selected.
    imap.ok("SELECT INBOX");
    assert!(!imap.ok("FETCH 1 FLAGS").one("FETCH").contains("Seen"));
    let missing = sign(&mut imap, &WHOLE.replace("UID=1", "UID=9"));
    assert_eq!(fetch(&mut imap, &missing), None);
    // Several at once, in order, good and bad.
    let good = sign(&mut imap, WHOLE);
    let reply = imap.ok(&format!("URLFETCH {missing} ({good}) (\"{good}\" BODY) x"));
    let line = reply.one("URLFETCH");
    assert!(
        line.starts_with(&format!("URLFETCH \"{missing}\" NIL \"{good}\" {{")),
        "{line}"
    );
    assert!(line.ends_with(") \"x\" NIL"), "{line}");
    for bad in [
        "imap://anna@x/INBOX;URLAUTH=authuser",
        "imap://anna@x/nowhere/;UID=1;URLAUTH=authuser",
        "imap://bob@x/INBOX/;UID=1;URLAUTH=authuser",
        "imap://x/INBOX/;UID=1;URLAUTH=authuser",
        "imap://anna@x/INBOX/;UID=1;URLAUTH=user+bob",
        "imap://anna@x/INBOX/;UID=1",
        "/INBOX/;UID=1;URLAUTH=authuser",
        "http://anna@x/INBOX/;UID=1;URLAUTH=authuser",
    ] {
        imap.bad(&format!("GENURLAUTH \"{bad}\" INTERNAL"));
    }
    imap.bad(&format!("GENURLAUTH \"{WHOLE}\" XSAMPLE"));
    imap.bad(&format!("GENURLAUTH \"{WHOLE}\""));
    imap.bad("URLFETCH");
    imap.bad("URLFETCH (x BODY BINARY)");
}

#[test]
fn who_may() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX", &message(1));
    // Nobody here is a submission server.
    let submit = sign(&mut imap, &WHOLE.replace("authuser", "submit+anna"));
    assert_eq!(fetch(&mut imap, &submit), None);
    let good = sign(&mut imap, WHOLE);
    assert!(fetch(&mut imap, &good).is_some());
    let (_, token) = good.rsplit_once(':').unwrap();
    let mut wrong = vec![
        good.replace("UID=1", "UID=2"),
        good.replace("INBOX", "Inbox"),
        good.replace("authuser", "anonymous"),
        good.replace("internal", "xsample"),
        good.replace("imap:", "IMAP:"),
        good.replace(token, &"0".repeat(token.len())),
        good.replace(token, &token[..64]),
        good.replace("INBOX", "nowhere"),
        WHOLE.to_owned(),
    ];
    let last = token.chars().last().unwrap();
    let other = if last == '0' { '1' } else { '0' };
    wrong.push(format!("{}{other}", &good[..good.len() - 1]));
    for url in wrong {
        assert_eq!(fetch(&mut imap, &url), None, "{url}");
    }
    // The token's digits and the mechanism's name may be in any case.
    assert!(fetch(&mut imap, &good.replace("internal", "INTERNAL")).is_some());
    assert!(fetch(&mut imap, &good.replace(token, &token.to_uppercase())).is_some());
    // Before log-in there is nothing.
    let mut stranger = Imap::connect(&server);
    stranger.bad(&format!("URLFETCH \"{good}\""));
}
