//! Log-ins through the public door.
use super::sasl::{Mechanism, Step};
use super::*;

/// Settings in memory.
#[derive(Default)]
pub struct MemorySettings(pub Mutex<std::collections::HashMap<String, Vec<u8>>>);

impl Settings for MemorySettings {
    fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(lock(&self.0).get(key).cloned())
    }

    fn set_setting<'a>(
        &'a self,
        key: &'a str,
        value: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + 'a>> {
        lock(&self.0).insert(key.to_owned(), value);
        Box::pin(async { Ok(()) })
    }
}

const PASSWORD: &str = "tr0ub4dor";
const HOME: Client = client(192);
const AWAY: Client = client(203);

const fn client(first: u8) -> Client {
    Client {
        ip: IpAddr::V4(std::net::Ipv4Addr::new(first, 0, 2, 1)),
        protocol: Protocol::Imap,
        binding: None,
    }
}

fn auth_with(change: impl FnOnce(&mut Config)) -> Arc<Auth> {
    let mut config = Config::new("anna", "example.org");
    change(&mut config);
    let auth = Auth::open(Arc::new(config), Arc::new(MemorySettings::default())).unwrap();
    smol::block_on(auth.set_password(PASSWORD, true)).unwrap();
    Arc::new(auth)
}

fn auth() -> Arc<Auth> {
    auth_with(|_| {})
}

#[test]
fn names_and_passwords() {
    smol::block_on(async {
        let auth = auth();
        for name in ["anna", "ANNA", "anna@example.org", "Anna@Example.ORG"] {
            let grant = auth.login_plain(name, PASSWORD, HOME).await.unwrap();
            assert_eq!(
                grant,
                Grant {
                    user: "anna".into(),
                    token: None,
                    app: None,
                }
            );
        }
        let wrong = Err(AuthError::BadCredentials);
        assert_eq!(auth.login_plain("bob", PASSWORD, AWAY).await, wrong);
        assert_eq!(auth.login_plain("anna", "", HOME).await, wrong);
        let long = "x".repeat(5000);
        let ip = "2001:db8::1".parse().unwrap();
        assert_eq!(
            auth.login_plain(&long, &long, Client { ip, ..HOME }).await,
            wrong
        );
    });
}

#[test]
fn without_an_account_nobody_gets_in() {
    let config = Arc::new(Config::new("anna", "example.org"));
    let auth = Auth::open(config, Arc::new(MemorySettings::default())).unwrap();
    let login = smol::block_on(auth.login_plain("anna", "", HOME));
    assert_eq!(login, Err(AuthError::Unavailable));
}

#[test]
fn a_new_password_ends_the_old_one_at_once_and_outlives_a_restart() {
    smol::block_on(async {
        let config = Arc::new(Config::new("anna", "example.org"));
        let settings = Arc::new(MemorySettings::default());
        let auth = Auth::open(config.clone(), settings.clone()).unwrap();
        auth.set_password("one", true).await.unwrap();
        auth.login_plain("anna", "one", HOME).await.unwrap();
        auth.set_password("two words", true).await.unwrap();
        assert!(auth.login_plain("anna", "one", AWAY).await.is_err());
        let again = Auth::open(config, settings.clone()).unwrap();
        again.login_plain("anna", "two words", HOME).await.unwrap();
        // What is stored is not the password (base64 has no spaces, or it could be there by chance).
        let stored = settings.setting(KEY_PASSWORD).unwrap().unwrap();
        let text = String::from_utf8(stored).unwrap();
        assert!(text.starts_with("SCRAM-SHA-256$") && !text.contains("two words"));
        assert!(again.set_password("", true).await.is_err());
        // A device that was told the new password before the server was.
        assert!(again.login_plain("anna", "three", HOME).await.is_err());
        again.set_password("three", true).await.unwrap();
        again.login_plain("anna", "three", HOME).await.unwrap();
    });
}

#[test]
fn guessing_elsewhere_never_locks_the_owner_out() {
    smol::block_on(async {
        let auth = auth_with(|config| config.max_login_failures = 1);
        assert!(auth.login_plain("anna", "guess", AWAY).await.is_err());
        let next = auth.login_plain("anna", PASSWORD, AWAY).await;
        assert!(matches!(next, Err(AuthError::Throttled(wait)) if !wait.is_zero()));
        auth.login_plain("anna", PASSWORD, HOME).await.unwrap();
    });
}

#[test]
fn tokens_live_until_revoked() {
    smol::block_on(async {
        let auth = auth();
        let token = auth.add_token("my phone").await.unwrap();
        assert_eq!(token.len(), 26);
        assert!(auth.add_token("my phone").await.is_err());
        assert!(auth.add_token("a\nb").await.is_err() && auth.add_token("").await.is_err());
        let grant = auth.bearer(&token, HOME.ip).await.unwrap();
        assert_eq!(grant.token.as_deref(), Some("my phone"));
        assert_eq!(auth.tokens().len(), 1);
        auth.revoke_token("my phone").await.unwrap();
        assert!(auth.revoke_token("my phone").await.is_err());
        assert_eq!(
            auth.bearer(&token, HOME.ip).await,
            Err(AuthError::BadCredentials)
        );
        // A token is no password.
        let token = auth.add_token("other").await.unwrap();
        assert!(auth.login_plain("anna", &token, AWAY).await.is_err());
    });
}

#[test]
fn apop_only_when_asked_for_and_set() {
    smol::block_on(async {
        let right = |secret: &str| secret == "shared";
        let auth = auth_with(|config| config.pop3.apop = true);
        assert!(!auth.has_apop());
        assert_eq!(
            auth.apop("anna", right, HOME.ip).await,
            Err(AuthError::Unsupported)
        );
        auth.set_apop(Some("shared")).await.unwrap();
        assert!(auth.apop("anna", right, HOME.ip).await.is_ok());
        assert!(auth.apop("bob", right, AWAY.ip).await.is_err());
        auth.set_apop(None).await.unwrap();
        assert!(!auth.has_apop());
    });
}

fn encode(text: &str) -> Vec<u8> {
    STANDARD.encode(text).into_bytes()
}

#[test]
fn sasl_plain_and_login() {
    smol::block_on(async {
        let auth = auth();
        let done = Ok(Step::Done(auth.grant(None)));
        let plain = encode(&format!("\0anna\0{PASSWORD}"));
        let mut x = auth.sasl(Mechanism::Plain, HOME);
        assert_eq!(x.step(None).await, Ok(Step::Challenge(String::new())));
        assert_eq!(x.step(Some(&plain)).await, done);
        assert_eq!(x.step(Some(&plain)).await, Err(AuthError::Malformed));
        let mut x = auth.sasl(Mechanism::Plain, HOME);
        let own = encode(&format!("anna@example.org\0anna\0{PASSWORD}"));
        assert_eq!(x.step(Some(&own)).await, done);
        let mut x = auth.sasl(Mechanism::Plain, HOME);
        let other = encode(&format!("root\0anna\0{PASSWORD}"));
        assert_eq!(x.step(Some(&other)).await, Err(AuthError::Unsupported));
        for bad in [
            &b"!"[..],
            b"YQ==",
            b"AGFubmEAeAB5",
            b"",
            b"=",
            b"/w==",
            &[b'A'; 4000],
        ] {
            let mut x = auth.sasl(Mechanism::Plain, HOME);
            assert_eq!(x.step(Some(bad)).await, Err(AuthError::Malformed));
        }
        let mut x = auth.sasl(Mechanism::Plain, HOME);
        assert_eq!(x.step(Some(b"*")).await, Err(AuthError::Cancelled));

        let mut x = auth.sasl(Mechanism::Login, HOME);
        assert_eq!(
            x.step(None).await,
            Ok(Step::Challenge("VXNlcm5hbWU6".into()))
        );
        assert_eq!(
            x.step(Some(&encode("anna"))).await,
            Ok(Step::Challenge("UGFzc3dvcmQ6".into()))
        );
        assert_eq!(x.step(Some(&encode(PASSWORD))).await, done);
    });
}

#[test]
fn sasl_scram() {
    smol::block_on(async {
        let auth = auth();
        assert_eq!(
            scram_login(&auth, "anna", PASSWORD, HOME).await,
            Ok(Step::Done(auth.grant(None)))
        );
        assert_eq!(
            scram_login(&auth, "anna", "wrong", HOME).await,
            Err(AuthError::BadCredentials)
        );
        assert_eq!(
            scram_login(&auth, "nobody", PASSWORD, AWAY).await,
            Err(AuthError::BadCredentials)
        );
    });
}

/// A SCRAM client, as short as it can be.
async fn scram_login(
    auth: &Arc<Auth>,
    user: &str,
    password: &str,
    peer: Client,
) -> Result<Step, AuthError> {
    let mut x = auth.sasl(Mechanism::ScramSha256, peer);
    let bare = format!("n={user},r=client");
    let Step::Challenge(first) = x.step(Some(&encode(&format!("n,,{bare}")))).await? else {
        panic!("done too early")
    };
    let first = String::from_utf8(STANDARD.decode(first).unwrap()).unwrap();
    let parts: Vec<&str> = first.split(',').map(|part| &part[2..]).collect();
    let (nonce, salt, rounds) = (parts[0], STANDARD.decode(parts[1]).unwrap(), parts[2]);
    assert!(nonce.starts_with("client") && nonce.len() > 20);
    let salted = record::salted_password(password, &salt, rounds.parse().unwrap());
    let client_key = hmac_sha256(&salted, b"Client Key");
    let message = format!("{bare},{first},c=biws,r={nonce}");
    let signature = hmac_sha256(&record::sha256(&client_key), message.as_bytes());
    let proof: Vec<u8> = client_key
        .iter()
        .zip(signature)
        .map(|(k, s)| k ^ s)
        .collect();
    let last = format!("c=biws,r={nonce},p={}", STANDARD.encode(proof));
    let Step::Challenge(verifier) = x.step(Some(&encode(&last))).await? else {
        panic!("done without proving itself")
    };
    let server_key = hmac_sha256(&salted, b"Server Key");
    let right = STANDARD.encode(hmac_sha256(&server_key, message.as_bytes()));
    assert_eq!(verifier, STANDARD.encode(format!("v={right}")));
    x.step(Some(b"")).await
}
