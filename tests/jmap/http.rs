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
    // The client hears of the end a moment before the server has counted it.
    while !client_done(&server) {
        std::thread::yield_now();
    }
    // A Host that would smuggle text into the session's URLs.
    let mut client = server.client(Role::Http);
    client.send_raw(b"GET /.well-known/jmap HTTP/1.1\r\nHost: a\"b\r\n\r\n");
    client.expect("HTTP/1.1 400");
    // RFC 9112 §3.2: two of them, of which a proxy may have taken the other one.
    let mut client = server.client(Role::Http);
    client.send_raw(b"GET /.well-known/jmap HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    client.expect("HTTP/1.1 400");
}

fn client_done(server: &Server) -> bool {
    server.connections() == 0
}

#[test]
fn compressed_where_it_helps() {
    use std::io::Read;
    let (_server, mut jmap) = start();
    let body = |size: usize| {
        let call = serde_json::json!(["Core/echo", { "x": "hello ".repeat(size) }, "0"]);
        serde_json::json!({ "using": ["urn:ietf:params:jmap:core"], "methodCalls": [call] })
            .to_string()
    };
    let mut ask = |size: usize, accept: &str| {
        let fields = [
            ("Content-Type", "application/json"),
            ("Accept-Encoding", accept),
        ];
        jmap.ask("POST", "/jmap/api", &fields, body(size).as_bytes())
    };
    // In one piece, and as a stream.
    for size in [1_000, 100_000] {
        let got = ask(size, "br, gzip;q=0.5");
        assert_eq!(got.field("content-encoding"), "gzip");
        assert!(got.field("vary").contains("Accept-Encoding"));
        assert!(got.body.len() < size, "{}", got.body.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(got.body.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let echoed = answer["methodResponses"][0][1]["x"].as_str().unwrap();
        assert_eq!(echoed.len(), 6 * size);
        assert!(answer["sessionState"].is_string());
    }
    for (size, accept) in [
        (10, "gzip"),
        (1_000, "gzip;q=0"),
        (1_000, "br"),
        (1_000, ""),
    ] {
        let got = ask(size, accept);
        assert_eq!(got.field("content-encoding"), "", "{size} {accept}");
        got.json();
    }
}

#[test]
fn behind_a_proxy() {
    let server = Server::with(|config| config.http.proxies = vec!["127.0.0.1".into()]);
    let mut jmap = Jmap::new(&server);
    let mut url = |fields: &[(&str, &str)]| {
        let got = jmap.ask("GET", "/jmap/session", fields, b"");
        match got.status {
            200 => got.json()["apiUrl"].as_str().unwrap().to_owned(),
            status => status.to_string(),
        }
    };
    let forwarded = "for=192.0.2.60;proto=https;host=mail.example.org";
    assert_eq!(
        url(&[("Forwarded", forwarded)]),
        "https://mail.example.org/jmap/api"
    );
    let older = [
        ("X-Forwarded-For", "198.51.100.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "mail.example.net"),
    ];
    assert_eq!(url(&older), "https://mail.example.net/jmap/api");
    // The client's own way was open: no password over that.
    assert_eq!(url(&[("Forwarded", "for=192.0.2.60;proto=http")]), "403");
    // Of anybody else it is not believed.
    let server = Server::start();
    let mut jmap = Jmap::new(&server);
    let got = jmap.ask("GET", "/jmap/session", &[("Forwarded", forwarded)], b"");
    assert!(
        got.json()["apiUrl"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1")
    );
}

#[test]
fn with_a_prefix() {
    let server = Server::with(|config| config.http.url = Some("https://example.org/mail".into()));
    let mut jmap = Jmap::new(&server);
    for path in [
        "/mail/jmap/session",
        "/jmap/session",
        "/mail/.well-known/jmap",
    ] {
        let session = jmap.get(path).json();
        assert_eq!(session["apiUrl"], "https://example.org/mail/jmap/api");
        let socket = &session["capabilities"]["urn:ietf:params:jmap:websocket"]["url"];
        assert_eq!(socket, "wss://example.org/mail/jmap/ws");
    }
    assert_eq!(jmap.get("/mailjmap/session").status, 404);
    assert_eq!(jmap.get("/mail").status, 404);
}

/// Whoever disagrees with us about where a request ends must not get another one answered (RFC 9112
/// §6, §11.2).
#[test]
fn nothing_is_smuggled() {
    let server = Server::start();
    let behind = "GET /jmap/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let ask = |head: &str, body: &str| {
        let mut client = server.client(Role::Http);
        let octets = format!("POST /jmap/api HTTP/1.1\r\nHost: x\r\n{head}\r\n{body}{behind}");
        client.send_raw(octets.as_bytes());
        client.shutdown_write();
        String::from_utf8_lossy(&client.rest()).into_owned()
    };
    let chunks = "0\r\n\r\n";
    for (head, body) in [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            chunks,
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            chunks,
        ),
        ("Transfer-Encoding: chunked\r\n", chunks),
        ("Transfer-Encoding: chunked\r\n", "5 \r\nabc"),
        (
            "Transfer-Encoding: chunked\r\n",
            "ffffffffffffffffff\r\nabc",
        ),
        ("Transfer-Encoding: chunked\r\n", "+3\r\nabc\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked, identity\r\n", chunks),
        ("Transfer-Encoding: xchunked\r\n", chunks),
        ("Content-Length: 0\r\nContent-Length: 5\r\n", ""),
        ("Content-Length: +0\r\n", ""),
        ("Content-Length: 0x0\r\n", ""),
        ("Content-Length : 0\r\n", ""),
        (
            "X: a\r\n Content-Length: 0\r\nContent-Length\x0b: 0\r\n",
            "",
        ),
    ] {
        let got = ask(head, body);
        let answers = got.matches("HTTP/1.1 ").count();
        assert!(
            answers <= 1 && !got.contains(" 404 "),
            "{head:?} {body:?}: {got}"
        );
    }
    // An honest one behind an honest one is answered.
    assert_eq!(
        ask("Content-Length: 2\r\n", "{}")
            .matches("HTTP/1.1 ")
            .count(),
        2
    );
}

#[test]
fn asks_before_it_sends() {
    let (_server, mut jmap) = start();
    let auth = jmap.auth.clone();
    let ask = |length: u64| {
        format!(
            "POST /jmap/upload/a1 HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\
             Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    jmap.client().send_raw(ask(3).as_bytes());
    jmap.client().expect("HTTP/1.1 100");
    jmap.client().expect("");
    jmap.client().send_raw(b"abc");
    let (status, head) = jmap.head();
    assert_eq!(status, 201);
    let length = head["content-length"].parse().unwrap();
    jmap.client().octets(length);
    // What is too large is refused before it is sent.
    jmap.client().send_raw(ask(1 << 40).as_bytes());
    assert_eq!(jmap.head().0, 400);
}

#[test]
fn the_policy_of_mta_sts_is_for_anybody_who_asks() {
    let (_server, mut jmap) = start();
    let path = "/.well-known/mta-sts.txt";
    assert_eq!(jmap.bare("GET", path, &[], b"").status, 404);
    let server = Server::with(|config| config.mta_sts = Some("enforce"));
    for role in [Role::Http, Role::Https] {
        let answer = Jmap::on(&server, role).bare("GET", path, &[], b"");
        assert_eq!(
            (answer.status, answer.field("content-type")),
            (200, "text/plain")
        );
        let policy = pillarbox::queue::sts::Policy::parse(&answer.body).unwrap();
        assert!(policy.allows("mail.example.org") && policy.mx.len() == 1);
    }
}
