//! How mail programs find their settings: anybody may ask, and what is said is so.
use super::client::Jmap;
use crate::harness::{DOMAIN, Server};
use pillarbox::config::Role;

const MOZILLA: &str = "/.well-known/autoconfig/mail/config-v1.1.xml";

fn text(jmap: &mut Jmap, path: &str) -> (u16, String) {
    let answer = jmap.bare("GET", path, &[], b"");
    (answer.status, String::from_utf8(answer.body).unwrap())
}

/// Outlook's request for an address.
fn outlook(address: &str) -> String {
    let base = "http://schemas.microsoft.com/exchange/autodiscover/outlook";
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Autodiscover xmlns=\"{base}/requestschema/2006\">\
         <Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>{base}/responseschema/2006a\
         </AcceptableResponseSchema></Request></Autodiscover>"
    )
}

fn discover(jmap: &mut Jmap, path: &str, body: &str) -> String {
    let answer = jmap.bare(
        "POST",
        path,
        &[("Content-Type", "text/xml")],
        body.as_bytes(),
    );
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("content-type"), "text/xml; charset=utf-8");
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn mozilla_hears_of_the_ports_that_are_open() {
    let mut server = Server::start();
    let mut jmap = Jmap::on(&server, Role::Https);
    for path in [MOZILLA, "/mail/config-v1.1.xml"] {
        let (status, xml) = text(
            &mut jmap,
            &format!("{path}?emailaddress=no+one%40Example.org"),
        );
        assert_eq!(status, 200, "{xml}");
        assert!(xml.contains("<domain>example.org</domain>"), "{xml}");
        assert!(xml.contains("<username>%EMAILADDRESS%</username>"), "{xml}");
        for (role, kind, socket) in [
            (Role::Imaps, "incomingServer type=\"imap\"", "SSL"),
            (Role::Imap, "incomingServer type=\"imap\"", "STARTTLS"),
            (Role::Pop3s, "incomingServer type=\"pop3\"", "SSL"),
            (Role::Submissions, "outgoingServer type=\"smtp\"", "SSL"),
        ] {
            let port = server.addr(role).port();
            let part = format!(
                "<{kind}><hostname>mail.example.org</hostname>\n<port>{port}</port>\n<socketType>{socket}<"
            );
            assert!(xml.contains(&part), "{part} in {xml}");
        }
        // Nothing of the user.
        assert!(!xml.contains("anna") && !xml.contains("no+one"), "{xml}");
    }
    drop(jmap);
    server.restart_with(|config| {
        config
            .listen
            .retain(|it| [Role::Http, Role::Imap].contains(&it.role));
    });
    let (status, xml) = text(&mut Jmap::new(&server), MOZILLA);
    assert_eq!(status, 200);
    assert_eq!(xml.matches("<port>").count(), 1, "{xml}");
    assert!(xml.contains("STARTTLS"), "{xml}");
    let (status, _) = text(
        &mut Jmap::new(&server),
        "/apple.mobileconfig?emailaddress=a@example.org",
    );
    assert_eq!(status, 404, "there is nothing to send with");
}

#[test]
fn the_domain_comes_of_the_host_or_the_address() {
    let server = Server::with(|config| config.domains.push("example.net".into()));
    let mut jmap = Jmap::new(&server);
    let foreign = text(&mut jmap, &format!("{MOZILLA}?emailaddress=a@example.com"));
    assert_eq!(foreign.0, 404);
    for (host, domain) in [
        ("autoconfig.example.net", "example.net"),
        ("EXAMPLE.org:8443", "example.org"),
        ("mail.example.org", "mail.example.org"),
        ("somewhere", "mail.example.org"),
    ] {
        let head = format!("GET {MOZILLA} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        jmap.client().send_raw(head.as_bytes());
        let answer = jmap.answer(false);
        let xml = String::from_utf8(answer.body).unwrap();
        assert!(xml.contains(&format!("<domain>{domain}<")), "{host}: {xml}");
    }
}

#[test]
fn outlook_hears_in_its_own_words() {
    let server = Server::start();
    let mut jmap = Jmap::on(&server, Role::Https);
    for path in [
        "/autodiscover/autodiscover.xml",
        "/Autodiscover/Autodiscover.xml",
        "/AutoDiscover/AutoDiscover.XML",
    ] {
        let xml = discover(&mut jmap, path, &outlook("An.Other@example.org"));
        for (kind, role) in [
            ("IMAP", Role::Imaps),
            ("POP3", Role::Pop3s),
            ("SMTP", Role::Submissions),
        ] {
            let port = server.addr(role).port();
            let part = format!(
                "<Protocol><Type>{kind}</Type>\n<Server>mail.example.org</Server>\n<Port>{port}</Port>"
            );
            assert!(xml.contains(&part), "{part} in {xml}");
        }
        assert!(
            xml.contains("<LoginName>An.Other@example.org</LoginName>"),
            "{xml}"
        );
        assert!(!xml.contains("anna"), "{xml}");
    }
    // Only there letters may have any case.
    assert_eq!(jmap.get("/Jmap/Session").status, 404);
}

#[test]
fn hostile_questions() {
    let server = Server::start();
    let mut jmap = Jmap::new(&server);
    let path = "/autodiscover/autodiscover.xml";
    let odd = "a&amp;b\"c>&apos;@example.org";
    let xml = discover(&mut jmap, path, &outlook(odd));
    assert!(
        xml.contains("<LoginName>a&amp;b&quot;c&gt;&apos;@example.org</LoginName>"),
        "{xml}"
    );
    for body in [
        String::new(),
        "<EMailAddress>".into(),
        outlook(""),
        outlook("@example.org"),
        outlook("a\r\nb@example.org"),
        outlook(&format!("{}@example.org", "x".repeat(400))),
        outlook("anna@elsewhere.example"),
        outlook("anna@example.org").replace("outlook/responseschema", "mobilesync/responseschema"),
    ] {
        let xml = discover(&mut jmap, path, &body);
        assert!(
            xml.contains("<ErrorCode>601<") && !xml.contains("mail.example.org"),
            "{xml}"
        );
    }
    let large = outlook(&"x".repeat(20_000));
    let answer = jmap.bare("POST", path, &[], large.as_bytes());
    assert_eq!(answer.status, 400);
    let mut jmap = Jmap::new(&server);
    let query = "?emailaddress=%3Cb%3E%26%22%27@example.org";
    let (status, xml) = text(&mut jmap, &format!("/apple.mobileconfig{query}"));
    assert_eq!(status, 200);
    let escaped = "<string>&lt;b&gt;&amp;&quot;&apos;@example.org</string>";
    assert!(xml.contains(escaped) && !xml.contains("<b>"), "{xml}");
    for query in [
        "",
        "?emailaddress=",
        "?emailaddress=a%0a@example.org",
        "?emailaddress=%ff",
        "?key=",
    ] {
        assert_eq!(
            text(&mut jmap, &format!("/apple.mobileconfig{query}")).0,
            404
        );
    }
}

#[test]
fn apple_gets_a_profile_and_by_a_link_a_password_once() {
    let server = Server::start();
    let mut jmap = Jmap::on(&server, Role::Https);
    let path = format!("/apple.mobileconfig?emailaddress=x@{DOMAIN}");
    let answer = jmap.bare("GET", &path, &[], b"");
    assert_eq!(
        answer.field("content-type"),
        "application/x-apple-aspen-config"
    );
    let first = String::from_utf8(answer.body).unwrap();
    assert!(!first.contains("Password</key>"), "{first}");
    assert_eq!(text(&mut jmap, &path).1, first, "another one each time");
    let port = server.addr(Role::Imaps).port();
    let part = format!("<key>IncomingMailServerPortNumber</key>\n<integer>{port}</integer>");
    assert!(first.contains(&part), "{first}");

    let key = server.auth().keep("s3cret & more").unwrap();
    let link = format!("/apple.mobileconfig?key={key}");
    // Whoever looks at where a link leads does not use it up.
    assert_eq!(jmap.bare("HEAD", &link, &[], b"").status, 200);
    let (status, xml) = text(&mut jmap, &link);
    assert_eq!(status, 200);
    for side in ["Incoming", "Outgoing"] {
        let part = format!("<key>{side}Password</key>\n<string>s3cret &amp; more</string>");
        assert!(xml.contains(&part), "{xml}");
    }
    assert!(xml.contains("<string>anna@example.org</string>"), "{xml}");
    assert_eq!(text(&mut jmap, &link).0, 404);
    // Nine at a time are one too many.
    let keys: Vec<String> = (0..9)
        .map(|n| server.auth().keep(&n.to_string()).unwrap())
        .collect();
    assert_eq!(server.auth().redeem(&keys[0]), None);
    assert_eq!(server.auth().redeem(&keys[1]).as_deref(), Some("1"));
}
