//! SCRAM-SHA-256 and -PLUS over every protocol's wire, with the password and with app passwords.
use super::app;
use crate::harness::{Client, PASSWORD, Server, USER};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::Role;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;

/// How the client sees channel binding.
#[derive(Clone, Copy)]
enum Binding {
    /// It can not.
    No,
    /// It could, and was not offered any.
    Unoffered,
    /// It does, with this.
    Data([u8; 32]),
}

/// RFC 5802 §3, the client's side.
struct Scram {
    password: String,
    header: &'static str,
    data: Vec<u8>,
    bare: String,
}

impl Scram {
    fn new(password: &str, binding: Binding) -> Scram {
        let (header, data) = match binding {
            Binding::No => ("n,,", Vec::new()),
            Binding::Unoffered => ("y,,", Vec::new()),
            Binding::Data(data) => ("p=tls-exporter,,", data.to_vec()),
        };
        Scram {
            password: password.into(),
            header,
            data,
            bare: format!("n={USER},r=fyko+d2lbbFgONRv9qkxdawL"),
        }
    }

    fn first(&self) -> String {
        STANDARD.encode(format!("{}{}", self.header, self.bare))
    }

    /// The last message, and what the server then has to say.
    fn last(&self, challenge: &str) -> (String, String) {
        let first = String::from_utf8(STANDARD.decode(challenge).unwrap()).unwrap();
        let parts: Vec<&str> = first.split(',').map(|p| &p[2..]).collect();
        let salt = STANDARD.decode(parts[1]).unwrap();
        let rounds: NonZeroU32 = parts[2].parse().unwrap();
        let mut salted = [0; 32];
        let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
        pbkdf2::derive(
            algorithm,
            rounds,
            &salt,
            self.password.as_bytes(),
            &mut salted,
        );
        let bound = [self.header.as_bytes(), &self.data].concat();
        let bare = format!("c={},r={}", STANDARD.encode(bound), parts[0]);
        let message = format!("{},{first},{bare}", self.bare);
        let key = mac(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, &key);
        let signature = mac(stored.as_ref(), message.as_bytes());
        let proof: Vec<u8> = key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        let server = mac(&mac(&salted, b"Server Key"), message.as_bytes());
        (
            STANDARD.encode(format!("{bare},p={}", STANDARD.encode(proof))),
            STANDARD.encode(format!("v={}", STANDARD.encode(server))),
        )
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

/// How a protocol carries the exchange.
struct Door {
    role: Role,
    command: &'static str,
    go: &'static str,
}

const DOORS: [Door; 3] = [
    Door {
        role: Role::Imaps,
        command: "a AUTHENTICATE",
        go: "+ ",
    },
    Door {
        role: Role::Pop3s,
        command: "AUTH",
        go: "+ ",
    },
    Door {
        role: Role::Submissions,
        command: "AUTH",
        go: "334 ",
    },
];

impl Door {
    fn open(&self, server: &Server) -> Client {
        let mut client = server.client(self.role);
        client.line();
        if self.role == Role::Submissions {
            let offered = client.ask("EHLO x", "250 ");
            assert!(
                offered
                    .iter()
                    .any(|l| l.contains("AUTH SCRAM-SHA-256 PLAIN"))
            );
        }
        client
    }

    /// The exchange; the server's last line.
    fn run(&self, client: &mut Client, mechanism: &str, scram: &Scram) -> String {
        // Without an initial response, which every protocol takes.
        client.send(&format!("{} {mechanism}", self.command));
        let line = client.line();
        if !line.starts_with(self.go.trim()) {
            return line;
        }
        client.send(&scram.first());
        let line = client.line();
        let Some(challenge) = line.strip_prefix(self.go) else {
            return line;
        };
        let (last, proof) = scram.last(challenge);
        client.send(&last);
        let line = client.line();
        let Some(verifier) = line.strip_prefix(self.go) else {
            return line;
        };
        assert_eq!(verifier, proof, "the server does not prove itself");
        client.send("");
        client.line()
    }
}

fn is_ok(line: &str) -> bool {
    ["a OK", "+OK", "235"].iter().any(|ok| line.starts_with(ok))
}

#[test]
fn with_each_secret_under_the_same_name() {
    let server = Server::start();
    let phone = app(&server, "phone", "imap,pop3,smtp", None);
    let tablet = app(&server, "tablet", "imap,pop3,smtp", Some("INBOX:lr"));
    for door in DOORS {
        for secret in [PASSWORD, &phone, &tablet] {
            for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] {
                let mut client = door.open(&server);
                let binding = match mechanism {
                    "SCRAM-SHA-256" => Binding::No,
                    _ => Binding::Data(client.tls_exporter()),
                };
                let line = door.run(&mut client, mechanism, &Scram::new(secret, binding));
                assert!(is_ok(&line), "{mechanism} at {}: {line}", door.role.name());
            }
        }
        let mut client = door.open(&server);
        let line = door.run(
            &mut client,
            "SCRAM-SHA-256",
            &Scram::new("wrong", Binding::No),
        );
        assert!(!is_ok(&line), "{line}");
    }
}

#[test]
fn nobody_in_between() {
    let server = Server::start();
    for door in DOORS {
        // RFC 5802 §6: a client that was not shown the offer.
        let mut client = door.open(&server);
        let scram = Scram::new(PASSWORD, Binding::Unoffered);
        let line = door.run(&mut client, "SCRAM-SHA-256", &scram);
        // SMTP takes it, and does not tell of it: there the client is right.
        assert_eq!(is_ok(&line), door.role == Role::Submissions, "{line}");
        // A proof made for another connection.
        let mut other = door.open(&server);
        let mut client = door.open(&server);
        let scram = Scram::new(PASSWORD, Binding::Data(other.tls_exporter()));
        let line = door.run(&mut client, "SCRAM-SHA-256-PLUS", &scram);
        assert!(!is_ok(&line), "{line}");
        let right = Scram::new(PASSWORD, Binding::Data(other.tls_exporter()));
        assert!(is_ok(&door.run(&mut other, "SCRAM-SHA-256-PLUS", &right)));
    }
    // Without TLS there is nothing to bind to, and no offer; `y` is the truth there.
    let mut imap = server.client(Role::Imap);
    let greeting = imap.line();
    assert!(greeting.contains("AUTH=SCRAM-SHA-256 ") && !greeting.contains("-PLUS"));
    let door = Door {
        role: Role::Imap,
        command: "a AUTHENTICATE",
        go: "+ ",
    };
    let line = door.run(
        &mut imap,
        "SCRAM-SHA-256-PLUS",
        &Scram::new(PASSWORD, Binding::No),
    );
    assert!(line.starts_with("a NO"), "{line}");
    let scram = Scram::new(PASSWORD, Binding::Unoffered);
    assert!(is_ok(&door.run(&mut imap, "SCRAM-SHA-256", &scram)));
}
