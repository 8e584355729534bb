//! URLFETCH, with what RFC 5524 adds.
use super::Imap;
use super::genurlauth::sign;
use crate::harness::Server;

/// What is there, decoded or not, with what it is.
#[test]
fn decoded_and_described() {
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
