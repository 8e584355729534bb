//! HTTP around JMAP: log-in, CORS, methods, broken requests.
use super::{Jmap, start};
use crate::harness::Server;
use pillarbox::config::Role;

#[test]
fn log_in() {
    let (server, mut jmap) = start();
    let refused = jmap.bare("GET", "/.well-known/jmap", &[], b"");
    assert_eq!(refused.status, 401);
    assert_eq!(refused.field("content-type"), "application/problem+json");
    assert!(refused.head.contains_key("www-authenticate"));
    // A browser is not told of Basic: it would send the password along with every page.
    let browser = jmap.bare(
        "GET",
        "/.well-known/jmap",
        &[("Sec-Fetch-Mode", "cors")],
        b"",
    );
    assert!(browser.field("www-authenticate").starts_with("Bearer"));
    let wrong = [("Authorization", "Basic YW5uYTp3cm9uZw==")];
    assert_eq!(
        jmap.bare("GET", "/.well-known/jmap", &wrong, b"").status,
        401
    );
    let token = smol::block_on(server.auth().add_token("test")).unwrap();
    let bearer = format!("Bearer {token}");
    assert_eq!(
        jmap.bare(
            "GET",
            "/.well-known/jmap",
            &[("Authorization", &bearer)],
            b""
        )
        .status,
        200
    );
    assert_eq!(
        jmap.bare(
            "GET",
            "/.well-known/jmap",
            &[("Authorization", "Bearer x")],
            b""
        )
        .status,
        401
    );
}

#[test]
fn methods() {
    let (_server, mut jmap) = start();
    let head = jmap.ask("HEAD", "/.well-known/jmap", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(jmap.get("/nothing").status, 404);
    let wrong = jmap.get("/jmap/api");
    assert_eq!((wrong.status, wrong.field("allow")), (405, "POST, OPTIONS"));
    let options = jmap.bare("OPTIONS", "/.well-known/jmap", &[], b"");
    assert_eq!(
        (options.status, options.field("allow")),
        (204, "GET, HEAD, OPTIONS")
    );
}

#[test]
fn cors_and_custom_fields() {
    let server = Server::with(|c| {
        c.http.cors_origins = vec!["https://app.example.org".into()];
        c.http.headers = vec![("X-Robots-Tag".into(), "none".into())];
    });
    let mut jmap = Jmap::new(&server);
    let preflight = [
        ("Origin", "https://app.example.org"),
        ("Access-Control-Request-Method", "POST"),
        (
            "Access-Control-Request-Headers",
            "authorization,content-type",
        ),
    ];
    let answer = jmap.bare("OPTIONS", "/jmap/api", &preflight, b"");
    assert_eq!(answer.status, 204);
    assert_eq!(
        answer.field("access-control-allow-origin"),
        "https://app.example.org"
    );
    assert!(
        answer
            .field("access-control-allow-methods")
            .contains("POST")
    );
    assert!(
        answer
            .field("access-control-allow-headers")
            .contains("Authorization")
    );
    let other = jmap.ask(
        "GET",
        "/jmap/session",
        &[("Origin", "https://evil.example")],
        b"",
    );
    assert_eq!(other.field("access-control-allow-origin"), "");
    assert_eq!(other.field("x-robots-tag"), "none");
    assert_eq!(other.field("access-control-allow-credentials"), "");
    // The page must be able to read a refusal too.
    let refused = jmap.bare(
        "GET",
        "/jmap/session",
        &[("Origin", "https://app.example.org")],
        b"",
    );
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.field("access-control-allow-origin"),
        "https://app.example.org"
    );
}

#[test]
fn broken_heads() {
    let server = Server::start();
    for bad in ["GET\r\n\r\n", "\0\0\0\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut client = server.client(Role::Http);
        client.send_raw(bad.as_bytes());
        let rest = client.rest();
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 4"),
            "{bad:?}"
        );
    }
    let mut client = server.client(Role::Http);
    client.send_raw(b"GET / HTTP/1.1\r\n");
    let long = format!("X: {}\r\n", "y".repeat(1000));
    while client.try_send_raw(long.as_bytes()).is_ok() && !client_done(&server) {}
    assert_eq!(server.connections(), 0);
    // A Host that would smuggle text into the session's URLs.
    let mut client = server.client(Role::Http);
    client.send_raw(b"GET /.well-known/jmap HTTP/1.1\r\nHost: a\"b\r\n\r\n");
    client.expect("HTTP/1.1 400");
}

fn client_done(server: &Server) -> bool {
    server.connections() == 0
}
