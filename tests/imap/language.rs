//! LANGUAGE.
use super::Imap;
use crate::harness::Server;

/// RFC 5255 §3.2.
#[test]
fn english_it_is() {
    let server = Server::start();
    let mut imap = Imap::connect(&server);
    imap.ok("LANGUAGE").one("LANGUAGE (");
    imap.no("LANGUAGE fr");
    imap.ok("LANGUAGE default");
    imap.ok("LANGUAGE fr EN");
    imap.bad("LANGUAGE \"\u{1}");
}
