//! USER and PASS, AUTH, APOP, the lock, LOGIN-DELAY, STLS.
use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::pop3::wire::md5::md5;
use ring::{digest, hmac, pbkdf2};
use std::num::NonZeroU32;
use std::time::Duration;

#[test]
fn user_and_pass() {
    let server = filled(2);
    let mut client = connect(&server);
    say(&mut client, "PASS nothing", "-ERR");
    say(&mut client, "STAT", "-ERR");
    say(&mut client, "USER nobody", "+OK");
    say(&mut client, &format!("PASS {PASSWORD}"), "-ERR [AUTH]");
    say(&mut client, &format!("PASS {PASSWORD}"), "-ERR");
    say(&mut client, &format!("user {USER}@example.org"), "+OK");
    say(&mut client, "pass wrong", "-ERR [AUTH]");
    say(&mut client, &format!("USER {USER}"), "+OK");
    say(&mut client, &format!("PASS {PASSWORD}"), "+OK 2 messages");
    say(&mut client, &format!("USER {USER}"), "-ERR");
    say(&mut client, "NOOP", "+OK");
    quit(client);
}

#[test]
fn guessing_ends_the_connection() {
    let server = Server::start();
    let mut client = connect(&server);
    for guess in 0..3 {
        say(&mut client, &format!("USER {USER}"), "+OK");
        say(&mut client, &format!("PASS {guess}"), "-ERR [AUTH]");
    }
    client.expect_closed();
}

#[test]
fn quit_before_login() {
    let server = Server::start();
    quit(connect(&server));
}

#[test]
fn one_session_has_the_maildrop() {
    let server = filled(1);
    let first = login(&server);
    let mut second = server.client(Role::Pop3s);
    second.expect("+OK");
    say(&mut second, &format!("USER {USER}"), "+OK");
    say(&mut second, &format!("PASS {PASSWORD}"), "-ERR [IN-USE]");
    quit(first);
    say(&mut second, &format!("USER {USER}"), "+OK");
    say(&mut second, &format!("PASS {PASSWORD}"), "+OK");
    // A connection that breaks gives it back too.
    drop(second);
    quit(login(&server));
}

#[test]
fn sasl_plain() {
    let server = Server::start();
    let right = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let mut client = connect(&server);
    say(&mut client, "AUTH PLAIN !!", "-ERR");
    say(&mut client, "AUTH PLAIN", "+ ");
    say(&mut client, "*", "-ERR");
    say(&mut client, "AUTH GSSAPI", "-ERR");
    assert!(list(&mut client, "AUTH").contains(&"SCRAM-SHA-256".to_owned()));
    say(&mut client, &format!("AUTH PLAIN {right}"), "+OK");
    say(&mut client, &format!("AUTH PLAIN {right}"), "-ERR");
    quit(client);
    let mut client = connect(&server);
    say(&mut client, "auth plain", "+ ");
    say(&mut client, &right, "+OK");
    quit(client);
}

#[test]
fn sasl_scram_sha_256() {
    let server = Server::start();
    let mut client = connect(&server);
    let bare = format!("n={USER},r=rOprNGfwEbeRWgbNEkqO");
    let first = STANDARD.encode(format!("n,,{bare}"));
    let answer = say(&mut client, &format!("AUTH SCRAM-SHA-256 {first}"), "+ ");
    let challenge = String::from_utf8(STANDARD.decode(&answer[2..]).unwrap()).unwrap();
    let part = |key: &str| {
        let found = challenge.split(',').find_map(|it| it.strip_prefix(key));
        found.unwrap().to_owned()
    };
    let (nonce, salt) = (part("r="), STANDARD.decode(part("s=")).unwrap());
    let iterations = NonZeroU32::new(part("i=").parse().unwrap()).unwrap();
    let mut salted = [0; 32];
    let password = PASSWORD.as_bytes();
    pbkdf2::derive(
        pbkdf2::PBKDF2_HMAC_SHA256,
        iterations,
        &salt,
        password,
        &mut salted,
    );
    let sign = |key: &[u8], text: &[u8]| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
            .as_ref()
            .to_vec()
    };
    let client_key = sign(&salted, b"Client Key");
    let stored = digest::digest(&digest::SHA256, &client_key);
    let last = format!("c=biws,r={nonce}");
    let signature = sign(
        stored.as_ref(),
        format!("{bare},{challenge},{last}").as_bytes(),
    );
    let proof: Vec<u8> = client_key
        .iter()
        .zip(&signature)
        .map(|(a, b)| a ^ b)
        .collect();
    let last = STANDARD.encode(format!("{last},p={}", STANDARD.encode(proof)));
    say(&mut client, &last, "+ ");
    say(&mut client, "", "+OK");
    quit(client);
}

#[test]
fn apop_with_a_secret_of_its_own() {
    let server = Server::with(|config| config.pop3.apop = true);
    smol::block_on(server.auth().set_apop(Some("tanstaaf"))).unwrap();
    let mut client = server.client(Role::Pop3);
    let greeting = client.expect("+OK");
    let stamp = &greeting[greeting.find('<').unwrap()..=greeting.find('>').unwrap()];
    let digest = |secret: &str| {
        let octets = md5(&[stamp.as_bytes(), secret.as_bytes()]);
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>()
    };
    let wrong = format!("APOP {USER} {}", digest(PASSWORD));
    say(&mut client, &wrong, "-ERR [AUTH]");
    let right = format!("APOP {USER} {}", digest("tanstaaf"));
    say(&mut client, &right, "+OK");
    quit(client);
}

#[test]
fn apop_is_off() {
    let server = Server::start();
    smol::block_on(server.auth().set_apop(Some("tanstaaf"))).unwrap();
    let mut client = server.client(Role::Pop3);
    assert!(!client.expect("+OK").contains('<'));
    let line = format!("APOP {USER} c4c9334bac560ecc979e58001b3e22fb");
    say(&mut client, &line, "-ERR");
}

#[test]
fn login_delay() {
    let server = Server::with(|config| config.pop3.login_delay = Duration::from_secs(600));
    let mut client = login(&server);
    assert!(list(&mut client, "CAPA").contains(&"LOGIN-DELAY 600".to_owned()));
    quit(client);
    let mut client = connect(&server);
    say(&mut client, &format!("USER {USER}"), "+OK");
    say(
        &mut client,
        &format!("PASS {PASSWORD}"),
        "-ERR [LOGIN-DELAY]",
    );
    quit(client);
}

#[test]
fn stls() {
    let server = filled(1);
    let mut client = connect(&server);
    say(&mut client, &format!("USER {USER}"), "+OK");
    say(&mut client, "STLS", "+OK");
    client.start_tls();
    // What was said in the clear is forgotten.
    say(&mut client, &format!("PASS {PASSWORD}"), "-ERR");
    let capabilities = list(&mut client, "CAPA");
    assert!(!capabilities.contains(&"STLS".to_owned()));
    assert!(capabilities.contains(&"USER".to_owned()));
    say(&mut client, "STLS", "-ERR");
    say(&mut client, &format!("USER {USER}"), "+OK");
    say(&mut client, &format!("PASS {PASSWORD}"), "+OK");
    say(&mut client, "STLS", "-ERR");
    quit(client);
}

/// Commands injected behind STLS, before TLS, must not be obeyed under it.
#[test]
fn plaintext_behind_stls_is_dropped() {
    let server = Server::start();
    let mut client = connect(&server);
    client.send_raw(b"STLS\r\nCAPA\r\nNOOP\r\n");
    client.expect("+OK");
    client.start_tls();
    say(&mut client, "QUIT", "+OK good-bye");
    client.expect_closed();
}
