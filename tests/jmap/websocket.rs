//! JMAP over WebSocket (RFC 8887).
use super::{Jmap, import, start};
use crate::harness::Server;
use serde_json::{Value, json};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A client of one WebSocket.
struct Socket(Jmap);

impl Socket {
    fn open(server: &Server) -> Socket {
        let mut jmap = Jmap::new(server);
        let (status, head) = handshake(&mut jmap, &[]);
        assert_eq!(status, 101);
        assert_eq!(head["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(head["sec-websocket-protocol"], "jmap");
        Socket(jmap)
    }

    fn frame(&mut self, first: u8, payload: &[u8]) {
        let mask = [7, 99, 0, 255];
        let mut out = vec![first];
        match payload.len() {
            short @ 0..=125 => out.push(0x80 | short as u8),
            medium => {
                out.push(0x80 | 126);
                out.extend_from_slice(&u16::try_from(medium).unwrap().to_be_bytes());
            }
        }
        out.extend_from_slice(&mask);
        out.extend(payload.iter().zip(mask.iter().cycle()).map(|(o, m)| o ^ m));
        self.0.client().send_raw(&out);
    }

    fn send(&mut self, value: Value) {
        self.frame(0x81, value.to_string().as_bytes());
    }

    fn take(&mut self) -> (u8, Vec<u8>) {
        let head = self.0.client().octets(2);
        let length = match head[1] {
            126 => {
                let octets = self.0.client().octets(2);
                usize::from(u16::from_be_bytes([octets[0], octets[1]]))
            }
            127 => {
                let octets = self.0.client().octets(8);
                u64::from_be_bytes(octets.try_into().unwrap()) as usize
            }
            short => usize::from(short),
        };
        (head[0], self.0.client().octets(length))
    }

    /// The next message, its frames put together.
    fn message(&mut self) -> Value {
        let (mut first, mut message) = self.take();
        assert_eq!(first & 15, 1);
        while first & 0x80 == 0 {
            let (next, more) = self.take();
            assert_eq!(next & 15, 0);
            message.extend(more);
            first = next;
        }
        serde_json::from_slice(&message).unwrap()
    }

    #[track_caller]
    fn closed(&mut self, status: u16) {
        let (first, payload) = self.take();
        assert_eq!((first, payload), (0x88, status.to_be_bytes().to_vec()));
    }
}

fn handshake(
    jmap: &mut Jmap,
    more: &[(&str, &str)],
) -> (u16, std::collections::HashMap<String, String>) {
    let auth = jmap.auth.clone();
    let mut fields = vec![
        ("Authorization", auth.as_str()),
        ("Connection", "keep-alive, Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Protocol", "chat, jmap"),
    ];
    for (name, value) in more {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    let mut head = "GET /jmap/ws HTTP/1.1\r\nHost: mail.example.org\r\n".to_owned();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    jmap.client().send_raw(head.as_bytes());
    jmap.head()
}

fn echo(id: Value, arguments: Value) -> Value {
    json!({ "@type": "Request", "id": id, "using": ["urn:ietf:params:jmap:core"],
        "methodCalls": [["Core/echo", arguments, "b3ff"]] })
}

/// RFC 8887 §4.4.
#[test]
fn requests_and_errors() {
    let (server, mut jmap) = start();
    let session = jmap.get("/jmap/session").json();
    let capability = &session["capabilities"]["urn:ietf:params:jmap:websocket"];
    assert_eq!(capability["supportsPush"], true);
    let url = capability["url"].as_str().unwrap();
    assert!(
        url.starts_with("ws://") && url.ends_with("/jmap/ws"),
        "{url}"
    );
    let mut socket = Socket::open(&server);
    let args = json!({ "hello": true, "high": 5 });
    socket.send(echo("R1".into(), args.clone()));
    let answer = socket.message();
    assert_eq!(
        (&answer["@type"], &answer["requestId"]),
        (&json!("Response"), &json!("R1"))
    );
    assert_eq!(
        answer["methodResponses"],
        json!([["Core/echo", args, "b3ff"]])
    );
    assert!(answer["sessionState"].is_string());
    socket.frame(0x81, b"The quick brown fox jumps\n over the lazy dog.");
    let answer = socket.message();
    assert_eq!(answer["@type"], "RequestError");
    assert_eq!(answer["requestId"], Value::Null);
    assert_eq!(answer["type"], "urn:ietf:params:jmap:error:notJSON");
    assert_eq!(answer["status"], 400);
    socket.send(json!({ "@type": "Request", "id": "R2", "using": ["x"], "methodCalls": [] }));
    let answer = socket.message();
    assert_eq!(answer["requestId"], "R2");
    assert_eq!(
        answer["type"],
        "urn:ietf:params:jmap:error:unknownCapability"
    );
    socket.send(json!({ "@type": "Other" }));
    assert_eq!(
        socket.message()["type"],
        "urn:ietf:params:jmap:error:notRequest"
    );
    // A message in pieces, with a ping in between; a large one back.
    let text = echo("R3".into(), json!({ "x": "y".repeat(40_000) })).to_string();
    let (start, rest) = text.as_bytes().split_at(20_000);
    socket.frame(0x01, start);
    socket.frame(0x89, b"there?");
    socket.frame(0x80, rest);
    assert_eq!(socket.take(), (0x8a, b"there?".to_vec()));
    let answer = socket.message();
    assert_eq!(
        answer["methodResponses"][0][1]["x"].as_str().unwrap().len(),
        40_000
    );
    // Two at once.
    socket.send(echo("a".into(), json!({})));
    socket.send(echo("b".into(), json!({})));
    assert_eq!(socket.message()["requestId"], "a");
    assert_eq!(socket.message()["requestId"], "b");
    socket.frame(0x88, &1000u16.to_be_bytes());
    socket.closed(1000);
}

#[test]
fn push() {
    let (server, mut jmap) = start();
    let mut socket = Socket::open(&server);
    socket.send(json!({ "@type": "WebSocketPushEnable", "dataTypes": ["Mailbox", "Email"] }));
    // Answered behind it: push is on by then.
    socket.send(echo("now".into(), json!({})));
    socket.message();
    let id = import(&mut jmap, "One", 1, json!({}));
    let change = socket.message();
    assert_eq!(change["@type"], "StateChange");
    let states = change["changed"]["a1"].as_object().unwrap();
    assert_eq!(states.len(), 2, "{change}");
    assert_eq!(states["Email"], jmap.email_state().as_str());
    // Several changes of one type, and none of another.
    let flag =
        |name: &str| json!({ "update": { id.clone(): { format!("keywords/{name}"): true } } });
    jmap.call("Email/set", flag("a"));
    let first = socket.message();
    assert_eq!(first["changed"]["a1"].as_object().unwrap().len(), 1);
    socket.send(json!({ "@type": "WebSocketPushDisable" }));
    socket.send(echo("off".into(), json!({})));
    assert_eq!(socket.message()["requestId"], "off");
    jmap.call("Email/set", flag("b"));
    socket.send(echo("still".into(), json!({})));
    assert_eq!(socket.message()["requestId"], "still");
    // Another connection goes on from where this one was told.
    let mut other = Socket::open(&server);
    other.send(json!({ "@type": "WebSocketPushEnable", "dataTypes": null,
        "pushState": first["pushState"] }));
    let missed = other.message();
    assert_eq!(
        missed["changed"]["a1"]["Email"],
        jmap.email_state().as_str()
    );
    // The server's end is said.
    drop(jmap);
    drop(server);
    other.closed(1001);
}

#[test]
fn refusals() {
    let (server, mut jmap) = start();
    for (more, status) in [
        (&[("Upgrade", "")][..], 400),
        (&[("Sec-WebSocket-Protocol", "chat")], 400),
        (&[("Sec-WebSocket-Version", "8")], 426),
        (&[("Sec-WebSocket-Key", "c2hvcnQ=")], 400),
        (&[("Authorization", "")], 401),
        (&[("Origin", "https://evil.example")], 403),
    ] {
        let (got, head) = handshake(&mut jmap, more);
        assert_eq!(got, status, "{more:?}");
        let length = head["content-length"].parse().unwrap();
        jmap.client().octets(length);
    }
    // Its own pages may.
    let mut own = Jmap::new(&server);
    let (got, _) = handshake(&mut own, &[("Origin", "http://mail.example.org")]);
    assert_eq!(got, 101);
    for (octets, status) in [
        (&[0x81, 0x01, b'x'][..], 1002),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        (&[0x82, 0x80, 0, 0, 0, 0], 1003),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (&[0x81, 0xff, 0, 0, 1, 0, 0, 0, 0, 0], 1009),
    ] {
        let mut socket = Socket::open(&server);
        socket.0.client().send_raw(octets);
        socket.closed(status);
    }
}

/// Whoever came in by a token that is revoked is out, with the event source as with this.
#[test]
fn ends_with_its_token() {
    let server = Server::start();
    let token = smol::block_on(server.auth().add_token("page")).unwrap();
    let mut jmap = Jmap::new(&server);
    jmap.auth = format!("Bearer {token}");
    let mut events = Jmap::new(&server);
    events.auth.clone_from(&jmap.auth);
    assert_eq!(handshake(&mut jmap, &[]).0, 101);
    let mut socket = Socket(jmap);
    socket.send(echo("1".into(), json!({})));
    assert_eq!(socket.message()["requestId"], "1");
    let auth = events.auth.clone();
    let head =
        format!("GET /jmap/events?types=* HTTP/1.1\r\nHost: x\r\nAuthorization: {auth}\r\n\r\n");
    events.client().send_raw(head.as_bytes());
    assert_eq!(events.head().0, 200);
    assert_eq!(events.chunk().unwrap(), b":\n");
    smol::block_on(server.auth().revoke_token("page")).unwrap();
    socket.closed(1008);
    assert_eq!(events.chunk(), None);
}

#[test]
fn large_messages_take_turns() {
    let (server, _jmap) = start();
    let text =
        json!({ "@type": "Request", "using": [], "methodCalls": [], "x": "y".repeat(50_000) });
    let text = text.to_string();
    let (head, tail) = text.as_bytes().split_at(40_000);
    let mut begun: Vec<Socket> = (0..4).map(|_| Socket::open(&server)).collect();
    for socket in &mut begun {
        socket.frame(0x01, head);
        // The second answer comes after the look at what the first one left.
        for _ in 0..2 {
            socket.frame(0x89, b"x");
            assert_eq!(socket.take(), (0x8a, b"x".to_vec()));
        }
    }
    let mut further = Socket::open(&server);
    further.frame(0x01, head);
    further.frame(0x80, tail);
    further.closed(1013);
    begun[0].frame(0x80, tail);
    assert_eq!(begun[0].message()["@type"], "Response");
    let mut further = Socket::open(&server);
    further.frame(0x01, head);
    further.frame(0x80, tail);
    assert_eq!(further.message()["@type"], "Response");
}
