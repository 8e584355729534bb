//! PushSubscription (RFC 8620 §7.2): a push service of our own, spoken to over TLS.
use super::{Jmap, import};
use crate::harness::{Server, TempDir, trusted};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{aead, agreement, hmac};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What came by one POST.
struct Post {
    head: String,
    body: Vec<u8>,
    at: Instant,
}

impl Post {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let lines = self.head.split("\r\n").skip(1);
        let mut fields = lines.filter_map(|line| line.split_once(": "));
        fields
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

struct Service {
    port: u16,
    dir: TempDir,
    posts: Receiver<Post>,
    /// Answers to the next POSTs; 201 when there are none.
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl Service {
    fn start() -> Service {
        let dir = TempDir::new();
        let config = trusted(&dir);
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let (sender, posts) = channel();
        let answers = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::clone(&answers);
        std::thread::spawn(move || {
            for socket in socket.incoming() {
                let _ = serve(socket.unwrap(), &config, &script, &sender);
            }
        });
        Service {
            port,
            dir,
            posts,
            answers,
        }
    }

    fn server(&self) -> Server {
        let ca = self.dir.join("ca.pem");
        Server::with(|config| {
            config.tls_ca = Some(ca);
            config.http.push_private = true;
        })
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}/push/?device=X8980fc", self.port)
    }

    #[track_caller]
    fn post(&self) -> Post {
        self.posts
            .recv_timeout(crate::harness::PATIENCE)
            .expect("a push")
    }

    #[track_caller]
    fn nothing(&self) {
        assert!(self.posts.recv_timeout(Duration::from_millis(300)).is_err());
    }
}

fn serve(
    mut socket: std::net::TcpStream,
    config: &Arc<rustls::ServerConfig>,
    script: &Mutex<Vec<&'static str>>,
    posts: &Sender<Post>,
) -> std::io::Result<()> {
    let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
    let mut read = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        let count = stream.read(&mut chunk)?;
        read.extend_from_slice(&chunk[..count]);
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        assert!(count > 0);
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap();
    let mut post = Post {
        head,
        body: read[end + 4..].to_vec(),
        at: Instant::now(),
    };
    let length: usize = post.field("Content-Length").unwrap().parse().unwrap();
    while post.body.len() < length {
        let count = stream.read(&mut chunk)?;
        post.body.extend_from_slice(&chunk[..count]);
    }
    post.at = Instant::now();
    let mut script = script.lock().unwrap();
    let answer = if script.is_empty() {
        "201 Created"
    } else {
        script.remove(0)
    };
    posts.send(post).ok();
    write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n")?;
    Ok(())
}

fn set(jmap: &mut Jmap, args: Value) -> Value {
    let answer = &jmap.calls(json!([["PushSubscription/set", args, "0"]]))[0];
    assert_eq!(answer[0], "PushSubscription/set", "{answer}");
    answer[1].clone()
}

fn get(jmap: &mut Jmap) -> Value {
    jmap.calls(json!([["PushSubscription/get", { "ids": null }, "0"]]))[0][1].clone()
}

/// Makes one and verifies it.
fn subscribe(jmap: &mut Jmap, service: &Service, types: Value) -> String {
    let made = set(
        jmap,
        json!({ "create": { "4f29": { "deviceClientId": "a889-ffea-910", "url": service.url(), "types": types } } }),
    );
    let id = made["created"]["4f29"]["id"].as_str().unwrap().to_owned();
    let post = service.post().json();
    assert_eq!(post["@type"], "PushVerification");
    assert_eq!(post["pushSubscriptionId"], id);
    let done = set(
        jmap,
        json!({ "update": { &id: { "verificationCode": post["verificationCode"] } } }),
    );
    assert_eq!(done["updated"], json!({ &id: null }));
    id
}

/// RFC 8620 §7.2.3.
#[test]
fn verification_and_changes() {
    let service = Service::start();
    let server = service.server();
    let mut jmap = Jmap::new(&server);
    assert_eq!(get(&mut jmap), json!({ "list": [], "notFound": [] }));
    let made = set(
        &mut jmap,
        json!({ "create": { "4f29": {
            "deviceClientId": "a889-ffea-910", "url": service.url(), "types": ["Email", "Todo"] } } }),
    );
    assert!(made.get("accountId").is_none() && made.get("newState").is_none());
    let created = &made["created"]["4f29"];
    let id = created["id"].as_str().unwrap().to_owned();
    assert!(created["expires"].as_str().unwrap().ends_with('Z'));
    let post = service.post();
    assert!(
        post.head
            .starts_with("POST /push/?device=X8980fc HTTP/1.1\r\n")
    );
    assert_eq!(
        post.field("Host"),
        Some(&*format!("127.0.0.1:{}", service.port))
    );
    assert_eq!(post.field("Content-Type"), Some("application/json"));
    assert!(post.field("TTL").is_some());
    let code = post.json()["verificationCode"].clone();
    // Nothing more until it comes back, and the client has to have it from there.
    import(&mut jmap, "unheard", 1, json!({}));
    service.nothing();
    assert_eq!(get(&mut jmap)["list"][0]["verificationCode"], Value::Null);
    let wrong = set(
        &mut jmap,
        json!({ "update": { &id: { "verificationCode": "1234" } } }),
    );
    assert_eq!(wrong["notUpdated"][&id]["type"], "invalidProperties");
    let done = set(
        &mut jmap,
        json!({ "update": { &id: { "verificationCode": code } } }),
    );
    assert_eq!(done["updated"], json!({ &id: null }));
    service.nothing();
    import(&mut jmap, "heard", 2, json!({}));
    let post = service.post();
    let state = jmap.email_state();
    assert_eq!(
        post.json(),
        json!({ "@type": "StateChange", "changed": { "a1": { "Email": state } } })
    );
    assert_eq!(post.field("Topic"), Some("StateChange"));
    // Further than it may reach.
    let far = set(
        &mut jmap,
        json!({ "update": { &id: { "expires": "2999-01-01T00:00:00Z" } } }),
    );
    let told = far["updated"][&id]["expires"].as_str().unwrap().to_owned();
    assert_eq!(get(&mut jmap)["list"][0]["expires"], told);
    assert_eq!(
        get(&mut jmap)["list"][0],
        json!({ "id": id, "deviceClientId": "a889-ffea-910", "verificationCode": code,
            "expires": told, "types": ["Email", "Todo"] })
    );
    let gone = set(&mut jmap, json!({ "destroy": [id] }));
    assert_eq!(gone["destroyed"], json!([id]));
    import(&mut jmap, "late", 3, json!({}));
    service.nothing();
}

#[test]
fn what_is_refused() {
    let service = Service::start();
    let server = Server::start();
    let mut jmap = Jmap::new(&server);
    let url = service.url();
    for (name, bad) in [
        ("url", json!("http://push.example/")),
        ("url", json!("https://user@push.example/")),
        ("url", Value::Null),
        ("deviceClientId", json!("")),
        ("keys", json!({ "p256dh": "AAAA", "auth": "AAAA" })),
        ("keys", json!("x")),
        ("verificationCode", json!("x")),
        ("expires", json!("tomorrow")),
        ("types", json!("Email")),
        ("id", json!("p1")),
        ("mood", json!(1)),
    ] {
        let mut object = json!({ "deviceClientId": "x", "url": url });
        object[name] = bad;
        let answer = set(&mut jmap, json!({ "create": { "a": object } }));
        let error = &answer["notCreated"]["a"];
        assert_eq!(error["type"], "invalidProperties", "{name} {answer}");
        assert_eq!(error["properties"], json!([name]));
    }
    for (name, args, kind) in [
        (
            "get",
            json!({ "ids": null, "properties": ["url"] }),
            "forbidden",
        ),
        (
            "get",
            json!({ "ids": null, "accountId": "a1" }),
            "invalidArguments",
        ),
        ("set", json!({ "ifInState": "1" }), "invalidArguments"),
    ] {
        let answer = &jmap.calls(json!([[format!("PushSubscription/{name}"), args, "0"]]))[0];
        assert_eq!(answer[1]["type"], kind, "{answer}");
    }
    // Without --push-private nobody is asked at a private address.
    let made = set(
        &mut jmap,
        json!({ "create": { "a": { "deviceClientId": "x", "url": url } } }),
    );
    let id = made["created"]["a"]["id"].as_str().unwrap().to_owned();
    service.nothing();
    // What cannot be changed may be sent as it is.
    let same = json!({ "update": { &id: { "deviceClientId": "x", "verificationCode": null } } });
    assert_eq!(set(&mut jmap, same)["updated"], json!({ &id: null }));
    let other = json!({ "update": { &id: { "url": "https://other.example/" } } });
    let answer = set(&mut jmap, other);
    assert_eq!(answer["notUpdated"][&id]["properties"], json!(["url"]));
}

/// RFC 8291, RFC 8292, RFC 9749.
#[test]
fn sealed_and_signed() {
    let service = Service::start();
    let server = service.server();
    let mut jmap = Jmap::new(&server);
    let session: Value = jmap.get("/.well-known/jmap").json();
    let ours = &session["capabilities"]["urn:ietf:params:jmap:webpush-vapid"];
    let ours = ours["applicationServerKey"].as_str().unwrap();
    let random = ring::rand::SystemRandom::new();
    let key = agreement::EphemeralPrivateKey::generate(&agreement::ECDH_P256, &random).unwrap();
    let public = key.compute_public_key().unwrap();
    let secret = [7; 16];
    let keys = json!({ "p256dh": URL_SAFE_NO_PAD.encode(&public), "auth": URL_SAFE_NO_PAD.encode(secret) });
    set(
        &mut jmap,
        json!({ "create": { "a": { "deviceClientId": "x", "url": service.url(), "keys": keys } } }),
    );
    let post = service.post();
    assert_eq!(post.field("Content-Encoding"), Some("aes128gcm"));
    let value = post.field("Authorization").unwrap();
    let (token, used) = value
        .strip_prefix("vapid t=")
        .unwrap()
        .split_once(", k=")
        .unwrap();
    assert_eq!(used, ours);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let read = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let algorithm = &ring::signature::ECDSA_P256_SHA256_FIXED;
    ring::signature::UnparsedPublicKey::new(algorithm, read(ours))
        .verify(signed.as_bytes(), &read(signature))
        .unwrap();
    let claims: Value = serde_json::from_slice(&read(signed.split_once('.').unwrap().1)).unwrap();
    assert_eq!(claims["aud"], format!("https://127.0.0.1:{}", service.port));
    assert_eq!(claims["sub"], "mailto:postmaster@mail.example.org");
    let opened = open(key, public.as_ref(), &secret, &post.body);
    let opened: Value = serde_json::from_slice(&opened).unwrap();
    assert_eq!(opened["@type"], "PushVerification");
}

/// What the browser does with it.
fn open(key: agreement::EphemeralPrivateKey, public: &[u8], secret: &[u8], body: &[u8]) -> Vec<u8> {
    let sign = |key: &[u8], data: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
            .as_ref()
            .to_vec()
    };
    let (salt, rest) = body.split_at(16);
    assert_eq!(rest[..5], [0, 0, 16, 0, 65]);
    let (theirs, sealed) = rest[5..].split_at(65);
    let peer = agreement::UnparsedPublicKey::new(&agreement::ECDH_P256, theirs);
    let shared = agreement::agree_ephemeral(key, &peer, <[u8]>::to_vec).unwrap();
    let info = [b"WebPush: info\0", public, theirs, &[1]].concat();
    let material = sign(&sign(secret, &shared), &info);
    let prk = sign(salt, &material);
    let content = sign(&prk, b"Content-Encoding: aes128gcm\0\x01");
    let nonce = sign(&prk, b"Content-Encoding: nonce\0\x01");
    let content = aead::UnboundKey::new(&aead::AES_128_GCM, &content[..16]).unwrap();
    let nonce = aead::Nonce::try_assume_unique_for_key(&nonce[..12]).unwrap();
    let mut sealed = sealed.to_vec();
    let content = aead::LessSafeKey::new(content);
    let opened = content
        .open_in_place(nonce, aead::Aad::empty(), &mut sealed)
        .unwrap();
    assert_eq!(opened.last(), Some(&2));
    opened[..opened.len() - 1].to_vec()
}

#[test]
fn belongs_to_its_log_in() {
    let service = Service::start();
    let server = service.server();
    let mut owner = Jmap::new(&server);
    let token = smol::block_on(server.auth().add_token("phone")).unwrap();
    let mut phone = Jmap::new(&server);
    phone.auth = format!("Bearer {token}");
    let id = subscribe(&mut phone, &service, Value::Null);
    assert_eq!(get(&mut owner)["list"], json!([]));
    assert_eq!(get(&mut phone)["list"][0]["id"], id);
    let answer = set(&mut owner, json!({ "destroy": [id] }));
    assert_eq!(answer["notDestroyed"][&id]["type"], "notFound");
    smol::block_on(server.auth().revoke_token("phone")).unwrap();
    import(&mut owner, "unheard", 1, json!({}));
    service.nothing();
    let left = server
        .mail()
        .records(pillarbox::mail::DataType::PushSubscription);
    assert!(left.unwrap().is_empty());
}

/// A service that is busy, fails, or has forgotten; and how soon a change is there.
#[test]
fn answers_of_the_service() {
    let service = Service::start();
    let server = service.server();
    let mut jmap = Jmap::new(&server);
    subscribe(&mut jmap, &service, json!(["Mailbox"]));
    let before = Instant::now();
    import(&mut jmap, "quick", 1, json!({}));
    let post = service.post();
    let took = post.at - before;
    assert!(
        took < Duration::from_millis(900),
        "{took:?}: nothing to wait for"
    );
    // Ten changes while it must not be asked are one message.
    service
        .answers
        .lock()
        .unwrap()
        .push("429 Slow Down\r\nRetry-After: 2");
    import(&mut jmap, "busy", 2, json!({}));
    let refused = service.post();
    for day in 3..13 {
        import(&mut jmap, &format!("many {day}"), day, json!({}));
    }
    let post = service.post();
    assert!(post.at - refused.at >= Duration::from_secs(2));
    let all = jmap.call("Mailbox/get", json!({ "ids": [] }));
    assert_eq!(post.json()["changed"]["a1"]["Mailbox"], all["state"]);
    service.nothing();
    service.answers.lock().unwrap().push("410 Gone");
    import(&mut jmap, "gone", 14, json!({}));
    service.post();
    let end = Instant::now() + crate::harness::PATIENCE;
    while get(&mut jmap)["list"] != json!([]) {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(10));
    }
}
