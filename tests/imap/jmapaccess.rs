//! GETJMAPACCESS (RFC 9698).
use super::Imap;
use crate::harness::Server;

#[test]
fn says_where_jmap_is() {
    let server = Server::with(|config| config.http.url = Some("https://mail.example.org".into()));
    let mut imap = Imap::connect(&server);
    assert!(
        !imap
            .ok("CAPABILITY")
            .one("CAPABILITY")
            .contains("JMAPACCESS")
    );
    let mut imap = Imap::login(&server);
    let list = imap.ok("CAPABILITY").one("CAPABILITY").to_owned();
    // RFC 9698 §3: with OBJECTID, whose ids are JMAP's.
    assert!(list.contains(" JMAPACCESS") && list.contains(" OBJECTID"));
    assert_eq!(
        imap.ok("GETJMAPACCESS").untagged,
        ["JMAPACCESS \"https://mail.example.org/.well-known/jmap\""]
    );
}

#[test]
fn says_nothing_where_it_is_not_known() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    assert!(
        !imap
            .ok("CAPABILITY")
            .one("CAPABILITY")
            .contains("JMAPACCESS")
    );
    imap.bad("GETJMAPACCESS");
}
