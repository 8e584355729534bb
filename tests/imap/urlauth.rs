//! GENURLAUTH, RESETKEY, URLFETCH.
use super::{Imap, message};
use crate::harness::Server;

fn sign(imap: &mut Imap, url: &str) -> String {
    let reply = imap.ok(&format!("GENURLAUTH \"{url}\" INTERNAL"));
    let (_, signed) = reply.one("GENURLAUTH ").split_once('"').unwrap();
    signed.trim_end_matches('"').to_owned()
}

/// What a URL gives; `None` for NIL.
fn fetch(imap: &mut Imap, url: &str) -> Option<String> {
    let reply = imap.ok(&format!("URLFETCH \"{url}\""));
    let line = reply.one("URLFETCH ");
    let rest = line.strip_prefix(&format!("URLFETCH \"{url}\" ")).unwrap();
    match rest {
        "NIL" => None,
        "\"\"" => Some(String::new()),
        literal => Some(literal.split_once("}\r\n").unwrap().1.to_owned()),
    }
}

const WHOLE: &str = "imap://anna@mail.example.org/INBOX/;UID=1;URLAUTH=authuser";

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

#[test]
fn how_long() {
    let mut server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX", &message(1));
    let until = |year: u32| {
        format!("imap://anna@x/INBOX/;UID=1;EXPIRE={year}-05-05T11:12:13+01:00;URLAUTH=authuser")
    };
    let past = sign(&mut imap, &until(2002));
    let future = sign(&mut imap, &until(2100));
    assert_eq!(fetch(&mut imap, &past), None);
    assert!(fetch(&mut imap, &future).is_some());
    assert_eq!(fetch(&mut imap, &past.replace("2002", "2100")), None);
    // Keys outlive the server.
    drop(imap);
    server.restart();
    let mut imap = Imap::login(&server);
    assert!(fetch(&mut imap, &future).is_some());
    assert_eq!(
        sign(&mut imap, &until(2100)),
        future,
        "the token is always the same"
    );
    imap.ok("RESETKEY Archive");
    assert!(fetch(&mut imap, &future).is_some());
    imap.ok("RESETKEY INBOX INTERNAL");
    assert_eq!(fetch(&mut imap, &future), None);
    let again = sign(&mut imap, &until(2100));
    assert!(again != future && fetch(&mut imap, &again).is_some());
    imap.ok("RESETKEY");
    assert_eq!(fetch(&mut imap, &again), None);
    // A mailbox of the same name is another one.
    imap.ok("CREATE box");
    imap.append("box", &message(2));
    let url = WHOLE.replace("INBOX", "box");
    let signed = sign(&mut imap, &url);
    assert!(fetch(&mut imap, &signed).is_some());
    imap.ok("DELETE box");
    imap.ok("CREATE box");
    imap.append("box", &message(2));
    assert_eq!(fetch(&mut imap, &signed), None);
}

/// What is there, decoded or not, with what it is.
#[test]
fn extended() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
                Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n";
    imap.append("INBOX", text);
    let mut ask = |part: &str, what: &str| {
        let url = format!("imap://anna@x/INBOX/;UID=1{part};URLAUTH=authuser");
        let url = sign(&mut imap, &url);
        let reply = imap.ok(&format!("URLFETCH (\"{url}\" {what})"));
        let line = reply.one("URLFETCH").to_owned();
        line.strip_prefix(&format!("URLFETCH \"{url}\" "))
            .unwrap()
            .to_owned()
    };
    let all = ask("/;SECTION=1", "BINARY BODYPARTSTRUCTURE");
    assert_eq!(
        all,
        "(BODYPARTSTRUCTURE (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") NIL NIL \"BINARY\" 9 1)) \
         (BINARY {9}\r\nGr\u{fc}\u{df}e\r\n)"
    );
    assert!(ask("/;SECTION=1", "BODY").starts_with("(BODY {17}\r\nGr=C3"));
    assert!(ask("/;SECTION=1/;PARTIAL=2.2", "BINARY").starts_with("(BINARY {2}\r\n\u{fc}"));
    let whole = ask("", "BODYPARTSTRUCTURE");
    assert!(
        whole.starts_with("(BODYPARTSTRUCTURE (\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" "),
        "{whole}"
    );
    assert!(whole.contains("(\"TEXT\" \"PLAIN\""), "{whole}");
    let header = ask("/;SECTION=HEADER", "BODYPARTSTRUCTURE BODY");
    assert!(
        header.contains("\"RFC822-HEADERS\"") && header.contains("(BODY {"),
        "{header}"
    );
    assert!(ask("/;SECTION=TEXT", "BODYPARTSTRUCTURE").contains("\"PLAIN\""));
    assert!(ask("", "BINARY").contains("Gr=C3"));
}
