//! JMAP: whole HTTP connections against a real server on a store of its own. Whatever the octets,
//! nothing panics, every request that ends gets an answer, and the connection ends when the client has.
//!
//! The first octet says what the others are: 0 an HTTP head and what follows it, 1 the object of an
//! Email/set create, 2 a header section whose fields are asked for in every form, 3 frames of a
//! WebSocket, 4 the query of an event source, 5 method calls.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::auth::Auth;
use pillarbox::config::{Config, Listen, Role};
use pillarbox::jmap::wire::frame::{self, Opcode};
use pillarbox::mail::{Mail, Options};
use pillarbox::server::{self, Server};
use std::cell::RefCell;
use std::io::{Read, Write};
use std::mem::ManuallyDrop;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Connections on one store; then it is thrown away, with all that they have put into it.
const SESSIONS: u32 = 500;
/// Longer than anything here may take.
const PATIENCE: Duration = Duration::from_secs(20);
const AUTH: &str = "Authorization: Basic YW5uYTpzZWNyZXQ=\r\n";

struct World {
    server: Option<Server>,
    address: SocketAddr,
    folder: PathBuf,
    sessions: u32,
}

thread_local! {
    // Not dropped at the end of the process, when there is nothing left to stop a server with.
    static WORLD: RefCell<Option<ManuallyDrop<World>>> = const { RefCell::new(None) };
}

impl World {
    fn new() -> World {
        let folder = std::env::temp_dir().join(format!("pillarbox-fuzz-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut config = Config::new("anna", "example.org");
        config.db = folder.join("mail.redb");
        config.quota = Some(64 << 20);
        config.max_connections_per_address = 1000;
        config.listen = vec![Listen {
            role: Role::Http,
            address: ([127, 0, 0, 1], 0).into(),
        }];
        let config = Arc::new(config);
        let options = Options {
            message_size: 1 << 20,
            quota: 64 << 20,
            ..Options::default()
        };
        let mail = Mail::open(&config.db, options).unwrap();
        let auth = Arc::new(Auth::open(config.clone(), mail.clone()).unwrap());
        smol::block_on(auth.set_password("secret", true)).unwrap();
        let bound = server::bind(&config.listen).unwrap();
        let server = Server::start(bound, config, mail, auth, None).unwrap();
        let address = server.addresses()[0].1;
        World {
            server: Some(server),
            address,
            folder,
            sessions: 0,
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            smol::block_on(server.stop(Duration::from_secs(5), std::future::pending()));
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Sends, says that there is no more, and reads to the end.
fn say(address: SocketAddr, octets: &[u8]) -> Vec<u8> {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut sender = socket.try_clone().unwrap();
    let out = octets.to_vec();
    let sender = std::thread::spawn(move || {
        let _ = sender.write_all(&out);
        let _ = sender.shutdown(Shutdown::Write);
    });
    let (mut all, mut chunk) = (Vec::new(), [0; 16384]);
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => all.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("no end: {e}; {:?}", String::from_utf8_lossy(&all)),
        }
        // An event source has no end of its own.
        if all.ends_with(b"2\r\n:\n\r\n") {
            break;
        }
    }
    let _ = socket.shutdown(Shutdown::Both);
    sender.join().unwrap();
    all
}

fn post(address: SocketAddr, path: &str, media: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\n{AUTH}Content-Type: {media}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let answer = say(address, &[head.as_bytes(), body].concat());
    assert!(answer.starts_with(b"HTTP/1.1 "), "{}", String::from_utf8_lossy(body));
    answer
}

fn calls(address: SocketAddr, calls: &[u8]) {
    let mut body = br#"{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail","urn:ietf:params:jmap:submission","urn:ietf:params:jmap:blob","urn:ietf:params:jmap:quota","urn:ietf:params:jmap:mdn","urn:ietf:params:jmap:vacationresponse"],"methodCalls":"#.to_vec();
    body.extend_from_slice(calls);
    body.push(b'}');
    post(address, "/jmap/api", "application/json", &body);
}

const FORMS: [&str; 7] = [
    "asRaw",
    "asText",
    "asAddresses",
    "asGroupedAddresses",
    "asMessageIds",
    "asDate",
    "asURLs",
];

/// The fields of an uploaded message in every form: those that are not for a field are refused as a
/// whole, so each of the few has its own list.
fn forms(address: SocketAddr, header: &[u8]) {
    let answer = post(address, "/jmap/upload/a1", "message/rfc822", &[header, b"\r\n\r\nx"].concat());
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let Some(blob) = answer.split("\"blobId\":\"").nth(1).and_then(|rest| rest.split('"').next()) else {
        return;
    };
    let mut all = Vec::new();
    for form in FORMS {
        all.push(format!("\"header:X-Any:{form}\",\"header:X-Any:{form}:all\""));
    }
    let usual = r#""messageId","inReplyTo","references","sender","from","to","cc","bcc","replyTo","subject","sentAt","hasAttachment","preview","headers","bodyStructure","textBody","htmlBody","attachments","bodyValues""#;
    let body = format!(
        r#"[["Email/parse",{{"accountId":"a1","blobIds":["{blob}"],"fetchAllBodyValues":true,"properties":[{usual},{}]}},"0"]]"#,
        all.join(",")
    );
    calls(address, body.as_bytes());
}

fn frames(address: SocketAddr, octets: &[u8]) {
    let mut out = format!(
        "GET /jmap/ws HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: jmap\r\n\r\n"
    )
    .into_bytes();
    // Octets as they are behind 0xff; else messages, put into frames, apart at 0xfe.
    match octets.split_first() {
        Some((0xff, rest)) => out.extend_from_slice(rest),
        _ => {
            for message in octets.split(|b| *b == 0xfe) {
                let mut plain = Vec::new();
                frame::put(&mut plain, Opcode::Text, true, message);
                let head = plain.len() - message.len();
                plain[1] |= 0x80;
                plain.splice(head..head, [0; 4]);
                out.extend_from_slice(&plain);
            }
        }
    }
    let answer = say(address, &out);
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
}

fuzz_target!(|input: &[u8]| {
    let Some((kind, octets)) = input.split_first() else { return };
    WORLD.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|world| world.sessions >= SESSIONS) {
            if let Some(old) = slot.take() {
                drop(ManuallyDrop::into_inner(old));
            }
            *slot = Some(ManuallyDrop::new(World::new()));
        }
        let world = slot.as_mut().unwrap();
        world.sessions += 1;
        let address = world.address;
        match kind % 6 {
            0 => drop(say(address, octets)),
            1 => {
                let mut all = br#"[["Email/set",{"accountId":"a1","create":{"k":"#.to_vec();
                all.extend_from_slice(octets);
                all.extend_from_slice(br##"}},"0"],["Email/get",{"accountId":"a1","ids":["#k"],"fetchAllBodyValues":true},"1"]]"##);
                calls(address, &all);
            }
            2 => forms(address, octets),
            3 => frames(address, octets),
            4 => {
                let query: String = octets.iter().map(|b| char::from(b & 0x7f)).collect();
                let query = query.replace([' ', '\r', '\n', '\0'], "+");
                let head = format!("GET /jmap/events?{query} HTTP/1.1\r\nHost: x\r\n{AUTH}Connection: close\r\n\r\n");
                drop(say(address, head.as_bytes()));
            }
            _ => calls(address, octets),
        }
    });
});
